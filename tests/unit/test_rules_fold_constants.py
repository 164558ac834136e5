"""Simplifying expressions: the same value on every row, and the simpler forms that matter."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings

from eau2.operators.expr import Case, Cast, Column, Expr, InList, Literal, Value, ref
from eau2.operators.lowering import lower_expr
from eau2.operators.physical import kernel_dtype
from eau2.planner.rules.fold_constants import fold_constants
from eau2.planner.simplify import as_filter, simplified
from eau2.sql.logical import Aggregate, Filter, Join, Limit, Nothing, Project, Scan, Sort
from eau2.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    SMALLINT,
    TIMESTAMP,
    VARCHAR,
    SqlType,
    decimal,
)
from tests.unit.plans import TRUE, Builder, call, constant, nodes, value
from tests.unit.random_plans import DAY, MONEY, SMALL, conditions, numbers, tables

TYPES: dict[str, SqlType] = {
    "i": INTEGER,
    "n": SMALLINT,
    "b": BIGINT,
    "f": DOUBLE,
    "s": VARCHAR,
    "d": DATE,
    "m": MONEY,
    "p": BOOLEAN,
}
COLUMNS = tuple(Column(n, name, type_) for n, (name, type_) in enumerate(TYPES.items()))
WHOLE, SHORT, DAYS, MONEYS, TRUTH = (ref(COLUMNS[n]) for n in (0, 1, 5, 6, 7))
NULL = Literal(BOOLEAN, None)
FALSE = Literal(BOOLEAN, False)


def frame(rows: dict[str, tuple[SqlType, list[Value]]]) -> pl.DataFrame:
    return pl.DataFrame(
        {c.label: rows[c.name][1] for c in COLUMNS},
        schema={c.label: kernel_dtype(c.type) for c in COLUMNS},
    )


def values(of: pl.DataFrame, expr: Expr) -> list[str]:
    return [repr(v) for v in of.with_columns(result=lower_expr(expr)).get_column("result")]


@settings(max_examples=150, deadline=None)
@given(tables(TYPES, SMALL), conditions(COLUMNS, 3))
def test_conditions_keep_their_value(
    rows: dict[str, tuple[SqlType, list[Value]]], condition: Expr
) -> None:
    of = frame(rows)
    try:
        wanted = values(of, condition)
    except (ValueError, pl.exceptions.PolarsError):
        return
    assert values(of, simplified(condition)) == wanted
    kept = [text == "True" for text in wanted]
    assert [text == "True" for text in values(of, as_filter(condition))] == kept


@settings(max_examples=100, deadline=None)
@given(tables(TYPES, SMALL), numbers(COLUMNS, INTEGER, 3))
def test_numbers_keep_their_value(rows: dict[str, tuple[SqlType, list[Value]]], expr: Expr) -> None:
    of = frame(rows)
    try:
        wanted = values(of, expr)
    except (ValueError, pl.exceptions.PolarsError):
        return
    simpler = simplified(expr)
    assert simpler.type == expr.type
    assert values(of, simpler) == wanted


def test_constants_are_computed() -> None:
    assert simplified(call("+", constant(INTEGER, 1), constant(INTEGER, 2))) == Literal(INTEGER, 3)
    assert simplified(Cast(INTEGER, constant(VARCHAR, "12"))) == Literal(INTEGER, 12)
    assert simplified(Cast(TIMESTAMP, constant(DATE, 2))) == Literal(TIMESTAMP, 2 * DAY)


def test_a_failing_constant_is_left_to_fail_when_it_is_reached() -> None:
    failing = Cast(INTEGER, constant(VARCHAR, "one"))
    assert simplified(failing) == failing
    largest = constant(INTEGER, 2**31 - 1)
    overflow = call("+", largest, constant(INTEGER, 1))
    assert simplified(overflow) == overflow
    hidden = Case(INTEGER, ((constant(BOOLEAN, False), failing),), constant(INTEGER, 1))
    assert simplified(hidden) == Literal(INTEGER, 1)


def test_truth_values_with_constants() -> None:
    positive = call(">", WHOLE, constant(INTEGER, 0))
    assert simplified(call("and", positive, TRUE)) == positive
    assert simplified(call("and", FALSE, positive)) == FALSE
    assert simplified(call("or", positive, TRUE)) == TRUE
    assert simplified(call("not", call("not", positive))) == positive
    assert simplified(call("not", positive)) == call("<=", WHOLE, constant(INTEGER, 0))
    assert simplified(call("and", positive, NULL)) == call("and", positive, NULL)
    assert as_filter(call("and", positive, NULL)) == FALSE
    assert simplified(call("=", TRUTH, TRUE)) == TRUTH
    assert simplified(call("<", WHOLE, constant(INTEGER, None))) == NULL


@pytest.mark.parametrize(
    ("operator", "moment", "expected"),
    [
        ("<", 3 * DAY, ("<", 3)),
        ("<", 3 * DAY + 1, ("<=", 3)),
        (">=", 3 * DAY, (">=", 3)),
        (">=", 3 * DAY + 1, (">", 3)),
        ("=", -DAY, ("=", -1)),
        (">", -1, (">", -1)),
    ],
)
def test_a_date_is_compared_as_a_date(
    operator: str, moment: int, expected: tuple[str, int]
) -> None:
    comparison = call(operator, Cast(TIMESTAMP, DAYS), constant(TIMESTAMP, moment))
    name, day = expected
    assert simplified(comparison) == call(name, DAYS, constant(DATE, day))


def test_a_cast_comes_off_where_it_loses_nothing() -> None:
    wide = Cast(decimal(14, 4), MONEYS)
    assert simplified(call("<", constant(decimal(14, 4), 50_000), wide)) == call(
        ">", MONEYS, constant(MONEY, 500)
    )
    assert as_filter(call("=", wide, constant(decimal(14, 4), 50_001))) == FALSE
    beyond = call("<", Cast(BIGINT, WHOLE), constant(BIGINT, 2**40))
    assert as_filter(beyond) == call("is_not_null", WHOLE)
    edge = call("<", Cast(BIGINT, WHOLE), constant(BIGINT, 2**31 - 1))
    assert simplified(edge) == call("<", WHOLE, constant(INTEGER, 2**31 - 1))
    narrow = Cast(SMALLINT, WHOLE)
    comparison = call("=", narrow, constant(SMALLINT, 1))
    assert simplified(comparison) == comparison
    longer = InList(BOOLEAN, Cast(BIGINT, SHORT), (1, 2, 10**9))
    assert simplified(longer) == InList(BOOLEAN, SHORT, (1, 2))


def test_equalities_joined_by_or_are_a_list() -> None:
    one, two, three = (call("=", WHOLE, constant(INTEGER, n)) for n in (1, 2, 3))
    gathered = simplified(call("or", call("or", one, two), three))
    assert gathered == InList(BOOLEAN, WHOLE, (1, 2, 3))
    assert simplified(InList(BOOLEAN, WHOLE, (7, 7))) == call("=", WHOLE, constant(INTEGER, 7))


def scans() -> tuple[Builder, Scan, Scan]:
    builder = Builder()
    left = builder.scan("l", a=(INTEGER, [1, 2]), b=(VARCHAR, ["x", "y"]))
    right = builder.scan("r", c=(INTEGER, [1, None]))
    return builder, left, right


def test_contradictions_leave_nothing() -> None:
    builder, left, right = scans()
    never = Filter(right, call("=", value(right, "c"), constant(INTEGER, None)))
    assert fold_constants(never) == Nothing(right.output)
    assert fold_constants(Filter(left, TRUE)) == left
    assert fold_constants(Limit(left, 0)) == Nothing(left.output)
    assert fold_constants(Sort(never, ())) == Nothing(right.output)
    joined = Join("inner", left, never, ((value(left, "a"), value(right, "c")),))
    assert fold_constants(joined) == Nothing(joined.output)
    count = builder.column("n", BIGINT)
    assert nodes(fold_constants(Aggregate(never, (), ())), Aggregate)
    assert fold_constants(Aggregate(never, ((count, value(right, "c")),), ())) == Nothing((count,))


def test_an_outer_join_with_nothing_is_padded() -> None:
    builder, left, right = scans()
    never = Filter(right, FALSE)
    joined = Join("left", left, never, ((value(left, "a"), value(right, "c")),))
    folded = fold_constants(joined)
    assert isinstance(folded, Project)
    assert folded.output == joined.output
    assert builder.run(folded).rows() == [(1, "x", None), (2, "y", None)]
    assert fold_constants(Join("anti", left, never)) == left
