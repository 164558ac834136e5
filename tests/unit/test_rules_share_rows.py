"""The rule share_rows: what it writes, and that no answer changes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import duckdb
import pyarrow as pa
import pytest

import eau2
from tests.oracle.eager import eager
from tests.oracle.fuzz import describe, run_batches

Both = tuple[eau2.Connection, duckdb.DuckDBPyConnection]

LINES = pa.table(
    {
        "p": pa.array([1, 1, 1, 2, 2, 3, None, None, 5, 5, 5], pa.int64()),
        "q": pa.array([1, 5, None, 2, 2, 9, 1, 2, None, None, 4], pa.int64()),
        "d": pa.array([1, 2, 1, 2, 1, 1, 1, 2, 1, 2, None], pa.int64()),
    }
)
PARTS = pa.table(
    {
        "id": pa.array([1, 2, 2, 3, 4, 5, None], pa.int64()),
        "kind": pa.array(["a", "a", "a", "b", "a", "a", "a"]),
    }
)


@pytest.fixture(params=["rows", "no lines", "no parts"])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    """eau2 and DuckDB with the same tables."""
    tables = {"l": LINES, "part": PARTS}
    if request.param != "rows":
        name = "l" if request.param == "no lines" else "part"
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
    """The plan of a query, whose answer is DuckDB's."""
    connection, duck = both
    assert connection.sql(sql).fetchall() == duck.sql(sql).fetchall(), sql
    return "\n".join(row[0] for row in connection.sql(f"EXPLAIN {sql}").fetchall())


def has_rows(both: Both) -> bool:
    """Over empty tables joins are ordered otherwise."""
    return bool(both[1].sql("SELECT 1 FROM l, part LIMIT 1").fetchall())


SMALLER = (
    "SELECT l.p, l.q, kind FROM l, part WHERE id = l.p AND kind = 'a' AND l.q {} (SELECT {}(q)"
    " FROM l AS m WHERE m.p = {} {}) {} ORDER BY ALL"
)


@pytest.mark.parametrize(("operator", "call"), [*product(("<", "<=", "="), ("avg", "max", "sum"))])
def test_rows_and_their_groups_are_read_once(both: Both, operator: str, call: str) -> None:
    for key in ("id", "l.p"):
        plan = same(both, SMALLER.format(operator, call, key, "", ""))
        if has_rows(both):
            assert plan.count("Scan p") == 1
        # Conditions of the one, of the other, of both.
        for own, other in (("AND d = 1", ""), ("", "AND l.d = 1"), ("AND d = 1", "AND l.d = 1")):
            same(both, SMALLER.format(operator, call, key, own, other))


@pytest.mark.parametrize("on", ["g.d = l.p", "g.d = l.p AND l.d = id", "g.m = l.p", "g.d = l.q"])
def test_another_column_is_another_read(both: Both, on: str) -> None:
    groups = "(SELECT d, max(q) AS m FROM l GROUP BY d) AS g"
    kept = "(SELECT id FROM part WHERE kind = 'a' AND id < 3) AS k"
    plan = same(
        both, f"SELECT l.p, l.q, id FROM l, {groups}, {kept} WHERE {on} AND id = g.d ORDER BY ALL"
    )
    if has_rows(both):
        assert plan.count("Scan ") >= 3
    same(both, f"SELECT l.p, m FROM l JOIN ({groups} JOIN {kept} ON id = g.d) ON {on} ORDER BY ALL")
    same(
        both,
        f"SELECT l.p, m FROM l LEFT JOIN ({groups} JOIN {kept} ON id = g.d) ON g.d = l.d"
        " ORDER BY ALL",
    )


def test_a_switch_leaves_it_out(both: Both) -> None:
    both[0].execute("SET optimizer.share_rows = off")
    plan = same(both, SMALLER.format("<", "avg", "id", "", ""))
    if has_rows(both):
        assert plan.count("Scan p") == 2


def test_small_frames_are_read_twice() -> None:
    with eau2.connect() as connection:
        connection.put("l", LINES)
        connection.put("part", PARTS)
        lines = connection.sql(f"EXPLAIN {SMALLER.format('<', 'avg', 'id', '', '')}").fetchall()
        assert sum("Scan p" in row[0] for row in lines) == 2


@pytest.mark.parametrize("batch", range(2))
def test_no_answer_changes(batch: int) -> None:
    with eager():
        tally = run_batches("shared", [batch])
    shown = [f"{verdict.text[:300]}\n{describe(case)}" for case, verdict in tally.differences[:3]]
    assert not tally.differences, "\n\n".join(shown)
