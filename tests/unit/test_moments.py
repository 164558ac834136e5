"""Variances and their kin: as exact as their inputs allow, whatever the chunks; beside DuckDB."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from random import Random

import duckdb
import pyarrow as pa
import pytest

import eau2

ROWS = 200


def table() -> pa.Table:
    random = Random(3)
    return pa.table(
        {
            "g": pa.array([random.choice((1, 2, 3, None)) for _ in range(ROWS)], pa.int32()),
            "far": [None if random.random() < 0.1 else random.gauss(1e9, 1) for _ in range(ROWS)],
            "x": [None if random.random() < 0.1 else random.gauss(0, 1) for _ in range(ROWS)],
            "i": pa.array([random.randint(-5, 5) for _ in range(ROWS)], pa.int32()),
            "n": range(ROWS),
        }
    )


@pytest.fixture(scope="module", params=[7])
def connection(request: pytest.FixtureRequest) -> Iterator[eau2.Connection]:
    connection = eau2.connect()
    if request.param is not None:
        connection.execute(f"SET chunk_rows = {request.param}")
    connection.register("t", table())
    yield connection
    connection.close()


ONE = ("stddev", "stddev_pop", "var_samp", "variance", "var_pop", "sem")
TWO = (
    *("covar_pop", "covar_samp", "corr", "regr_slope", "regr_intercept", "regr_r2", "regr_count"),
    *("regr_avgx", "regr_avgy", "regr_sxx", "regr_syy", "regr_sxy"),
)
CALLS = [
    *(f"{name}({arg})" for name in ONE for arg in ("x", "i")),
    *(f"{name}(x, i)" for name in TWO),
    "stddev(DISTINCT i)",
    "stddev(x) FILTER (WHERE i > 0)",
    "corr(x, i) FILTER (WHERE i > 0)",
]
FORMS = (
    "SELECT {} FROM t GROUP BY g ORDER BY g",
    "SELECT {} FROM t",
    "SELECT {} FROM t WHERE n < 1",
    "SELECT {} FROM t WHERE false",
    "SELECT {} OVER (PARTITION BY g ORDER BY n ROWS 5 PRECEDING) FROM t ORDER BY n",
)


@pytest.mark.parametrize("call", CALLS)
def test_calls_give_what_duckdb_gives(connection: eau2.Connection, call: str) -> None:
    duck = duckdb.connect()
    duck.register("t", table())
    for form in FORMS:
        sql = form.format(call)
        wanted = [row[0] for row in duck.sql(sql).fetchall()]
        found = [row[0] for row in connection.sql(sql).fetchall()]
        assert len(found) == len(wanted)
        for a, b in zip(wanted, found, strict=True):
            if a is None or b is None:
                assert a is b
            elif not (math.isnan(a) and math.isnan(b)):
                assert b == pytest.approx(a, rel=1e-9, abs=1e-12), sql


def test_a_small_spread_around_a_large_mean_is_not_lost(connection: eau2.Connection) -> None:
    values = [Fraction(v) for v in table().column("far").to_pylist() if v is not None]
    mean = sum(values) / len(values)
    exact = sum((v - mean) ** 2 for v in values) / (len(values) - 1)
    found = connection.sql("SELECT var_samp(far) FROM t").fetchall()[0][0]
    assert found == pytest.approx(float(exact), rel=1e-14)


def test_chunks_make_no_difference_to_any_bit() -> None:
    answers = set()
    for rows in (1, 3, 64, 1000):
        connection = eau2.connect()
        connection.execute(f"SET chunk_rows = {rows}")
        connection.register("t", table())
        sql = "SELECT g, stddev(far), corr(far, x), regr_slope(x, far) FROM t GROUP BY g ORDER BY g"
        answers.add(repr(connection.sql(sql).fetchall()))
    assert len(answers) == 1


def test_what_is_not_finite() -> None:
    connection = eau2.connect()
    rows = pa.table({"a": [1.0, math.nan], "b": [1.0, math.inf], "c": [1e200, -1e200]})
    connection.register("v", rows)
    row = connection.sql("SELECT stddev(a), stddev(b), stddev(c) FROM v").fetchall()[0]
    assert [repr(value) for value in row] == ["nan", "nan", "inf"]
    quotients = "corr(c, c), regr_slope(c, c), regr_intercept(c, c), regr_r2(c, c)"
    row = connection.sql(f"SELECT {quotients}, covar_pop(c, c) FROM v").fetchall()[0]
    assert [repr(value) for value in row] == ["nan", "nan", "nan", "nan", "inf"]
    with pytest.raises(eau2.ProgrammingError, match="not defined for VARCHAR"):
        connection.sql("SELECT stddev('a')")
