"""One query under way: does what the schedule says, and reports back.

Owns: the results of stages under way, and who runs a task: this node on the caller's thread, or
another one over the network. Comes in: a prepared plan; goes out: the result's rows, in order, as
they come. Does not know: SQL, what a fragment computes, which node is the next best for a task.

The caller's thread leads. Tasks of other nodes run on the network's event loop and report through
a queue, and so does a task of this node that runs meanwhile. Of a result's rows only a little is
here at a time: a node whose turn has not come, or whose rows nobody takes, waits.

A task that begins again at another node may have given rows to the user already. Where its rows
come in the same order every time, those are left out of what comes again; where they may not, no
row of it is given before all of them are here.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

import polars as pl

from eau2.config import WIRE
from eau2.errors import InternalError
from eau2.hometasks import HomeTask, HomeTasks
from eau2.kernels.host import Cancel
from eau2.kv.chunk import LOCAL
from eau2.net.arrow import decode_frame
from eau2.node import Node
from eau2.operators.base import Operator
from eau2.operators.filter import Filter
from eau2.operators.forms import joined
from eau2.operators.project import Project
from eau2.operators.scan import ScanChunks
from eau2.operators.sort import Limit
from eau2.planner.attempts import Attempts
from eau2.planner.physical import Loop, Plan, Stage
from eau2.planner.placement import Candidates, Task
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
from eau2.records import Record, Struct, field
from eau2.travel import (
    Ended,
    Fragment,
    Input,
    Remote,
    RemoteTask,
    Running,
    TaskReport,
    encoded,
)

_WINDOW_PER_NODE = 2
"""Tasks of a stage that a node has at once: one runs while the other's rows travel."""

_SCATTERED = 64
"""Rows of more pieces than these are brought together when a loop adds to them."""


class Prepared(Record, frozen=True):
    """A plan ready to run again and again: its tasks placed, its fragments made."""

    plan: Plan
    tasks: Mapping[int, tuple[Task, ...]]
    fragments: Mapping[int, Fragment]
    df_ids: frozenset[str]
    """The writes whose chunks it reads."""


class _Attempt(Struct, eq=False):
    """A task at a node, and what of its rows is here. rows and bytes: of all that have come.

    skip: the first rows, which an earlier attempt has given to the user.
    """

    task: Task
    skip: int
    running: Running | None = None
    parts: list[pl.DataFrame] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    ended: bool = False


class _Part(Record, frozen=True):
    """Rows of a task, perhaps as they travelled; at its end how long it took."""

    attempt: _Attempt
    rows: pl.DataFrame | memoryview | Ended


class _Broken(Record, frozen=True):
    """A task has failed."""

    attempt: _Attempt
    error: Exception


