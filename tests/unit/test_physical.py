"""Stages and tasks: where a plan is cut, which chunks are read, in which runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eau2.catalog import ChunkKey, ChunkRef, Frame
from eau2.operators.expr import AggregateCall, Call, Column, Expr, Literal, SortKey, ref
from eau2.operators.group import FinalAggregate, PartialAggregate
from eau2.operators.join import Join
from eau2.operators.scan import ScanChunks, StageInput
from eau2.operators.sort import Limit, TopK
from eau2.planner.physical import Plan, plan
from eau2.planner.placement import surviving, tasks
from eau2.sql import logical
from eau2.types import BIGINT, BOOLEAN
from tests.unit.plans import Builder, frame


def _cut(root: logical.Logical) -> Plan:
    return plan(root, tuple(column.name for column in root.output))


def _chunked(whole: Frame, rows: int, pieces: int) -> Frame:
    """The frame cut into `pieces` chunks; chunk i claims values from i * rows on."""
    (chunk,) = whole.chunks

    def piece(number: int) -> ChunkRef:
        low, high = number * rows, (number + 1) * rows - 1
        known = tuple(replace(s, minimum=low, maximum=high) for s in chunk.statistics)
        key = ChunkKey(whole.df_id, number)
        return replace(chunk, key=key, rows=rows, statistics=known)

    return replace(whole, chunks=tuple(piece(n) for n in range(pieces)))


def _scan(rows: int, pieces: int) -> logical.Scan:
    whole = _chunked(frame("t", a=(BIGINT, range(rows))), rows, pieces)
    return logical.Scan(whole, (Column(1, "a", BIGINT),), (0,))


def _less(column: Column, value: int) -> Expr:
    return Call(BOOLEAN, "<", (ref(column), Literal(BIGINT, value)))


def test_an_aggregate_is_cut_between_its_halves() -> None:
    scan = Builder().scan("t", a=(BIGINT, [1, 2]))
    total = Column(9, "n", BIGINT)
    call = AggregateCall("count_star", None, BIGINT)
    cut = _cut(logical.Aggregate(scan, (), ((total, call),)))
    first, last = cut.stages
    assert isinstance(first.root, PartialAggregate)
    assert isinstance(first.root.input, ScanChunks)
    assert isinstance(last.root, FinalAggregate)
    assert (last.source, last.inputs) == (None, (first.id,))
    assert cut.columns == (total,)


def test_a_plain_scan_is_one_stage_whose_tasks_are_the_result() -> None:
    (only,) = _cut(Builder().scan("t", a=(BIGINT, [1]))).stages
    assert only.source is not None
    assert only.inputs == ()


def test_the_build_side_is_a_stage_of_its_own_and_the_probe_keeps_its_source() -> None:
    builder = Builder()
    left, right = builder.scan("l", a=(BIGINT, [1])), builder.scan("r", b=(BIGINT, [1]))
    pairs = ((ref(left.columns[0]), ref(right.columns[0])),)
    build, probe = _cut(logical.Join("inner", left, right, pairs)).stages
    assert probe.source is not None
    assert probe.source.frame.name == "l"
    assert isinstance(probe.root, Join)
    assert isinstance(probe.root.right, StageInput)
    assert probe.inputs == (build.id,)


def test_a_right_join_streams_the_side_it_preserves() -> None:
    builder = Builder()
    left, right = builder.scan("l", a=(BIGINT, [1])), builder.scan("r", b=(BIGINT, [1]))
    pairs = ((ref(left.columns[0]), ref(right.columns[0])),)
    probe = _cut(logical.Join("right", left, right, pairs)).stages[-1]
    assert isinstance(probe.root, Join)
    assert probe.root.kind == "left"
    assert probe.source is not None
    assert probe.source.frame.name == "r"


def test_a_full_join_sees_all_rows_at_once() -> None:
    builder = Builder()
    left, right = builder.scan("l", a=(BIGINT, [1])), builder.scan("r", b=(BIGINT, [1]))
    pairs = ((ref(left.columns[0]), ref(right.columns[0])),)
    last = _cut(logical.Join("full", left, right, pairs)).stages[-1]
    assert last.source is None
    assert len(last.inputs) == 2


def test_a_top_k_keeps_offset_and_count_rows_of_every_task() -> None:
    scan = Builder().scan("t", a=(BIGINT, [1, 2]))
    keys = (SortKey(ref(scan.columns[0])),)
    first, last = _cut(logical.Limit(logical.Sort(scan, keys), 3, 4)).stages
    assert isinstance(first.root, TopK)
    assert (first.root.count, first.root.offset) == (7, 0)
    assert isinstance(last.root, TopK)
    assert (last.root.count, last.root.offset) == (3, 4)


def test_a_limit_without_order_stops_reading_when_there_are_enough_rows() -> None:
    first, last = _cut(logical.Limit(Builder().scan("t", a=(BIGINT, [1])), 3, 4)).stages
    assert first.enough_rows == 7
    assert isinstance(last.root, Limit)
    assert (last.root.count, last.root.offset) == (3, 4)


def test_a_filter_above_a_limit_is_not_in_the_limits_stage() -> None:
    scan = Builder().scan("t", a=(BIGINT, [1, 2, 3]))
    below = logical.Limit(scan, 2)
    stages = _cut(logical.Filter(below, _less(scan.columns[0], 2))).stages
    assert stages[0].enough_rows == 2
    assert stages[0].source is not None
    assert stages[0].source.condition is None


def test_chunks_that_statistics_rule_out_are_not_read() -> None:
    scan = _scan(10, 5)
    (stage,) = _cut(logical.Filter(scan, _less(scan.columns[0], 20))).stages
    assert stage.source is not None
    assert [chunk.key.number for chunk in surviving(stage.source)] == [0, 1]
    below = logical.Filter(
        logical.Filter(scan, _less(scan.columns[0], 20)), _less(scan.columns[0], 5)
    )
    (stage,) = _cut(below).stages
    assert stage.source is not None
    assert [chunk.key.number for chunk in surviving(stage.source)] == [0]


@pytest.mark.parametrize(
    ("run_rows", "runs"), [(10, [1, 1, 1, 1, 1]), (25, [2, 2, 1]), (100, [5]), (1, [1] * 5)]
)
def test_neighbouring_chunks_run_together_up_to_a_bound(run_rows: int, runs: list[int]) -> None:
    (stage,) = _cut(_scan(10, 5)).stages
    placed = tasks(stage, run_rows, "home")
    assert [len(task.chunks) for task in placed] == runs
    assert [key.number for task in placed for key in task.chunks] == [0, 1, 2, 3, 4]
    assert [task.number for task in placed] == list(range(len(runs)))


def test_a_run_has_one_node() -> None:
    scan = _scan(10, 4)
    chunks = tuple(
        replace(chunk, locations=("a" if n < 3 else "b",))
        for n, chunk in enumerate(scan.frame.chunks)
    )
    scan = replace(scan, frame=replace(scan.frame, chunks=chunks))
    placed = tasks(_cut(scan).stages[0], 100, "home")
    assert [(task.node, len(task.chunks)) for task in placed] == [("a", 3), ("b", 1)]


def test_a_stage_of_no_chunks_still_has_a_task() -> None:
    scan = _scan(10, 2)
    (stage,) = _cut(logical.Filter(scan, _less(scan.columns[0], -5))).stages
    assert [(task.chunks, task.node) for task in tasks(stage, 100, "home")] == [((), "home")]
