"""Sums, averages and counts of x plus a constant come from those of x; none overflows unseen."""

from __future__ import annotations

import pyarrow as pa
import pytest

import eau2
from eau2.errors import OutOfRangeError
from eau2.operators.aggregates import bind, plan_states
from eau2.operators.expr import Call, Column, ColumnRef, Expr, Literal
from eau2.types import BIGINT, HUGEINT, INTEGER, SqlType

VALUES = (None, -5, 0, 7, 1000, None, -32768)
EXPRESSIONS = (
    "x + 3",
    "3 + x",
    "x - 3",
    "3 - x",
    "10 - (x + 3)",
    "(2 - (3 - x)) - 4",
    "x + x",
    "-x",
)


@pytest.fixture(scope="module")
def con() -> eau2.Connection:
    """A table of groups; one of them has NULLs alone, and one filter leaves nothing."""
    con = eau2.connect()
    con.execute("SET chunk_rows = 3")
    table = pa.table(
        {
            "g": pa.array([1, 1, 2, 2, 2, 3, 1]),
            "x": pa.array(VALUES, pa.int32()),
        }
    )
    con.put("t", table)
    return con


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_by_groups(con: eau2.Connection, expression: str) -> None:
    aggregates = ", ".join(
        f"{name}({expression}) {where}"
        for name in ("sum", "avg", "count")
        for where in ("", "FILTER (WHERE x > 0)", "FILTER (WHERE x > 5000)")
    )
    values = con.sql(f"SELECT g, x, {expression} FROM t").fetchall()
    for group in (1, 2, 3):
        sql = f"SELECT {aggregates} FROM t WHERE g = {group}"
        (found,) = con.sql(sql).fetchall()
        kept = [
            [value for g, x, value in values if g == group and x is not None and x > least]
            for least in (-(2**31), 0, 5000)
        ]
        sums = [sum(part) if part else None for part in kept]
        means = [sum(part) / len(part) if part else None for part in kept]
        assert found == (*sums, *means, *map(len, kept))


def test_overflow_is_an_error() -> None:
    with eau2.connect() as con:
        con.put("t", pa.table({"x": pa.array([1, 2**31 - 1], pa.int32())}))
        with pytest.raises(OutOfRangeError):
            con.sql("SELECT sum(x + 1) FROM t").fetchall()
        assert con.sql("SELECT sum(x - 1) FROM t").fetchall() == [(2**31 - 2,)]


def states(*args: Expr) -> int:
    calls = tuple((Column(n, "s", HUGEINT), bind("sum", (arg,))) for n, arg in enumerate(args))
    return len(plan_states(calls).states)


def plus(x: Expr, type_: SqlType, constant: int | None, checked: bool) -> Expr:
    return Call(type_, "+", (x, Literal(type_, constant)), checked)


def test_states_are_shared_where_nothing_can_overflow() -> None:
    short, long = ColumnRef(INTEGER, 5), ColumnRef(BIGINT, 6)
    assert states(*(plus(short, INTEGER, n, False) for n in range(9))) == 2
    assert states(*(plus(short, INTEGER, n, True) for n in range(9))) == 18
    assert states(*(plus(long, BIGINT, n, False) for n in range(9))) == 18
    assert states(plus(short, INTEGER, None, False), plus(short, INTEGER, 1, False)) == 4
