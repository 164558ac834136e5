"""How far two moments lie apart: their difference, age, and whole parts of it (date_sub).

Owns: these three. Comes in: dates and timestamps. Goes out: intervals, and counts of whole parts.
Does not know: the clock (the binder completes age(x)), date_diff, which counts borders.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from eau2.errors import NotSupportedError
from eau2.operators.coercion import coerce
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.calendar import MICROS_PER_DAY, month_length
from eau2.operators.functions.checks import Scope, formula
from eau2.operators.functions.date_parts import as_int64, moment, part_name
from eau2.operators.functions.function import Function, Signature, mismatch, overloads
from eau2.operators.functions.interval_parts import quotient
from eau2.operators.functions.interval_text import DAYS, MICROS, MONTHS
from eau2.operators.interval_form import pack
from eau2.types import BIGINT, INTERVAL, TIMESTAMP, VARCHAR

_UNITS = {
    **{unit: size * MICROS_PER_DAY for unit, size in DAYS.items()},
    **MICROS,
    "yearweek": 7 * MICROS_PER_DAY,
    "epoch": MICROS["second"],
    **dict.fromkeys(("dayofweek", "isodow", "dayofyear", "julian"), MICROS_PER_DAY),
}
_MONTHS = {**MONTHS, "isoyear": 12}


def _time_between(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Whole days, and what is left as time; of timestamps that exist it always fits."""
    micros = left.dt.epoch("us") - right.dt.epoch("us")
    days = quotient(micros, MICROS_PER_DAY)
    zero = pl.when(micros.is_not_null()).then(pl.lit(0, pl.Int64))
    return pack(zero, days, micros - days * MICROS_PER_DAY)


def _age(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    return pack(*_apart(left, right))


def _apart(left: pl.Expr, right: pl.Expr) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """Years, months and days on the calendar, and time, from the earlier moment to the later.

    A month that is borrowed has the length of the earlier moment's month, as in DuckDB. Months,
    days and microseconds all have the sign of the difference.
    """
    before = left < right
    sign = pl.when(before).then(pl.lit(-1, pl.Int64)).otherwise(pl.lit(1, pl.Int64))
    years = as_int64(left.dt.year()) - as_int64(right.dt.year())
    months = (years * 12 + as_int64(left.dt.month()) - as_int64(right.dt.month())) * sign
    days = (as_int64(left.dt.day()) - as_int64(right.dt.day())) * sign
    time = (left.dt.epoch("us") % MICROS_PER_DAY - right.dt.epoch("us") % MICROS_PER_DAY) * sign
    late = time < 0
    days = days - late.cast(pl.Int64)
    earlier = pl.when(before).then(left).otherwise(right)
    length = month_length(as_int64(earlier.dt.year()), as_int64(earlier.dt.month()))
    borrowed = pl.when(days < 0).then((length - 1 - days) // length).otherwise(pl.lit(0, pl.Int64))
    days = days + borrowed * length
    time = time + late.cast(pl.Int64) * MICROS_PER_DAY
    return (months - borrowed) * sign, days * sign, time * sign


def _over(compute: Callable[..., pl.Expr], dtype: pl.DataType) -> Callable[[Call, Scope], pl.Expr]:
    return lambda call, scope: formula(dtype, compute, *(scope.lower(arg) for arg in call.args))


def _bind_sub(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 3:
        raise mismatch(name, args, f"It is written {name}('day', from, to).")
    part = part_name(name, args[0])
    if part not in _UNITS and part not in _MONTHS:
        raise NotSupportedError(f"{name} in {part} is not supported")
    one, two = (coerce(moment(name, arg), TIMESTAMP) for arg in args[1:])
    return Call(BIGINT, name, (Literal(VARCHAR, part), one, two))


def _lower_sub(call: Call, scope: Scope) -> pl.Expr:
    part, one, two = call.args
    assert isinstance(part, Literal)
    name = str(part.value)

    def over(start: pl.Expr, end: pl.Expr) -> pl.Expr:
        if name in _UNITS:
            return quotient(end.dt.epoch("us") - start.dt.epoch("us"), _UNITS[name])
        return quotient(_whole_months(start, end), _MONTHS[name])

    return formula(pl.Int64(), over, scope.lower(one), scope.lower(two))


def _whole_months(start: pl.Expr, end: pl.Expr) -> pl.Expr:
    """Whole months; the last day of a short month completes one that began on a later day."""
    backward = start > end
    first = pl.when(backward).then(end).otherwise(start)
    last = pl.when(backward).then(start).otherwise(end)
    length = month_length(as_int64(last.dt.year()), as_int64(last.dt.month()))
    day = as_int64(first.dt.day())
    at_end = as_int64(last.dt.day()) == length
    earlier = first.dt.epoch("us") % MICROS_PER_DAY < last.dt.epoch("us") % MICROS_PER_DAY
    cut = at_end & ((day > length) | ((day == length) & earlier))
    moved = first - pl.duration(days=pl.when(cut).then(day - length).otherwise(pl.lit(0)))
    months, _, _ = _apart(last, moved)
    return pl.when(backward).then(-months).otherwise(months)


FUNCTIONS = (
    Function(
        "time_between",
        "interval",
        "x - y",
        "The days and the time from y to x.",
        "TIMESTAMP '2024-03-01' - TIMESTAMP '2024-02-01' = INTERVAL 29 DAY",
        overloads("x - y", Signature((TIMESTAMP, TIMESTAMP), INTERVAL)),
        _over(_time_between, pl.Int128()),
        operator=True,
    ),
    Function(
        "age",
        "interval",
        "age(x, y)",
        "Years, months, days and time from y to x on the calendar; from x to today without y.",
        "age(DATE '2024-03-01', DATE '2023-01-31')",
        overloads("age(x, y)", Signature((TIMESTAMP, TIMESTAMP), INTERVAL)),
        _over(_age, pl.Int128()),
    ),
    Function(
        "date_sub",
        "date",
        "date_sub(part, from, to)",
        "How many whole parts lie between two moments.",
        "date_sub('month', DATE '2024-01-15', DATE '2024-03-14') = 1",
        _bind_sub,
        _lower_sub,
        aliases=("datesub",),
    ),
)
