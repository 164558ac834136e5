"""How far two moments lie apart, as an interval: their difference, and age.

Owns: these two. Comes in: dates and timestamps. Goes out: intervals.
Does not know: the clock (the binder completes age(x)), date_diff and date_sub, which count.
"""

from __future__ import annotations

import polars as pl

from eau2.operators.functions.calendar import MICROS_PER_DAY, month_length
from eau2.operators.functions.checks import batchwise, formula
from eau2.operators.functions.date_parts import as_int64
from eau2.operators.functions.function import Function, Signature, overloads
from eau2.operators.functions.interval_parts import quotient
from eau2.operators.interval_form import PARTS, pack
from eau2.types import INTERVAL, TIMESTAMP


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
)
