"""What a node says of the copies it holds, and when it may let go of one.

Owns: the answers to Holdings, ConfirmChunk and SuspectChunk, the chunks that are being let go of,
and the rule that keeps enough copies. Comes in: questions of other nodes, chunks that the ring
gives to others; goes out: answers, deletions. Does not know: names, where copies come from.

The rule. A node N that holds a chunk which the ring of epoch e gives to the nodes P(e), not to N,
asks all of P(e). A node says yes when its own ring has the epoch e and it is in P(e), its file is
whole and durable, and it is not letting go of it itself; all this holds at the moment of the yes.
After the last yes N makes sure that its ring still has the epoch e, *marks* the chunk, from when on
it says no itself, and deletes it. The mark goes only after the deletion has ended.

Why enough copies stay. At any moment let m be the largest epoch under which a node has marked the
chunk. Then all nodes of P(m) still hold it, and they are as many as the ring of m asks for. For
take one of them, M, which said yes under m. Had it deleted the chunk since, it would have marked it
after its yes (with the mark it would have said no), under the epoch f that its own ring then had.
What a node knows of the ring only gets newer, and is durable before it is acted on, so f >= m.
Under m itself M is in P(m) and deletes nothing, so f > m, and m was not the largest. Nodes with
different epochs can thus both delete, and the copies of the newer epoch stay. A disk that fails
takes one copy, as anywhere else: that is what there are several for.

A chunk that no name means any more is garbage, of which the sweep alone decides; a chunk of a put
under way is in no manifest that counts, and is asked about by nobody.
"""

from __future__ import annotations

from collections.abc import Callable

from eau2.catalog import ChunkKey, ChunkRef
from eau2.config import CONTROL, ControlLimits
from eau2.errors import OperationalError, ProtocolError
from eau2.kv.exchange import ask, gathered
from eau2.kv.inventory import ranges
from eau2.kv.membership import Membership
from eau2.kv.service import Service
from eau2.net.connection import Answer
from eau2.net.message import Done, Number, TaskChunk
from eau2.net.ring_message import ConfirmChunk, Held, HeldWrites, Holdings, SuspectChunk
from eau2.net.stream import Received
from eau2.world import World


class Holding:
    """The copies of the node called `node`, as others may rely on them."""

    def __init__(
        self,
        node: str,
        world: World,
        service: Service,
        ring: Callable[[], Membership],
        suspect: Callable[[str, int | None], None],
        limits: ControlLimits = CONTROL,
    ) -> None:
        """ring: as it is known here, durably. suspect: see Scrub.suspect."""
        self.node = node
        self._world = world
        self._service = service
        self._ring = ring
        self._suspect = suspect
        self._limits = limits
        self._going: set[ChunkKey] = set()

    async def answer(self, received: Received) -> Answer:
        """Answer a request. Raises ProtocolError for one that is not about copies."""
        match received.message:
            case Holdings(df_ids, first):
                return await self._holdings(df_ids, first)
            case ConfirmChunk() as question:
                return Number(int(await self.confirm(question)))
            case SuspectChunk(df_id, number):
                self._suspect(df_id, number)
                return Done()
        name = type(received.message).__name__
        raise ProtocolError(f"node {self.node} was asked about its copies with a {name}")

    async def confirm(self, question: ConfirmChunk) -> bool:
        """Whether this node holds a chunk for good. Raises nothing: what cannot be read is no."""
        ref = _ref(question)
        damaged = self._service.damaged
        if not self._is_for_good(ref, question.epoch):
            return False
        try:
            digest = await self._service.digest(ref.key.df_id, ref.key.number, _no_rest)
            if digest != ref.checksum:
                self._suspect(ref.key.df_id, ref.key.number)
                return False
            # A node that was killed may find what was never synced.
            await self._service.make_durable(ref.key.df_id, ref.key.number)
        except FileNotFoundError:
            return False
        except OSError:
            self._suspect(ref.key.df_id, ref.key.number)
            return False
        return damaged == self._service.damaged and self._is_for_good(ref, question.epoch)

    def _is_for_good(self, ref: ChunkRef, epoch: int) -> bool:
        ring = self._ring()
        return ring.epoch == epoch and self.node in ring.proper(ref) and ref.key not in self._going

    async def confirmed(self, ref: ChunkRef, ring: Membership) -> bool:
        """Whether all nodes that are to hold a chunk do. Who cannot be asked does not."""
        question = ConfirmChunk(
            ring.epoch,
            TaskChunk(ref.key.df_id, ref.key.number, ref.rows, ref.bytes, ref.checksum),
            ref.slot,
            ref.slots,
        )
        said = await gathered([self._said(node, question) for node in ring.proper(ref)])
        return all(said)

    async def _said(self, node: str, question: ConfirmChunk) -> bool:
        try:
            limit_s = self._limits.chunk_s
            return (await ask(self._world.net, node, question, Number, limit_s)).value == 1
        except OperationalError:
            return False

    async def let_go(self, ref: ChunkRef, epoch: int) -> bool:
        """Delete a chunk that all who are to hold it have confirmed under `epoch`; whether it did.

        Raises OperationalError when the disk does not do it.
        """
        ring = self._ring()
        if ring.epoch != epoch or self.node in ring.proper(ref):
            return False
        if self._service.in_use(ref.key.df_id):
            return False
        self._going.add(ref.key)
        try:
            await self._service.remove(ref.key)
        except OperationalError:
            self._going.discard(ref.key)
            raise
        # Whoever is cancelled before this does not know whether it is gone, and keeps the mark.
        self._going.discard(ref.key)
        return True

    async def _holdings(self, df_ids: tuple[str, ...], first: int) -> HeldWrites:
        held: list[Held] = []
        room = self._limits.holdings_ranges
        for df_id in df_ids:
            manifest, numbers = await self._service.held(df_id)
            runs = ranges(
                [n for n in numbers if n >= first and ChunkKey(df_id, n) not in self._going]
            )
            first = 0
            if runs or manifest:
                held.append(Held(df_id, manifest, runs[:room]))
            if len(runs) > room:
                return HeldWrites(tuple(held), more=True)
            room -= len(runs)
        return HeldWrites(tuple(held))


def _ref(question: ConfirmChunk) -> ChunkRef:
    """The chunk that a question is about. Raises ProtocolError for a slot that cannot be."""
    if not 0 <= question.slot < question.slots:
        raise ProtocolError(f"slot {question.slot} of {question.slots} of a ring")
    chunk = question.chunk
    key = ChunkKey(chunk.df_id, chunk.number)
    ring = (question.slot, question.slots)
    return ChunkRef(key, chunk.rows, chunk.bytes, chunk.checksum, (), (), *ring)


async def _no_rest(size: int) -> None:
    """Whoever asks has bounded how much is asked of this node."""
