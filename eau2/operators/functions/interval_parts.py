"""Parts of intervals: extract, date_trunc, epoch, and intervals in their normal form.

Owns: what each part of an interval is. Comes in: bound arguments, of which one is an INTERVAL.
Goes out: Calls and Polars expressions. Does not know: the names of parts (date_parts.py), moments.

Years, months, days and time stay apart: `extract(hour)` of a day is 0. Parts are cut toward zero.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from eau2.errors import NotSupportedError
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.checks import Outcome, Scope, checked, formula
from eau2.operators.functions.floats import spread_divide
from eau2.operators.functions.function import (
    Function,
    LowerCall,
    Signature,
    overloads,
    values,
)
from eau2.operators.functions.interval_text import DAYS, MICROS, MONTHS, interval_text
from eau2.operators.interval_form import (
    DAYS_PER_MONTH,
    MICROS_PER_DAY,
    MICROS_PER_MONTH,
    days_of,
    micros_of,
    months_of,
    pack,
)
from eau2.types import BIGINT, DOUBLE, HUGEINT, INTERVAL, VARCHAR, SqlType

_KERNEL = pl.Int128()
_SECONDS_PER_DAY = 86_400


def quotient(value: pl.Expr, size: int) -> pl.Expr:
    """The quotient of integers, cut toward zero."""
    return value // size + ((value < 0) & (value % size != 0)).cast(pl.Int64)


def _rest(value: pl.Expr, size: int) -> pl.Expr:
    return value - quotient(value, size) * size


_PARTS: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "year": lambda i: quotient(months_of(i), 12),
    "quarter": lambda i: quotient(_rest(months_of(i), 12), 3) + 1,
    "month": lambda i: _rest(months_of(i), 12),
    "day": days_of,
    "decade": lambda i: quotient(months_of(i), MONTHS["decade"]),
    "century": lambda i: quotient(months_of(i), MONTHS["century"]),
    "millennium": lambda i: quotient(months_of(i), MONTHS["millennium"]),
    "hour": lambda i: quotient(micros_of(i), MICROS["hour"]),
    "minute": lambda i: quotient(_rest(micros_of(i), MICROS["hour"]), MICROS["minute"]),
    "second": lambda i: quotient(_rest(micros_of(i), MICROS["minute"]), MICROS["second"]),
    "millisecond": lambda i: quotient(_rest(micros_of(i), MICROS["minute"]), 1000),
    "microsecond": lambda i: _rest(micros_of(i), MICROS["minute"]),
    "epoch": lambda i: _epoch(i),
}


def _epoch(value: pl.Expr) -> pl.Expr:
    """Seconds as a double; a year counts 365.25 days here, and a month 30."""
    months = months_of(value)
    years = quotient(months, 12)
    days = years * 365 + _rest(months, 12) * DAYS_PER_MONTH + days_of(value)
    whole = days * _SECONDS_PER_DAY + years * (_SECONDS_PER_DAY // 4)
    micros = micros_of(value).cast(pl.Float64)
    return whole.cast(pl.Float64) + spread_divide(micros, pl.lit(1e6, pl.Float64))


def bind_part(part: str, arg: Expr) -> Expr:
    """A part of an interval. Raises NotSupportedError for those that only moments have."""
    if part not in _PARTS:
        raise NotSupportedError(
            f"an INTERVAL has no part {part}", hint=f"Its parts are {', '.join(_PARTS)}."
        )
    result = DOUBLE if part == "epoch" else BIGINT
    return Call(result, "interval_part", (Literal(VARCHAR, part), arg))


def _lower_part(call: Call, scope: Scope) -> pl.Expr:
    name, arg = call.args
    assert isinstance(name, Literal)
    part = str(name.value)
    dtype = pl.Float64() if part == "epoch" else pl.Int64()
    return formula(dtype, _PARTS[part], scope.lower(arg))


_OF_DAYS = ("day", "dayofweek", "isodow", "dayofyear", "julian")
_WEEKS = ("week", "yearweek")
_YEARS = {**MONTHS, "isoyear": 12}
_TIMES = {**MICROS, "epoch": MICROS["second"]}


def bind_trunc(name: str, part: str, arg: Expr) -> Expr:
    """date_trunc of an interval."""
    if part not in (*_OF_DAYS, *_WEEKS, *_YEARS, *_TIMES):
        raise NotSupportedError(f"{name} of an INTERVAL to {part} is not supported")
    return Call(INTERVAL, "interval_trunc", (Literal(VARCHAR, part), arg))


def _lower_trunc(call: Call, scope: Scope) -> pl.Expr:
    name, arg = call.args
    assert isinstance(name, Literal)
    part = str(name.value)

    def over(value: pl.Expr) -> pl.Expr:
        months, days, micros = months_of(value), days_of(value), micros_of(value)
        zero = months * 0
        if part in _YEARS:
            return pack(months - _rest(months, _YEARS[part]), zero, zero)
        if part in _WEEKS:
            return pack(months, days - _rest(days, DAYS["week"]), zero)
        if part in _OF_DAYS:
            return pack(months, days, zero)
        return pack(months, days, micros - _rest(micros, _TIMES[part]))

    return formula(_KERNEL, over, scope.lower(arg))


def _total(value: pl.Expr) -> pl.Expr:
    """Microseconds of 30-day months and 24-hour days, as far as 128 bits take them."""
    days = months_of(value) * DAYS_PER_MONTH + days_of(value)
    return days.cast(_KERNEL) * MICROS_PER_DAY + micros_of(value).cast(_KERNEL)


def _counted(factor: int, divisor: int) -> Callable[[Call, Scope], pl.Expr]:
    """Milliseconds, microseconds or nanoseconds as a BIGINT."""

    def over(value: pl.Expr) -> Outcome:
        micros = micros_of(value)
        rest = _total(value) - micros.cast(_KERNEL)
        exact = rest // divisor * factor + quotient(micros, divisor).cast(_KERNEL) * factor
        count = exact.cast(pl.Int64, strict=False)
        message = ("interval out of range: ", interval_text(value), " does not fit a BIGINT")
        return Outcome(count, value.is_not_null() & count.is_null(), "range", message)

    return lambda call, scope: checked(pl.Int64(), over, scope, scope.lower(call.args[0]))


def _normal(value: pl.Expr) -> Outcome:
    """Months of 30 days, then days of 24 hours; each part but the months is not negative."""
    total = _total(value)
    months = total // MICROS_PER_MONTH
    rest = total - months * MICROS_PER_MONTH
    days = rest // MICROS_PER_DAY
    bad = (months < -(2**31)) | (months >= 2**31)
    kept = pl.when(~bad).then(months)
    message = ("interval out of range: ", interval_text(value))
    return Outcome(pack(kept, days, rest - days * MICROS_PER_DAY), bad, "range", message)


_EPOCHS = {"ms": (1, 1000), "us": (1, 1), "ns": (1000, 1)}


EPOCHS: dict[str, LowerCall] = {
    f"epoch_{unit}": _counted(*sizes) for unit, sizes in _EPOCHS.items()
}
"""An interval as a number of units, cut toward zero, by the function's name (epochs.py)."""


