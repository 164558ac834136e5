"""Constants computed without a kernel: the same as with one, or left to it."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from eau2 import types
from eau2.operators.exact_constants import exact_value
from eau2.operators.expr import Call, Cast, Expr, Literal
from eau2.operators.functions.table import bind
from eau2.operators.lowering import lower_expr
from eau2.types import BIGINT, DATE, INTEGER, TIMESTAMP, decimal

TYPES = (
    types.TINYINT,
    INTEGER,
    BIGINT,
    types.HUGEINT,
    types.UINTEGER,
    decimal(4, 2),
    decimal(15, 3),
)


def by_kernel(expr: Expr) -> object:
    """The value that the kernels give; the exception's class when they refuse."""
    try:
        series = pl.select(value=lower_expr(expr)).to_series()
    except (pl.exceptions.PolarsError, ValueError, ArithmeticError) as error:
        return type(error)
    return (series.to_physical() if expr.type.is_temporal else series).item()


def numbers() -> st.SearchStrategy[Expr]:
    values = st.sampled_from([0, 1, -1, 3, 99, 100, 127, -128, 9999, 2**31 - 1, 2**62])

    def literal(type_: types.SqlType, value: int) -> Expr:
        return Literal(type_, value % (100 if type_.kind in (types.Kind.TINYINT,) else 10_000))

    leaves = st.builds(literal, st.sampled_from(TYPES), values)

    def more(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        calls = st.builds(
            lambda name, a, b: bind(name, (a, b)), st.sampled_from("+-*"), inner, inner
        )
        return calls | st.builds(lambda a, t: Cast(t, a), inner, st.sampled_from(TYPES))

    return st.recursive(leaves, more, max_leaves=5)


@given(numbers())
def test_exact_arithmetic_is_that_of_kernels(expr: Expr) -> None:
    found = exact_value(expr)
    assert found is None or found == by_kernel(expr)


@given(
    st.integers(-40_000, 90_000),
    st.integers(-1000, 1000),
    st.integers(-10_000, 10_000),
    st.integers(-(10**12), 10**12),
)
def test_moved_dates_are_those_of_kernels(day: int, months: int, days: int, micros: int) -> None:
    parts = (Literal(INTEGER, months), Literal(INTEGER, days), Literal(BIGINT, micros))
    expr = Call(TIMESTAMP, "add_interval", (Cast(TIMESTAMP, Literal(DATE, day)), *parts))
    found = exact_value(expr)
    assert found is None or found == by_kernel(expr)


def test_months_keep_the_day_where_it_exists() -> None:
    def moved(day: int, months: int) -> int | None:
        parts = (Literal(INTEGER, months), Literal(INTEGER, 0), Literal(BIGINT, 0))
        return exact_value(
            Call(TIMESTAMP, "add_interval", (Cast(TIMESTAMP, Literal(DATE, day)), *parts))
        )

    assert moved(30, 1) == (31 + 27) * 86_400_000_000, "January 31 to February 28, 1970"
    assert moved(8766, 12) == 9131 * 86_400_000_000
    assert moved(10**6, 1) is None, "far away days are left to kernels"


def test_what_does_not_fit_or_is_rounded_is_left_to_kernels() -> None:
    assert exact_value(Cast(types.TINYINT, Literal(INTEGER, 128))) is None
    assert exact_value(Cast(INTEGER, Literal(decimal(4, 2), 150))) is None
    assert exact_value(bind("+", (Literal(INTEGER, 2**31 - 1), Literal(INTEGER, 1)))) is None
    assert exact_value(Literal(types.BOOLEAN, True)) is None
    assert exact_value(Literal(INTEGER, None)) is None
    assert exact_value(bind("+", (Literal(INTEGER, 1), Literal(INTEGER, 10)))) == 11
