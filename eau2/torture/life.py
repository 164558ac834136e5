"""One life of a simulated node, from its start to its crash: what runs in it, and its clock."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from eau2.torture.disk import Alive

T = TypeVar("T")


class CrashedError(Exception):
    """The node that was to do something died before it was done."""


class Being:
    """Something that lives from its start to its crash, and may be stopped meanwhile."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[int, asyncio.Task[Any]] = {}
        self._started = 0
        self._stopped_until = 0.0

    async def thaw(self) -> None:
        """Wait until it is not stopped. Raises asyncio.CancelledError if it is dead."""
        while self.alive and self._loop.time() < self._stopped_until:
            await asyncio.sleep(self._stopped_until - self._loop.time())
        if not self.alive:
            raise asyncio.CancelledError

    def stop(self, seconds: float) -> None:
        """Let nothing here go on for a while, and know nothing of it (SIGSTOP)."""
        self._stopped_until = self._loop.time() + seconds

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of some work of this node. Raises CrashedError if it dies meanwhile."""
        if not self.alive:
            work.close()
            raise CrashedError
        task = self._spawn(work)
        try:
            return await task
        except asyncio.CancelledError:
            if self.alive:
                raise
            raise CrashedError from None

    def crash(self) -> None:
        """Nothing of what runs here does anything any more."""
        self.alive = False
        for task in list(self._tasks.values()):
            task.cancel()

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self.keep(task)
        return task

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Let a task live as long as this."""
        number = self._started
        self._started += 1
        self._tasks[number] = task
        task.add_done_callback(lambda _: self._tasks.pop(number, None))


class SimClock:
    """eau2.world.Clock for one life of a node; its clock began at another moment."""

    def __init__(self, life: Alive, skew_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._life = life
        self._skew_s = skew_s

    def now(self) -> float:
        return self._loop.time() + self._skew_s

    async def sleep(self, seconds: float) -> None:
        await self._life.thaw()
        await asyncio.sleep(seconds)
        await self._life.thaw()
