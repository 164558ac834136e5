"""Statements of extreme size and shape are answered or refused, in bounded time.

The bounds on seconds are far above what is needed, so that they only see what grows beyond reason.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

import eau2
from eau2.config import LIMITS
from tests.cluster.nodes import InProcess, Processes
from tests.limits.extremes import DEEP, LONG, REFUSED, ROWS, SAME, T, W, listed, nested

pytestmark = pytest.mark.timeout(100)


@pytest.fixture(scope="module")
def connection() -> Iterator[eau2.Connection]:
    with eau2.connect() as connection:
        connection.register("t", T)
        connection.register("w", W)
        yield connection


def compare(rows: list[tuple[object, ...]], wanted: list[tuple[object, ...]] | int) -> None:
    if isinstance(wanted, int):
        assert len(rows) == wanted
    elif wanted:
        assert rows == wanted
    else:
        assert len(rows) == 4


@pytest.mark.parametrize("name", DEEP)
def test_deep_statements_are_answered(connection: eau2.Connection, name: str) -> None:
    text, wanted = DEEP[name]
    compare(connection.sql(text).fetchall(), wanted)


@pytest.mark.parametrize("name", LONG)
def test_long_statements_are_answered(connection: eau2.Connection, name: str) -> None:
    text, wanted = LONG[name]
    compare(connection.sql(text).fetchall(), wanted)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_too_large_is_refused(connection: eau2.Connection, name: str) -> None:
    text, message = REFUSED[name]
    refused(connection, text, message)


def refused(connection: eau2.Connection, text: str, message: str) -> None:
    with pytest.raises(eau2.Error, match=message) as caught:
        connection.sql(text).fetchall()
    assert not isinstance(caught.value, eau2.InternalError)
    assert len(caught.value.message) < 1100
    assert len(str(caught.value)) < 2500


@pytest.mark.parametrize("name", ["brackets", "EXISTS below the parser's bound", "NULLIF"])
def test_nodes_refuse_it_as_well(
    three_in_process: InProcess, three_processes: Processes, name: str
) -> None:
    text, message = REFUSED[name]
    for nodes in (three_in_process, three_processes):
        with eau2.connect(nodes.urls[-1]) as connection:
            refused(connection, text.replace("a", "1").replace(" FROM t", ""), message)
            assert connection.sql("SELECT 1").fetchall() == [(1,)]


@pytest.mark.parametrize("name", ["calls", "concat", "casts to text and back", "CASE"])
def test_nodes_answer_deep_statements(
    three_in_process: InProcess, three_processes: Processes, name: str
) -> None:
    text, wanted = DEEP[name]
    for nodes in (three_in_process, three_processes):
        with eau2.connect(nodes.urls[-1]) as connection:
            connection.put("t", T)
            try:
                compare(connection.sql(text).fetchall(), wanted)
            finally:
                connection.drop("t")


def test_little_stack_is_enough_or_the_statement_is_refused(connection: eau2.Connection) -> None:
    def deeper(frames: int) -> None:
        if frames:
            deeper(frames - 1)
            return
        for text, wanted in DEEP.values():
            try:
                compare(connection.sql(text).fetchall(), wanted)
            except eau2.NotSupportedError as error:
                refusals.append(error.message)

    refusals: list[str] = []
    deeper(sys.getrecursionlimit() - 350)
    assert all("too deep" in message or "too large" in message for message in refusals)


def test_many_rows_are_inserted() -> None:
    with eau2.connect() as connection:
        connection.execute("CREATE TABLE n (a BIGINT, b VARCHAR)")
        connection.execute(f"INSERT INTO n VALUES {ROWS}")
        found = connection.sql("SELECT count(*), sum(a), max(b) FROM n").fetchall()
        assert found == [(50_000, 1_249_975_000, "x9999")]


def test_many_parameters(connection: eau2.Connection) -> None:
    text = f"SELECT a FROM t WHERE a IN ({listed('?', 10_000)})"
    assert connection.sql(text, list(range(10_000))).fetchall() == [(1,), (2,), (3,)]


def test_views_upon_views() -> None:
    with eau2.connect() as connection:
        connection.execute("CREATE TABLE v0 AS SELECT 0 AS a")
        for number in range(1, LIMITS.view_depth + 2):
            below = f"v{number - 1}"
            connection.execute(f"CREATE VIEW v{number} AS SELECT a + 1 AS a FROM {below}")
            connection.execute(f"CREATE VIEW x{number} AS SELECT x.a FROM {below} x, {below} y")
        last = LIMITS.view_depth
        assert connection.sql(f"SELECT a FROM v{last}").fetchall() == [(last,)]
        refused(connection, f"SELECT a FROM v{last + 1}", "view")


def test_a_message_shows_the_beginning_of_a_long_value(connection: eau2.Connection) -> None:
    digits = "1" * 1_000_000
    refused(connection, f"SELECT DATE '{digits}'", "1111")
    refused(connection, f"SELECT '{digits}'::HUGEINT", "1111")
    refused(
        connection, f"SELECT regexp_matches(b, '{nested('(', '', ')', 5000)}') FROM t", "regular"
    )
    refused(connection, f"SELECT ${'x' * 10_000}", "x")


def test_a_statement_that_comes_again_is_neither_parsed_nor_planned(
    connection: eau2.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"SELECT a FROM t WHERE a IN ({listed('{i}', 50_000)})"
    first = connection.sql(text).fetchall()
    monkeypatch.setattr("eau2.engine.parse", None)
    monkeypatch.setattr("eau2.engine.bind", None)
    assert connection.sql(text).fetchall() == first
    assert SAME[:3] == first
