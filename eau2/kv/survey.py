"""What the nodes of a ring are doing and which chunks they have, as one of them sees it.

Owns: asking all of them within a short time, and what is said when one does not answer. Comes in:
the ring and the health of its nodes as they are known here; goes out: a NodeStatus for each node, a
Place for each chunk. Does not know: SQL, how it is shown, what the nodes do about it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eau2.catalog import ChunkRef
from eau2.config import CONTROL, ControlLimits
from eau2.errors import Error
from eau2.kv.exchange import ask, gathered
from eau2.kv.liveness import Health
from eau2.kv.membership import Membership
from eau2.kv.ringsteps import is_formed, membership
from eau2.kv.sources import Sources, sources
from eau2.kv.status import NodeStatus, Place
from eau2.kv.tolerance import Seen, may_fail
from eau2.net.address import SCHEME
from eau2.net.message import NodeDescription, NodeInfo
from eau2.net.ring_message import Member, Ring
from eau2.world import World


class Survey:
    """Of one ring, for one node of it."""

    def __init__(
        self,
        world: World,
        ring: Callable[[], Ring],
        health: Callable[[str], Health],
        limits: ControlLimits = CONTROL,
    ) -> None:
        """ring: as it is known here. health: of a node, see kv.liveness."""
        self._world = world
        self._ring = ring
        self._health = health
        self._limits = limits

    async def nodes(self) -> tuple[NodeStatus, ...]:
        """All nodes in the order of the ring. Raises nothing but BusyError, for want of a ring."""
        ring = self._ring()
        said = await gathered([self._described(member) for member in ring.members])
        pairs = list(zip(ring.members, said, strict=True))
        seen = [self._seen(ring, member, description) for member, description in pairs]
        return tuple(self._status(ring, seen, *pair) for pair in pairs)

    async def sources(self, chunks: Sequence[ChunkRef]) -> tuple[Membership, Sources]:
        """The ring, and what the nodes that are up have of the writes of these chunks."""
        ring = self._ring()
        df_ids = tuple(dict.fromkeys(chunk.key.df_id for chunk in chunks))
        nodes = [m.name for m in ring.members if m.address and self._health(m.name) is Health.UP]
        return membership(ring), await sources(self._world, nodes, df_ids, self._limits)

    async def _described(self, member: Member) -> NodeDescription | None:
        if not member.address or self._health(member.name) is Health.DOWN:
            return None
        limit_s = self._limits.describe_s
        try:
            return await ask(self._world.net, member.name, NodeInfo(), NodeDescription, limit_s)
        except Error:
            return None

    def _seen(self, ring: Ring, member: Member, said: NodeDescription | None) -> Seen:
        return Seen(
            member.name,
            member.state,
            self._health(member.name) is Health.UP and said is not None,
            member.name in ring.voters,
            _missing(ring, said) == 0,
        )

    def _status(
        self, ring: Ring, seen: Sequence[Seen], member: Member, said: NodeDescription | None
    ) -> NodeStatus:
        formed = is_formed(ring)
        health = self._health(member.name) if member.address else Health.DOWN
        status = (
            *(member.name, f"{SCHEME}{member.address}" if member.address else None),
            *(member.state, health.value, formed and member.name in ring.voters),
            formed and may_fail(seen, member.name),
        )
        if said is None:
            return NodeStatus(*status)
        return NodeStatus(
            *status,
            *(said.chunks, said.bytes, _missing(ring, said), said.quarantined),
            *(said.running, round(said.uptime_s, 1), said.software),
        )


def places(ring: Membership, found: Sources, chunks: Sequence[ChunkRef]) -> tuple[Place, ...]:
    """Where each of the chunks is to be, and is."""
    return tuple([_place(ring.proper(chunk), found, chunk) for chunk in chunks])


def _place(proper: tuple[str, ...], found: Sources, chunk: ChunkRef) -> Place:
    if not found.nodes:
        return Place(proper, None)
    here = found.of_chunk(chunk.key)
    first = [node for node in proper if node in here]
    return Place(proper, (*first, *[node for node in here if node not in proper]))


def _missing(ring: Ring, said: NodeDescription | None) -> int | None:
    """What a node lacks; None when it has not looked since the ring changed."""
    return None if said is None or said.looked != ring.epoch else said.missing
