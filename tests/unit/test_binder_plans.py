"""The shapes of plans: where order is made, how joins are cut, what is grouped."""

from __future__ import annotations

import pytest

from eau2.config import LIMITS
from eau2.operators.expr import Call, Column, ColumnRef, InList, Literal
from eau2.sql.logical import (
    Aggregate,
    Filter,
    Join,
    Limit,
    Logical,
    OneRow,
    Project,
    Scan,
    Sort,
)
from tests.unit.binder_tables import bound


def shape(plan: Logical) -> str:
    """The plan's operators from the root down, e.g. 'Sort(Project(Scan))'."""
    inner = ", ".join(shape(node) for node in plan.inputs)
    return type(plan).__name__ + (f"({inner})" if inner else "")


def nodes(plan: Logical) -> list[Logical]:
    return [plan, *(below for node in plan.inputs for below in nodes(node))]


def only_join(text: str) -> Join:
    (join,) = (node for node in nodes(bound(text).plan) if isinstance(node, Join))
    return join


def keys_of(plan: Logical) -> list[tuple[str, bool, bool]]:
    """The keys of the sort nearest to the root: (column name, descending, nulls last)."""
    sort = next(node for node in nodes(plan) if isinstance(node, Sort))
    names: dict[int, str] = {}
    for node in nodes(plan):
        names |= {column.id: column.name for column in node.output}
    keys = [(key.expr, key.descending, key.nulls_last) for key in sort.keys]
    return [(names[e.id], d, n) for e, d, n in keys if isinstance(e, ColumnRef)]


SHAPES = {
    "select a from t": "Project(Scan)",
    "select 1": "Project(OneRow)",
    "select a from t where b > 1": "Project(Filter(Scan))",
    "select a from (select a, b from t where b > 1) where a > 2": (
        "Project(Filter(Project(Filter(Scan))))"
    ),
    "select a from t limit 3": "Limit(Project(Scan))",
    "select sum(a) from t": "Project(Aggregate(Scan))",
    "select sum(a) from t limit 1": "Limit(Project(Aggregate(Scan)))",
    "select sum(a) from t having sum(a) > 1": "Project(Filter(Aggregate(Scan)))",
    "select a, sum(b) from t group by a": "Sort(Project(Aggregate(Scan)))",
    "select a, sum(b) from t group by a limit 3": "Limit(Sort(Project(Aggregate(Scan))))",
    "select distinct a from t": "Sort(Project(Aggregate(Project(Scan))))",
    "select distinct a from t order by a": "Sort(Project(Aggregate(Project(Scan))))",
    "select a from t order by a": "Sort(Project(Scan))",
    "select a from t order by b": "Project(Sort(Project(Scan)))",
    "select a from t order by b limit 2": "Project(Limit(Sort(Project(Scan))))",
    "select t.a from t, u": "Sort(Project(Join(Scan, Scan)))",
    "select t.a from t, u limit 1": "Limit(Sort(Project(Join(Scan, Scan))))",
    "select * from (select a from t order by b) where a > 1": (
        "Project(Filter(Project(Sort(Project(Scan)))))"
    ),
    "select * from (select a from t order by a limit 3)": "Project(Limit(Sort(Project(Scan))))",
    "select sum(a) from (select a from t order by a)": "Project(Aggregate(Project(Scan)))",
    "select sum(a) from (select a from t order by a limit 3)": (
        "Project(Aggregate(Limit(Sort(Project(Scan)))))"
    ),
    "select * from (select a from t order by a) order by a": "Sort(Project(Project(Scan)))",
    "select * from (select a, count(*) from t group by a)": (
        "Sort(Project(Project(Aggregate(Scan))))"
    ),
    "select a from t limit null": "Project(Scan)",
    "select a from t offset 2": "Limit(Project(Scan))",
}


@pytest.mark.parametrize("text", SHAPES)
def test_the_shape_of_a_plan(text: str) -> None:
    assert shape(bound(text).plan) == SHAPES[text]


def test_a_result_without_order_by_is_ordered_up_to_a_number_of_rows() -> None:
    plan = bound("select a, sum(b) as n from t group by a").plan
    assert isinstance(plan, Sort)
    assert plan.at_most_rows == LIMITS.unordered_result_rows
    assert keys_of(plan) == [("a", False, True), ("n", False, True)]


