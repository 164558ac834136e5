"""Values that differ little beside their size, as what they lie above the least of them, exactly.

Owns: when values are too near each other for the labels of an axis, and for floats. Comes in: all
columns of an axis. Goes out: floats that can be told apart. Does not
know: axes, drawings.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np
import polars as pl

from eau2.charts.thinning import Numbers

NEAR: Final = Fraction(1, 10**10)
"""Labels of numbers nearer than this have so many equal digits that nobody compares them."""

_ROUNDING: Final = Fraction(1, 2**50)
"""Floats nearer than this, eight units in the last place at most, differ by their rounding."""


Number = int | float | Decimal


def near(
    columns: Sequence[pl.Series], ratio: Fraction = NEAR, span: int = 0
) -> tuple[list[Numbers], Number] | None:
    """What the values of the columns, integers, decimals or floats, lie above the least of all.

    Given back with the least value, which they are exact beside, and NaN for NULL; None when the
    values are far enough from each other to be drawn as they are, or all equal. ratio: of the
    values' range and their size, at which they count as near. span: a range at which they always
    do. Differences of floats so near are exact.

    Source: Sterbenz, Floating-Point Computation, 1974.
    """
    ends = [_ends(column) for column in columns]
    known = [end for pair in ends if pair is not None for end in pair]
    if not known:
        return None
    least, greatest = min(known, key=Fraction), max(known, key=Fraction)
    reach, size = _span(least, greatest)
    if not reach or (reach > size * ratio and reach > span):
        return None
    values = []
    for column, pair in zip(columns, ends, strict=True):
        if pair is None:
            values.append(np.full(len(column), np.nan))
            continue
        own = pl.Series([pair[0]], dtype=column.dtype)
        offsets = (column - own).cast(pl.Float64).fill_null(float("nan"))
        beside = float(Fraction(pair[0]) - Fraction(least))
        values.append(np.asarray(offsets.to_numpy(), dtype=np.float64) + beside)
    return values, least


def rounding_alone(columns: Sequence[pl.Series]) -> tuple[Number, Number] | None:
    """The ends of values that are floats and differ by no more than their rounding, else None."""
    if not any(column.dtype.is_float() for column in columns):
        return None
    known = [end for column in columns if (pair := _ends(column)) is not None for end in pair]
    if not known:
        return None
    least, greatest = min(known, key=Fraction), max(known, key=Fraction)
    span, size = _span(least, greatest)
    return (least, greatest) if 0 < span <= size * _ROUNDING else None


def _span(least: Number, greatest: Number) -> tuple[Fraction, Fraction]:
    low, high = Fraction(least), Fraction(greatest)
    return high - low, max(abs(low), abs(high))


def _ends(column: pl.Series) -> tuple[Number, Number] | None:
    """The least and the greatest finite value."""
    finite = column.filter(column.is_finite()) if column.dtype.is_float() else column
    least, greatest = finite.min(), finite.max()
    if least is None or greatest is None:
        return None
    assert isinstance(least, int | float | Decimal)
    assert isinstance(greatest, int | float | Decimal)
    return least, greatest
