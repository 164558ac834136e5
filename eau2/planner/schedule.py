"""The schedule of one query: a state machine without I/O. Events in, instructions out.

Owns: which tasks may run, which results are complete, when the query is over.
Comes in: `TaskDone`, `TaskFailed`, `RoundTaken`. Goes out: `RunTask`, `StageComplete`, `TakeRound`,
`LoopComplete`, `Finished`, `Failed`.
Does not know: sockets, threads, the clock, what a result looks like, which node is the next best
(attempts.py).

A stage's tasks may run once all stages it reads are complete. A task that its node has failed runs
again at another one, and so does all that runs at a node which is lost. Only the last attempt of a
task counts; what is said of an earlier one, or twice, is ignored. Where the first tasks may give
enough rows, the failure of a later one counts only when they have not: whether a query fails does
not depend on which node is quick. After `Finished` or `Failed` nothing more is asked for.

A loop's base gives its first round; while a round has rows, the stages of the body run over them,
and the last of these gives the next round.
"""

from __future__ import annotations

from collections.abc import Mapping

from eau2.config import LIMITS
from eau2.errors import DataError
from eau2.planner.attempts import Attempts
from eau2.planner.physical import Loop, Plan, Stage
from eau2.planner.placement import Task
from eau2.records import Record, Struct


class TaskDone(Record, frozen=True):
    """A task has ended well and gave so many rows."""

    task: Task
    rows: int


class TaskFailed(Record, frozen=True):
    """A task has ended with an error at its node."""

    task: Task
    error: Exception


class RunTask(Record, frozen=True):
    """Send this task to its node; what an earlier attempt of it has given is of no use any more."""

    task: Task


class StageComplete(Record, frozen=True):
    """All that is needed of the stage has come, from its first `tasks` tasks."""

    stage: int
    tasks: int


class RoundTaken(Record, frozen=True):
    """The rows of a round, so many, are there for the next one to read."""

    loop: Loop
    rows: int


class TakeRound(Record, frozen=True):
    """The rows of `stage` are the next round of the loop: say how many they are."""

    loop: Loop
    stage: int


class LoopComplete(Record, frozen=True):
    """A round had no rows: the loop's result has them all."""

    loop: Loop


class Finished(Record, frozen=True):
    """The last stage is complete: its rows are the result."""

    stage: int


class Failed(Record, frozen=True):
    """The query is over, with this error."""

    error: Exception


Event = TaskDone | TaskFailed | RoundTaken
Instruction = RunTask | StageComplete | TakeRound | LoopComplete | Finished | Failed


class _Rounds(Struct):
    """How far a loop has come."""

    count: int = 0
    rows: int = 0


