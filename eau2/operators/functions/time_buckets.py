"""time_bucket: the start of the evenly spaced stretch of time in which a moment lies.

Owns: where stretches begin: of days and time at Monday, 2000-01-03, of months at 2000-01-01, or at
an origin, or later by an offset. Comes in: bound arguments. Goes out: the moment's own type.
Does not know: date_trunc, windows.
"""

from __future__ import annotations

import polars as pl

from eau2.operators.coercion import coerce, coercion_cost, is_null, is_string_literal
from eau2.operators.expr import Call, Expr
from eau2.operators.functions.calendar import FARTHEST_YEAR, MICROS_PER_DAY, days_from_civil
from eau2.operators.functions.checks import Outcome, Scope, checked
from eau2.operators.functions.function import Function, mismatch
from eau2.operators.functions.interval_arithmetic import shifted
from eau2.operators.functions.interval_text import interval_text
from eau2.operators.interval_form import PARTS, days_of, micros_of, months_of
from eau2.operators.physical import kernel_dtype
from eau2.types import DATE, INTERVAL, TIMESTAMP

_KERNEL = pl.Int128()
_ORIGIN_MICROS = 10_959 * MICROS_PER_DAY
_ORIGIN_MONTHS = 360
_FARTHEST_MICROS = 95_000_000 * MICROS_PER_DAY
_STAMP = pl.Datetime("us")


def _bind(name: str, args: tuple[Expr, ...]) -> Expr:
    usage = "It is written time_bucket(width, x), with an origin or an offset behind x."
    if len(args) not in (2, 3) or coercion_cost(args[0], INTERVAL) is None:
        raise mismatch(name, args, usage)
    width, moment, *more = args
    if is_null(moment):
        moment = coerce(moment, TIMESTAMP)
    if not moment.type.is_temporal or any(is_string_literal(arg) for arg in more):
        raise mismatch(name, args, usage)
    width = coerce(width, INTERVAL)
    if not more:
        return Call(moment.type, name, (width, moment))
    (third,) = more
    if is_null(third) or third.type == INTERVAL:
        return Call(moment.type, name, (width, moment, coerce(third, INTERVAL)))
    if not third.type.is_temporal:
        raise mismatch(name, args, usage)
    type_ = DATE if moment.type == third.type == DATE else TIMESTAMP
    return Call(type_, name, (width, coerce(moment, type_), coerce(third, type_)))


def _lower(call: Call, scope: Scope) -> pl.Expr:
    values = [scope.lower(arg) for arg in call.args]
    values = [
        value if arg.type == INTERVAL else value.cast(_STAMP)
        for value, arg in zip(values, call.args, strict=True)
    ]
    dtype = kernel_dtype(call.type)
    with_offset = len(call.args) == 3 and call.args[2].type == INTERVAL
    with_origin = len(call.args) == 3 and not with_offset

    def over(width: pl.Expr, moment: pl.Expr, *_: pl.Expr) -> Outcome:
        message = (
            "time_bucket of ",
            moment,
            " by ",
            interval_text(width),
            ": a width is above zero and has no days or time beside months, and its stretches"
            " lie in the calendar",
        )
        return Outcome(pl.col("begin").cast(dtype), pl.col("bad"), "range", message)

    def stages(frame: pl.DataFrame) -> pl.DataFrame:
        width, moment = pl.col("0"), pl.col("1")
        rows = frame.with_columns(
            step=months_of(width), span=_micros(width), at=moment, bad=~_usable(width)
        )
        if with_origin:
            rows = rows.with_columns(origin=pl.col("2"))
        if with_offset:
            rows = _moved_back(rows)
        rows = _begun(rows, with_origin)
        if with_offset:
            rows = shifted(rows, "begin", PARTS)
            far = pl.col("far").fill_null(False)
            rows = rows.with_columns(begin=pl.col("shifted"), bad=pl.col("bad") | far)
        inputs = (pl.col(str(n)) for n in range(len(values)))
        known = pl.all_horizontal(value.is_not_null() for value in inputs)
        rows = rows.with_columns(bad=known & pl.col("bad").fill_null(True))
        return rows.with_columns(pl.when(known & ~pl.col("bad")).then(pl.col("begin")))

    return checked(dtype, over, scope, *values, first=stages)


