"""A call that waits for the wire: interrupted at any moment, it leaves nothing that runs on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from eau2.net.blocking import LoopThread


class Interrupted(LoopThread):
    """A loop whose next call is interrupted while the loop is told of it."""

    before = False
    after: threading.Event | None = None
    """For the interrupt to wait for, once the loop has been told."""

    def soon(self, function: Callable[[], object]) -> bool:
        """See LoopThread."""
        before, self.before = self.before, False
        after, self.after = self.after, None
        if before:
            raise KeyboardInterrupt
        told = super().soon(function)
        if after is not None:
            assert after.wait(10)
            raise KeyboardInterrupt
        return told


class Slow:
    """Something that lasts, and knows what became of it."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.cancelled = threading.Event()

    async def work(self) -> None:
        """Last for a minute."""
        self.begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


class Held:
    """What a call gives; it knows when nobody holds it any more."""

    def __init__(self, released: threading.Event) -> None:
        self._released = released

    def __del__(self) -> None:
        self._released.set()


@pytest.fixture
def thread() -> Iterator[Interrupted]:
    """Closed in the end."""
    thread = Interrupted()
    yield thread
    thread.close()


def test_interrupted_before_the_loop_is_told_it_never_begins(thread: Interrupted) -> None:
    slow = Slow()
    thread.before = True
    with pytest.raises(KeyboardInterrupt):
        thread.run(slow.work())
    assert thread.run(asyncio.sleep(0.01, 5)) == 5
    assert not slow.begun.is_set()


def test_interrupted_as_it_begins_it_is_cancelled(thread: Interrupted) -> None:
    slow = Slow()
    thread.after = slow.begun
    with pytest.raises(KeyboardInterrupt):
        thread.run(slow.work())
    assert slow.cancelled.wait(10)


@pytest.mark.parametrize("ended", [False, True])
def test_interrupted_as_it_ends_its_result_is_let_go(thread: Interrupted, ended: bool) -> None:
    released = threading.Event()
    thread.after = given = threading.Event()

    async def give() -> Held:
        if ended:
            asyncio.get_running_loop().call_later(0.05, given.set)
        else:
            given.set()
            # Meanwhile the loop is told of the interrupt, before it sees that this has ended.
            time.sleep(0.05)
        return Held(released)

    with pytest.raises(KeyboardInterrupt) as interrupt:
        thread.run(give())
    assert released.wait(10)
    assert interrupt.traceback
