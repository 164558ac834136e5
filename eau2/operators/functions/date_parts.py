"""Parts of dates and timestamps: date_part, date_trunc, date_diff, year, month and so on.

Owns: the names of the parts, what each is, and where its borders lie.
Does not know: how EXTRACT is written (the binder makes it a date_part), the parts of intervals
(interval_parts.py).
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from eau2.errors import NotSupportedError, TypeMismatchError
from eau2.operators.coercion import coerce, is_null, is_string_literal
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions import interval_parts
from eau2.operators.functions.calendar import MICROS_PER_SECOND, days_from_civil
from eau2.operators.functions.checks import Scope, formula
from eau2.operators.functions.floats import spread_divide
from eau2.operators.functions.function import Function, mismatch
from eau2.types import BIGINT, DATE, DOUBLE, INTERVAL, TIMESTAMP, VARCHAR, Kind

_Part = Callable[[pl.Expr], pl.Expr]


def as_int64(value: pl.Expr) -> pl.Expr:
    """A column of small integers as BIGINT."""
    return value.cast(pl.Int64)


def _quotient(x: pl.Expr, unit: float) -> pl.Expr:
    def over(x: pl.Expr) -> pl.Expr:
        return spread_divide(x.dt.epoch("us").cast(pl.Float64), pl.lit(unit, pl.Float64))

    return formula(pl.Float64(), over, x)


def _micros_of_minute(x: pl.Expr) -> pl.Expr:
    return as_int64(x.dt.second()) * MICROS_PER_SECOND + as_int64(x.dt.microsecond())


def _century(x: pl.Expr, years: int) -> pl.Expr:
    year = as_int64(x.dt.year())
    return pl.when(year > 0).then((year - 1) // years + 1).otherwise(-((0 - year) // years + 1))


_PARTS: dict[str, _Part] = {
    "year": lambda x: as_int64(x.dt.year()),
    "month": lambda x: as_int64(x.dt.month()),
    "day": lambda x: as_int64(x.dt.day()),
    "quarter": lambda x: as_int64(x.dt.quarter()),
    "week": lambda x: as_int64(x.dt.week()),
    "isoyear": lambda x: as_int64(x.dt.iso_year()),
    "dayofweek": lambda x: as_int64(x.dt.weekday()) % 7,
    "isodow": lambda x: as_int64(x.dt.weekday()),
    "dayofyear": lambda x: as_int64(x.dt.ordinal_day()),
    "hour": lambda x: as_int64(x.dt.hour()),
    "minute": lambda x: as_int64(x.dt.minute()),
    "second": lambda x: as_int64(x.dt.second()),
    "millisecond": lambda x: _micros_of_minute(x) // 1000,
    "microsecond": _micros_of_minute,
    "decade": lambda x: as_int64(x.dt.year()) // 10,
    "century": lambda x: _century(x, 100),
    "millennium": lambda x: _century(x, 1000),
    "yearweek": lambda x: as_int64(x.dt.iso_year()) * 100 + as_int64(x.dt.week()),
    "era": lambda x: as_int64(x.dt.year() > 0),
    "epoch": lambda x: _quotient(x, 1e6),
    "julian": lambda x: _quotient(x, 8.64e10) + 2440588,
    "nanosecond": lambda x: _micros_of_minute(x) * 1000,
}
_PART_NAMES: dict[str, str] = {
    **{name: name for name in _PARTS if name != "nanosecond"},
    **{f"{name}s": name for name in ("year", "month", "day", "quarter", "week", "hour", "minute")},
    **{f"{name}s": name for name in ("second", "millisecond", "microsecond", "decade")},
    "y": "year",
    "yr": "year",
    "yrs": "year",
    "mon": "month",
    "mons": "month",
    "d": "day",
    "dayofmonth": "day",
    "w": "week",
    "weekofyear": "week",
    "dow": "dayofweek",
    "weekday": "dayofweek",
    "doy": "dayofyear",
    "h": "hour",
    "hr": "hour",
    "hrs": "hour",
    "m": "minute",
    "min": "minute",
    "mins": "minute",
    "s": "second",
    "sec": "second",
    "secs": "second",
    "ms": "millisecond",
    "msec": "millisecond",
    "msecs": "millisecond",
    "us": "microsecond",
    "usec": "microsecond",
    "usecs": "microsecond",
    "centuries": "century",
    "cent": "century",
    "c": "century",
    "millennia": "millennium",
    "mil": "millennium",
    "dec": "decade",
    "decs": "decade",
}
_AS_UNITS = {
    **dict.fromkeys(("dayofweek", "isodow", "dayofyear", "julian"), "day"),
    "yearweek": "week",
    "epoch": "second",
}
"""The units that date_trunc and date_diff take these parts for."""
_TIME_PARTS = ("hour", "minute", "second", "millisecond", "microsecond", "nanosecond")
_UNITS = {
    "year": "1y",
    "quarter": "1q",
    "month": "1mo",
    "week": "1w",
    "day": "1d",
    "hour": "1h",
    "minute": "1m",
    "second": "1s",
    "millisecond": "1ms",
    "microsecond": "1us",
}
UNIT_MICROS = {
    "hour": 3600 * MICROS_PER_SECOND,
    "minute": 60 * MICROS_PER_SECOND,
    "second": MICROS_PER_SECOND,
    "millisecond": 1000,
    "microsecond": 1,
}


def part_name(name: str, arg: Expr) -> str:
    """The part that a constant names, by its usual name. Raises statement errors."""
    if not isinstance(arg, Literal) or not isinstance(arg.value, str):
        raise NotSupportedError(f"the part of {name} must be a string constant")
    part = _PART_NAMES.get(arg.value.lower())
    if part is None:
        raise TypeMismatchError(
            f"{arg.value!r} is no part of a date", hint=f"Parts are {', '.join(_PARTS)}."
        )
    return part


def moment(name: str, arg: Expr) -> Expr:
    """The argument as a DATE or TIMESTAMP."""
    if is_null(arg) or is_string_literal(arg):
        return coerce(arg, TIMESTAMP)
    if not arg.type.is_temporal:
        raise mismatch(name, (arg,), "Cast it to DATE or TIMESTAMP.")
    return arg


def _bind_part(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 2:
        raise mismatch(name, args, f"It is written {name}('year', x).")
    return _part_of(name, part_name(name, args[0]), args[1])


def _part_of(name: str, part: str, arg: Expr) -> Expr:
    """The call that computes a part. name: the function's, for messages."""
    if arg.type.kind is Kind.INTERVAL:
        return interval_parts.bind_part(part, arg)
    if arg.type.kind is Kind.TIME:
        if part not in (*_TIME_PARTS, "epoch"):
            raise NotSupportedError(f"a TIME has no part {part}")
        return interval_parts.bind_part(part, Call(INTERVAL, "time_span", (arg,)))
    result = DOUBLE if part in ("epoch", "julian") else BIGINT
    return Call(result, "date_part", (Literal(VARCHAR, part), moment(name, arg)))


