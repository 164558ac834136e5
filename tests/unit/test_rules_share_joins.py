"""The rule share_joins: what it writes, and that no answer changes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import duckdb
import pyarrow as pa
import pytest

import eau2
from tests.oracle.eager import eager

Both = tuple[eau2.Connection, duckdb.DuckDBPyConnection]

SALES = pa.table(
    {
        "p": pa.array([1, 1, 1, 2, 2, 3, None, None, 5, 5, 5], pa.int64()),
        "s": pa.array([1, 5, None, 2, 2, 1, 1, 2, None, 5, 4], pa.int64()),
        "v": pa.array([1, 2, 1, 2, 1, 1, 1, 2, 1, 2, None], pa.int64()),
    }
)
SELLERS = pa.table(
    {
        "id": pa.array([1, 2, 2, 3, 4, 5, None], pa.int64()),
        "kind": pa.array(["a", "a", "b", "b", "a", None, "a"]),
    }
)
JOINED = "FROM l JOIN seller ON s = id AND kind = 'a'"
OTHER = "FROM l JOIN seller ON s = id AND kind = 'b'"


@pytest.fixture(params=["rows", "no l", "no seller"])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    """eau2 and DuckDB with the same tables."""
    tables = {"l": SALES, "seller": SELLERS}
    name = request.param.removeprefix("no ")
    if name in tables:
        tables[name] = tables[name].slice(0, 0)
    duck = duckdb.connect()
    with eager(), eau2.connect() as connection:
        connection.execute("SET chunk_rows = 4")
        for name, given in tables.items():
            connection.put(name, given)
            duck.register("given", given)
            duck.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
            duck.unregister("given")
        yield connection, duck
    duck.close()


def same(both: Both, sql: str) -> str:
    """The plan of a query, whose answer is DuckDB's with the rule and without."""
    connection, duck = both
    wanted = duck.sql(sql).fetchall()
    for setting in ("off", "on"):
        connection.execute(f"SET optimizer.share_joins = {setting}")
        assert connection.sql(sql).fetchall() == wanted, (sql, setting)
    return "\n".join(row[0] for row in connection.sql(f"EXPLAIN {sql}").fetchall())


def scans(plan: str) -> int:
    return plan.count("Scan ")


SHARED = (
    f"SELECT p, sum(v) {JOINED} GROUP BY p HAVING sum(v) >= (SELECT sum(v) * 0.1 {JOINED}) "
    "ORDER BY p",
    f"SELECT a.p, b.s FROM (SELECT p, s {JOINED}) a, (SELECT p, s {JOINED}) b "
    "WHERE a.p <= b.s ORDER BY ALL",
    f"SELECT count(*) FROM (SELECT v {JOINED} UNION ALL SELECT p {JOINED})",
    f"WITH x AS (SELECT p {JOINED}) SELECT count(*) FROM x, l LEFT JOIN "
    f"(SELECT id, kind, p AS q {JOINED}) y ON l.p = y.q",
)
APART = (
    f"SELECT count(*), (SELECT count(*) {OTHER}) {JOINED}",
    f"SELECT count(*) FROM (SELECT v {JOINED} AND v > 1 UNION ALL SELECT p {JOINED})",
    "SELECT count(*) FROM l a JOIN l b ON a.p = b.p",
)


@pytest.mark.parametrize("sql", SHARED)
def test_equal_joins_are_made_once(both: Both, sql: str) -> None:
    plan = same(both, sql)
    both[0].execute("SET optimizer.share_joins = off")
    apart = "\n".join(row[0] for row in both[0].sql(f"EXPLAIN {sql}").fetchall())
    assert scans(plan) <= scans(apart) - 2


@pytest.mark.parametrize("sql", APART)
def test_others_are_not(both: Both, sql: str) -> None:
    plan = same(both, sql)
    both[0].execute("SET optimizer.share_joins = off")
    apart = "\n".join(row[0] for row in both[0].sql(f"EXPLAIN {sql}").fetchall())
    assert plan == apart


@pytest.mark.parametrize(("one", "other"), list(product((JOINED, OTHER), repeat=2)))
def test_any_two(both: Both, one: str, other: str) -> None:
    for call in ("count(*)", "sum(p)", "max(kind)"):
        same(both, f"SELECT {call}, (SELECT {call} {other}) AS b {one}")
    same(both, f"SELECT p {one} WHERE v IN (SELECT v {other}) ORDER BY ALL")
    same(both, f"SELECT p {one} WHERE v = (SELECT max(v) {other} AND p = 1) ORDER BY ALL")
    same(both, f"SELECT p {one} EXCEPT SELECT s {other} ORDER BY ALL")


def test_rounds_are_left_alone(both: Both) -> None:
    step = "SELECT l.s FROM r JOIN l ON l.p = r.k JOIN seller ON s = id"
    same(
        both, f"WITH RECURSIVE r(k) AS (SELECT p {JOINED} UNION {step}) SELECT k FROM r ORDER BY k"
    )
