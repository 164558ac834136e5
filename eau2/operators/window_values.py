"""The values of window calls: which way each is computed.

Owns: `window_values`. Comes in: rows, and what a Window says. Goes out: a column for each call, in
the order of the rows. Does not know: where frames lie (window_rows.py), how SQL words a call
(windows.py).

Rows are sorted once by partition, order and ties. Ranks and picks are positions; counts, sums and
averages are differences of running totals; least and greatest values come from codes in the order
of the values. Every other aggregate runs over the rows of each distinct frame, written out.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from eau2.config import LIMITS
from eau2.errors import NotSupportedError
from eau2.operators import window_picks, window_sums
from eau2.operators.base import Lowering
from eau2.operators.coercion import cast
from eau2.operators.exact_sum import canonical
from eau2.operators.expr import (
    AggregateCall,
    Column,
    ColumnRef,
    Expr,
    Literal,
    SortKey,
    WindowCall,
)
from eau2.operators.functions.list_keys import comparable
from eau2.operators.group import FinalAggregate, PartialAggregate
from eau2.operators.interval_form import normalised
from eau2.operators.lowering import lower_expr
from eau2.operators.scan import StageInput
from eau2.operators.sort import ordered
from eau2.operators.window_rows import Layout, Positions, Segments, layout, order_codes, segments
from eau2.operators.windows import is_order_sensitive
from eau2.records import Record
from eau2.types import BIGINT, INTERVAL, Kind, SqlType

_ROW = "row"
_NUMBERS = frozenset({"row_number", "rank", "dense_rank", "percent_rank", "cume_dist"})
_OF_NOTHING = frozenset({"count", "count_star", "approx_count_distinct", "regr_count", "entropy"})
"""Aggregates that are 0 over no rows; the others are NULL."""


def window_values(
    rows: pl.DataFrame,
    partition_by: tuple[Expr, ...],
    order_by: tuple[SortKey, ...],
    ties: tuple[SortKey, ...],
    calls: tuple[tuple[Column, WindowCall], ...],
    diagnose: bool,
) -> list[pl.Series]:
    """The calls' columns, in the order of `rows`; the other arguments are those of Window."""
    partition = [(f"p{n}", expr) for n, expr in enumerate(partition_by)]
    order = [(f"o{n}", key.expr) for n, key in enumerate(order_by)]
    needed = [*partition, *order]
    for column, call in calls:
        needed += [(f"{column.label}_{n}", expr) for n, expr in enumerate(call.exprs)]
        needed += [
            (label, expr) for label, expr in _range_keys(column, call, order_by) if expr is not None
        ]
    keys = (*(SortKey(expr) for expr in partition_by), *order_by, *ties)
    lazy = ordered(rows.lazy().with_row_index(_ROW), keys, stable=True, diagnose=diagnose)
    columns = [
        _keyed(lower_expr(expr, diagnose), expr, label).alias(label) for label, expr in needed
    ]
    large = rows.height > LIMITS.in_memory_engine_rows
    sorted_ = (
        lazy.with_columns(columns)
        .select(_ROW, *(label for label, _ in needed))
        .collect(engine="streaming" if large else "in-memory")
    )
    where = layout(sorted_, [label for label, _ in partition], [label for label, _ in order])
    back = np.empty(rows.height, dtype=np.int64)
    back[sorted_.get_column(_ROW).to_numpy()] = where.index
    framed = _Frames(sorted_, where, order_by)
    return [_value(column, call, framed).gather(back).alias(column.label) for column, call in calls]


def _keyed(value: pl.Expr, expr: Expr, label: str) -> pl.Expr:
    """Keys of partitions and peers: what is equal has equal bits."""
    if label[0] in "po" and (expr.type.is_list or expr.type.kind is Kind.INTERVAL):
        return comparable(value, expr.type)
    return canonical(value) if label[0] in "po" and expr.type.is_float else value


def _range_keys(
    column: Column, call: WindowCall, order_by: tuple[SortKey, ...]
) -> list[tuple[str, Expr | None]]:
    """The order's key beside the start and the end of a RANGE frame: its label, what it computes.

    A bound may have more digits than the key, so the key is cast to its type; None where the key
    can be compared as it is.
    """
    frame = call.frame
    keys: list[tuple[str, Expr | None]] = []
    if frame is None or len(order_by) != 1:
        return []
    own = order_by[0].expr
    for name, end in (("start", frame.start), ("end", frame.end)):
        bound = end.offset if frame.unit == "range" else None
        if bound is None or bound.type == own.type:
            keys.append(("o0", None))
        else:
            keys.append((f"{column.label}_{name}", cast(own, bound.type)))
    return keys


