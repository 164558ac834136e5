"""What REPLACE, RENAME and COLUMNS call a column is an alias, as DuckDB has it."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

import eau2

ROWS = pa.table({"a": pa.array([3, 1, 2, None], pa.int32()), "b": pa.array([9, 8, 8, 7])})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * REPLACE (-a AS a) FROM t ORDER BY a LIMIT 1",
        "SELECT * REPLACE (-a AS A) FROM t ORDER BY a LIMIT 1",
        "SELECT t.* REPLACE (-a AS a) FROM t ORDER BY t.a LIMIT 1",
        "SELECT * RENAME (a AS b) FROM t ORDER BY b LIMIT 1",
        "SELECT * RENAME (a AS z), z + 1 FROM t WHERE z > 1 ORDER BY z",
        "SELECT COLUMNS('a|b') * -1 FROM t ORDER BY a LIMIT 1",
        "SELECT -a AS a, COLUMNS('a') FROM t ORDER BY a LIMIT 1",
        "SELECT -a AS a, * FROM t ORDER BY a LIMIT 1",
        "SELECT DISTINCT ON (a) * REPLACE (a % 2 AS a) FROM t ORDER BY a, b",
    ],
)
def test_rows_are_duckdbs(sql: str) -> None:
    connection, duck = eau2.connect(), duckdb.connect()
    connection.register("t", ROWS)
    duck.register("t", ROWS)
    assert connection.sql(sql).fetchall() == duck.sql(sql).fetchall()
    connection.close()
