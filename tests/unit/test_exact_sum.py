"""Exact float sums against rational arithmetic: combine alone, and both forms of partial states."""

from __future__ import annotations

import math
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.operators import exact_sum

X = pl.col("x")
AWKWARD = [
    0.0,
    -0.0,
    5e-324,
    -5e-324,
    2.0**-1022,
    -(2.0**-1060),
    1.0,
    -1.0,
    2.0**-53,
    2.0**-54,
    1e16,
    -1e16,
    2.0**63,
    1e300,
    -1e300,
    1.7976931348623157e308,
]
FLOATS = st.one_of(
    st.sampled_from(AWKWARD),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(min_value=-1e6, max_value=1e6),
)


def nearest(value: Fraction) -> float:
    """The double nearest to an exact value; infinite beyond the doubles."""
    try:
        return value.numerator / value.denominator
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def exact(values: list[float]) -> float:
    return nearest(sum((Fraction(value) for value in values), Fraction(0)))


def binned(values: list[float]) -> float:
    """The sum by bins of a single group, as a partial frame and `combine` compute it."""
    rows = pl.DataFrame({"x": values}, schema={"x": pl.Float64})
    prepared = rows.with_columns(exact_sum.bin_of(X).alias("bin"))
    partial = prepared.group_by("bin").agg(exact_sum.scaled_in_bin(X).sum().alias("sum"))
    bins = exact_sum.bins_in(partial.get_column("bin"))
    digits = partial.select(
        pl.col("sum").filter(exact_sum.in_bin(pl.col("bin"), number)).sum().alias(str(number))
        for number in bins
    )
    result: float = exact_sum.combine(digits, bins).item()
    return result


@settings(max_examples=300, deadline=None)
@given(st.lists(FLOATS, min_size=1, max_size=30))
def test_a_binned_sum_is_the_nearest_double(values: list[float]) -> None:
    assert binned(values) == exact(values)


@settings(max_examples=100, deadline=None)
@given(st.integers(-1073, 1024 - 31), st.integers(0, 31), st.data())
def test_a_fixed_sum_is_the_nearest_double(low: int, width: int, data: st.DataObject) -> None:
    fractions = st.floats(min_value=0.5, max_value=1.0, exclude_max=True)
    signed = st.tuples(st.sampled_from([-1.0, 1.0]), fractions, st.integers(low, low + width))
    parts = data.draw(st.lists(signed, min_size=1, max_size=20))
    values = [sign * math.ldexp(fraction, exponent) for sign, fraction, exponent in parts]
    exponents = (low, low + width)
    assert exact_sum.fits(exponents)
    frame = pl.DataFrame({"x": [*values, None]}, schema={"x": pl.Float64})
    sums = frame.select(s=exact_sum.scaled_fixed(X, exponents).sum(), special=exact_sum.special(X))
    finish = exact_sum.finish_fixed(pl.col("s"), exponents)
    assert sums.select(finish).item() == exact(values)
    special = exact_sum.with_special(finish, pl.col("special"))
    assert sums.select(special).item() == exact(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1e16, 1.0, -1e16], 1.0),
        ([1.0, 2.0**-53], 1.0),
        ([1.0, 2.0**-53, 5e-324], 1.0 + 2.0**-52),
        ([1.0, 2.0**-52, 2.0**-53], 1.0 + 2.0**-51),
        ([-1.0, -(2.0**-53), -5e-324], -1.0 - 2.0**-52),
        ([1e308, 1e308], math.inf),
        ([-1e308, -1e308], -math.inf),
        ([1.7976931348623157e308, 2.0**969], 1.7976931348623157e308),
        ([1.7976931348623157e308, 2.0**970], math.inf),
        ([1e308, 1e308, -1e308, -1e308, 5e-324], 5e-324),
        ([5e-324] * 3, 1.5e-323),
        ([2.0**-1022, -5e-324], 2.0**-1022 - 5e-324),
        ([0.1] * 10, 1.0),
    ],
)
def test_rounding_cases(values: list[float], expected: float) -> None:
    assert binned(values) == expected


def test_zero_sums_are_positive_zero() -> None:
    for values in ([-0.0], [-0.0, -0.0], [1.5, -1.5], [5e-324, 1e300, -5e-324, -1e300]):
        assert math.copysign(1.0, binned(values)) == 1.0
        assert binned(values) == 0.0


def test_special_values_are_told_apart() -> None:
    def special(*values: float | None) -> float:
        frame = pl.DataFrame({"x": values}, schema={"x": pl.Float64})
        result: float = frame.select(exact_sum.special(X)).item()
        return result

    assert special(1.0, None, -2.0) == 0.0
    assert special(1.0, math.inf) == math.inf
    assert special(-math.inf, 1e308) == -math.inf
    assert math.isnan(special(math.inf, -math.inf))
    assert math.isnan(special(math.nan, 1.0))


@pytest.mark.parametrize(
    ("exponents", "expected"),
    [(None, False), ((0, 0), True), ((-5, 26), True), ((-5, 27), False), ((3, 2), False)],
)
def test_fits(exponents: tuple[int, int] | None, expected: bool) -> None:
    assert exact_sum.fits(exponents) is expected
