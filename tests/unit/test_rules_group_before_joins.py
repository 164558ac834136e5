"""The rule group_before_joins: what it writes, and that answers do not change."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

import eau2
from eau2.planner import unique_keys
from eau2.planner.rules import group_before_joins
from tests.oracle.fuzz import describe, run_batches

Both = tuple[eau2.Connection, duckdb.DuckDBPyConnection]

FACT = pa.table(
    {
        "k": pa.array([1, 1, 2, 2, 3, None, 5, 5, 7, None], pa.int64()),
        "g": pa.array([1, 2, 1, 1, None, 1, 2, 2, 1, 1], pa.int32()),
        "v": pa.array([10, 20, None, 5, 7, 3, None, None, 2**62, 1], pa.int64()),
        "x": pa.array([0.5, 0.25, 0.75, None, 1e300, -1e300, 2.0, 3.0, 4.0, 5.0]),
    }
)
DIMENSIONS: dict[str, dict[str, list[object]]] = {
    "unique": {"id": [1, 2, 3, 4, 6, 7], "name": ["a", "b", "a", "c", "d", None], "z": [1] * 6},
    "repeated": {"id": [1, 1, 2, 3, 5, 5], "name": ["a", "b", "a", "c", "d", None], "z": [1] * 6},
    "NULL": {"id": [1, None, 2, None], "name": ["a", "b", None, "c"], "z": [1, 2, 1, None]},
    "empty": {"id": [], "name": [], "z": []},
}
OUTER = {"o": pa.array([1, 2, 2], pa.int64()), "label": pa.array(["p", "q", "r"])}


def dimension(name: str) -> pa.Table:
    types = {"id": pa.int64(), "name": pa.string(), "z": pa.int64()}
    return pa.table({n: pa.array(v, types[n]) for n, v in DIMENSIONS[name].items()})


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule fires however little it saves."""
    monkeypatch.setattr(group_before_joins, "ROWS", 0.0)
    monkeypatch.setattr(group_before_joins, "FEWER", 0.0)
    monkeypatch.setattr(group_before_joins, "FEWER_OUTER", 0.0)
    monkeypatch.setattr(group_before_joins, "seems_unique", lambda statistics, rows: True)


@pytest.fixture(params=["facts", "no facts"])
def facts(request: pytest.FixtureRequest) -> pa.Table:
    return FACT if request.param == "facts" else FACT.slice(0, 0)


@pytest.fixture(params=list(DIMENSIONS))
def both(always: None, facts: pa.Table, request: pytest.FixtureRequest) -> Iterator[Both]:
    """eau2 and DuckDB with the same tables."""
    duck = duckdb.connect()
    with eau2.connect() as connection:
        connection.execute("SET chunk_rows = 4")
        tables = {"f": facts, "d": dimension(request.param), "o": pa.table(OUTER)}
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
    return plan(connection, sql)


def plan(connection: eau2.Connection, sql: str) -> str:
    return "\n".join(row[0] for row in connection.sql(f"EXPLAIN {sql}").fetchall())


CALLS = "count(*), count(v), sum(v), min(v), max(v), min(x), max(x), sum(g)"


@pytest.mark.parametrize(
    "keys",
    ["name", "id", "id, name", "g, name", "name, g + 1", "k, name", "z, id, name, k", "z"],
)
def test_groups_by_a_partner(both: Both, keys: str) -> None:
    same(both, f"SELECT {keys}, {CALLS} FROM f JOIN d ON k = id GROUP BY {keys} ORDER BY ALL")


def test_a_chain_of_partners(both: Both) -> None:
    for keys in ("label", "label, name", "o, label, id", "id, name, o, label"):
        same(
            both,
            f"SELECT {keys}, {CALLS} FROM f JOIN d ON k = id JOIN o ON z = o"
            f" GROUP BY {keys} ORDER BY ALL",
        )


def test_partners_beside_each_other(both: Both) -> None:
    same(
        both,
        f"SELECT name, label, {CALLS} FROM f, d, o WHERE k = id AND g = o GROUP BY ALL"
        " ORDER BY ALL",
    )


