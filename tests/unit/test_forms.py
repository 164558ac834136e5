"""Columns in forms: narrow numbers and codes give what plain columns give, whatever is computed."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eau2
from eau2.catalog import ColumnSchema, FrameSchema
from eau2.kernels import tables
from eau2.kv import compact
from eau2.kv.columns import Columns
from eau2.kv.compact import Compactor, expanded
from eau2.kv.encoding import stored_schema
from eau2.kv.statistics import batch_statistics
from eau2.operators.forms import joined
from eau2.types import BIGINT, DATE, HUGEINT, VARCHAR, decimal

WORDS = ("", "a", "b", "PROMO ink", "promo", "ünï", "x" * 40)
SCHEMA = FrameSchema(
    (
        ColumnSchema("i", BIGINT),
        ColumnSchema("d", DATE),
        ColumnSchema("m", decimal(9, 2)),
        ColumnSchema("h", HUGEINT),
        ColumnSchema("s", VARCHAR),
        ColumnSchema("k", BIGINT),
        ColumnSchema("e", DATE),
    )
)
ROW = st.tuples(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 200),
    st.none() | st.integers(-40_000, 40_000),
    st.none() | st.integers(-40_000, 40_000) | st.integers(-(10**9) + 1, 10**9 - 1),
    st.none() | st.integers(-(10**37), 10**37) | st.integers(-5, 5),
    st.none() | st.sampled_from(WORDS),
    st.none() | st.integers(-120, 120),
    st.none() | st.integers(-100, 100),
)
ROWS = st.lists(ROW, min_size=1, max_size=30)


@pytest.fixture(autouse=True)
def _small_dictionaries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "DICTIONARY_ROWS", 1)
    monkeypatch.setattr(compact, "ROWS_PER_VALUE", 1)


def stored(rows: list[Any]) -> pa.RecordBatch:
    """Rows in stored form."""
    types = stored_schema(SCHEMA)
    columns = list(zip(*rows, strict=True))
    arrays = [
        pa.array(columns[0], pa.int64()),
        pa.array(columns[1], pa.int32()).cast(pa.date32()),
        pa.array(columns[2], pa.int64()),
        pa.array([None if v is None else Decimal(v) for v in columns[3]], types.field(3).type),
        pa.array(columns[4], pa.string_view()),
        pa.array(columns[5], pa.int64()),
        pa.array(columns[6], pa.int32()).cast(pa.date32()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=types)


@settings(deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=4))
def test_a_compact_chunk_is_the_same_rows(chunks: list[list[Any]]) -> None:
    compactor = Compactor(SCHEMA, Columns())
    for rows in chunks:
        batch = stored(rows)
        (statistics,) = batch_statistics(batch, SCHEMA, batch.num_rows, Columns())
        made = compactor.compact(batch, statistics)
        assert expanded(made, SCHEMA).equals(batch)
        assert made.nbytes <= batch.nbytes + 400


@settings(deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=5))
def test_chunks_of_several_forms_go_together(chunks: list[list[Any]]) -> None:
    compactors = [Compactor(SCHEMA, Columns()), Compactor(SCHEMA, Columns())]
    parts, plain = [], []
    for number, rows in enumerate(chunks):
        batch = stored(rows)
        (statistics,) = batch_statistics(batch, SCHEMA, batch.num_rows, Columns())
        made = compactors[number % 2].compact(batch, statistics)
        parts.append(pa.Table.from_batches([made]))
        plain.append(batch)
    whole = tables.together(parts)
    assert whole.num_rows == sum(map(len, chunks))
    for index in range(len(SCHEMA.columns)):
        column = whole.column(index)
        values = [v for part in plain for v in part.column(index).to_pylist()]
        if pa.types.is_date(plain[0].column(index).type):
            days = [None if v is None else (v - datetime.date(1970, 1, 1)).days for v in values]
            assert [_days(v) for v in column.to_pylist()] == days
        else:
            assert [_whole(v) for v in column.to_pylist()] == [_whole(v) for v in values]


def _days(value: Any) -> int | None:
    if isinstance(value, datetime.date):
        return (value - datetime.date(1970, 1, 1)).days
    return None if value is None else int(value)


def _whole(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else int(value)


QUERIES = (
    "SELECT i, d, m, h, s FROM t ORDER BY ALL",
    "SELECT s, count(*), sum(m), min(d), max(h) FROM t GROUP BY s ORDER BY ALL",
    "SELECT i, count(*), min(s), max(s) FROM t GROUP BY i ORDER BY ALL",
    "SELECT d, m, count(DISTINCT s) FROM t GROUP BY d, m ORDER BY ALL",
    "SELECT count(*) FROM t WHERE s LIKE '%o%'",
    "SELECT count(*) FROM t WHERE NOT s LIKE 'PROMO%' OR s IS NULL",
    "SELECT count(*) FROM t WHERE s IN ('a', 'promo', 'none')",
    "SELECT count(*) FROM t WHERE s NOT IN ('a', 'promo')",
    "SELECT count(*) FROM t WHERE s < 'b' OR s >= 'x'",
    "SELECT count(*) FROM t WHERE coalesce(s, 'a') = 'a'",
    "SELECT DISTINCT upper(s) || length(s) AS u FROM t ORDER BY u",
    "SELECT CASE WHEN s = 'a' THEN i ELSE length(s) END AS c FROM t ORDER BY ALL",
    "SELECT count(*) FROM t WHERE i BETWEEN -100 AND 100 AND m < 12.5",
    "SELECT count(*) FROM t WHERE d < DATE '1970-03-01' OR d IN (DATE '1970-01-05')",
    "SELECT count(*) FROM t WHERE i > 5000000000 OR i IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 5000000000)",
    "SELECT count(*) FROM t WHERE i < d - DATE '1970-01-01'",
    "SELECT a.s, count(*) FROM t a JOIN t b ON a.s = b.s AND a.i = b.i GROUP BY a.s ORDER BY ALL",
    "SELECT count(*) FROM t a LEFT JOIN t b ON a.d = b.d AND b.s = 'a' WHERE b.m IS NULL",
    "SELECT count(*) FROM t a WHERE EXISTS (SELECT 1 FROM t b WHERE b.i = a.i AND b.s <> a.s)",
    "SELECT s, i FROM t ORDER BY s DESC NULLS FIRST, i LIMIT 5",
    "SELECT s, row_number() OVER (PARTITION BY s ORDER BY i, d, m, h) AS n FROM t ORDER BY ALL",
    "SELECT s FROM t UNION SELECT 'a' ORDER BY 1",
    "SELECT try_cast(s AS INTEGER) AS n, count(*) FROM t GROUP BY n ORDER BY ALL",
    "SELECT count(*) FROM t WHERE k < i",
    "SELECT count(*) FROM t WHERE d >= e AND k <> i",
    "SELECT count(*) FROM t WHERE e <= d OR k < 5000000000",
    "SELECT count(*) FROM t WHERE k > 5000000000 OR k = 200 OR k IN (1, 300, 257)",
    "SELECT count(*) FROM t WHERE k <= 127 AND k >= -128 AND e < DATE '2020-01-01'",
    "SELECT sum(k), sum(k * k), avg(k - 100), sum(k // 3), max(e - d) FROM t",
    "SELECT max(s), min(d), max(m), sum(h // 1000) FROM t WHERE s > ''",
)


@settings(deadline=None, max_examples=15)
@given(st.lists(ROWS, min_size=1, max_size=3))
def test_answers_do_not_depend_on_forms(chunks: list[list[Any]]) -> None:
    rows = [row for part in chunks for row in part]
    table = pa.Table.from_batches([stored(rows)])
    logical = table.set_column(
        2, "m", table.column("m").cast(pa.decimal128(19, 0)).combine_chunks()
    )
    plain, formed = eau2.connect(), eau2.connect()
    formed.execute(f"SET chunk_rows = {max(1, len(chunks[0]))}")
    formed.register("t", logical)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Compactor, "compact", lambda _, batch, known: batch)
        plain.register("t", logical)
    for query in QUERIES:
        outcomes = [_outcome(connection, query) for connection in (plain, formed)]
        assert outcomes[0] == outcomes[1], query
    plain.close()
    formed.close()


def _outcome(connection: eau2.Connection, query: str) -> Any:
    try:
        return connection.sql(query).fetchall()
    except eau2.DataError as error:
        return type(error).__name__


def test_parts_of_a_column_take_one_dtype() -> None:
    coded = pl.DataFrame({"c1": pl.Series(["a", "b"], dtype=pl.Enum(["b", "a"]))})
    other = pl.DataFrame({"c1": pl.Series(["c", None], dtype=pl.Enum(["c"]))})
    assert joined([coded, coded]).schema["c1"] == pl.Enum(["b", "a"])
    assert joined([coded, other]).to_series().to_list() == ["a", "b", "c", None]
    narrow = pl.DataFrame({"c1": pl.Series([1, None], dtype=pl.Int16)})
    wide = pl.DataFrame({"c1": pl.Series([2**40], dtype=pl.Int64)})
    assert joined([narrow, wide]).to_series().to_list() == [1, None, 2**40]
    day = pl.DataFrame({"c1": [datetime.date(1970, 1, 3)]})
    assert joined([narrow, day]).to_series().to_list() == [
        datetime.date(1970, 1, 2),
        None,
        datetime.date(1970, 1, 3),
    ]


def test_a_dictionary_of_256_values_and_more_travels() -> None:
    for size in (255, 256, 257, 70_000):
        values = [f"v{number}" for number in range(size)]
        connection = eau2.connect()
        connection.register("t", pa.table({"s": values * 2}))
        counted = connection.sql(
            "SELECT s, count(*) AS n FROM t GROUP BY s HAVING n <> 2"
        ).fetchall()
        assert counted == []
        distinct = connection.sql("SELECT count(DISTINCT s) FROM t WHERE s >= 'v'").fetchall()
        assert distinct == [(size,)]
        connection.close()


def test_rounds_of_a_recursive_query_have_dictionaries_of_their_own() -> None:
    con = eau2.connect()
    con.execute("CREATE TABLE t (a VARCHAR, b VARCHAR)")
    con.execute("INSERT INTO t VALUES ('x', 'b'), ('b', 'c'), ('y', 'd'), ('z', ''), (NULL, 'n')")
    step = "SELECT t.a FROM r JOIN t ON t.b = r.k"
    rows = con.sql(f"WITH RECURSIVE r(k) AS (SELECT b FROM t UNION {step}) SELECT k FROM r")
    found = {k for (k,) in rows.fetchall()}
    assert found == {"b", "c", "d", "", "n", "x", "y", "z", None}
