"""Every double sum is the exact sum, rounded once: math.fsum of its group, on any chunking."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import eau2

CHUNKINGS = (1, 2, 7, 1000, None)
FAST = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

tiny = st.floats(min_value=-1e-300, max_value=1e-300)
huge = st.floats(min_value=1e200, max_value=1e306) | st.floats(min_value=-1e306, max_value=-1e200)
usual = st.floats(min_value=-1e6, max_value=1e6)
special = st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 0.0, 5e-324, 0.1, 1e16, -1e16, 1.0])
finite = tiny | huge | usual | special.filter(math.isfinite)
anything = finite | special
rows = st.lists(st.tuples(st.integers(0, 2), st.none() | anything), max_size=30)


def exact_sum(values: Sequence[float]) -> float | None:
    """The sum as SQL has it: None of nothing, NaN and infinities by IEEE, else rounded once."""
    if not values:
        return None
    special_values = [value for value in values if not math.isfinite(value)]
    if special_values:
        return math.fsum(special_values) if len(set(map(repr, special_values))) == 1 else math.nan
    return float(sum(map(Fraction, values)))


def same(a: float | None, b: float | None) -> bool:
    """Equal bits, but for the sign of zero; NaN is NaN."""
    if a is None or b is None:
        return a is b
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return struct.pack("d", a + 0.0) == struct.pack("d", b + 0.0)


def grouped(pairs: Sequence[tuple[int, float | None]]) -> dict[int, list[float]]:
    """The values that are not NULL, by group."""
    groups: dict[int, list[float]] = {}
    for group, value in pairs:
        groups.setdefault(group, [])
        if value is not None:
            groups[group].append(value)
    return groups


def connection(
    pairs: Sequence[tuple[int, float | None]], chunk_rows: int | None
) -> eau2.Connection:
    """eau2 with the pairs as table t."""
    con = eau2.connect()
    if chunk_rows is not None:
        con.execute(f"SET chunk_rows = {chunk_rows}")
    table = pa.table(
        {
            "g": pa.array([group for group, _ in pairs], pa.int64()),
            "x": pa.array([value for _, value in pairs], pa.float64()),
        }
    )
    con.register("t", table)
    return con


@FAST
@given(rows, st.sampled_from(CHUNKINGS))
@example([(0, 1e306), (1, 1e-306), (0, -1e306), (0, 1.0), (1, 5e-324)], 2)
@example([(0, 0.1)] * 10 + [(1, math.inf), (1, -math.inf), (2, math.nan)], 3)
def test_grouped(pairs: list[tuple[int, float | None]], chunk_rows: int | None) -> None:
    with connection(pairs, chunk_rows) as con:
        found = con.sql("SELECT g, sum(x), avg(x), count(x) FROM t GROUP BY g").fetchall()
    groups = grouped(pairs)
    assert {row[0] for row in found} == set(groups)
    for group, total, mean, count in found:
        values = groups[group]
        wanted = exact_sum(values)
        assert same(total, wanted), values
        assert count == len(values)
        if wanted is not None:
            assert same(mean, wanted / len(values)), values


@FAST
@given(st.lists(anything, max_size=40), st.sampled_from(CHUNKINGS))
def test_whole_table(values: list[float], chunk_rows: int | None) -> None:
    with connection([(0, value) for value in values], chunk_rows) as con:
        ((total, halves),) = con.sql("SELECT sum(x), sum(x * 0.5e0) FROM t").fetchall()
    assert same(total, exact_sum(values))
    assert same(halves, exact_sum([value * 0.5 for value in values]))


@FAST
@given(rows, st.sampled_from(CHUNKINGS))
def test_above_a_join(pairs: list[tuple[int, float | None]], chunk_rows: int | None) -> None:
    with connection(pairs, chunk_rows) as con:
        found = con.sql(
            "SELECT a.g, sum(a.x + b.x), sum(b.x) FROM t AS a JOIN t AS b ON a.g = b.g GROUP BY a.g"
        ).fetchall()
    groups = grouped(pairs)
    sizes = {group: sum(1 for g, _ in pairs if g == group) for group in groups}
    for group, both, right in found:
        values = groups[group]
        assert same(both, exact_sum([a + b for a in values for b in values])), values
        assert same(right, exact_sum(values * sizes[group])), values


@pytest.mark.parametrize("chunk_rows", CHUNKINGS)
def test_distinct(chunk_rows: int | None) -> None:
    values = [0.1, 0.1, 0.2, 1e300, 1e300, -1e300, math.inf, 0.0, -0.0]
    pairs: list[tuple[int, float | None]] = [(0, value) for value in values[:6]]
    pairs += [(1, value) for value in values[6:]]
    with connection(pairs, chunk_rows) as con:
        found = con.sql("SELECT g, sum(DISTINCT x) FROM t GROUP BY g ORDER BY g").fetchall()
    assert found == [(0, exact_sum([0.1, 0.2, 1e300, -1e300])), (1, math.inf)]
