"""Range proofs: intervals hold every value, and unchecked arithmetic never overflows."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.config import LIMITS
from eau2.operators import aggregates
from eau2.operators.expr import Call, Case, Cast, Column, Expr, Value, ref, walk
from eau2.operators.lowering import lower_expr
from eau2.operators.physical import kernel_dtype
from eau2.planner.ranges import (
    NO_EXPONENTS,
    Known,
    exponents_of,
    is_finite,
    proven,
    round_out,
    type_interval,
    union,
)
from eau2.planner.rules.prove_ranges import most_rows, prove_ranges
from eau2.records import replace
from eau2.sql.logical import Aggregate, Filter, Join, Limit, Project, Scan, Union
from eau2.sql.sharing import SharedScan
from eau2.types import (
    BIGINT,
    DATE,
    DOUBLE,
    FLOAT,
    INTEGER,
    SMALLINT,
    TINYINT,
    SqlType,
    decimal,
)
from tests.unit.plans import Builder, call, constant, statistics_of, value
from tests.unit.random_plans import bound

EXACT: dict[str, SqlType] = {
    "t": TINYINT,
    "n": SMALLINT,
    "i": INTEGER,
    "b": BIGINT,
    "m": decimal(9, 2),
    "w": decimal(18, 4),
    "d": DATE,
}
COLUMNS = tuple(Column(n, name, type_) for n, (name, type_) in enumerate(EXACT.items()))
NUMBERS = COLUMNS[:-1]


def any_value(type_: SqlType) -> st.SearchStrategy[Value]:
    low, high = type_interval(type_) or (-3000, 30_000)
    return (
        st.integers(low, high)
        | st.integers(max(low, -50), min(high, 50))
        | st.sampled_from([low, high])
        | st.none()
    )


@st.composite
def data(draw: st.DrawFn) -> pl.DataFrame:
    rows = draw(st.integers(1, 5))
    columns = {}
    for column in COLUMNS:
        wanted = st.lists(any_value(column.type), min_size=rows, max_size=rows)
        columns[column.label] = draw(wanted)
    return pl.DataFrame(columns, schema={c.label: kernel_dtype(c.type) for c in COLUMNS})


@st.composite
def arithmetic(draw: st.DrawFn, depth: int) -> Expr:
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        column = draw(st.sampled_from(NUMBERS))
        if draw(st.integers(0, 3)):
            return ref(column)
        return constant(column.type, draw(any_value(column.type)))
    below = arithmetic(depth - 1)
    first = draw(below)
    which = draw(
        st.sampled_from(
            ["+", "-", "*", "+", "-", "*", "negate", "abs", "//", "%", "case", "cast", "year"]
        )
    )
    if which == "cast":
        target = draw(st.sampled_from([*EXACT.values()][:-1]))
        return first if target == first.type else Cast(target, first, draw(st.booleans()))
    if which == "year":
        part = draw(st.sampled_from(["year", "month", "day", "dow"]))
        return bound(part, ref(COLUMNS[-1])) or first
    if which in ("negate", "abs"):
        return bound(which, first) or first
    second = draw(below)
    if which in ("//", "%"):
        second = constant(first.type, draw(st.integers(1, 9)))
    if which == "case":
        if first.type != second.type:
            return first
        return Case(first.type, ((call("is_null", second), first),), second)
    return bound(which, first, second) or first


def known_of(frame: pl.DataFrame) -> Known:
    known = Known()
    for column in COLUMNS:
        stored = frame.get_column(column.label).to_physical().to_list()
        statistics = statistics_of(column.type, stored)
        if isinstance(statistics.minimum, int) and isinstance(statistics.maximum, int):
            known.intervals[column.id] = round_out((statistics.minimum, statistics.maximum))
    return known


def computed(frame: pl.DataFrame, expr: Expr) -> list[int | None] | None:
    try:
        return frame.with_columns(r=lower_expr(expr)).get_column("r").to_list()
    except (ValueError, OverflowError, pl.exceptions.PolarsError):
        return None


@settings(max_examples=150, deadline=None)
@given(data(), arithmetic(4))
def test_what_is_proven_holds_on_every_row(frame: pl.DataFrame, expr: Expr) -> None:
    marked, interval = proven(expr, known_of(frame))
    wanted = computed(frame, expr)
    assert computed(frame, marked) == wanted
    if interval is not None:
        for number in wanted or ():
            assert number is None or interval[0] <= number <= interval[1]


@given(st.integers(-(2**70), 2**70), st.integers(0, 2**70))
def test_rounding_out_contains_the_interval(low: int, width: int) -> None:
    high = low + width
    rounded = round_out((low, high))
    assert rounded[0] <= low
    assert rounded[1] >= high
    assert round_out(rounded) == rounded


def test_a_little_more_data_leaves_bounds_as_they_are() -> None:
    assert round_out((1000, 10_494_950)) == round_out((900, 11_000_000))
    assert union([(1, 2), None]) is None
    assert union([(1, 2), (-3, 1)]) == (-3, 2)


def doubles() -> st.SearchStrategy[float | None]:
    ordinary = st.floats(min_value=-1e6, max_value=1e6)
    return st.none() | ordinary | st.floats() | st.sampled_from([5e-324, 1e308, -0.0])


X, Y = Column(0, "x", DOUBLE), Column(1, "y", DOUBLE)
SMALL, PRICE = Column(2, "k", SMALLINT), Column(3, "p", decimal(9, 2))


@st.composite
def float_arithmetic(draw: st.DrawFn, depth: int) -> Expr:
    if depth == 0:
        leaves: list[Expr] = [
            ref(X),
            ref(Y),
            Cast(DOUBLE, ref(SMALL)),
            Cast(DOUBLE, ref(PRICE)),
            Cast(DOUBLE, Cast(FLOAT, ref(X), True)),
            constant(DOUBLE, 0.0),
            constant(DOUBLE, draw(st.floats(allow_nan=False))),
        ]
        return draw(st.sampled_from(leaves))
    first, second = draw(float_arithmetic(depth - 1)), draw(float_arithmetic(depth - 1))
    which = draw(st.sampled_from(["+", "-", "*", "negate", "case"]))
    if which == "case":
        return Case(DOUBLE, ((call("is_null", first), second),), first)
    return call(which, first) if which == "negate" else call(which, first, second)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(doubles(), doubles()), min_size=1, max_size=4),
    float_arithmetic(3),
    st.data(),
)
def test_exponents_hold_every_finite_value(
    pairs: list[tuple[float | None, float | None]], expr: Expr, more: st.DataObject
) -> None:
    shorts = more.draw(st.lists(any_value(SMALLINT), min_size=len(pairs), max_size=len(pairs)))
    prices = more.draw(st.lists(any_value(decimal(9, 2)), min_size=len(pairs), max_size=len(pairs)))
    frame = pl.DataFrame(
        {"c0": [x for x, _ in pairs], "c1": [y for _, y in pairs], "c2": shorts, "c3": prices},
        schema={"c0": pl.Float64, "c1": pl.Float64, "c2": pl.Int16, "c3": pl.Int64},
    )
    known = Known()
    for column in (X, Y):
        statistics = statistics_of(DOUBLE, frame.get_column(column.label).to_list())
        if statistics.exponents is not None:
            low, high = statistics.exponents
            known.exponents[column.id] = (low, high) if low <= high else NO_EXPONENTS
        bounds = (statistics.minimum, statistics.maximum)
        if all(isinstance(bound, float) and math.isfinite(bound) for bound in bounds):
            known.finite.add(column.id)
    numbers = frame.select(r=lower_expr(expr)).get_column("r").to_list()
    if is_finite(expr, known):
        assert all(number is None or math.isfinite(number) for number in numbers)
    exponents = exponents_of(expr, known)
    if exponents is None:
        return
    for number in numbers:
        if number is not None and math.isfinite(number) and number != 0.0:
            assert exponents[0] <= math.frexp(number)[1] <= exponents[1]


def test_cancellation_leaves_tiny_differences() -> None:
    known = Known(exponents={X.id: (1, 1), Y.id: (0, 0)})
    exponents = exponents_of(call("-", ref(X), ref(Y)), known)
    tiny = 1.0 - math.nextafter(1.0, 0.0)
    assert exponents is not None
    assert exponents[0] <= math.frexp(tiny)[1]


def lineitem(claimed: int | None = None) -> tuple[Builder, Scan]:
    builder = Builder()
    scan = builder.scan(
        "lineitem",
        claimed,
        price=(decimal(15, 2), [90_000, 10_494_950]),
        discount=(decimal(15, 2), [0, 10]),
        factor=(DOUBLE, [1.5, 1000.0]),
        count=(BIGINT, [1, 2**62]),
    )
    return builder, scan


def revenue(scan: Scan) -> Expr:
    discounted = call("-", constant(INTEGER, 1), value(scan, "discount"))
    return call("*", value(scan, "price"), discounted)


def summed(builder: Builder, scan: Scan, expr: Expr) -> Aggregate:
    bound_sum = aggregates.bind("sum", (expr,))
    return Aggregate(scan, (), ((builder.column("sum", bound_sum.type), bound_sum),))


def test_revenue_needs_no_checks() -> None:
    builder, scan = lineitem(6_000_000)
    plan = prove_ranges(summed(builder, scan, revenue(scan)))
    assert isinstance(plan, Aggregate)
    (_, total), *_ = plan.aggregates
    assert total.arg is not None
    assert not any(node.checked for node in walk(total.arg) if isinstance(node, Call))
    assert not total.wide
    assert builder.run(plan).item() == 90_000 * 100 + 10_494_950 * 90


@pytest.mark.parametrize(("rows", "wide"), [(2**20, False), (2**35, True)])
def test_more_rows_need_a_wider_sum(rows: int, wide: bool) -> None:
    builder, scan = lineitem(rows)
    plan = prove_ranges(summed(builder, scan, revenue(scan)))
    assert isinstance(plan, Aggregate)
    assert plan.aggregates[0][1].wide is wide


def test_what_may_overflow_stays_checked() -> None:
    builder, scan = lineitem()
    doubled = call("+", value(scan, "count"), value(scan, "count"))
    column = builder.column("doubled", BIGINT)
    plan = prove_ranges(Project(scan, ((column, doubled),)))
    assert isinstance(plan, Project)
    assert plan.items == ((column, doubled),)
    assert doubled == replace(doubled, checked=True)


def test_float_sums_know_their_exponents() -> None:
    builder, scan = lineitem()
    plan = prove_ranges(summed(builder, scan, value(scan, "factor")))
    assert isinstance(plan, Aggregate)
    exponents = plan.aggregates[0][1].exponents
    assert exponents is not None
    assert exponents[0] <= math.frexp(1.5)[1]
    assert exponents[1] >= math.frexp(1000.0)[1]


def test_sums_of_finite_numbers_know_it() -> None:
    builder = Builder()
    scan = builder.scan(
        "t",
        3,
        plain=(DOUBLE, [-1.5, None, 1e300]),
        infinite=(DOUBLE, [1.0, math.inf]),
        nan=(DOUBLE, [1.0, math.nan]),
        none=(DOUBLE, [None]),
        short=(SMALLINT, [1, 2]),
    )
    plain = value(scan, "plain")
    halved = call("*", constant(DOUBLE, 0.5), call("abs", plain))
    wanted = {
        plain: True,
        halved: True,
        Cast(DOUBLE, value(scan, "short")): True,
        call("*", plain, plain): False,
        Cast(FLOAT, plain): False,
        value(scan, "infinite"): False,
        call("+", plain, value(scan, "nan")): False,
        value(scan, "none"): False,
        call("/", plain, plain): False,
    }
    for expr, finite in wanted.items():
        plan = prove_ranges(summed(builder, scan, expr))
        assert isinstance(plan, Aggregate)
        assert plan.aggregates[0][1].finite is finite, expr


def test_the_most_rows_that_a_plan_can_give() -> None:
    _, scan = lineitem(100)
    assert most_rows(scan) == 128
    assert most_rows(Filter(scan, call("is_null", value(scan, "price")))) == 128
    assert most_rows(Limit(scan, 7)) == 7
    assert most_rows(Join("cross", scan, scan)) == 128**2
    assert most_rows(Join("full", scan, scan)) == 128**2 + 256
    assert most_rows(Aggregate(scan, (), ())) == 1
    shared = SharedScan(7, (), ())
    assert most_rows(shared) >= LIMITS.recursion_rows
    assert most_rows(shared, {7: ((), 128)}) == 128
    assert most_rows(Aggregate(Filter(shared, call("is_null", value(scan, "price"))), (), ())) == 1
    assert most_rows(Union((scan, shared), scan.columns), {7: ((), 5)}) == 133