class Execution:
    """One query under way. For the caller's thread, but for what is reported to it."""

    def __init__(
        self,
        home: Node,
        peers: Remote | None,
        candidates: Candidates,
        prepared: Prepared,
        cancel: Cancel,
        query: str,
        observe: Callable[[TaskReport], None] | None,
    ) -> None:
        self._home = home
        self._peers = peers
        self._prepared = prepared
        self._cancel = cancel
        self._query = query
        self._observe = observe
        self._candidates = candidates
        self._stages: dict[int, Stage] = {stage.id: stage for stage in prepared.plan.stages}
        self._open = set(self._stages)
        self._repeated = {stage for loop in prepared.plan.loops for stage in loop.body}
        self._last = prepared.plan.stages[-1].id
        self._whole = not _keeps_order(self._stages[self._last].root)
        attempts = Attempts((home.name, LOCAL), candidates)
        self._schedule = Schedule(prepared.plan, prepared.tasks, self._window(), attempts)
        self._instructions: deque[Instruction] = deque()
        self._events: queue.SimpleQueue[_Part | _Broken | None] = queue.SimpleQueue()
        self._attempts: dict[tuple[int, int], _Attempt] = {}
        self._results: dict[int, pl.DataFrame] = {}
        self._inputs: dict[int, Input] = {}
        self._turn = 0
        self._given = 0
        self._own = HomeTasks(home)
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
            self._own.go_on(self._cancel, beside=self._others_run())
            self._handle(self._wait())
            yield from self._next_rows()

    def end(self) -> None:
        """Give up what still runs."""
        self._take_back()
        for attempt in self._attempts.values():
            _give_up(attempt)
        self._own.end()

    def _cancelled(self) -> None:
        self._own.cancel()
        self._events.put(None)

    def _window(self) -> int:
        placed = self._prepared.tasks.values()
        nodes = {task.node for stage in placed for task in stage if not self._is_home(task)}
        return max(1, _WINDOW_PER_NODE * (len(nodes) + 1)) if nodes else 1

    def _is_home(self, task: Task) -> bool:
        return task.node in (self._home.name, LOCAL)

    def _others_run(self) -> bool:
        """Whether a task is under way elsewhere, of which something may be heard."""
        return any(
            not attempt.ended and not self._is_home(attempt.task)
            for attempt in self._attempts.values()
        )

    def _start(self, task: Task) -> None:
        """Send a task, or have it run here once all that can be sent is sent."""
        if task.failed_at:
            # What has no time left is late, whatever else has happened to it.
            self._cancel.check()
        if not self._is_home(task):
            self._send(task)
            return
        attempt = self._attempt(task)
        fragment = self._prepared.fragments[task.stage]
        inputs = {number: self._results[number] for number in self._stages[task.stage].inputs}
        own = HomeTask(fragment.root, task.chunks, inputs, self._report(attempt))
        attempt.running = own
        self._own.add(own)

    def _attempt(self, task: Task) -> _Attempt:
        """The task anew; what an earlier attempt of it still says is not heard any more."""
        key = (task.stage, task.number)
        if key in self._attempts:
            _give_up(self._attempts[key])
        skip = self._given if key == (self._last, self._turn) else 0
        attempt = self._attempts[key] = _Attempt(task, skip)
        return attempt

    def _send(self, task: Task) -> None:
        if self._peers is None:
            raise InternalError(f"a task for node {task.node}, and no way to it")
        stage, attempt = self._stages[task.stage], self._attempt(task)
        inputs = {number: self._input(number) for number in stage.inputs}
        fragment = self._prepared.fragments[stage.id].packed
        request = RemoteTask(
            task.node,
            stage.id,
            task.number,
            len(task.failed_at),
            fragment,
            task.chunks,
            self._holders(task),
            inputs,
        )
        left_s = self._cancel.left_s()
        deadline_s = WIRE.deadline_s if left_s is None else left_s
        shown = stage.id == self._last
        attempt.running = self._peers.start(
            request, deadline_s, self._query, self._report(attempt), waits=shown
        )
        if shown and task.number == self._turn:
            attempt.running.begin()

    def _holders(self, task: Task) -> tuple[tuple[str, ...], ...]:
        """Where the task's node may fetch its chunks from: nowhere where it should have them.

        So a node that has lost what it held says so at once, and another one that has it all goes
        on in its place.
        """
        found = tuple(map(self._candidates, task.chunks))
        if not task.failed_at and all(nodes[:1] == (task.node,) for nodes in found):
            return ()
        return found

    def _input(self, stage: int) -> Input:
        """An earlier stage's result as it travels: made once for all tasks that read it."""
        if stage not in self._inputs:
            self._inputs[stage] = encoded(self._results[stage])
        return self._inputs[stage]

    def _report(
        self, attempt: _Attempt
    ) -> Callable[[pl.DataFrame | memoryview | Exception | Ended], None]:
        """What a task reports to. Called on any thread."""

        def report(said: pl.DataFrame | memoryview | Exception | Ended) -> None:
            if isinstance(said, Exception):
                self._events.put(_Broken(attempt, said))
            else:
                self._events.put(_Part(attempt, said))

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
        attempt = event.attempt
        task = attempt.task
        if self._attempts.get((task.stage, task.number)) is not attempt:
            # It was given up, and perhaps begun again elsewhere.
            return
        match event:
            case _Part(rows=Ended() as end):
                attempt.ended = True
                self._tell(attempt, end)
                if task.stage != self._last:
                    done = TaskDone(task, attempt.rows)
                    self._instructions.extend(self._schedule.handle(done))
            case _Part(rows=pl.DataFrame() as rows):
                self._take(attempt, rows, None)
            case _Part(rows=memoryview() as payload):
                # Read here and not on the loop, which has others to serve.
                self._take(attempt, decode_frame(payload), len(payload))
                if self._whole and attempt.running is not None:
                    attempt.running.taken()
            case _Broken(error=error):
                self._instructions.extend(self._schedule.handle(TaskFailed(task, error)))

    def _take(self, attempt: _Attempt, rows: pl.DataFrame, size: int | None) -> None:
        """Keep rows that have come; their size is found where somebody wants to know it."""
        attempt.parts.append(rows)
        attempt.rows += rows.height
        if self._observe is not None:
            attempt.bytes += int(rows.estimated_size()) if size is None else size

    def _tell(self, attempt: _Attempt, end: Ended) -> None:
        """Tell the observer that a task has ended."""
        if self._observe is None:
            return
        task = attempt.task
        node = self._home.name if self._is_home(task) else task.node
        self._observe(
            TaskReport(
                task.stage,
                task.number,
                node,
                len(task.chunks),
                end.rows_read,
                task.rows,
                sum(chunk.bytes for chunk in task.chunks),
                attempt.rows,
                attempt.bytes,
                end.seconds,
                task.failed_at,
            )
        )

    def _next_rows(self) -> Iterator[pl.DataFrame]:
        """What has come of the result and follows what was given."""
        while True:
            attempt = self._attempts.get((self._last, self._turn))
            if attempt is None or (self._whole and not attempt.ended):
                return
            while attempt.parts:
                rows = attempt.parts.pop(0)
                if not self._whole and attempt.running is not None:
                    attempt.running.taken()
                known = min(attempt.skip, rows.height)
                attempt.skip -= known
                self._given += rows.height - known
                if not known or known < rows.height:
                    yield rows.slice(known) if known else rows
            if not attempt.ended:
                return
            if attempt.skip:
                raise InternalError("a task that ran again gave fewer rows than before")
            self._instructions.extend(self._schedule.handle(TaskDone(attempt.task, 0)))
            self._turn += 1
            self._given = 0
            following = self._attempts.get((self._last, self._turn))
            if following is not None and following.running is not None:
                following.running.begin()

    def _complete(self, stage: int, count: int) -> None:
        """The first `count` tasks are enough; the others are given up."""
        ended = [self._attempts.pop(key) for key in sorted(self._attempts) if key[0] == stage]
        for attempt in ended:
            _give_up(attempt)
        if stage == self._last:
            return
        # The first tasks are all there: they are begun in order.
        self._results[stage] = joined([part for one in ended[:count] for part in one.parts])
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


def _keeps_order(root: Operator) -> bool:
    """Whether a fragment gives the rows of the same chunks in the same order whenever it runs.

    Joins and groups promise no order, and the engine that computes larger ones keeps none.
    """
    in_order = isinstance(root, ScanChunks | Filter | Project | Limit)
    return in_order and all(map(_keeps_order, root.inputs))


def _give_up(attempt: _Attempt) -> None:
    if attempt.running is not None and not attempt.ended:
        attempt.running.cancel()
