"""Recursive queries: the rounds of the schedule in any order, and what nodes make of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.catalog import Frame
from eau2.cluster import Cluster
from eau2.config import LIMITS
from eau2.errors import CancelledError, DataError, NotSupportedError
from eau2.kernels.host import Cancel
from eau2.operators import aggregates
from eau2.operators.expr import Call, Column, Expr, Literal, ref
from eau2.operators.values import OneRow
from eau2.planner import schedule as schedule_room
from eau2.planner.optimizer import optimize
from eau2.planner.physical import Loop, Plan, Stage
from eau2.planner.physical import plan as cut
from eau2.planner.placement import Task
from eau2.planner.schedule import (
    Failed,
    Finished,
    Instruction,
    LoopComplete,
    RoundTaken,
    RunTask,
    Schedule,
    TakeRound,
    TaskDone,
)
from eau2.records import replace
from eau2.sql import logical
from eau2.sql.check import check
from eau2.sql.sharing import Definition, Recursive, SharedScan, With
from eau2.types import BIGINT, BOOLEAN
from tests.unit.test_cluster import Nodes, nodes

EDGES = [(a, b) for a in range(40) for b in (a * 2 % 41, (a + 7) % 37) if a % 5]
LOOP = Loop("x", 0, (1, 2), 10, 11)


def rounds_plan() -> Plan:
    inputs = [(), (10,), (1, 11), (11,)]
    stages = tuple(Stage(i, OneRow(), None, needed) for i, needed in enumerate(inputs))
    return Plan(stages, (), (), (LOOP,))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_rounds_run_one_after_another_in_any_order_of_tasks(data: st.DataObject) -> None:
    counts = {stage: data.draw(st.integers(1, 3)) for stage in range(4)}
    placed = {s: tuple(Task(s, n, (), 0, "n") for n in range(c)) for s, c in counts.items()}
    schedule = Schedule(rounds_plan(), placed, window=data.draw(st.integers(1, 4)))
    rounds = data.draw(st.lists(st.integers(1, 5), max_size=4))
    left = iter([*rounds, 0])
    pending: list[Task] = []
    ran: list[int] = []
    instructions: list[Instruction] = schedule.start()
    while not any(isinstance(i, Finished) for i in instructions):
        following: list[Instruction] = []
        for instruction in instructions:
            match instruction:
                case RunTask(task):
                    pending.append(task)
                case TakeRound(loop, stage):
                    assert stage in (0, 2)
                    following += schedule.handle(RoundTaken(loop, next(left)))
                case LoopComplete(loop):
                    assert loop == LOOP
                    assert not pending
        if not following:
            task = pending.pop(data.draw(st.integers(0, len(pending) - 1)))
            ran.append(task.stage)
            following = schedule.handle(TaskDone(task, 1))
        instructions = following
    assert next(left, None) is None
    wanted = [counts[0], *(counts[s] * len(rounds) for s in (1, 2)), counts[3]]
    assert [ran.count(stage) for stage in range(4)] == wanted


def test_a_loop_that_does_not_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule_room, "LIMITS", replace(LIMITS, recursion_rounds=3))
    placed = {s: (Task(s, 0, (), 0, "n"),) for s in range(4)}
    schedule = Schedule(rounds_plan(), placed)
    waiting: list[Instruction] = schedule.start()
    taken = 0
    while not isinstance(waiting[0], Failed):
        match waiting.pop(0):
            case RunTask(task):
                waiting += schedule.handle(TaskDone(task, 1))
            case TakeRound(loop, _):
                taken += 1
                waiting += schedule.handle(RoundTaken(loop, 1))
    assert taken == 4
    assert isinstance(waiting[0].error, DataError)
    assert 'the recursive query "x" did not end within 3 rounds' in str(waiting[0].error)


@pytest.fixture(scope="module")
def three() -> Iterator[Nodes]:
    with nodes() as made:
        a, b = zip(*EDGES, strict=True)
        table = pa.table({"a": pa.array(a, pa.int64()), "b": pa.array(b, pa.int64())})
        made.frames.stored.put("edges", table.schema, table.to_batches(), chunk_rows=20)
        yield made


class Plans:
    """Hand-made plans over the edges."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.ids = count(100)

    def column(self) -> Column:
        return Column(next(self.ids), "x", BIGINT)

    def edges(self) -> logical.Scan:
        return logical.Scan(self.frame, (self.column(), self.column()), (0, 1))

    def start(self, value: int) -> logical.Logical:
        return logical.Project(logical.OneRow(), ((self.column(), Literal(BIGINT, value)),))

    def step(self, number: int, below: int | None = None) -> logical.Logical:
        """The ends of the edges that start where the round before has ended."""
        before, scan = self.column(), self.edges()
        joined: logical.Logical = logical.Join(
            "inner",
            scan,
            SharedScan(number, (before,), (0,)),
            ((ref(scan.columns[0]), ref(before)),),
        )
        if below is not None:
            test = Call(BOOLEAN, "<", (ref(scan.columns[1]), Literal(BIGINT, below)))
            joined = logical.Filter(joined, test)
        return logical.Project(joined, ((self.column(), ref(scan.columns[1])),))

    def reached(self, start: int, distinct: bool, below: int | None = None) -> Recursive:
        number = next(self.ids)
        step = self.step(number, below)
        return Recursive(number, "x", self.start(start), step, (self.column(),), distinct)


