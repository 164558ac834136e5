"""Row arrays: which row at hand has given whole-number keys, as arrays over the keys' spans.

Owns: the ways to lay rows out by one key or several, and which of them is taken. Comes in: the key
columns of rows at hand. Goes out: arrays, which write the Polars expressions that read them for
keys of any name. Does not know: joins, the other side's rows, who keeps arrays.

By one key rows stand at its address, as their numbers. Where the keys ascend and the span is long,
one byte for an address is enough: its row counted from the first one of its block. Measured with
147,000 keys among 6 million addresses, for 6 million rows (ms of CPU): 6.0 to build and 26.9 to
look up with numbers, 2.5 and 24.2 with bytes; with 1.5 million keys 14 and 33, 13 and 34.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from eau2.operators.spans import (
    ADDRESSES_MAX,
    Numbers,
    Positions,
    Span,
    SpannedKeys,
    at,
    spanned,
)
from eau2.records import Record

ROW, _ADDRESS, _IN_BLOCK = "row_at_hand", "address_of_row", "row_in_block"
"""Columns that are added to the other side; no label looks like them."""

_PER_KEY, _PER_READ = 8, 4
"""A hash table takes about 32 bytes for a row at hand, and so does an array of eight addresses.
A longer one pays while there are at most so many addresses for a row that is read."""

_BUCKET_ROWS_MAX = 8

_BLOCK, _NO_ROW = 128, 255
"""Addresses of a block, each with the number of its row in the block, or this."""

BLOCKS_FROM = (_NO_ROW, 1 << 18)
"""Fewer rows have numbers of one byte anyway, a shorter span is in the processor's cache."""

_COUNTED = 16
"""Keys for a block up to which they are counted; of more its first is searched."""

_WORD = (1 << 64) - 1
Step = tuple[pl.Expr, pl.Expr | None]


class ByOne(Record, frozen=True):
    """By key `n`, which is unique. slots: None where its address is the number of the row."""

    height: int
    n: int
    span: Span
    slots: pl.Series | None
    rest: tuple[int, ...]
    first: tuple[int, Span, int]
    """A key that may be tested before: its position, its span, how many distinct ones."""

    @property
    def bytes(self) -> int:
        """What the arrays take."""
        return 0 if self.slots is None else int(self.slots.estimated_size())

    def steps(self, left: Sequence[str]) -> tuple[Step, ...]:
        """See RowTable. left: the names of the other side's keys."""
        row = self.span.address(left[self.n])
        if self.slots is not None:
            row = at(self.slots, row)
        return ((row.alias(ROW), pl.col(ROW) < self.height),)