class _Frames(Record, frozen=True):
    """The sorted rows, their layout, and the order's keys."""

    rows: pl.DataFrame
    where: Layout
    order: tuple[SortKey, ...]

    def labels(self, column: Column, call: WindowCall) -> list[str]:
        """The labels of the call's expressions."""
        return [f"{column.label}_{n}" for n in range(len(call.exprs))]

    def arguments(self, column: Column, call: WindowCall) -> list[pl.Series]:
        """The call's arguments; rows that its filter drops are NULL in all of them."""
        labels = self.labels(column, call)
        values = window_picks.value_columns(self.rows, labels[: len(call.args)])
        if call.where is None:
            return values
        keep = self.kept(column, call)
        return [value.zip_with(keep, pl.Series([None], dtype=value.dtype)) for value in values]

    def kept(self, column: Column, call: WindowCall) -> pl.Series:
        """Which rows the call's filter keeps."""
        if call.where is None:
            return pl.repeat(True, self.rows.height, dtype=pl.Boolean, eager=True)
        return self.rows.get_column(self.labels(column, call)[len(call.args)]).fill_null(False)

    def segments(self, column: Column, call: WindowCall) -> Segments:
        """The call's frames."""
        where = self.where
        if call.frame is None:
            return Segments(((where.first, where.last),))
        labels = self.labels(column, call)[len(call.args) + (call.where is not None) :]
        keys = [label for label, _ in _range_keys(column, call, self.order)]
        key = (keys[0], keys[1], self.order[0].descending) if keys else None
        rows = self.rows
        if call.frame.unit == "range" and key and self.order[0].expr.type.kind is Kind.INTERVAL:
            ends = (call.frame.start, call.frame.end)
            offsets = labels[: sum(end.offset is not None for end in ends)]
            rows = rows.with_columns(normalised(pl.col(label)) for label in offsets)
        return segments(call.frame, where, rows, key, labels[:2])


def _value(column: Column, call: WindowCall, framed: _Frames) -> pl.Series:
    """The values of one call, over the sorted rows."""
    where = framed.where
    match call.function:
        case function if function in _NUMBERS:
            return window_picks.number(function, where)
        case "ntile":
            return window_picks.ntile(framed.arguments(column, call)[0], where)
        case "lag" | "lead" as function:
            value, offset, default = (*framed.arguments(column, call), None, None)[:3]
            assert value is not None
            forward = function == "lead"
            return window_picks.shifted(value, offset, default, forward, call.ignore_nulls, where)
        case "first_value" | "last_value" | "nth_value" as function:
            value, *more = framed.arguments(column, call)
            place = np.full(where.rows, 0 if function == "first_value" else -1, dtype=np.int64)
            if more:
                place = window_picks.nth_places(more[0])
            frame = framed.segments(column, call)
            return window_picks.nth(value, frame, place, call.ignore_nulls)
    return _aggregate(column, call, framed)


def _aggregate(column: Column, call: WindowCall, framed: _Frames) -> pl.Series:
    """An aggregate over each row's frame."""
    frame = framed.segments(column, call)
    if call.distinct or call.order:
        return _written_out(column, call, framed, frame)
    if call.function == "count_star":
        return window_sums.count(framed.kept(column, call), frame)
    values = framed.arguments(column, call)
    if len(values) != 1:
        return _written_out(column, call, framed, frame)
    (value,) = values
    type_ = call.args[0].type
    counted = window_sums.count(value.is_not_null(), frame)
    match call.function:
        case "count":
            return counted
        case "count_if" | "sum" if not type_.is_temporal and type_ != INTERVAL:
            result = window_sums.total(value, type_, frame)
            return _where(counted > 0, result)
        case "avg" if not type_.is_temporal and type_ != INTERVAL:
            total = window_sums.total(value, type_, frame).cast(pl.Float64)
            if type_.scale:
                total = total / 10.0**type_.scale
            return _where(counted > 0, total / counted.cast(pl.Float64))
        case "min" | "bool_and":
            return _extreme(value, type_, frame, framed.where, greatest=False)
        case "max" | "bool_or":
            return _extreme(value, type_, frame, framed.where, greatest=True)
    return _written_out(column, call, framed, frame)


def _where(condition: pl.Series, value: pl.Series) -> pl.Series:
    """`value` where the condition holds, else NULL."""
    return value.to_frame("v").select(pl.when(condition).then(pl.col("v"))).to_series()


def _extreme(
    value: pl.Series, type_: SqlType, frame: Segments, where: Layout, greatest: bool
) -> pl.Series:
    """The least or greatest value of each frame; NaN is above every number, and never -0.0."""
    if type_.is_float:
        value = value.to_frame("v").select(canonical(pl.col("v"))).to_series()
    if type_ == INTERVAL:
        codes = _interval_codes(value, greatest)
    else:
        codes = order_codes(value)
        codes = -codes if greatest else codes
    largest = np.iinfo(np.int64).max
    compared = np.where(codes == 0, largest, codes)
    found = window_picks.smallest(compared, frame, where)
    known, first = np.unique(compared, return_index=True)
    at = np.clip(np.searchsorted(known, found), 0, max(len(known) - 1, 0))
    position = first[at] if len(known) else found
    return window_picks.taken(value, position, found != largest)


