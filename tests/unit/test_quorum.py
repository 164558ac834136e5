"""Registers on several voters: what is told when some are away, behind, or asked at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

import pytest

from eau2.config import ControlLimits
from eau2.errors import (
    DeadlineError,
    NoQuorumError,
    OperationalError,
    UnreachableError,
    UsageError,
)
from eau2.kv.acceptor import Acceptor
from eau2.kv.quorum import Quorum
from eau2.kv.register_store import Ballot, Cell, MemoryRegisterStore
from eau2.kv.registers import QuorumRegistry
from eau2.kv.registry import Entry, State
from eau2.net.frame import Buffer
from eau2.net.message import Accept, Message, Peek, Prepare
from eau2.net.stream import Received
from eau2.torture.chance import Chance
from eau2.torture.loop import run
from eau2.world import Talk, World

T = TypeVar("T")
ENTRY = Entry("T", State.LIVE, "d" * 32, 3, "m", "p", 7, "op", "pop")


async def now(call: Callable[[], T]) -> T:
    """A store that needs no thread."""
    return call()


class Voters:
    """Voters in this process: each can be silent to some kinds of requests, or lose its answers."""

    def __init__(self, count: int) -> None:
        self.names = tuple(f"n{number}" for number in range(count))
        self.voters = {name: Acceptor(name, MemoryRegisterStore(), now) for name in self.names}
        self.deaf: set[tuple[str, type[Message]]] = set()
        self.mute: set[tuple[str, type[Message]]] = set()
        self.asked: list[tuple[str, Message]] = []
        self.limits = ControlLimits(register_s=1.0, grace_s=0.01, registers_page=2)

    def quorum(self, node: str = "client", seed: int = 1) -> Quorum:
        chance = Chance(seed)
        world = World(Loop(), chance, chance, self, None)  # type: ignore[arg-type]
        return Quorum(node, world, self.names, self.voters.get(node), self.limits)

    def silence(self, *names: str) -> None:
        """Have voters take nothing at all."""
        self.deaf |= {(name, Message) for name in names}

    async def open(
        self,
        node: str,
        message: Message,
        payload: Sequence[Buffer] = (),
        *,
        deadline_s: float,
        query: str = "",
        end: bool = False,
    ) -> Talk:
        self.asked.append((node, message))
        await asyncio.sleep(0.001)
        for kind in (Message, type(message)):
            if (node, kind) in self.deaf:
                raise UnreachableError("nobody listens")
        answer = await self.voters[node].answer(message)
        silent = any((node, kind) in self.mute for kind in (Message, type(message)))
        return Said(None if silent else answer)

    def cells(self, key: str) -> list[Cell]:
        return [voter.store.read(key) for voter in self.voters.values()]

    def put(self, voter: int, key: str, counter: int, value: bytes) -> None:
        """As if some proposer had got so far."""
        ballot = Ballot(counter, f"p{counter}")
        self.voters[f"n{voter}"].store.write([(key, Cell(ballot, ballot, value))])


class Loop:
    """eau2.world.Clock."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Said:
    """A talk in which one thing is said, or nothing ever."""

    def __init__(self, answer: Message | None) -> None:
        self._answer = answer

    async def receive(self) -> Received | None:
        if self._answer is None:
            await asyncio.sleep(1e9)
            raise AssertionError
        await asyncio.sleep(0.001)
        return Received(self._answer, memoryview(b""))

    async def send(self, *_: object, **__: object) -> None:
        raise AssertionError("there is nothing to send")

    async def finish(self) -> None:
        raise AssertionError("there is nothing to send")

    def cancel(self) -> None:
        """Nobody is told."""


def told(story: Coroutine[Any, Any, None]) -> None:
    run(story)


@pytest.mark.parametrize("count", [1, 3, 5])
@pytest.mark.parametrize("node", ["n0", "client"])
def test_a_register_holds_what_was_swapped_in(count: int, node: str) -> None:
    async def story() -> None:
        voters = Voters(count)
        quorum, other = voters.quorum(node), voters.quorum(seed=2)
        assert await quorum.read("k") == b""
        assert await quorum.cas("k", b"", b"one")
        assert await other.read("k") == b"one"
        assert not await other.cas("k", b"", b"two")
        assert not await quorum.cas("k", b"zero", b"two")
        assert await other.cas("k", b"one", b"two")
        assert await quorum.read("k") == b"two"
        assert await quorum.read("K") == b""

    told(story())


@pytest.mark.parametrize(("count", "away"), [(3, 1), (5, 2)])
def test_a_minority_may_be_away(count: int, away: int) -> None:
    async def story() -> None:
        for first in range(count):
            voters = Voters(count)
            voters.silence(*(f"n{(first + i) % count}" for i in range(away)))
            quorum = voters.quorum()
            assert await quorum.cas("k", b"", b"one")
            assert await quorum.cas("k", b"one", b"two")
            assert await voters.quorum(seed=2).read("k") == b"two"
            assert await quorum.page("") == ((("k", b"two"),), None)
            assert await quorum.epoch() == await quorum.epoch() > 0

    told(story())


