"""Aggregates of intervals: min, max, sum and avg, as (partial states, merge, final).

Owns: their states. Comes in: the column of an argument, and the book of states (aggregates.py).
Goes out: results over merged states. Does not know: groups, how states are kept.

Months, days and microseconds are summed apart. An average carries what is left of months into days
and of days into time, like DuckDB, which adds what is left of microseconds once more whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import polars as pl

from eau2.errors import InternalError
from eau2.operators import interval_form
from eau2.operators.interval_form import DAYS_PER_MONTH, MICROS_PER_DAY

_WIDE = pl.Int128()


class Book(Protocol):
    """What keeps states and checks while aggregates are planned."""

    def state(
        self,
        key: object,
        label: str,
        dtype: pl.DataType,
        partial: pl.Expr,
        merge: str | Callable[[pl.Expr], pl.Expr],
    ) -> pl.Expr:
        """The column of a state."""

    def check(self, overflow: pl.Expr, message: str) -> None:
        """Raise with the message where `overflow` is true of a group."""


def result(function: str, name: str, label: str, book: Book) -> pl.Expr:
    """The result of `function` over the column `name`, from states that the book makes."""
    value = pl.col(name)
    match function:
        case "min" | "any_value":
            least = interval_form.least
            return book.state(("min", name), f"{label}_min", _WIDE, least(value), least)
        case "max":
            greatest = interval_form.greatest
            return book.state(("max", name), f"{label}_max", _WIDE, greatest(value), greatest)
        case "sum" | "avg":
            return _summed(function, name, label, book)
    raise InternalError(f"there is no {function} of intervals")


def _summed(function: str, name: str, label: str, book: Book) -> pl.Expr:
    value = pl.col(name)
    months, days, micros = (
        book.state((part, name), f"{label}_{part}", _WIDE, of(value).cast(_WIDE).sum(), "sum")
        for part, of in zip(
            interval_form.PARTS,
            (interval_form.months_of, interval_form.days_of, interval_form.micros_of),
            strict=True,
        )
    )
    counted = value.count().cast(pl.Int64)
    count = book.state(("count", name), f"{label}_count", pl.Int64(), counted, "sum")
    if function == "avg":
        months, days, micros = _shared(months, days, micros, count.cast(_WIDE))
    overflow = pl.lit(False)
    for part, bits in ((months, 31), (days, 31), (micros, 63)):
        low, high = pl.lit(-(1 << bits), _WIDE), pl.lit(1 << bits, _WIDE)
        overflow = overflow | (part < low) | (part >= high)
    book.check(overflow & (count > 0), f"the {function} of INTERVAL values does not fit INTERVAL")
    return pl.when(count > 0).then(interval_form.pack(months, days, micros))


def _shared(
    months: pl.Expr, days: pl.Expr, micros: pl.Expr, count: pl.Expr
) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """The parts of a sum divided by the number of values, each quotient cut toward zero."""
    count = pl.when(count > 0).then(count)
    whole_months, months_left = _divided(months, count)
    whole_days, days_left = _divided(days, count)
    whole_micros, micros_left = _divided(micros, count)
    more_days, rest = _divided(months_left * DAYS_PER_MONTH, count)
    more_micros, _ = _divided((days_left + rest) * MICROS_PER_DAY, count)
    return whole_months, whole_days + more_days, whole_micros + micros_left + more_micros


def _divided(value: pl.Expr, count: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Quotient and remainder, of which the second has the sign of the value."""
    quotient = value // count
    cut = quotient + ((value < 0) & (quotient * count != value)).cast(_WIDE)
    return cut, value - cut * count
