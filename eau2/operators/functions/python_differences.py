"""Python's timedelta: differences of moments, computed with, and what moves moments by them.

Owns: how each operation is computed. A difference is its microseconds, in 128 bits; Python has
differences of less than 1,000,000,000 days either way, which 64 bits would not hold.
Does not know: which operator a user wrote (python/differences.py), dates alone (python_times.py).

What is common has a quick way over whole columns, which passes as soon as one row might fail; then
CPython's own timedelta computes, whose roundings and errors are the right ones.
"""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable
from typing import Any

import polars as pl

from eau2.operators.expr import Call
from eau2.operators.functions.checks import Scope, formula
from eau2.operators.functions.function import Function, by_formula
from eau2.operators.functions.python_calls import (
    Columns,
    python_entry,
    python_function,
    spread,
)
from eau2.operators.functions.python_numbers import EXACT, has, magnitude, quotient, whole

MICROS_PER_SECOND = 1_000_000
MICROS_PER_DAY = 86_400 * MICROS_PER_SECOND
UNITS = {
    "microseconds": 1,
    "milliseconds": 1_000,
    "seconds": MICROS_PER_SECOND,
    "minutes": 60 * MICROS_PER_SECOND,
    "hours": 3_600 * MICROS_PER_SECOND,
    "days": MICROS_PER_DAY,
    "weeks": 7 * MICROS_PER_DAY,
}
"""What timedelta() takes, in microseconds, in the order in which CPython looks at it."""

_MICROSECOND = dt.timedelta(microseconds=1)
_LEAST, _GREATEST = dt.timedelta.min // _MICROSECOND, dt.timedelta.max // _MICROSECOND
_EPOCH = dt.datetime(1970, 1, 1)
_FIRST_DAY, _LAST_DAY = (dt.datetime.min - _EPOCH).days, (dt.datetime.max - _EPOCH).days
_FIRST, _LAST = (
    (dt.datetime.min - _EPOCH) // _MICROSECOND,
    (dt.datetime.max - _EPOCH) // _MICROSECOND,
)
MOVES: dict[str, tuple[int, int, int]] = {
    "date.later": (1, _FIRST_DAY, _LAST_DAY),
    "datetime.later": (1, _FIRST, _LAST),
    "datetime.earlier": (-1, _FIRST, _LAST),
}
"""What moves a moment: which way, and the first and the last one that Python has."""

_SIXTY_FOUR_BITS = 2**63

Values = Callable[..., pl.Expr]


def _wide(value: int) -> pl.Expr:
    return pl.lit(value, pl.Int128)


def _over(columns: Columns, compute: Values) -> pl.Series:
    """A formula over whole columns, computed in 128 bits."""
    frame = pl.DataFrame([column.alias(str(n)) for n, column in enumerate(spread(columns))])
    wide = [pl.col(name).cast(pl.Int128) for name in frame.columns]
    return frame.select(compute(*wide).alias("value")).to_series()


def _inside(found: pl.Series, least: int, greatest: int) -> bool:
    """Whether all values lie between the two; NULL does."""
    low, high = found.min(), found.max()
    if not isinstance(low, int) or not isinstance(high, int):
        return True
    return least <= low and high <= greatest


def _difference(found: pl.Series) -> pl.Series | None:
    return found if _inside(found, _LEAST, _GREATEST) else None


def _quick_sum(compute: Values) -> Callable[[Columns], pl.Series | None]:
    return lambda columns: _difference(_over(columns, compute))


def _quick_product(columns: Columns) -> pl.Series | None:
    left, right = columns[0], columns[1]
    if right.dtype == pl.Float64 or magnitude(left) * magnitude(right) > _GREATEST:
        return None
    return _difference(_over(columns, operator.mul))


def _quick_part(columns: Columns) -> pl.Series | None:
    return None if has(columns[1], 0) else _difference(_over(columns, operator.floordiv))


def _quick_ratio(columns: Columns) -> pl.Series | None:
    if has(columns[1], 0):
        return None
    found = _over(columns, operator.floordiv)
    return found if _inside(found, -_SIXTY_FOUR_BITS, _SIXTY_FOUR_BITS - 1) else None