def _usable(width: pl.Expr) -> pl.Expr:
    months, days, micros = months_of(width), days_of(width), micros_of(width)
    alone = (months > 0) & (days == 0) & (micros == 0)
    return alone | ((months == 0) & (_micros(width) > 0))


def _micros(width: pl.Expr) -> pl.Expr:
    """The microseconds of days and time."""
    return days_of(width).cast(_KERNEL) * MICROS_PER_DAY + micros_of(width).cast(_KERNEL)


def _moved_back(rows: pl.DataFrame) -> pl.DataFrame:
    """The moments earlier by their offsets, whose parts become columns."""
    parts = (months_of(pl.col("2")), days_of(pl.col("2")), micros_of(pl.col("2")))
    rows = rows.with_columns(part.alias(name) for part, name in zip(parts, PARTS, strict=True))
    back = [f"less_{name}" for name in PARTS]
    rows = rows.with_columns(
        (0 - pl.col(n)).alias(less) for n, less in zip(PARTS, back, strict=True)
    )
    rows = shifted(rows, "at", back)
    far = pl.col("far").fill_null(False)
    return rows.with_columns(at=pl.col("shifted"), bad=pl.col("bad") | far)


def _epoch_months(moment: pl.Expr) -> pl.Expr:
    years = moment.dt.year().cast(pl.Int64) - 1970
    return years * 12 + moment.dt.month().cast(pl.Int64) - 1


def _begun(rows: pl.DataFrame, with_origin: bool) -> pl.DataFrame:
    """With column "begin": where the stretches begin; "bad" where that is beyond the calendar."""
    step, span, at = pl.col("step"), pl.col("span"), pl.col("at")
    base, first = pl.lit(_ORIGIN_MICROS, _KERNEL), pl.lit(_ORIGIN_MONTHS, pl.Int64)
    if with_origin:
        origin = pl.col("origin")
        base, first = origin.dt.epoch("us").cast(_KERNEL), _epoch_months(origin)
    rows = rows.with_columns(base=base, first=first, by_months=step != 0)
    rows = rows.with_columns(
        span=pl.when((span > 0) & ~pl.col("by_months")).then(span).otherwise(pl.lit(1, _KERNEL)),
        step=pl.when(step > 0).then(step).otherwise(pl.lit(1, pl.Int64)),
    )
    base, first = pl.col("base"), pl.col("first")
    rows = rows.with_columns(
        since=(at.dt.epoch("us").cast(_KERNEL) - base) // span * span + base,
        count=(_epoch_months(at) - first) // step * step + first,
    )
    rows = rows.with_columns(year=pl.col("count") // 12 + 1970, month=pl.col("count") % 12 + 1)
    day = days_from_civil(pl.col("year"), pl.col("month"), pl.lit(1, pl.Int64))
    far_month = pl.col("year").abs() > FARTHEST_YEAR
    far_micros = pl.col("since").abs() > pl.lit(_FARTHEST_MICROS, _KERNEL)
    by_months = pl.col("by_months")
    rows = rows.with_columns(
        far=pl.when(by_months).then(far_month).otherwise(far_micros),
        found=pl.when(by_months)
        .then(day.cast(_KERNEL) * MICROS_PER_DAY)
        .otherwise(pl.col("since")),
    )
    begin = pl.when(~pl.col("far")).then(pl.col("found")).cast(pl.Int64).cast(_STAMP)
    return rows.with_columns(begin=begin, bad=pl.col("bad") | pl.col("far"))


FUNCTIONS = (
    Function(
        "time_bucket",
        "date",
        "time_bucket(width, x)",
        "The start of the stretch of that width in which x lies; a third argument is where one"
        " begins, or an INTERVAL by which all begin later.",
        "time_bucket(INTERVAL 1 WEEK, DATE '2024-02-29') = DATE '2024-02-26'",
        _bind,
        _lower,
        fails=True,
    ),
)
