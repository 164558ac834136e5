"""Expand: the operator, its place on the wire and in texts, and what the rules make of the node."""

from __future__ import annotations

import polars as pl
import pytest

from eau2.errors import InternalError
from eau2.operators.aggregates import bind
from eau2.operators.base import Lowering, lower
from eau2.operators.codec import FragmentError, from_plain, to_plain
from eau2.operators.expand import Expand
from eau2.operators.expr import Column, Expr, ref
from eau2.operators.scan import StageInput
from eau2.operators.text import to_text
from eau2.planner import estimate
from eau2.planner.physical import plan as physical
from eau2.planner.rules.fold_constants import fold_constants
from eau2.planner.rules.prove_ranges import most_rows, prove_ranges
from eau2.planner.rules.prune_columns import prune_columns
from eau2.planner.rules.push_filters import push_filters
from eau2.sql import logical
from eau2.sql.check import check
from eau2.sql.plan_text import to_text as plan_text
from eau2.types import BIGINT, INTEGER
from tests.unit.plans import Builder, call, constant, nodes, same_rows, value

A, B = Column(1, "a", INTEGER), Column(2, "b", INTEGER)
KEY_A, KEY_B = Column(3, "ka", INTEGER), Column(4, "kb", INTEGER)
SET = Column(5, "set", BIGINT)
EXPAND = Expand(StageInput(0, (A, B)), ((KEY_A, ref(A)), (KEY_B, ref(B))), ((0, 1), (0,), ()), SET)


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_each_row_comes_once_for_each_set(engine: str) -> None:
    rows = pl.LazyFrame({"c1": [1, None], "c2": [7, 8]}, schema={"c1": pl.Int32, "c2": pl.Int32})
    given = lower(EXPAND, Lowering(None, {0: rows}))
    result = given.collect(engine="streaming" if engine == "streaming" else "in-memory")
    assert result.columns == ["c1", "c2", "c3", "c4", "c5"]
    assert result.dtypes == [pl.Int32, pl.Int32, pl.Int32, pl.Int32, pl.Int64]
    assert sorted(result.rows(), key=repr) == sorted(
        [
            (1, 7, 1, 7, 0),
            (1, 7, 1, None, 1),
            (1, 7, None, None, 2),
            (None, 8, None, 8, 0),
            (None, 8, None, None, 1),
            (None, 8, None, None, 2),
        ],
        key=repr,
    )


def test_rows_without_columns_are_copied_too() -> None:
    tree = Expand(StageInput(0, ()), (), ((), ()), SET)
    rows = pl.LazyFrame({"height": [False, False, False]})
    copies = lower(tree, Lowering(None, {0: rows})).collect()
    assert sorted(copies.rows()) == [(0,)] * 3 + [(1,)] * 3


def test_it_travels_and_can_be_read() -> None:
    assert from_plain(to_plain(EXPAND)) == EXPAND
    assert to_text(EXPAND).splitlines()[0] == (
        "Expand ka := a, kb := b, set for (ka, kb), (ka), ()"
    )
    plain = to_plain(EXPAND)
    plain[1][3] = [[2]]
    with pytest.raises(FragmentError, match="key that is not there"):
        from_plain(plain)


def rollup(builder: Builder) -> logical.Aggregate:
    """ROLLUP (a, b) of sum(b)."""
    scan = builder.scan(
        "t", a=(INTEGER, [1, 1, None]), b=(INTEGER, [1, 2, 3]), c=(INTEGER, [0] * 3)
    )
    keys = tuple((builder.column(n, INTEGER), value(scan, n)) for n in ("a", "b"))
    number = builder.column("set", BIGINT)
    expand = logical.Expand(scan, keys, ((0, 1), (0,), ()), number)
    return logical.Aggregate(
        expand,
        tuple((builder.column(c.name, c.type), ref(c)) for c in (*(c for c, _ in keys), number)),
        (
            (
                builder.column("n", bind("sum", (ref(scan.columns[1]),)).type),
                bind("sum", (value(scan, "b"),)),
            ),
        ),
    )


def test_rules_keep_its_rows() -> None:
    builder = Builder()
    plan = rollup(builder)
    check(plan)
    expected = builder.run(plan)
    assert expected.height == 6
    for rule in (prune_columns, push_filters, fold_constants, prove_ranges):
        plan_after = rule(plan)
        check(plan_after)
        assert same_rows(builder.run(plan_after), expected)
    pruned = prune_columns(plan)
    (scan,) = nodes(pruned, logical.Scan)
    assert [column.name for column in scan.output] == ["a", "b"]


def test_a_condition_on_a_key_stays_above_the_copies() -> None:
    builder = Builder()
    plan = rollup(builder)
    condition = call("is_not_null", ref(plan.keys[0][0]))
    filtered = logical.Filter(plan, condition)
    pushed = push_filters(filtered)
    check(pushed)
    assert same_rows(builder.run(pushed), builder.run(filtered))
    assert not isinstance(pushed, logical.Filter)
    (expand,) = nodes(pushed, logical.Expand)
    assert isinstance(expand.inputs[0], logical.Scan)


def test_keys_that_nobody_reads_are_not_computed() -> None:
    builder = Builder()
    expand = rollup(builder).input
    assert isinstance(expand, logical.Expand)
    narrow = logical.Project(expand, ((builder.column("k", INTEGER), ref(expand.keys[1][0])),))
    pruned = prune_columns(narrow)
    check(pruned)
    (kept,) = nodes(pruned, logical.Expand)
    assert isinstance(kept, logical.Expand)
    assert kept.sets == ((0,), (), ())
    assert same_rows(builder.run(pruned), builder.run(narrow))


def test_what_planning_believes_of_it() -> None:
    builder = Builder()
    plan = rollup(builder)
    assert estimate.rows(plan.input) == 9
    assert most_rows(plan.input) == 12
    nothing = fold_constants(
        logical.Aggregate(
            logical.Expand(
                logical.Filter(builder.scan("u", a=(INTEGER, [1])), constant_false()),
                (),
                ((), ()),
                SET,
            ),
            ((builder.column("set", BIGINT), ref(SET)),),
            (),
        )
    )
    assert isinstance(nothing, logical.Nothing)
    assert plan_text(plan).splitlines()[1].strip().startswith("Expand [")


def constant_false() -> Expr:
    return call("=", constant(INTEGER, 1), constant(INTEGER, 2))


def test_it_runs_where_its_source_runs() -> None:
    stages = physical(rollup(Builder()), ("a", "b", "set", "n")).stages
    assert [stage.source is not None for stage in stages] == [True, False]
    assert "Expand" in to_text(stages[0].root)


def test_a_malformed_one_is_found() -> None:
    builder = Builder()
    scan = builder.scan("t", a=(INTEGER, [1]))
    number = builder.column("set", BIGINT)
    with pytest.raises(InternalError, match="not there"):
        check(logical.Expand(scan, (), ((0,),), number))
    with pytest.raises(InternalError, match="numbered"):
        check(logical.Expand(scan, (), ((),), builder.column("set", INTEGER)))