def test_partners_that_are_computed_with_stay(both: Both) -> None:
    same(
        both, "SELECT name, sum(v + z) FROM f JOIN d ON k = id WHERE v < 9 GROUP BY 1 ORDER BY ALL"
    )
    same(both, "SELECT name, avg(v), sum(x) FROM f JOIN d ON k = id GROUP BY 1 ORDER BY ALL")
    same(both, "SELECT name, count(DISTINCT v) FROM f JOIN d ON k = id GROUP BY 1 ORDER BY ALL")


@pytest.mark.parametrize("keys", ["id", "name", "id, name", "z, id"])
def test_groups_before_a_left_join(both: Both, keys: str) -> None:
    same(
        both,
        f"SELECT {keys}, {CALLS}, count(x) FROM d LEFT JOIN f ON k = id"
        f" GROUP BY {keys} ORDER BY ALL",
    )
    # What is not NULL of a padded row.
    same(
        both,
        f"SELECT {keys}, sum(coalesce(g, 5)), count(v IS NULL) FROM d LEFT JOIN f ON k = id"
        f" GROUP BY {keys} ORDER BY ALL",
    )
    same(
        both,
        f"SELECT {keys}, count(v) FROM d LEFT JOIN f ON k = id AND g = z AND v > 1"
        f" GROUP BY {keys} ORDER BY ALL",
    )


@pytest.fixture
def dense(always: None) -> Iterator[eau2.Connection]:
    with eau2.connect() as connection:
        connection.put("f", FACT)
        for name in DIMENSIONS:
            connection.put(f"d_{name.lower()}", dimension(name))
        yield connection


def test_a_proven_key_makes_groups_final(dense: eau2.Connection) -> None:
    sql = "SELECT id, name, sum(g) FROM f JOIN {} ON k = id GROUP BY id, name"
    assert plan(dense, sql.format("d_unique")).count("FinalAggregate") == 1
    assert plan(dense, sql.format("d_repeated")).count("FinalAggregate") == 2
    assert plan(dense, sql.format("d_null")).count("FinalAggregate") == 2
    # Without the key itself groups of the same name are one.
    other = "SELECT name, sum(g) FROM f JOIN d_unique ON k = id GROUP BY name"
    assert plan(dense, other).count("FinalAggregate") == 2
    left = "SELECT id, name, sum(g) FROM {} LEFT JOIN f ON k = id GROUP BY id, name"
    assert plan(dense, left.format("d_unique")).count("FinalAggregate") == 1
    assert plan(dense, left.format("d_repeated")).count("FinalAggregate") == 2


def test_a_switch_leaves_it_out(dense: eau2.Connection) -> None:
    sql = "SELECT name, sum(g) FROM f JOIN d_unique ON k = id GROUP BY name"
    dense.execute("SET optimizer.group_before_joins = off")
    assert plan(dense, sql).count("FinalAggregate") == 1


def test_overflow_is_no_new_error(always: None) -> None:
    """A group that no partner has may have a sum that does not fit."""
    with eau2.connect() as connection:
        values = pa.array([9 * 10**37, 9 * 10**37, 1], pa.decimal128(38))
        connection.put("f", pa.table({"k": [1, 1, 2], "v": values}))
        connection.put("d", pa.table({"id": [2], "name": ["a"]}))
        sql = "SELECT name, sum(v) FROM f JOIN d ON k = id GROUP BY name"
        assert connection.sql(sql).fetchall() == [("a", 1)]
        with pytest.raises(eau2.Error):
            connection.sql("SELECT k, sum(v) FROM f GROUP BY k").fetchall()


@pytest.mark.parametrize("batch", range(3))
def test_no_answer_changes(always: None, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    tally = run_batches("grouped", [batch])
    shown = [f"{verdict.text[:300]}\n{describe(case)}" for case, verdict in tally.differences[:3]]
    assert not tally.differences, "\n\n".join(shown)


def test_what_is_not_proven_is_not_final(always: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unique_keys, "is_unique", lambda statistics, rows: False)
    with eau2.connect() as connection:
        connection.put("f", FACT)
        connection.put("d", dimension("unique"))
        sql = "SELECT id, name, sum(g) FROM f JOIN d ON k = id GROUP BY id, name"
        assert plan(connection, sql).count("FinalAggregate") == 2
