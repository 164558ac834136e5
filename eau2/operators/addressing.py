"""Addressing: rows found by integer keys through small arrays, where a hash table would be built.

Owns: when keys lie close enough for that, the arrays, and the Polars expressions that read them.
Comes in: the key columns of rows at hand, the names of the other side's keys. Goes out: for each
row of the other side the number of the one row that has its keys, or whether there is one. Does
not know: kinds of joins, conditions, what becomes of the row numbers, who keeps arrays.

Measured with 6 million rows to be joined with a unique key (ns of CPU for each): a hash join 6.5
to 20, one of these arrays 1.7 to 3, and 1.5 for each column fetched through it; with two keys, of
which one leads to four rows: 100 by hash, 16 by buckets. Building takes 3 to 5 for a row at hand
(a hash table: 20 and more; buckets: 11) and 0.1 to 0.2 for an address that no row has: where
there are thirty addresses for a row that is read, hashing is as quick, and above 16 million
quicker from fifteen on. For up to a thousand rows in all it makes no difference, for ten thousand
a quarter. Where only a membership is asked, an array of bytes takes half as long to build.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from eau2.config import LIMITS
from eau2.operators.origins import Kept
from eau2.operators.spans import (
    ADDRESSES_MAX,
    Numbers,
    Positions,
    Span,
    SpannedKeys,
    at,
    spanned,
)

ROW, _ADDRESS = "row_at_hand", "address_of_row"
"""Columns that are added to the other side; no label looks like them."""

_PER_KEY, _PER_READ = 8, 4
"""A hash table takes about 32 bytes for a row at hand, and so does an array of eight addresses.
A longer one pays while there are at most so many addresses for a row that is read."""

_BUCKET_ROWS_MAX = 8

_DENSE, _NARROW = 128, 10_000
"""Polars tests membership by a bitmap (1 ns a row) where at least one number in 128 of the span is
a key, or the span is short; else by hashing (4 ns). So other numbers are put among fewer keys, and
what passes, one row in a hundred, is looked at again."""

_FEW = 8
"""A membership test by bitmap pays before a gather where one row of so many is left, or fewer."""

_WORD = (1 << 64) - 1
Step = tuple[pl.Expr, pl.Expr | None]


@dataclass(frozen=True, slots=True)
class RowTable:
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
    found: object = None if kept is None else kept.found(_Arrays.__name__, several)
    if not isinstance(found, _ByOne | _ByAll | _ByBuckets):
        found = _arrays(right, rows, several)
        if found is None:
            return None
        if kept is not None:
            kept.keep(_Arrays.__name__, several, found, found.bytes)
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
    if known is None or not _affords(known.span.size, keys.len(), rows):
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


class _Arrays(Protocol):
    """Arrays by which rows are found, whatever the other side's columns are called."""

    @property
    def height(self) -> int:
        """How many rows are at hand."""

    @property
    def rest(self) -> tuple[int, ...]:
        """See RowTable."""

    @property
    def bytes(self) -> int:
        """What the arrays take."""

    @property
    def first(self) -> tuple[int, Span, int] | None:
        """A key that may be tested before: its position, its span, how many distinct ones."""

    def steps(self, left: Sequence[str]) -> tuple[Step, ...]:
        """See RowTable. left: the names of the other side's keys."""


@dataclass(frozen=True, slots=True)
class _ByOne:
    """By key `n`, which is unique. slots: None where its address is the number of the row."""

    height: int
    n: int
    span: Span
    slots: pl.Series | None
    rest: tuple[int, ...]
    first: tuple[int, Span, int]

    @property
    def bytes(self) -> int:
        return 0 if self.slots is None else int(self.slots.estimated_size())

    def steps(self, left: Sequence[str]) -> tuple[Step, ...]:
        row = self.span.address(left[self.n])
        if self.slots is not None:
            row = at(self.slots, row)
        return ((row.alias(ROW), pl.col(ROW) < self.height),)


