"""PEP 249: the module's names, and what cursors do."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pytest

import eau2
from eau2.errors import Error


@pytest.fixture
def connection() -> Iterator[eau2.Connection]:
    with eau2.connect() as connection:
        connection.register("t", pa.table({"a": [1, 2, 3, 4, 5], "s": list("vwxyz")}))
        yield connection


def test_the_module_says_what_it_is() -> None:
    assert (eau2.apilevel, eau2.threadsafety, eau2.paramstyle) == ("2.0", 1, "qmark")
    for name in eau2.__all__:
        assert getattr(eau2, name) is not None
        assert name in dir(eau2)
    with pytest.raises(AttributeError, match="no attribute 'conect'"):
        _ = eau2.conect


def test_the_errors_form_the_tree_of_pep_249() -> None:
    assert issubclass(eau2.Warning, Exception)
    assert issubclass(eau2.InterfaceError, eau2.Error)
    assert issubclass(eau2.DatabaseError, eau2.Error)
    for child in (
        eau2.DataError,
        eau2.OperationalError,
        eau2.IntegrityError,
        eau2.InternalError,
        eau2.ProgrammingError,
        eau2.NotSupportedError,
    ):
        assert issubclass(child, eau2.DatabaseError)
    assert eau2.Error is Error


def test_rows_are_fetched_one_by_one_in_portions_and_all(connection: eau2.Connection) -> None:
    cursor = connection.cursor()
    assert cursor.execute("SELECT a, s FROM t ORDER BY a") is cursor
    assert cursor.rowcount == 5
    assert cursor.fetchone() == (1, "v")
    assert cursor.fetchmany() == [(2, "w")]
    cursor.arraysize = 2
    assert cursor.fetchmany() == [(3, "x"), (4, "y")]
    assert cursor.rownumber == 4
    assert cursor.fetchall() == [(5, "z")]
    assert cursor.fetchone() is None
    assert cursor.fetchmany(3) == []
    assert cursor.fetchall() == []
    assert cursor.rowcount == 5


def test_a_cursor_can_be_looped_over(connection: eau2.Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT a FROM t WHERE a > ? ORDER BY a", [3])
        assert [row[0] for row in cursor] == [4, 5]
    with pytest.raises(eau2.InterfaceError, match="closed"):
        cursor.fetchone()
    with pytest.raises(eau2.InterfaceError, match="closed"):
        cursor.execute("SELECT 1")


def test_the_description_names_and_types_the_columns(connection: eau2.Connection) -> None:
    fresh = connection.cursor()
    assert (fresh.description, fresh.rowcount) == (None, -1)
    cursor = connection.cursor()
    cursor.execute("SELECT 1 AS i, 1.50 AS d, 'x' AS s, DATE '2020-01-31' AS day, true AS b")
    description = cursor.description
    assert description is not None
    assert [column[0] for column in description] == ["i", "d", "s", "day", "b"]
    codes = [column[1] for column in description]
    assert codes[0] == eau2.NUMBER
    assert codes[1] == eau2.NUMBER
    assert codes[2] == eau2.STRING
    assert codes[2] != eau2.NUMBER
    assert codes[3] == eau2.DATETIME
    assert codes[3] != eau2.STRING
    assert all(code != eau2.BINARY and code != eau2.ROWID for code in codes)
    assert description[1][4:6] == (3, 2)
    assert [len(column) for column in description] == [7] * 5
    assert cursor.fetchall() == [(1, Decimal("1.50"), "x", datetime.date(2020, 1, 31), True)]


def test_fetching_without_rows_is_an_error(connection: eau2.Connection) -> None:
    cursor = connection.cursor()
    with pytest.raises(eau2.InterfaceError, match="execute a query first"):
        cursor.fetchone()
    cursor.execute("SET chunk_rows = 10")
    assert cursor.description is None
    with pytest.raises(eau2.InterfaceError, match="execute a query first"):
        cursor.fetchall()
    cursor.execute("SELECT 1")
    with pytest.raises(eau2.InterfaceError, match="at least 0"):
        cursor.fetchmany(-1)


def test_a_failed_statement_leaves_no_rows_behind(connection: eau2.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT a FROM t")
    with pytest.raises(eau2.ProgrammingError):
        cursor.execute("SELECT nonsense FROM t")
    with pytest.raises(eau2.InterfaceError):
        cursor.fetchone()


def test_what_eau2_has_not_is_refused(connection: eau2.Connection) -> None:
    connection.commit()
    with pytest.raises(eau2.NotSupportedError):
        connection.rollback()
    cursor = connection.cursor()
    with pytest.raises(eau2.NotSupportedError, match="INSERT"):
        cursor.executemany("SELECT ?", [[1], [2]])
    cursor.setinputsizes([1])
    cursor.setoutputsize(1)


def test_rows_are_written(connection: eau2.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE w (a INTEGER, s VARCHAR)")
    assert (cursor.rowcount, cursor.description) == (-1, None)
    cursor.execute("INSERT INTO w VALUES (1, 'x'), (2, 'y')")
    assert cursor.rowcount == 2
    assert cursor.fetchall() == [(2,)]
    cursor.executemany("INSERT INTO w VALUES (?, ?)", ((n, str(n)) for n in range(3, 6)))
    assert cursor.rowcount == 3
    assert cursor.description is None
    cursor.execute('SELECT count(*) AS "Count" FROM w')
    assert cursor.rowcount == 1
    assert cursor.fetchall() == [(5,)]
    cursor.execute("CREATE TABLE v AS SELECT * FROM w WHERE a > 2")
    assert cursor.rowcount == 3
    cursor.executemany("INSERT INTO w VALUES (?, ?)", [])
    assert cursor.rowcount == 0
    with pytest.raises(eau2.DataError):
        cursor.executemany("INSERT INTO w VALUES (?, 'z')", [(7,), ("no number",), (8,)])
    cursor.execute("SELECT max(a), count(*) FROM w")
    assert cursor.fetchall() == [(7, 6)]


def test_constructors() -> None:
    assert eau2.Date(2020, 1, 31) == datetime.date(2020, 1, 31)
    assert eau2.Timestamp(2020, 1, 31, 1, 2, 3) == datetime.datetime(2020, 1, 31, 1, 2, 3)
    now = time.time()
    local = datetime.datetime.fromtimestamp(int(now))
    assert eau2.TimestampFromTicks(now) == local
    assert eau2.DateFromTicks(now) == local.date()
    assert eau2.TimeFromTicks(now) == local.time()
    assert eau2.Binary(b"x") == b"x"


def test_what_is_explained_is_not_run() -> None:
    with eau2.connect() as connection:
        connection.sql("CREATE TABLE t AS SELECT 1 AS a")
        assert "Scan" in connection.explain("SELECT a FROM t;")
        for text in (
            "SELECT a FROM t; DROP TABLE t",
            "SELECT 1; SELECT 2",
            "SELECT 1;\nDROP TABLE t;",
        ):
            with pytest.raises(eau2.InterfaceError, match="one statement"):
                connection.explain(text)
        assert connection.tables() == ("t",)
