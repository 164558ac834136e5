"""A task of another node, and rows between nodes, as they travel.

Owns: what goes with a task, a fragment that may be sent, rows as payloads, and what a coordinator
needs of the way to other nodes. Comes in: fragments, frames in kernel form; goes out: buffers to
send. Does not know: who sends them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import polars as pl

from eau2.catalog import ChunkRef
from eau2.errors import NotSupportedError
from eau2.net.arrow import Payload, payloads
from eau2.operators.base import Operator
from eau2.operators.measure import is_small
from eau2.records import Record

Input = tuple[Payload, ...]
"""The result of an earlier stage, ready to be sent to any number of nodes: one payload at least."""


class Fragment:
    """A fragment as the leading node runs it, and as bytes once it is sent elsewhere.

    What encodes it is loaded when it is needed: a process of its own answers most statements alone.
    """

    def __init__(self, root: Operator) -> None:
        """Raises NotSupportedError when it exceeds the limits of what may be sent."""
        self.root = root
        self._packed = None if is_small(root) else _packed(root)

    @property
    def packed(self) -> bytes:
        """The bytes; they are made once."""
        if self._packed is None:
            self._packed = _packed(self.root)
        return self._packed


def _packed(root: Operator) -> bytes:
    from eau2.net.codec import MessageError, encode_fragment
    from eau2.operators.codec import FragmentError

    try:
        return encode_fragment(root)
    except (FragmentError, MessageError) as error:
        raise NotSupportedError(f"the statement is too large: {error.message}") from error


class Ended(Record, frozen=True):
    """A task has given all its rows. It took so long where it ran, and read so many of its chunks'
    rows.
    """

    seconds: float
    rows_read: int


Report = Callable[[memoryview | Exception | Ended], None]
"""Is told of a task on another node: a payload of its rows, its error, or its end."""


class TaskReport(Record, frozen=True):
    """What a task did: what it read of which chunks, and what it gave.

    rows_held: by these chunks; those that certainly do not matter are not read.
    bytes: of the rows as they travelled, or as they are in memory where they did not. seconds: at
    its node. failed_at: the nodes that had failed it before.
    """

    stage: int
    number: int
    node: str
    chunks: int
    rows_read: int
    rows_held: int
    bytes_read: int
    rows: int
    bytes: int
    seconds: float
    failed_at: tuple[str, ...] = ()


class RemoteTask(Record, frozen=True):
    """A task as its node gets it. inputs: results of earlier stages, by stage.

    attempt: how many nodes have failed it before. holders: of each chunk, the nodes that it may be
    fetched from; none at all when the node is to have them all.
    """

    node: str
    stage: int
    number: int
    attempt: int
    fragment: bytes
    chunks: tuple[ChunkRef, ...]
    holders: tuple[tuple[str, ...], ...]
    inputs: Mapping[int, Input]


class Running(Protocol):
    """A task under way on another node. Thread-safe."""

    def begin(self) -> None:
        """Its rows may be reported: for a task that was started to wait for this."""

    def taken(self) -> None:
        """A payload was taken: one more may be reported."""

    def cancel(self) -> None:
        """Give it up. What is reported from then on is of no use."""


class Remote(Protocol):
    """The way to tasks on other nodes."""

    def start(
        self, task: RemoteTask, deadline_s: float, query: str, report: Report, waits: bool
    ) -> Running:
        """Have a task run. `report` is called on a thread of the network's.

        waits: nothing is reported before `begin`, and then only a few payloads ahead of `taken`;
        the node waits as well.
        """


def encoded(frame: pl.DataFrame) -> Input:
    """A frame in kernel form as an input; its memory is not copied."""
    return tuple(payloads(frame))
