"""Sums of doubles whose statistics say that none is NaN or infinite, and of others."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa

import eau2

SUMS = "sum(v), avg(v), var_pop(v), sum(v) FILTER (k = 1), sum(v * 0.5), covar_pop(v, -v)"


def answers(connection: eau2.Connection) -> list[tuple[Any, ...]]:
    grouped = connection.sql(f"SELECT k, {SUMS} FROM t GROUP BY k ORDER BY k").fetchall()
    return [*grouped, *connection.sql(f"SELECT 0, {SUMS} FROM t").fetchall()]


def table(keys: list[int], values: list[float | None]) -> pa.Table:
    return pa.table({"k": keys, "v": pa.array(values, pa.float64())})


def test_what_comes_later_may_be_no_number() -> None:
    """A proof is one of a version of a frame, not of the next."""
    connection = eau2.connect()
    connection.execute("SET chunk_rows = 2")
    connection.register("t", table([1, 1, 2, 2, 2], [0.5, 1.5, -3.0, None, 3.0]))
    assert answers(connection) == [
        (1, 2.0, 1.0, 0.25, 2.0, 1.0, -0.25),
        (2, 0.0, 0.0, 9.0, None, 0.0, -9.0),
        (0, 2.0, 0.5, 4.875, 2.0, 1.0, -4.875),
    ]
    for extra, total in ((math.nan, math.nan), (math.inf, math.inf), (-math.inf, -math.inf)):
        connection.register("t", table([1, 1, 2, 2, 2], [0.5, 1.5, -3.0, None, extra]))
        first, second, both = answers(connection)
        assert first == (1, 2.0, 1.0, 0.25, 2.0, 1.0, -0.25)
        for row in (second, both):
            assert str(row[1]) == str(row[2]) == str(row[5]) == str(total)
            assert math.isnan(row[3])
            assert math.isnan(row[6])
    connection.close()


def test_sums_that_exceed_doubles_are_infinite() -> None:
    connection = eau2.connect()
    connection.register("t", table([1, 1], [1e308, 1e308]))
    (row,) = connection.sql("SELECT sum(v), sum(v * 4) FROM t").fetchall()
    assert row == (math.inf, math.inf)
    connection.close()
