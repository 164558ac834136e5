"""product, skewness, kurtosis, entropy, mad, avg of timestamps: beside DuckDB, and bit for bit."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from random import Random

import duckdb
import pyarrow as pa
import pytest

import eau2
from tests.oracle.compare import difference

ROWS = 80


def table() -> pa.Table:
    random = Random(11)
    integers = [random.choice((None, -5, 1, 3, 3, 9, 100)) for _ in range(ROWS)]
    money = [None if value is None else Decimal(value) / 4 for value in integers]
    moments = [random.choice((None, -7, 0, 86_400_000_001, 5)) for _ in range(ROWS)]
    return pa.table(
        {
            "g": pa.array([random.choice((1, 2, 3, None)) for _ in range(ROWS)], pa.int32()),
            "i": pa.array(integers, pa.int32()),
            "x": [None if random.random() < 0.1 else random.uniform(-9, 9) for _ in range(ROWS)],
            "f": pa.array(
                [random.choice((None, 0.5, -1.25, 3.5)) for _ in range(ROWS)], pa.float32()
            ),
            "s": [random.choice((None, "a", "b", "", "zz")) for _ in range(ROWS)],
            "t": pa.array(moments, pa.timestamp("us")),
            "m": pa.array(money, pa.decimal128(9, 2)),
            "n": range(ROWS),
        }
    )


CALLS = (
    *("skewness(i)", "skewness(x)", "kurtosis(x)", "kurtosis(m)", "kurtosis_pop(x)", "entropy(s)"),
    *("entropy(i)", "entropy(t)", "entropy(x)", "mad(i)", "mad(x)", "mad(f)", "mad(m)"),
    *("product(i)", "product(x)", "product(m)", "avg(t)", "fsum(m)", "favg(i)", "kahan_sum(x)"),
    *("sum_no_overflow(i)", "sum_no_overflow(m)", "reservoir_quantile(i, 0.4)", "geomean(n + 1)"),
    *("arg_min_null(n, n)", "arg_max_null(n, n)", "weighted_avg(x, n)", "sem(x)"),
    *("skewness(x) FILTER (WHERE i > 0)", "product(DISTINCT i)", "entropy(s) FILTER (WHERE false)"),
)
FORMS = (
    "SELECT g, {} AS v FROM t GROUP BY g ORDER BY g",
    "SELECT {} AS v FROM t",
    "SELECT {} AS v FROM t WHERE n < 0",
    "SELECT g, sum(x) AS w, {} AS v FROM t GROUP BY g ORDER BY g",
    "SELECT n, {} OVER (PARTITION BY g ORDER BY n ROWS 4 PRECEDING) AS v FROM t ORDER BY n",
)


@pytest.mark.parametrize("call", CALLS)
def test_calls_give_what_duckdb_gives(call: str) -> None:
    duck = duckdb.connect()
    duck.register("t", table())
    connection = eau2.connect()
    connection.register("t", table())
    plain = "FILTER" in call or "DISTINCT" in call or call.startswith(("geomean", "weighted"))
    for form in FORMS[:-1] if plain else FORMS:
        sql = form.format(call)
        wanted = duck.sql(sql).to_arrow_table()
        found = connection.sql(sql).to_arrow()
        floats = [i for i, field in enumerate(wanted.schema) if pa.types.is_floating(field.type)]
        assert difference(wanted, found, inexact=floats) is None, sql


@pytest.mark.parametrize("call", CALLS)
def test_chunks_make_no_difference_to_a_bit(call: str) -> None:
    answers = set()
    for rows in (None, 1, 7, 33):
        connection = eau2.connect()
        if rows is not None:
            connection.execute(f"SET chunk_rows = {rows}")
        connection.register("t", table())
        found = [connection.sql(form.format(call)).fetchall() for form in FORMS[:2]]
        answers.add(tuple(_bits(value) for answer in found for row in answer for value in row))
    assert len(answers) == 1


@pytest.mark.parametrize(
    "call", ["product(x)", "skewness(x)", "kurtosis(x)", "entropy(x)", "mad(x)"]
)
def test_the_order_of_rows_makes_no_difference_to_a_bit(call: str) -> None:
    answers = set()
    for seed in range(6):
        order = list(range(ROWS))
        Random(seed).shuffle(order)
        connection = eau2.connect()
        connection.register("t", table().take(pa.array(order)))
        found = connection.sql(f"SELECT {call} AS v, g FROM t GROUP BY g ORDER BY g").fetchall()
        answers.add(tuple(_bits(value) for row in found for value in row))
    assert len(answers) == 1


def _bits(value: object) -> object:
    return struct.pack("<d", value) if isinstance(value, float) else value


def one(sql: str) -> object:
    return eau2.connect().sql(sql).fetchall()[0][0]


def test_a_product_does_not_overflow_on_its_way() -> None:
    values = "(VALUES (1e200), (1e200), (1e-200), (-1e-200), (2e0)) v(x)"
    result = one(f"SELECT product(x) FROM {values}")
    assert isinstance(result, float)
    assert math.isclose(result, -2.0, rel_tol=1e-15)
    assert one("SELECT product(x) FROM (VALUES (1e200), (1e200)) v(x)") == math.inf
    zero = one("SELECT product(x) FROM (VALUES (0e0), (-3e0)) v(x)")
    assert isinstance(zero, float)
    assert math.copysign(1.0, zero) == -1.0


def test_moments_of_few_or_equal_values_are_null() -> None:
    for call in ("skewness(x)", "kurtosis(x)", "kurtosis_pop(x)"):
        assert one(f"SELECT {call} FROM (VALUES (0.1e0), (0.1e0), (0.1e0), (0.1e0)) v(x)") is None
        assert one(f"SELECT {call} FROM (VALUES (1)) v(x)") is None


@pytest.mark.parametrize("call", ["skewness(x)", "kurtosis(x)", "kurtosis_pop(x)"])
@pytest.mark.parametrize("value", ["'nan'", "'inf'", "1e300"])
def test_moments_that_are_no_numbers_are_errors(call: str, value: str) -> None:
    values = f"(VALUES ({value}::DOUBLE), (1), (2), (5)) v(x)"
    with pytest.raises(eau2.DataError, match="out of range"):
        one(f"SELECT {call} FROM {values}")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("avg(DATE '2020-01-01')", "TIMESTAMP_NS"),
        ("mad(DATE '2020-01-01')", "INTERVAL"),
        ("mad('a')", "not defined for VARCHAR"),
        ("skewness('a')", "not defined for VARCHAR"),
        ("histogram(1)", "MAP"),
        ("approx_quantile(1, 1.5)", "from -1 to 1"),
        ("approx_quantile(1, -0.5)", "from 0 to 1"),
        ("approx_quantile(true, 0.5)", "not defined for BOOLEAN"),
        ("product(1, 2)", "takes 1 argument"),
        ("geomean(1, 2)", "takes 1 argument"),
    ],
)
def test_refusals(call: str, message: str) -> None:
    with pytest.raises(eau2.Error, match=message):
        one(f"SELECT {call}")


def test_approximations_are_exact() -> None:
    values = "(VALUES (1), (2), (5), (7), (9)) v(x)"
    assert one(f"SELECT approx_quantile(x, 0.5) FROM {values}") == 5
    assert one(f"SELECT reservoir_quantile(x, 0.9, 100) FROM {values}") == 7
    assert one(f"SELECT approx_count_distinct(x) FROM {values}") == 5
