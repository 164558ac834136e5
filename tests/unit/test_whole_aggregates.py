"""Quantiles, mode, string_agg, first, arg_min, bitwise aggregates and FILTER, beside DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random

import duckdb
import pyarrow as pa
import pytest

import eau2
from tests.oracle.compare import difference

ROWS = 60


def table() -> pa.Table:
    random = Random(5)
    integers = [random.choice((None, -5, 0, 3, 3, 9, 100)) for _ in range(ROWS)]
    money = [None if value is None else Decimal(value) / 4 for value in integers]
    moments = [random.choice((None, 0, 86_400_000_000, 5)) for _ in range(ROWS)]
    return pa.table(
        {
            "g": pa.array([random.choice((1, 2, 3, None)) for _ in range(ROWS)], pa.int32()),
            "i": pa.array(integers, pa.int32()),
            "d": [random.choice((None, 0.5, -1.25, 3.5, float("nan"))) for _ in range(ROWS)],
            "s": [random.choice((None, "a", "b", "", "zz")) for _ in range(ROWS)],
            "t": pa.array(moments, pa.timestamp("us")),
            "m": pa.array(money, pa.decimal128(9, 2)),
            "n": range(ROWS),
        }
    )


@pytest.fixture(scope="module", params=[None, 1, 7])
def connection(request: pytest.FixtureRequest) -> Iterator[eau2.Connection]:
    connection = eau2.connect()
    if request.param is not None:
        connection.execute(f"SET chunk_rows = {request.param}")
    connection.register("t", table())
    yield connection
    connection.close()


CALLS = [
    "count(*) FILTER (WHERE i > 0)",
    "sum(i) FILTER (WHERE s = 'a')",
    "count(DISTINCT i) FILTER (WHERE i > 0)",
    "min(i) FILTER (WHERE false)",
    "avg(DISTINCT i) FILTER (WHERE s IS NOT NULL)",
    "median(i)",
    "median(m)",
    "median(t)",
    "median(s)",
    "quantile_cont(i, 0.3)",
    "quantile_cont(m, 0.7)",
    "quantile_cont(i, -0.3)",
    "quantile_disc(d, 0.25)",
    "quantile_disc(t, 0.5)",
    "percentile_cont(0.3) WITHIN GROUP (ORDER BY i DESC)",
    "percentile_disc(0.9) WITHIN GROUP (ORDER BY s)",
    "string_agg(s, '|' ORDER BY n)",
    "string_agg(s ORDER BY s DESC, n)",
    "string_agg(DISTINCT s, ',' ORDER BY s)",
    "string_agg(i, ',' ORDER BY n DESC) FILTER (WHERE i > 0)",
    "string_agg(DISTINCT i, '-' ORDER BY i)",
    "first(i ORDER BY n)",
    "last(s ORDER BY n)",
    "first(i ORDER BY n) FILTER (WHERE i > 3)",
    "arg_min(n, n)",
    "arg_max(n, n) FILTER (WHERE i IS NOT NULL)",
    "max_by(s, n)",
    "bit_and(i)",
    "bit_or(i)",
    "bit_xor(i)",
    "bit_xor(DISTINCT i)",
    "approx_count_distinct(g)",
]
IN_AN_ORDER = [
    "any_value(i ORDER BY n DESC)",
    "any_value(i ORDER BY s, n) FILTER (WHERE i > 0)",
    "any_value(DISTINCT i ORDER BY i DESC)",
    "arbitrary(i ORDER BY n)",
    "arg_min(n, i ORDER BY n DESC)",
    "arg_max(n, i ORDER BY n DESC)",
    "arg_max(s, d ORDER BY n DESC) FILTER (WHERE n > 9)",
    "mode(i ORDER BY n DESC)",
    "mode(s ORDER BY n)",
    "mode(i ORDER BY n) FILTER (WHERE i <> 3)",
    "mode() WITHIN GROUP (ORDER BY i DESC)",
]
FORMS = [
    "SELECT g, {} AS x FROM t GROUP BY g ORDER BY g",
    "SELECT {} AS x FROM t",
    "SELECT {} AS x FROM t WHERE false",
    "SELECT n, {} OVER (PARTITION BY g) AS x FROM t ORDER BY n",
]


@pytest.mark.parametrize("call", CALLS)
def test_calls_give_what_duckdb_gives(connection: eau2.Connection, call: str) -> None:
    duck = duckdb.connect()
    duck.register("t", table())
    forms = FORMS[:3] if "WITHIN" in call or call.startswith(("first", "last")) else FORMS
    for form in forms:
        sql = form.format(call)
        wanted = duck.sql(sql).to_arrow_table()
        assert difference(wanted, connection.sql(sql).to_arrow()) is None, sql


@pytest.mark.parametrize("call", IN_AN_ORDER)
def test_an_order_inside_decides_which_row_is_taken(connection: eau2.Connection, call: str) -> None:
    duck = duckdb.connect()
    duck.register("t", table())
    for form in FORMS[:3]:
        sql = form.format(call)
        wanted = duck.sql(sql).to_arrow_table()
        assert difference(wanted, connection.sql(sql).to_arrow()) is None, sql


def test_the_mode_of_several_is_the_least_and_order_without_keys_is_of_the_values(
    connection: eau2.Connection,
) -> None:
    sql = "SELECT mode(x), string_agg(x), first(x), last(x) FROM (VALUES ('b'), ('a')) v(x)"
    assert connection.sql(sql).fetchall() == [("a", "a,b", "a", "b")]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("quantile_cont(s, 0.5)", "not defined for VARCHAR"),
        ("quantile_disc(i, 1.5)", "from -1 to 1"),
        ("quantile_disc(i, i)", "must be a constant"),
        ("string_agg(s, s)", "must be a constant"),
        ("bit_and(d)", "not defined for DOUBLE"),
        ("arg_min(i)", "takes 2 arguments"),
        ("median(DISTINCT i, 2)", "takes 1 argument"),
        ("mode(i ORDER BY n) OVER ()", "mode OVER is not supported"),
        ("arg_min(i, n ORDER BY n) OVER ()", "arg_min OVER is not supported"),
    ],
)
def test_refusals(connection: eau2.Connection, call: str, message: str) -> None:
    with pytest.raises((eau2.ProgrammingError, eau2.NotSupportedError), match=message):
        connection.sql(f"SELECT {call} FROM t")


@pytest.mark.parametrize("keys", ["", " GROUP BY g ORDER BY g"])
def test_beside_sums_that_cut_groups_into_bins(connection: eau2.Connection, keys: str) -> None:
    duck = duckdb.connect()
    duck.register("t", table())
    shown = "string_agg(s, '|' ORDER BY n), sum(i * 1e-200), first(i ORDER BY n), median(i)"
    for where in ("", " WHERE false"):
        sql = f"SELECT {shown}, stddev(i) FROM t{where}{keys}"
        wanted, found = duck.sql(sql).fetchall(), connection.sql(sql).fetchall()
        assert [(row[0], *row[2:4]) for row in found] == [(row[0], *row[2:4]) for row in wanted]
        for a, b in zip(wanted, found, strict=True):
            assert b[1] == pytest.approx(a[1]) if a[1] is not None else b[1] is None
            assert b[4] == pytest.approx(a[4]) if a[4] is not None else b[4] is None
