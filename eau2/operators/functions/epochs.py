"""Moments made of numbers, and numbers of moments: make_timestamp, epoch_ms, make_date.

Owns: their units, and which numbers are no moment. Does not know: the parts of dates
(date_parts.py), texts (time_formats.py, time_parse.py).
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from eau2.operators.coercion import is_null, is_string_literal
from eau2.operators.expr import Call, Expr
from eau2.operators.functions.calendar import (
    MICROS_PER_DAY,
    MICROS_PER_SECOND,
    days_from_civil,
    valid_civil,
)
from eau2.operators.functions.checks import Outcome, Scope, checked, formula
from eau2.operators.functions.function import Function, Signature, mismatch, overloads
from eau2.operators.functions.interval_parts import EPOCHS
from eau2.types import BIGINT, DATE, DOUBLE, INTEGER, INTERVAL, TIMESTAMP

_FARTHEST_DAYS = 95_000_000
"""Moments farther than this from 1970 have no form in the kernels' calendar."""
_FARTHEST = _FARTHEST_DAYS * MICROS_PER_DAY
_NANOS = 1000


def _days(days: pl.Expr) -> Outcome:
    bad = days.cast(pl.Int64).abs() > _FARTHEST_DAYS
    kept = pl.when(~bad).then(days).cast(pl.Int32).cast(pl.Date)
    return Outcome(kept, bad, "range", ("date out of range: ", days, " days from 1970"))


