"""The rule compare_extremes: what it writes, and that answers are those of the pairs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import duckdb
import pyarrow as pa
import pytest

import eau2
from eau2.planner.rules import compare_extremes
from tests.oracle.fuzz import describe, run_batches

OPERATORS = ("<>", "<", "<=", ">", ">=")
KINDS = ("EXISTS", "NOT EXISTS")


def _table(rows: list[tuple[int | None, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [(), (), ()]
    return pa.table({n: pa.array(c, pa.int64()) for n, c in zip("kvf", columns, strict=True)})


VALUES = (None, 1, 2, 3)
LEFT = _table([(k, v, 0) for k in (None, 1, 2, 3, 4, 5, 6) for v in VALUES for _ in range(2)])
RIGHT = _table(
    [
        *[(1, 1, 0), (1, 1, 1)],  # one value, twice
        *[(2, 1, 1), (2, 2, 0), (2, 3, 1)],  # several
        *[(3, None, 1), (3, None, 0)],  # NULL alone
        *[(4, None, 0), (4, 2, 1)],  # NULL and a value
        *[(None, 1, 1), (None, 2, 1)],  # no key
        (6, 2, None),
    ]
)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule fires however few rows there are."""
    monkeypatch.setattr(compare_extremes, "ROWS", 0.0)


@pytest.fixture(params=[RIGHT, RIGHT.slice(0, 0)], ids=["rows", "no rows"])
def both(
    always: None, request: pytest.FixtureRequest
) -> Iterator[tuple[eau2.Connection, duckdb.DuckDBPyConnection]]:
    """eau2 and DuckDB with the same two tables."""
    duck = duckdb.connect()
    with eau2.connect() as connection:
        connection.execute("SET chunk_rows = 5")
        for name, given in {"l": LEFT, "r": request.param}.items():
            connection.put(name, given)
            duck.register("given", given)
            duck.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
            duck.unregister("given")
        yield connection, duck
    duck.close()


def same(both: tuple[eau2.Connection, duckdb.DuckDBPyConnection], sql: str) -> str:
    """The plan of a query, whose answer is DuckDB's."""
    connection, duck = both
    assert connection.sql(sql).fetchall() == duck.sql(sql).fetchall(), sql
    return "\n".join(row[0] for row in connection.sql(f"EXPLAIN {sql}").fetchall())


@pytest.mark.parametrize(("kind", "operator"), [*product(KINDS, OPERATORS)])
def test_one_inequality_is_answered_by_extremes(
    both: tuple[eau2.Connection, duckdb.DuckDBPyConnection], kind: str, operator: str
) -> None:
    for condition in (
        f"r.v + r.f {operator} l.v",
        f"l.v + 1 {operator} r.v",
        f"r.v {operator} l.v",
    ):
        sub = f"SELECT 1 FROM r WHERE r.k = l.k AND {condition}"
        same(both, f"SELECT k, v FROM l WHERE {kind} ({sub}) ORDER BY ALL")
        same(both, f"SELECT k, v, {kind} ({sub}) AS e FROM l ORDER BY ALL")
        plan = same(both, f"SELECT k, v FROM l WHERE {kind} ({sub}) ORDER BY ALL")
    assert "Join semi" not in plan
    assert "Join anti" not in plan


@pytest.mark.parametrize(("first", "second"), [*product(KINDS, KINDS)])
def test_questions_by_one_key_share_their_groups(
    both: tuple[eau2.Connection, duckdb.DuckDBPyConnection], first: str, second: str
) -> None:
    for a, b in (("<>", "<>"), ("<", ">="), ("<>", ">")):
        plan = same(
            both,
            "SELECT k, v FROM l"
            f" WHERE {first} (SELECT 1 FROM r WHERE r.k = l.k AND r.v {a} l.v)"
            f" AND {second} (SELECT 1 FROM r WHERE r.k = l.k AND r.v {b} l.v AND r.f = 1)"
            " ORDER BY ALL",
        )
        assert plan.count("FinalAggregate") == 1


def test_each_has_conditions_of_its_own(
    both: tuple[eau2.Connection, duckdb.DuckDBPyConnection],
) -> None:
    same(
        both,
        "SELECT k, v FROM l"
        " WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND r.v <> l.v AND r.f = 0)"
        " AND NOT EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND r.v > l.v AND r.f = 1)"
        " ORDER BY ALL",
    )


def test_other_keys_have_groups_of_their_own(
    both: tuple[eau2.Connection, duckdb.DuckDBPyConnection],
) -> None:
    plan = same(
        both,
        "SELECT k, v FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND r.v <> l.v)"
        " AND EXISTS (SELECT 1 FROM r WHERE r.k + 1 = l.k AND r.v <> l.v) ORDER BY ALL",
    )
    assert plan.count("FinalAggregate") == 2


def test_a_mark_may_be_read_by_what_stands_above_it(
    both: tuple[eau2.Connection, duckdb.DuckDBPyConnection],
) -> None:
    same(
        both,
        "SELECT k, v, e FROM (SELECT *, EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND r.v < l.v) AS e"
        " FROM l) q WHERE EXISTS (SELECT 1 FROM r WHERE r.k = q.k AND r.v <> q.v + q.e::INT)"
        " ORDER BY ALL",
    )


def test_floats_keep_their_pairs(always: None) -> None:
    """NaN equals itself and is the greatest, and -0 is 0: extremes are not asked."""
    with eau2.connect() as connection:
        table = pa.table({"k": [1, 1, 2, 2], "v": [float("nan"), 1.0, -0.0, 0.0]})
        connection.put("t", table)
        sql = "SELECT k, v FROM t a WHERE EXISTS (SELECT 1 FROM t b WHERE a.k = b.k AND a.v <> b.v)"
        lines = connection.sql(f"EXPLAIN {sql}").fetchall()
        assert any("Join semi" in row[0] for row in lines)
        assert len(connection.sql(sql).fetchall()) == 2


def test_few_rows_keep_their_pairs() -> None:
    with eau2.connect() as connection:
        connection.put("t", RIGHT)
        sql = "SELECT k FROM t a WHERE EXISTS (SELECT 1 FROM t b WHERE a.k = b.k AND a.v <> b.v)"
        lines = connection.sql(f"EXPLAIN {sql}").fetchall()
        assert any("Join semi" in row[0] for row in lines)


def test_a_switch_leaves_it_out(always: None) -> None:
    with eau2.connect() as connection:
        connection.put("t", RIGHT)
        connection.execute("SET optimizer.compare_extremes = off")
        sql = "SELECT k FROM t a WHERE EXISTS (SELECT 1 FROM t b WHERE a.k = b.k AND a.v <> b.v)"
        lines = connection.sql(f"EXPLAIN {sql}").fetchall()
        assert any("Join semi" in row[0] for row in lines)


@pytest.mark.parametrize("batch", range(2))
def test_no_answer_changes(always: None, batch: int) -> None:
    tally = run_batches("extremes", [batch])
    shown = [f"{verdict.text[:300]}\n{describe(case)}" for case, verdict in tally.differences[:3]]
    assert not tally.differences, "\n\n".join(shown)