@pytest.mark.parametrize(("count", "away"), [(1, 1), (3, 2), (5, 3)])
def test_without_a_majority_nothing_is_done_and_the_voters_are_named(count: int, away: int) -> None:
    async def story() -> None:
        voters = Voters(count)
        quorum = voters.quorum()
        assert await quorum.cas("k", b"", b"one")
        await asyncio.sleep(1)
        before = [cell.value for cell in voters.cells("k")]
        voters.silence(*voters.names[:away])
        calls: tuple[Callable[[], Awaitable[object]], ...] = (
            lambda: quorum.read("k"),
            lambda: quorum.cas("k", b"one", b"two"),
            lambda: quorum.page(""),
            lambda: quorum.epoch(),
        )
        for call in calls:
            with pytest.raises(NoQuorumError) as caught:
                await call()
            assert caught.value.retryable
            assert all(name in str(caught.value) for name in voters.names)
            assert str(caught.value).count("nobody listens") == away
        assert [cell.value for cell in voters.cells("k")] == before

    told(story())


def test_a_value_that_may_have_been_taken_is_never_called_not_written() -> None:
    async def story() -> None:
        voters = Voters(3)
        voters.mute = {(name, Accept) for name in voters.names}
        with pytest.raises(DeadlineError, match="cannot be told") as caught:
            await voters.quorum().cas("k", b"", b"one")
        assert not isinstance(caught.value, UnreachableError)
        assert all(name in str(caught.value) for name in voters.names)
        assert [cell.value for cell in voters.cells("k")] == [b"one"] * 3
        voters.mute.clear()
        # A promise alone is nothing: surely not written.
        voters.mute = {(name, Prepare) for name in voters.names}
        with pytest.raises(NoQuorumError):
            await voters.quorum().cas("k", b"one", b"two")

    told(story())


def test_ones_own_value_is_known_again_after_a_refusal() -> None:
    """It was accepted by one voter, and another proposer's promise is in the way at the others."""

    async def story() -> None:
        voters = Voters(3)
        quorum = voters.quorum()
        real = voters.voters["n1"].answer
        met: list[Message] = []

        async def answer(request: Message) -> Message:
            if isinstance(request, Accept) and not met:
                met.append(request)
                for name in ("n1", "n2"):
                    await voters.voters[name].prepare("k", Ballot(50, "other"))
            return await real(request)

        voters.voters["n1"].answer = answer  # type: ignore[method-assign]
        voters.deaf = {("n2", Accept)}
        task = asyncio.create_task(quorum.cas("k", b"", b"one"))
        await asyncio.sleep(0.01)
        voters.deaf.clear()
        assert await task
        assert [cell.value for cell in voters.cells("k")].count(b"one") >= 2

    told(story())


def test_what_others_have_written_after_ones_own_value_leaves_it_open() -> None:
    async def story() -> None:
        voters = Voters(3)
        quorum = voters.quorum()
        real = voters.voters["n1"].answer
        met: list[Message] = []

        async def answer(request: Message) -> Message:
            if isinstance(request, Accept) and not met:
                met.append(request)
                for number in (1, 2):
                    voters.put(number, "k", 50, b"other")
            return await real(request)

        voters.voters["n1"].answer = answer  # type: ignore[method-assign]
        voters.deaf = {("n2", Accept)}
        with pytest.raises(DeadlineError, match="others have changed it since"):
            await quorum.cas("k", b"", b"one")

    told(story())


def test_a_value_that_all_agree_on_is_read_without_a_write() -> None:
    async def story() -> None:
        voters = Voters(3)
        quorum = voters.quorum()
        await quorum.cas("k", b"", b"one")
        await asyncio.sleep(1)
        before = voters.cells("k")
        voters.asked.clear()
        assert await quorum.read("k") == b"one"
        assert await quorum.read("other") == b""
        assert {type(message) for _, message in voters.asked} == {Peek}
        assert voters.cells("k") == before

    told(story())


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_value_that_one_voter_has_is_chosen_before_it_is_told(at: int) -> None:
    async def story() -> None:
        voters = Voters(3)
        for number in range(3):
            voters.put(number, "k", 1, b"old")
        voters.put(at, "k", 2, b"new")
        voters.deaf = {(f"n{(at + 1) % 3}", Peek), (f"n{(at + 1) % 3}", Prepare)}
        quorum = voters.quorum()
        assert await quorum.read("k") == b"new"
        await asyncio.sleep(1)
        assert [cell.value for cell in voters.cells("k")].count(b"new") >= 2
        # Whoever is asked from now on tells the same.
        for name in voters.names:
            voters.deaf = {(name, Peek), (name, Prepare)}
            assert await voters.quorum(seed=5).read("k") == b"new"

    told(story())


def test_two_of_three_who_agree_are_waited_for_a_little() -> None:
    async def story() -> None:
        voters = Voters(3)
        for number in (1, 2):
            voters.put(number, "k", 2, b"new")
        voters.put(0, "k", 1, b"old")
        assert await voters.quorum("n0").read("k") == b"new"
        assert {type(message) for _, message in voters.asked} == {Peek}

    told(story())


