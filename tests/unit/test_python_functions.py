"""Functions in Python as programs write them: what they become, and how they run."""

from __future__ import annotations

import datetime
import math
import math as m
from collections.abc import Iterator
from math import log as natural
from typing import Any

import pyarrow as pa
import pytest

import eau2
from eau2.errors import FunctionFailedError, OutOfRangeError, UsageError

LIMIT = 5
NAMES = ("ada", "grace")
DAY = datetime.date(2020, 2, 29)
NOWHERE: tuple[int, ...] = ()


@eau2.function
def small(x: int) -> bool:
    """Whether x is below the limit."""
    return x < LIMIT


@eau2.function
def near(x: int, y: float) -> bool:
    return small(x) and y < 2.5


@eau2.function
def named(s: str) -> bool:
    return s in NAMES


@eau2.function
def since(d: datetime.date) -> bool:
    return d >= DAY


@eau2.function
def logs(x: float) -> float:
    return natural(x) + m.log(x, 2) - math.pi


@eau2.function
def divided(a: int, b: int) -> float:
    if b == 0:
        return 0.0
    return a / b


@eau2.function
def nowhere(a: int) -> bool:
    return (3 // (a - a)) in NOWHERE


@eau2.function
def clamped(y: float) -> float:
    return max(0, y - 1.5) if y < 5 else 5


@eau2.function
def whole(a: int, b: int) -> int:
    return a // b


@eau2.function
def turned(a: int, b: int) -> int:
    return whole(b=a, a=b)


@eau2.function
def kind(n: int | None) -> str:
    if n is None:
        return "unknown"
    match n:
        case 0:
            name = "none"
        case 1 | 2:
            name = "few"
        case _:
            name = f"{n} of them"
    return "debt" if n < 0 else name


@eau2.function
def total(xs: list[int | None], most: int) -> int:
    result = 0
    for x in xs:
        if x is None:
            continue
        if result + x > most:
            break
        result += x
    return result


@eau2.function
def power_of_two(n: int) -> int:
    result = 1
    for _ in range(n):
        result *= 2
    return result


@eau2.function(name="twice")
def doubled(x: int) -> int:
    y = x
    y, z = y + y, y
    return y if z >= 0 else -z * -2


ALL: tuple[Any, ...] = (
    *(small, near, named, since, logs, divided, clamped, nowhere, whole, turned, kind),
    *(total, power_of_two, doubled),
)


@pytest.fixture
def con() -> Iterator[eau2.Connection]:
    with eau2.connect() as connection:
        rows = {
            "x": [1, 4, 5, None, -3],
            "y": [1.0, 9.0, 2.0, 1.5, None],
            "s": ["ada", "x", None, "grace", ""],
            "d": [DAY, None, datetime.date(1999, 1, 1), DAY, DAY],
            "xs": [[1, 2], [], None, [5, None, 1], [7, 8]],
        }
        connection.register("t", pa.table(rows))
        for function in ALL:
            connection.register_function(function)
        yield connection


def column(con: eau2.Connection, expression: str, where: str = "true") -> list[object]:
    """The values of an expression over the rows of t."""
    rows = con.sql(f"SELECT {expression} FROM t WHERE {where}").fetchall()
    return [value for (value,) in rows]


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("small(x)", [True, True, False, None, True]),
        ("near(x, y)", [True, False, False, None, None]),
        ("named(s)", [True, False, False, True, False]),
        ("since(d)", [True, None, False, True, True]),
        ("divided(x, x - 4)", [-1 / 3, 0.0, 5.0, None, 3 / 7]),
        ("clamped(y)", [0.0, 5.0, 0.5, 0.0, 5.0]),
        ("turned(2, x)", [0, 2, 2, None, -2]),
        ("kind(x)", ["few", "4 of them", "5 of them", "unknown", "debt"]),
        ("total(xs, 10)", [3, 0, None, 6, 7]),
        ("power_of_two(x + 3)", [16, 128, 256, None, 1]),
        ("twice(x)", [2, 8, 10, None, -6]),
    ],
)
def test_a_function_gives_what_python_gives(
    con: eau2.Connection, expression: str, values: list[object]
) -> None:
    # A loop over None is a TypeError, and range(None) too, as in Python.
    guard = {"total(xs, 10)": "xs IS NOT NULL", "power_of_two(x + 3)": "x IS NOT NULL"}
    expected = values
    if expression in guard:
        expected = [value for value in values if value is not None]
    assert column(con, expression, guard.get(expression, "true")) == expected


