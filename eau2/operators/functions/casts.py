"""CAST and TRY_CAST between numbers, booleans, dates and timestamps.

Owns: the rounding and range rules of casts that do not touch text: decimals round half away from
zero, floats to integers half to even, what does not fit is an error (or NULL when `safe`).
Comes in: a lowered value and its type. Goes out: the value in the kernel form of the other type.
Does not know: text forms (text_casts.py), which casts exist (coercion.py).
"""

from __future__ import annotations

import polars as pl

from eau2.operators.functions.checks import Problem, Scope, narrow, problem, raise_where
from eau2.operators.functions.decimals import decimal_text, power_of_ten, round_away
from eau2.operators.functions.floats import divide
from eau2.operators.functions.text_casts import parse_text, to_text
from eau2.operators.physical import kernel_dtype, literal
from eau2.types import INTEGER_DIGITS, INTEGER_RANGES, Kind, SqlType, contains

_EXACT_DOUBLE = 2**53
_EXACT_FLOAT = 2**24


def may_fail(source: SqlType, target: SqlType) -> bool:
    """Whether a cast between these types can meet a value that does not fit."""
    if source == target or target.kind is Kind.VARCHAR or source.kind is Kind.NULL:
        return False
    if source.kind is Kind.VARCHAR:
        return True
    if target.kind is Kind.BOOLEAN or source.is_temporal:
        return False
    if target.is_float:
        return source.kind is Kind.DOUBLE and target.kind is Kind.FLOAT
    if source.is_float:
        return True
    if source.kind is Kind.BOOLEAN:
        return target.is_decimal and target.precision == target.scale
    if target.is_integer:
        return source.is_decimal or not contains(target, source)
    digits = INTEGER_DIGITS[source.kind] if source.is_integer else source.precision - source.scale
    rounds = source.is_decimal and source.scale > target.scale
    return digits + int(rounds) > target.precision - target.scale


def lower_cast(
    value: pl.Expr, source: SqlType, target: SqlType, safe: bool, scope: Scope
) -> pl.Expr:
    """The value in the kernel form of `target`."""
    dtype = kernel_dtype(target)
    if source == target:
        return value
    if source.kind is Kind.NULL:
        return literal(None, target)
    if target.kind is Kind.VARCHAR:
        return to_text(value, source)
    if source.kind is Kind.VARCHAR:
        return parse_text(value, target, safe, scope)
    if target.kind is Kind.BOOLEAN:
        return value != 0
    if source.is_temporal or (target.kind is Kind.FLOAT and source.kind is Kind.BOOLEAN):
        return value.cast(dtype)
    if target.is_decimal:
        return _to_decimal(value, source, target, safe, scope)
    if source.is_decimal:
        return _from_decimal(value, source, target, safe, scope)
    if source.is_float:
        return _from_float(value, source, target, safe, scope)
    if target.is_float or not may_fail(source, target):
        return value.cast(dtype)
    return (
        value.cast(dtype, strict=False)
        if safe
        else narrow(value, dtype, _misfit(value, target), scope)
    )


def _misfit(shown: pl.Expr, target: SqlType) -> Problem:
    return problem("conversion", "could not cast ", shown, f" to {target}: it is out of range")


def _unless(
    result: pl.Expr, bad: pl.Expr, shown: pl.Expr, target: SqlType, safe: bool, scope: Scope
) -> pl.Expr:
    """The result, where bad an error or (when safe) NULL."""
    if safe:
        return pl.when(~bad).then(result)
    return raise_where(result, bad, _misfit(shown, target), scope)


def _outside(value: pl.Expr, limit: int) -> pl.Expr:
    """Whether an integer's magnitude is at least `limit`."""
    return (value >= pl.lit(limit, pl.Int128)) | (value <= pl.lit(-limit, pl.Int128))


