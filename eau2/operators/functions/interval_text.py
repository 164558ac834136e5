"""The text of intervals: how they are written, and which texts are intervals.

Owns: DuckDB's form `1 year 2 months 3 days 04:05:06.5` and the grammar that reads it: the units and
their names, fractions, a time of day, `ago`. Comes in: kernel columns, texts. Goes out: the same.
Does not know: casts and their errors, what stands behind INTERVAL in SQL.

A part of a year is rounded to months, a part of a month or a week is cut to days and the rest is
time, as in DuckDB. Nothing may follow a time of day (DuckDB ignores what does).
"""

from __future__ import annotations

import re
from decimal import Decimal

import polars as pl
import pyarrow as pa

from eau2.operators.interval_form import (
    DAYS_PER_MONTH,
    MICROS_PER_DAY,
    days_of,
    from_arrow,
    micros_of,
    months_of,
    packed,
)

MONTHS = {
    "month": 1,
    "quarter": 3,
    "year": 12,
    "decade": 120,
    "century": 1200,
    "millennium": 12000,
}
DAYS = {"day": 1, "week": 7}
MICROS = {
    "microsecond": 1,
    "millisecond": 1000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
}
UNIT_NAMES: dict[str, str] = {
    alias: unit
    for unit, aliases in (
        ("year", "year years yr yrs y"),
        ("month", "month months mon mons"),
        ("day", "day days d dayofmonth"),
        ("hour", "hour hours hr hrs h"),
        ("minute", "minute minutes min mins m"),
        ("second", "second seconds sec secs s"),
        ("millisecond", "millisecond milliseconds ms msec msecs"),
        ("microsecond", "microsecond microseconds us usec usecs"),
        ("week", "week weeks w"),
        ("quarter", "quarter quarters"),
        ("decade", "decade decades dec decs"),
        ("century", "century centuries cent c"),
        ("millennium", "millennium millennia millenium mil mils"),
    )
    for alias in aliases.split()
}

_SPACES = " \t\n"
_CLOCK = re.compile(r"(-?)(\d{1,12}):(\d{1,2})(?::(\d{1,2})(?:\.(\d*))?)?[ \t\n]*\Z")
_AMOUNT = re.compile(r"(-?)(\d{1,19})(\.\d*)?[ \t\n]*([A-Za-z]*)[ \t\n]*")
_AGO = re.compile(r"ago[ \t\n]*\Z", re.IGNORECASE)
_LEAST_FRACTION = 1e-10
"""DuckDB takes no notice of a smaller part of a unit."""

Parts = tuple[int, int, int]
"""Months, days and microseconds."""


def read_interval(text: str) -> Parts | None:
    """The interval that the text is; None when it is none, or longer than an interval can be."""
    rest = text.lstrip(_SPACES)
    rest = rest[1:].lstrip(_SPACES) if text[:1] == "@" else rest
    total = (0, 0, 0)
    position, found = 0, False
    while position < len(rest):
        if _AGO.match(rest, position) and found:
            total = (-total[0], -total[1], -total[2])
            break
        clock = _CLOCK.match(rest, position)
        amount = None if clock else _AMOUNT.match(rest, position)
        if clock is not None:
            part, position = _clock(clock), len(rest)
        elif amount is not None:
            part, position = _amount(amount, alone=not found), amount.end()
            if not amount[4] and position < len(rest):
                return None
        else:
            return None
        if part is None:
            return None
        total = (total[0] + part[0], total[1] + part[1], total[2] + part[2])
        found = True
    return total if found and _fits(total) else None


def _fits(parts: Parts) -> bool:
    return all(-(1 << b) <= p < 1 << b for p, b in zip(parts, (31, 31, 63), strict=True))


def _clock(found: re.Match[str]) -> Parts | None:
    fraction = int((found[5] or "")[:6].ljust(6, "0"))
    minutes, seconds = int(found[3]), int(found[4] or 0)
    if minutes > 59 or seconds > 59:
        return None
    micros = ((int(found[2]) * 60 + minutes) * 60 + seconds) * 1_000_000 + fraction
    return 0, 0, -micros if found[1] else micros


def _amount(found: re.Match[str], alone: bool) -> Parts | None:
    """So many of a unit; without a unit, and as the only part, of seconds."""
    unit = UNIT_NAMES.get(found[4].lower()) if found[4] else "second" if alone else None
    if unit is None:
        return None
    fraction = float(f"0{found[3]}") if found[3] and len(found[3]) > 1 else 0.0
    return of_unit(int(found[2]), fraction, unit, -1 if found[1] else 1)


