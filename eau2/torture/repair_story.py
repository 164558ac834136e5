"""One seed's story of copies: nodes crash, lose disks and bits, come and go; then peace.

Names are put, appended to, replaced and dropped meanwhile, each by one client. At most as many
disks are harmed as the copies bear, until all is repaired. After peace every frame that was
acknowledged can be read whole at every node; every chunk is on the nodes that the ring gives it to
and on no other; there is no garbage; whoever was to leave has left.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

import xxhash

from eau2.catalog import ColumnSchema, ColumnStatistics, FrameSchema
from eau2.errors import Error, OutcomeUnknownError
from eau2.kv.appending import Joint
from eau2.kv.copies import SealedChunk
from eau2.kv.inventory import CHUNKS
from eau2.kv.quarantine import QUARANTINE
from eau2.kv.ringsteps import IN, LEAVING, LEFT, leave, membership
from eau2.torture.chance import Chance
from eau2.torture.life import CrashedError
from eau2.torture.loop import run
from eau2.torture.repair_cluster import (
    LIMITS,
    Life,
    Parts,
    RingCluster,
    chunk_path,
)
from eau2.types import Kind, SqlType

NAMES = ("a", "b", "c")
SCHEMA = FrameSchema((ColumnSchema("x", SqlType(Kind.BIGINT)),))
LONGEST_PEACE_S = 240.0

Content = tuple[tuple[int, int], ...] | None
"""The chunks of a frame as (tag of the write, number); None: there is no frame."""


@dataclass(slots=True)
class Outcome:
    """What a seed came to."""

    seed: int
    faults: list[str] = field(default_factory=list)
    digest: int = 0
    acknowledged: int = 0
    fetched: int = 0
    deleted: int = 0
    harms: int = 0
    damage_found: int = 0
    left: int = 0
    peace_s: float = 0.0
    virtual_s: float = 0.0
    events: list[str] | None = None


class Story:
    """The clients, the nemesis and the judge of one seed."""

    def __init__(self, seed: int, parts: Parts, keep_trace: bool = False) -> None:
        self.chance = Chance(seed, keep_trace)
        self.outcome = Outcome(seed)
        size, voters = self.chance.choice(((5, 3), (5, 3), (3, 1)))
        self.cluster = RingCluster(self.chance, parts, size, voters)
        self._size = size
        self._loop = asyncio.get_running_loop()
        self._tags = 0
        self._maybe: dict[str, set[Content]] = {name: {None} for name in NAMES}
        self._harmed: list[str] = []
        self._least_copies = membership(self.cluster.ring).copies

    async def tell(self) -> Outcome:
        """Run the story to its end."""
        network = self.cluster.network
        network.drop = self.chance.choice((0.0, 0.0, 0.02))
        network.double = self.chance.choice((0.0, 0.1))
        network.delay_s = self.chance.choice((0.002, 0.02, 0.1))
        self.cluster.late_s = self.chance.choice((0.1, 3.0, 8.0))
        nemesis = asyncio.create_task(self._nemesis())
        strike = asyncio.create_task(self._strike())
        watch = asyncio.create_task(self._watch())
        await asyncio.gather(*[self._client(name) for name in NAMES])
        for task in (nemesis, strike):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._make_peace()
        watch.cancel()
        await self._judge()
        return self._sum()

    def _sum(self) -> Outcome:
        outcome, cluster = self.outcome, self.cluster
        outcome.faults += cluster.network.unexpected
        outcome.digest = self.chance.digest
        outcome.virtual_s = self._loop.time()
        outcome.fetched = sum(done.fetched for done in cluster.reports)
        outcome.deleted = sum(done.deleted for done in cluster.reports)
        outcome.damage_found = cluster.damage_found
        outcome.events = self.chance.events
        return outcome

    async def _nemesis(self) -> None:
        every_s = self.chance.choice((1.0, 3.0, 6.0))
        restless = self.chance.random() < 0.25
        while True:
            await asyncio.sleep(self.chance.random() * every_s)
            lot = self.chance.random()
            if restless and self.chance.random() < 0.6:
                self._come_and_go([life.name for life in self.cluster.lives.values() if life.alive])
                continue
            up = [life.name for life in self.cluster.lives.values() if life.alive]
            if not up or lot < 0.25:
                self.cluster.start_all()
                self.cluster.network.cut.clear()
                # Now and then there is time to repair.
                await asyncio.sleep(8.0 if lot < 0.08 else 0.0)
            elif lot < 0.40:
                self._crash(up)
            elif lot < 0.48:
                seconds = self.chance.random() * 8
                name = self.chance.choice(up)
                self.chance.note("stop", name, seconds)
                self.cluster.lives[name].stop(seconds)
            elif lot < 0.58:
                self._cut(self.chance.choice(up), both=self.chance.random() < 0.5)
            elif lot < 0.68:
                self._wipe(up)
            elif lot < 0.80:
                self._flip(up)
                if self.chance.random() < 0.3:
                    await self._read_all(self.chance.choice(up))
            else:
                self._come_and_go(up)

    def _crash(self, up: list[str]) -> None:
        some = up if self.chance.random() < 0.2 else [self.chance.choice(up)]
        for name in some:
            self.cluster.crash(name)
        if self.chance.random() < 0.5:
            self.cluster.start_all()

    def _cut(self, alone: str, both: bool) -> None:
        self.chance.note("cut", alone, both)
        for other in self.cluster.platters:
            if other != alone and self.chance.random() < 0.8:
                self.cluster.network.cut.add((alone, other))
                if both:
                    self.cluster.network.cut.add((other, alone))

    def _take_stock(self) -> None:
        """When all is repaired, and every node knows so, no disk counts as harmed any more."""
        cluster = self.cluster
        self._least_copies = min(self._least_copies, membership(cluster.ring).copies)
        known = {cluster.known[name].epoch for name in cluster.platters}
        if known == {cluster.ring.epoch} and not cluster.copies_missing():
            self._harmed.clear()
            self._least_copies = membership(cluster.ring).copies

    def _may_harm(self, node: str) -> bool:
        """Whether the copies bear that a disk of a node is harmed; then it counts as harmed."""
        self._take_stock()
        if node not in self._harmed:
            if len(self._harmed) + 1 >= self._least_copies:
                return False
            self._harmed.append(node)
        self.outcome.harms += 1
        return True

    def _wipe(self, up: list[str]) -> None:
        """A node loses its disk: it is off, and another one comes in its place."""
        data = [name for name in up if name not in self.cluster.ring.voters]
        there = [member.name for member in self.cluster.ring.members if member.state != LEFT]
        if 2 * sum(name in self.cluster.off for name in there) + 2 >= len(there):
            # Where most are silent nobody is taken for lost.
            return
        if len(self.cluster.ring.members) >= LIMITS.ring_nodes or not data:
            return
        name = self.chance.choice(data)
        if self._may_harm(name):
            self.cluster.turn_off(name)
            self.cluster.join()

    def _flip(self, up: list[str]) -> None:
        name = self.chance.choice(up)
        files = [
            (path, 8 * len(inode.data))
            for path, inode in self.cluster.platters[name].seen.items()
            if inode is not None and inode.data and path.startswith(f"{CHUNKS}/")
        ]
        if files and self._may_harm(name):
            path, bits = self.chance.choice(files)
            at = int(self.chance.random() * bits)
            self.chance.note("flip", name, path, at)
            self.cluster.flip(name, path, at)

    async def _read_all(self, node: str) -> None:
        """Read what names mean at one node, before anybody else has found what was harmed.

        Each name is being written to meanwhile; only damage counts.
        """
        for name in NAMES:
            life = self.cluster.lives[node]
            if life.alive:
                with suppress(Error, CrashedError):
                    await life.do(self._look(life, name))

    async def _strike(self) -> None:
        """Harm all copies of a chunk at once, whenever there are so few that this is allowed.

        Where nothing is deleted or acknowledged too early, it never is.
        """
        while True:
            await asyncio.sleep(0.25)
            self._take_stock()
            for _, frame in self.cluster.live():
                for ref in frame.chunks:
                    nodes = [n for n in self.cluster.platters if self.cluster.has_whole(n, ref)]
                    if len(nodes) > 0 and len({*nodes, *self._harmed}) < self._least_copies:
                        self.chance.note("strike", ref.key, nodes)
                        self._harmed = sorted({*nodes, *self._harmed})
                        for node in nodes:
                            self.cluster.flip(node, chunk_path(ref), 0)

    def _come_and_go(self, up: list[str]) -> None:
        ring = membership(self.cluster.ring)
        data = [name for name in up if name not in ring.voters and name in ring.staying]
        living = [name for name in ring.staying if name not in self.cluster.off]
        leaving = [m.name for m in self.cluster.ring.members if m.state == LEAVING]
        if leaving and self.chance.random() < 0.4:
            name = self.chance.choice(leaving)
            self.cluster.drained.remove(name)
            self.cluster.change(leave(name, IN))
        elif self.chance.random() < 0.5 and data and len(living) >= self._size:
            name = self.chance.choice(data)
            self.cluster.drained.append(name)
            self.cluster.change(leave(name, LEAVING))
        elif len(ring.slots) < LIMITS.ring_nodes - 2 and len(ring.staying) < self._size + 2:
            self.cluster.join()

    async def _watch(self) -> None:
        """Turn off who has left, and keep account of how many copies there are at least."""
        while True:
            await asyncio.sleep(0.2)
            ring = membership(self.cluster.ring)
            self._least_copies = min(self._least_copies, ring.copies)
            for member in self.cluster.ring.members:
                done = member.name in self.cluster.drained and member.state == LEFT
                if done and member.name not in self.cluster.off:
                    self.outcome.left += 1
                    self.cluster.turn_off(member.name)

    async def _client(self, name: str) -> None:
        for _ in range(6):
            await asyncio.sleep(self.chance.random() * 12)
            up = [life for life in self.cluster.lives.values() if life.alive]
            if not up:
                continue
            life, lot = self.chance.choice(up), self.chance.random()
            if lot < 0.4:
                await self._put(life, name)
            elif lot < 0.7:
                await self._append(life, name)
            elif lot < 0.8:
                await self._drop(life, name)
            else:
                await self._get(life, name)

    async def _put(self, life: Life, name: str) -> None:
        count = self.chance.choice((1, 3, 6))
        tag = self._tag()
        work = life.coordinator.put(name, SCHEMA, chunks_of(tag, count), replace=True)
        new = tuple((tag, number) for number in range(count))
        result = await self._done(life.do(work))
        self._expect(name, result, {new})

    async def _append(self, life: Life, name: str) -> None:
        tag = self._tag()

        def chunks(place: Joint) -> AsyncIterator[SealedChunk]:
            assert not place.tail, "chunks of one row are full here"
            return chunks_of(tag, 1)

        work = life.coordinator.append(name, SCHEMA, 1, 1, chunks)
        new: set[Content] = {(*old, (tag, 0)) for old in self._maybe[name] if old is not None}
        self._expect(name, await self._done(life.do(work)), new)

    async def _drop(self, life: Life, name: str) -> None:
        self._expect(name, await self._done(life.do(life.coordinator.drop(name))), {None})

    async def _done(self, work: object) -> bool | None:
        """Whether some work was done; None when that cannot be told."""
        try:
            await work  # type: ignore[misc]
        except (OutcomeUnknownError, CrashedError):
            return None
        except Error:
            return False
        self.outcome.acknowledged += 1
        return True

    def _expect(self, name: str, result: bool | None, new: set[Content]) -> None:
        self.chance.note("did", name, result)
        if result is True:
            self._maybe[name] = new
        elif result is None:
            self._maybe[name] = self._maybe[name] | new

    def _tag(self) -> int:
        self._tags += 1
        return self._tags

    async def _get(self, life: Life, name: str) -> None:
        try:
            found = await life.do(self._look(life, name))
        except (Error, CrashedError):
            return
        self._compare(life, name, found)

    def _compare(self, life: Life, name: str, found: Content) -> None:
        if found not in self._maybe[name]:
            self.outcome.faults.append(f"{name} at {life.name} is {found}")

    async def _look(self, life: Life, name: str) -> Content:
        """What a name holds, each chunk read."""
        frame = await life.coordinator.get(name)
        if frame is None:
            return None
        found = []
        for ref in frame.chunks:
            data = await life.coordinator.copies.chunk(ref)
            try:
                tag, number, _ = data.split(b":")
                place = (int(tag), int(number))
            except ValueError:
                place = (-1, -1)
            if data != b"".join(_parts(*place)):
                self.outcome.faults.append(f"a damaged chunk of {name} was read: {data!r}")
            found.append(place)
        return tuple(found)

    async def _make_peace(self) -> None:
        cluster = self.cluster
        cluster.network.drop = cluster.network.double = 0.0
        cluster.network.delay_s = 0.002
        cluster.network.cut.clear()
        cluster.start_all()
        await self._settle()
        # What a crash would have lost must not be hidden by a node that never crashed.
        for name in list(cluster.platters):
            cluster.crash(name)
        cluster.start_all()
        await self._settle()

    async def _settle(self) -> None:
        """Wait until all is in order, but not for ever."""
        start = self._loop.time()
        await asyncio.sleep(3 * LIMITS.sweep_every_s)
        while self._disorder() and self._loop.time() < start + LONGEST_PEACE_S:
            await asyncio.sleep(1.0)
        self.outcome.peace_s = max(self.outcome.peace_s, self._loop.time() - start)

    def _disorder(self) -> list[str]:
        states = {member.name: member.state for member in self.cluster.ring.members}
        faults = [
            f"{name} is {state}"
            for name, state in states.items()
            if (state == IN) == (name in self.cluster.off)
        ]
        return faults + self.cluster.faults()

    async def _judge(self) -> None:
        self.outcome.faults += self._disorder()
        for name in NAMES:
            seen: list[Content] = []
            for node in self.cluster.platters:
                life = self.cluster.lives[node]
                try:
                    found = await life.do(self._look(life, name))
                except (Error, CrashedError) as error:
                    self.outcome.faults.append(f"{name} cannot be read at {node}: {error}")
                    continue
                self._compare(life, name, found)
                seen.append(found)
            if len(set(seen)) > 1:
                self.outcome.faults.append(f"{name} is {seen}")
        for node, platter in self.cluster.platters.items():
            kept = [path for path in platter.seen if path.startswith(f"{QUARANTINE}/")]
            if len(kept) > LIMITS.quarantine_files:
                self.outcome.faults.append(f"in quarantine on {node}: {kept}")


def _parts(tag: int, number: int) -> tuple[bytes, bytes]:
    """A chunk that says whose it is."""
    return f"{tag}:{number}:".encode(), b"x" * (1 + 40 * (number % 2))


async def chunks_of(tag: int, count: int) -> AsyncIterator[SealedChunk]:
    """Chunks of one row each."""
    for number in range(count):
        parts = _parts(tag, number)
        whole = b"".join(parts)
        checksum = xxhash.xxh3_128_hexdigest(whole)
        yield SealedChunk(parts, 1, len(whole), checksum, (ColumnStatistics(0, number, number),))


def play(seed: int, parts: Parts | None = None, keep_trace: bool = False) -> Outcome:
    """What a seed comes to. The same seed gives the same outcome and the same digest."""

    async def main() -> Outcome:
        return await Story(seed, parts or Parts(), keep_trace).tell()

    return run(main())
