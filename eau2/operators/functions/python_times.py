"""Python's dates and datetimes: made, taken apart, written.

Owns: how each is computed. A date outside of the years that Python has is an error.
Does not know: time zones, differences (python_differences.py).
"""

from __future__ import annotations

import datetime as dt

import polars as pl

from eau2.operators.functions.function import Function, by_formula
from eau2.operators.functions.python_calls import (
    Columns,
    python_entry,
    python_function,
    spread,
)
from eau2.operators.functions.python_values import limited_format

_FIRST_DAY = dt.date(1970, 1, 1).toordinal()


def _weekday(value: pl.Expr) -> pl.Expr:
    return value.dt.weekday().cast(pl.Int64) - 1


def _isoweekday(value: pl.Expr) -> pl.Expr:
    return value.dt.weekday().cast(pl.Int64)


def _ordinal(value: pl.Expr) -> pl.Expr:
    return value.cast(pl.Date).cast(pl.Int32).cast(pl.Int64) + _FIRST_DAY


def _microsecond(value: pl.Expr) -> pl.Expr:
    return value.dt.microsecond().cast(pl.Int64)


def _iso(columns: Columns) -> pl.Series | None:
    years = columns[0].dt.year()
    return columns[0].dt.to_string("%Y-%m-%d") if years.is_between(1000, 9999).all() else None


def _strftime(value: dt.date, form: str) -> str:
    limited_format(form)
    return value.strftime(form)


def _parts_replaced(value: dt.date, names: str, *parts: int) -> dt.date:
    return value.replace(**dict(zip(names.split(), parts, strict=True)))


def _quick_date(columns: Columns) -> pl.Series | None:
    year, month, day = spread(columns)
    if not (
        year.is_between(1, 9999).all()
        and month.is_between(1, 12).all()
        and day.is_between(1, 28).all()
    ):
        return None
    frame = pl.DataFrame([year.alias("year"), month.alias("month"), day.alias("day")])
    return frame.select(pl.date("year", "month", "day")).to_series()


def _naive(value: dt.datetime) -> dt.datetime:
    if value.tzinfo is not None:
        raise ValueError("a datetime with a time zone has no type here")
    return value


def _iso_datetime(text: str) -> dt.datetime:
    return _naive(dt.datetime.fromisoformat(text))


def _parsed(text: str, form: str) -> dt.datetime:
    return dt.datetime.strptime(text, form)


_DAY_NUMBER = "date -> int; datetime -> int"
_DAY_TEXT = "date -> str; datetime -> str"

FUNCTIONS: tuple[Function, ...] = (
    python_entry("date.weekday", _DAY_NUMBER, "Monday is 0.", by_formula(pl.Int64(), _weekday)),
    python_entry(
        "date.isoweekday", _DAY_NUMBER, "Monday is 1.", by_formula(pl.Int64(), _isoweekday)
    ),
    python_entry(
        "date.toordinal", _DAY_NUMBER, "Days, the first is 1.", by_formula(pl.Int64(), _ordinal)
    ),
    python_entry(
        "datetime.microsecond",
        "datetime -> int",
        "Of the second.",
        by_formula(pl.Int64(), _microsecond),
    ),
    python_function("date.isoformat", "date -> str", dt.date.isoformat, quick=_iso),
    python_function(
        "date.strftime", "date, str -> str; datetime, str -> str", _strftime, fails=True
    ),
    python_function("date.ctime", _DAY_TEXT, lambda value: value.ctime()),
    python_function("date.replace", "date, int, int?, int? -> date", dt.date.replace, fails=True),
    python_function("date.replace_parts", "date, str, int... -> date", _parts_replaced, fails=True),
    python_function(
        "datetime.replace_parts", "datetime, str, int... -> datetime", _parts_replaced, fails=True
    ),
    python_function("date.make", "int, int, int -> date", dt.date, quick=_quick_date, fails=True),
    python_function("date.fromisoformat", "str -> date", dt.date.fromisoformat, fails=True),
    python_function("date.fromordinal", "int -> date", dt.date.fromordinal, fails=True),
    python_function(
        "datetime.isoformat", "datetime, str?, str? -> str", dt.datetime.isoformat, fails=True
    ),
    python_function(
        "datetime.replace",
        "datetime, int, int?, int?, int?, int?, int?, int? -> datetime",
        dt.datetime.replace,
        fails=True,
    ),
    python_function(
        "datetime.make",
        "int, int, int, int?, int?, int?, int? -> datetime",
        dt.datetime,
        fails=True,
    ),
    python_function("datetime.fromisoformat", "str -> datetime", _iso_datetime, fails=True),
    python_function("datetime.fromordinal", "int -> datetime", dt.datetime.fromordinal, fails=True),
    python_function("datetime.strptime", "str, str -> datetime", _parsed, fails=True),
)
