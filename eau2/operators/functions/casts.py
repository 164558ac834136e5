"""CAST and TRY_CAST between numbers, booleans, dates and timestamps.

Owns: the rounding and range rules of casts that do not touch text: decimals round half away from
zero, floats to integers half to even, what does not fit is an error (or NULL when `safe`).
Comes in: a lowered value and its type. Goes out: the value in the kernel form of the other type.
Does not know: text forms (text_casts.py), which casts exist (coercion.py).
"""

from __future__ import annotations

from functools import partial

import polars as pl

from eau2.operators.expr import Cast, ColumnRef
from eau2.operators.functions.calendar import MICROS_PER_DAY
from eau2.operators.functions.checks import Outcome, Scope, batchwise, checked, formula, narrowed
from eau2.operators.functions.decimals import decimal_text, power_of_ten, round_away
from eau2.operators.functions.floats import divide, spread_divide
from eau2.operators.functions.list_rows import elements
from eau2.operators.functions.text_casts import parse_text, to_text
from eau2.operators.physical import kernel_dtype, literal
from eau2.records import replace
from eau2.types import INTEGER_DIGITS, INTEGER_RANGES, Kind, SqlType, contains

_UNLIKE_NUMBERS = (Kind.INTERVAL, Kind.TIME)
_EXACT_DOUBLE = 2**53
_EXACT_POWER = 22
"""The largest power of ten that is a float."""


def may_fail(source: SqlType, target: SqlType) -> bool:
    """Whether a cast between these types can meet a value that does not fit."""
    if source == target or target.kind is Kind.VARCHAR or source.kind is Kind.NULL:
        return False
    if source.element is not None and target.element is not None:
        return may_fail(source.element, target.element)
    if source.kind is Kind.VARCHAR:
        return True
    if target.kind is Kind.BOOLEAN or source.is_temporal or source.kind in _UNLIKE_NUMBERS:
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


def lower_cast(value: pl.Expr, cast: Cast, scope: Scope) -> pl.Expr:
    """The lowered argument of a cast, in the kernel form of its type."""
    source, target, safe = cast.arg.type, cast.type, cast.safe
    dtype = kernel_dtype(target)
    if source == target:
        return value
    if source.kind is Kind.NULL:
        # Its value is known, but computing it may raise an error.
        null = literal(None, target)
        return pl.when(value.is_null()).then(null).otherwise(null)
    if source.element is not None and target.element is not None:
        element = Cast(target.element, ColumnRef(source.element, 0), safe, cast.checked)
        return _lists(value, dtype, element, scope)
    if target.kind is Kind.VARCHAR:
        return to_text(value, source)
    if source.kind is Kind.VARCHAR:
        return parse_text(value, target, safe, scope)
    if target.kind is Kind.BOOLEAN:
        return value != 0
    if target.kind is Kind.TIME:
        return value.dt.epoch("us") % MICROS_PER_DAY
    if source.is_decimal and target.is_float:
        return _decimal_to_float(value, cast)
    proven = not cast.checked and not source.is_float and (source.is_integer or target.is_decimal)
    if proven or not may_fail(source, target):
        return _exact(value, source, target)
    if source.is_integer and target.is_integer:
        return _integer_to_integer(value, target, safe, scope)
    if source.is_float:
        rule = _float_to_decimal if target.is_decimal else _float_to_number
    elif target.is_decimal:
        rule = _to_decimal
    else:
        rule = _decimal_to_integer
    return checked(dtype, partial(rule, source, target), scope, value, safe=safe)


def _lists(value: pl.Expr, dtype: pl.DataType, cast: Cast, scope: Scope) -> pl.Expr:
    """Lists with every element cast; on rows that do not count nothing can fail."""
    assert isinstance(cast.arg, ColumnRef)
    label = cast.arg.label
    plan = lower_cast(pl.col(label), cast, replace(scope, guard=None))

    def run(frame: pl.DataFrame) -> pl.Series:
        return elements(frame.to_series()).mapped(plan, label)

    return batchwise(dtype, run, scope.guarded(value))


def _exact(value: pl.Expr, source: SqlType, target: SqlType) -> pl.Expr:
    """A cast that every value of the source type survives."""
    dtype = kernel_dtype(target)
    if target.is_decimal:
        shift = target.scale - (source.scale if source.is_decimal else 0)
        if shift == 0:
            return value.cast(dtype)
        if shift > 0:
            return value.cast(dtype) * power_of_ten(shift, target.is_wide)
        return formula(dtype, lambda x: round_away(x, -shift, source.is_wide), value)
    return value.cast(dtype)