def rows_of(cluster: Cluster, plan: logical.Logical) -> list[int]:
    check(plan)
    prepared = cluster.prepare(cut(optimize(plan), ("x",)))
    batches = list(cluster.stream(prepared))
    return sorted(value for batch in batches for (value,) in batch.rows())


def reachable(start: int) -> list[int]:
    seen, waiting = {start}, [start]
    while waiting:
        last = waiting.pop()
        new = {b for a, b in EDGES if a == last} - seen
        seen |= new
        waiting += new
    return sorted(seen)


def paths(start: int, below: int) -> list[int]:
    found, last = [start], [start]
    while last:
        last = [b for x in last for a, b in EDGES if a == x and b < below]
        found += last
    return sorted(found)


def frame_of(made: Nodes) -> Frame:
    frame = made.frames.frame("edges")
    assert frame is not None
    return frame


def test_union_reaches_each_node_of_a_graph_once(three: Nodes) -> None:
    plans = Plans(frame_of(three))
    for start in (1, 6, 5):
        assert rows_of(three.cluster, plans.reached(start, distinct=True)) == reachable(start)
    assert len(reachable(1)) > 20


def test_union_all_gives_every_path(three: Nodes) -> None:
    # Edges lead upwards only where they do not wrap, so few steps stay below 12.
    plans = Plans(frame_of(three))
    acyclic = [below for below in (4, 6, 8) if not cyclic(below)]
    for below in acyclic:
        assert rows_of(three.cluster, plans.reached(1, False, below)) == paths(1, below)
    assert acyclic


def cyclic(below: int) -> bool:
    last = {1}
    for _ in range(below + 1):
        last = {b for a, b in EDGES if a in last and b < below}
    return bool(last)


def test_a_recursion_that_is_read_twice_runs_once(three: Nodes) -> None:
    plans = Plans(frame_of(three))
    recursive = plans.reached(1, distinct=True)
    number = next(plans.ids)
    a, b = plans.column(), plans.column()
    scans = [SharedScan(number, (column,), (0,)) for column in (a, b)]
    joined = logical.Join("inner", scans[0], scans[1], ((ref(a), ref(b)),))
    total = aggregates.bind("count", ())
    plan = With(
        (Definition(number, "r", recursive),),
        logical.Aggregate(joined, (), ((Column(next(plans.ids), "n", total.type), total),)),
    )
    check(plan)
    physical = cut(optimize(plan), ("n",))
    assert len(physical.loops) == 1
    assert rows_of(three.cluster, plan) == [len(reachable(1))]


def test_what_no_round_changes_runs_once(three: Nodes) -> None:
    plans = Plans(frame_of(three))
    plan = cut(optimize(plans.reached(1, distinct=True)), ("x",))
    (loop,) = plan.loops
    reading = {stage.id for stage in plan.stages if loop.round in stage.inputs}
    assert reading <= set(loop.body)
    assert all(stage.enough_rows is None for stage in plan.stages if stage.id in loop.body)


def test_an_endless_recursion_is_refused_and_can_be_cancelled(
    three: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = Plans(frame_of(three))
    endless = endless_plan(plans)
    monkeypatch.setattr(schedule_room, "LIMITS", replace(LIMITS, recursion_rounds=20))
    with pytest.raises(DataError, match="did not end within 20 rounds"):
        rows_of(three.cluster, endless)
    cancel = Cancel()
    prepared = three.cluster.prepare(cut(optimize(endless), ("x",)))
    stream = three.cluster.stream(prepared, cancel)
    cancel.cancel()
    with pytest.raises(CancelledError):
        next(stream)


def endless_plan(plans: Plans) -> Recursive:
    number, before = next(plans.ids), plans.column()
    step = logical.Project(
        SharedScan(number, (before,), (0,)), ((plans.column(), plus_one(before)),)
    )
    return Recursive(number, "x", plans.start(0), step, (plans.column(),), False)


def plus_one(column: Column) -> Expr:
    return Call(BIGINT, "+", (ref(column), Literal(BIGINT, 1)))


def test_a_recursion_inside_the_step_of_another_is_refused(three: Nodes) -> None:
    plans = Plans(frame_of(three))
    outer = next(plans.ids)
    before = plans.column()
    inner_number = next(plans.ids)
    inner = Recursive(
        inner_number,
        "inner",
        SharedScan(outer, (before,), (0,)),
        plans.step(inner_number, 5),
        (plans.column(),),
        True,
    )
    plan = Recursive(outer, "outer", plans.start(1), inner, (plans.column(),), True)
    with pytest.raises(NotSupportedError, match='"outer" is read by another recursive query'):
        cut(optimize(plan), ("x",))
