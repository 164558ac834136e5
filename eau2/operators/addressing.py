"""Addressing: rows found by integer keys through small arrays, where a hash table would be built.

Owns: when keys lie close enough for that, the arrays, and the Polars expressions that read them.
Comes in: the key columns of rows at hand, the names of the other side's keys. Goes out: for each
row of the other side the number of the one row that has its keys. Does not know: kinds of joins,
conditions, what becomes of the row numbers.

An address is a key minus the lowest one, in the key's own width, read as unsigned. Whatever lies
outside of the keys' span, also by an overflow, thereby gets an address beyond the end, and there
`gather` gives NULL. (A negative position would count from the end.)

Measured with 6 million rows to be joined with a unique key (ns of CPU for each): a hash join 6.5
to 20, one of these arrays 1.7 to 3, and 1.5 for each column fetched through it; with two keys, of
which one leads to four rows: 100 by hash, 16 by buckets. Building takes 3 to 5 for a row at hand
(a hash table: 20 and more; buckets: 11) and 0.1 to 0.2 for an address that no row has: where
there are thirty addresses for a row that is read, hashing is as quick, and above 16 million
quicker from fifteen on. For up to a thousand rows in all it makes no difference, for ten thousand
a quarter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from eau2.config import LIMITS

ROW, _ADDRESS = "row_at_hand", "address_of_row"
"""Columns that are added to the other side; no label looks like them."""

_PER_KEY, _PER_READ = 8, 4
"""A hash table takes about 32 bytes for a row at hand, and so does an array of eight addresses.
A longer one pays while there are at most so many addresses for a row that is read."""

_ADDRESSES_MAX = 1 << 28
_BUCKET_ROWS_MAX = 8

_DENSE, _NARROW = 128, 10_000
"""Polars tests membership by a bitmap (1 ns a row) where at least one number in 128 of the span is
a key, or the span is short; else by hashing (4 ns). So other numbers are put among fewer keys, and
what passes, one row in a hundred, is looked at again."""

_FEW = 8
"""A membership test by bitmap pays before a gather where one row of so many is left, or fewer."""

_NUMBERS: dict[pl.DataType, pl.DataType] = {
    pl.Boolean(): pl.Int32(),
    pl.Int8(): pl.Int32(),
    pl.Int16(): pl.Int32(),
    pl.UInt8(): pl.Int32(),
    pl.UInt16(): pl.Int32(),
    pl.Date(): pl.Int32(),
    pl.Datetime("us"): pl.Int64(),
}
"""The types in which keys are subtracted, where it is not their own."""

_WORD = (1 << 64) - 1
_Positions = npt.NDArray[np.intp]
_Numbers = npt.NDArray[np.integer[Any]]
_Slots = npt.NDArray[np.generic]


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
    steps: tuple[tuple[pl.Expr, pl.Expr | None], ...]
    rest: tuple[int, ...] = ()

    @property
    def found(self) -> pl.Expr:
        """Whether a row was found, where ROW is a column; if not it is false or NULL."""
        return pl.col(ROW) < self.height


def has_numbers(dtype: pl.DataType) -> bool:
    """Whether keys of this type are whole numbers, or days or times that are."""
    if dtype in (pl.Int128, pl.UInt128):
        return False
    return dtype.is_integer() or dtype in (pl.Boolean, pl.Date, pl.Datetime)


def fetched(values: pl.Series) -> pl.Expr:
    """The values in the rows that ROW says; NULL where none was found."""
    if values.null_count() == values.len():
        # Polars takes one column that is only NULL for another, of any type.
        return pl.lit(None, values.dtype).alias(values.name)
    # Out of several buffers a gather is twice as slow.
    return pl.lit(values.rechunk()).gather(pl.col(ROW), null_on_oob=True).alias(values.name)


def row_table(
    left: Sequence[str], right: Sequence[pl.Series], rows: int, several: bool = False
) -> RowTable | None:
    """How to find the row with the same keys, NULL being the same as nothing.

    None where hashing is better, or where two rows have the same keys; with `several` they may,
    and any one of them is found. left: names of the other side's keys, in the types of `right`.
    rows: how many rows are read in all.
    """
    height = right[0].len()
    numbers: _Numbers = np.arange(height, dtype=np.min_scalar_type(height))
    if any(key.null_count() for key in right):
        valid = np.logical_and.reduce([key.is_not_null().to_numpy() for key in right])
        numbers = np.flatnonzero(valid)
        right = [key.filter(pl.Series(valid)) for key in right]
    hand = _Hand(numbers, height, rows, several)
    spans = [_span(key) for key in right]
    short = {n: span for n, span in enumerate(spans) if span and hand.affords(span.size)}
    for n, span in short.items():
        if _unique(span):
            rest = tuple(other for other in range(len(right)) if other != n)
            return _by_one(hand, left[n], right[n], span, rest)
    whole = [span for span in spans if span is not None]
    if len(whole) < len(right) or len(whole) == 1:
        return None
    if hand.affords(math.prod(span.size for span in whole)):
        table = _by_all(hand, left, whole)
        if table is not None:
            return table
    if len(whole) == 2:
        for n in sorted(short, key=lambda n: -short[n].size):
            first = _first(left[n], right[n], short[n], _distinct(short[n]), hand.rows)
            table = _by_buckets(hand, left, whole, n)
            if table is not None:
                return table if first is None else replace(table, filter=first)
    return None


def member(left: str, keys: pl.Series, rows: int) -> tuple[pl.Expr | None, pl.Expr]:
    """Whether the value of column `left` is one of `keys`; false or NULL where it is not.

    First a cheap condition that holds for all that are, or None. rows: how many rows are read in
    all.
    """
    keys = keys.drop_nulls()
    many = rows > max(LIMITS.in_memory_engine_rows, keys.len() * _DENSE)
    span = _span(keys) if many else None
    if span is not None and span.size > _NARROW and keys.len() * _DENSE < span.size <= rows:
        mask = np.zeros(span.size, np.uint8)
        mask[span.offsets] = 1
        first = pl.col(left).is_in(_denser(keys, span).implode())
        return first, _at(mask, _address(left, span)) == 1
    return None, pl.col(left).is_in(keys.implode())


def sparse(keys: pl.Series) -> bool:
    """Whether whole-number keys leave out at least a half of the numbers between the ends."""
    low, high = keys.min(), keys.max()
    if not isinstance(low, int) or not isinstance(high, int):
        return True
    if keys.len() * 2 <= high - low + 1:
        return True
    span = _span(keys.drop_nulls())
    return span is None or _distinct(span) * 2 <= span.size


@dataclass(frozen=True, slots=True)
class _Span:
    """The numbers from the lowest of some keys to the highest; offsets: of each key from `low`.

    logical: the keys' type. number: the type in which they are subtracted.
    """

    low: int
    size: int
    offsets: _Positions
    logical: pl.DataType
    number: pl.DataType


@dataclass(frozen=True, slots=True)
class _Hand:
    """The rows at hand: the numbers of those without NULL keys, and what may be spent on them."""

    numbers: _Numbers
    height: int
    rows: int
    several: bool

    def affords(self, size: int) -> bool:
        return size <= min(max(_PER_KEY * len(self.numbers), _PER_READ * self.rows), _ADDRESSES_MAX)

    def slots(self, offsets: _Positions, size: int, numbers: _Numbers) -> _Slots:
        """The number of the row at each offset, and `height` where there is none."""
        dtype = np.min_scalar_type(self.height)
        slots = np.full(size, self.height, dtype)
        slots[offsets] = numbers
        return slots


def _span(keys: pl.Series) -> _Span | None:
    """The span of keys that are not NULL; None where they are no whole numbers, or none."""
    logical = keys.dtype
    number = _NUMBERS.get(logical, logical)
    if not has_numbers(logical) or keys.is_empty():
        return None
    keys = keys.cast(number)
    low, high = keys.min(), keys.max()
    assert isinstance(low, int)
    assert isinstance(high, int)
    if high - low >= _ADDRESSES_MAX:
        return None
    values = keys.to_numpy()
    offsets = (values - values.dtype.type(low)).astype(np.intp, copy=False)
    return _Span(low, high - low + 1, offsets, logical, number)


def _number(left: str, span: _Span) -> pl.Expr:
    key = pl.col(left)
    if span.logical == span.number:
        return key
    return (key.to_physical() if span.logical.is_temporal() else key).cast(span.number)


def _address(left: str, span: _Span) -> pl.Expr:
    """The address of each value of column `left`: at least the span's size outside of it."""
    difference = _number(left, span) - pl.lit(span.low, span.number)
    signed = span.number.is_signed_integer()
    return difference.reinterpret(signed=False) if signed else difference


