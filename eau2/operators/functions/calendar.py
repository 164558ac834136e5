"""The proleptic Gregorian calendar as integer arithmetic.

Owns: days since 1970-01-01 from year, month and day for any year, which of these exist, how long
months are.
Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
Does not know: SQL, text.
"""

from __future__ import annotations

import polars as pl

MICROS_PER_SECOND = 1_000_000
MICROS_PER_DAY = 86_400 * MICROS_PER_SECOND
FARTHEST_YEAR = 262_000
"""Years beyond this, before and after, have no form in the kernels' calendar."""


def days_from_civil(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Days since 1970-01-01 of a valid date; int64 columns, years before 1 are 0, -1, ..."""
    shifted = year - (month <= 2).cast(pl.Int64)
    era = shifted // 400
    year_of_era = shifted - era * 400
    month_from_march = (month + 9) % 12
    day_of_year = (month_from_march * 153 + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146_097 + day_of_era - 719_468


def month_length(year: pl.Expr, month: pl.Expr) -> pl.Expr:
    """How many days a month has; int64 columns, a month from 1 to 12."""
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    february = pl.when(leap).then(pl.lit(29, pl.Int64)).otherwise(pl.lit(28, pl.Int64))
    return (
        pl.when(month == 2)
        .then(february)
        .when(month.is_in([4, 6, 9, 11]))
        .then(pl.lit(30, pl.Int64))
        .otherwise(pl.lit(31, pl.Int64))
    )


def valid_civil(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Whether the three make a date; NULL if one of them is."""
    length = month_length(year, month)
    return month.is_between(1, 12) & (day >= 1) & (day <= length) & (year.abs() <= FARTHEST_YEAR)
