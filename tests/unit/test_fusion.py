"""Fusion: which stages of a placed plan are written into the ones that read them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from eau2 import types
from eau2.catalog import Frame, FrameSchema
from eau2.cluster import Cluster
from eau2.config import LIMITS
from eau2.embedded import EmbeddedBackend
from eau2.operators import aggregates
from eau2.operators.base import Operator
from eau2.operators.expr import AggregateCall, Column, Expr, SortKey, ref
from eau2.operators.group import FinalAggregate, PartialAggregate
from eau2.operators.join import Join
from eau2.operators.scan import ScanChunks, StageInput
from eau2.operators.sort import TopK
from eau2.planner.fusion import fused
from eau2.planner.physical import Loop, Plan, Source, Stage
from eau2.planner.placement import Task
from eau2.records import replace

K, X, TOTAL = (Column(n, name, types.BIGINT) for n, name in enumerate(("k", "x", "total"), 1))
KEYS: tuple[tuple[Column, Expr], ...] = ((K, ref(K)),)
CALLS: tuple[tuple[Column, AggregateCall], ...] = ((TOTAL, aggregates.bind("sum", (ref(X),))),)
SCAN = ScanChunks((K, X), ("k", "x"))
PARTIAL = PartialAggregate(SCAN, KEYS, CALLS)
SOURCE = Source(Frame("t", "", 1, FrameSchema(()), (), ()), (K, X), (0, 1))
BELOW = Stage(0, PARTIAL, SOURCE, ())
ABOVE = Stage(1, FinalAggregate(StageInput(0, (K,)), (K,), CALLS), None, (0,))


def placed(*stages: Stage, node: str = "home", count: int = 1) -> dict[int, tuple[Task, ...]]:
    """One task of each stage, but `count` at `node` for those that scan."""
    return {
        stage.id: tuple(Task(stage.id, n, (), 7, node) for n in range(count))
        if stage.source
        else (Task(stage.id, 0, (), 0, "home"),)
        for stage in stages
    }


def stages_of(
    *stages: Stage, node: str = "home", count: int = 1, loops: tuple[Loop, ...] = ()
) -> tuple[Stage, ...]:
    """What is left of the stages."""
    tasks = placed(*stages, node=node, count=count)
    plan, left = fused(Plan(stages, (K, TOTAL), ("k", "total"), loops), tasks, ("home", ""))
    assert set(left) == {stage.id for stage in plan.stages}
    assert all(task.stage == number for number, of in left.items() for task in of)
    return plan.stages


def test_a_single_task_goes_on_with_the_next_stage() -> None:
    (only,) = stages_of(BELOW, ABOVE)
    assert only == Stage(1, FinalAggregate(PARTIAL, (K,), CALLS), SOURCE, ())
    plan = Plan((BELOW, ABOVE), (K, TOTAL), ("k", "total"))
    assert fused(plan, placed(BELOW, ABOVE), ("home",))[1] == {1: (Task(1, 0, (), 7, "home"),)}


@pytest.mark.parametrize(
    "stages",
    [
        (replace(BELOW, ordered=True), ABOVE),
        (BELOW, ABOVE, Stage(2, Join("cross", StageInput(1, ()), StageInput(0, ())), None, (1, 0))),
        (BELOW, Stage(1, Join("cross", StageInput(0, ()), StageInput(0, ())), None, (0,))),
        (BELOW, Stage(1, Join("cross", SCAN, StageInput(0, (K,))), SOURCE, (0,))),
    ],
)
def test_what_is_ordered_or_read_twice_or_built_of_stays(stages: tuple[Stage, ...]) -> None:
    assert stages[0] in stages_of(*stages)


def test_rows_of_several_tasks_or_another_node_meet_first() -> None:
    assert stages_of(BELOW, ABOVE, count=2) == (BELOW, ABOVE)
    assert stages_of(BELOW, ABOVE, node="other") == (BELOW, ABOVE)


def test_the_stages_of_a_loop_stay() -> None:
    loop = Loop("r", 0, (1,), 10, 11)
    assert stages_of(BELOW, ABOVE, loops=(loop,)) == (BELOW, ABOVE)


def test_what_a_join_builds_of_is_read_as_before() -> None:
    build = Stage(5, replace(SCAN), SOURCE, ())
    root = Join("full", StageInput(0, (K,)), StageInput(5, (X,)))
    first, second = stages_of(build, BELOW, Stage(6, root, None, (0, 5)))
    assert first == build
    assert second == Stage(6, Join("full", PARTIAL, StageInput(5, (X,))), SOURCE, (5,))


def test_a_join_reads_the_few_rows_that_are_left_of_many() -> None:
    build = Stage(5, replace(SCAN), SOURCE, ())
    root = Join("full", StageInput(0, (K,)), StageInput(5, (X,)))
    plan = Plan((build, BELOW, Stage(6, root, None, (0, 5))), (K, X), ("k", "x"))
    tasks = placed(*plan.stages) | {0: (Task(0, 0, (), LIMITS.in_memory_engine_rows + 1, "home"),)}
    assert fused(plan, tasks, ("home",))[0] == plan
    small = tasks | {0: (Task(0, 0, (), LIMITS.in_memory_engine_rows, "home"),)}
    assert len(fused(plan, small, ("home",))[0].stages) == 2


def top(below: Operator, count: int, offset: int = 0) -> TopK:
    return TopK(below, (SortKey(ref(K)),), count, offset)


def test_the_first_rows_are_taken_once() -> None:
    below = Stage(0, top(SCAN, 15), SOURCE, ())
    above = Stage(1, top(StageInput(0, (K, X)), 10, 5), None, (0,))
    (only,) = stages_of(below, above)
    assert only.root == top(SCAN, 10, 5)
    (only,) = stages_of(Stage(0, top(SCAN, 3), SOURCE, ()), above)
    assert only.root == top(top(SCAN, 3), 10, 5)


def test_the_rows_are_the_same_from_one_task_and_from_many() -> None:
    statements = (
        "SELECT k, sum(x), avg(f), min(s) FROM t GROUP BY k HAVING count(*) > 1 ORDER BY 2 DESC, 1",
        "SELECT * FROM t ORDER BY x DESC LIMIT 3 OFFSET 2",
        "SELECT string_agg(s, ',' ORDER BY x) FROM t WHERE x < 5",
        "SELECT max(n) FROM (SELECT k, count(DISTINCT s) AS n FROM t GROUP BY k) AS q",
        "SELECT a.k, b.x FROM (SELECT k, max(x) AS x FROM t GROUP BY k) AS a FULL JOIN "
        "(SELECT k, min(x) AS x FROM t WHERE k < 2 GROUP BY k) AS b USING (k) ORDER BY 1, 2",
    )
    table = pa.table(
        {
            "k": [n % 5 for n in range(100)],
            "x": list(range(100)),
            "f": [n / 7 for n in range(100)],
            "s": [str(n % 11) for n in range(100)],
        }
    )
    one, many = EmbeddedBackend(None, None, None), EmbeddedBackend(None, None, None)
    many.run("SET chunk_rows = 7", None, None)
    many.engine.moved(Cluster(many.cluster.home, run_rows=14))
    for backend in (one, many):
        backend.register("t", table.schema, iter(table.to_batches()))
    for statement in statements:
        rows = [backend.run(statement, None, None).fetchall() for backend in (one, many)]
        assert rows[0] == rows[1]
        assert rows[0]
