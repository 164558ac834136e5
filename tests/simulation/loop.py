"""An asyncio event loop in virtual time: waiting costs nothing, and nothing runs but this thread.

When no task can go on, the time jumps to the next timer. Two runs of the same coroutines call them
in the same order at the same times. It keeps its own queues in place of asyncio's, with no context
variables and no debugging, since a simulation spends most of its time in them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from heapq import heappop, heappush
from typing import Any, TypeVar

T = TypeVar("T")

Call = Callable[..., object]


class DeadlockError(Exception):
    """Every task waits, and for nothing that can happen."""


class Waiting(asyncio.TimerHandle):
    """A call that is to come, and can be cancelled."""

    __slots__ = ("args_", "call_")

    def __init__(self, call: Call, args: tuple[Any, ...]) -> None:
        self.call_: Call | None = call
        self.args_ = args

    def cancel(self) -> None:
        self.call_ = None
        self.args_ = ()

    def cancelled(self) -> bool:
        return self.call_ is None

    def __repr__(self) -> str:
        return f"<{self.call_}>"


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop that never waits: it sets the time to that of the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._numbers = 0
        self._stopping = False
        self._soon: deque[Waiting] = deque()
        self._later: list[tuple[float, int, Waiting]] = []

    def time(self) -> float:
        return self._now

    def call_soon(  # type: ignore[override]
        self, callback: Call, *args: Any, context: Any = None
    ) -> Waiting:
        waiting = Waiting(callback, args)
        self._soon.append(waiting)
        return waiting

    def call_at(  # type: ignore[override]
        self, when: float, callback: Call, *args: Any, context: Any = None
    ) -> Waiting:
        waiting = Waiting(callback, args)
        self._numbers += 1
        heappush(self._later, (when, self._numbers, waiting))
        return waiting

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Call, *args: Any, context: Any = None
    ) -> Waiting:
        waiting = Waiting(callback, args)
        self._numbers += 1
        heappush(self._later, (self._now + delay, self._numbers, waiting))
        return waiting

    def create_task(  # type: ignore[override]
        self, coro: Any, *, name: str | None = None, context: Any = None
    ) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, name=name or "task")

    def _run_once(self) -> None:
        """All calls, until the loop is told to stop."""
        soon, later = self._soon, self._later
        while not self._stopping:
            if soon:
                waiting = soon.popleft()
                if waiting.call_ is not None:
                    waiting.call_(*waiting.args_)
                continue
            while later and later[0][2].call_ is None:
                heappop(later)
            if not later:
                raise DeadlockError(f"at {self._now:.3f} s")
            when, _, waiting = heappop(later)
            if when > self._now:
                self._now = when
            soon.append(waiting)

    def _process_events(self, events: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody else could wake this loop."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """The result of `main` in a new virtual loop, at whose end nothing runs any more."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