@dataclass(frozen=True, slots=True)
class _ByAll:
    """By all keys as one number, each of them being a digit."""

    height: int
    spans: tuple[Span, ...]
    slots: pl.Series
    rest: tuple[int, ...] = ()
    first: None = None

    @property
    def bytes(self) -> int:
        return int(self.slots.estimated_size())

    def steps(self, left: Sequence[str]) -> tuple[Step, ...]:
        address, inside = pl.lit(0, pl.UInt64), pl.lit(True)
        for name, span in zip(left, self.spans, strict=True):
            digit = span.address(name).cast(pl.UInt64)
            inside = inside & (digit < span.size)
            address = address * span.size + digit
        place = pl.when(inside).then(address).alias(_ADDRESS)
        row = at(self.slots, pl.col(_ADDRESS)).alias(ROW)
        return ((place, None), (row, pl.col(ROW) < self.height))


@dataclass(frozen=True, slots=True)
class _ByBuckets:
    """By key `n` to a bucket of a few rows, and in it by the other key.

    All the other keys of a bucket stand in one word, as lanes of so many bits, and are compared at
    once: see "determine if a word has a zero byte" in Anderson's Bit Twiddling Hacks. numbering:
    the bucket of each address, None where they are the same. slots: rows, one more than lanes for
    each bucket.
    """

    height: int
    n: int
    span: Span
    other: Span
    numbering: pl.Series | None
    words: pl.Series
    slots: pl.Series
    bits: int
    rest: tuple[int, ...] = ()

    @property
    def bytes(self) -> int:
        arrays = (self.numbering, self.words, self.slots)
        return sum(int(array.estimated_size()) for array in arrays if array is not None)

    @property
    def first(self) -> tuple[int, Span, int]:
        return self.n, self.span, self.words.len()

    def steps(self, left: Sequence[str]) -> tuple[Step, ...]:
        bucket = self.span.address(left[self.n])
        if self.numbering is not None:
            bucket = at(self.numbering, bucket)
        known = pl.col(_ADDRESS) < self.words.len()
        unit = pl.lit(_unit(self.bits), pl.UInt64)
        wanted = pl.min_horizontal(
            self.other.address(left[1 - self.n]).cast(pl.UInt64), pl.lit(self.other.size, pl.UInt64)
        )
        differing = at(self.words, pl.col(_ADDRESS)) ^ (wanted * unit)
        highest = pl.lit(_unit(self.bits) << (self.bits - 1), pl.UInt64)
        zeros = (differing - unit) & ~differing & highest
        place = pl.col(_ADDRESS).cast(pl.UInt32, wrap_numerical=True) * (64 // self.bits + 1)
        place = place + zeros.bitwise_trailing_zeros() // self.bits
        row = at(self.slots, place).alias(ROW)
        return ((bucket.alias(_ADDRESS), known), (row, pl.col(ROW) < self.height))


def _arrays(
    right: Sequence[pl.Series], rows: int, several: bool
) -> _ByOne | _ByAll | _ByBuckets | None:
    """Arrays over rows at hand; see row_table."""
    height = right[0].len()
    numbers: Numbers = np.arange(height, dtype=np.min_scalar_type(height))
    if any(key.null_count() for key in right):
        valid = np.logical_and.reduce([key.is_not_null().to_numpy() for key in right])
        numbers = np.flatnonzero(valid)
        right = [key.filter(pl.Series(valid)) for key in right]
    hand = _Hand(numbers, height, rows, several)
    keys = [spanned(key) for key in right]
    short = {n: key for n, key in enumerate(keys) if key and hand.affords(key.span.size)}
    for n, key in short.items():
        if key.unique:
            rest = tuple(other for other in range(len(right)) if other != n)
            return _by_one(hand, n, key, rest)
    whole = [key for key in keys if key is not None]
    if len(whole) < len(right) or len(whole) == 1:
        return None
    if hand.affords(math.prod(key.span.size for key in whole)):
        table = _by_all(hand, whole)
        if table is not None:
            return table
    if len(whole) == 2:
        for n in sorted(short, key=lambda n: -short[n].span.size):
            buckets = _by_buckets(hand, whole, n)
            if buckets is not None:
                return buckets
    return None


@dataclass(frozen=True, slots=True)
class _Hand:
    """The rows at hand: the numbers of those without NULL keys, and what may be spent on them."""

    numbers: Numbers
    height: int
    rows: int
    several: bool

    def affords(self, size: int) -> bool:
        return _affords(size, len(self.numbers), self.rows)

    def slots(self, offsets: Positions, size: int) -> pl.Series:
        """The number of the row at each offset, and `height` where there is none."""
        return _slots(offsets, size, self.numbers, self.height)


def _affords(size: int, count: int, rows: int) -> bool:
    return size <= min(max(_PER_KEY * count, _PER_READ * rows), ADDRESSES_MAX)


def _slots(offsets: Positions, size: int, numbers: Numbers, nothing: int) -> pl.Series:
    slots = np.full(size, nothing, np.min_scalar_type(nothing))
    slots[offsets] = numbers
    return pl.Series(slots)


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


def _by_one(hand: _Hand, n: int, keys: SpannedKeys, rest: tuple[int, ...]) -> _ByOne:
    count, span = len(hand.numbers), keys.span
    first = (n, span, count)
    if count == hand.height == span.size and keys.ascending:
        return _ByOne(hand.height, n, span, None, rest, first)
    span = span.from_zero
    slots = hand.slots(keys.offsets(span.low), span.size)
    return _ByOne(hand.height, n, span, slots, rest, first)


def _by_all(hand: _Hand, keys: Sequence[SpannedKeys]) -> _ByAll | None:
    """None where two rows have the same keys."""
    offsets, size = np.zeros(len(hand.numbers), np.intp), 1
    for key in keys:
        offsets = offsets * key.span.size + key.offsets(key.span.low)
        size *= key.span.size
    slots = hand.slots(offsets, size)
    if not hand.several and (slots != hand.height).sum() < len(hand.numbers):
        return None
    return _ByAll(hand.height, tuple(key.span for key in keys), slots)


def _by_buckets(hand: _Hand, keys: Sequence[SpannedKeys], n: int) -> _ByBuckets | None:
    """None where a bucket had too many rows, or where two rows have the same keys."""
    span, other = keys[n].span, keys[1 - n].span
    count = len(hand.numbers)
    if count > span.size * _BUCKET_ROWS_MAX:
        return None
    firsts, numbers = keys[n].offsets(span.low), hand.numbers
    seconds = keys[1 - n].offsets(other.low)
    if not bool((firsts[1:] >= firsts[:-1]).all()):
        order = np.argsort(firsts, kind="stable")
        firsts, seconds, numbers = firsts[order], seconds[order], numbers[order]
    starts = np.append(0, np.flatnonzero(firsts[1:] != firsts[:-1]) + 1)
    lengths = np.diff(starts, append=count)
    buckets, width = len(starts), int(lengths.max())
    if width > _BUCKET_ROWS_MAX:
        return None
    lanes = 1 << (width - 1).bit_length()
    bits = 64 // lanes
    # No lane holds the size itself, which stands for all keys outside; nor does that of no row.
    nothing = (1 << bits) - 1
    if other.size >= nothing:
        return None
    filled: list[npt.NDArray[np.uint64]] = []
    words = np.zeros(buckets, np.uint64)
    slots = np.full((buckets, lanes + 1), hand.height, np.min_scalar_type(hand.height))
    for lane in range(lanes):
        there: slice | npt.NDArray[np.bool_] = (
            slice(None) if width * buckets == count else lengths > lane
        )
        values = np.full(buckets, nothing, np.uint64)
        if lane < width:
            places = starts[there] + lane
            values[there] = seconds[places]
            slots[there, lane] = numbers[places]
        if not hand.several:
            real = values != nothing
            if any(bool(((values == others) & real).any()) for others in filled):
                return None
            filled.append(values)
        words |= values << np.uint64(bits * lane)
    numbering = None
    if buckets < span.size:
        numbering = _slots(firsts[starts], span.size, np.arange(buckets), buckets)
    words_, slots_ = pl.Series(words), pl.Series(slots.reshape(-1))
    return _ByBuckets(hand.height, n, span, other, numbering, words_, slots_, bits)


def _unit(bits: int) -> int:
    """A word with a one at the end of each lane."""
    return _WORD // ((1 << bits) - 1)