def test_a_limit_without_order_by_takes_from_a_total_order() -> None:
    plan = bound("select a, sum(b) as n from t group by a limit 5 offset 2").plan
    assert isinstance(plan, Limit)
    assert (plan.count, plan.offset) == (5, 2)
    assert isinstance(plan.input, Sort)
    assert plan.input.at_most_rows is None
    assert keys_of(plan) == [("a", False, True), ("n", False, True)]


ORDERS: dict[str, list[tuple[str, bool, bool]]] = {
    "select a, b from t order by b desc": [("b", True, True), ("a", False, True)],
    "select a, b from t order by b desc nulls first, b": [("b", True, False), ("a", False, True)],
    "select a, b from t order by 2, 1 desc": [("b", False, True), ("a", True, True)],
    "select a, b from t order by b asc nulls first": [("b", False, False), ("a", False, True)],
    "select a + 1 as q from t order by a + 1": [("q", False, True)],
    "select a + 1 as q from t order by q + 1": [("order1", False, True), ("q", False, True)],
    "select a from t order by t.A": [("a", False, True)],
    "select -a as b from t order by b": [("b", False, True)],
    "select -a as b, a as k from t order by b + 0": [
        ("order1", False, True),
        ("b", False, True),
        ("k", False, True),
    ],
    "select a, -b as a from t order by a": [("a", False, True), ("a", False, True)],
    "select a from t order by 1 + 1": [("a", False, True)],
    "select a, count(*) as n from t group by a order by count(*) desc": [
        ("n", True, True),
        ("a", False, True),
    ],
    "select a from t group by a order by sum(b)": [("order1", False, True), ("a", False, True)],
}


@pytest.mark.parametrize("text", ORDERS)
def test_sort_keys_are_total(text: str) -> None:
    assert keys_of(bound(text).plan) == ORDERS[text]


def test_order_by_means_the_last_of_equal_aliases() -> None:
    plan = bound("select a as q, -b as q from t order by q").plan
    assert isinstance(plan, Sort)
    first = plan.keys[0].expr
    assert isinstance(first, ColumnRef)
    assert first.id == plan.output[1].id


def test_an_expression_in_order_by_means_columns_before_aliases() -> None:
    plan = bound("select -a as b from t order by b + 0").plan
    assert isinstance(plan, Project)
    below = plan.input.inputs[0]
    assert isinstance(below, Project)
    scan = below.input
    assert isinstance(scan, Scan)
    hidden = below.items[1][1]
    assert isinstance(hidden, Call)
    assert hidden.args[0] == ColumnRef(scan.columns[1].type, scan.columns[1].id)


def side(join: Join, index: int) -> frozenset[int]:
    return frozenset(column.id for column in join.inputs[index].output)


@pytest.mark.parametrize("kind", ["inner", "left", "right", "full"])
def test_on_is_cut_into_equalities_and_the_rest(kind: str) -> None:
    join = only_join(f"select 1 from t {kind} join u on u.a + 1 = t.a and t.b > 5 and t.s < u.s")
    assert join.kind == kind
    ((left, right),) = join.equalities
    assert isinstance(left, ColumnRef)
    assert left.id in side(join, 0)
    assert isinstance(right, Call)
    assert join.condition is not None
    assert isinstance(join.condition, Call)
    assert join.condition.function == "and"


def test_an_equality_within_one_side_stays_a_condition() -> None:
    join = only_join("select 1 from t left join u on t.a = t.b")
    assert join.equalities == ()
    assert join.condition is not None


def test_sides_of_an_equality_have_one_type() -> None:
    join = only_join("select 1 from t join v on t.a = v.a")
    ((left, right),) = join.equalities
    assert left.type == right.type


def test_is_not_distinct_makes_a_null_safe_join() -> None:
    join = only_join("select 1 from t join u on t.a is not distinct from u.a and t.b < u.c")
    assert join.null_safe
    assert len(join.equalities) == 1
    mixed = only_join("select 1 from t join u on t.a is not distinct from u.a and t.s = u.s")
    assert not mixed.null_safe
    assert len(mixed.equalities) == 1
    assert mixed.condition is not None