class ByBlocks(Record, frozen=True):
    """By key `n`, which ascends. places: of each address its row in the block, counted from the
    block's first one, which `starts` holds.
    """

    height: int
    n: int
    span: Span
    places: pl.Series
    starts: pl.Series
    rest: tuple[int, ...]
    first: None = None

    @property
    def bytes(self) -> int:
        """What the arrays take."""
        return int(self.places.estimated_size() + self.starts.estimated_size())

    def steps(self, left: Sequence[str]) -> tuple[Step, ...]:
        """See RowTable. left: the names of the other side's keys."""
        address, place = self.span.address(left[self.n]), pl.col(_IN_BLOCK)
        known = place < _NO_ROW
        row = pl.when(known).then(at(self.starts, address // _BLOCK) + place)
        return ((at(self.places, address).alias(_IN_BLOCK), known), (row.alias(ROW), None))


class ByAll(Record, frozen=True):
    """By all keys as one number, each of them being a digit."""

    height: int
    spans: tuple[Span, ...]
    slots: pl.Series
    rest: tuple[int, ...] = ()
    first: None = None

    @property
    def bytes(self) -> int:
        """What the arrays take."""
        return int(self.slots.estimated_size())

    def steps(self, left: Sequence[str]) -> tuple[Step, ...]:
        """See RowTable. left: the names of the other side's keys."""
        address, inside = pl.lit(0, pl.UInt64), pl.lit(True)
        for name, span in zip(left, self.spans, strict=True):
            digit = span.address(name).cast(pl.UInt64)
            inside = inside & (digit < span.size)
            address = address * span.size + digit
        place = pl.when(inside).then(address).alias(_ADDRESS)
        row = at(self.slots, pl.col(_ADDRESS)).alias(ROW)
        return ((place, None), (row, pl.col(ROW) < self.height))


class ByBuckets(Record, frozen=True):
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
        """What the arrays take."""
        arrays = (self.numbering, self.words, self.slots)
        return sum(int(array.estimated_size()) for array in arrays if array is not None)

    @property
    def first(self) -> tuple[int, Span, int]:
        """A key that may be tested before: its position, its span, how many distinct ones."""
        return self.n, self.span, self.words.len()

    def steps(self, left: Sequence[str]) -> tuple[Step, ...]:
        """See RowTable. left: the names of the other side's keys."""
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


Arrays = ByOne | ByBlocks | ByAll | ByBuckets


def row_arrays(right: Sequence[pl.Series], rows: int, several: bool) -> Arrays | None:
    """Arrays over rows at hand by their keys, NULL being the key of nothing.

    None where hashing is better, or where two rows have the same keys; with `several` they may,
    and any one of them is found. rows: how many rows are read in all.
    """
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


class _Hand(Record, frozen=True):
    """The rows at hand: the numbers of those without NULL keys, and what may be spent on them."""

    numbers: Numbers
    height: int
    rows: int
    several: bool

    def affords(self, size: int) -> bool:
        return affords(size, len(self.numbers), self.rows)

    def slots(self, offsets: Positions, size: int) -> pl.Series:
        """The number of the row at each offset, and `height` where there is none."""
        return _slots(offsets, size, self.numbers, self.height)


def affords(size: int, count: int, rows: int) -> bool:
    """Whether an array of so many addresses pays for `count` keys, where `rows` are read in all."""
    return size <= min(max(_PER_KEY * count, _PER_READ * rows), ADDRESSES_MAX)


def _slots(offsets: Positions, size: int, numbers: Numbers, nothing: int) -> pl.Series:
    slots = np.full(size, nothing, np.min_scalar_type(nothing))
    slots[offsets] = numbers
    return pl.Series(slots)


def _by_one(hand: _Hand, n: int, keys: SpannedKeys, rest: tuple[int, ...]) -> ByOne | ByBlocks:
    count, span = len(hand.numbers), keys.span
    first = (n, span, count)
    ascending = count == hand.height and keys.ascending
    if ascending and count == span.size:
        return ByOne(hand.height, n, span, None, rest, first)
    span = span.from_zero
    if ascending and count >= BLOCKS_FROM[0] and span.size >= BLOCKS_FROM[1]:
        return _by_blocks(n, keys, span, rest)
    slots = hand.slots(keys.offsets(span.low), span.size)
    return ByOne(hand.height, n, span, slots, rest, first)


def _by_blocks(n: int, keys: SpannedKeys, span: Span, rest: tuple[int, ...]) -> ByBlocks:
    offsets = keys.offsets(span.low)
    count, blocks = len(offsets), -(-span.size // _BLOCK)
    block = offsets // _BLOCK
    if count < _COUNTED * blocks:
        ends = np.cumsum(np.bincount(block, minlength=blocks))
        starts = np.append(0, ends[:-1])
    else:
        starts = np.searchsorted(offsets, np.arange(blocks) * _BLOCK)
    places = np.full(span.size, _NO_ROW, np.uint8)
    places[offsets] = np.arange(count) - starts[block]
    first_rows = pl.Series(starts.astype(np.uint32))
    return ByBlocks(count, n, span, pl.Series(places), first_rows, rest)


def _by_all(hand: _Hand, keys: Sequence[SpannedKeys]) -> ByAll | None:
    """None where two rows have the same keys."""
    offsets, size = np.zeros(len(hand.numbers), np.intp), 1
    for key in keys:
        offsets = offsets * key.span.size + key.offsets(key.span.low)
        size *= key.span.size
    slots = hand.slots(offsets, size)
    if not hand.several and (slots != hand.height).sum() < len(hand.numbers):
        return None
    return ByAll(hand.height, tuple(key.span for key in keys), slots)


def _by_buckets(hand: _Hand, keys: Sequence[SpannedKeys], n: int) -> ByBuckets | None:
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
    return ByBuckets(hand.height, n, span, other, numbering, words_, slots_, bits)


def _unit(bits: int) -> int:
    """A word with a one at the end of each lane."""
    return _WORD // ((1 << bits) - 1)
