"""date_sub, time_bucket: whole units between two moments, and moments cut to spans of time.

Owns: how many whole months lie between two moments, and where buckets begin.
Comes in: moments; the width of buckets as constants, in months or in microseconds.
Does not know: how intervals are written (sql/time_buckets.py), date_diff, which counts borders
(date_parts.py).
"""

from __future__ import annotations

import polars as pl

from eau2.errors import NotSupportedError, TypeMismatchError
from eau2.operators.coercion import coerce, is_string_literal
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.calendar import MICROS_PER_DAY, days_from_civil
from eau2.operators.functions.checks import Scope, formula
from eau2.operators.functions.date_parts import UNIT_MICROS, as_int64, moment, part_name
from eau2.operators.functions.function import Function, mismatch
from eau2.types import BIGINT, DATE, TIMESTAMP, VARCHAR

_FIRST_MONTH = 2000 * 12
"""Buckets of months are counted from January 2000,"""
_FIRST_MONDAY = 10_959 * MICROS_PER_DAY
"""all others from Monday, 2000-01-03."""
_MONTHS = {
    "month": 1,
    "quarter": 3,
    "year": 12,
    "isoyear": 12,
    "decade": 120,
    "century": 1200,
    "millennium": 12000,
}
_MICROS = {
    **UNIT_MICROS,
    "epoch": UNIT_MICROS["second"],
    **dict.fromkeys(("day", "dayofweek", "isodow", "dayofyear", "julian"), MICROS_PER_DAY),
    **dict.fromkeys(("week", "yearweek"), 7 * MICROS_PER_DAY),
}


def _bind_sub(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 3:
        raise mismatch(name, args, f"It is written {name}('day', from, to).")
    part = part_name(name, args[0])
    if part not in _MONTHS and part not in _MICROS:
        raise NotSupportedError(f"{name} in {part} is not supported")
    one, two = (coerce(moment(name, arg), TIMESTAMP) for arg in args[1:])
    return Call(BIGINT, name, (Literal(VARCHAR, part), one, two))


def _lower_sub(call: Call, scope: Scope) -> pl.Expr:
    name, *moments = call.args
    assert isinstance(name, Literal)
    part = str(name.value)

    def units(one: pl.Expr, two: pl.Expr) -> pl.Expr:
        if part in _MICROS:
            apart, size = two.cast(pl.Int64) - one.cast(pl.Int64), _MICROS[part]
            return apart.abs() // size * apart.sign()
        forward = one <= two
        early = pl.when(forward).then(one).otherwise(two)
        late = pl.when(forward).then(two).otherwise(one)
        count = _months_between(early, late) // _MONTHS[part]
        return pl.when(forward).then(count).otherwise(0 - count)

    return formula(pl.Int64(), units, *(scope.lower(arg) for arg in moments))


def _months_between(early: pl.Expr, late: pl.Expr) -> pl.Expr:
    """Whole months. The last day of a short month is as late as any later day of the other."""
    months = (as_int64(late.dt.year()) - as_int64(early.dt.year())) * 12
    months = months + as_int64(late.dt.month()) - as_int64(early.dt.month())
    day, last = as_int64(early.dt.day()), as_int64(late.dt.day())
    ends = last == as_int64(late.dt.days_in_month())
    day = pl.when(ends).then(pl.min_horizontal(day, last)).otherwise(day)
    short = (last < day) | ((last == day) & (late.dt.time() < early.dt.time()))
    return months - short.cast(pl.Int64)


def _bind_bucket(name: str, args: tuple[Expr, ...]) -> Expr:
    """time_bucket(months, micros, x[, origin]): the binder has taken the interval apart."""
    months, micros, value, *origins = args
    assert isinstance(months, Literal)
    assert isinstance(micros, Literal)
    if is_string_literal(value) or not value.type.is_temporal:
        raise mismatch("time_bucket", (value,), "Cast it to DATE or TIMESTAMP.")
    width = months.value or micros.value
    if not isinstance(width, int) or width <= 0:
        raise TypeMismatchError("the width of a bucket must be more than nothing")
    type_ = value.type
    for origin in origins:
        if not origin.type.is_temporal:
            raise mismatch("time_bucket", (origin,), "An origin is a DATE or TIMESTAMP.")
        type_ = TIMESTAMP if TIMESTAMP in (type_, origin.type) else DATE
    moments = tuple(coerce(arg, TIMESTAMP) for arg in (value, *origins))
    return Call(type_, name, (months, micros, *moments))


def _lower_bucket(call: Call, scope: Scope) -> pl.Expr:
    months, micros, *moments = call.args
    assert isinstance(months, Literal)
    assert isinstance(micros, Literal)
    dtype = pl.Date() if call.type == DATE else pl.Datetime("us")
    width = months.value or micros.value
    assert isinstance(width, int)

    def start(value: pl.Expr, origin: pl.Expr | None = None) -> pl.Expr:
        if months.value:
            first = pl.lit(_FIRST_MONTH, pl.Int64) if origin is None else _month_number(origin)
            number = _floored(_month_number(value), first, width)
            days = days_from_civil(number // 12, number % 12 + 1, pl.lit(1, pl.Int64))
            found = (days * MICROS_PER_DAY).cast(pl.Datetime("us"))
        else:
            zero = pl.lit(_FIRST_MONDAY, pl.Int64) if origin is None else origin.cast(pl.Int64)
            found = _floored(value.cast(pl.Int64), zero, width).cast(pl.Datetime("us"))
        known = value.is_not_null()
        if origin is not None:
            known = known & origin.is_not_null()
        return pl.when(known).then(found).cast(dtype)

    return formula(dtype, start, *(scope.lower(arg) for arg in moments))


def _month_number(moment: pl.Expr) -> pl.Expr:
    return as_int64(moment.dt.year()) * 12 + as_int64(moment.dt.month()) - 1


def _floored(value: pl.Expr, origin: pl.Expr, width: int) -> pl.Expr:
    return origin + (value - origin) // width * width


FUNCTIONS = (
    Function(
        "date_sub",
        "date",
        "date_sub(part, from, to)",
        "How many whole units of the part lie between two moments.",
        "date_sub('month', DATE '2024-01-31', DATE '2024-03-30') = 1",
        _bind_sub,
        _lower_sub,
        aliases=("datesub",),
    ),
    Function(
        "bucket",
        "date",
        "time_bucket(width, x[, origin])",
        "The start of the bucket that x lies in; width is a constant INTERVAL.",
        "time_bucket(INTERVAL 10 DAY, DATE '2024-02-29') = DATE '2024-02-26'",
        _bind_bucket,
        _lower_bucket,
        operator=True,
    ),
)
