"""A node and a chunk, as people see them.

Owns: `NodeStatus` and `Place`, and what they are of a store of one process. Comes in: frames; goes
out: these. Does not know: how they are learnt of a store over nodes (kv/survey.py), SQL.
"""

from __future__ import annotations

from collections.abc import Iterable

from eau2.catalog import ChunkKey, Frame
from eau2.kv.chunk import LOCAL
from eau2.kv.tolerance import STAYS
from eau2.records import Record


class NodeStatus(Record, frozen=True):
    """A node, as SHOW NODES shows it. What only the node itself knows is None when it is not asked.

    health: as the asked node sees it. may_fail: all can be read and puts are taken without it.
    missing: files that it is to hold and has not, None also while it has not looked. quarantined:
    damaged files that it has put away. running: statements and tasks. uptime_s: seconds.
    """

    name: str
    address: str | None
    state: str
    health: str
    voter: bool
    may_fail: bool
    chunks: int | None = None
    bytes: int | None = None
    missing: int | None = None
    quarantined: int | None = None
    running: int | None = None
    uptime_s: float | None = None
    software: str | None = None


class Place(Record, frozen=True):
    """Which nodes are to hold a chunk, and which of those that answered have it.

    is_on: None when no node answered.
    """

    belongs_on: tuple[str, ...]
    is_on: tuple[str, ...] | None


AT_HOME = Place((LOCAL,), (LOCAL,))
"""Of a chunk in a store of this process."""


def local_node(frames: Iterable[Frame]) -> NodeStatus:
    """A store of this process, as a node that holds these frames."""
    sizes: dict[ChunkKey, int] = {c.key: c.bytes for frame in frames for c in frame.chunks}
    return NodeStatus(
        *(LOCAL, None, STAYS, "up", True, False),
        *(len(sizes), sum(sizes.values()), 0),
    )