def test_the_decorated_object_runs_plainly() -> None:
    assert small(3) is True
    assert small.__name__ == "small"
    assert small.__doc__ == "Whether x is below the limit."
    assert turned(2, 5) == 2
    assert kind(2) == "few"
    assert repr(small) == "<small(x BIGINT) -> BOOLEAN>"
    with pytest.raises(ZeroDivisionError):
        whole(1, 0)


def test_math_is_that_of_python(con: eau2.Connection) -> None:
    assert column(con, "logs(y)", "y > 1") == [
        natural(y) + m.log(y, 2) - math.pi for y in (9.0, 2.0, 1.5)
    ]


def test_a_constant_is_captured_when_the_function_is_defined() -> None:
    assert eau2.explain(small) == "small(x BIGINT) -> BOOLEAN\n  x < 5"


def test_a_filter_is_pushed_to_the_chunks(con: eau2.Connection) -> None:
    plan = con.explain("SELECT y FROM t WHERE near(x, y)")
    assert "Filter x < 5 AND y#2 < 2.5" in plan


def test_a_filter_prunes_chunks(con: eau2.Connection) -> None:
    con.execute("SET chunk_rows = 1000")
    con.register("long", pa.table({"n": range(10_000)}))
    con.register_function(_early)
    for where in ("n >= 9500 AND n >= 0", "early(n)"):
        told = con.sql(f"EXPLAIN ANALYZE SELECT n FROM long WHERE {where}").fetchall()
        assert any("at 1 of 10 chunks of long" in line for (line,) in told), where
    assert column_of(con, "SELECT n FROM long WHERE early(n)") == list(range(9500, 10_000))


def column_of(con: eau2.Connection, query: str) -> list[object]:
    """The one column of a query."""
    return [value for (value,) in con.sql(query).fetchall()]


@eau2.function(name="early")
def _early(n: int) -> bool:
    if n < 9500:
        return False
    return n >= 0


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("whole(x, 0)", "ZeroDivisionError: integer division or modulo by zero, in whole"),
        ("nowhere(x)", "ZeroDivisionError: integer division or modulo by zero, in nowhere"),
        ("total(NULL, 3)", "TypeError: 'NoneType' object is not iterable, in total"),
    ],
)
def test_an_exception_names_function_and_line(
    con: eau2.Connection, expression: str, message: str
) -> None:
    with pytest.raises(FunctionFailedError) as caught:
        column(con, expression)
    assert caught.value.message.startswith(message)
    assert "test_python_functions.py, line " in caught.value.message


def test_only_rows_that_reach_it_raise(con: eau2.Connection) -> None:
    assert column(con, "CASE WHEN x = 4 THEN 0 ELSE whole(8, x - 4) END", "x > 1") == [0, 8]
    assert column(con, "whole(8, x - 4)", "x <> 4") == [-3, 8, -2]


def test_an_int_outside_of_64_bits_is_an_error(con: eau2.Connection) -> None:
    with pytest.raises(OutOfRangeError):
        column(con, "twice(x + 9223372036854775802)", "x = 5")


def test_explain_takes_what_was_compiled() -> None:
    with pytest.raises(UsageError, match="is no compiled function"):
        eau2.explain(len)


def test_an_argument_is_cast_as_sql_casts(con: eau2.Connection) -> None:
    assert column(con, "near(3::TINYINT, 1.25::DECIMAL(4, 2))")[:1] == [True]
    with pytest.raises(eau2.ProgrammingError, match="argument 1 of small is DOUBLE, not BIGINT"):
        column(con, "small(y)")
    with pytest.raises(eau2.ProgrammingError, match="small takes 1 argument, not 2"):
        column(con, "small(x, x)")


def test_closures_see_the_values_of_their_place(con: eau2.Connection) -> None:
    def within(low: int, high: int) -> eau2.Connection:
        @eau2.function
        def inside(x: int) -> bool:
            return low <= x <= high

        con.register_function(inside)
        return con

    assert column(within(4, 5), "inside(x)") == [False, True, True, None, False]
    assert column(within(-5, 1), "inside(x)") == [True, False, False, None, True]
