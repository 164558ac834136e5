"""Row lists: the rows of one chunk by the value of one column.

Owns: how they are made, what they take, and which rows have given values. Comes in: a column of a
chunk in stored form; goes out: row numbers in ascending order. Does not know: operators, which
columns are worth it, where they are kept.

The values are whole numbers, or days, times and decimals held as such. NULL is in no list, since it
equals nothing. The rows of one value lie side by side and ascend; where each list begins is found
by the value itself where values lie close, else by bisection among those that occur.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from eau2.records import Record

Numbers = npt.NDArray[np.generic]
Rows = npt.NDArray[np.uint32]
Keys = npt.NDArray[np.int64]

_PER_VALUE = 2
"""Lists are found by the value itself where at least one number in so many occurs."""


class RowLists(Record, frozen=True, eq=False):
    """The lists of a chunk's column that has a value at all in some row, or none.

    low, high: the least and the greatest value. values: those that occur, ascending, or None where
    `starts` has a place for each number from `low` on. starts: where each list begins in `rows`,
    and at last their end. rows: None where the rows lie in the order of the values anyway, and
    then no row is left out. distinct: how many values occur.
    """

    low: int
    high: int
    values: Numbers | None
    starts: Rows
    rows: Rows | None
    distinct: int

    @property
    def bytes(self) -> int:
        """What they take in memory."""
        parts = (self.values, self.starts, self.rows)
        return sum(int(part.nbytes) for part in parts if part is not None)

    def of_keys(self, keys: Keys) -> tuple[Rows, Rows]:
        """Where the lists of some ascending values begin and end. Values may be missing."""
        keys = keys[(keys >= self.low) & (keys <= self.high)]
        if self.values is None:
            places = keys - self.low
            return self.starts[places], self.starts[places + 1]
        keys = keys.astype(self.values.dtype)
        places = np.searchsorted(self.values, keys)
        places = places[self.values[places] == keys]
        return self.starts[places], self.starts[places + 1]

    def between(self, low: int, high: int) -> tuple[Rows, Rows]:
        """Where the lists of all values from `low` to `high` begin and end, as one."""
        low, high = max(low, self.low), min(high, self.high)
        if low > high:
            return self.starts[:0], self.starts[:0]
        if self.values is None:
            first, last = low - self.low, high - self.low + 1
        else:
            ends = np.array([low, high], self.values.dtype)
            first = int(np.searchsorted(self.values, ends[0], "left"))
            last = int(np.searchsorted(self.values, ends[1], "right"))
        return self.starts[first : first + 1], self.starts[last : last + 1]

    def rows_of(self, starts: Rows, ends: Rows) -> Rows:
        """The numbers of the rows of some lists, ascending."""
        lengths = (ends - starts).astype(np.int64)
        before = np.cumsum(lengths) - lengths
        places = np.repeat(starts.astype(np.int64) - before, lengths)
        places += np.arange(len(places))
        if self.rows is None:
            return places.astype(np.uint32)
        return np.sort(self.rows[places])


def row_lists(column: pa.ChunkedArray) -> RowLists | None:
    """The lists of a column; None where its values are no whole numbers of up to 64 bits.

    A million rows take some 30 ms of one thread. Each row takes 4 bytes, where rows do not ascend
    already, and each value 8 or less, of 64 bits 12.
    """
    series = pl.Series(values=pl.from_arrow(column)).to_physical()
    if not series.dtype.is_integer() or series.dtype in (pl.UInt64, pl.Int128, pl.UInt128):
        return None
    rows: Rows | None = None
    if series.null_count():
        rows = np.flatnonzero(series.is_not_null().to_numpy()).astype(np.uint32)
        series = series.drop_nulls()
    values = series.to_numpy()
    if not len(values):
        return RowLists(0, -1, values, np.zeros(1, np.uint32), rows, 0)
    low, high = int(values.min()), int(values.max())
    if not bool((values[1:] >= values[:-1]).all()):
        order = _order(values, low, high)
        values = values[order]
        rows = order.astype(np.uint32) if rows is None else rows[order]
    firsts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    distinct, size = len(firsts), high - low + 1
    starts = np.append(firsts, len(values)).astype(np.uint32)
    values = values[firsts]
    if size > distinct * _PER_VALUE:
        return RowLists(low, high, values, starts, rows, distinct)
    # A number that does not occur has the empty list before the next one that does.
    places = values.astype(np.int64) - low
    starts = np.append(np.repeat(starts[:-1], np.diff(places, prepend=-1)), starts[-1])
    return RowLists(low, high, None, starts, rows, distinct)


def _order(values: Numbers, low: int, high: int) -> npt.NDArray[np.intp]:
    """The stable order of values: by 16 bits at a time, since NumPy sorts such in linear time."""
    span = high - low
    width: type[np.unsignedinteger[Any]] = np.uint32 if span < 1 << 32 else np.uint64
    # An overflow wraps, and what remains are the bits of the difference.
    offsets = values.astype(np.int64) - np.int64(low)
    bits: npt.NDArray[np.unsignedinteger[Any]] = offsets.view(np.uint64).astype(width)
    order = np.argsort(bits.astype(np.uint16), kind="stable")
    shift = 16
    while span >> shift:
        digits = (bits >> width(shift)).astype(np.uint16)
        order = order[np.argsort(digits[order], kind="stable")]
        shift += 16
    return order