def _interval_codes(value: pl.Series, greatest: bool) -> Positions:
    """Numbers of which the least is that of the interval to take; NULL is 0."""
    rows = value.alias("v").to_frame()
    known = rows.unique().drop_nulls().with_columns(normalised(pl.col("v")).alias("n"))
    numbered = known.sort("n", "v", descending=[greatest, False]).with_row_index("code", offset=1)
    joined = rows.join(numbered.select("v", "code"), on="v", how="left", maintain_order="left")
    codes: Positions = joined.get_column("code").fill_null(0).to_numpy().astype(np.int64)
    return codes


def _written_out(column: Column, call: WindowCall, framed: _Frames, frame: Segments) -> pl.Series:
    """Any aggregate: the rows of every distinct frame are grouped by the frame's number."""
    ends = {
        f"{side}{n}": end
        for n, pair in enumerate(frame.parts)
        for side, end in zip(("low", "high"), pair, strict=True)
    }
    frames = pl.DataFrame(ends)
    distinct = frames.unique(maintain_order=True).with_row_index("frame")
    numbers = frames.join(distinct, on=list(ends), how="left", maintain_order="left")
    lengths = Segments(
        tuple(
            (distinct[f"low{n}"].to_numpy(), distinct[f"high{n}"].to_numpy())
            for n in range(len(frame.parts))
        )
    )
    total = int(lengths.lengths().sum()) if distinct.height else 0
    if total > LIMITS.window_frame_rows:
        raise NotSupportedError(
            f"{call.function} over these window frames would look at {total:,} rows, and the "
            f"bound is {LIMITS.window_frame_rows:,}",
            hint="Use smaller frames or partitions, or aggregate with GROUP BY and join.",
        )
    number, position = _exploded(lengths)
    results = _grouped(column, call, framed, number, position)
    found = numbers.select("frame").join(results, on="frame", how="left", maintain_order="left")
    values = found.get_column(column.label)
    return values.fill_null(0) if call.function in _OF_NOTHING else values


def _exploded(frames: Segments) -> tuple[pl.Series, pl.Series]:
    """(number of the frame, position of the row) for every row of every frame."""
    numbers, positions = [], []
    for low, high in frames.parts:
        length = high - low
        number = np.repeat(np.arange(len(low), dtype=np.int64), length)
        begin = np.cumsum(length) - length
        positions.append(np.arange(len(number), dtype=np.int64) - np.repeat(begin - low, length))
        numbers.append(number)
    return pl.Series(np.concatenate(numbers)), pl.Series(np.concatenate(positions))


def _grouped(
    column: Column, call: WindowCall, framed: _Frames, number: pl.Series, position: pl.Series
) -> pl.DataFrame:
    """The aggregate of the rows at `position` for each frame `number`."""
    labels = framed.labels(column, call)
    refs = [ColumnRef(expr.type, -2 - n) for n, expr in enumerate(call.exprs)]
    table = framed.rows.select(
        pl.col(label).alias(ref.label) for label, ref in zip(labels, refs, strict=True)
    )
    key = Column(-1, "frame", BIGINT)
    place = ColumnRef(BIGINT, -2 - len(refs))
    rows = table.select(pl.all().gather(position)) if refs else pl.DataFrame()
    rows = rows.hstack([number.alias(key.label), position.alias(place.label)])
    args = tuple(
        arg if isinstance(arg, Literal) else ref for arg, ref in zip(call.args, refs, strict=False)
    )
    lazy = rows.lazy()
    if call.where is not None:
        lazy = lazy.filter(pl.col(refs[len(args)].label))
    if call.distinct:
        lazy = _each_once(lazy, key, [arg for arg in args if isinstance(arg, ColumnRef)])
    order: tuple[SortKey, ...] = ()
    if call.order:
        keys = refs[len(refs) - len(call.order) :]
        order = tuple(
            SortKey(ref, key_.descending, key_.nulls_last)
            for ref, key_ in zip(keys, call.order, strict=True)
        )
    if is_order_sensitive(call.function):
        order = (*order, SortKey(place))
    aggregate = AggregateCall(call.function, args, call.type, order=order)
    return (
        _run(lazy, key, (column, aggregate))
        .rename({key.label: "frame"})
        .with_columns(pl.col("frame").cast(pl.UInt32))
    )


def _each_once(rows: pl.LazyFrame, key: Column, read: list[ColumnRef]) -> pl.LazyFrame:
    """The rows without those that repeat the key and what is read; of equal intervals the least."""
    labels = [key.label]
    for arg in read:
        labels.append(f"{arg.label}_compared" if arg.type == INTERVAL else arg.label)
        if arg.type == INTERVAL:
            rows = rows.with_columns(normalised(pl.col(arg.label)).alias(labels[-1]))
            rows = rows.with_columns(pl.col(arg.label).min().over(key.label, labels[-1]))
    return rows.unique(labels, maintain_order=True)


def _run(rows: pl.LazyFrame, key: Column, item: tuple[Column, AggregateCall]) -> pl.DataFrame:
    """One aggregate for each value of the key's column."""
    lowering = Lowering(None)
    source = StageInput(0, (key,))
    partial = PartialAggregate(source, ((key, ColumnRef(key.type, key.id)),), (item,))
    final = FinalAggregate(source, (key,), (item,), merged=False)
    return final.lower((partial.lower((rows,), lowering),), lowering).collect()