def _misfit(shown: pl.Expr, target: SqlType) -> tuple[str, tuple[str | pl.Expr, ...]]:
    return "conversion", ("could not cast ", shown, f" to {target}: it is out of range")


def _integer_to_integer(value: pl.Expr, target: SqlType, safe: bool, scope: Scope) -> pl.Expr:
    dtype = kernel_dtype(target)
    if safe:
        return value.cast(dtype, strict=False)
    return narrowed(
        dtype, lambda x: x, lambda x: _misfit(x, target)[1], scope, value, code="conversion"
    )


def _outside(value: pl.Expr, limit: int) -> pl.Expr:
    """Whether an integer's magnitude is at least `limit`."""
    return (value >= pl.lit(limit, pl.Int128)) | (value <= pl.lit(-limit, pl.Int128))


def _to_decimal(source: SqlType, target: SqlType, value: pl.Expr) -> Outcome:
    shown = decimal_text(value, source) if source.is_decimal else value
    shift = target.scale - (source.scale if source.is_decimal else 0)
    if source.kind is Kind.BOOLEAN:
        value = value.cast(pl.Int8)
    if shift < 0:
        scaled = round_away(value, -shift, source.is_wide)
        bad = _outside(scaled, 10**target.precision)
    else:
        bad = _outside(value, 10 ** (target.precision - shift))
        scaled = pl.when(~bad).then(value).cast(pl.Int128) * power_of_ten(shift, True)
    result = pl.when(~bad).then(scaled).cast(kernel_dtype(target))
    return Outcome(result, bad, *_misfit(shown, target))


def _float_to_decimal(source: SqlType, target: SqlType, value: pl.Expr) -> Outcome:
    scaled = (value.cast(pl.Float64) * float(10**target.scale)).round(mode="half_away_from_zero")
    bad = ~(scaled.abs() < float(10**target.precision)) | scaled.is_nan()
    result = pl.when(~bad).then(scaled).cast(kernel_dtype(target))
    return Outcome(result, bad, *_misfit(value, target))


def _decimal_to_integer(source: SqlType, target: SqlType, value: pl.Expr) -> Outcome:
    whole = round_away(value, source.scale, source.is_wide)
    result = whole.cast(kernel_dtype(target), strict=False)
    bad = whole.is_not_null() & result.is_null()
    return Outcome(result, bad, *_misfit(decimal_text(value, source), target))


def _float_to_number(source: SqlType, target: SqlType, value: pl.Expr) -> Outcome:
    dtype = kernel_dtype(target)
    if target.is_float:
        result = value.cast(dtype)
        return Outcome(result, result.is_infinite() & value.is_finite(), *_misfit(value, target))
    low, high = INTEGER_RANGES[target.kind]
    rounded = value.round(mode="half_to_even")
    # 2^63 and 2^127 are floats, their predecessors are not: the upper bound is exclusive.
    bad = ~((rounded >= float(low)) & (rounded < float(high + 1))) | rounded.is_nan()
    return Outcome(pl.when(~bad).then(rounded).cast(dtype), bad, *_misfit(value, target))


def _decimal_to_float(value: pl.Expr, cast: Cast) -> pl.Expr:
    """The float nearest to the decimal."""
    source, target = cast.arg.type, cast.type
    dtype = kernel_dtype(target)
    if source.scale == 0:
        return value.cast(pl.Float64).cast(dtype)
    if 10**source.precision <= _EXACT_DOUBLE:
        power = pl.lit(float(10**source.scale), pl.Float64)
        return divide(value.cast(pl.Float64), power, cast).cast(dtype)
    nearest = partial(_nearest_floats, source)
    return batchwise(pl.Float64(), nearest, value).cast(dtype)


def _nearest_floats(source: SqlType, frame: pl.DataFrame) -> pl.Series:
    """One division where digits and power are exact floats, else the engine reads the digits."""
    value, power = pl.col("0"), pl.lit(float(10**source.scale), pl.Float64)
    limit = _EXACT_DOUBLE if source.scale <= _EXACT_POWER else 0
    short = value.abs() <= pl.lit(limit, pl.Int64)
    quotient = pl.when(short).then(spread_divide(value.cast(pl.Float64), power))
    found = frame.select(quotient.alias("near"), pl.when(~short).then(value).alias("long"))
    near, long = found.get_columns()
    if long.null_count() == len(long):
        return near
    read = found.select(decimal_text(pl.col("long"), source).cast(pl.Float64)).to_series()
    return read.zip_with(near.is_null(), near)
