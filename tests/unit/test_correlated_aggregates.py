"""Aggregates in subqueries that read columns from outside: by rows, and over no rows at all."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

import eau2
from tests.oracle.compare import difference

OUTER = pa.table({"k": pa.array([1, 2, 3, None, 2], pa.int32()), "v": [5, 7, None, 9, 7]})
INNER = pa.table(
    {
        "k": pa.array([1, 2, 2, None, 9], pa.int32()),
        "n": pa.array([1, 2, 3, 4, None], pa.int64()),
        "s": ["a", None, "b", "c", "d"],
    }
)
CALLS = [
    "count(*)",
    "count(i.n)",
    "count(DISTINCT i.n % o.k)",
    "count_if(i.n > o.k)",
    "sum(i.n + o.k)",
    "avg(i.n * o.k)",
    "min(i.n - o.v)",
    "max(i.n) FILTER (WHERE i.n > o.k)",
    "any_value(i.n + o.k ORDER BY i.n DESC)",
    "bool_or(i.n = o.k)",
    "bit_xor(i.n + o.k)",
    "median(i.n + o.k)",
    "quantile_disc(i.n * o.k, 0.5)",
    "mode(i.n // o.k ORDER BY i.n)",
    "string_agg(i.s, ',' ORDER BY i.n * o.k, i.s)",
    "first(i.n + o.k ORDER BY i.n)",
    "arg_max(i.s, i.n * o.k)",
    "stddev_pop(i.n * o.k)",
    "regr_count(i.n, o.k)",
]
FORMS = [
    "SELECT k, v, (SELECT {} FROM i WHERE i.k = o.k) AS x FROM o",
    "SELECT k, v, (SELECT {} FROM i WHERE i.k < o.k) AS x FROM o",
    "SELECT k, v, (SELECT {} FROM i) AS x FROM o",
    "SELECT k, v, (SELECT {} FROM i WHERE false) AS x FROM o",
    "SELECT k, v, q.x FROM o, LATERAL (SELECT {} AS x FROM i WHERE i.n > o.v) AS q",
]


@pytest.fixture(scope="module")
def connection() -> Iterator[eau2.Connection]:
    connection = eau2.connect()
    connection.execute("SET chunk_rows = 2")
    connection.register("o", OUTER)
    connection.register("i", INNER)
    yield connection
    connection.close()


@pytest.mark.parametrize("call", CALLS)
def test_values_are_duckdbs(connection: eau2.Connection, call: str) -> None:
    duck = duckdb.connect()
    duck.register("o", OUTER)
    duck.register("i", INNER)
    for form in FORMS:
        sql = f"{form.format(call)} ORDER BY ALL"
        wanted = duck.sql(sql).to_arrow_table()
        assert difference(wanted, connection.sql(sql).to_arrow()) is None, sql
