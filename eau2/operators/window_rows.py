"""Where a window's rows lie: partitions, peers, and the frame of each row, as arrays of positions.

Owns: `Layout`, `Segments` and how frames become positions. Comes in: sorted rows with the columns
of their keys, and a frame. Goes out: numpy arrays over the sorted rows; all intervals are half
open. Does not know: functions, values, Polars expressions of arguments.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eau2.errors import OutOfRangeError
from eau2.operators.expr import FrameBound, WindowFrame
from eau2.records import Record

Positions = NDArray[np.int64]
Flags = NDArray[np.bool_]
Interval = tuple[Positions, Positions]


class Segments(Record, frozen=True):
    """For each row up to three intervals of rows, apart and in order: its frame."""

    parts: tuple[Interval, ...]

    def lengths(self) -> Positions:
        """How many rows each frame has."""
        total = np.zeros_like(self.parts[0][0])
        for low, high in self.parts:
            total += high - low
        return total


class Layout(Record, frozen=True):
    """The sorted rows cut into partitions, and those into peers.

    partition, peer: the number of each row's, from 0 on. partition_starts, peer_starts: where each
    begins, and behind the last one the number of rows.
    """

    rows: int
    partition: Positions
    partition_starts: Positions
    peer: Positions
    peer_starts: Positions
    index: Positions

    @property
    def first(self) -> Positions:
        """Where each row's partition begins."""
        return self.partition_starts[self.partition]

    @property
    def last(self) -> Positions:
        """Where each row's partition ends."""
        return self.partition_starts[self.partition + 1]

    @property
    def peer_first(self) -> Positions:
        """Where each row's peers begin."""
        return self.peer_starts[self.peer]

    @property
    def peer_last(self) -> Positions:
        """Where each row's peers end."""
        return self.peer_starts[self.peer + 1]


def layout(rows: pl.DataFrame, partition: Sequence[str], order: Sequence[str]) -> Layout:
    """Cut sorted rows where a key changes; NULLs are equal, and so are NaNs."""
    height = rows.height
    new_partition = _changes(rows, partition)
    new_peer = new_partition | _changes(rows, order)
    ends = np.array([height], dtype=np.int64)
    partition_starts = np.flatnonzero(new_partition).astype(np.int64)
    peer_starts = np.flatnonzero(new_peer).astype(np.int64)
    return Layout(
        height,
        np.cumsum(new_partition, dtype=np.int64) - 1,
        np.concatenate([partition_starts, ends]),
        np.cumsum(new_peer, dtype=np.int64) - 1,
        np.concatenate([peer_starts, ends]),
        np.arange(height, dtype=np.int64),
    )


def _changes(rows: pl.DataFrame, keys: Sequence[str]) -> Flags:
    """Whether each row differs from the one before it in one of the keys; the first one does."""
    changed = np.zeros(rows.height, dtype=np.bool_)
    if keys:
        found = rows.select(
            pl.any_horizontal(pl.col(key).ne_missing(pl.col(key).shift(1)) for key in keys)
        )
        changed = found.to_series().to_numpy().astype(np.bool_)
    if rows.height:
        changed[0] = True
    return changed


def segments(
    frame: WindowFrame,
    where: Layout,
    rows: pl.DataFrame,
    key: tuple[str, str, bool] | None,
    bounds: Sequence[str],
) -> Segments:
    """The frame of each row.

    key: the only order key's labels, in the types of the start and of the end, and whether it
    descends.

    bounds: the labels of the start's and the end's offsets, where they have one; of a RANGE frame
    they are the key's value there. Raises OutOfRangeError for offsets that are negative or NULL.
    """
    start_label = bounds[0] if frame.start.offset is not None else None
    end_label = bounds[-1] if frame.end.offset is not None else None
    match frame.unit:
        case "rows":
            low = _by_rows(frame.start, where, rows, start_label, 0)
            high = _by_rows(frame.end, where, rows, end_label, 1)
        case "groups":
            low = _by_groups(frame.start, where, rows, start_label, 0)
            high = _by_groups(frame.end, where, rows, end_label, 1)
        case "range":
            starts, ends = (None, None) if key is None else ((key[0], key[2]), (key[1], key[2]))
            low = _by_range(frame.start, where, rows, starts, start_label, 0)
            high = _by_range(frame.end, where, rows, ends, end_label, 1)
    return _without(frame, where, low, np.maximum(low, high))


def _without(frame: WindowFrame, where: Layout, low: Positions, high: Positions) -> Segments:
    """The frame without the rows that EXCLUDE names."""
    cut: tuple[Interval, ...]
    match frame.exclude:
        case "no_others":
            return Segments(((low, high),))
        case "current_row":
            cut = ((where.index, where.index + 1),)
        case "group":
            cut = ((where.peer_first, where.peer_last),)
        case "ties":
            cut = ((where.peer_first, where.index), (where.index + 1, where.peer_last))
    parts: list[Interval] = []
    begin = low
    for first, last in cut:
        first, last = np.clip(first, low, high), np.clip(last, low, high)
        parts.append((begin, np.maximum(begin, first)))
        begin = np.maximum(begin, last)
    parts.append((begin, high))
    return Segments(tuple(parts))


