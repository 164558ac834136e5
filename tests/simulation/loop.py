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

    def __init__(self, call: Call, args: tuple[Any, ...], when: float) -> None:
        self.call_: Call | None = call
        self.args_ = args
        self._when = when

    def cancel(self) -> None:
        self.call_ = None
        self.args_ = ()

    def cancelled(self) -> bool:
        return self.call_ is None

    def __repr__(self) -> str:
        return f"<{self.call_} at {self._when}>"


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop that never waits: it sets the time to that of the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._numbers = 0
        self._soon: deque[Waiting] = deque()
        self._later: list[tuple[float, int, Waiting]] = []

    def time(self) -> float:
        return self._now

    def call_soon(self, callback: Call, *args: Any, context: Any = None) -> Waiting:  # type: ignore[override]
        waiting = Waiting(callback, args, self._now)
        self._soon.append(waiting)
        return waiting

    def call_at(self, when: float, callback: Call, *args: Any, context: Any = None) -> Waiting:  # type: ignore[override]
        waiting = Waiting(callback, args, when)
        self._numbers += 1
        heappush(self._later, (when, self._numbers, waiting))
        return waiting

    def call_later(self, delay: float, callback: Call, *args: Any, context: Any = None) -> Waiting:  # type: ignore[override]
        return self.call_at(self._now + delay, callback, *args)

    def _run_once(self) -> None:
        soon, later = self._soon, self._later
        if not soon:
            while later and later[0][2].call_ is None:
                heappop(later)
            if not later:
                raise DeadlockError(f"at {self._now:.3f} s")
            self._now = max(self._now, later[0][0])
            while later and later[0][0] <= self._now:
                soon.append(heappop(later)[2])
        for _ in range(len(soon)):
            waiting = soon.popleft()
            if waiting.call_ is not None:
                waiting.call_(*waiting.args_)

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