def _civil(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> Outcome:
    valid = valid_civil(year, month, day)
    days = pl.when(valid).then(days_from_civil(year, month, day))
    message = ("date out of range: ", year, "-", month, "-", day)
    known = year.is_not_null() & month.is_not_null() & day.is_not_null()
    return Outcome(days.cast(pl.Int32).cast(pl.Date), known & ~valid, "conversion", message)


def _lower_make_date(call: Call, scope: Scope) -> pl.Expr:
    over = _days if len(call.args) == 1 else _civil
    return checked(pl.Date(), over, scope, *(scope.lower(arg) for arg in call.args))


def _scaled(unit: int) -> Callable[[Call, Scope], pl.Expr]:
    """A TIMESTAMP from a number of units of so many microseconds."""

    def over(number: pl.Expr) -> Outcome:
        bad = (number > _FARTHEST // unit) | (number < -_FARTHEST // unit)
        kept = (pl.when(~bad).then(number) * unit).cast(pl.Datetime("us"))
        return Outcome(kept, bad, "conversion", ("timestamp out of range: ", number))

    return lambda call, scope: checked(pl.Datetime("us"), over, scope, scope.lower(call.args[0]))


def _clock(
    year: pl.Expr, month: pl.Expr, day: pl.Expr, hour: pl.Expr, minute: pl.Expr, second: pl.Expr
) -> Outcome:
    """A second may be 60, and the hour 24 when nothing follows it."""
    finite = second.is_finite() & (second.abs() <= 61.0)
    whole = pl.when(finite).then(second.floor())
    fraction = ((second - whole) * 1e6).round(mode="half_away_from_zero").cast(pl.Int64)
    seconds = whole.cast(pl.Int64)
    total = ((hour * 60 + minute) * 60 + seconds) * MICROS_PER_SECOND + fraction
    usual = hour.is_between(0, 23) & minute.is_between(0, 59) & seconds.is_between(0, 60)
    midnight = (hour == 24) & (minute == 0) & (seconds == 0) & (fraction == 0)
    leap = (hour == 23) & (minute == 59) & (seconds == 60) & (fraction > 0)
    date = valid_civil(year, month, day)
    valid = (date & ((usual & ~leap) | midnight)).fill_null(False)
    value = pl.when(valid).then(days_from_civil(year, month, day) * MICROS_PER_DAY + total)
    parts = (year, month, day, hour, minute, second)
    known = pl.all_horizontal(part.is_not_null() for part in parts)
    shown = ("no such moment: ", year, "-", month, "-", day, " ", hour, ":", minute, ":", second)
    return Outcome(value.cast(pl.Datetime("us")), known & ~valid, "conversion", shown)


_MICROSECONDS = _scaled(1)


def _lower_make_timestamp(call: Call, scope: Scope) -> pl.Expr:
    if len(call.args) == 1:
        return _MICROSECONDS(call, scope)
    return checked(pl.Datetime("us"), _clock, scope, *(scope.lower(arg) for arg in call.args))


def _bind_epoch(name: str, args: tuple[Expr, ...]) -> Expr:
    """Of a moment or an interval a BIGINT; epoch_ms also of a BIGINT the moment."""
    if len(args) == 1 and args[0].type == INTERVAL:
        return Call(BIGINT, name, args)
    both = name == "epoch_ms"
    if len(args) == 1 and (is_string_literal(args[0]) or (is_null(args[0]) and not both)):
        raise mismatch(name, args, "Cast the argument to DATE or TIMESTAMP.")
    signatures = [Signature((TIMESTAMP,), BIGINT)]
    if both:
        signatures.insert(0, Signature((BIGINT,), TIMESTAMP))
    return overloads(f"{name}(x)", *signatures)(name, args)


def _lower_epoch_ms(call: Call, scope: Scope) -> pl.Expr:
    if call.type == TIMESTAMP:
        return _scaled(1000)(call, scope)

    def rounded(moment: pl.Expr) -> pl.Expr:
        micros = moment.cast(pl.Int64)
        return (micros.abs() + 500) // 1000 * micros.sign()

    return formula(pl.Int64(), rounded, scope.lower(call.args[0]))


def _lower_epoch_us(call: Call, scope: Scope) -> pl.Expr:
    return scope.lower(call.args[0]).cast(pl.Int64)


def _lower_epoch_ns(call: Call, scope: Scope) -> pl.Expr:
    limit = (2**63 - 1) // _NANOS

    def over(moment: pl.Expr) -> Outcome:
        micros = moment.cast(pl.Int64)
        bad = (micros > limit) | (micros < -limit)
        shown = ("the nanoseconds of ", moment, " do not fit BIGINT")
        return Outcome(pl.when(~bad).then(micros) * _NANOS, bad, "conversion", shown)

    return checked(pl.Int64(), over, scope, scope.lower(call.args[0]))


def _epoch(
    name: str, summary: str, example: str, lower: Callable[[Call, Scope], pl.Expr], fails: bool
) -> Function:
    def lower_either(call: Call, scope: Scope) -> pl.Expr:
        of_interval = call.args[0].type == INTERVAL
        return EPOCHS[name](call, scope) if of_interval else lower(call, scope)

    syntax = f"{name}(x)"
    return Function(name, "date", syntax, summary, example, _bind_epoch, lower_either, fails=fails)


_CLOCK = (BIGINT, BIGINT, BIGINT, BIGINT, BIGINT, DOUBLE)

FUNCTIONS = (
    Function(
        "make_date",
        "date",
        "make_date(year, month, day)",
        "The date of that year, month and day, or so many days after 1970-01-01.",
        "make_date(2024, 2, 29) = DATE '2024-02-29'",
        overloads(
            "make_date(year, month, day) or make_date(days)",
            Signature((BIGINT, BIGINT, BIGINT), DATE),
            Signature((INTEGER,), DATE),
        ),
        _lower_make_date,
        fails=True,
    ),
    Function(
        "make_timestamp",
        "date",
        "make_timestamp(year, month, day, hour, minute, second)",
        "The moment of that date and time, or so many microseconds after 1970-01-01.",
        "make_timestamp(2024, 2, 29, 12, 30, 0.5) = TIMESTAMP '2024-02-29 12:30:00.5'",
        overloads(
            "make_timestamp(year, month, day, hour, minute, second) or make_timestamp(micros)",
            Signature((BIGINT,), TIMESTAMP),
            Signature(_CLOCK, TIMESTAMP),
        ),
        _lower_make_timestamp,
        fails=True,
    ),
    Function(
        "make_timestamp_ms",
        "date",
        "make_timestamp_ms(millis)",
        "The moment so many milliseconds after 1970-01-01.",
        "make_timestamp_ms(500) = TIMESTAMP '1970-01-01 00:00:00.5'",
        overloads("make_timestamp_ms(millis)", Signature((BIGINT,), TIMESTAMP)),
        _scaled(1000),
        fails=True,
    ),
    _epoch(
        "epoch_ms",
        "The milliseconds from 1970-01-01 to a moment; of a number of them the moment.",
        "epoch_ms(TIMESTAMP '1970-01-02') = 86400000",
        _lower_epoch_ms,
        True,
    ),
    _epoch(
        "epoch_us",
        "The microseconds from 1970-01-01 to a moment.",
        "epoch_us(TIMESTAMP '1970-01-01 00:00:01') = 1000000",
        _lower_epoch_us,
        True,
    ),
    _epoch(
        "epoch_ns",
        "The nanoseconds from 1970-01-01 to a moment.",
        "epoch_ns(TIMESTAMP '1970-01-01 00:00:01') = 1000000000",
        _lower_epoch_ns,
        True,
    ),
)