def _offsets(rows: pl.DataFrame, label: str | None, frame: str, most: int) -> Positions:
    """The offsets of a bound as whole numbers of rows or groups, no more than there are rows."""
    assert label is not None
    column = rows.get_column(label)
    if column.null_count():
        raise OutOfRangeError(f"the offset of a {frame} frame is NULL")
    values: Positions = column.clip(upper_bound=most).to_numpy().astype(np.int64)
    if rows.height and values.min() < 0:
        raise OutOfRangeError(f"the offset of a {frame} frame is negative: {values.min()}")
    return values


def _by_rows(
    end: FrameBound, where: Layout, rows: pl.DataFrame, label: str | None, after: int
) -> Positions:
    """One end of a ROWS frame; `after` is 1 where the position behind the row is meant."""
    match end.kind:
        case "unbounded_preceding":
            return where.first
        case "unbounded_following":
            return where.last
        case "current_row":
            return where.index + after
        case "preceding":
            moved = where.index - _offsets(rows, label, "ROWS", where.rows + 1)
        case "following":
            moved = where.index + _offsets(rows, label, "ROWS", where.rows + 1)
    result: Positions = np.clip(moved + after, where.first, where.last)
    return result


def _by_groups(
    end: FrameBound, where: Layout, rows: pl.DataFrame, label: str | None, after: int
) -> Positions:
    """One end of a GROUPS frame: where a group of peers begins, or (`after`) ends."""
    match end.kind:
        case "unbounded_preceding":
            return where.first
        case "unbounded_following":
            return where.last
        case "current_row":
            return where.peer_last if after else where.peer_first
        case "preceding":
            group = where.peer - _offsets(rows, label, "GROUPS", where.rows + 1)
        case "following":
            group = where.peer + _offsets(rows, label, "GROUPS", where.rows + 1)
    at = np.clip(group + after, 0, len(where.peer_starts) - 1)
    result: Positions = np.clip(where.peer_starts[at], where.first, where.last)
    return result


def _by_range(
    end: FrameBound,
    where: Layout,
    rows: pl.DataFrame,
    key: tuple[str, bool] | None,
    label: str | None,
    after: int,
) -> Positions:
    """One end of a RANGE frame."""
    match end.kind:
        case "unbounded_preceding":
            return where.first
        case "unbounded_following":
            return where.last
        case "current_row":
            return where.peer_last if after else where.peer_first
    assert key is not None
    assert label is not None
    name, descends = key
    wrong = pl.col(label) > pl.col(name)
    if (end.kind == "preceding") == descends:
        wrong = pl.col(label) < pl.col(name)
    if rows.select(wrong.any()).item():
        raise OutOfRangeError("the offset of a RANGE frame is negative")
    return _found(where, rows.get_column(name), rows.get_column(label), descends, after)


def _found(
    where: Layout, keys: pl.Series, bounds: pl.Series, descends: bool, after: int
) -> Positions:
    """Where in its partition each row's bound stands among the keys that are not NULL.

    Keys and bounds are numbered together in their order, so that one search over (partition,
    number) finds all. A row whose key is NULL has its peers for a frame.
    """
    codes = order_codes(pl.concat([keys.cast(bounds.dtype), bounds]))
    code_of_key, code_of_bound = codes[: where.rows], codes[where.rows :]
    if descends:
        code_of_key, code_of_bound = -code_of_key, -code_of_bound
    present = ~keys.is_null().to_numpy().astype(np.bool_)
    width = 2 * len(codes) + 3
    shifted = where.partition * width
    known = np.flatnonzero(present)
    haystack = (shifted + code_of_key)[known]
    found = np.searchsorted(haystack, shifted + code_of_bound, side="right" if after else "left")
    before = np.concatenate([[0], np.cumsum(present)])
    begin = _first_present(where, present)
    position = begin + (found - before[where.first])
    edge = where.peer_last if after else where.peer_first
    return np.where(present, np.clip(position, where.first, where.last), edge).astype(np.int64)


def _first_present(where: Layout, present: Flags) -> Positions:
    """Where the keys of each row's partition that are not NULL begin: they are neighbours."""
    leading = np.zeros(len(where.partition_starts) - 1, dtype=np.int64)
    starts = where.partition_starts[:-1]
    if len(starts):
        absent = np.add.reduceat((~present).astype(np.int64), starts) if where.rows else leading
        leading = np.where(present[starts], 0, absent)
    return (starts + leading)[where.partition]


def order_codes(values: pl.Series) -> Positions:
    """Numbers from 1 on in the order of the values; NULL is 0. NaN is above every number."""
    if values.dtype.is_float():
        bits = (
            (values + 0.0)
            .to_frame("v")
            .select(
                pl.when(pl.col("v").is_nan())
                .then(None)
                .otherwise(pl.col("v"))
                .rank("dense")
                .alias("r"),
                pl.col("v").is_nan().alias("nan"),
            )
        )
        top = bits.height + 1
        ranks = bits.select(pl.when(pl.col("nan")).then(top).otherwise(pl.col("r"))).to_series()
    else:
        ranks = values.rank("dense")
    return ranks.cast(pl.Int64).fill_null(0).to_numpy().astype(np.int64)
