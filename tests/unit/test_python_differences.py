"""Differences of moments in functions in Python, as programs write them."""

from __future__ import annotations

import datetime
import datetime as clock
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import eau2
from eau2.errors import FunctionDefinitionError, FunctionFailedError
from tests.cluster.nodes import in_process
from tests.unit.test_python_refusals import defined
from tests.unit.test_python_refusals import function as written

WEEK = timedelta(days=7)
OPENED = datetime.date(2024, 1, 1)


@eau2.function
def due(d: datetime.date, n: int) -> datetime.date:
    """The day n days and a week later."""
    return d + timedelta(days=n) + WEEK


@eau2.function
def rounded(t: datetime.datetime) -> datetime.datetime:
    """The beginning of the quarter of an hour."""
    return t - (t - datetime.datetime(1970, 1, 1)) % clock.timedelta(minutes=15)


@eau2.function
def kind(a: datetime.datetime, b: datetime.datetime) -> str:
    apart = abs(a - b)
    if not apart:
        return "at once"
    if timedelta(0) < apart <= timedelta(hours=1, minutes=30) or apart == WEEK:
        return f"soon: {apart}"
    apart += timedelta(1)
    apart *= 2
    return f"{apart.days} days, {apart // timedelta(hours=1)} hours, {apart / WEEK}"


@eau2.function
def workdays(d: datetime.date, n: int) -> int:
    """How many of the n days from d are no weekend."""
    found = 0
    step = timedelta(days=1)
    day = d
    for _ in range(n):
        found += day.weekday() < 5
        day += step
    return found


@eau2.function
def calendar(d: datetime.date, n: int) -> list[datetime.date]:
    step = timedelta(weeks=1) if n > 1 else -timedelta(hours=30)
    return [d + step * i for i in range(3)]


DAY = datetime.date(2024, 2, 28)
NOON = datetime.datetime(2024, 2, 28, 12, 7, 8, 9)


@eau2.function
def longest(days: list[datetime.date]) -> int:
    """The days between two that follow one another, at most."""
    last: datetime.date | None = None
    most: timedelta | None = None
    for day in days:
        if last is not None:
            apart: timedelta = abs(day - last)
            most = apart if most is None else max(most, apart)
        last = day
    return most.days if most is not None else -1


ROWS: dict[str, list[Any]] = {
    "d": [datetime.date(2024, 2, 25), None, datetime.date(1969, 12, 31)],
    "n": [3, 5, 1],
    "days": [[DAY, DAY + WEEK, DAY + timedelta(3)], [DAY], [DAY, DAY + WEEK * 3, DAY]],
    "a": [NOON, NOON, NOON],
    "b": [NOON - timedelta(minutes=90), NOON, datetime.datetime(1969, 1, 1)],
}
CALLS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "due": (due, ("d", "n")),
    "rounded": (rounded, ("a",)),
    "kind": (kind, ("a", "b")),
    "workdays": (workdays, ("d", "n")),
    "longest": (longest, ("days",)),
    "calendar": (calendar, ("d", "n")),
}


@pytest.fixture(scope="module", params=["embedded", "nodes"])
def con(request: pytest.FixtureRequest) -> Iterator[eau2.Connection]:
    if request.param == "embedded":
        with eau2.connect() as connection:
            yield connection
        return
    with in_process(3) as nodes, eau2.connect(nodes.urls[-1]) as connection:
        yield connection


@pytest.mark.parametrize("name", CALLS)
def test_a_function_gives_what_python_gives(con: eau2.Connection, name: str) -> None:
    function, names = CALLS[name]
    con.register("t", pa.table(ROWS))
    con.register_function(function)
    query = f"SELECT {name}({', '.join(names)}) FROM t WHERE d IS NOT NULL"
    found = [value for (value,) in con.sql(query).fetchall()]
    rows = zip(*(ROWS[column] for column in names), ROWS["d"], strict=True)
    assert found == [function(*row[:-1]) for row in rows if row[-1] is not None]


def test_none_gives_none(con: eau2.Connection) -> None:
    con.register_function(due)
    con.register_function(kind)
    rows = con.sql("SELECT due(NULL, 3), due(DATE '2024-01-01', NULL)").fetchall()
    assert rows == [(None, None)]
    # None is no time at all, so `not apart` is True.
    assert con.sql("SELECT kind(NULL, TIMESTAMP '2024-01-01')").fetchall() == [("at once",)]


def test_a_moment_outside_of_the_calendar_ends_the_query(con: eau2.Connection) -> None:
    con.register_function(due)
    message = r"OverflowError: date value out of range, in due \(test_python_differences.py, line"
    with pytest.raises(FunctionFailedError, match=message):
        con.sql("SELECT due(DATE '9999-12-30', 1)").fetchall()
    with pytest.raises(FunctionFailedError, match="OverflowError: days=1000000000; must have"):
        con.sql("SELECT due(DATE '2024-01-01', 1000000000)").fetchall()


def test_a_text_of_a_statement_may_use_them() -> None:
    with eau2.connect() as connection:
        connection.sql("""
            CREATE FUNCTION next_week(d DATE) RETURNS DATE LANGUAGE python AS $$
            from datetime import timedelta
            def next_week(d):
                return d + timedelta(weeks=1)
            $$
        """)
        rows = connection.sql("SELECT next_week(DATE '2024-02-27')").fetchall()
    assert rows == [(datetime.date(2024, 3, 5),)]


@eau2.function
def is_new(d: datetime.date) -> bool:
    return d + timedelta(days=30) > OPENED


@eau2.function
def is_later(d: datetime.date) -> bool:
    return d - OPENED >= WEEK


