"""The tasks of a query that run at the node which leads it: one at a time.

Owns: the queue before them, and the thread beside the caller's on which they run while tasks run
elsewhere: what these report is then heard at once. Comes in: fragments with their chunks and
inputs; goes out: their rows or their error, to whoever gave them. Does not know: plans, schedules,
other nodes.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

import polars as pl

from eau2.catalog import ChunkRef
from eau2.config import LIMITS
from eau2.kernels.host import Cancel
from eau2.node import Node
from eau2.operators.base import Operator
from eau2.records import Struct, field
from eau2.travel import Ended

Report = Callable[[pl.DataFrame | Exception | Ended], None]
"""Is told a task's rows and its end, or its error. Called on the thread that ran it."""


class HomeTask(Struct, eq=False):
    """A task that waits or runs. See travel.Running: its rows are told at once, when it ends."""

    fragment: Operator
    chunks: tuple[ChunkRef, ...]
    inputs: Mapping[int, pl.DataFrame]
    report: Report
    wish: Cancel = field(default_factory=Cancel)

    def begin(self) -> None:
        """Nothing: there are no rows before its end."""

    def taken(self) -> None:
        """Nothing: all rows are here."""

    def cancel(self) -> None:
        """Give it up."""
        self.wish.cancel()


class HomeTasks:
    """The leading node's tasks of one query. For the caller's thread, but for `cancel`."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._waiting: deque[HomeTask] = deque()
        self._running: HomeTask | None = None
        self._thread: threading.Thread | None = None

    def add(self, task: HomeTask) -> None:
        """One more task, after all others."""
        self._waiting.append(task)

    def go_on(self, cancel: Cancel, beside: bool) -> None:
        """Run the next task, unless one runs: to its end, or `beside` the caller.

        cancel: of the query. Raises CancelledError or DeadlineError when it has ended.
        """
        while self._waiting and self._running is None:
            task = self._waiting.popleft()
            if task.wish.cancelled:
                continue
            task.wish = Cancel(cancel.left_s())
            self._running = task
            try:
                cancel.check()
            except BaseException:
                self._running = None
                raise
            if beside:
                work = threading.Thread(target=self._run, args=(task,), name="eau2-task")
                self._thread = work
                work.start()
            else:
                self._run(task, held=True)

    def cancel(self) -> None:
        """End what runs. For any thread."""
        running = self._running
        if running is not None:
            running.cancel()

    def end(self) -> None:
        """Run nothing more; what runs is ended, and waited for a little."""
        self._waiting.clear()
        self.cancel()
        if self._thread is not None:
            self._thread.join(LIMITS.task_end_s)

    def _run(self, task: HomeTask, held: bool = False) -> None:
        """held: the caller's query keeps the chunks pinned until this returns."""
        start = time.perf_counter()
        said: list[pl.DataFrame | Exception | Ended]
        try:
            read: list[int] = []
            rows = self._node.run(
                task.fragment, task.chunks, task.inputs, task.wish, held, read.append
            )
            said = [rows, Ended(time.perf_counter() - start, sum(read))]
        except Exception as error:
            said = [error]
        # Whoever hears of its end may have the next one run.
        self._running = None
        for each in said:
            task.report(each)
