"""Repair: each node gets what it is to hold, and lets go of what others are to hold.

Owns: what is missing on this node, in which order it is fetched and how fast; which copies here are
too many; when a silent node has left the ring, and when a leaving one has. Comes in: what names
mean, the ring, the node's own disk; goes out: files, deletions, and a report of each round. Does
not know: garbage (kv/sweep.py), why one may delete (kv/holding.py), damage inside files
(kv/scrub.py).

Manifests come first, then the chunks of which there are the fewest copies. A file is fetched from
whoever has it, compared with its checksum, and stored as durably as one that is put. When its frame
was dropped meanwhile it is garbage, and the sweep finds it: no register names its write.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from eau2.catalog import ChunkKey, ChunkRef
from eau2.config import CONTROL, ControlLimits
from eau2.errors import DiskFullError, Error, OperationalError
from eau2.kv.alarm import Alarm
from eau2.kv.copies import Copies
from eau2.kv.holding import Holding
from eau2.kv.inventory import Inventory
from eau2.kv.listing import Listing, Live
from eau2.kv.membership import Membership
from eau2.kv.registry import Entry
from eau2.kv.ringsteps import IN, LEAVING, LEFT, membership
from eau2.kv.service import Service
from eau2.kv.sources import Sources, sources
from eau2.net.message import ChunkId, GetChunk
from eau2.net.ring_message import Ring
from eau2.records import Record, Struct
from eau2.world import World

_log = logging.getLogger("eau2.repair")

_AT_ONCE = 1000
"""So many chunks are placed on the ring before others have their turn."""


class Repaired(Record, frozen=True):
    """What a round did. missing: files that were to be here and were not. fetched, bytes: of these.

    extra, extra_bytes: chunks that were here and are to be elsewhere; deleted: of these. On a node
    that leaves, what is left to do is what is extra and not deleted. failed: files that no node
    gave, or that could not be stored or deleted. unread: names whose manifest no node gives.
    damaged: files of a wrong size, which are in quarantine now. late: time was up before the end.
    """

    missing: int = 0
    fetched: int = 0
    bytes: int = 0
    extra: int = 0
    extra_bytes: int = 0
    deleted: int = 0
    deleted_bytes: int = 0
    failed: int = 0
    unread: int = 0
    damaged: int = 0
    late: bool = False

    @property
    def in_order(self) -> bool:
        """Whether there was nothing to do."""
        return not (self.missing or self.extra or self.failed or self.unread or self.damaged)


class _Round(Struct):
    """A round under way: the ring it is for, when it ends, and what became of it."""

    ring: Membership
    end: float
    missing: int = 0
    fetched: int = 0
    bytes: int = 0
    extra: int = 0
    extra_bytes: int = 0
    deleted: int = 0
    deleted_bytes: int = 0
    failed: int = 0
    unread: int = 0
    damaged: int = 0
    late: bool = False

    def report(self) -> Repaired:
        """What became of it."""
        return Repaired(
            *(self.missing, self.fetched, self.bytes, self.extra, self.extra_bytes, self.deleted),
            *(self.deleted_bytes, self.failed, self.unread, self.damaged, self.late),
        )


class Silence(Protocol):
    """Who is not heard; kv.liveness.Liveness is one."""

    def is_away(self, node: str) -> bool:
        """Whether others are to be asked before this node."""

    def silent_s(self, node: str) -> float:
        """Seconds since a node was heard last."""


class Repair:
    """Runs on every node, for what that node holds. `run` it, and `wake` it after a change."""

    def __init__(
        self,
        node: str,
        world: World,
        service: Service,
        holding: Holding,
        listing: Listing,
        copies: Copies,
        ring: Callable[[], Ring],
        silence: Silence,
        *,
        epoch: Callable[[], Awaitable[int]],
        lose: Callable[[str], Awaitable[object]],
        report: Callable[[Repaired], None] = lambda done: None,
        limits: ControlLimits = CONTROL,
    ) -> None:
        """ring: as it is known here, durably. epoch: see Coordinator.epoch. lose: changes the ring
        so that a node has left. report: is told of each round.
        """
        self.node = node
        self.last: Repaired | None = None
        self._world = world
        self._service = service
        self._holding = holding
        self._listing = listing
        self._copies = copies
        self._ring = ring
        self._silence = silence
        self._epoch = epoch
        self._lose = lose
        self._report = report
        self._limits = limits
        self._alarm = Alarm()
        self._quiet: tuple[int, int, int] | None = None
        self._looked = 0.0
        self._mine: dict[ChunkKey, bool] = {}
        self._mine_epoch = -1
        self._after = ("", -1)
        self._silent: dict[str, float] = {}

    def wake(self) -> None:
        """Look soon: a file was found damaged, or the ring changed."""
        self._quiet = None
        self._alarm.ring()

    async def run(self) -> None:
        """Repair again and again, until cancelled. A round that fails is tried again next time."""
        while True:
            late = False
            try:
                await self._lose_silent()
                late = await self._look()
            except Error as error:
                _log.info("node %s cannot look for missing copies: %s", self.node, error.message)
            chance = 0.5 + self._world.rng.random()
            pause_s = self._limits.retry_s if late else self._limits.repair_every_s
            await self._alarm.sleep(self._world.clock, pause_s * chance)

    async def _look(self) -> bool:
        """A round, unless nothing changed since one that had nothing to do; whether to go on."""
        now = self._world.clock.now()
        state = (await self._epoch(), self._ring().epoch, self._service.changes)
        if state == self._quiet and now < self._looked + self._limits.repair_look_s:
            return False
        self._looked = now
        # Whoever wakes it during the round means the next one.
        self._quiet = state
        done = await self.once()
        if not done.in_order:
            self._quiet = None
        return done.late

    async def once(self) -> Repaired:
        """One round. Raises OperationalError when the registers or the disk cannot be read."""
        now = self._world.clock.now()
        turn = _Round(membership(self._ring()), now + self._limits.repair_round_s)
        live = await self._listing.read()
        turn.unread = len(live.unread)
        here = await self._sound(turn, live, await self._service.inventory())
        await self._fetch_manifests(turn, live, here)
        missing, extra = await self._compared(turn.ring, live, here)
        await self._fetch_chunks(turn, missing)
        await self._let_go(turn, extra)
        done = turn.report()
        self.last = done
        if not done.in_order:
            _log.info(
                "node %s got %d of %d missing files (%d bytes), let go of %d of %d chunks that"
                " others are to hold, failed with %d",
                *(self.node, done.fetched, done.missing, done.bytes),
                *(done.deleted, done.extra, done.failed),
            )
        self._report(done)
        if self._state_of(self.node) == LEAVING and not (done.unread or done.failed):
            await self._leave(turn.ring, live)
        return done

    async def _sound(self, turn: _Round, live: Live, found: Inventory) -> Inventory:
        """What is here, without chunks of a wrong size, which go into quarantine."""
        wrong = [
            (key, size, live.chunks[key].bytes)
            for key, size in found.chunks.items()
            if key in live.chunks and size != live.chunks[key].bytes
        ]
        if not wrong:
            return found
        for key, size, written in wrong:
            why = f"it has {size} bytes, {written} were written"
            turn.damaged += await self._service.set_aside(key.df_id, key.number, why)
        gone = {key for key, *_ in wrong}
        chunks = {key: size for key, size in found.chunks.items() if key not in gone}
        return Inventory(chunks, found.manifests)

    async def _compared(
        self, ring: Membership, live: Live, here: Inventory
    ) -> tuple[list[ChunkRef], list[ChunkRef]]:
        """The chunks that are missing here, and those that others are to hold."""
        before = self._mine if self._mine_epoch == ring.epoch else {}
        mine: dict[ChunkKey, bool] = {}
        placed = 0
        for key, ref in live.chunks.items():
            known = before.get(key)
            if known is None:
                known = self.node in ring.proper(ref)
                placed += 1
                if placed % _AT_ONCE == 0:
                    await self._world.clock.sleep(0)
            mine[key] = known
        self._mine, self._mine_epoch = mine, ring.epoch
        missing = [live.chunks[key] for key in mine if mine[key] and key not in here.chunks]
        extra = [live.chunks[key] for key in here.chunks if mine.get(key) is False]
        return missing, extra

    async def _fetch_manifests(self, turn: _Round, live: Live, here: Inventory) -> None:
        missing = [
            entry
            for df_id, entry in live.manifests.items()
            if df_id not in here.manifests and self.node in turn.ring.manifest_holders(df_id)
        ]
        turn.missing += len(missing)
        for entry in missing:
            if self._is_late(turn):
                return

            async def fetch(entry: Entry = entry) -> bytes:
                return await self._copies.encoded_manifest(entry)

            await self._fetch(turn, entry.df_id, None, entry.manifest, fetch)

    async def _fetch_chunks(self, turn: _Round, missing: Sequence[ChunkRef]) -> None:
        """Fetch what is missing, that of which there are the fewest copies first."""
        turn.missing += len(missing)
        if not missing:
            return
        held = await self._holders(turn.ring, missing)
        order = sorted(
            missing,
            key=lambda ref: (len(held[ref.key]), ref.key.df_id, ref.key.number),
        )
        for ref in order:
            if self._is_late(turn):
                return
            if not held[ref.key]:
                turn.failed += 1
                what = (ref.key.number, ref.key.df_id)
                _log.error("chunk %d of %s is on no node that can be asked", *what)
                continue

            async def fetch(ref: ChunkRef = ref) -> bytes:
                nodes = [node for node in turn.ring.search(ref) if node in held[ref.key]]
                request = GetChunk(ChunkId(ref.key.df_id, ref.key.number))
                what = f"chunk {ref.key.number} of {ref.key.df_id}"
                return await self._copies.found(nodes, request, ref.checksum, what)

            await self._fetch(turn, ref.key.df_id, ref.key.number, ref.checksum, fetch)

    async def _holders(
        self, ring: Membership, missing: Sequence[ChunkRef]
    ) -> dict[ChunkKey, tuple[str, ...]]:
        """Who has the chunks; nodes that are away are asked only where no other has one."""
        others = [node for node in ring.slots if node != self.node]
        near = [node for node in others if not self._silence.is_away(node)]
        found = await self._sources(near, missing)
        held = {ref.key: found.of_chunk(ref.key) for ref in missing}
        alone = [ref for ref in missing if not held[ref.key]]
        far = [node for node in others if node not in near]
        if alone and far:
            found = await self._sources(far, alone)
            held |= {ref.key: found.of_chunk(ref.key) for ref in alone}
        return held

    async def _sources(self, nodes: Sequence[str], refs: Sequence[ChunkRef]) -> Sources:
        df_ids = tuple(dict.fromkeys(ref.key.df_id for ref in refs))
        return await sources(self._world, nodes, df_ids, self._limits)

    async def _fetch(
        self,
        turn: _Round,
        df_id: str,
        number: int | None,
        checksum: str,
        fetch: Callable[[], Awaitable[bytes]],
    ) -> None:
        """Fetch and store one file, not faster than is allowed."""
        start = self._world.clock.now()
        try:
            data = await fetch()
            await self._service.store(df_id, number, data, checksum)
        except DiskFullError as error:
            # It may have room for smaller ones, but a full disk is not to be filled further.
            turn.failed, turn.end = turn.failed + 1, start
            _log.error("node %s has no room for copies: %s", self.node, error.message)
            return
        except OperationalError as error:
            turn.failed += 1
            _log.warning("node %s cannot get a copy: %s", self.node, error.message)
            return
        turn.fetched += 1
        turn.bytes += len(data)
        await self._rest(start, len(data))

    async def _let_go(self, turn: _Round, extra: Sequence[ChunkRef]) -> None:
        """Delete the chunks that all who are to hold them do hold."""
        turn.extra, turn.extra_bytes = len(extra), sum(ref.bytes for ref in extra)
        # Where the last round ended others have not had their turn yet.
        order = sorted(
            extra, key=lambda ref: (_place(ref) <= self._after, ref.key.df_id, ref.key.number)
        )
        for ref in order:
            if self._is_late(turn):
                return
            self._after = _place(ref)
            holders = turn.ring.proper(ref)
            # Who is not heard would be waited for.
            if any(self._silence.is_away(node) for node in holders):
                continue
            if self._service.in_use(ref.key.df_id):
                continue
            start = self._world.clock.now()
            try:
                if await self._is_safe(ref, turn.ring):
                    gone = await self._holding.let_go(ref, turn.ring.epoch)
                    turn.deleted += gone
                    turn.deleted_bytes += gone * ref.bytes
            except OperationalError as error:
                turn.failed += 1
                _log.warning("node %s: %s", self.node, error.message)
            # Each of them has read the whole file.
            await self._rest(start, ref.bytes)

    async def _is_safe(self, ref: ChunkRef, ring: Membership) -> bool:
        return await self._holding.confirmed(ref, ring)

    async def _leave(self, ring: Membership, live: Live) -> None:
        """Say that this node, which is leaving, has left, if nothing of it is needed any more."""
        storing = self._service.storing
        here = await self._service.inventory()
        if storing or here.chunks:
            # Also those of a put under way: it may become visible.
            return
        df_ids = [df_id for df_id in here.manifests if df_id in live.manifests]
        others = [n for n in ring.slots if n != self.node and not self._silence.is_away(n)]
        found = await sources(self._world, others, df_ids, self._limits)
        if all(len(found.of_manifest(df_id)) >= ring.copies for df_id in df_ids):
            await self._lose(self.node)
            _log.info("node %s has handed over all it had, and has left", self.node)

    async def _lose_silent(self) -> None:
        """Let a node that has not been heard for long be out of the ring, so that others get what
        it had. Only while most of the nodes are heard: else it is this one that is cut off.

        A node that leaves is to hold nothing anyway, and says itself when it has left. Who was
        stopped for a while has heard nobody meanwhile: it looks twice.
        """
        now = self._world.clock.now()
        there = [member for member in self._ring().members if member.state != LEFT]
        silent = [
            member.name
            for member in there
            if member.name != self.node
            and self._silence.silent_s(member.name) > self._limits.lost_s
        ]
        self._silent = {name: self._silent.get(name, now) for name in silent}
        lost = [
            member.name
            for member in there
            if member.state == IN
            and now - self._silent.get(member.name, now) > self._limits.suspect_s
        ]
        stay = sum(member.state == IN and member.name not in silent for member in there)
        if not lost or 2 * len(silent) > len(there) or stay < 2:
            return
        _log.warning(
            "node %s was not heard for %.0f s: others get its chunks",
            *(lost[0], self._silence.silent_s(lost[0])),
        )
        await self._lose(lost[0])

    def _state_of(self, node: str) -> str:
        return next((m.state for m in self._ring().members if m.name == node), LEFT)

    def _is_late(self, turn: _Round) -> bool:
        turn.late = turn.late or self._world.clock.now() >= turn.end
        return turn.late

    async def _rest(self, start: float, size: int) -> None:
        """Wait so long that the bytes handled since `start` are no more than is allowed."""
        spent = self._world.clock.now() - start
        pause = size / self._limits.repair_bytes_per_s - spent
        if pause > 0:
            await self._world.clock.sleep(pause)


def _place(ref: ChunkRef) -> tuple[str, int]:
    return ref.key.df_id, ref.key.number
