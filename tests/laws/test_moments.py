"""Moments have the same bits whichever way their sums are made, on any chunking."""

from __future__ import annotations

import math
import random
import struct
from fractions import Fraction

import pyarrow as pa
import pytest

import eau2

CHUNKINGS = (40, None)
CALLS = (
    "var_pop(x)", "stddev(x)", "sem(x)", "corr(x, y)", "covar_samp(x, y)", "regr_r2(x, y)",
    "regr_slope(x, y)", "regr_intercept(y, x)", "regr_sxx(x, y)", "regr_avgx(x, y)",
    "var_samp(x) FILTER (WHERE x > 0)", "median(x)", "quantile_cont(y, 0.3)",
)  # fmt: skip
SELECT = f"SELECT g, {', '.join(CALLS)}, avg(x), count(y), max(x) FROM t GROUP BY g ORDER BY g"


def numbers(kind: str, draw: random.Random) -> float | int | None:
    """One value: NULL at times, and what its type has that is special."""
    if draw.random() < 0.1:
        return None
    match kind:
        case "small":
            return draw.randint(-128, 127)
        case "int":
            return draw.choice([draw.randint(-(2**31), 2**31 - 1), 2**31 - 1, 7])
        case "bigint":
            return draw.choice([draw.randint(-(2**62), 2**62), 2**53 + 1, 3])
        case "bounded":
            return draw.choice([draw.uniform(-100, 100), 1e7 + draw.random(), 0.0, -0.0])
        case "close":
            return 1e9 + draw.randint(0, 9) / 8
        case "special":
            return draw.choice([math.nan, math.inf, -math.inf, 1.0, draw.random()])
    return draw.choice([1e-300, 1e300, -1e300, 5e-324, draw.random(), 1e160])


TYPES = {"small": pa.int8(), "int": pa.int32(), "bigint": pa.int64()}


def table(x: str, y: str) -> pa.Table:
    draw = random.Random(x + y)
    rows = 300
    groups = [draw.choice([None, 0, 1, 2, 3]) for _ in range(rows)] + [4, 5]
    columns = {}
    for name, kind in (("x", x), ("y", y)):
        values = [numbers(kind, draw) for _ in range(rows)] + [None, numbers("small", draw)]
        if kind not in TYPES:
            values = [None if value is None else float(value) for value in values]
        columns[name] = pa.array(values, TYPES.get(kind, pa.float64()))
    return pa.table({"g": pa.array(groups, pa.int32()), **columns})


def bits(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return [
        tuple(
            ("nan" if math.isnan(value) else struct.pack("d", value))
            if isinstance(value, float)
            else value
            for value in row
        )
        for row in rows
    ]


PAIRS = [
    ("small", "small"), ("int", "int"), ("small", "bigint"), ("bounded", "close"),
    ("int", "bounded"), ("special", "bounded"), ("bounded", "wide"), ("bigint", "bigint"),
]  # fmt: skip


@pytest.mark.parametrize(("x", "y"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_same_bits(x: str, y: str) -> None:
    """Stored columns have statistics, which choose the way; without the rule there are none."""
    found = []
    for chunk_rows in CHUNKINGS:
        with eau2.connect() as con:
            if chunk_rows is not None:
                con.execute(f"SET chunk_rows = {chunk_rows}")
            con.put("t", table(x, y))
            for rule in ("on", "off"):
                con.execute(f"SET optimizer.prove_ranges = {rule}")
                found.append(bits(con.sql(SELECT).fetchall()))
    assert all(rows == found[0] for rows in found[1:])


@pytest.mark.parametrize("kind", ["small", "int", "bounded", "close"])
def test_variance_is_the_nearest_double_or_almost(kind: str) -> None:
    with eau2.connect() as con:
        rows = table(kind, "small")
        con.put("t", rows)
        found = con.sql("SELECT g, var_pop(x) FROM t GROUP BY g").fetchall()
    groups: dict[int | None, list[Fraction]] = {}
    for group, value in zip(rows["g"].to_pylist(), rows["x"].to_pylist(), strict=True):
        groups.setdefault(group, [])
        if value is not None:
            groups[group].append(Fraction(value))
    assert len(found) == len(groups)
    for group, variance in found:
        values = groups[group]
        if not values:
            assert variance is None
            continue
        mean = sum(values) / len(values)
        wanted = float(sum((value - mean) ** 2 for value in values) / len(values))
        assert math.isclose(variance, wanted, rel_tol=1e-13), group
