"""One question to several nodes at once, until enough of them have answered.

Owns: who has answered so far, who failed and why. Comes in: nodes, and how one of them is asked;
goes out: answers by node, as they come. Does not know: what is asked, how many answers are enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from eau2.errors import Error

A = TypeVar("A")


class Poll(Generic[A]):
    """All nodes are asked when it is made. `close` it; it says which questions go on."""

    def __init__(self, nodes: Sequence[str], ask: Callable[[str], Coroutine[Any, Any, A]]) -> None:
        """ask: asks one node, and bounds its own time."""
        self.nodes = tuple(nodes)
        self.answers: dict[str, A] = {}
        self.failures: dict[str, Error] = {}
        self._bug: BaseException | None = None
        self._news: asyncio.Future[None] | None = None
        self._tasks: list[asyncio.Task[A]] = []
        for node in self.nodes:
            task = asyncio.create_task(ask(node))
            task.add_done_callback(partial(self._ended, node))
            self._tasks.append(task)

    @property
    def majority(self) -> int:
        """How many nodes are most of them."""
        return len(self.nodes) // 2 + 1

    @property
    def complete(self) -> bool:
        """Whether nothing more can come."""
        return len(self.answers) + len(self.failures) == len(self.nodes)

    @property
    def lost(self) -> bool:
        """Whether so many failed that there can be no majority of answers."""
        return len(self.nodes) - len(self.failures) < self.majority

    async def until(self, enough: Callable[[], bool]) -> None:
        """Wait until `enough` is true, or nothing more can come."""
        while not (self.complete or enough()):
            self._news = asyncio.get_running_loop().create_future()
            await self._news
            if self._bug is not None:
                raise self._bug

    def close(self) -> None:
        """Give up the questions that are not answered."""
        for task in self._tasks:
            task.cancel()

    def running(self) -> list[asyncio.Task[A]]:
        """The questions that are not answered, for whoever lets them go on."""
        return [task for task in self._tasks if not task.done()]

    def why(self) -> str:
        """Which nodes failed, and why."""
        said = []
        for node in self.nodes:
            if node in self.failures:
                message = self.failures[node].message
                said.append(message if node in message else f"node {node}: {message}")
        return "; ".join(said)

    def _ended(self, node: str, task: asyncio.Task[A]) -> None:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            self.answers[node] = task.result()
        elif isinstance(error, Error):
            self.failures[node] = error
        else:
            # A question that somebody else cancelled ends the poll too; after `close` nobody waits.
            self._bug = error
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
