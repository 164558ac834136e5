"""Scaled integers: rounding, rescaling and the text of decimals.

Owns: the arithmetic that keeps a decimal's digits exact. Comes in and goes out: integer columns.
Does not know: expressions, functions.
"""

from __future__ import annotations

import polars as pl

from eau2.operators.physical import kernel_dtype
from eau2.types import SqlType


def power_of_ten(exponent: int, wide: bool) -> pl.Expr:
    """10 to the exponent as a constant of the dtype to compute in."""
    return pl.lit(10**exponent, pl.Int128 if wide else pl.Int64)


def round_away(value: pl.Expr, digits: int, wide: bool) -> pl.Expr:
    """The integer divided by 10 to `digits`, rounded half away from zero."""
    if digits == 0:
        return value
    unit, half = 10**digits, 5 * 10 ** (digits - 1)
    dtype = pl.Int128 if wide else pl.Int64
    rounded = (value.abs() + pl.lit(half, dtype)) // pl.lit(unit, dtype)
    return rounded * value.sign()


def cut(value: pl.Expr, digits: int, wide: bool) -> pl.Expr:
    """The integer divided by 10 to `digits`, cut towards zero."""
    if digits == 0:
        return value
    dtype = pl.Int128 if wide else pl.Int64
    return value.abs() // pl.lit(10**digits, dtype) * value.sign()


def decimal_text(value: pl.Expr, type_: SqlType) -> pl.Expr:
    """The scaled integers of a decimal type as text, with all digits of the scale."""
    value = value.cast(kernel_dtype(type_))
    if type_.scale == 0:
        return value.cast(pl.String)
    padded = value.abs().cast(pl.String).str.zfill(type_.scale + 1)
    sign = pl.when(value < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    if type_.precision == type_.scale:
        whole = pl.when(value.abs() >= power_of_ten(type_.scale, type_.is_wide))
        head = whole.then(padded.str.head(-type_.scale)).otherwise(pl.lit(""))
    else:
        head = padded.str.head(-type_.scale)
    return pl.concat_str(sign, head, pl.lit("."), padded.str.tail(type_.scale))
