"""date_sub: whole units between two moments.

Owns: how many whole months lie between two moments. Comes in: bound arguments. Goes out: numbers.
Does not know: date_diff, which counts borders (date_parts.py), age (ages.py).
"""

from __future__ import annotations

import polars as pl

from eau2.errors import NotSupportedError
from eau2.operators.coercion import coerce
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.calendar import MICROS_PER_DAY
from eau2.operators.functions.checks import Scope, formula
from eau2.operators.functions.date_parts import UNIT_MICROS, as_int64, moment, part_name
from eau2.operators.functions.function import Function, mismatch
from eau2.types import BIGINT, TIMESTAMP, VARCHAR

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
)
