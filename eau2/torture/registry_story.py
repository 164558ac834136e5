"""One seed's story of the registers alone: names change while voters crash and wires are cut.

Quicker than eau2.torture.story, so that many more seeds can be told. After peace has come, the
history of each name must be linearizable, reads that trust the epoch and lists of all names among
it; what is visible must be there; no operation may have taken longer than its deadlines add up to;
and every failure must be an error of eau2. `python -m eau2.torture.registry_story FIRST COUNT`
runs seeds, `... SEED trace` prints one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from eau2.config import ControlLimits
from eau2.errors import (
    DeadlineError,
    Error,
    NameExistsError,
    NoQuorumError,
    OutcomeUnknownError,
    ProtocolError,
    StoreBusyError,
)
from eau2.kv.acceptor import Acceptor
from eau2.kv.quorum import Quorum
from eau2.kv.registers import QuorumRegistry
from eau2.net.message import Message
from eau2.torture.chance import Chance
from eau2.torture.disk import Platter, SimDisk
from eau2.torture.history import Operation, Result, Value, linearizable
from eau2.torture.life import Being, CrashedError, SimClock
from eau2.torture.loop import run
from eau2.torture.post import Post, PostNet
from eau2.torture.registers import Medium, SimRegisterStore, SimRun
from eau2.torture.writer import Content, LostError, Writer
from eau2.world import World

T = TypeVar("T")

LIMITS = ControlLimits(
    register_s=1.0,
    change_s=1.5,
    publish_s=1.5,
    grace_s=0.02,
    registers_page=1,
)
BARE = "\0bare"
"""The key of a register that is no name's."""
LONGEST_S = 30.0
FAULTS = 30


@dataclass(frozen=True, slots=True)
class Parts:
    """The classes a story is made of."""

    quorum: type[Quorum] = Quorum
    acceptor: type[Acceptor] = Acceptor
    run: type[SimRun] = SimRun
    medium: type[Medium] = Medium
    writer: type[Writer] = Writer


@dataclass(frozen=True, slots=True)
class Style:
    """What a story is like; each of the numbers is drawn anew for each seed.

    pace_s: the longest pause between operations; upload_s: that between reserving and publishing;
    faults_s: that between two faults; lasts_s: how long one may last. delay_s: of a message, in the
    mean. spared: whether nodes that are no voters never fail.
    """

    pace_s: tuple[float, ...]
    upload_s: tuple[float, ...]
    faults_s: tuple[float, ...]
    lasts_s: tuple[float, ...]
    delay_s: tuple[float, ...]
    spared: bool


WILD = Style(
    (0.05, 0.3, 1.0), (0.01, 0.1, 1.0), (0.5, 1.5, 5.0), (0.2, 1.0, 4.0), (0.002, 0.02, 0.1), False
)
"""Anything may fail, for any time."""
BLINK = Style((0.02, 0.1), (0.01, 0.1), (0.15, 0.4), (0.0, 0.05, 0.2), (0.003, 0.01, 0.03), True)
"""Voters fail often, and not for long, while writers meet on one name."""


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


class Node(Being):
    """One life of a node: a voter or not, and a writer."""

    def __init__(self, story: RegistryStory, name: str) -> None:
        super().__init__(name)
        chance, parts = story.chance, story.parts
        clock = SimClock(self, 1000.0 * chance.random())
        net = PostNet(story.post, self)
        self.world = World(clock, chance, chance, net, SimDisk(story.platter, self))
        self.acceptor: Acceptor | None = None
        medium = story.media.get(name)
        if medium is not None and medium.may_vote():
            run_ = parts.run(medium, self, chance)
            self.acceptor = parts.acceptor(name, SimRegisterStore(medium), run_, LIMITS)
        quorum = parts.quorum(name, self.world, story.voters, self.acceptor, LIMITS)
        self.quorum = quorum
        registers = QuorumRegistry(quorum)
        self.writer = parts.writer(self.world, registers, story.contents, story.upload_s, LIMITS)

    async def answer(self, message: Message) -> Message:
        await self.thaw()
        if self.acceptor is None:
            raise ProtocolError(f"node {self.name} is no voter")
        return await self.acceptor.answer(message)


