"""Addressing: rows found by integer keys through small arrays, where a hash table would be built.

Owns: what is tested before a row is looked up, and masks, where only a membership is asked. Comes
in: the key columns of rows at hand, the names of the other side's keys. Goes out: for each row of
the other side the number of the one row that has its keys, or whether there is one. Does not know:
kinds of joins, conditions, what becomes of the row numbers, how rows are laid out in arrays.

Measured with 6 million rows to be joined with a unique key (ns of CPU for each): a hash join 6.5
to 20, one of these arrays 1.7 to 3, and 1.5 for each column fetched through it; with two keys, of
which one leads to four rows: 100 by hash, 16 by buckets. Building takes 3 to 5 for a row at hand
(a hash table: 20 and more; buckets: 11) and 0.1 to 0.2 for an address that no row has: where
there are thirty addresses for a row that is read, hashing is as quick, and above 16 million
quicker from fifteen on. For up to a thousand rows in all it makes no difference, for ten thousand
a quarter. Where only a membership is asked, an array of bytes takes half as long to build.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from eau2.config import LIMITS
from eau2.operators.origins import Kept
from eau2.operators.row_arrays import (
    ROW,
    ByAll,
    ByBlocks,
    ByBuckets,
    ByOne,
    Step,
    affords,
    row_arrays,
)
from eau2.operators.spans import Span, SpannedKeys, at, spanned
from eau2.records import Record

_DENSE, _NARROW = 128, 10_000
"""Polars tests membership by a bitmap (1 ns a row) where at least one number in 128 of the span is
a key, or the span is short; else by hashing (4 ns). So other numbers are put among fewer keys, and
what passes, one row in a hundred, is looked at again."""

_FEW = 8
"""A membership test by bitmap pays before a gather where one row of so many is left, or fewer."""


_HASHED = "hashed"
"""What is kept where arrays were tried for about so many rows, and hashing is better."""
_KIND = "row arrays"


class RowTable(Record, frozen=True):
    """Where the row at hand with given keys is found.

    height: how many rows are at hand. filter: a cheap condition that holds for all rows of the
    other side that have one, or None. steps: columns of the other side, in turn, each with a
    condition that holds for the same rows, or None. The last column is ROW, NULL or at least
    `height` where there is no such row. rest: positions of the pairs of keys that are to be
    compared once the row is known.
    """

    height: int
    filter: pl.Expr | None
    steps: tuple[Step, ...]
    rest: tuple[int, ...] = ()

    @property
    def found(self) -> pl.Expr:
        """Whether a row was found, where ROW is a column; if not it is false or NULL."""
        return pl.col(ROW) < self.height


def fetched(values: pl.Series) -> pl.Expr:
    """The values in the rows that ROW says; NULL where none was found."""
    if values.null_count() == values.len():
        # Polars takes one column that is only NULL for another, of any type.
        return pl.lit(None, values.dtype).alias(values.name)
    # Out of several buffers a gather is twice as slow.
    return pl.lit(values.rechunk()).gather(pl.col(ROW), null_on_oob=True).alias(values.name)


def row_table(
    left: Sequence[str],
    right: Sequence[pl.Series],
    rows: int,
    several: bool = False,
    kept: Kept | None = None,
) -> RowTable | None:
    """How to find the row with the same keys, NULL being the same as nothing.

    None where hashing is better, or where two rows have the same keys; with `several` they may,
    and any one of them is found. left: names of the other side's keys, in the types of `right`.
    rows: how many rows are read in all. kept: where arrays of just these keys are kept.
    """
    found: object = None if kept is None else kept.found(_KIND, several)
    if not isinstance(found, ByOne | ByBlocks | ByAll | ByBuckets):
        tried = several, rows.bit_length()
        if kept is not None and kept.found(_HASHED, tried) is not None:
            return None
        found = row_arrays(right, rows, several)
        if found is None:
            if kept is not None:
                kept.keep(_HASHED, tried, True, 0)
            return None
        if kept is not None:
            kept.keep(_KIND, several, found, found.bytes)
    first = found.first
    if first is None:
        return RowTable(found.height, None, found.steps(left), found.rest)
    n, span, count = first
    filter_ = _first(left[n], right[n], span, count, rows)
    return RowTable(found.height, filter_, found.steps(left), found.rest)


def member(left: str, keys: pl.Series, rows: int) -> tuple[pl.Expr | None, pl.Expr]:
    """Whether the value of column `left` is one of `keys`; false or NULL where it is not.

    First a cheap condition that holds for all that are, or None. rows: how many rows are read in
    all.
    """
    keys = keys.drop_nulls()
    many = rows > max(LIMITS.in_memory_engine_rows, keys.len() * _DENSE)
    known = spanned(keys) if many else None
    if known is not None and _NARROW < known.span.size <= rows:
        span = known.span
        if keys.len() * _DENSE < span.size:
            first = pl.col(left).is_in(_denser(keys, span).implode())
            return first, _at_mask(_mask(known, span), left, span)
    return None, pl.col(left).is_in(keys.implode())


def unique_member(left: str, keys: pl.Series, rows: int) -> pl.Expr | None:
    """Whether the value of column `left` is one of `keys`, of which no two are equal.

    None where two are, or where an array for them would be too long. False or NULL where the value
    is none of them. rows: how many rows are read in all.
    """
    keys = keys.drop_nulls()
    known = spanned(keys)
    if known is None or not affords(known.span.size, keys.len(), rows):
        return None
    span = known.span.from_zero
    if known.span.size == keys.len():
        return known.span.address(left) < known.span.size if known.unique else None
    mask = _mask(known, span)
    if np.count_nonzero(mask) < keys.len():
        return None
    return _at_mask(mask, left, span)


def sparse(keys: pl.Series) -> bool:
    """Whether whole-number keys leave out at least a half of the numbers between the ends."""
    low, high = keys.min(), keys.max()
    if not isinstance(low, int) or not isinstance(high, int):
        return True
    if keys.len() * 2 <= high - low + 1:
        return True
    known = spanned(keys.drop_nulls())
    return known is None or known.distinct * 2 <= known.span.size


def _mask(keys: SpannedKeys, span: Span) -> npt.NDArray[np.bool_]:
    mask = np.zeros(span.size, np.bool_)
    mask[keys.offsets(span.low)] = True
    return mask


def _at_mask(mask: npt.NDArray[np.bool_], left: str, span: Span) -> pl.Expr:
    # Bytes are gathered in two thirds of the time that bits take.
    return at(pl.Series(mask.view(np.uint8)), span.address(left)) == 1


def _first(left: str, keys: pl.Series, span: Span, count: int, rows: int) -> pl.Expr | None:
    """A membership test, where it pays before a gather. count: of the distinct keys."""
    if rows <= LIMITS.in_memory_engine_rows or count * _FEW > span.size or span.size > rows:
        return None
    keys = keys.drop_nulls()
    if span.size > max(count * _DENSE, _NARROW):
        keys = _denser(keys, span)
    return pl.col(left).is_in(keys.implode())


def _denser(keys: pl.Series, span: Span) -> pl.Series:
    """The keys, and so many other numbers that a membership test is made by bitmap."""
    others = pl.Series(np.arange(0, span.size, _DENSE - 2)).cast(span.number) + span.low
    return pl.concat([keys, others.cast(keys.dtype)])