def test_one_of_many_swaps_wins() -> None:
    async def story() -> None:
        voters = Voters(3)
        quorums = [voters.quorum(seed=number) for number in range(8)]

        async def swap(number: int) -> bool:
            for _ in range(20):
                try:
                    return await quorums[number].cas("k", b"", b"%d" % number)
                except OperationalError:
                    if await quorums[number].read("k") == b"%d" % number:
                        return True
            raise AssertionError("it never came to an end")

        won = await asyncio.gather(*[swap(number) for number in range(8)])
        assert won.count(True) == 1
        assert await quorums[0].read("k") == b"%d" % won.index(True)

    told(story())


def test_pages_have_the_current_value_of_each_key_once() -> None:
    async def story() -> None:
        voters = Voters(3)
        for number in range(7):
            for voter in range(3):
                if voter != number % 3:
                    voters.put(voter, f"k{number}", 1, b"%d" % number)
        voters.put(0, "k3", 2, b"half")
        for voter in range(3):
            voters.put(voter, "k5", 4, b"")
        for away in range(3):
            voters.deaf = {(f"n{away}", Message)}
            quorum = voters.quorum(seed=away)
            found: list[tuple[str, bytes]] = []
            start: str | None = ""
            while start is not None:
                page, start = await quorum.page(start)
                found += page
            values = dict(found)
            assert [key for key, _ in found] == ["k0", "k1", "k2", "k3", "k4", "k6"]
            # Only n0 has it. Once it was told, all tell it.
            assert values.pop("k3") == (b"half" if away else b"3")
            assert values == {f"k{n}": b"%d" % n for n in (0, 1, 2, 4, 6)}

    told(story())


def test_the_epoch_stays_until_something_changes() -> None:
    async def story() -> None:
        voters = Voters(3)
        quorum, other = voters.quorum("n0"), voters.quorum(seed=2)
        seen = [await quorum.epoch()]
        for number in range(5):
            assert await other.cas(
                f"k{number % 2}", await other.read(f"k{number % 2}"), b"v%d" % number
            )
            await asyncio.sleep(1)
            seen.append(await quorum.epoch())
            assert await quorum.epoch() == await other.epoch() == seen[-1]
            voters.silence(f"n{number % 3}")
            assert await quorum.epoch() == seen[-1]
            voters.deaf.clear()
        assert len(set(seen)) == 6

    told(story())


def test_the_epoch_changes_when_the_third_voter_completes_a_change() -> None:
    """Counters of a majority that stay the same would not tell: the first accept came before."""

    async def story() -> None:
        voters = Voters(3)
        for number in range(3):
            voters.put(number, "k", 1, b"old")
        quorum = voters.quorum()
        voters.put(0, "k", 2, b"new")
        first = await quorum.epoch()
        voters.deaf = {("n0", Message)}
        assert await quorum.read("k") == b"old"
        assert await quorum.epoch() == first
        voters.deaf.clear()
        voters.put(1, "k", 2, b"new")
        assert await quorum.epoch() != first
        assert await quorum.read("k") == b"new"
        # While no two of them agree, no number is told twice.
        voters.put(2, "k", 3, b"newest")
        voters.put(0, "j", 3, b"x")
        assert len({await quorum.epoch() for _ in range(5)} - {first}) == 5

    told(story())


def test_a_voter_alone_is_asked_without_a_message() -> None:
    async def story() -> None:
        voters = Voters(1)
        quorum = voters.quorum("n0")
        assert quorum.epoch_here() == 0
        await quorum.cas("k", b"", b"one")
        assert quorum.epoch_here() == await quorum.epoch() == await voters.quorum().epoch() > 0
        assert [node for node, _ in voters.asked] == ["n0"]
        assert voters.quorum().epoch_here() is None
        assert Voters(3).quorum("n0").epoch_here() is None
        with pytest.raises(UsageError, match="takes 65536 bytes, not 65537"):
            await quorum.cas("k", b"one", bytes(65_537))

    told(story())


def test_names_ignore_case_and_the_clusters_own_registers_are_no_names() -> None:
    async def story() -> None:
        voters = Voters(3)
        quorum = voters.quorum()
        registry = QuorumRegistry(quorum)
        for number in range(4):
            assert await quorum.cas(f"\0r{number}", b"", b"no entry")
        assert await registry.page("") == ((), False)
        assert await registry.read("t") is None
        assert await registry.cas("T", None, ENTRY)
        assert await registry.read("t") == ENTRY
        assert not await registry.cas("t", None, ENTRY)
        other = Entry("a", State.PENDING, "x", 1)
        assert await registry.cas("A", None, other)
        found: list[Entry] = []
        more = True
        while more:
            page, more = await registry.page(found[-1].name if found else "")
            found += page
        assert found == [other, ENTRY]
        assert await quorum.read("\0r1") == b"no entry"

    told(story())