def _hidden(name: str, syntax: str, lower: LowerCall, result: SqlType) -> Function:
    """A function that has another name in SQL, where it takes moments as well."""
    bind = overloads(syntax, Signature((VARCHAR, INTERVAL), result))
    example = syntax.replace("i)", "to_days(2))")
    summary = f"{syntax} of an interval i."
    return Function(name, "interval", syntax, summary, example, bind, lower, operator=True)


FUNCTIONS = (
    _hidden("interval_part", "date_part('day', i)", _lower_part, BIGINT),
    _hidden("interval_trunc", "date_trunc('day', i)", _lower_trunc, INTERVAL),
    Function(
        "interval_bits",
        "interval",
        "the bits of i",
        "The kernel form of an interval, which is as different as intervals can be.",
        "to_days(1)",
        overloads("the bits of i", Signature((INTERVAL,), HUGEINT)),
        values(lambda value: value),
        operator=True,
    ),
    Function(
        "interval_of_bits",
        "interval",
        "the interval of these bits",
        "The interval of a kernel form.",
        "to_days(1)",
        overloads("the interval of these bits", Signature((HUGEINT,), INTERVAL)),
        values(lambda value: value),
        operator=True,
    ),
    Function(
        "normalized_interval",
        "interval",
        "normalized_interval(i)",
        "The interval with 24 hours as a day and 30 days as a month.",
        "normalized_interval(INTERVAL '45 days 25:00:00') = INTERVAL '1 month 16 days 01:00:00'",
        overloads("normalized_interval(i)", Signature((INTERVAL,), INTERVAL)),
        lambda call, scope: checked(_KERNEL, _normal, scope, scope.lower(call.args[0])),
        fails=True,
    ),
)
