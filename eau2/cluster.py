"""The coordinator's hands: does what the schedule says, and reports back.

Owns: the results of stages under way, and who runs a task: this node on the caller's thread, or
another one over the network. Comes in: a prepared plan; goes out: the result's rows, in order, as
they come. Does not know: SQL, what a fragment computes.

The caller's thread leads. Tasks of other nodes run on the network's event loop and report through
a queue; they go on while the caller computes a task of its own. Of a result's rows only a little
is here at a time: a node whose turn has not come, or whose rows nobody takes, waits.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import polars as pl

from eau2.config import LIMITS, WIRE
from eau2.errors import InternalError, NotSupportedError
from eau2.kernels.host import Cancel
from eau2.kv.chunk import LOCAL
from eau2.net.arrow import decode_frame
from eau2.net.codec import encode_fragment
from eau2.net.packing import MessageError
from eau2.node import Node
from eau2.operators.codec import FragmentError
from eau2.planner.physical import Loop, Plan, Stage
from eau2.planner.placement import Task, fragment, tasks
from eau2.planner.schedule import (
    Failed,
    Finished,
    Instruction,
    LoopComplete,
    RoundTaken,
    RunTask,
    Schedule,
    StageComplete,
    TakeRound,
    TaskDone,
    TaskFailed,
)
from eau2.travel import (
    Ended,
    Input,
    Remote,
    RemoteTask,
    Report,
    Running,
    TaskReport,
    encoded,
    joined,
)

_WINDOW_PER_NODE = 2
"""Tasks of a stage that a node has at once: one runs while the other's rows travel."""

_SCATTERED = 64
"""Rows of more pieces than these are brought together when a loop adds to them."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan ready to run again and again: its tasks placed, its fragments encoded."""

    plan: Plan
    tasks: Mapping[int, tuple[Task, ...]]
    fragments: Mapping[int, bytes]
    df_ids: frozenset[str]
    """The writes whose chunks it reads."""


