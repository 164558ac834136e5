"""The rules that shape a plan: distinct, limits, sorts, projections, columns."""

from __future__ import annotations

import pytest

from eau2.operators.expr import AggregateCall, SortKey, ref
from eau2.planner.rules.merge_projections import merge_projections
from eau2.planner.rules.prune_columns import prune_columns
from eau2.planner.rules.push_limits import push_limits
from eau2.planner.rules.split_distinct import highest_id, split_distinct
from eau2.planner.rules.trim_sorts import trim_sorts
from eau2.sql.logical import Aggregate, Join, Limit, Logical, Nothing, Project, Scan, Sort
from eau2.types import BIGINT, INTEGER, VARCHAR
from tests.unit.plans import Builder, call, constant, nodes, value
from tests.unit.star_schema import STAR, bound, optimized


def scanned(plan: Logical) -> list[list[str]]:
    scans = [node for node in nodes(plan, Scan) if isinstance(node, Scan)]
    return [[column.name for column in scan.columns] for scan in scans]


def aggregates(plan: Logical) -> list[Aggregate]:
    return [node for node in nodes(plan, Aggregate) if isinstance(node, Aggregate)]


def calls(plan: Logical) -> list[AggregateCall]:
    return [item for node in aggregates(plan) for _, item in node.aggregates]


def test_one_distinct_argument_is_grouped_twice() -> None:
    plan = split_distinct(bound("SELECT m_small, count(DISTINCT m_name) FROM middle GROUP BY 1"))
    outer, inner = aggregates(plan)
    assert not nodes(plan, Join)
    assert len(inner.keys) == 2
    assert inner.aggregates == ()
    assert not outer.aggregates[0][1].distinct


def test_distinct_beside_plain_aggregates_is_joined_on_the_keys() -> None:
    plan = split_distinct(
        bound("SELECT m_small, count(DISTINCT m_name), sum(m_key) FROM middle GROUP BY 1")
    )
    (join,) = nodes(plan, Join)
    assert isinstance(join, Join)
    assert join.null_safe
    assert len(join.equalities) == 1
    assert not any(call.distinct for call in calls(plan))


def test_without_keys_the_parts_are_crossed() -> None:
    sql = "SELECT count(DISTINCT f_mode), sum(DISTINCT f_rate), max(DISTINCT f_big) FROM fact"
    plan = split_distinct(bound(sql))
    assert [join.kind for join in nodes(plan, Join) if isinstance(join, Join)] == ["cross"] * 2
    rows = STAR.builder.run(plan).rows()
    assert rows == [(4, 55, 1_499_999)]


def test_new_columns_have_new_ids() -> None:
    before = bound("SELECT count(DISTINCT f_mode), count(DISTINCT f_rate), sum(f_rate) FROM fact")
    after = split_distinct(before)
    known = {column.id for node in _all(before) for column in node.output}
    fresh = {column.id for node in _all(after) for column in node.output} - known
    assert fresh
    assert min(fresh) > highest_id(before)


def _all(plan: Logical) -> list[Logical]:
    return [plan, *(node for below in plan.inputs for node in _all(below))]


def test_a_limit_meets_its_sort_and_its_scan() -> None:
    plan = optimized(
        "SELECT b_key + 1 FROM (SELECT b_key FROM big ORDER BY b_day LIMIT 9) x LIMIT 5"
    )
    (limit,) = nodes(plan, Limit)
    assert isinstance(limit, Limit)
    assert limit.count == 5
    assert isinstance(limit.input, Sort)
    (limit,) = nodes(optimized("SELECT b_key + 1 FROM big LIMIT 5"), Limit)
    assert isinstance(limit, Limit)
    assert isinstance(limit.input, Scan)


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ((5, 0), (3, 0), (3, 0)),
        ((5, 2), (10, 1), (5, 3)),
        ((5, 8), (10, 0), (2, 8)),
        ((None, 2), (10, 0), (8, 2)),
        ((4, 2), (None, 3), (4, 5)),
    ],
)
def test_limits_merge(
    outer: tuple[int | None, int], inner: tuple[int | None, int], expected: tuple[int, int]
) -> None:
    builder = Builder()
    scan = builder.scan("t", a=(INTEGER, list(range(20))))
    plan = Limit(Limit(scan, *inner), *outer)
    merged = push_limits(plan)
    assert merged == Limit(scan, *expected)
    assert builder.run(merged).equals(builder.run(plan))


def test_limits_that_leave_nothing_or_everything() -> None:
    scan = Builder().scan("t", a=(INTEGER, [1, 2, 3]))
    assert push_limits(Limit(scan, 0)) == Nothing(scan.columns)
    assert push_limits(Limit(Limit(scan, 2), 5, 2)) == Nothing(scan.columns)
    assert push_limits(Limit(scan, None)) == scan


def order(plan: Logical, *names: str) -> Sort:
    return Sort(plan, tuple(SortKey(value(plan, name)) for name in names))


