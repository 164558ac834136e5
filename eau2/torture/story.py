"""One seed's story: clients put, append, get and drop while nodes crash and wires are cut.

After peace has come, everything must be in order: each name's history is linearizable, a frame is
all there or not there, whichever node is asked, and each of its chunks is on every node that its
manifest tells; nothing is left on any disk that no frame lists; no operation took longer than its
deadlines add up to; every failure was an error of eau2 that names a node.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from typing import Any

import xxhash

from eau2.catalog import ColumnSchema, ColumnStatistics, Frame, FrameSchema
from eau2.errors import (
    DeadlineError,
    Error,
    NameExistsError,
    OutcomeUnknownError,
    PeerLostError,
    UnreachableError,
)
from eau2.kv.appending import Joint
from eau2.kv.copies import SealedChunk
from eau2.kv.inventory import CHUNKS, TEMPORARY, file_name
from eau2.kv.registers import entries
from eau2.kv.registry import Entry, State
from eau2.torture.chance import Chance
from eau2.torture.cluster import LIMITS, Cluster, Life, Parts
from eau2.torture.history import Operation, Result, Value, linearizable
from eau2.torture.life import CrashedError
from eau2.torture.loop import run
from eau2.types import Kind, SqlType

NAMES = ("a", "b/C")
Content = tuple[int, ...] | None
"""The tags of the writes that a frame is made of, in order; None: there is no frame."""
SCHEMA = FrameSchema((ColumnSchema("x", SqlType(Kind.BIGINT)),))
CLIENTS = 4
LONGEST_S = 90.0


@dataclass(frozen=True, slots=True)
class Style:
    """What clients do in a story.

    pace_s: the longest pause between operations; chunk_s: that before a chunk; faults_s: that
    between two faults. puts, appends and drops: their shares, the rest are gets. patience: how long
    a client waits that cancels what it asked for, in delays of the network; None: up to 2 s.
    """

    operations: int
    pace_s: float
    chunk_s: tuple[float, ...]
    chunks: tuple[int, ...]
    faults_s: tuple[float, ...]
    puts: float
    appends: float
    drops: float
    replaces: float
    patience: float | None = None


CALM = Style(4, 2.0, (0.01, 0.01, 3.0), (1, 2, 3, 5), (2.0, 5.0, 10.0), 0.45, 0.1, 0.15, 0.5)
BUSY = Style(4, 0.3, (0.01, 0.01, 3.0), (1, 2, 3, 5), (2.0, 5.0, 10.0), 0.55, 0.0, 0.3, 0.5)
CHURN = Style(6, 0.2, (0.01,), (1,), (5.0, 50.0), 0.5, 0.0, 0.4, 0.1, patience=30.0)
GROW = Style(6, 0.3, (0.01,), (1, 2), (5.0, 20.0), 0.25, 0.4, 0.2, 0.5)


@dataclass(slots=True)
class Outcome:
    """What a seed came to."""

    seed: int
    faults: list[str] = field(default_factory=list)
    digest: int = 0
    acknowledged: int = 0
    operations: int = 0
    virtual_s: float = 0.0
    events: list[str] | None = None


class Story:
    """The clients, the nemesis and the judge of one seed."""

    def __init__(self, seed: int, parts: Parts, keep_trace: bool = False) -> None:
        self.chance = Chance(seed, keep_trace)
        self.outcome = Outcome(seed)
        self._cluster = Cluster(self.chance, parts, voters=self.chance.choice((1, 3, 3)))
        self._history: dict[str, list[Operation]] = {name: [] for name in NAMES}
        self._written: dict[int, int] = {}
        self._loop = asyncio.get_running_loop()
        self._style = self.chance.choice((CALM, CALM, BUSY, CHURN, GROW))

    async def tell(self) -> Outcome:
        """Run the story to its end."""
        self._choose_faults()
        self._cluster.start_all()
        nemesis = asyncio.create_task(self._nemesis())
        clients = [asyncio.create_task(self._client()) for _ in range(CLIENTS)]
        for client in clients:
            await client
        nemesis.cancel()
        await self._make_peace()
        await self._judge()
        self.outcome.faults += self._cluster.network.unexpected
        self.outcome.digest = self.chance.digest
        self.outcome.virtual_s = self._loop.time()
        self.outcome.operations = sum(len(ops) for ops in self._history.values())
        self.outcome.events = self.chance.events
        return self.outcome

    def _choose_faults(self) -> None:
        network = self._cluster.network
        network.drop = self.chance.choice((0.0, 0.0, 0.02, 0.1))
        network.double = self.chance.choice((0.0, 0.1))
        network.delay_s = self.chance.choice((0.002, 0.02, 0.2))
        for platter in self._cluster.platters.values():
            platter.capacity = self.chance.choice((1 << 30, 1 << 30, 1000))
            platter.sync_error = self.chance.choice((0.0, 0.0, 0.01))

    async def _nemesis(self) -> None:
        names = self._cluster.ring.slots
        every_s = self.chance.choice(self._style.faults_s)
        crashes = self.chance.choice((0.1, 0.3, 0.5))
        while True:
            await asyncio.sleep(self.chance.random() * every_s)
            if self.chance.random() < 0.4:
                self._cluster.start_all()
                if self.chance.random() < 0.5:
                    self._cluster.network.cut.clear()
            elif self.chance.random() < crashes:
                self._cluster.crash(self.chance.choice(names))
                if self.chance.random() < 0.1:
                    for name in names:
                        self._cluster.crash(name)
            elif self.chance.random() < 0.4:
                name, seconds = self.chance.choice(names), self.chance.random() * 10
                self.chance.note("stop", name, seconds)
                self._cluster.lives[name].stop(seconds)
            else:
                self._cut(self.chance.choice(names), both=self.chance.random() < 0.5)

    def _cut(self, alone: str, both: bool) -> None:
        self.chance.note("cut", alone, both)
        for other in self._cluster.ring.slots:
            if other != alone and self.chance.random() < 0.8:
                self._cluster.network.cut.add((alone, other))
                if both:
                    self._cluster.network.cut.add((other, alone))

    async def _client(self) -> None:
        style = self._style
        for _ in range(style.operations):
            await asyncio.sleep(self.chance.random() * style.pace_s)
            life = await self._someone()
            name = NAMES[self.chance.random() < 0.2]
            lot = self.chance.random()
            if lot < style.puts:
                await self._put(life, name, replace=self.chance.random() < style.replaces)
            elif lot < style.puts + style.appends:
                await self._append(life, name)
            elif lot < style.puts + style.appends + style.drops:
                await self._drop(life, name)
            else:
                await self._get(life, name)

    async def _someone(self) -> Life:
        """A node that is up."""
        while True:
            up = [life for life in self._cluster.lives.values() if life.alive]
            if up:
                return self.chance.choice(up)
            await asyncio.sleep(self.chance.random())

    async def _put(self, life: Life, name: str, replace: bool) -> None:
        tag, count = self._new_tag()
        work = life.coordinator.put(name, SCHEMA, self._chunks(tag, count), replace=replace)
        await self._write(life, name, "replace" if replace else "put", (tag,), work)

    async def _append(self, life: Life, name: str) -> None:
        tag, count = self._new_tag()

        def chunks(place: Joint) -> AsyncIterator[SealedChunk]:
            assert not place.tail, "chunks of one row are full here"
            return self._chunks(tag, count)

        work = life.coordinator.append(name, SCHEMA, 1, 1, chunks)
        await self._write(life, name, "append", tag, work)

    def _new_tag(self) -> tuple[int, int]:
        """What the next write calls itself, and how many chunks it has."""
        tag = len(self._written) + 1
        self._written[tag] = self.chance.choice(self._style.chunks)
        return tag, self._written[tag]

    async def _write(
        self, life: Life, name: str, kind: str, value: Value, work: Coroutine[Any, Any, Frame]
    ) -> None:
        start = self._loop.time()
        result = Result.OK
        try:
            async with asyncio.timeout(self._patience_s()):
                await life.do(work)
            self.outcome.acknowledged += 1
        except NameExistsError:
            result = Result.EXISTS
        except (Error, CrashedError, TimeoutError) as error:
            result = self._judge_error(error)
        self._record(name, kind, value, result, start)

    async def _chunks(self, tag: int, count: int) -> AsyncIterator[SealedChunk]:
        """The chunks of a put; whoever makes them takes its time."""
        async for chunk in some_chunks(tag, count):
            await asyncio.sleep(self.chance.random() * self.chance.choice(self._style.chunk_s))
            yield chunk

    async def _drop(self, life: Life, name: str) -> None:
        start = self._loop.time()
        found: int | None = None
        result = Result.OK
        try:
            async with asyncio.timeout(self._patience_s()):
                found = int(await life.do(life.coordinator.drop(name)))
        except (Error, CrashedError, TimeoutError) as error:
            result = self._judge_error(error)
        self._record(name, "drop", found, result, start)

    async def _get(self, life: Life, name: str) -> None:
        start = self._loop.time()
        found: Content = None
        result = Result.OK
        try:
            found = await life.do(self._look(life, name))
        except (Error, CrashedError):
            result = Result.FAILED
        self._record(name, "get", found, result, start)

    async def _look(self, life: Life, name: str) -> Content:
        """The tags of the writes that a name holds, each of their chunks read."""
        frame = await life.coordinator.get(name)
        return None if frame is None else await self._read(life, frame)

    async def _read(self, life: Life, frame: Frame) -> tuple[int, ...]:
        found = []
        for ref in frame.chunks:
            tag, number, _ = (await life.coordinator.copies.chunk(ref)).split(b":")
            found.append((int(tag), int(number)))
        tags = tuple([tag for tag, number in found if number == 0])
        whole = [(tag, number) for tag in tags for number in range(self._written[tag])]
        assert found == whole, f"a frame in part: {found}"
        return tags

    def _patience_s(self) -> float | None:
        """After how long a client cancels what it asked for; most never do."""
        if self.chance.random() >= 0.2:
            return None
        patience = self._style.patience
        longest_s = 2.0 if patience is None else patience * self._cluster.network.delay_s
        return self.chance.random() * longest_s

    def _judge_error(self, error: Error | CrashedError | TimeoutError) -> Result:
        """Whether a failed operation may have taken effect; errors of nodes name them."""
        if isinstance(error, CrashedError | OutcomeUnknownError | TimeoutError):
            return Result.UNKNOWN
        named = any(node in str(error) for node in self._cluster.ring.slots)
        about_node = isinstance(error, DeadlineError | PeerLostError | UnreachableError)
        if about_node and not named:
            self.outcome.faults.append(f"an error that names no node: {error}")
        return Result.FAILED

    def _record(self, name: str, kind: str, value: Value, result: Result, start: float) -> None:
        end = self._loop.time()
        self.chance.note(kind, name, value, result.name)
        self._history[name].append(Operation(kind, value, result, start, end))
        if end - start > LONGEST_S:
            self.outcome.faults.append(f"a {kind} that took {end - start:.0f} s")

    async def _make_peace(self) -> None:
        network = self._cluster.network
        network.drop = network.double = 0.0
        network.delay_s = 0.002
        network.cut.clear()
        for platter in self._cluster.platters.values():
            platter.capacity, platter.sync_error = 1 << 30, 0.0
        self._cluster.start_all()
        # What a crash would have lost must not be hidden by a node that never crashed.
        for name in self._cluster.ring.slots:
            self._cluster.crash(name)
        self._cluster.start_all()
        # A reservation may come with a request that was doubled long ago.
        await asyncio.sleep(max(0.0, network.doubled_until_s - self._loop.time()))
        await asyncio.sleep(LIMITS.lease_s + 10 * LIMITS.sweep_every_s)

    async def _judge(self) -> None:
        for name in NAMES:
            for life in self._cluster.lives.values():
                start = self._loop.time()
                try:
                    found = await life.do(self._look(life, name))
                except (Error, AssertionError) as error:
                    self.outcome.faults.append(f"{name} cannot be read at {life.name}: {error}")
                    continue
                self._record(name, "get", found, Result.OK, start)
            if not linearizable(self._history[name]):
                self.outcome.faults.append(f"the history of {name} is not linearizable")
        await self._judge_disks()

    async def _judge_disks(self) -> None:
        wanted: set[str] = set()
        life = next(iter(self._cluster.lives.values()))
        async for entry in entries(life.world, life.registers, LIMITS):
            if entry.state is State.PENDING or entry.pending is not None:
                self.outcome.faults.append(f"a reservation is left: {entry}")
            if entry.state is State.LIVE:
                wanted.add(entry.df_id)
                wanted |= await self._judge_copies(life, entry)
        for name, platter in self._cluster.platters.items():
            for path in platter.seen:
                parts = path.split("/")
                garbage = len(parts) > 1 and parts[0] == CHUNKS and parts[1] not in wanted
                if garbage or path.endswith(TEMPORARY):
                    self.outcome.faults.append(f"left on {name}: {path}")

    async def _judge_copies(self, life: Life, entry: Entry) -> set[str]:
        """The writes that a frame lists. Nothing is repaired here, so all its copies must be there.

        One that is gone was deleted, or was told to be durable before it was.
        """
        try:
            frame = await life.do(life.coordinator.named(entry))
        except Error:
            # Who could not read it has said so.
            return set()
        assert isinstance(frame, Frame)
        for ref in frame.chunks:
            path = f"{CHUNKS}/{ref.key.df_id}/{file_name(ref.key.number)}"
            self.outcome.faults += [
                f"{path} of {entry.name} is not whole on {node}"
                for node in ref.locations
                if self._checksum(node, path) != ref.checksum
            ]
        return {ref.key.df_id for ref in frame.chunks}

    def _checksum(self, node: str, path: str) -> str | None:
        """Of a file on a node's disk, as programs see it; None where there is none."""
        inode = self._cluster.platters[node].seen.get(path)
        return None if inode is None else xxhash.xxh3_128_hexdigest(bytes(inode.data))


async def some_chunks(tag: int, count: int) -> AsyncIterator[SealedChunk]:
    """Chunks that say whose they are: the tag of their put, and their number."""
    for number in range(count):
        parts = (f"{tag}:{number}:".encode(), b"x" * (1 + 40 * (number % 2)))
        whole = b"".join(parts)
        checksum = xxhash.xxh3_128_hexdigest(whole)
        statistics = (ColumnStatistics(0, number, number),)
        yield SealedChunk(parts, 1, len(whole), checksum, statistics)


def play(seed: int, parts: Parts | None = None, keep_trace: bool = False) -> Outcome:
    """What a seed comes to. The same seed gives the same outcome and the same digest."""

    async def main() -> Outcome:
        return await Story(seed, parts or Parts(), keep_trace).tell()

    return run(main())
