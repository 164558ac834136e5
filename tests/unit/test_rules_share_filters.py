"""The rule share_filters: what it writes, and that no answer changes."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

import eau2
from tests.oracle.eager import eager

Both = tuple[eau2.Connection, duckdb.DuckDBPyConnection]

ROWS = pa.table(
    {
        "k": pa.array([1, 1, 2, 2, None, 3, 4, 5], pa.int64()),
        "v": pa.array([10, None, 5, 7, 9, 1, 1, 12], pa.int64()),
        "s": pa.array(["ab", "abc", "b", None, "xab", "ab", "", "ba"]),
    }
)
AB = "s LIKE '%ab%'"
FIRST = "substring(s, 1, 1) IN ('a', 'b')"


@pytest.fixture(params=["rows", "no rows"])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    """eau2 and DuckDB with the same table."""
    given = ROWS if request.param == "rows" else ROWS.slice(0, 0)
    duck = duckdb.connect()
    with eager(), eau2.connect() as connection:
        connection.execute("SET chunk_rows = 3")
        connection.put("t", given)
        duck.register("given", given)
        duck.execute("CREATE TABLE t AS SELECT * FROM given")
        yield connection, duck
    duck.close()


def plans(both: Both, sql: str) -> tuple[str, str]:
    """The plans with the rule and without, whose answers are both DuckDB's."""
    connection, duck = both
    wanted = duck.sql(sql).fetchall()
    texts = []
    for setting in ("on", "off"):
        connection.execute(f"SET optimizer.share_filters = {setting}")
        assert connection.sql(sql).fetchall() == wanted, (sql, setting)
        texts.append("\n".join(row[0] for row in connection.sql(f"EXPLAIN {sql}").fetchall()))
    return texts[0], texts[1]


SHARED = (
    f"SELECT k FROM t WHERE {AB} AND v >= (SELECT avg(v) FROM t WHERE {AB} AND v > 0) ORDER BY ALL",
    f"SELECT k, s FROM t WHERE {FIRST} UNION ALL SELECT v, s FROM t WHERE v > 1 AND {FIRST} "
    "ORDER BY ALL",
    f"SELECT a.k, b.s FROM t a, t b WHERE a.{AB} AND b.{AB} AND a.k < b.v ORDER BY ALL",
    f"WITH x AS (SELECT k FROM t WHERE {AB}) SELECT count(*) FROM x, t WHERE {AB} AND {FIRST}",
    f"SELECT count(*) FROM t WHERE {AB} AND k NOT IN (SELECT k FROM t WHERE {AB} AND k > 1)",
    f"SELECT max(v) FROM t WHERE {AB} AND {FIRST} AND v < (SELECT max(v) FROM t WHERE {FIRST})",
)
APART = (
    "SELECT k FROM t WHERE v > 1 AND k < (SELECT max(k) FROM t WHERE v > 1) ORDER BY ALL",
    f"SELECT k FROM t WHERE {AB} AND k <= (SELECT max(k) FROM t WHERE {FIRST}) ORDER BY ALL",
    f"SELECT count(*) FROM t WHERE {AB}",
    f"SELECT count(*) FROM t WHERE {AB} AND 10 // v > 1 OR {FIRST}",
)


@pytest.mark.parametrize("sql", SHARED)
def test_a_condition_in_common_is_computed_once(both: Both, sql: str) -> None:
    shared, apart = plans(both, sql)
    assert shared.count("Scan ") < apart.count("Scan ")


@pytest.mark.parametrize("sql", APART)
def test_others_are_not(both: Both, sql: str) -> None:
    shared, apart = plans(both, sql)
    assert shared == apart


def test_rounds_are_left_alone(both: Both) -> None:
    step = f"SELECT t.v FROM r JOIN t ON t.k = r.k WHERE {AB}"
    base = f"WITH RECURSIVE r(k) AS (SELECT k FROM t WHERE {AB} UNION {step})"
    plans(both, f"{base} SELECT k FROM r ORDER BY k")