def test_orders_that_nobody_sees_are_not_made() -> None:
    builder = Builder()
    scan = builder.scan("t", a=(INTEGER, [1, 1]), b=(INTEGER, [3, 3]))
    inner = order(scan, "b")
    total = order(inner, "a", "b")
    assert trim_sorts(total) == order(scan, "a", "b")
    partial = order(inner, "a")
    assert trim_sorts(partial) == partial
    assert trim_sorts(Limit(inner, 1)) == Limit(inner, 1)
    grouped = Aggregate(inner, ((builder.column("k", INTEGER), value(scan, "a")),), ())
    assert not nodes(trim_sorts(grouped), Sort)
    joined = Join("cross", inner, builder.scan("u", c=(INTEGER, [1])))
    assert not nodes(trim_sorts(joined), Sort)


def test_keys_that_decide_nothing_are_not_compared() -> None:
    (sort,) = nodes(optimized("SELECT m_small, count(*), sum(m_key) FROM middle GROUP BY 1"), Sort)
    assert isinstance(sort, Sort)
    assert len(sort.keys) == 1
    assert not nodes(optimized("SELECT count(*), sum(m_key) FROM middle"), Sort)
    (sort,) = nodes(optimized("SELECT m_small, count(*) n FROM middle GROUP BY 1 ORDER BY n"), Sort)
    assert isinstance(sort, Sort)
    assert len(sort.keys) == 2


def test_some_of_the_group_keys_do_not_decide() -> None:
    sql = "SELECT m_small, m_name, count(*) n FROM middle GROUP BY 1, 2 ORDER BY m_small, n"
    (sort,) = nodes(optimized(sql), Sort)
    assert isinstance(sort, Sort)
    assert len(sort.keys) == 3


def test_projections_merge_unless_something_would_be_computed_twice() -> None:
    builder = Builder()
    scan = builder.scan("t", a=(INTEGER, [1, 2]))
    b, c, d = (builder.column(name, INTEGER) for name in "bcd")
    product = call("*", value(scan, "a"), value(scan, "a"))
    inner = Project(scan, ((b, product),))
    once = Project(inner, ((c, call("+", ref(b), constant(INTEGER, 1))),))
    merged = merge_projections(once)
    assert isinstance(merged, Project)
    assert merged.input == scan
    assert builder.run(merged).equals(builder.run(once))
    twice = Project(inner, ((c, ref(b)), (d, ref(b))))
    assert merge_projections(twice) == twice
    identity = Project(scan, tuple((column, ref(column)) for column in scan.columns))
    assert merge_projections(identity) == scan


def test_only_needed_columns_are_read() -> None:
    sql = (
        "SELECT f_mode, sum(f_price) FROM fact JOIN big ON f_big = b_key"
        " WHERE b_day > DATE '1995-01-01' GROUP BY 1"
    )
    columns = sorted(scanned(optimized(sql)))
    assert columns == [["b_key", "b_day"], ["f_big", "f_price", "f_mode"]]


def test_a_count_keeps_the_rows_and_reads_the_narrowest_column() -> None:
    builder = Builder()
    scan = builder.scan("t", a=(BIGINT, [1, 2]), b=(INTEGER, [1, 2]), c=(VARCHAR, ["x", "y"]))
    number = builder.column("n", BIGINT)
    counted = Aggregate(scan, (), ((number, AggregateCall("count_star", (), BIGINT)),))
    pruned = prune_columns(counted)
    assert scanned(pruned) == [["b"]]
    assert builder.run(pruned).item() == 2


def test_a_global_aggregate_of_which_nothing_is_needed_keeps_its_row() -> None:
    builder = Builder()
    scan = builder.scan("t", a=(INTEGER, [1, 2]))
    grouped = Aggregate(
        scan,
        (),
        tuple(
            (builder.column(name, BIGINT), AggregateCall("count", (value(scan, "a"),), BIGINT))
            for name in ("n", "m")
        ),
    )
    joined = Join("cross", builder.scan("u", b=(INTEGER, [1, 2, 3])), grouped)
    plan = prune_columns(Project(joined, ((builder.column("c", INTEGER), value(joined, "b")),)))
    (kept,) = aggregates(plan)
    assert len(kept.aggregates) == 1
    assert builder.run(plan).height == 3


def test_columns_of_join_conditions_are_kept() -> None:
    sql = "SELECT count(*) FROM small LEFT JOIN tiny ON s_tiny < t_key AND s_name <> t_name"
    assert sorted(scanned(optimized(sql))) == [["s_tiny", "s_name"], ["t_key", "t_name"]]


def test_group_keys_stay_and_unused_aggregates_go() -> None:
    plan = optimized(
        "SELECT n FROM (SELECT m_small k, count(*) n, sum(m_key) FROM middle GROUP BY 1) x"
    )
    (grouped,) = aggregates(plan)
    assert len(grouped.keys) == 1
    assert len(grouped.aggregates) == 1
    plan = optimized("SELECT 1 FROM (SELECT count(*), sum(m_key) FROM middle) x, tiny")
    (grouped,) = aggregates(plan)
    assert len(grouped.aggregates) == 1
    assert STAR.builder.run(plan).height == 5
