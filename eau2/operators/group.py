"""PartialAggregate and FinalAggregate: grouping in two steps, at the chunks and at the end.

Owns: how the steps of aggregates.py meet grouping keys. Comes in: rows (partial), then any number
of partial frames stacked into one (final). Goes out: groups in no particular order.
Does not know: what the aggregates compute, tasks, where partial frames come from.

A partial frame has the keys' labels, the states of `plan_states`, and a bin column for each binned
float sum, by which it is grouped too; its groups may therefore repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from eau2.config import LIMITS
from eau2.errors import OutOfRangeError
from eau2.operators import exact_sum
from eau2.operators.aggregates import Check, StatePlan, plan_states
from eau2.operators.base import Lowering, Operator
from eau2.operators.expr import AggregateCall, Column, Expr
from eau2.operators.functions.list_keys import canonical_list
from eau2.operators.physical import kernel_dtype
from eau2.operators.project import compute
from eau2.operators.values import HEIGHT


@dataclass(frozen=True, slots=True)
class PartialAggregate(Operator):
    """The groups of a task's rows, with partial states instead of results.

    Without keys there is exactly one row, even of no rows, unless binned sums split it. `output`
    names the key columns; the states are no columns of the plan.
    """

    input: Operator
    keys: tuple[tuple[Column, Expr], ...]
    aggregates: tuple[tuple[Column, AggregateCall], ...]

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return tuple(column for column, _ in self.keys)

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        plan = plan_states(self.aggregates)
        items = [(column.label, expr) for column, expr in self.keys]
        rows = compute(inputs[0], [*items, *plan.arguments], lowering)
        canonical = [
            canonical_list(pl.col(column.label), column.type).alias(column.label)
            for column, _ in self.keys
            if column.type.innermost.is_float
        ]
        if canonical or plan.prepared:
            rows = rows.with_columns(*canonical, *plan.prepared)
        keys = [column.label for column, _ in self.keys]
        states = [state.partial for state in plan.states]
        if plan.bins and any(state.whole for state in plan.states):
            rows, states = _whole_beside_bins(rows, keys, plan)
        return _group(rows, keys + [bin_ for bin_, _ in plan.bins], states)


@dataclass(frozen=True, slots=True)
class FinalAggregate(Operator):
    """One row for each group, from partial frames made with the same keys and aggregates.

    Without keys exactly one row. Set `merged` when the input is a single partial frame: then its
    groups are known to be distinct, and they are only finished.
    """

    input: Operator
    keys: tuple[Column, ...]
    aggregates: tuple[tuple[Column, AggregateCall], ...]
    merged: bool = False

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.keys + tuple(column for column, _ in self.aggregates)

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        plan = plan_states(self.aggregates)
        labels = [column.label for column in self.keys]
        (frame,) = inputs
        if plan.bins:
            frame = _merge_binned(frame, self.keys, plan, self.merged)
        elif not self.merged:
            frame = _group(frame, labels, [state.merge for state in plan.states])
        if plan.checks:
            frame = _checked(frame, plan.checks)
        if not self.output:
            return frame
        return frame.select(*labels, *plan.results)


def state_schema(
    keys: tuple[Column, ...], aggregates: tuple[tuple[Column, AggregateCall], ...]
) -> dict[str, pl.DataType]:
    """The columns of a partial frame: what an empty one, of no task at all, must have."""
    plan = plan_states(aggregates)
    schema: dict[str, pl.DataType] = {key.label: kernel_dtype(key.type) for key in keys}
    schema |= {bin_: pl.Int64() for bin_, _ in plan.bins}
    schema |= {state.label: state.dtype for state in plan.states}
    return schema or {HEIGHT: pl.Boolean()}


def _whole_beside_bins(
    rows: pl.LazyFrame, keys: Sequence[str], plan: StatePlan
) -> tuple[pl.LazyFrame, list[pl.Expr]]:
    """The rows with what needs a whole group already there, since bins cut groups to pieces."""
    whole = [state for state in plan.states if state.whole]
    made = [state.partial.over(keys) if keys else state.partial for state in whole]
    rows = rows.with_columns(
        value.alias(state.label) for state, value in zip(whole, made, strict=True)
    )
    states = [
        pl.col(state.label).first() if state.whole else state.partial for state in plan.states
    ]
    return rows, states


def _group(frame: pl.LazyFrame, labels: Sequence[str], states: Sequence[pl.Expr]) -> pl.LazyFrame:
    """One row for each combination of `labels`; without labels exactly one row."""
    if labels:
        return frame.group_by(labels).agg(states)
    return frame.select(states or [pl.lit(False).alias(HEIGHT)])


def _checked(frame: pl.LazyFrame, checks: Sequence[Check]) -> pl.LazyFrame:
    """The same rows, or OutOfRangeError when a check is true in one of them."""

    def look(groups: pl.DataFrame) -> pl.DataFrame:
        found = groups.select(
            check.overflow.any().alias(str(index)) for index, check in enumerate(checks)
        ).row(0)
        for check, overflow in zip(checks, found, strict=True):
            if overflow:
                raise OutOfRangeError(check.message)
        return groups

    return frame.map_batches(
        look,
        predicate_pushdown=False,
        projection_pushdown=False,
        slice_pushdown=False,
        validate_output_schema=False,
    )


def _merge_binned(
    frame: pl.LazyFrame, keys: Sequence[Column], plan: StatePlan, merged: bool
) -> pl.LazyFrame:
    """Merge partial frames that are also grouped by bins; binned sums come out as Float64."""
    labels = [key.label for key in keys]
    binned = {sum_: bin_ for bin_, sum_ in plan.bins}
    schema: dict[str, pl.DataType] = {key.label: kernel_dtype(key.type) for key in keys}
    schema |= {s.label: s.dtype for s in plan.states if s.label not in binned}
    schema |= {sum_: pl.Float64() for sum_ in binned}
    schema |= {f"{sum_}_low": pl.Float64() for sum_ in plan.pairs}

    def merge(rows: pl.DataFrame) -> pl.DataFrame:
        bins = {sum_: exact_sum.bins_in(rows.get_column(bin_)) for sum_, bin_ in binned.items()}
        bins = {sum_: numbers or [0] for sum_, numbers in bins.items()}
        single = all(len(numbers) == 1 for numbers in bins.values())
        spread = [
            pl.when(exact_sum.in_bin(pl.col(binned[sum_]), number))
            .then(pl.col(sum_))
            .otherwise(pl.lit(0, dtype=pl.Int128))
            .alias(f"{sum_}_{number}")
            for sum_, numbers in bins.items()
            for number in numbers
        ]
        groups = rows.lazy().with_columns(spread)
        if not (labels and merged and single):
            states = [state.merge for state in plan.states if state.label not in binned]
            digits = [
                pl.col(f"{sum_}_{number}").sum()
                for sum_, numbers in bins.items()
                for number in numbers
            ]
            groups = _group(groups, labels, states + digits)
        large = rows.height > LIMITS.in_memory_engine_rows
        done = groups.collect(engine="streaming" if large else "in-memory")
        digits_of = {
            sum_: done.select(f"{sum_}_{n}" for n in numbers) for sum_, numbers in bins.items()
        }
        combined = {s: exact_sum.combine(digits_of[s], numbers) for s, numbers in bins.items()}
        for sum_ in plan.pairs:
            low = exact_sum.remainder(digits_of[sum_], bins[sum_], combined[sum_])
            combined[f"{sum_}_low"] = low
        return done.with_columns(**combined).select(list(schema))

    return frame.map_batches(
        merge,
        predicate_pushdown=False,
        projection_pushdown=False,
        slice_pushdown=False,
        schema=schema,
    )