def _bind_named_part(part: str) -> Callable[[str, tuple[Expr, ...]], Expr]:
    def bind(name: str, args: tuple[Expr, ...]) -> Expr:
        if len(args) != 1:
            raise mismatch(name, args, f"It is written {name}(x).")
        return _part_of(name, part, args[0])

    return bind


def _lower_part(call: Call, scope: Scope) -> pl.Expr:
    name, arg = call.args
    assert isinstance(name, Literal)
    value = scope.lower(arg)
    part = str(name.value)
    if arg.type == DATE and part in (*_TIME_PARTS, "epoch", "julian"):
        value = value.cast(pl.Datetime("us"))
    return _PARTS[part](value)


def _bind_trunc(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 2:
        raise mismatch(name, args, f"It is written {name}('month', x).")
    part = part_name(name, args[0])
    part = _AS_UNITS.get(part, part)
    if args[1].type.kind is Kind.INTERVAL:
        return interval_parts.bind_trunc(name, part, args[1])
    arg = moment(name, args[1])
    if part not in (*_UNITS, "decade", "century", "millennium", "isoyear"):
        raise NotSupportedError(f"{name} to {part} is not supported")
    return Call(TIMESTAMP, name, (Literal(VARCHAR, part), arg))


def _lower_trunc(call: Call, scope: Scope) -> pl.Expr:
    name, arg = call.args
    assert isinstance(name, Literal)
    value, part = scope.lower(arg), str(name.value)
    if arg.type == DATE and part in _TIME_PARTS:
        return value.cast(pl.Datetime("us"))
    if part in _UNITS:
        return value.dt.truncate(_UNITS[part]).cast(pl.Datetime("us"))
    if part == "isoyear":
        # The fourth of January is always in the first ISO week.
        return formula(pl.Datetime("us"), _start_of_iso_year, value)
    span = {"decade": 10, "century": 100, "millennium": 1000}[part]
    return formula(pl.Datetime("us"), lambda x: _start_of_years(x, span), value)


def _start_of_years(x: pl.Expr, span: int) -> pl.Expr:
    year = as_int64(x.dt.year())
    days = days_from_civil(year.abs() // span * span * year.sign(), pl.lit(1), pl.lit(1))
    return days.cast(pl.Int32).cast(pl.Date)


def _start_of_iso_year(x: pl.Expr) -> pl.Expr:
    days = days_from_civil(as_int64(x.dt.iso_year()), pl.lit(1), pl.lit(4))
    return days.cast(pl.Int32).cast(pl.Date).dt.truncate("1w")


def _bind_diff(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 3:
        raise mismatch(name, args, f"It is written {name}('day', from, to).")
    part = part_name(name, args[0])
    part = _AS_UNITS.get(part, part)
    one, two = (moment(name, arg) for arg in args[1:])
    if part not in (*_UNITS, "decade", "century", "millennium", "isoyear"):
        raise NotSupportedError(f"{name} in {part} is not supported")
    type_ = DATE if one.type == two.type == DATE else TIMESTAMP
    return Call(BIGINT, name, (Literal(VARCHAR, part), coerce(one, type_), coerce(two, type_)))


def _lower_diff(call: Call, scope: Scope) -> pl.Expr:
    name, one, two = call.args
    assert isinstance(name, Literal)
    part = str(name.value)
    if part == "week":
        return formula(pl.Int64(), _weeks_between, scope.lower(one), scope.lower(two))
    count = _ordinal(part)
    return count(scope.lower(two)) - count(scope.lower(one))


def _day_number(x: pl.Expr) -> pl.Expr:
    return as_int64(x.cast(pl.Date).cast(pl.Int32))


def _weeks_between(one: pl.Expr, two: pl.Expr) -> pl.Expr:
    """Whole weeks, and not how many Mondays lie between."""
    days = _day_number(two) - _day_number(one)
    return days.abs() // 7 * days.sign()


def _ordinal(part: str) -> _Part:
    """Numbers the units of a part, so that the difference counts the borders crossed."""
    if part in UNIT_MICROS:
        size = UNIT_MICROS[part]
        return lambda x: x.cast(pl.Datetime("us")).dt.epoch("us") // size
    match part:
        case "day":
            return _day_number
        case "month":
            return lambda x: as_int64(x.dt.year()) * 12 + as_int64(x.dt.month())
        case "quarter":
            return lambda x: as_int64(x.dt.year()) * 4 + as_int64(x.dt.quarter())
        case "century":
            return lambda x: as_int64(x.dt.year()) // 100
        case "millennium":
            return lambda x: as_int64(x.dt.year()) // 1000
        case _:
            return _PARTS[part]


def _part_function(part: str) -> Function:
    aliases = {"day": ("dayofmonth",), "dayofweek": ("weekday",), "week": ("weekofyear",)}
    return Function(
        part,
        "date",
        f"{part}(x)",
        f"The {part} of a date or timestamp; the same as date_part('{part}', x).",
        f"{part}(DATE '2024-02-29')",
        _bind_named_part(part),
        _lower_part,
        aliases=aliases.get(part, ()),
    )


FUNCTIONS = (
    Function(
        "date_part",
        "date",
        "date_part(part, x)",
        "A part of a date or timestamp, such as its year; also written EXTRACT(part FROM x).",
        "date_part('year', DATE '2024-02-29') = 2024",
        _bind_part,
        _lower_part,
        aliases=("datepart",),
    ),
    Function(
        "date_trunc",
        "date",
        "date_trunc(part, x)",
        "The start of the year, month, day, hour and so on in which x lies.",
        "date_trunc('month', DATE '2024-02-29') = DATE '2024-02-01'",
        _bind_trunc,
        _lower_trunc,
        aliases=("datetrunc",),
    ),
    Function(
        "date_diff",
        "date",
        "date_diff(part, from, to)",
        "How many starts of the part lie between two moments.",
        "date_diff('day', DATE '2024-02-28', DATE '2024-03-01') = 2",
        _bind_diff,
        _lower_diff,
        aliases=("datediff",),
    ),
    *(_part_function(part) for part in _PARTS),
)
