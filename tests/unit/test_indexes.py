"""Indexes: the same answers with them and without, when they are made, used and let go of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import eau2
from eau2 import node
from eau2.config import INDEXES
from eau2.indexes import kept, picking
from eau2.indexes.asked import Ask, Partners, Range, asks
from eau2.indexes.kept import Indexes
from eau2.indexes.row_lists import RowLists
from eau2.operators.base import Operator
from eau2.operators.expr import Call, Cast, Column, Literal, ref
from eau2.operators.filter import Filter
from eau2.operators.join import Join
from eau2.operators.project import Project
from eau2.operators.scan import ScanChunks, StageInput
from eau2.operators.sort import Limit
from eau2.records import replace
from eau2.types import BOOLEAN, INTEGER, VARCHAR
from tests.cluster.nodes import until

EAGER = replace(INDEXES, rows=0, chunk_rows=1, rows_per_taken=1)
SMALL = replace(INDEXES, rows=100, chunk_rows=100)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of a hundred rows have indexes, by the usual rules."""
    for module in (picking, kept, node):
        monkeypatch.setattr(module, "INDEXES", SMALL)


@pytest.fixture
def connection(small: None) -> Iterator[eau2.Connection]:
    with eau2.connect() as made:
        made.execute("SET chunk_rows = 1000")
        made.put("t", facts(3000))
        yield made


def facts(rows: int, start: int = 0) -> pa.Table:
    """k: 0 to 499 over and over; v: the row's number."""
    numbers = range(start, start + rows)
    return pa.table({"k": [n * 7 % 500 for n in numbers], "v": list(numbers)})