@eau2.function
def is_far(d: datetime.date) -> bool:
    return d + timedelta(days=2_914_000) > OPENED


def test_chunks_are_pruned_by_moments_that_are_moved() -> None:
    with eau2.connect() as connection:
        connection.sql("SET chunk_rows = 1000")
        connection.sql(
            "CREATE TABLE m AS SELECT DATE '2000-01-01' + range::INTEGER AS d, "
            "TIMESTAMP '2000-01-01' + INTERVAL 1 DAY * range::INTEGER AS t FROM range(10000)"
        )
        for function, rows in ((is_new, 1263), (is_later, 1227)):
            frame = connection.frame("m").filter(function)
            assert re.search(r"at 2 of 10 chunks", frame.explain(analyze=True))
            assert frame.count() == rows
        # Of the last chunk a row has to raise, so it is read.
        with pytest.raises(FunctionFailedError, match="date value out of range, in is_far"):
            connection.frame("m").filter(is_far).count()


def test_a_constant_that_comes_later_is_none() -> None:
    with pytest.raises(FunctionDefinitionError, match="not defined"):

        @eau2.function
        def late(d: datetime.date) -> datetime.date:
            return d + COMES_LATER  # type: ignore[name-defined,no-any-return]  # noqa: F821


DATES = "d: datetime.date, e: datetime.date) -> "
REFUSED: dict[str, tuple[str, str, str]] = {
    # name: (program, reason, part of the hint)
    "parameter": (written("return 1", "x: datetime.timedelta) -> int"), "a local", "days or sec"),
    "result": (written("return d - e", DATES + "datetime.timedelta"), "a local", ".total_sec"),
    "annotated as an int": (
        written("x: int = d - e\nreturn x", DATES + "int"), "x is declared int", ".days",
    ),
    "annotated as a difference": (
        written("x: datetime.timedelta = 3\nreturn x.days", DATES + "int"),
        "declared datetime.timedelta",
        "datetime.timedelta(days=n)",
    ),
    "list of them": (written("return 1", "x: list[datetime.timedelta]) -> int"), "a local", "days"),
    "local list of them": (
        written("x: list[datetime.timedelta] = []\nreturn 1", DATES + "int"), "a local", "days",
    ),
    "int": (written("return d - e", DATES + "int"), "declared int", ".days"),
    "float": (written("return d - e", DATES + "float"), "declared float", "total_seconds()"),
    "list": (written("return len([d - e])", DATES + "int"), "no lists", ".days"),
    "comprehension": (
        written("return len([d - x for x in [e]])", DATES + "int"), "no lists", ".days",
    ),
    "generator": (
        written("return sorted(d - x for x in [e])[0].days", DATES + "int"), "no lists", ".days",
    ),
    "captured list": (
        "SPANS = [datetime.timedelta(1)]\n"
        + written("return (d - e) in SPANS", DATES + "bool"),
        "no lists",
        "x in (a, b)",
    ),
    "added int": (written("return d + 1", DATES + "datetime.date"), "+", "timedelta(days=n)"),
    "unknown": (
        written("return d + datetime.timedelta(months=1)", DATES + "datetime.date"),
        "no argument months",
        "days, seconds",
    ),
    "twice": (
        written("return d + datetime.timedelta(1, days=1)", DATES + "datetime.date"),
        "days twice",
        "one of them",
    ),
    "many": (
        written("return d + datetime.timedelta(1, 2, 3, 4, 5, 6, 7, 8)", DATES + "datetime.date"),
        "at most 7",
        "days, seconds",
    ),
    "named together": (
        written("return d + datetime.timedelta(**d)", DATES + "datetime.date"),
        "no argument",
        "days, seconds",
    ),
    "starred": (
        written("return d + datetime.timedelta(*[1])", DATES + "datetime.date"), "counted", "one",
    ),
    "text": (
        written("return d + datetime.timedelta('1')", DATES + "datetime.date"), "not a str", "",
    ),
    "branches": (
        written("x = d - e\nif d == e:\n    x = 0\nreturn x.days", DATES + "int"),
        "one type",
        "alike",
    ),
    "extreme": (
        written("return d + datetime.timedelta.max", DATES + "datetime.date"), "timedelta", "",
    ),
    "aggregate": (
        "@eau2.aggregate\ndef f(" + DATES + "int:\n    return sum(d - e)\n",
        "an aggregate of a timedelta",
        ".days",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused(name: str, tmp_path: Path) -> None:
    program, reason, hint = REFUSED[name]
    with pytest.raises(FunctionDefinitionError, match=re.escape(reason)) as caught:
        defined(program, tmp_path)
    assert hint in (caught.value.hint or "")


def test_a_wide_number_of_a_statement_is_no_difference() -> None:
    with eau2.connect() as connection:
        connection.sql(
            "CREATE FUNCTION wide(n BIGINT) RETURNS HUGEINT LANGUAGE python AS "
            "$$ def wide(n): return n $$"
        )
        connection.sql(
            "CREATE FUNCTION of_wide(n HUGEINT) RETURNS BIGINT LANGUAGE python AS "
            "$$ def of_wide(n): return n $$"
        )
        texts = {
            "d DATE": ("def f(d): return d + wide(1)", "wide takes or gives HUGEINT"),
            "n BIGINT": (
                "from datetime import timedelta\ndef f(n): return of_wide(timedelta(n))",
                "of_wide takes or gives HUGEINT",
            ),
        }
        for parameters, (text, reason) in texts.items():
            with pytest.raises(FunctionDefinitionError, match=reason):
                connection.sql(
                    f"CREATE FUNCTION f({parameters}) RETURNS DATE LANGUAGE python AS $$\n"
                    f"{text}\n$$"
                )
