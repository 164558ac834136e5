"""CASE step by step: what fails is computed for the rows that reach it, however long it is."""

from __future__ import annotations

import time

import pytest

import eau2
from eau2.errors import Error
from eau2.operators.expr import Case, Expr, Literal
from eau2.operators.functions.table import bind
from eau2.operators.lowering import lower_condition
from eau2.types import BIGINT, BOOLEAN, VARCHAR
from tests.unit.random_lets import X, Y, let
from tests.unit.test_let import ROWS, run

ZERO, ONE = Literal(BIGINT, 0), Literal(BIGINT, 1)
QUOTIENT = bind("//", (Literal(BIGINT, 10), X))


def case(*parts: Expr) -> Case:
    """Conditions and results in turn, and the ELSE."""
    pairs = zip(parts[:-1:2], parts[1::2], strict=True)
    return Case(parts[-1].type, tuple(pairs), parts[-1])


def number(value: int) -> Literal:
    return Literal(BIGINT, value)


def test_a_condition_fails_for_no_row_that_one_before_has_taken() -> None:
    """Both can fail: the first overflows, and the second divides by zero."""
    none = bind("=", (bind("+", (X, X)), ZERO))
    some = bind(">", (QUOTIENT, number(4)))
    assert run(case(none, number(-1), some, Y, QUOTIENT)) == [10, None, None, -1, 2]
    with pytest.raises(Error, match="zero"):
        run(case(some, Y, none, number(-1), QUOTIENT))
    later = case(none, number(-1), some, Y, bind("=", (QUOTIENT, X)), X, QUOTIENT)
    assert run(later) == [10, None, None, -1, 2]


def test_rows_outside_of_its_guard_never_fail() -> None:
    inner = case(bind(">", (QUOTIENT, number(4))), Y, bind("=", (QUOTIENT, X)), X, QUOTIENT)
    outer = case(bind("=", (X, ZERO)), number(-1), inner)
    assert run(outer) == [10, None, None, -1, 2]
    condition = bind("and", (bind("<>", (X, ZERO)), bind(">", (inner, ONE))))
    assert ROWS.filter(lower_condition(condition)).get_column("c1").to_list() == [1, 5]
    assert run(let(bind("+", (X, Y)), outer)) == [10, None, None, -1, 2]


def test_constants_and_no_rows() -> None:
    sure = case(bind("=", (bind("+", (ONE, ONE)), ZERO)), ZERO,
                bind("=", (bind("//", (ONE, ONE)), ONE)), number(5), ZERO)  # fmt: skip
    assert run(sure) == [5] * 5
    for rows in (ROWS.head(0), ROWS.head(1)):
        assert run(sure, rows) == [5] * len(rows)
        divided = case(bind("=", (QUOTIENT, ONE)), X, bind("=", (QUOTIENT, X)), Y, X)
        assert run(divided, rows) == [1] * len(rows)
    unreached = case(bind("=", (bind("+", (X, X)), X)), number(7),
                     bind("is_null", (bind("//", (ONE, ZERO)),)), ONE, ZERO)  # fmt: skip
    assert run(unreached, ROWS.filter(c1=0)) == [7]


def test_a_chain_of_any_length_is_computed_in_time() -> None:
    """Guards that are written out would grow with the square of the length, or double."""
    parts: list[Expr] = []
    for n in range(300):
        parts += [bind("=", (bind("+", (X, number(n))), number(n + 1))), bind("+", (Y, number(n)))]
    begun = time.monotonic()
    assert run(case(*parts, QUOTIENT), ROWS.filter(c1=1)) == [10]
    assert run(case(*parts, bind("+", (X, ONE))))[4] == 6
    nested: Expr = QUOTIENT
    for n in range(80):
        nested = case(bind("=", (bind("+", (X, number(n))), number(-1))), Y, nested)
    assert run(nested, ROWS.filter(c1=5)) == [2]
    inside: Expr = bind(">", (QUOTIENT, ZERO))
    for _ in range(40):
        inside = case(inside, bind(">", (QUOTIENT, ONE)), Literal(BOOLEAN, False))
    assert run(inside, ROWS.filter(c1=5)) == [True]
    assert time.monotonic() - begun < 30


def test_texts_and_truths() -> None:
    words = case(bind("=", (QUOTIENT, number(10))), Literal(VARCHAR, "ten"),
                 bind("=", (QUOTIENT, number(5))), Literal(VARCHAR, None),
                 Literal(VARCHAR, "else"))  # fmt: skip
    rows = ROWS.filter(ROWS.get_column("c1").fill_null(1) != 0)
    assert run(words, rows) == ["ten", None, "else", "else"]


def test_constants_beside_what_a_guard_makes_null_for_every_row() -> None:
    # Polars makes one row of `constant = column` when the column is NULL throughout.
    with eau2.connect() as connection:
        connection.sql(
            "CREATE FUNCTION f(p BIGINT, q BIGINT) RETURNS BOOLEAN LANGUAGE python AS $$\n"
            "def f(p, q):\n"
            "    if 10 // p > 3:\n"
            "        return True\n"
            "    elif 10 // q > 5:\n"
            "        return ['a', 'b'] == [y for x in range(2) for y in ['a', 'b']]\n"
            "    return p // q == 1\n"
            "$$"
        )
        rows = "FROM (VALUES (1, 2), (2, 5), (9, 9)) t(a, b)"
        for row in ("a, b", "b, b"):
            found = connection.sql(f"SELECT f({row}) {rows}").fetchall()
            assert found == [(True,)] * 3
        assert connection.sql(f"SELECT f(9, 1) {rows}").fetchall() == [(False,)] * 3
