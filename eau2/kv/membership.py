"""The ring of nodes: who they are, in which order, and who keeps what.

Owns: the static list of slots and voters. Comes in: a node and a chunk's number; goes out: the
nodes that hold the chunk. Does not know: addresses, who is alive.
"""

from __future__ import annotations

from dataclasses import dataclass

from eau2.errors import UsageError
from eau2.kv.ring import holders


@dataclass(frozen=True, slots=True)
class Membership:
    """slots: the nodes in the order of the ring. voters: those that keep the registers of names.

    replicas: how many nodes hold each chunk.
    """

    slots: tuple[str, ...]
    voters: tuple[str, ...]
    replicas: int = 1

    def __post_init__(self) -> None:
        if not self.slots or len(set(self.slots)) != len(self.slots):
            raise UsageError("a ring has at least one node, and each of them once")
        if not self.voters or not set(self.voters) <= set(self.slots):
            raise UsageError("a ring has at least one voter, and voters are nodes of the ring")
        if not 1 <= self.replicas <= len(self.slots):
            raise UsageError(f"{len(self.slots)} nodes cannot hold {self.replicas} copies")

    def position(self, node: str) -> int:
        """The slot of a node. Raises UsageError."""
        if node not in self.slots:
            raise UsageError(f"the node {node!r} is not in the ring")
        return self.slots.index(node)

    def holders(self, node: str, number: int) -> tuple[str, ...]:
        """Who holds chunk `number` of a put that `node` took, preferred first."""
        places = holders(self.position(node), number, len(self.slots), self.replicas)
        return tuple(self.slots[place] for place in places)

    def manifest_holders(self, node: str) -> tuple[str, ...]:
        """Who holds the manifest of a put that `node` took: voters, where everybody asks first."""
        return tuple(dict.fromkeys((*self.voters, *self.holders(node, 0))))

    def manifest_search(self) -> tuple[str, ...]:
        """All nodes, in the order in which a manifest is looked for."""
        return tuple(dict.fromkeys((*self.voters, *self.slots)))