def _to_decimal(
    value: pl.Expr, source: SqlType, target: SqlType, safe: bool, scope: Scope
) -> pl.Expr:
    dtype = kernel_dtype(target)
    if source.is_float:
        return _float_to_decimal(value, source, target, safe, scope)
    scale = source.scale if source.is_decimal else 0
    shown = decimal_text(value, source) if source.is_decimal else value
    wide = target.is_wide or source.is_wide or source.kind in (Kind.BIGINT, Kind.UBIGINT)
    shift = target.scale - scale
    if source.kind is Kind.BOOLEAN:
        value = value.cast(pl.Int8)
    if shift == 0 and not may_fail(source, target):
        return value.cast(dtype)
    if shift >= 0:
        bad = None
        if may_fail(source, target):
            bad = _outside(value, 10 ** (target.precision - shift))
        work = pl.Int128 if wide and may_fail(source, target) else dtype
        inside = value if bad is None else pl.when(~bad).then(value)
        result = (inside.cast(work) * power_of_ten(shift, work == pl.Int128)).cast(dtype)
    else:
        rounded = round_away(value, -shift, source.is_wide)
        bad = _outside(rounded, 10**target.precision) if may_fail(source, target) else None
        result = (rounded if bad is None else pl.when(~bad).then(rounded)).cast(dtype)
    return result if bad is None else _unless(result, bad, shown, target, safe, scope)


def _float_to_decimal(
    value: pl.Expr, source: SqlType, target: SqlType, safe: bool, scope: Scope
) -> pl.Expr:
    scaled = (value.cast(pl.Float64) * float(10**target.scale)).round(mode="half_away_from_zero")
    bad = ~(scaled.abs() < float(10**target.precision)) | scaled.is_nan()
    result = pl.when(~bad).then(scaled).cast(kernel_dtype(target))
    return _unless(result, bad, to_text(value, source), target, safe, scope)


def _from_decimal(
    value: pl.Expr, source: SqlType, target: SqlType, safe: bool, scope: Scope
) -> pl.Expr:
    if target.is_float:
        return _decimal_to_float(value, source, target)
    whole = round_away(value, source.scale, source.is_wide)
    dtype = kernel_dtype(target)
    if safe:
        return whole.cast(dtype, strict=False)
    low, high = INTEGER_RANGES[target.kind]
    if low < -(10 ** (source.precision - source.scale)) and high > 10 ** (
        source.precision - source.scale
    ):
        return whole.cast(dtype)
    return narrow(whole, dtype, _misfit(decimal_text(value, source), target), scope)


def _decimal_to_float(value: pl.Expr, source: SqlType, target: SqlType) -> pl.Expr:
    """One correctly rounded division where the digits are exact in the float, else two parts."""
    dtype = kernel_dtype(target)
    power = pl.lit(float(10**source.scale), dtype)
    if source.scale == 0:
        return value.cast(dtype)
    direct = divide(value.cast(dtype), power)
    exact = _EXACT_DOUBLE if target.kind is Kind.DOUBLE else _EXACT_FLOAT
    if 10**source.precision <= exact:
        return direct
    unit = power_of_ten(source.scale, source.is_wide)
    whole = value.abs() // unit * value.sign()
    rest = value - whole * unit
    parts = whole.cast(dtype) + divide(rest.cast(dtype), power)
    return pl.when(value.abs() <= pl.lit(exact, pl.Int64)).then(direct).otherwise(parts)


def _from_float(
    value: pl.Expr, source: SqlType, target: SqlType, safe: bool, scope: Scope
) -> pl.Expr:
    dtype = kernel_dtype(target)
    if target.is_float:
        if target.kind is Kind.DOUBLE:
            return value.cast(dtype)
        result = value.cast(dtype)
        bad = result.is_infinite() & value.is_finite()
        return _unless(result, bad, to_text(value, source), target, safe, scope)
    low, high = INTEGER_RANGES[target.kind]
    rounded = value.round(mode="half_to_even")
    # 2^63 and 2^127 are floats, their predecessors are not: the upper bound is exclusive.
    bad = ~((rounded >= float(low)) & (rounded < float(high + 1))) | rounded.is_nan()
    result = pl.when(~bad).then(rounded).cast(dtype)
    return _unless(result, bad, to_text(value, source), target, safe, scope)