def rows(connection: eau2.Connection, sql: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = connection.sql(sql).to_arrow().to_pylist()
    return found


def shown(connection: eau2.Connection) -> list[tuple[Any, ...]]:
    """name, column, state, chunks, used of each index."""
    keys = ("name", "column", "state", "chunks", "used")
    return [tuple(row[key] for key in keys) for row in rows(connection, "SHOW INDEXES")]


def indexes_of(connection: eau2.Connection) -> Indexes:
    backend: Any = connection._backend
    found: Indexes = backend.cluster.home.indexes
    return found


def settle(connection: eau2.Connection) -> None:
    assert indexes_of(connection).wait(10)


def test_an_index_is_made_at_once_and_used(connection: eau2.Connection) -> None:
    connection.execute("CREATE INDEX by_k ON t (k)")
    assert shown(connection) == [("by_k", "k", "built", 3, 0)]
    expected = [n for n in range(3000) if n * 7 % 500 == 21]
    assert [row["v"] for row in rows(connection, "SELECT v FROM t WHERE k = 21")] == expected
    assert shown(connection) == [("by_k", "k", "built", 3, 1)]
    rows(connection, "SELECT v FROM t WHERE k < 400")
    assert shown(connection) == [("by_k", "k", "built", 3, 1)]


def test_the_switch_leaves_indexes_out(connection: eau2.Connection) -> None:
    connection.execute("CREATE INDEX by_k ON t (k); SET optimizer.indexes = off")
    assert len(rows(connection, "SELECT v FROM t WHERE k = 21")) == 6
    assert shown(connection) == [("by_k", "k", "built", 3, 0)]


def test_a_chunk_that_comes_is_indexed_once_it_is_asked(connection: eau2.Connection) -> None:
    connection.execute("CREATE INDEX by_k ON t (k)")
    connection.register("more", facts(1000, 3000))
    connection.execute("INSERT INTO t SELECT * FROM more")
    assert shown(connection) == [("by_k", "k", "partly built", 3, 0)]
    expected = [n for n in range(4000) if n * 7 % 500 == 21]
    for _ in range(2):
        assert [row["v"] for row in rows(connection, "SELECT v FROM t WHERE k = 21")] == expected
        settle(connection)
    assert shown(connection) == [("by_k", "k", "built", 4, 2)]


def test_columns_that_are_asked_twice_get_lists(connection: eau2.Connection) -> None:
    rows(connection, "SELECT v FROM t WHERE k = 3")
    settle(connection)
    assert shown(connection) == []
    assert len(rows(connection, "SELECT v FROM t WHERE k = 4")) == 6
    settle(connection)
    assert shown(connection) == [(None, "k", "built", 3, 0)]
    assert len(rows(connection, "SELECT v FROM t WHERE k = 5")) == 6
    assert shown(connection) == [(None, "k", "built", 3, 1)]


def test_nothing_is_made_unasked_with_auto_index_off(connection: eau2.Connection) -> None:
    connection.execute("SET auto_index = off")
    for k in range(4):
        rows(connection, f"SELECT v FROM t WHERE k = {k}")
    settle(connection)
    assert shown(connection) == []


def test_a_column_of_few_values_gets_no_lists(connection: eau2.Connection) -> None:
    connection.put("few", pa.table({"k": [n % 5 for n in range(3000)]}))
    for k in range(4):
        rows(connection, f"SELECT count(*) FROM few WHERE k = {k}")
        settle(connection)
    assert shown(connection) == []


@pytest.mark.parametrize("ordered", [False, True])
def test_lists_that_are_of_no_use_go(connection: eau2.Connection, ordered: bool) -> None:
    keys = [max(0, n % 1000 - 600) if ordered or n % 2 else 0 for n in range(3000)]
    connection.put("uneven", pa.table({"k": keys}))
    for _ in range(2):
        rows(connection, "SELECT count(*) FROM uneven WHERE k = 0")
    settle(connection)
    assert [row[1:3] for row in shown(connection)] == [("k", "built")]
    for _ in range(SMALL.vain_asks):
        assert rows(connection, "SELECT count(*) AS n FROM uneven WHERE k = 0")[0]["n"] > 1000
    settle(connection)
    assert bool(shown(connection)) == ordered


def test_the_budget_is_kept(connection: eau2.Connection) -> None:
    connection.execute("SET index_memory = '14kB'")
    connection.execute("CREATE INDEX by_v ON t (v)")
    assert shown(connection) == [("by_v", "v", "built", 3, 0)]
    for k in range(3):
        assert len(rows(connection, f"SELECT v FROM t WHERE k = {k}")) == 6
        settle(connection)
    # What was asked for by name stays, and nothing takes its place.
    assert shown(connection)[0] == ("by_v", "v", "built", 3, 0)
    total = sum(row["bytes"] for row in rows(connection, "SHOW INDEXES"))
    assert 12_000 <= total <= 14_000
    connection.execute("CREATE INDEX by_k ON t (k)")
    assert {row[0]: row[2] for row in shown(connection)} == {"by_v": "built", "by_k": "no room"}
    connection.execute("SET index_memory = 0")
    assert {row[3] for row in shown(connection)} == {0}
    assert len(rows(connection, "SELECT v FROM t WHERE k = 7")) == 6
    connection.execute("RESET index_memory")
    rows(connection, "SELECT v FROM t WHERE k = 7")
    settle(connection)
    assert {row[0]: row[2] for row in shown(connection)}["by_k"] == "built"


def test_named_lists_push_others_out(connection: eau2.Connection) -> None:
    for k in range(2):
        rows(connection, f"SELECT v FROM t WHERE k = {k}")
    settle(connection)
    assert shown(connection) == [(None, "k", "built", 3, 0)]
    connection.execute("SET index_memory = '19kB'; CREATE INDEX by_v ON t (v)")
    assert ("by_v", "v", "built", 3, 0) in shown(connection)
    assert indexes_of(connection)._bytes <= 19_000


def test_dropped_and_replaced_tables_lose_theirs(connection: eau2.Connection) -> None:
    connection.execute("CREATE INDEX by_k ON t (k)")
    connection.put("t", facts(2000), replace=True)
    assert shown(connection) == []
    connection.execute("CREATE INDEX by_k ON t (k)")
    assert len(rows(connection, "SELECT v FROM t WHERE k = 21")) == 4
    connection.execute("DROP TABLE t")
    assert shown(connection) == []
    assert not indexes_of(connection)._entries
    assert indexes_of(connection)._bytes == 0


def test_an_index_is_dropped_while_it_is_used(
    connection: eau2.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.execute("CREATE INDEX by_k ON t (k)")
    used = RowLists.rows_of

    def dropping(lists: RowLists, starts: Any, ends: Any) -> Any:
        indexes = indexes_of(connection)
        for place in list(indexes._entries):
            indexes.drop(*place)
        return used(lists, starts, ends)

    monkeypatch.setattr(RowLists, "rows_of", dropping)
    assert len(rows(connection, "SELECT v FROM t WHERE k = 21")) == 6
    connection.execute("DROP INDEX by_k")
    assert shown(connection) == []


def test_one_of_two_names_can_go(connection: eau2.Connection) -> None:
    connection.execute("CREATE INDEX one ON t (k); CREATE INDEX two ON t (K); DROP INDEX ONE")
    assert shown(connection) == [("two", "k", "built", 3, 0)]


def test_names_outlive_the_process(small: None, tmp_path: Path) -> None:
    with eau2.connect(str(tmp_path / "s")) as connection:
        connection.execute("SET chunk_rows = 1000")
        connection.put("t", facts(3000))
        connection.execute("CREATE INDEX by_k ON t (k)")
        connection.execute("INSERT INTO t VALUES (21, -1)")
    with eau2.connect(str(tmp_path / "s")) as connection:
        assert [row[:3] for row in shown(connection)] == [("by_k", "k", "not built")]
        assert len(rows(connection, "SELECT v FROM t WHERE k = 21")) == 7
        settle(connection)
        assert [row[:3] for row in shown(connection)] == [("by_k", "k", "built")]
        assert len(rows(connection, "SELECT v FROM t WHERE k = 21")) == 7
        connection.execute("DROP INDEX by_k")
    with eau2.connect(str(tmp_path / "s")) as connection:
        assert shown(connection) == []


def test_the_thread_ends_with_the_connection(small: None) -> None:
    connection = eau2.connect()
    connection.execute("SET chunk_rows = 1000")
    connection.put("t", facts(3000))
    for k in range(2):
        rows(connection, f"SELECT v FROM t WHERE k = {k}")
    connection.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "indexes"]


def test_files_have_no_lists(small: None, tmp_path: Path) -> None:
    import pyarrow.parquet

    path = tmp_path / "t.parquet"
    with eau2.connect() as connection:
        for number in range(4):
            pyarrow.parquet.write_table(facts(1000 + number), path)
            found = rows(connection, f"SELECT count(*) AS n FROM '{path}' WHERE k = 1")
            assert found == [{"n": 2}]
            settle(connection)
        assert not indexes_of(connection)._entries


def test_an_error_is_raised_with_an_index_too(connection: eau2.Connection) -> None:
    """Rows that are left out must not hide what would fail on them."""
    connection.execute("CREATE INDEX by_k ON t (k)")
    for switch in ("on", "off"):
        connection.execute(f"SET optimizer.indexes = {switch}")
        text = "SELECT v FROM t WHERE k = 21 AND CAST('x' || v AS INTEGER) > 0"
        with pytest.raises(eau2.DataError):
            rows(connection, text)
        text = "SELECT v FROM t WHERE k = 21 AND (k = 21 OR CAST('x' || v AS INTEGER) > 0)"
        assert len(rows(connection, text)) == 6


K, V, S = Column(0, "k", INTEGER), Column(1, "v", VARCHAR), Column(2, "s", INTEGER)
SCAN = ScanChunks((K, V), ("key", "val"))
IS_3 = Call(BOOLEAN, "=", (ref(K), Literal(INTEGER, 3)))
FAILS = Call(BOOLEAN, "=", (Cast(INTEGER, ref(V)), Literal(INTEGER, 3)))
STAGE = StageInput(1, (S,))
RENAMED = StageInput(1, (V, S), (S, Column(9, "old", INTEGER)))
PAIR = ((ref(K), ref(S)),)
ABOVE, BELOW = Range("key", 4, (1 << 63) - 1), Range("key", -(1 << 63), 2)
ONE, PARTNERS = Range("key", 3, 3), Partners("key", 1, "c2")


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (Filter(SCAN, IS_3), (ONE,)),
        (Filter(SCAN, Call(BOOLEAN, "<", (Literal(INTEGER, 3), ref(K)))), (ABOVE,)),
        (Filter(SCAN, Call(BOOLEAN, "<", (ref(K), Literal(INTEGER, 3)))), (BELOW,)),
        (Filter(Filter(SCAN, FAILS), IS_3), ()),
        (Filter(Filter(SCAN, IS_3), FAILS), (ONE,)),
        (Filter(SCAN, Call(BOOLEAN, "and", (FAILS, IS_3))), (ONE,)),
        (Filter(Project(SCAN, ((K, ref(K)), (S, Cast(INTEGER, ref(V))))), IS_3), ()),
        (Filter(Project(SCAN, ((S, ref(K)), (K, ref(K)))), IS_3), (ONE,)),
        (Filter(Project(SCAN, ((K, Call(INTEGER, "+", (ref(K), ref(K)))),)), IS_3), ()),
        (Join("inner", SCAN, STAGE, PAIR), (PARTNERS,)),
        (Join("semi", SCAN, STAGE, PAIR), (PARTNERS,)),
        (Join("semi", SCAN, RENAMED, PAIR), (Partners("key", 1, "c9"),)),
        (Join("left", SCAN, STAGE, PAIR), ()),
        (Join("anti", SCAN, STAGE, PAIR), ()),
        (Join("inner", SCAN, STAGE, PAIR, null_safe=True), ()),
        (Join("inner", SCAN, STAGE, PAIR, FAILS), ()),
        (Filter(Join("left", SCAN, STAGE, PAIR), IS_3), (ONE,)),
        (Filter(Join("single", SCAN, STAGE, PAIR), IS_3), ()),
        (Filter(Join("inner", SCAN, STAGE, PAIR, FAILS), IS_3), ()),
        (Join("inner", Filter(SCAN, IS_3), STAGE, PAIR), (ONE, PARTNERS)),
        (Limit(Filter(SCAN, IS_3), 3, 0), (ONE,)),
        (Filter(Limit(SCAN, 3, 0), IS_3), ()),
        (Join("inner", STAGE, SCAN, ((ref(S), ref(K)),)), ()),
    ],
)
def test_what_a_fragment_asks(root: Operator, expected: tuple[Ask, ...]) -> None:
    assert asks(root) == expected