class Schedule:
    """The state of one running query. `window` bounds the tasks of a stage under way at once."""

    def __init__(
        self,
        plan: Plan,
        tasks: Mapping[int, tuple[Task, ...]],
        window: int = 1,
        attempts: Attempts | None = None,
    ) -> None:
        self._stages: dict[int, Stage] = {stage.id: stage for stage in plan.stages}
        self._tasks = tasks
        self._window = window
        self._attempts = attempts or Attempts()
        self._under_way: dict[tuple[int, int], Task] = {}
        self._last = plan.stages[-1].id
        self._rows: dict[int, dict[int, int]] = {stage.id: {} for stage in plan.stages}
        self._errors: dict[int, dict[int, Exception]] = {stage.id: {} for stage in plan.stages}
        self._sent: dict[int, int] = {stage.id: 0 for stage in plan.stages}
        self._complete: set[int] = set()
        self._over = False
        self._rounds = {loop.result: _Rounds() for loop in plan.loops}
        self._loops = {end: loop for loop in plan.loops for end in (loop.base, loop.body[-1])}
        self._inside = {stage: loop for loop in plan.loops for stage in loop.body}

    @property
    def over(self) -> bool:
        """Whether Finished or Failed has been given."""
        return self._over

    def start(self) -> list[Instruction]:
        """What to do first."""
        return self._send()

    def handle(self, event: Event) -> list[Instruction]:
        """What to do after `event`."""
        if self._over:
            return []
        match event:
            case TaskFailed(task, error):
                return self._failed(task, error)
            case TaskDone(task, rows):
                return self._done(task, rows)
            case RoundTaken(loop, rows):
                return self._round_taken(loop, rows)

    def _failed(self, task: Task, error: Exception) -> list[Instruction]:
        """Begin again elsewhere what has failed: the task, or all that runs at its lost node."""
        if not self._runs(task):
            return []
        broken = [task]
        if self._attempts.loses(task, error):
            broken = [t for t in self._under_way.values() if t.node == task.node]
        instructions: list[Instruction] = []
        for each in broken:
            following = self._again(each, error) if self._runs(each) else []
            if self._over:
                return following
            instructions += following
        return instructions

    def _again(self, task: Task, error: Exception) -> list[Instruction]:
        """Run it elsewhere; else end, unless tasks before it may make its rows unnecessary."""
        found = self._attempts.again(task, error)
        if isinstance(found, Task):
            self._under_way[task.stage, task.number] = found
            return [RunTask(found)]
        stage = self._stages[task.stage]
        del self._under_way[task.stage, task.number]
        self._errors[stage.id][task.number] = found
        if stage.enough_rows is None:
            return self._over_with(found)
        return self._on(stage)

    def _done(self, task: Task, rows: int) -> list[Instruction]:
        if not self._runs(task):
            return []
        del self._under_way[task.stage, task.number]
        self._rows[task.stage][task.number] = rows
        return self._on(self._stages[task.stage])

    def _runs(self, task: Task) -> bool:
        """Whether this is the attempt that counts of a task that has not ended."""
        return self._under_way.get((task.stage, task.number)) == task

    def _over_with(self, error: Exception) -> list[Instruction]:
        self._over = True
        return [Failed(error)]

    def _on(self, of: Stage) -> list[Instruction]:
        """What follows from the tasks of a stage that have ended."""
        stage = of.id
        first_failed = min(self._errors[stage], default=None)
        needed = self._needed(of)
        if needed is None and first_failed is not None:
            done = self._rows[stage]
            if all(number in done for number in range(first_failed)):
                return self._over_with(self._errors[stage][first_failed])
        if needed is None:
            return self._send()
        self._complete.add(stage)
        for key in [key for key in self._under_way if key[0] == stage]:
            del self._under_way[key]
        instructions: list[Instruction] = [StageComplete(stage, needed)]
        if stage == self._last:
            self._over = True
            return [*instructions, Finished(stage)]
        if stage in self._loops:
            return [*instructions, TakeRound(self._loops[stage], stage), *self._send()]
        return instructions + self._send()

    def _round_taken(self, loop: Loop, rows: int) -> list[Instruction]:
        """Run the body over a round that has rows; else the loop is at its end."""
        self._complete.add(loop.round)
        if not rows:
            self._complete |= {*loop.body, loop.result}
            return [LoopComplete(loop), *self._send()]
        rounds = self._rounds[loop.result]
        rounds.count += 1
        rounds.rows += rows
        if rounds.count > LIMITS.recursion_rounds or rounds.rows > LIMITS.recursion_rows:
            return self._over_with(_endless(loop))
        self._attempts.forget(loop.body)
        for stage in loop.body:
            self._complete.discard(stage)
            self._rows[stage], self._errors[stage], self._sent[stage] = {}, {}, 0
        return self._send()

    def _needed(self, stage: Stage) -> int | None:
        """How many of the stage's first tasks make it complete; None while it is not."""
        done = self._rows[stage.id]
        total = 0
        for task in self._tasks[stage.id]:
            if task.number not in done:
                return None
            total += done[task.number]
            if stage.enough_rows is not None and total >= stage.enough_rows:
                return task.number + 1
        return len(self._tasks[stage.id])

    def _send(self) -> list[Instruction]:
        instructions: list[Instruction] = []
        for stage in self._stages.values():
            if stage.id in self._complete or not self._may_run(stage):
                continue
            tasks = self._tasks[stage.id]
            ended = len(self._rows[stage.id]) + len(self._errors[stage.id])
            under_way = self._sent[stage.id] - ended
            while self._sent[stage.id] < len(tasks) and under_way < self._window:
                task = self._attempts.first(tasks[self._sent[stage.id]])
                self._under_way[task.stage, task.number] = task
                instructions.append(RunTask(task))
                self._sent[stage.id] += 1
                under_way += 1
        return instructions

    def _may_run(self, stage: Stage) -> bool:
        """Whether all that the stage reads is there; a body also reads the rounds so far."""
        missing = set(stage.inputs) - self._complete
        loop = self._inside.get(stage.id)
        if loop is not None and loop.round in self._complete:
            missing.discard(loop.result)
        return not missing


def _endless(loop: Loop) -> DataError:
    return DataError(
        f'the recursive query "{loop.name}" did not end within {LIMITS.recursion_rounds:,} rounds'
        f" and {LIMITS.recursion_rows:,} rows",
        hint="Let its recursive part give no rows at some point, for example with a WHERE.",
    )