def test_a_comma_is_a_cross_join_and_where_a_filter() -> None:
    plan = bound("select 1 from t, u where t.a = u.a").plan
    assert shape(plan) == "Sort(Project(Filter(Join(Scan, Scan))))"
    assert only_join("select 1 from t, u where t.a = u.a").kind == "cross"


def test_a_merged_column_is_the_side_that_always_has_a_value() -> None:
    def merged(kind: str) -> object:
        plan = bound(f"select a from t {kind} join v using (a)").plan
        join = next(node for node in nodes(plan) if isinstance(node, Join))
        project = next(node for node in nodes(plan) if isinstance(node, Project))
        expr = project.items[0][1]
        if isinstance(expr, ColumnRef):
            return "left" if expr.id in side(join, 0) else "right"
        return expr.function if isinstance(expr, Call) else expr

    assert [merged(kind) for kind in ("inner", "left", "right", "full")] == [
        "left",
        "left",
        "right",
        "coalesce",
    ]


def test_equal_aggregates_and_keys_are_computed_once() -> None:
    plan = bound("select sum(a), sum(A) + 1, t.b from t group by b, t.b order by sum(t.a)").plan
    (aggregate,) = (node for node in nodes(plan) if isinstance(node, Aggregate))
    assert len(aggregate.aggregates) == 1
    assert len(aggregate.keys) == 1


def test_every_scan_has_columns_of_its_own() -> None:
    plan = bound("select * from t x, t y").plan
    scans = [node for node in nodes(plan) if isinstance(node, Scan)]
    ids = [column.id for scan in scans for column in scan.columns]
    assert len(ids) == len(set(ids)) == 32


def test_a_list_of_constants_is_an_in_list() -> None:
    def condition(text: str) -> object:
        plan = bound(f"select 1 from t where {text}").plan
        return next(node for node in nodes(plan) if isinstance(node, Filter)).condition

    in_list = condition("m in (2.5, 3, 4.25)")
    assert isinstance(in_list, InList)
    assert in_list.values == (250, 300, 425)
    dates = condition("d in ('1970-01-02', date '1970-01-03', null)")
    assert isinstance(dates, InList)
    assert (dates.values, dates.has_null) == ((1, 2), True)
    mixed = condition("a in (1, b, 2)")
    assert isinstance(mixed, Call)
    assert mixed.function == "or"
    negated = condition("s not in ('x')")
    assert isinstance(negated, Call)
    assert negated.function == "not"


def literals(text: str) -> list[object]:
    plan = bound(f"select {text}").plan
    assert isinstance(plan, Project)
    assert isinstance(plan.input, OneRow)
    return [expr.value if isinstance(expr, Literal) else expr for _, expr in plan.items]


def test_constants_are_physical_values() -> None:
    assert literals("1.50, -2.5, date '1970-01-11', timestamp '1970-01-01 00:00:01.5'") == [
        150,
        -25,
        10,
        1_500_000,
    ]
    assert (
        literals("date '2024-2-29', date '2024/02/29', date ' 2024-02-29 10:00:00'") == [19782] * 3
    )
    assert literals("timestamp '1969-12-31 24:00:00', timestamp '1970-01-01T00:00Z'") == [0, 0]
    assert literals("current_date, today()") == [19782, 19782]
    moment = 19782 * 86_400_000_000 + (12 * 3600 + 30 * 60 + 15) * 1_000_000 + 250
    assert literals("now(), current_timestamp") == [moment, moment]


def test_long_chains_are_shallow() -> None:
    text = " or ".join(f"a = {number} and b <> {number}" for number in range(3000))
    plan = bound(f"select a from t where {text}").plan
    (condition,) = (node.condition for node in nodes(plan) if isinstance(node, Filter))
    depth, level = 0, [condition]
    while level:
        level = [child for expr in level for child in expr.children]
        depth += 1
    assert depth < 20


def test_all_output_columns_are_distinct() -> None:
    plan = bound("select a, a, t.* from t").plan
    ids = [column.id for column in plan.output]
    assert len(ids) == len(set(ids))
    assert all(isinstance(column, Column) for column in plan.output)