@pytest.mark.parametrize("where", ["three_in_process", "three_processes"])
def test_nodes_have_indexes(where: str, request: pytest.FixtureRequest) -> None:
    """Lists lie where the chunks are; a client of any node makes them and sees them all."""
    urls: tuple[str, ...] = request.getfixturevalue(where).urls
    # One row at the start, one at the end, and one of a chunk that has no lists at first.
    expected = [n for n in range(400_000) if n * 7 % 50_000 == 21]
    with eau2.connect(urls[0]) as one, eau2.connect(urls[1]) as two:
        one.execute("SET chunk_rows = 100000")
        text = "SELECT range * 7 % 50000 AS k, range AS v, 's' || range AS s FROM range({})"
        one.execute("CREATE TABLE indexed AS " + text.format("300000"))
        one.execute("CREATE INDEX indexed_k ON indexed (k)")
        two.execute("SET chunk_rows = 100000")
        try:
            assert shown(two) == [("indexed_k", "k", "built", 3, 0)]
            for number, each in enumerate((one, two), 1):
                found = rows(each, "SELECT v, s FROM indexed WHERE k = 21")
                assert [row["v"] for row in found] == expected[:6]
                assert [row["s"] for row in found] == [f"s{n}" for n in expected[:6]]
                assert [row[3:] for row in shown(each)] == [(3, number)]
            one.execute("INSERT INTO indexed " + text.format("300000, 400000"))
            sql = "SELECT v FROM indexed JOIN (SELECT 21 AS k) AS x USING (k)"
            for _ in range(2):
                assert sorted(row["v"] for row in rows(two, sql)) == expected
                until(lambda: "building" not in str(shown(two)) + str(shown(one)))
            until(lambda: shown(one)[0][2:4] == ("built", 4))
            assert sorted(row["v"] for row in rows(one, sql)) == expected
            two.execute("DROP INDEX indexed_k")
            assert shown(one) == []
            assert sorted(row["v"] for row in rows(one, sql)) == expected
        finally:
            one.execute("DROP TABLE indexed")


