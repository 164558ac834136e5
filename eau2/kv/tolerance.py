"""How many nodes of a ring may fail, and which: for reads, and for puts.

Owns: the arithmetic, pure. Comes in: what is known of each node; goes out: whether all can be read
and puts are taken when some fail. Does not know: who asks, where anything was learnt.

A chunk is on R nodes that stay, and a put is acknowledged only when it is. So as long as fewer than
R of these nodes are not there, or lack something that they are to hold, each chunk is on a node
that can be asked; and so is each manifest. What is known of a node that was not asked counts as
lacking. Names are read and changed as long as more than half of the voters are there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from eau2.kv.ring import copies, majority

STAYS = "in"
"""The state of a node that is to hold chunks: see kv/ringsteps.py."""


class Seen(NamedTuple):
    """A node. up: it is heard. complete: it is known to have all that it is to hold."""

    name: str
    state: str
    up: bool
    voter: bool
    complete: bool


def wanted_copies(nodes: Sequence[Seen]) -> int:
    """On how many nodes each chunk is to be."""
    return copies(max(1, sum(node.state == STAYS for node in nodes)))


def spare_voters(nodes: Sequence[Seen], lost: Collection[str] = ()) -> int:
    """How many voters more may fail. Negative: names can be neither read nor changed."""
    voters = [node for node in nodes if node.voter]
    there = sum(node.up and node.name not in lost for node in voters)
    return there - majority(len(voters))


def reads(nodes: Sequence[Seen], lost: Collection[str] = ()) -> int:
    """How many nodes more may fail, whichever, so that all can be read. Negative: not all can."""
    lacking = sum(
        node.state == STAYS and not (node.up and node.complete and node.name not in lost)
        for node in nodes
    )
    return min(spare_voters(nodes, lost), wanted_copies(nodes) - lacking - 1)


def puts(nodes: Sequence[Seen], lost: Collection[str] = ()) -> int:
    """How many nodes more may fail, whichever, so that puts are taken. Negative: none are."""
    there = sum(node.state == STAYS and node.up and node.name not in lost for node in nodes)
    return min(spare_voters(nodes, lost), there - wanted_copies(nodes))


def may_fail(nodes: Sequence[Seen], name: str) -> bool:
    """Whether all can be read and puts are taken when exactly this node fails now."""
    return reads(nodes, (name,)) >= 0 and puts(nodes, (name,)) >= 0
