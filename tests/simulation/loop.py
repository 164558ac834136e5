"""An asyncio event loop in virtual time: waiting costs nothing, and nothing runs but this thread.

When no task can go on, the time jumps to the next timer. Two runs of the same coroutines call them
in the same order at the same times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class DeadlockError(Exception):
    """Every task waits, and for nothing that can happen."""


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop whose selector never waits: it adds what it was to wait to the time."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._selector = self

    def time(self) -> float:
        return self._now

    def select(self, timeout: float | None) -> list[Any]:
        """What BaseEventLoop asks its selector for: the events that came within `timeout`."""
        if timeout is None:
            raise DeadlockError(f"at {self._now:.3f} s")
        self._now += timeout
        return []

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