def of_unit(whole: int, fraction: float, unit: str, sign: int) -> Parts:
    """`sign` * (`whole` + `fraction`) of a unit, as DuckDB splits it over smaller ones."""
    count, fraction = sign * whole, sign * fraction
    if unit == "month" or unit == "quarter":
        of = MONTHS[unit]
        if unit == "month":
            days = int(fraction * DAYS_PER_MONTH)
            return count, days, _rounded(fraction * DAYS_PER_MONTH - days, MICROS_PER_DAY)
        months = int(fraction * of)
        return count * of + months, _rounded(fraction * of - months, DAYS_PER_MONTH), 0
    if unit in MONTHS:
        return count * MONTHS[unit] + _rounded(fraction, MONTHS[unit]), 0, 0
    if unit == "week":
        days = int(fraction * DAYS[unit])
        return 0, count * DAYS[unit] + days, _rounded(fraction * DAYS[unit] - days, MICROS_PER_DAY)
    if unit == "day":
        return 0, count, _rounded(fraction, MICROS_PER_DAY)
    if unit == "microsecond":
        return 0, 0, count
    return 0, 0, count * MICROS[unit] + _rounded(fraction, MICROS[unit])


def _rounded(fraction: float, of: int) -> int:
    """To the nearest integer, halves away from zero."""
    if abs(fraction) <= _LEAST_FRACTION:
        return 0
    exact = Decimal(fraction * of)
    return int(exact.quantize(Decimal(1), rounding="ROUND_HALF_UP"))


def read_intervals(texts: pl.Series) -> pl.Series:
    """The kernel form of (distinct) texts; NULL where one is no interval."""
    # The grammar is no regular one, and of equal texts only one comes here.
    found = [read_interval(text) for text in texts.to_list()]
    values = [None if parts is None else packed(*parts) for parts in found]
    return pl.Series("value", values, pl.Int128)


def intervals_spelled(table: pa.Table) -> pa.Table:
    """A result's table with its intervals as text, which Polars can take."""
    for position, field in enumerate(table.schema):
        if pa.types.is_interval(field.type):
            texts = [_texts(chunk) for chunk in table.column(position).chunks]
            table = table.set_column(position, field.name, pa.chunked_array(texts, pa.string()))
    return table


def _texts(array: pa.Array) -> pa.Array:
    frame = from_arrow(array).to_frame("value")
    return frame.select(interval_text(pl.col("value"))).to_series().to_arrow().cast(pa.string())


def interval_text(value: pl.Expr) -> pl.Expr:
    """Intervals as DuckDB writes them."""
    months, days, micros = months_of(value), days_of(value), micros_of(value)
    years = months.abs() // 12 * months.sign()
    date = [
        _counted(years, "year"),
        _counted(months - years * 12, "month"),
        _counted(days, "day"),
    ]
    nothing = (months == 0) & (days == 0)
    time = pl.when((micros != 0) | nothing).then(_time(micros)).otherwise(pl.lit(""))
    text = pl.concat_str(*date, time).str.strip_chars_end(" ")
    return pl.when(value.is_not_null()).then(text)


def _counted(amount: pl.Expr, unit: str) -> pl.Expr:
    name = pl.when(amount.abs() == 1).then(pl.lit(f" {unit} ")).otherwise(pl.lit(f" {unit}s "))
    text = pl.concat_str(amount.cast(pl.String), name)
    return pl.when(amount == 0).then(pl.lit("")).otherwise(text)


def _time(micros: pl.Expr) -> pl.Expr:
    size = micros.cast(pl.Int128).abs()
    second = pl.lit(1_000_000, pl.Int128)
    seconds = size // second
    fraction = (size % second).cast(pl.String).str.zfill(6).str.strip_chars_end("0")
    tail = (
        pl.when(size % second == 0).then(pl.lit("")).otherwise(pl.concat_str(pl.lit("."), fraction))
    )
    clock = [
        (seconds // 3600).cast(pl.String).str.zfill(2),
        (seconds // 60 % 60).cast(pl.String).str.zfill(2),
        (seconds % 60).cast(pl.String).str.zfill(2),
    ]
    sign = pl.when(micros < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    return pl.concat_str(sign, pl.concat_str(*clock, separator=":"), tail)
