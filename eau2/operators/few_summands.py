"""Aggregates over all rows with exact sums of doubles: batch by batch few summands are left.

Owns: the partial frames of such aggregates, and how they become one row. Comes in: rows with their
arguments or partial frames, and a `StatePlan`. Goes out: the other. Does not know: the aggregates,
how doubles become few (extraction.py).

A partial frame has a row for each batch: the states, and for each exact sum a list of summands.
"""

from __future__ import annotations

import polars as pl

from eau2.operators.aggregates import State, StatePlan
from eau2.operators.extraction import extracted, nearest, whole
from eau2.records import Record


def adds_few(plan: StatePlan, keyed: bool) -> bool:
    """Whether the states are made this way: without groups, and none of them needs all rows."""
    return bool(plan.bins) and not (keyed or any(state.whole for state in plan.states))


def few_schema(plan: StatePlan) -> dict[str, pl.DataType]:
    """The columns of a partial frame."""
    return _Parts.of(plan).schema


class _Parts(Record, frozen=True):
    """The labels of the exact sums, and of those of NaN and infinities beside; other states."""

    sums: tuple[str, ...]
    specials: dict[str, str]
    others: tuple[State, ...]

    @classmethod
    def of(cls, plan: StatePlan) -> _Parts:
        sums = tuple(binned.sum_ for binned in plan.bins)
        specials = {b.sum_: b.special for b in plan.bins if b.special is not None}
        made = {*sums, *specials.values()}
        return cls(sums, specials, tuple(s for s in plan.states if s.label not in made))

    @property
    def schema(self) -> dict[str, pl.DataType]:
        others: dict[str, pl.DataType] = {state.label: state.dtype for state in self.others}
        return others | dict.fromkeys(self.sums, pl.List(pl.Float64()))


def few_summands(rows: pl.LazyFrame, plan: StatePlan) -> pl.LazyFrame:
    """The partial frame of rows that have the plan's arguments, and what is prepared over them."""
    parts = _Parts.of(plan)
    partials = [state.partial.cast(state.dtype) for state in parts.others]

    def reduce(batch: pl.DataFrame) -> pl.DataFrame:
        states = batch.select(partials).get_columns()
        return pl.DataFrame([*states, *(_few(batch.get_column(sum_)) for sum_ in parts.sums)])

    values = (binned.value.cast(pl.Float64).alias(binned.sum_) for binned in plan.bins)
    return rows.with_columns(values).map_batches(reduce, streamable=True, schema=parts.schema)


def _few(column: pl.Series) -> pl.Series:
    """The summands of a column, as one list."""
    values = column.fill_null(0.0) if column.null_count() else column
    return pl.Series(column.name, extracted(values.to_numpy()), pl.Float64).implode()


def added(frame: pl.LazyFrame, plan: StatePlan) -> pl.LazyFrame:
    """One row of states, with a Float64 for each exact sum or pair, of any number of partial rows.

    The rounding of a total is to nearest, ties to even; what exceeds the doubles is infinite.
    """
    parts = _Parts.of(plan)
    paired = {sum_ for _, sums in plan.pairs for sum_ in sums}
    doubles = [*parts.specials.values(), *(sum_ for sum_ in parts.sums if sum_ not in paired)]
    doubles += [name for label, _ in plan.pairs for name in (label, f"{label}_low")]
    schema: dict[str, pl.DataType] = {state.label: state.dtype for state in parts.others}
    schema |= dict.fromkeys(doubles, pl.Float64())

    def add(rows: pl.DataFrame) -> pl.DataFrame:
        values: dict[str, float] = {}
        totals: dict[str, int] = {}
        for sum_ in parts.sums:
            summands = rows.get_column(sum_).explode(empty_as_null=False).to_numpy()
            totals[sum_], special = whole(extracted(summands))
            values[sum_] = nearest(totals[sum_])
            if sum_ in parts.specials:
                values[parts.specials[sum_]] = special
        for label, sums in plan.pairs:
            total = sum(totals[sum_] for sum_ in sums)
            values[label] = nearest(total)
            left = whole([values[label]])[0]
            values[f"{label}_low"] = nearest(total - left) if left else 0.0
        merged = rows.select(state.merge.cast(state.dtype) for state in parts.others)
        made = [pl.Series(label, [values[label]], pl.Float64) for label in doubles]
        return pl.DataFrame([*merged, *made])

    return frame.map_batches(
        add,
        predicate_pushdown=False,
        projection_pushdown=False,
        slice_pushdown=False,
        schema=schema,
    )