class Cluster:
    """Where queries run: the home node, and the other ones if there are any."""

    def __init__(
        self, home: Node, peers: Remote | None = None, run_rows: int = LIMITS.kernel_call_rows
    ) -> None:
        self.home = home
        self.peers = peers
        self._run_rows = run_rows

    def prepare(self, plan: Plan) -> Prepared:
        """Place the plan's tasks and encode its fragments. Raises NotSupportedError."""
        last = plan.stages[-1].id
        placed: dict[int, tuple[Task, ...]] = {}
        for stage in plan.stages:
            # Rows that go to the user as they are come in runs that can be held.
            shown = stage.id == last and stage.source is not None
            rows = min(self._run_rows, LIMITS.result_run_rows) if shown else self._run_rows
            placed[stage.id] = tasks(stage, rows, self.home.name)
        try:
            fragments = {
                stage.id: encode_fragment(fragment(stage, placed)) for stage in plan.stages
            }
        except (FragmentError, MessageError) as error:
            raise NotSupportedError(f"the statement is too large: {error.message}") from error
        read = (chunk for stage in placed.values() for task in stage for chunk in task.chunks)
        return Prepared(plan, placed, fragments, frozenset(chunk.key.df_id for chunk in read))

    def stream(
        self,
        prepared: Prepared,
        cancel: Cancel | None = None,
        query: str = "",
        observe: Callable[[TaskReport], None] | None = None,
    ) -> Generator[pl.DataFrame, None, None]:
        """The rows of the result in order, one frame at least; closing it ends the query.

        observe: is told of every task that has ended. Raises what the failing task raised,
        CancelledError, DeadlineError.
        """
        run = _Run(self, prepared, cancel or Cancel(), query, observe)
        # What a statement reads stays as it is until the statement ends, whatever is inserted.
        with self.home.pinned(prepared.df_ids):
            try:
                yield from run.rows()
            finally:
                run.end()


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of a task, perhaps as they travelled; at its end how long it took."""

    task: Task
    rows: pl.DataFrame | memoryview | Ended


@dataclass(frozen=True, slots=True)
class _Broken:
    """A task has failed."""

    task: Task
    error: Exception


class _Run:
    """One query under way. For the caller's thread, but for what is reported to it."""

    def __init__(
        self,
        cluster: Cluster,
        prepared: Prepared,
        cancel: Cancel,
        query: str,
        observe: Callable[[TaskReport], None] | None,
    ) -> None:
        self._home = cluster.home
        self._peers = cluster.peers
        self._prepared = prepared
        self._cancel = cancel
        self._query = query
        self._observe = observe
        self._given: dict[tuple[int, int], tuple[int, int]] = {}
        self._stages: dict[int, Stage] = {stage.id: stage for stage in prepared.plan.stages}
        self._open = set(self._stages)
        self._repeated = {stage for loop in prepared.plan.loops for stage in loop.body}
        self._last = prepared.plan.stages[-1].id
        self._schedule = Schedule(prepared.plan, prepared.tasks, self._window())
        self._instructions: deque[Instruction] = deque()
        self._events: queue.SimpleQueue[_Part | _Broken | None] = queue.SimpleQueue()
        self._parts: dict[int, dict[int, list[pl.DataFrame]]] = {}
        self._results: dict[int, pl.DataFrame] = {}
        self._inputs: dict[int, Input] = {}
        self._running: dict[tuple[int, int], Running] = {}
        self._turn = 0
        self._ended: set[int] = set()
        # Ends the task that runs here: with the query, and when a task elsewhere has failed.
        self._cancel_home = Cancel(cancel.left_s())
        self._take_back = cancel.on_cancel(self._cancelled)

    def rows(self) -> Iterator[pl.DataFrame]:
        """The rows of the last stage, in the order of its tasks."""
        self._instructions.extend(self._schedule.start())
        while True:
            while self._instructions:
                match self._instructions.popleft():
                    case RunTask(task):
                        self._start(task)
                    case StageComplete(stage, count):
                        self._complete(stage, count)
                    case TakeRound(loop, stage):
                        self._take_round(loop, stage)
                    case LoopComplete(loop):
                        self._open.difference_update(loop.body)
                        self._forget()
                    case Finished():
                        return
                    case Failed(error):
                        raise error
            self._handle(self._wait())
            yield from self._next_rows()

    def end(self) -> None:
        """Give up what still runs."""
        self._take_back()
        for running in self._running.values():
            running.cancel()

    def _cancelled(self) -> None:
        self._cancel_home.cancel()
        self._events.put(None)

    def _window(self) -> int:
        placed = self._prepared.tasks.values()
        nodes = {task.node for stage in placed for task in stage if not self._is_home(task)}
        return max(1, _WINDOW_PER_NODE * (len(nodes) + 1)) if nodes else 1

    def _is_home(self, task: Task) -> bool:
        return task.node in (self._home.name, LOCAL)

    def _start(self, task: Task) -> None:
        """Send a task, or run it here. Others are sent first, so that they run meanwhile."""
        if not self._is_home(task):
            self._send(task)
            return
        for instruction in list(self._instructions):
            match instruction:
                case RunTask(other) if not self._is_home(other):
                    self._instructions.remove(instruction)
                    self._send(other)
        self._run_here(task)

    def _run_here(self, task: Task) -> None:
        stage = self._stages[task.stage]
        inputs = {number: self._results[number] for number in stage.inputs}
        self._cancel.check()
        start = time.perf_counter()
        try:
            rows = self._home.run(
                self._prepared.fragments[stage.id], task.chunks, inputs, self._cancel_home
            )
        except Exception as error:
            self._events.put(_Broken(task, error))
            return
        self._events.put(_Part(task, rows))
        self._events.put(_Part(task, Ended(time.perf_counter() - start)))

    def _send(self, task: Task) -> None:
        if self._peers is None:
            raise InternalError(f"a task for node {task.node}, and no way to it")
        stage = self._stages[task.stage]
        inputs = {number: self._input(number) for number in stage.inputs}
        fragment = self._prepared.fragments[stage.id]
        request = RemoteTask(task.node, stage.id, task.number, fragment, task.chunks, inputs)
        left_s = self._cancel.left_s()
        deadline_s = WIRE.deadline_s if left_s is None else left_s
        shown = stage.id == self._last
        running = self._peers.start(
            request, deadline_s, self._query, self._report(task), waits=shown
        )
        self._running[stage.id, task.number] = running
        if shown and task.number == self._turn:
            running.begin()

    def _input(self, stage: int) -> Input:
        """An earlier stage's result as it travels: made once for all tasks that read it."""
        if stage not in self._inputs:
            self._inputs[stage] = encoded(self._results[stage])
        return self._inputs[stage]

    def _report(self, task: Task) -> Report:
        """What a task on another node reports to. Called on the network's thread."""

        def report(said: memoryview | Exception | Ended) -> None:
            if not isinstance(said, Exception):
                self._events.put(_Part(task, said))
                return
            self._events.put(_Broken(task, said))
            if self._stages[task.stage].enough_rows is None:
                # The query has failed. The caller may be busy with a task of its own.
                self._cancel_home.cancel()

        return report

    def _wait(self) -> _Part | _Broken:
        """The next report. Raises CancelledError or DeadlineError when it is time to end."""
        while True:
            event = None
            with suppress(queue.Empty):
                event = self._events.get(timeout=self._cancel.left_s())
            if event is not None:
                return event
            self._cancel.check()

    def _handle(self, event: _Part | _Broken) -> None:
        task = event.task
        parts = self._parts.setdefault(task.stage, {}).setdefault(task.number, [])
        match event:
            case _Part(rows=Ended(seconds)):
                self._running.pop((task.stage, task.number), None)
                self._tell(task, seconds)
                if task.stage == self._last:
                    self._ended.add(task.number)
                else:
                    done = TaskDone(task, sum(part.height for part in parts))
                    self._instructions.extend(self._schedule.handle(done))
            case _Part(rows=pl.DataFrame() as rows):
                parts.append(rows)
                self._count(task, rows, None)
            case _Part(rows=memoryview() as payload):
                # Read here and not on the loop, which has others to serve.
                parts.append(decode_frame(payload))
                self._count(task, parts[-1], len(payload))
            case _Broken(error=error):
                self._running.pop((task.stage, task.number), None)
                self._instructions.extend(self._schedule.handle(TaskFailed(task, error)))

    def _count(self, task: Task, rows: pl.DataFrame, size: int | None) -> None:
        """Take note of rows that have come, where somebody wants to know."""
        if self._observe is not None:
            key = (task.stage, task.number)
            count, total = self._given.get(key, (0, 0))
            more = int(rows.estimated_size()) if size is None else size
            self._given[key] = (count + rows.height, total + more)

    def _tell(self, task: Task, seconds: float) -> None:
        """Tell the observer that a task has ended."""
        if self._observe is None:
            return
        rows, size = self._given.get((task.stage, task.number), (0, 0))
        node = self._home.name if self._is_home(task) else task.node
        read = sum(chunk.bytes for chunk in task.chunks)
        chunks = len(task.chunks)
        self._observe(
            TaskReport(task.stage, task.number, node, chunks, task.rows, read, rows, size, seconds)
        )

    def _next_rows(self) -> Iterator[pl.DataFrame]:
        """What has come of the result and follows what was given."""
        results = self._parts.setdefault(self._last, {})
        while True:
            running = self._running.get((self._last, self._turn))
            parts = results.get(self._turn, [])
            while parts:
                rows = parts.pop(0)
                if running is not None:
                    running.taken()
                yield rows
            if self._turn not in self._ended:
                return
            task = self._prepared.tasks[self._last][self._turn]
            self._instructions.extend(self._schedule.handle(TaskDone(task, 0)))
            self._turn += 1
            following = self._running.get((self._last, self._turn))
            if following is not None:
                following.begin()

    def _complete(self, stage: int, count: int) -> None:
        """The first `count` tasks are enough; the others are given up."""
        for key in [key for key in self._running if key[0] == stage]:
            self._running.pop(key).cancel()
        if stage == self._last:
            return
        parts = self._parts.pop(stage)
        self._results[stage] = joined([p for number in range(count) for p in parts[number]])
        self._inputs.pop(stage, None)
        if stage not in self._repeated:
            self._open.discard(stage)
        self._forget(stage)

    def _take_round(self, loop: Loop, stage: int) -> None:
        """What a stage gave is the round that the loop's body reads next."""
        rows = self._results[stage]
        earlier = self._results.get(loop.result)
        self._results[loop.round] = rows
        total = rows if earlier is None else joined([earlier, rows])
        scattered = total.n_chunks() > _SCATTERED
        self._results[loop.result] = total.rechunk() if scattered else total
        for changed in (loop.round, loop.result):
            self._inputs.pop(changed, None)
        self._cancel.check()
        self._instructions.extend(self._schedule.handle(RoundTaken(loop, rows.height)))

    def _forget(self, *but: int) -> None:
        """Let go of what no stage will read any more."""
        needed = {*but, *(n for open_ in self._open for n in self._stages[open_].inputs)}
        for done in [n for n in self._results if n not in needed]:
            del self._results[done]
            self._inputs.pop(done, None)
