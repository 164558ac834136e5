"""Windows: values over frames, exact, whatever the chunks; DuckDB is asked where it is exact."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random

import duckdb
import pyarrow as pa
import pytest

import eau2

ROWS = 300


def table() -> pa.Table:
    random = Random("window")
    floats = [
        random.choice((1e300, -1e300, 1e-300, 0.1, -0.1, 1e16, 3.0, None)) for _ in range(ROWS)
    ]
    return pa.table(
        {
            "n": pa.array(range(ROWS), pa.int64()),
            "g": pa.array([random.choice((1, 2, 3, None)) for _ in range(ROWS)], pa.int32()),
            "i": pa.array([random.choice((-5, 0, 1, 2, 7, None)) for _ in range(ROWS)], pa.int32()),
            "f": pa.array(floats, pa.float64()),
            "s": pa.array([random.choice(("a", "b", "", None)) for _ in range(ROWS)]),
        }
    )


@pytest.fixture(scope="module", params=[None, 7])
def connection(request: pytest.FixtureRequest) -> Iterator[eau2.Connection]:
    connection = eau2.connect()
    if request.param is not None:
        connection.execute(f"SET chunk_rows = {request.param}")
    connection.register("t", table())
    yield connection
    connection.close()


CALLS = [
    "row_number() OVER (PARTITION BY g ORDER BY i, n)",
    "ntile(4) OVER (ORDER BY n)",
    "percent_rank() OVER (PARTITION BY g ORDER BY i)",
    "cume_dist() OVER (ORDER BY i DESC NULLS FIRST)",
    "lag(i, 2, 99) OVER (PARTITION BY g ORDER BY n)",
    "lead(s IGNORE NULLS) OVER (ORDER BY n)",
    "lag(i, 3 IGNORE NULLS) OVER (PARTITION BY g ORDER BY n)",
    "lag(i, i) OVER (ORDER BY n)",
    "nth_value(i, 3 IGNORE NULLS) OVER (ORDER BY n ROWS BETWEEN 5 PRECEDING AND 2 FOLLOWING)",
    "nth_value(n, i) OVER (ORDER BY n ROWS BETWEEN 9 PRECEDING AND CURRENT ROW)",
    "last_value(i) OVER (ORDER BY n ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING)",
    "first_value(s IGNORE NULLS) OVER (ORDER BY i, n GROUPS 2 PRECEDING)",
    "sum(i) OVER (ORDER BY n ROWS BETWEEN 4 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW)",
    "sum(i) OVER (PARTITION BY g ORDER BY i RANGE BETWEEN 1 PRECEDING AND 5 FOLLOWING)",
    "sum(i) OVER (ORDER BY i DESC RANGE BETWEEN 2 PRECEDING AND 1 FOLLOWING EXCLUDE TIES)",
    "min(i) OVER (ORDER BY n ROWS BETWEEN 2 PRECEDING AND 3 FOLLOWING EXCLUDE GROUP)",
    "max(s) OVER (PARTITION BY g ORDER BY n)",
    "max(i) OVER (ORDER BY n ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)",
    "avg(i) FILTER (WHERE i > 0) OVER (ORDER BY n ROWS 9 PRECEDING)",
    "count(DISTINCT i) OVER (PARTITION BY g)",
    "sum(DISTINCT i) OVER (ORDER BY n ROWS 3 PRECEDING)",
    "count(*) OVER (ORDER BY i GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING)",
    "bool_or(i > 5) OVER (ORDER BY n ROWS BETWEEN 3 FOLLOWING AND 6 FOLLOWING)",
    "count_if(i > 1) OVER (ORDER BY n ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING)",
    "count_if(DISTINCT i > 1) OVER (ORDER BY n ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING)",
]


@pytest.mark.parametrize("call", CALLS)
def test_calls_give_what_duckdb_gives(connection: eau2.Connection, call: str) -> None:
    t = table()
    sql = f"SELECT n, {call} AS w FROM t ORDER BY n"
    wanted = duckdb.sql(sql).fetchall()
    assert t.num_rows == len(wanted)
    assert connection.sql(sql).fetchall() == wanted


def test_float_sums_are_rounded_once(connection: eau2.Connection) -> None:
    frame = "ROWS BETWEEN 20 PRECEDING AND 3 FOLLOWING"
    sql = f"SELECT sum(f) OVER (ORDER BY n {frame}) FROM t ORDER BY n"
    found = [row[0] for row in connection.sql(sql).fetchall()]
    values = table().column("f").to_pylist()
    for at, total in enumerate(found):
        held = [v for v in values[max(0, at - 20) : at + 4] if v is not None]
        assert total == math.fsum(held)


def test_nan_and_infinities_stay_in_their_frames() -> None:
    connection = eau2.connect()
    values = [1.0, math.inf, 2.0, -math.inf, 3.0, math.nan, 4.0]
    connection.register("v", pa.table({"n": range(7), "f": values}))
    sql = "SELECT sum(f) OVER (ORDER BY n ROWS 1 PRECEDING) FROM v ORDER BY n"
    found = [row[0] for row in connection.sql(sql).fetchall()]
    assert [repr(value) for value in found] == ["1.0", "inf", "inf", "-inf", "-inf", "nan", "nan"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("sum(big) OVER ()", "does not fit"),
        ("ntile(i) OVER (ORDER BY i)", "ntile must be greater than zero"),
        ("sum(i) OVER (ORDER BY i ROWS BETWEEN i PRECEDING AND CURRENT ROW)", "negative: -3"),
    ],
)
def test_errors(call: str, message: str) -> None:
    connection = eau2.connect()
    connection.execute("SET chunk_rows = 1")
    rows = pa.table({"i": [-3, 4]})
    connection.register("e", rows)
    sql = f"SELECT {call} FROM (SELECT i, 170141183460469231731687303715884105727 AS big FROM e)"
    with pytest.raises(eau2.DataError, match=message):
        connection.sql(sql).fetchall()


def test_rows_keep_their_order_and_a_frame_of_nothing_is_null(connection: eau2.Connection) -> None:
    sql = "SELECT n, sum(i) OVER (ORDER BY n DESC ROWS BETWEEN 3 PRECEDING AND 2 PRECEDING) FROM t"
    found = connection.sql(f"{sql} LIMIT 3").fetchall()
    assert [row[0] for row in found] == [0, 1, 2]
    last = connection.sql(f"SELECT * FROM ({sql}) WHERE n >= {ROWS - 2} ORDER BY n").fetchall()
    assert last == [(ROWS - 2, None), (ROWS - 1, None)]


def test_over_the_one_row_of_a_select_without_from() -> None:
    sql = "SELECT row_number() OVER (), sum(5) OVER (), lag(1) OVER (ORDER BY 2)"
    assert eau2.connect().sql(sql).fetchall() == [(1, 5, None)]
