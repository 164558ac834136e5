"""Window functions that number rows or pick one: ranks, ntile, lag, lead, first, last, nth value.

Owns: these functions. Comes in: the layout of sorted rows, frames, arguments as columns. Goes out:
a column over the sorted rows. Does not know: how rows were sorted, aggregates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from eau2.errors import OutOfRangeError
from eau2.operators.window_rows import Flags, Layout, Positions, Segments


def number(function: str, where: Layout) -> pl.Series:
    """row_number, rank, dense_rank, percent_rank or cume_dist."""
    size = where.last - where.first
    rank = where.peer_first - where.first
    match function:
        case "row_number":
            return pl.Series(where.index - where.first + 1)
        case "rank":
            return pl.Series(rank + 1)
        case "dense_rank":
            return pl.Series(where.peer - where.peer[where.first] + 1)
        case "percent_rank":
            return pl.Series(np.where(size > 1, rank / np.maximum(size - 1, 1), 0.0))
    return pl.Series((where.peer_last - where.first) / np.maximum(size, 1))


def ntile(buckets: pl.Series, where: Layout) -> pl.Series:
    """The number of the bucket, from 1; the first ones are larger by one row."""
    if buckets.min() is not None and buckets.drop_nulls().to_numpy().min() <= 0:
        raise OutOfRangeError("the argument of ntile must be greater than zero")
    count = buckets.fill_null(1).clip(upper_bound=where.rows + 1).to_numpy().astype(np.int64)
    size, at = where.last - where.first, where.index - where.first
    small, larger = size // count, size % count
    in_large = larger * (small + 1)
    tile = np.where(
        at < in_large,
        at // (small + 1) + 1,
        larger + (at - in_large) // np.maximum(small, 1) + 1,
    )
    return (
        pl.Series(tile)
        .to_frame("t")
        .select(pl.when(buckets.is_not_null()).then(pl.col("t")))
        .to_series()
    )


def shifted(
    values: pl.Series,
    offsets: pl.Series | None,
    default: pl.Series | None,
    forward: bool,
    ignore_nulls: bool,
    where: Layout,
) -> pl.Series:
    """The value some rows before (`lag`) or after (`forward`: `lead`) each row; 1 if not said.

    Beyond the partition it is the row's default, else NULL. A NULL offset gives NULL.
    """
    most = where.rows + 1
    if offsets is None:
        steps = np.ones(where.rows, dtype=np.int64)
        known = np.ones(where.rows, dtype=np.bool_)
    else:
        steps = offsets.clip(-most, most).fill_null(0).to_numpy().astype(np.int64)
        known = offsets.is_not_null().to_numpy().astype(np.bool_)
    steps = steps if forward else -steps
    if ignore_nulls:
        position, inside = _among_present(values, steps, where)
    else:
        position = where.index + steps
        inside = (position >= where.first) & (position < where.last)
    found = taken(values, position, inside & known)
    if default is None:
        return found
    beyond = pl.Series(~inside & known)
    return default.zip_with(beyond, found.cast(default.dtype))


def _among_present(values: pl.Series, steps: Positions, where: Layout) -> tuple[Positions, Flags]:
    """Positions so many rows away when rows whose value is NULL are passed over."""
    present = values.is_not_null().to_numpy().astype(np.bool_)
    places = np.flatnonzero(present)
    before = np.concatenate([[0], np.cumsum(present)])
    onward = before[where.index] + np.where(present, steps, steps - (steps > 0))
    inside = (onward >= before[where.first]) & (onward < before[where.last])
    still = steps == 0
    at = np.clip(onward, 0, max(len(places) - 1, 0))
    position = places[at] if len(places) else np.zeros_like(steps)
    return np.where(still, where.index, position), inside | still


def nth(values: pl.Series, frame: Segments, wanted: Positions, ignore_nulls: bool) -> pl.Series:
    """The value of the row that stands at place `wanted` of its frame.

    wanted: from 0 on; from -1 down it counts from the end. NULL where the frame is shorter.
    """
    rows = len(values)
    present = np.ones(rows, dtype=np.bool_)
    if ignore_nulls:
        present = values.is_not_null().to_numpy().astype(np.bool_)
    places = np.flatnonzero(present)
    before = np.concatenate([[0], np.cumsum(present)]).astype(np.int64)
    lows = [before[low] for low, _ in frame.parts]
    counts = [before[high] - before[low] for low, high in frame.parts]
    total = sum(counts[1:], counts[0])
    place = np.where(wanted < 0, total + wanted, wanted)
    inside = (place >= 0) & (place < total)
    found = np.zeros(rows, dtype=np.int64)
    rest = place.copy()
    open_ = inside.copy()
    for low, count in zip(lows, counts, strict=True):
        here = open_ & (rest < count)
        found = np.where(here, low + rest, found)
        open_ &= ~here
        rest = rest - count
    at = np.clip(found, 0, max(len(places) - 1, 0))
    position = places[at] if len(places) else found
    return taken(values, position, inside)


def nth_places(counts: pl.Series) -> Positions:
    """The second argument of nth_value as places from 0 on.

    NULL, zero and less are places that no frame has, as in DuckDB.
    """
    most = 2**40
    places: Positions = counts.clip(upper_bound=most).fill_null(most).to_numpy().astype(np.int64)
    return np.where(places > 0, places - 1, most)


def taken(values: pl.Series, positions: Positions, valid: Flags) -> pl.Series:
    """The values at these positions; NULL where not valid."""
    if not len(values):
        return values
    index = pl.Series(positions).to_frame("i").select(pl.when(pl.Series(valid)).then(pl.col("i")))
    return values.gather(index.to_series())


def smallest(codes: Positions, frame: Segments, where: Layout) -> Positions:
    """The smallest code of each frame; the largest possible one for an empty frame."""
    nothing = np.iinfo(np.int64).max
    result = np.full(where.rows, nothing, dtype=np.int64)
    for low, high in frame.parts:
        if np.array_equal(low, where.first):
            ahead = _running(codes, where)
            part = ahead[np.maximum(high - 1, 0)] if where.rows else ahead
        elif np.array_equal(high, where.last):
            back = _running(codes[::-1], _mirrored(where))[::-1]
            part = back[np.minimum(low, where.rows - 1)] if where.rows else back
        else:
            part = _between(codes, low, high)
        result = np.where(high > low, np.minimum(result, part), result)
    return result


def _running(codes: Positions, where: Layout) -> Positions:
    """The smallest code from the partition's first row to each row."""
    if not len(codes):
        return codes
    dense, inverse = np.unique(codes, return_inverse=True)
    # A later partition's numbers are all smaller, so the minimum starts anew with each.
    lowered = inverse - where.partition * len(dense)
    running = np.minimum.accumulate(lowered) + where.partition * len(dense)
    result: Positions = dense[running]
    return result


