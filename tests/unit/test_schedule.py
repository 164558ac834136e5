"""The schedule as a pure state machine: every completion order gives the same end."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.operators.values import OneRow
from eau2.planner.physical import Plan, Stage
from eau2.planner.placement import Task
from eau2.planner.schedule import (
    Failed,
    Finished,
    Instruction,
    RunTask,
    Schedule,
    StageComplete,
    TaskDone,
    TaskFailed,
)


def plan_of(inputs: list[tuple[int, ...]], enough_rows: int | None = None) -> Plan:
    last = len(inputs) - 1
    stages = tuple(
        Stage(i, OneRow(), None, needed, enough_rows if i == last else None)
        for i, needed in enumerate(inputs)
    )
    return Plan(stages, (), ())


def _tasks(counts: list[int]) -> dict[int, tuple[Task, ...]]:
    return {s: tuple(Task(s, n, (), 0, "n") for n in range(c)) for s, c in enumerate(counts)}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_order_of_completion_finishes_each_stage_once(data: st.DataObject) -> None:
    inputs: list[tuple[int, ...]] = [()]
    for i in range(1, data.draw(st.integers(1, 5))):
        inputs.append(tuple(sorted(data.draw(st.sets(st.integers(0, i - 1))) | {i - 1})))
    counts = [data.draw(st.integers(1, 4)) for _ in inputs]
    schedule = Schedule(plan_of(inputs), _tasks(counts), window=data.draw(st.integers(1, 5)))
    pending: list[Task] = []
    complete: list[int] = []
    seen: set[tuple[int, int]] = set()

    def obey(instructions: list[Instruction]) -> bool:
        for instruction in instructions:
            match instruction:
                case RunTask(task):
                    assert set(inputs[task.stage]) <= set(complete)
                    assert (task.stage, task.number) not in seen
                    seen.add((task.stage, task.number))
                    pending.append(task)
                case StageComplete(stage, needed):
                    assert needed == counts[stage]
                    complete.append(stage)
                case Finished(stage):
                    assert stage == len(inputs) - 1
                    return True
                case Failed():
                    raise AssertionError
        return False

    over = obey(schedule.start())
    while not over:
        assert pending, "nothing runs and the query is not over"
        task = pending.pop(data.draw(st.integers(0, len(pending) - 1)))
        instructions = schedule.handle(TaskDone(task, 1))
        if data.draw(st.booleans()):
            assert schedule.handle(TaskDone(task, 1)) == []
        over = obey(instructions)
    assert complete == sorted(complete) == list(range(len(inputs)))
    assert schedule.over


def test_a_failure_ends_the_query_and_nothing_follows() -> None:
    schedule = Schedule(plan_of([()]), _tasks([3]), window=2)
    first, second = (i.task for i in schedule.start() if isinstance(i, RunTask))
    error = ValueError("x")
    assert schedule.handle(TaskFailed(first, error)) == [Failed(error)]
    assert schedule.handle(TaskDone(second, 1)) == []
    assert schedule.over


def test_enough_rows_of_the_first_tasks_end_a_stage_early() -> None:
    schedule = Schedule(plan_of([()], enough_rows=5), _tasks([4]), window=2)
    a, b = (i.task for i in schedule.start() if isinstance(i, RunTask))
    later = [i.task for i in schedule.handle(TaskDone(b, 9)) if isinstance(i, RunTask)]
    assert [task.number for task in later] == [2]
    assert schedule.handle(TaskDone(a, 1)) == [StageComplete(0, 2), Finished(0)]


def test_a_failure_behind_enough_rows_does_not_count() -> None:
    schedule = Schedule(plan_of([()], enough_rows=5), _tasks([4]), window=3)
    a, b, c = (i.task for i in schedule.start() if isinstance(i, RunTask))
    assert [type(i) for i in schedule.handle(TaskFailed(c, ValueError("x")))] == [RunTask]
    assert [type(i) for i in schedule.handle(TaskDone(b, 4))] == []
    assert schedule.handle(TaskDone(a, 1)) == [StageComplete(0, 2), Finished(0)]


def test_a_failure_before_enough_rows_counts_when_its_turn_has_come() -> None:
    schedule = Schedule(plan_of([()], enough_rows=5), _tasks([3]), window=3)
    a, b, c = (i.task for i in schedule.start() if isinstance(i, RunTask))
    error = ValueError("x")
    assert schedule.handle(TaskFailed(c, ValueError("later"))) == []
    assert schedule.handle(TaskFailed(b, error)) == []
    assert schedule.handle(TaskDone(a, 4)) == [Failed(error)]