def _at(table: _Slots, address: pl.Expr) -> pl.Expr:
    """What the table holds at the addresses; NULL beyond its end."""
    return pl.lit(pl.Series(table)).gather(address, null_on_oob=True)


def _ascending(offsets: _Positions) -> bool:
    return bool((offsets[1:] > offsets[:-1]).all())


def _unique(span: _Span) -> bool:
    """Whether no two keys are equal."""
    offsets = span.offsets
    if span.size < len(offsets) or _ascending(offsets):
        return span.size >= len(offsets)
    return not bool((offsets[1:] == offsets[:-1]).any()) and _distinct(span) == len(offsets)


def _distinct(span: _Span) -> int:
    """How many distinct keys there are."""
    seen = np.zeros(span.size, np.bool_)
    seen[span.offsets] = True
    return int(np.count_nonzero(seen))


def _first(left: str, keys: pl.Series, span: _Span, count: int, rows: int) -> pl.Expr | None:
    """A membership test, where it pays before a gather. count: of the distinct keys."""
    if rows <= LIMITS.in_memory_engine_rows or count * _FEW > span.size or span.size > rows:
        return None
    if span.size > max(count * _DENSE, _NARROW):
        keys = _denser(keys, span)
    return pl.col(left).is_in(keys.implode())


def _denser(keys: pl.Series, span: _Span) -> pl.Series:
    """The keys, and so many other numbers that a membership test is made by bitmap."""
    others = pl.Series(np.arange(0, span.size, _DENSE - 2)).cast(span.number) + span.low
    return pl.concat([keys, others.cast(keys.dtype)])