def _mirrored(where: Layout) -> Layout:
    """The layout of the rows read backwards, as far as partitions go."""
    last = where.partition[-1] if where.rows else 0
    backwards = (last - where.partition)[::-1]
    return Layout(
        where.rows, backwards, where.partition_starts, backwards, where.peer_starts, where.index
    )


def _between(codes: Positions, low: Positions, high: Positions) -> Positions:
    """The smallest code of each interval, by a table of the minima of 1, 2, 4, ... rows."""
    longest = int((high - low).max(initial=1))
    levels = [codes]
    width = 1
    while 2 * width <= longest:
        below = levels[-1]
        levels.append(np.minimum(below[: len(below) - width], below[width:]))
        width *= 2
    length = np.maximum(high - low, 1)
    level = np.frexp(length.astype(np.float64))[1].astype(np.int64) - 1
    result = np.full(len(low), np.iinfo(np.int64).max, dtype=np.int64)
    for number_, table in enumerate(levels):
        rows = np.flatnonzero((level == number_) & (high > low))
        first = low[rows]
        second = high[rows] - (1 << number_)
        result[rows] = np.minimum(table[first], table[second])
    return result


def value_columns(rows: pl.DataFrame, labels: Sequence[str]) -> list[pl.Series]:
    """The columns of these labels."""
    return [rows.get_column(label) for label in labels]
