"""How far two moments lie apart: their difference, age, and whole parts of it (date_sub).

Owns: these three. Comes in: dates and timestamps. Goes out: intervals, and counts of whole parts.
Does not know: the clock (the binder completes age(x)), date_diff, which counts borders.
"""

from __future__ import annotations

import polars as pl

from eau2.errors import NotSupportedError
from eau2.operators.coercion import coerce
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.calendar import MICROS_PER_DAY, month_length
from eau2.operators.functions.checks import Scope, batchwise, formula
from eau2.operators.functions.date_parts import as_int64, moment, part_name
from eau2.operators.functions.function import Function, Signature, mismatch, overloads
from eau2.operators.functions.interval_parts import quotient
from eau2.operators.functions.interval_text import DAYS, MICROS, MONTHS
from eau2.operators.interval_form import PARTS, pack
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


def _age(frame: pl.DataFrame) -> pl.Series:
    return _apart(frame, "0", "1").select(pack(*map(pl.col, PARTS))).to_series()


def _apart(rows: pl.DataFrame, left: str, right: str) -> pl.DataFrame:
    """With columns "months", "days" and "micros": how far two moments lie apart on the calendar.

    A month that is borrowed has the length of the earlier moment's month, as in DuckDB. Months,
    days and microseconds all have the sign of the difference.
    """
    one, two = pl.col(left), pl.col(right)
    backward = one < two
    earlier = pl.when(backward).then(one).otherwise(two)
    rows = rows.with_columns(
        sign=pl.when(backward).then(pl.lit(-1, pl.Int64)).otherwise(pl.lit(1, pl.Int64)),
        year=as_int64(earlier.dt.year()),
        month=as_int64(earlier.dt.month()),
    )
    sign = pl.col("sign")
    years = as_int64(one.dt.year()) - as_int64(two.dt.year())
    time = one.dt.epoch("us") % MICROS_PER_DAY - two.dt.epoch("us") % MICROS_PER_DAY
    rows = rows.with_columns(
        months=(years * 12 + as_int64(one.dt.month()) - as_int64(two.dt.month())) * sign,
        days=(as_int64(one.dt.day()) - as_int64(two.dt.day())) * sign,
        micros=time * sign,
        length=month_length(pl.col("year"), pl.col("month")),
    )
    late = (pl.col("micros") < 0).cast(pl.Int64)
    rows = rows.with_columns(
        days=pl.col("days") - late, micros=pl.col("micros") + late * MICROS_PER_DAY
    )
    days, length = pl.col("days"), pl.col("length")
    short = pl.when(days < 0).then((length - 1 - days) // length).otherwise(pl.lit(0, pl.Int64))
    rows = rows.with_columns(borrowed=short)
    return rows.with_columns(
        months=(pl.col("months") - pl.col("borrowed")) * sign,
        days=(days + pl.col("borrowed") * length) * sign,
        micros=pl.col("micros") * sign,
    )


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

    values = (scope.lower(one), scope.lower(two))
    if name in _UNITS:
        size = _UNITS[name]
        return formula(
            pl.Int64(), lambda a, b: quotient(b.dt.epoch("us") - a.dt.epoch("us"), size), *values
        )
    months = quotient(pl.col("whole"), _MONTHS[name])
    return batchwise(
        pl.Int64(), lambda frame: _whole_months(frame).select(months).to_series(), *values
    )


def _whole_months(frame: pl.DataFrame) -> pl.DataFrame:
    """With column "whole", the months from "0" to "1".

    The last day of a short month completes one that began on a later day.
    """
    start, end = pl.col("0"), pl.col("1")
    backward = start > end
    rows = frame.with_columns(
        backward=backward,
        first=pl.when(backward).then(end).otherwise(start),
        last=pl.when(backward).then(start).otherwise(end),
    )
    first, last = pl.col("first"), pl.col("last")
    rows = rows.with_columns(
        day=as_int64(first.dt.day()),
        last_day=as_int64(last.dt.day()),
        length=month_length(as_int64(last.dt.year()), as_int64(last.dt.month())),
        earlier=first.dt.epoch("us") % MICROS_PER_DAY < last.dt.epoch("us") % MICROS_PER_DAY,
    )
    day, length = pl.col("day"), pl.col("length")
    cut = (pl.col("last_day") == length) & ((day > length) | ((day == length) & pl.col("earlier")))
    back = pl.duration(days=pl.when(cut).then(day - length).otherwise(pl.lit(0, pl.Int64)))
    rows = _apart(rows.with_columns(begin=first - back), "last", "begin")
    months = pl.col("months")
    return rows.with_columns(whole=pl.when("backward").then(-months).otherwise(months))


FUNCTIONS = (
    Function(
        "time_between",
        "interval",
        "x - y",
        "The days and the time from y to x.",
        "TIMESTAMP '2024-03-01' - TIMESTAMP '2024-02-01' = INTERVAL 29 DAY",
        overloads("x - y", Signature((TIMESTAMP, TIMESTAMP), INTERVAL)),
        lambda call, scope: formula(
            pl.Int128(), _time_between, *(scope.lower(arg) for arg in call.args)
        ),
        operator=True,
    ),
    Function(
        "age",
        "interval",
        "age(x, y)",
        "Years, months, days and time from y to x on the calendar; from x to today without y.",
        "age(DATE '2024-03-01', DATE '2023-01-31')",
        overloads("age(x, y)", Signature((TIMESTAMP, TIMESTAMP), INTERVAL)),
        lambda call, scope: batchwise(pl.Int128(), _age, *(scope.lower(arg) for arg in call.args)),
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
