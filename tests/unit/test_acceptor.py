"""One voter: what it promises and accepts, and that it says so only once durable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

from eau2.config import ControlLimits
from eau2.errors import (
    BusyError,
    ProtocolError,
    StoreError,
)
from eau2.kv.acceptor import Acceptor
from eau2.kv.register_store import EMPTY, Ballot, Cell, MemoryRegisterStore
from eau2.net.message import Number

T = TypeVar("T")


async def now(call: Callable[[], T]) -> T:
    """A store that needs no thread."""
    return call()


class Slow:
    """A store whose calls take a while, and how many there were at once."""

    def __init__(self) -> None:
        self.calls = 0
        self.running = 0

    async def __call__(self, call: Callable[[], T]) -> T:
        self.calls += 1
        self.running += 1
        assert self.running == 1
        await asyncio.sleep(0.01)
        result = call()
        self.running -= 1
        return result


def test_a_voter_promises_and_accepts() -> None:
    async def story() -> None:
        voter = Acceptor("n0", MemoryRegisterStore(), now)
        low, high = Ballot(1, "p"), Ballot(2, "a")
        assert await voter.prepare("k", low) == Cell(low)
        assert await voter.prepare("k", high) == Cell(high)
        assert await voter.prepare("k", low) == Cell(high)
        assert await voter.accept("k", low, b"x") == Cell(high)
        assert await voter.accept("k", high, b"y") == Cell(high, high, b"y")
        assert await voter.accept("k", high, b"y") == Cell(high, high, b"y")
        higher = Ballot(3, "b")
        # Without a promise: nobody was promised anything higher.
        assert await voter.accept("k", higher, b"z") == Cell(higher, higher, b"z")
        assert await voter.accept("k", high, b"y") == Cell(higher, higher, b"z")
        assert await voter.peek("k") == Cell(higher, higher, b"z")
        assert await voter.peek("j") == EMPTY
        with pytest.raises(ProtocolError, match="n0 does not answer a Number"):
            await voter.answer(Number(1))

    asyncio.run(story())


def test_what_waits_is_written_together_and_in_order() -> None:
    async def story() -> None:
        slow = Slow()
        voter = Acceptor("n0", MemoryRegisterStore(), slow)
        ballots = [Ballot(number, "p") for number in range(1, 101)]
        cells = await asyncio.gather(*[voter.accept("k", b, b"%d" % b.counter) for b in ballots])
        assert [cell.accepted for cell in cells] == ballots
        assert slow.calls == 1
        first = asyncio.create_task(voter.accept("j", ballots[0], b""))
        await asyncio.sleep(0.001)
        rest = [asyncio.create_task(voter.prepare(f"j{n}", ballots[1])) for n in range(600)]
        # Whoever gives up does not stop the others.
        first.cancel()
        await asyncio.gather(*rest)
        assert slow.calls == 1 + 1 + 3
        assert voter.store.read("j").accepted == ballots[0]

    asyncio.run(story())


def test_a_store_that_fails_fails_all_who_wait() -> None:
    class Failing(MemoryRegisterStore):
        def write(self, cells: Sequence[tuple[str, Cell]]) -> None:
            raise StoreError("the disk is gone")

    async def story() -> None:
        voter = Acceptor("n0", Failing(), now)
        asked = [voter.prepare("k", Ballot(1, "p")), voter.accept("j", Ballot(1, "p"), b"x")]
        said = await asyncio.gather(*asked, return_exceptions=True)
        assert [str(error) for error in said] == ["the disk is gone"] * 2
        await voter.close()

    asyncio.run(story())


def test_a_voter_that_stops_lets_what_is_written_end() -> None:
    async def story() -> None:
        voter = Acceptor("n0", MemoryRegisterStore(), Slow())
        first = asyncio.create_task(voter.accept("k", Ballot(1, "p"), b"x"))
        await asyncio.sleep(0.001)
        second = asyncio.create_task(voter.accept("k", Ballot(2, "p"), b"y"))
        await asyncio.sleep(0)
        await voter.close()
        assert (await first).value == b"x"
        with pytest.raises(BusyError, match="n0 is stopping"):
            await second

    asyncio.run(story())


def test_a_page_of_a_voter_is_bounded_in_bytes() -> None:
    async def story() -> None:
        limits = ControlLimits(registers_page=4, page_bytes=25)
        voter = Acceptor("n0", MemoryRegisterStore(), now, limits)
        for number, size in enumerate((10, 10, 10, 100, 1, 1)):
            await voter.accept(f"k{number}", Ballot(1, "p"), bytes(size))
        found = []
        after, more = "", True
        while more:
            cells, more = await voter.page(after)
            found.append(len(cells))
            after = cells[-1][0]
        assert found == [2, 1, 1, 2]

    asyncio.run(story())