class RegistryStory:
    """The clients, the nemesis and the judge of one seed."""

    def __init__(self, seed: int, parts: Parts, keep_trace: bool = False) -> None:
        self.chance = chance = Chance(seed, keep_trace)
        self.parts = parts
        self.outcome = Outcome(seed)
        self.contents: dict[str, Content] = {}
        self.platter = Platter(chance.source)
        self._loop = asyncio.get_running_loop()
        self.post = Post(chance, self._loop)
        self.voters = tuple(f"n{number}" for number in range(chance.choice((3, 3, 3, 5))))
        self.media = {name: parts.medium() for name in self.voters}
        self._names = chance.choice((("a",), ("a",), ("a", "b")))
        self._style = style = chance.choice((WILD, BLINK))
        self.upload_s = chance.choice(style.upload_s)
        self._pace_s = chance.choice(style.pace_s)
        self._faults_s = chance.choice(style.faults_s)
        self._all = (*self.voters, "c0", "c1")
        self._failing = self.voters if style.spared else self._all
        self._swaps = chance.choice((0.0, 0.2, 0.9))
        self._nodes: dict[str, Node] = {}
        self._history: dict[str, list[Operation]] = {name: [] for name in (*self._names, BARE)}
        self._tags = 0
        self._wiped = 0

    async def tell(self) -> Outcome:
        """Run the story to its end."""
        post, chance = self.post, self.chance
        post.drop = chance.choice((0.0, 0.0, 0.02, 0.1))
        post.double = chance.choice((0.0, 0.1))
        post.late = chance.choice((0.0, 0.05, 0.2))
        post.delay_s = chance.choice(self._style.delay_s)
        for name in self._all:
            self._start(name)
        nemesis = asyncio.create_task(self._nemesis())
        sweeping = asyncio.create_task(self._sweep())
        clients = [asyncio.create_task(self._client()) for _ in range(3)]
        for client in clients:
            await client
        nemesis.cancel()
        sweeping.cancel()
        await self._make_peace()
        await self._judge()
        self.outcome.faults += post.unexpected
        self.outcome.digest = chance.digest
        self.outcome.virtual_s = self._loop.time()
        self.outcome.operations = sum(len(ops) for ops in self._history.values())
        self.outcome.events = chance.events
        return self.outcome

    def _start(self, name: str) -> None:
        if name not in self._nodes or not self._nodes[name].alive:
            self.chance.note("start", name)
            self._nodes[name] = self.post.nodes[name] = Node(self, name)

    def _crash(self, name: str, lasts_s: float = 0.0) -> None:
        """Cut a node's power. It starts again after a while, or at once when peace is made."""
        if self._nodes[name].alive:
            self.chance.note("crash", name)
            self._nodes[name].crash()
            if name in self.media:
                self.media[name].crash(self.chance.source)
            self._loop.call_later(lasts_s, self._start, name)

    async def _nemesis(self) -> None:
        """One fault after the other; each is over after a while, on its own."""
        chance = self.chance
        for _ in range(FAULTS):
            await asyncio.sleep(chance.random() * self._faults_s)
            lasts_s = chance.random() * chance.choice(self._style.lasts_s)
            lot = chance.random()
            if lot < 0.25:
                self._crash(chance.choice(self._failing), lasts_s)
            elif lot < 0.3:
                for name in self._failing:
                    self._crash(name, lasts_s * chance.random())
            elif lot < 0.35:
                self._wipe(chance.choice(self.voters), lasts_s)
            elif lot < 0.6:
                name = chance.choice(self._failing)
                chance.note("stop", name, lasts_s)
                self._nodes[name].stop(lasts_s)
            else:
                self._cut(chance.choice(self._failing), lasts_s, both=chance.random() < 0.5)

    def _wipe(self, name: str, lasts_s: float) -> None:
        """A voter's disk is replaced by an empty one; of so few that a majority is left."""
        if self._wiped < (len(self.voters) - 1) // 2 and self._nodes[name].alive:
            self._wiped += 1
            self._crash(name, lasts_s)
            self.chance.note("wipe", name)
            self.media[name].wipe()

    def _cut(self, alone: str, lasts_s: float, both: bool) -> None:
        self.chance.note("cut", alone, both)
        for other in self._all:
            if other != alone and self.chance.random() < 0.8:
                pairs = ((alone, other), (other, alone)) if both else ((alone, other),)
                self.post.cut.update(pairs)
                self._loop.call_later(lasts_s, self.post.cut.difference_update, pairs)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self.chance.random() * 4 * self._faults_s)
            node = self._nodes[self.chance.choice(self._all)]
            try:
                await node.do(node.writer.sweep())
            except (Error, CrashedError):
                continue

    async def _client(self) -> None:
        chance = self.chance
        for _ in range(3):
            await asyncio.sleep(chance.random() * self._pace_s)
            node = await self._someone()
            name = chance.choice(self._names)
            if chance.random() < self._swaps:
                await self._swap(node)
                continue
            lot = chance.random()
            if lot < 0.35:
                await self._put(node, name, replace=chance.random() < 0.5)
            elif lot < 0.5:
                await self._append(node, name)
            elif lot < 0.6:
                await self._drop(node, name)
            elif lot < 0.7:
                await self._get(node, name, node.writer.get(name))
            elif lot < 0.95:
                # Of no use but where the same node has looked before.
                node = self._nodes["c0"] if self._nodes["c0"].alive else node
                await self._get(node, name, node.writer.get_known(name))
            else:
                await self._list(node)

    async def _someone(self) -> Node:
        """A node that is up."""
        while True:
            up = [node for node in self._nodes.values() if node.alive]
            if self._style.spared and self.chance.random() < 0.7:
                up = [node for node in up if node.name not in self.voters]
            if up:
                return self.chance.choice(up)
            await asyncio.sleep(self.chance.random())

    async def _put(self, node: Node, name: str, replace: bool) -> None:
        tag, op = self._tag()

        async def put(writer: Writer) -> bool:
            return await writer.put(name, tag, replace, op)

        await self._write(node, name, "replace" if replace else "put", tag, put)

    async def _append(self, node: Node, name: str) -> None:
        tag, op = self._tag()

        async def append(writer: Writer) -> bool:
            return await writer.append(name, tag, op)

        await self._write(node, name, "append", tag, append)

    def _tag(self) -> tuple[int, str]:
        self._tags += 1
        return self._tags, f"op{self._tags}"

    async def _write(
        self,
        node: Node,
        name: str,
        kind: str,
        tag: int,
        write: Callable[[Writer], Coroutine[Any, Any, bool]],
    ) -> None:
        """Ask for a put or an append; now and then once more, elsewhere, if its end is unknown."""
        start = self._loop.time()
        result, _ = await self._attempt(node.do(write(node.writer)))
        number = self._record(name, kind, tag, result, start)
        if result is Result.UNKNOWN and self.chance.random() < 0.5:
            await asyncio.sleep(self.chance.random() * self.chance.choice((0.1, 3.0)))
            node = await self._someone()
            again = self._loop.time()
            result, written = await self._attempt(node.do(write(node.writer)))
            if result is Result.OK and not written:
                # It was the first attempt that did it.
                self._history[name][number] = Operation(kind, tag, result, start, self._loop.time())
            else:
                self._record(name, kind, tag, result, again)

    async def _attempt(self, work: Coroutine[Any, Any, T]) -> tuple[Result, T | None]:
        """Do some work, whose client may lose patience; how it ended, and what it gave."""
        patience_s = self.chance.random() * 2 if self.chance.random() < 0.2 else None
        try:
            async with asyncio.timeout(patience_s):
                return Result.OK, await work
        except NameExistsError:
            return Result.EXISTS, None
        except (CrashedError, OutcomeUnknownError, TimeoutError):
            return Result.UNKNOWN, None
        except LostError as error:
            self.outcome.faults.append(str(error))
        except Error:
            pass
        return Result.FAILED, None

    async def _drop(self, node: Node, name: str) -> None:
        start = self._loop.time()
        result, found = await self._attempt(node.do(node.writer.drop(name)))
        self._record(name, "drop", found, result, start)

    async def _get(self, node: Node, name: str, look: Coroutine[Any, Any, Content | None]) -> None:
        start = self._loop.time()
        result, found = await self._attempt(node.do(look))
        self._record(name, "get", found, result, start)

    async def _list(self, node: Node) -> None:
        start = self._loop.time()
        result, found = await self._attempt(node.do(node.writer.list()))
        for name in self._names:
            value = None if found is None else found.get(name)
            self._record(name, "get", value, result, start)

    async def _swap(self, node: Node) -> None:
        """Read a register of the cluster itself, and swap in what nobody else does."""
        start = self._loop.time()
        result, found = await self._attempt(node.do(node.quorum.read(BARE)))
        self._record(BARE, "get", found or None, result, start)
        if found is None:
            return
        await asyncio.sleep(self.chance.random() * self._pace_s)
        tag, _ = self._tag()
        value = b"%d" % tag
        start = self._loop.time()
        done: bool | None = None
        try:
            done = await node.do(node.quorum.cas(BARE, found, value))
            result = Result.OK
        except (CrashedError, DeadlineError):
            result = Result.UNKNOWN
        except (NoQuorumError, StoreBusyError):
            result = Result.FAILED
        self._record(BARE, "swap", (found or None, value, done), result, start)

    def _record(self, name: str, kind: str, value: Value, result: Result, start: float) -> int:
        end = self._loop.time()
        self.chance.note(kind, name, value, result.name)
        self.outcome.acknowledged += kind != "get" and result is Result.OK
        self._history[name].append(Operation(kind, value, result, start, end))
        if end - start > LONGEST_S:
            self.outcome.faults.append(f"a {kind} that took {end - start:.0f} s")
        return len(self._history[name]) - 1

    async def _make_peace(self) -> None:
        self.post.drop = self.post.double = self.post.late = 0.0
        self.post.delay_s = 0.002
        self.post.cut.clear()
        # What a crash would have lost must not be hidden by a node that never crashed.
        for name in self._all:
            self._crash(name)
        for name in self._all:
            self._start(name)

    async def _judge(self) -> None:
        for node in (self._nodes["c0"], self._nodes[self.chance.choice(self.voters)]):
            for name in self._names:
                start = self._loop.time()
                try:
                    found = await node.do(node.writer.get(name))
                except (Error, LostError) as error:
                    self.outcome.faults.append(f"{name} cannot be read at {node.name}: {error}")
                    continue
                self._record(name, "get", found, Result.OK, start)
            start = self._loop.time()
            bare = await node.do(node.quorum.read(BARE))
            self._record(BARE, "get", bare or None, Result.OK, start)
        for name in self._history:
            if not linearizable(self._history[name], _apply):
                self.outcome.faults.append(f"the history of {name} is not linearizable")


def _apply(op: Operation, state: Value) -> tuple[Value, ...]:
    match op.kind:
        case "put" | "replace" if op.result is Result.EXISTS:
            return () if state is None else (state,)
        case "put":
            return ((op.value,),) if state is None else ()
        case "replace":
            return ((op.value,),)
        case "append":
            return () if state is None else ((*state, op.value),)
        case "swap":
            before, after, done = op.value
            if done is False:
                return () if state == before else (state,)
            return (after,) if state == before else ()
        case "drop" if op.result is Result.UNKNOWN:
            # What it was to take away was not told.
            return (None,)
        case "drop":
            # What it found may be gone, or replaced, by the time it takes it away.
            return (None,) if state == op.value else (state,) if op.value is not None else ()
        case _:
            return (state,) if state == op.value else ()


def play(seed: int, parts: Parts | None = None, keep_trace: bool = False) -> Outcome:
    """What a seed comes to. The same seed gives the same outcome and the same digest."""

    async def main() -> Outcome:
        return await RegistryStory(seed, parts or Parts(), keep_trace).tell()

    return run(main())
