"""Texts as dates and timestamps: the forms that DuckDB reads.

Owns: which texts are a date or a moment. Comes in: a lowered text column. Goes out: a lowered DATE
or TIMESTAMP column, NULL where the text is neither. Does not know: strictness, messages.

The common form goes to Polars' own reader; only what is left goes through patterns. That happens
on columns and not in one expression, since the parts of a match are used many times over, and an
expression would repeat the match, and its compilation, at every use.
"""

from __future__ import annotations

from functools import partial

import polars as pl

from eau2.operators.functions.calendar import MICROS_PER_DAY, days_from_civil, valid_civil

_COMMON = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_DATE = (
    r"(-?[0-9]{1,6})(?:-([0-9]{1,2})-|/([0-9]{1,2})/|\\([0-9]{1,2})\\| ([0-9]{1,2}) )"
    r"([0-9]{1,2})( [(]BC[)])?"
)
_DATE_PARTS = 7
_ZONE = r"(?:Z| UTC| ?[+-][0-9]{2}(?::?[0-9]{2})?)?"
_TIME = r"(?:T|[ ]+)([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:[.]([0-9]*))?)?" + _ZONE
_SPACE = "[ \t\n\r\v\f]*"
_DATE_ALONE = f"^{_SPACE}{_DATE}{_SPACE}$"
_TIMESTAMP_DATE = f"^{_DATE}$"
_MOMENT = f"^{_SPACE}{_DATE}{_TIME}{_SPACE}$"


def parse_date(text: pl.Expr) -> pl.Expr:
    """The DATE that each text writes; of a moment its day."""
    return text.map_batches(
        partial(_parsed, kind=pl.Date()), return_dtype=pl.Date(), is_elementwise=True
    )


def parse_timestamp(text: pl.Expr) -> pl.Expr:
    """The TIMESTAMP that each text writes; of a date its midnight. Zones are read and dropped."""
    return text.map_batches(
        partial(_parsed, kind=pl.Datetime("us")),
        return_dtype=pl.Datetime("us"),
        is_elementwise=True,
    )


def _parsed(text: pl.Series, kind: pl.Date | pl.Datetime) -> pl.Series:
    common = text.to_frame("text").select(
        pl.when(pl.col("text").str.contains(_COMMON))
        .then(pl.col("text"))
        .str.to_date("%Y-%m-%d", strict=False)
        .cast(kind)
    )
    left = common.to_series().is_null() & text.is_not_null()
    if not left.any():
        return common.to_series()
    distinct = text.filter(left).unique()
    other = _other_dates(distinct) if isinstance(kind, pl.Date) else _other_moments(distinct)
    found = pl.DataFrame({"text": distinct, "other": other})
    joined = text.to_frame("text").with_columns(common.to_series().alias("common"))
    joined = joined.join(found, on="text", how="left", maintain_order="left")
    return joined.select(pl.coalesce("common", pl.col("other").cast(kind))).to_series()


def _other_dates(text: pl.Series) -> pl.Series:
    """Days since 1970, as Int32."""
    alone = _days(text, _DATE_ALONE).get_column("days")
    moment = _days(text, _MOMENT)
    both = pl.DataFrame({"alone": alone, "day": moment["days"], "time": _within(moment)})
    day = pl.when(pl.col("time").is_not_null()).then(pl.col("day"))
    return both.select(pl.coalesce("alone", day).cast(pl.Int32, strict=False)).to_series()


def _other_moments(text: pl.Series) -> pl.Series:
    """Microseconds since 1970, as Int64."""
    alone = _days(text, _TIMESTAMP_DATE).get_column("days")
    moment = _days(text, _MOMENT)
    both = pl.DataFrame({"alone": alone, "day": moment["days"], "time": _within(moment)})
    exact = pl.col("day") * MICROS_PER_DAY + pl.col("time")
    return both.select(pl.coalesce(exact, pl.col("alone") * MICROS_PER_DAY)).to_series()


def _days(text: pl.Series, pattern: str) -> pl.DataFrame:
    """The groups of the pattern as columns "1" on, and "days" since 1970 where they are a date."""
    groups = text.to_frame("text").select(
        pl.col("text").str.extract_groups(pattern).struct.unnest()
    )
    civil = groups.with_columns(
        _number("1").alias("year"),
        pl.coalesce([_number(name) for name in "2345"]).alias("month"),
        _number("6").alias("day"),
    ).with_columns(
        pl.when(pl.col("7").is_not_null())
        .then(1 - pl.col("year"))
        .otherwise(pl.col("year"))
        .alias("year")
    )
    parts = (pl.col("year"), pl.col("month"), pl.col("day"))
    return civil.with_columns(
        pl.when(valid_civil(*parts)).then(days_from_civil(*parts)).alias("days")
    )


def _within(groups: pl.DataFrame) -> pl.Series:
    """Microseconds since midnight of matched moments; NULL where that is no time of day."""
    digits = pl.col(str(_DATE_PARTS + 4)).fill_null("").str.slice(0, 6).str.pad_end(6, "0")
    times = groups.select(
        _number(str(_DATE_PARTS + 1)).alias("hour"),
        _number(str(_DATE_PARTS + 2)).alias("minute"),
        _number(str(_DATE_PARTS + 3)).fill_null(0).alias("second"),
        digits.cast(pl.Int64, strict=False).alias("micros"),
    )
    hour, minute, second, micros = (pl.col(name) for name in times.columns)
    midnight = (hour == 24) & (minute == 0) & (second == 0) & (micros == 0)
    valid = ((hour < 24) | midnight) & (minute < 60) & (second < 60)
    total = ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros
    return times.select(pl.when(valid).then(total)).to_series()


def _number(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Int64, strict=False)
