"""Few doubles of the same sum, against rational arithmetic; and sums over all rows made of them."""

from __future__ import annotations

import math
import struct
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eau2
from eau2.operators import extraction
from eau2.operators.extraction import extracted, nearest, whole

AWKWARD = [0.0, -0.0, 5e-324, -(2.0**-1060), 1.0, 2.0**-53, 1e16, -1e16, 1e300, -1e300]
FLOATS = st.one_of(
    st.sampled_from(AWKWARD),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(min_value=-1e6, max_value=1e6),
)


def exact(values: list[float]) -> Fraction:
    return sum((Fraction(value) for value in values), Fraction(0))


@given(values=st.lists(FLOATS, max_size=70))
@settings(max_examples=500, deadline=None)
def test_the_sum_is_the_same(values: list[float]) -> None:
    before = extraction._BLOCK
    extraction._BLOCK = 16
    try:
        few = extracted(np.array(values, dtype=np.float64))
    finally:
        extraction._BLOCK = before
    assert exact(few.tolist()) == exact(values)
    total, special = whole(few)
    assert Fraction(total, 1 << 1074) == exact(values)
    assert special == 0.0


@pytest.mark.parametrize("spread", [0, 20, 100, 900])
def test_of_many_values_few_are_left(spread: int) -> None:
    rng = np.random.default_rng(spread)
    values = np.ldexp(rng.standard_normal(200_000), rng.integers(-spread, spread + 1, 200_000))
    few = extracted(values)
    assert exact(few.tolist()) == exact(values.tolist())
    # Four blocks, of which a level takes 36 bits.
    assert len(few) <= 4 * (2 * spread + 90) / 36


@pytest.mark.parametrize("scale", [1.0, -1.0, 2.0**-1022, 2.0**1000])
def test_the_largest_sums_stay_exact(scale: float) -> None:
    # A whole block of values just below a power of two, which agree in nothing but that.
    rng = np.random.default_rng(7)
    values = scale * (1.0 - rng.random(extraction._BLOCK) * 2.0**-28)
    assert exact(extracted(values).tolist()) == exact(values.tolist())


@pytest.mark.parametrize(
    ("values", "special"),
    [
        ([1.0, math.inf, 2.0], math.inf),
        ([-math.inf, 1.0, -math.inf], -math.inf),
        ([math.inf, 1.0, -math.inf], math.nan),
        ([math.nan, 1e300, 1e300], math.nan),
    ],
)
def test_what_is_not_finite_is_summed_beside(values: list[float], special: float) -> None:
    total, found = whole(extracted(np.array(values)))
    assert str(found) == str(special)
    assert Fraction(total, 1 << 1074) == exact([v for v in values if math.isfinite(v)])


def test_rounding_is_to_nearest_and_beyond_the_doubles_infinite() -> None:
    one = 1 << 1074
    for value, expected in (
        (0, 0.0),
        (1, 5e-324),
        (one + (one >> 53), 1.0),
        (one + (one >> 53) + 1, 1.0 + 2.0**-52),
        (3 * one + (one >> 52) * 3, 3.0 + 2.0**-50),
        (one << 1024, math.inf),
        (-one << 1024, -math.inf),
    ):
        assert nearest(value) == expected


@given(values=st.lists(st.one_of(st.none(), FLOATS), max_size=30), chunk_rows=st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_all_rows_and_one_group_have_the_same_bits(
    values: list[float | None], chunk_rows: int
) -> None:
    calls = "sum(x), sum(x + 0), avg(-x), count(x), min(x), stddev(x), sum(abs(x)) FILTER (x < 1)"
    with eau2.connect() as connection:
        connection.execute(f"SET chunk_rows = {chunk_rows}")
        connection.register("t", pa.table({"x": pa.array(values, pa.float64())}))
        ((*whole_rows,),) = connection.sql(f"SELECT {calls} FROM t").fetchall()
        # Keys of groups come from the rows, so that nothing is known of them before.
        grouped = f"SELECT {calls} FROM t GROUP BY coalesce(x, 0) IS NULL"
        ((*group,),) = connection.sql(grouped).fetchall() or [(None, None, None, 0, *[None] * 3)]
    assert [_bits(v) for v in whole_rows] == [_bits(v) for v in group]


def _bits(value: float | None) -> bytes | None:
    return None if value is None else struct.pack("<d", value)
