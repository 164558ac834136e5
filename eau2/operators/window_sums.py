"""Aggregates over window frames that are differences of running totals: counts, sums, averages.

Owns: exact sums over frames. Comes in: arguments as columns over the sorted rows, frames. Goes out:
a column. Does not know: how frames were found.

Totals are 128-bit integers, which add without rounding, so the difference of two of them is exact.
Floats become such integers bin by bin of their exponents, as exact_sum.py does for groups, and are
rounded once for each frame.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from eau2 import types
from eau2.errors import OutOfRangeError
from eau2.operators import exact_sum
from eau2.operators.window_rows import Segments
from eau2.types import SqlType

_WRAPPED_UNIT = 2.0**-96


def count(counted: pl.Series, frame: Segments) -> pl.Series:
    """How many rows of each frame are true in `counted` (no NULLs)."""
    return _sums(counted.cast(pl.Int64), frame)


def total(values: pl.Series, type_: SqlType, frame: Segments) -> pl.Series:
    """The sum of each frame: Float64 of floats, else Int128; 0 where there is nothing.

    Raises OutOfRangeError.
    """
    if type_.is_float:
        return _float_total(values.cast(pl.Float64), frame)
    whole = values.cast(pl.Int128).fill_null(0)
    sums = _sums(whole, frame)
    if type_.is_wide:
        units = (whole.cast(pl.Float64) * _WRAPPED_UNIT).cast(pl.Int64)
        coarse = _sums(units, frame).cast(pl.Float64)
        apart = (coarse - sums.cast(pl.Float64) * _WRAPPED_UNIT).abs()
        if apart.len() and float(apart.to_numpy().max()) > 2.0**31:
            raise OutOfRangeError(f"the sum of {type_} values does not fit its type")
    if type_.is_decimal:
        limit = 10**types.MAX_DECIMAL_DIGITS
        beyond = sums.to_frame("s").select(((pl.col("s") >= limit) | (pl.col("s") <= -limit)).any())
        if beyond.item():
            wide = types.decimal(types.MAX_DECIMAL_DIGITS, type_.scale)
            raise OutOfRangeError(f"the sum of {type_} values does not fit {wide}")
    return sums


def _sums(values: pl.Series, frame: Segments) -> pl.Series:
    """The sum of the values of each frame, which hold no NULL."""
    zero = pl.Series([0], dtype=values.dtype)
    running = pl.concat([zero, values.cum_sum()])
    parts = [running.gather(high) - running.gather(low) for low, high in frame.parts]
    result = parts[0]
    for part in parts[1:]:
        result = result + part
    return result


def _float_total(values: pl.Series, frame: Segments) -> pl.Series:
    """The exact sum of each frame, rounded once, with NaN and infinities as IEEE adds them."""
    table = values.to_frame("v")
    value = pl.col("v")
    finite = value.is_finite().fill_null(False)
    kept = table.select(pl.when(finite).then(value).otherwise(0.0))
    prepared = kept.select(
        exact_sum.bin_of(value).alias("bin"), exact_sum.scaled_in_bin(value).alias("scaled")
    )
    bins = exact_sum.bins_in(prepared.get_column("bin")) or [0]
    digits = pl.DataFrame(
        [
            _sums(
                prepared.select(
                    pl.when(exact_sum.in_bin(pl.col("bin"), number))
                    .then(pl.col("scaled"))
                    .otherwise(pl.lit(0, dtype=pl.Int128))
                ).to_series(),
                frame,
            ).alias(f"d{number}")
            for number in bins
        ]
    )
    sums = exact_sum.combine(digits, bins)
    if table.select((value.is_not_null() & ~finite).any()).item():
        special = {
            "nan": value.is_nan(),
            "up": value == np.inf,
            "down": value == -np.inf,
        }
        seen = {
            name: _sums(table.select(test.fill_null(False).cast(pl.Int64)).to_series(), frame) > 0
            for name, test in special.items()
        }
        return pl.select(
            pl.when(seen["nan"] | (seen["up"] & seen["down"]))
            .then(float("nan"))
            .when(seen["up"])
            .then(float("inf"))
            .when(seen["down"])
            .then(float("-inf"))
            .otherwise(sums)
        ).to_series()
    return sums