def _quick_rest(columns: Columns) -> pl.Series | None:
    return None if has(columns[1], 0) else _over(columns, operator.mod)


def _quick_quotient(columns: Columns) -> pl.Series | None:
    left, right = columns[0], columns[1]
    if has(right, 0) or max(magnitude(left), magnitude(right)) > EXACT:
        return None
    return quotient([left.cast(pl.Float64), right.cast(pl.Float64)])


def _quick_seconds(columns: Columns) -> pl.Series | None:
    """Whole seconds, and what is short enough to be divided as floats."""
    (value,) = columns
    if magnitude(value) <= EXACT:
        divisor = pl.Series([float(MICROS_PER_SECOND)])
        return quotient([value.cast(pl.Float64), divisor])
    if _over(columns, lambda x: x % _wide(MICROS_PER_SECOND) != 0).any():
        return None
    return _over(columns, lambda x: x // _wide(MICROS_PER_SECOND)).cast(pl.Float64)


def _quick_made(columns: Columns) -> pl.Series | None:
    if any(column.dtype == pl.Float64 for column in columns):
        return None

    def total(*values: pl.Expr) -> pl.Expr:
        parts = (x * _wide(unit) for x, unit in zip(values, UNITS.values(), strict=True))
        result = next(parts)
        for part in parts:
            result = result + part
        return result

    return _difference(_over(columns, total))


def _quick_later_date(columns: Columns) -> pl.Series | None:
    found = _over([columns[0].cast(pl.Int32), columns[1]], operator.add)
    if not _inside(found, _FIRST_DAY, _LAST_DAY):
        return None
    return found.cast(pl.Int32).cast(pl.Date)


def _quick_moved(compute: Values) -> Callable[[Columns], pl.Series | None]:
    def quick(columns: Columns) -> pl.Series | None:
        found = _over([columns[0].cast(pl.Int64), columns[1]], compute)
        return (
            found.cast(pl.Int64).cast(pl.Datetime("us")) if _inside(found, _FIRST, _LAST) else None
        )

    return quick


def difference(micros: int) -> dt.timedelta:
    """The difference that has so many microseconds."""
    return dt.timedelta(microseconds=micros)


def micros(value: dt.timedelta) -> int:
    """How many microseconds a difference has: it is kept as these."""
    return value // _MICROSECOND


def made(
    microseconds: Any, milliseconds: Any, seconds: Any, minutes: Any, hours: Any, days: Any,
    weeks: Any,
) -> int | None:  # fmt: skip
    """What timedelta() gives; None where an argument is None before another one fails."""
    try:
        return micros(
            dt.timedelta(days, seconds, microseconds, milliseconds, minutes, hours, weeks)
        )
    except TypeError:
        return None


def _to_difference(compute: Callable[..., dt.timedelta]) -> Callable[..., int]:
    return lambda value, *others: micros(compute(difference(value), *others))


def _of_two(compute: Callable[..., dt.timedelta]) -> Callable[[int, int], int]:
    return lambda one, two: micros(compute(difference(one), difference(two)))


def _ratio(one: int, two: int) -> int:
    return whole(difference(one) // difference(two))


def _quotient(one: int, two: int) -> float:
    return difference(one) / difference(two)


def _seconds(value: int) -> float:
    return difference(value).total_seconds()


def _later_date(value: dt.date, days: int) -> dt.date:
    return value + dt.timedelta(days=days)


def _later(value: dt.datetime, by: int) -> dt.datetime:
    return value + difference(by)


def _earlier(value: dt.datetime, by: int) -> dt.datetime:
    return value - difference(by)


def _text(compute: Callable[[dt.timedelta], str]) -> Callable[[int | None], str]:
    """A text of a difference; that of None is its name."""
    return lambda value: "None" if value is None else compute(difference(value))


def _part(compute: Callable[[pl.Expr], pl.Expr]) -> Callable[[Call, Scope], pl.Expr]:
    return by_formula(pl.Int64(), compute)


def _lower_between(unit: int, dtype: pl.DataType) -> Callable[[Call, Scope], pl.Expr]:
    """The difference of two moments that count `unit` microseconds each."""

    def over(one: pl.Expr, two: pl.Expr) -> pl.Expr:
        count = one.cast(dtype).cast(pl.Int128) - two.cast(dtype).cast(pl.Int128)
        return count if unit == 1 else count * _wide(unit)

    return lambda call, scope: formula(pl.Int128(), over, *(scope.lower(a) for a in call.args))


_TWO = "timedelta, timedelta -> timedelta"
_BY_NUMBER = "timedelta, number -> timedelta"
_BY_INT = "timedelta, int -> timedelta"
_PART = "timedelta -> int"

FUNCTIONS: tuple[Function, ...] = (
    python_entry(
        "date.-",
        "date, date -> timedelta",
        "A difference of whole days.",
        _lower_between(MICROS_PER_DAY, pl.Int32()),
    ),
    python_entry(
        "datetime.-",
        "datetime, datetime -> timedelta",
        "A difference.",
        _lower_between(1, pl.Int64()),
    ),
    python_function(
        "date.later", "date, int -> date", _later_date, quick=_quick_later_date, fails=True
    ),
    python_function(
        "datetime.later",
        "datetime, timedelta -> datetime",
        _later,
        quick=_quick_moved(operator.add),
        fails=True,
    ),
    python_function(
        "datetime.earlier",
        "datetime, timedelta -> datetime",
        _earlier,
        quick=_quick_moved(operator.sub),
        fails=True,
    ),
    python_function(
        "timedelta.make",
        "number, number, number, number, number, number, number -> timedelta",
        made,
        quick=_quick_made,
        fails=True,
        nulls=True,
    ),
    python_function(
        "timedelta.+", _TWO, _of_two(operator.add), quick=_quick_sum(operator.add), fails=True
    ),
    python_function(
        "timedelta.-", _TWO, _of_two(operator.sub), quick=_quick_sum(operator.sub), fails=True
    ),
    python_function("timedelta.%", _TWO, _of_two(operator.mod), quick=_quick_rest, fails=True),
    python_function(
        "timedelta.*", _BY_NUMBER, _to_difference(operator.mul), quick=_quick_product, fails=True
    ),
    python_function("timedelta./ number", _BY_NUMBER, _to_difference(operator.truediv), fails=True),
    python_function(
        "timedelta.// int",
        _BY_INT,
        _to_difference(operator.floordiv),
        quick=_quick_part,
        fails=True,
    ),
    python_function(
        "timedelta.//", "timedelta, timedelta -> int", _ratio, quick=_quick_ratio, fails=True
    ),
    python_function(
        "timedelta./",
        "timedelta, timedelta -> float",
        _quotient,
        quick=_quick_quotient,
        fails=True,
    ),
    python_function(
        "timedelta.negate",
        "timedelta -> timedelta",
        _to_difference(operator.neg),
        quick=_quick_sum(lambda x: 0 - x),
        fails=True,
    ),
    python_entry(
        "timedelta.abs",
        "timedelta -> timedelta",
        "The length.",
        by_formula(pl.Int128(), lambda x: x.abs()),
    ),
    python_entry(
        "timedelta.days", _PART, "Rounded down.", _part(lambda x: x // _wide(MICROS_PER_DAY))
    ),
    python_entry(
        "timedelta.seconds",
        _PART,
        "Of the day.",
        _part(lambda x: x % _wide(MICROS_PER_DAY) // _wide(MICROS_PER_SECOND)),
    ),
    python_entry(
        "timedelta.microseconds",
        _PART,
        "Of the second.",
        _part(lambda x: x % _wide(MICROS_PER_SECOND)),
    ),
    python_function(
        "timedelta.total_seconds", "timedelta -> float", _seconds, quick=_quick_seconds
    ),
    python_function("timedelta.__str__", "timedelta -> str", _text(str), nulls=True),
    python_function("timedelta.__repr__", "timedelta -> str", _text(repr), nulls=True),
)
