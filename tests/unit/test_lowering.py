"""Lowering of whole expressions: guards, failures and their messages, the size of the result."""

from __future__ import annotations

import polars as pl
import pytest

from eau2.errors import OutOfRangeError
from eau2.operators import coercion
from eau2.operators.expr import Call, Case, Cast, ColumnRef, Expr, Literal, columns_of
from eau2.operators.functions import table
from eau2.operators.lowering import Given, diagnosis, lower_expr
from eau2.types import INTEGER, VARCHAR, decimal
from tests.unit.scalar_oracle import FAILURES

A, B, S = ColumnRef(INTEGER, 0), ColumnRef(INTEGER, 1), ColumnRef(VARCHAR, 2)
FRAME = pl.DataFrame(
    {"c0": [10, 10, None], "c1": [0, 5, 0], "c2": ["x", "3", None]},
    schema={"c0": pl.Int32, "c1": pl.Int32, "c2": pl.String},
)
QUOTIENT = table.bind("//", (A, B))
NOT_ZERO = table.bind("<>", (B, Literal(INTEGER, 0)))
BIG = table.bind(">", (QUOTIENT, Literal(INTEGER, 1)))


def results(expr: Expr, diagnose: bool = False) -> list[object]:
    """The expression over FRAME, the same in both engines, quick and diagnosing."""
    found = [
        FRAME.lazy().select(lower_expr(expr, d).alias("r")).collect(engine=e)["r"].to_list()
        for e in ("in-memory", "streaming")
        for d in (False, True)
    ]
    assert all(one == found[0] for one in found)
    values: list[object] = found[0]
    return values


def test_trap_case_protects_what_fails() -> None:
    case = Case(INTEGER, ((NOT_ZERO, QUOTIENT),), Literal(INTEGER, -1))
    assert results(case) == [-1, 2, -1]


def test_trap_case_protects_casts_in_later_branches() -> None:
    is_x = table.bind("=", (S, Literal(VARCHAR, "x")))
    number = coercion.cast(S, INTEGER)
    assert results(Case(INTEGER, ((is_x, Literal(INTEGER, 0)),), number)) == [0, 3, None]


def test_nested_cases_protect() -> None:
    inner = Case(INTEGER, ((NOT_ZERO, QUOTIENT),), Literal(INTEGER, -1))
    is_x = table.bind("=", (S, Literal(VARCHAR, "x")))
    outer = Case(INTEGER, ((table.bind("not", (is_x,)), coercion.cast(S, INTEGER)),), inner)
    assert results(outer) == [-1, 3, -1]


def test_and_protects_its_right_side() -> None:
    assert results(table.bind("and", (NOT_ZERO, BIG))) == [False, True, False]


def test_or_protects_its_right_side() -> None:
    is_zero = table.bind("=", (B, Literal(INTEGER, 0)))
    assert results(table.bind("or", (is_zero, BIG))) == [True, True, True]


def test_coalesce_protects_later_arguments() -> None:
    guarded = table.bind("coalesce", (table.bind("nullif", (B, Literal(INTEGER, 5))), QUOTIENT))
    assert results(guarded) == [0, 2, 0]


def test_unguarded_failures_fail_with_a_message() -> None:
    with pytest.raises(FAILURES) as caught:
        FRAME.select(lower_expr(QUOTIENT, diagnose=True))
    error = diagnosis(str(caught.value))
    assert isinstance(error, OutOfRangeError)
    assert error.message == "division by zero: 10 // 0"


def test_a_guard_silences_rows_outside() -> None:
    for expr in (QUOTIENT, Cast(INTEGER, S), table.bind("*", (A, Literal(INTEGER, 2**30)))):
        for diagnose in (False, True):
            FRAME.select(lower_expr(expr, diagnose, pl.col("c1") > 100))


def test_deep_expressions_stay_small() -> None:
    wide: Expr = ColumnRef(decimal(9, 2), 0)
    quotient: Expr = A
    for _ in range(12):
        wide = table.bind("*", (coercion.cast(wide, decimal(18, 2)), Literal(decimal(1, 0), 1)))
        quotient = table.bind("//", (quotient, table.bind("coalesce", (B, Literal(INTEGER, 1)))))
    for expr in (wide, quotient):
        assert len(str(lower_expr(expr, diagnose=True))) < 20_000


def test_what_is_lowered_already_reads_its_column() -> None:
    given = Given(INTEGER, 7, pl.col("c7"))
    assert columns_of(Call(INTEGER, "+", (given, given))) == {7}