def _by_one(
    hand: _Hand, left: str, keys: pl.Series, span: _Span, rest: tuple[int, ...]
) -> RowTable:
    """By one key that is unique."""
    row, found = _address(left, span), pl.col(ROW) < hand.height
    count = len(hand.numbers)
    if not (count == hand.height == span.size and _ascending(span.offsets)):
        row = _at(hand.slots(span.offsets, span.size, hand.numbers), row)
    first = _first(left, keys, span, count, hand.rows)
    return RowTable(hand.height, first, ((row.alias(ROW), found),), rest)


def _by_all(hand: _Hand, left: Sequence[str], spans: Sequence[_Span]) -> RowTable | None:
    """By all keys as one number, each of them being a digit; None where two rows have the same."""
    address, inside = pl.lit(0, pl.UInt64), pl.lit(True)
    offsets, size = np.zeros(len(hand.numbers), np.intp), 1
    for name, span in zip(left, spans, strict=True):
        digit = _address(name, span).cast(pl.UInt64)
        inside = inside & (digit < span.size)
        address = address * span.size + digit
        offsets = offsets * span.size + span.offsets
        size *= span.size
    slots = hand.slots(offsets, size, hand.numbers)
    if not hand.several and np.count_nonzero(slots != hand.height) < len(hand.numbers):
        return None
    place = pl.when(inside).then(address).alias(_ADDRESS)
    row = _at(slots, pl.col(_ADDRESS)).alias(ROW)
    return RowTable(hand.height, None, ((place, None), (row, pl.col(ROW) < hand.height)))


def _by_buckets(
    hand: _Hand, left: Sequence[str], spans: Sequence[_Span], n: int
) -> RowTable | None:
    """By key `n` to a bucket of a few rows, and in it by the other key.

    All the other keys of a bucket stand in one word of 64 bits, and are compared at once: see
    "determine if a word has a zero byte" in Anderson's Bit Twiddling Hacks.

    None where a bucket had too many rows, or where two rows have the same keys.
    """
    span, other = spans[n], spans[1 - n]
    count = len(hand.numbers)
    if count > span.size * _BUCKET_ROWS_MAX:
        return None
    firsts, seconds, numbers = span.offsets, other.offsets, hand.numbers
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
    nothing, unit = (1 << bits) - 1, _WORD // ((1 << bits) - 1)
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
    bucket = _address(left[n], span)
    if buckets < span.size:
        numbering = _Hand(np.arange(buckets), buckets, hand.rows, False)
        bucket = _at(numbering.slots(firsts[starts], span.size, numbering.numbers), bucket)
    known = pl.col(_ADDRESS) < buckets
    wanted = pl.min_horizontal(
        _address(left[1 - n], other).cast(pl.UInt64), pl.lit(other.size, pl.UInt64)
    )
    word = _at(words, pl.col(_ADDRESS))
    differing = word ^ (wanted * pl.lit(unit, pl.UInt64))
    lowest = differing - pl.lit(unit, pl.UInt64)
    zeros = lowest & ~differing & pl.lit(unit << (bits - 1), pl.UInt64)
    place = pl.col(_ADDRESS).cast(pl.UInt32, wrap_numerical=True) * (lanes + 1)
    place = place + zeros.bitwise_trailing_zeros() // bits
    steps = (
        (bucket.alias(_ADDRESS), known),
        (_at(slots.reshape(-1), place).alias(ROW), pl.col(ROW) < hand.height),
    )
    return RowTable(hand.height, None, steps)
