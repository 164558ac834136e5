"""The ring of nodes: who they are, in which order, and who keeps what.

Owns: slots and voters as they are at one epoch of the ring, and what follows from them for chunks
and manifests. Comes in: a node and a chunk's number, or a chunk; goes out: nodes. Does not know:
addresses, who is alive.

Whoever is to hold a chunk is a function of the ring alone, so all nodes that know the same epoch
agree about it. A node that leaves, or has left, holds nothing by that function; what it still has
can be asked for.
"""

from __future__ import annotations

from eau2.catalog import ChunkRef
from eau2.errors import UsageError
from eau2.kv import ring
from eau2.records import Record


class Membership(Record, frozen=True):
    """slots: the nodes in the order of the ring. voters: those that keep the registers of names.

    leaving: those of the slots that are to hold nothing. epoch: rises with every change.
    """

    slots: tuple[str, ...]
    voters: tuple[str, ...]
    leaving: tuple[str, ...] = ()
    epoch: int = 0

    def __post_init__(self) -> None:
        if not self.slots or len(set(self.slots)) != len(self.slots):
            raise UsageError("a ring has at least one node, and each of them once")
        if not self.voters or not set(self.voters) <= set(self.slots):
            raise UsageError("a ring has at least one voter, and voters are nodes of the ring")
        if not set(self.leaving) < set(self.slots):
            raise UsageError("a ring has at least one node that stays")

    @property
    def staying(self) -> tuple[str, ...]:
        """The nodes that hold chunks, in the order of the ring."""
        return tuple(node for node in self.slots if node not in self.leaving)

    @property
    def copies(self) -> int:
        """How many nodes hold each chunk."""
        return ring.copies(len(self.staying))

    @property
    def majority(self) -> int:
        """How many voters decide."""
        return ring.majority(len(self.voters))

    def position(self, node: str) -> int:
        """The slot of a node. Raises UsageError."""
        if node not in self.slots:
            raise UsageError(f"the node {node!r} is not in the ring")
        return self.slots.index(node)

    def slot(self, node: str, number: int) -> int:
        """The slot of chunk `number` of a put that `node` takes."""
        return ring.slot(self.position(node), number, len(self.slots))

    def walk(self, slot: int) -> tuple[str, ...]:
        """The nodes that stay, in the order in which they are asked to hold what is in `slot`."""
        nodes = (self.slots[place] for place in ring.walk(slot, len(self.slots)))
        return tuple(node for node in nodes if node not in self.leaving)

    def proper(self, chunk: ChunkRef) -> tuple[str, ...]:
        """Who is to hold a chunk of a frame, preferred first."""
        return self._walk_of(chunk)[: self.copies]

    def search(self, chunk: ChunkRef) -> tuple[str, ...]:
        """All nodes, in the order in which the chunk is looked for."""
        return tuple(dict.fromkeys((*self.proper(chunk), *chunk.locations, *self.slots)))

    def manifest_holders(self, df_id: str) -> tuple[str, ...]:
        """Who is to hold the manifest of a write: the voters, where everybody asks first."""
        first = ring.moved(df_id, 0, 1, len(self.slots))
        others = tuple(node for node in self.walk(first) if node not in self.voters)
        staying = sum(node not in self.leaving for node in self.voters)
        return (*self.voters, *others[: max(0, self.copies - staying)])

    def manifest_search(self) -> tuple[str, ...]:
        """All nodes, in the order in which a manifest is looked for."""
        return tuple(dict.fromkeys((*self.voters, *self.slots)))

    def _walk_of(self, chunk: ChunkRef) -> tuple[str, ...]:
        key = f"{chunk.key.df_id}/{chunk.key.number}"
        return self.walk(ring.moved(key, chunk.slot, chunk.slots, len(self.slots)))