KEYS = st.one_of(st.none(), st.integers(-3, 12))
QUERIES = (
    "SELECT * FROM t WHERE k = {a}",
    "SELECT v, k FROM t WHERE {a} = k AND v <> {b}",
    "SELECT sum(v), count(*), sum(f) FROM t WHERE k IN ({a}, {b}, 5, -100)",
    "SELECT * FROM t WHERE k BETWEEN {a} AND {b}",
    "SELECT * FROM t WHERE k > {a} AND d <= DATE '2020-01-04' AND k < 9",
    "SELECT d, count(*) FROM t WHERE d = DATE '2020-01-03' GROUP BY ALL",
    "SELECT * FROM t WHERE m = 1.50 OR k = {a}",
    "SELECT * FROM t WHERE m = 1.50 AND k IS NOT NULL",
    "SELECT * FROM t JOIN r ON t.k = r.k",
    "SELECT t.v, r.x FROM t JOIN r ON t.k = r.k AND t.v < r.x",
    "SELECT * FROM t WHERE k IN (SELECT k FROM r)",
    "SELECT * FROM t WHERE k NOT IN (SELECT k FROM r WHERE k IS NOT NULL)",
    "SELECT * FROM t LEFT JOIN r ON t.k = r.k",
    "SELECT * FROM t LEFT JOIN r ON t.k = r.k WHERE t.v = {a}",
    "SELECT * FROM t WHERE EXISTS (SELECT 1 FROM r WHERE r.k = t.k AND r.x <> t.v)",
    "SELECT count(*) FROM (SELECT k + 0 AS k2, k FROM t WHERE v > 3) AS q JOIN r ON q.k = r.k",
    "SELECT t.d, r.d FROM t JOIN r USING (d)",
    "SELECT count(*), min(t.s) FROM t JOIN r ON t.m = r.m",
    "SELECT * FROM t JOIN r ON t.k = r.big",
    "SELECT * FROM t WHERE k IS NOT DISTINCT FROM {a}",
    "SELECT s FROM t WHERE k = {a} LIMIT 2",
    "SELECT row_number() OVER (), v FROM t WHERE k = {a}",
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(
    st.lists(KEYS, min_size=1, max_size=30),
    st.lists(KEYS, max_size=6),
    st.integers(-3, 12),
    st.integers(-3, 12),
    st.integers(1, 9),
    st.sets(st.integers(0, 40)),
)
def test_answers_do_not_depend_on_indexes(
    keys: list[int | None],
    others: list[int | None],
    a: int,
    b: int,
    chunk_rows: int,
    missing: set[int],
) -> None:
    """missing: chunks without lists."""
    text = QUERIES
    with eau2.connect() as connection, patched():
        connection.execute(f"SET chunk_rows = {chunk_rows}; SET auto_index = off")
        for name, values in (("t", keys), ("r", others)):
            connection.register("source", pa.table({"k": pa.array(values, pa.int32())}))
            connection.execute(
                f"CREATE OR REPLACE TABLE {name} AS SELECT k, (k * 3) % 7 AS v, k + 1 AS x, "
                "CAST(k AS BIGINT) AS big, DATE '2020-01-01' + k AS d, "
                "CAST(k AS DECIMAL(9, 2)) / 2 AS raw, CAST(k * 0.5 AS DECIMAL(9, 2)) AS m, "
                "k / 3 AS f, 's' || k AS s FROM source"
            )
        connection.execute("SET optimizer.indexes = off")
        queries = [query.format(a=a, b=b) for query in text]
        expected = [connection.sql(query).to_arrow() for query in queries]
        connection.execute("SET optimizer.indexes = on")
        for column in ("k", "v", "d", "m", "big"):
            connection.execute(f"CREATE INDEX by_{column} ON t ({column})")
        frame = connection.describe("t")
        for number, chunk in enumerate(frame.chunks):
            if number in missing:
                for column in ("k", "d"):
                    indexes_of(connection).drop(chunk.key, column)
        for query, answer in zip(queries, expected, strict=True):
            found = connection.sql(query).to_arrow()
            assert found.equals(answer), query


class patched:  # noqa: N801
    """Lists are used however many rows they have."""

    def __enter__(self) -> None:
        self.patches = [patch.object(m, "INDEXES", EAGER) for m in (picking, kept, node)]
        for each in self.patches:
            each.start()

    def __exit__(self, *_: object) -> None:
        for each in self.patches:
            each.stop()
