"""Times of day: their text, and what moves them.

Owns: the TIME type's text form, TIME plus INTERVAL, DATE plus TIME. Comes in: bound arguments,
texts. Goes out: Calls, Polars expressions over microseconds since midnight, an Int64.
Does not know: casts and their errors, parts of times (interval_parts.py).
"""

from __future__ import annotations

import re

import polars as pl

from eau2.operators.functions.calendar import MICROS_PER_DAY
from eau2.operators.functions.function import Function, Signature, overloads, values
from eau2.operators.interval_form import micros_of, pack
from eau2.types import DATE, INTERVAL, TIME, TIMESTAMP

_CLOCK = re.compile(
    r"\s*(?:\d{1,6}-\d{1,2}-\d{1,2}[ T]\s*)?"
    r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d*))?)?\s*Z?\s*\Z"
)


def read_time(text: str) -> int | None:
    """The microseconds since midnight that a text means; None when it is no time of day.

    Digits after the sixth of a second are cut off. A date in front is passed over, and 24:00:00 is
    no time here.
    """
    found = _CLOCK.match(text)
    if found is None:
        return None
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    fraction = int((found[4] or "")[:6].ljust(6, "0"))
    return ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction


def read_times(texts: pl.Series) -> pl.Series:
    """The times that (distinct) texts mean; NULL where one is none."""
    # Of equal texts only one comes here.
    return pl.Series("value", [read_time(text) for text in texts.to_list()], pl.Int64)


def time_text(micros: pl.Expr) -> pl.Expr:
    """Times as DuckDB writes them."""
    digits = micros.cast(pl.Datetime("us")).dt.strftime("%H:%M:%S%.6f")
    return digits.str.strip_chars_end("0").str.strip_suffix(".")


def _at_time(date: pl.Expr, time: pl.Expr) -> pl.Expr:
    days = date.cast(pl.Int32).cast(pl.Int64)
    return (days * MICROS_PER_DAY + time).cast(pl.Datetime("us"))


FUNCTIONS = (
    Function(
        "move_time",
        "date",
        "time + i",
        "The time of day later by an interval, of which only the time counts; midnight wraps.",
        "TIME '23:00:00' + INTERVAL 2 HOUR = TIME '01:00:00'",
        overloads("time + i", Signature((TIME, INTERVAL), TIME)),
        values(lambda time, span: (time + micros_of(span) % MICROS_PER_DAY) % MICROS_PER_DAY),
        operator=True,
    ),
    Function(
        "at_time",
        "date",
        "date + time",
        "The moment on a date at a time of day.",
        "DATE '2024-01-01' + TIME '10:00:00' = TIMESTAMP '2024-01-01 10:00:00'",
        overloads("date + time", Signature((DATE, TIME), TIMESTAMP)),
        values(_at_time),
        operator=True,
    ),
    Function(
        "time_span",
        "date",
        "time since midnight",
        "The time since midnight as an interval.",
        "INTERVAL 10 HOUR",
        overloads("time since midnight", Signature((TIME,), INTERVAL)),
        values(lambda time: pack(time * 0, time * 0, time)),
        operator=True,
    ),
)
