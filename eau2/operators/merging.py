"""How rows become groups of states, and states results: the steps that aggregates.py plans.

Owns: grouping, merging of sums that are cut into bins, checks of results. Comes in: frames, labels
of keys, a `StatePlan`. Goes out: frames. Does not know: operators, which frames are partial.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from eau2.config import LIMITS
from eau2.errors import OutOfRangeError
from eau2.operators import exact_sum, interval_form
from eau2.operators.aggregates import Check, StatePlan
from eau2.operators.expr import Column
from eau2.operators.physical import kernel_dtype
from eau2.operators.values import HEIGHT
from eau2.types import Kind


def whole_beside_bins(
    rows: pl.LazyFrame, columns: Sequence[Column], plan: StatePlan
) -> tuple[pl.LazyFrame, list[pl.Expr]]:
    """The rows with what needs a whole group already there, since bins cut groups to pieces."""
    keys = _compared(columns)
    whole = [state for state in plan.states if state.whole]
    made = [state.partial.over(keys) if keys else state.partial for state in whole]
    rows = rows.with_columns(
        value.alias(state.label) for state, value in zip(whole, made, strict=True)
    )
    states = [
        pl.col(state.label).first() if state.whole else state.partial for state in plan.states
    ]
    return rows, states


_SOME_STATES = 3
"""So many states beside whole ones are better made apart, where the engine can stream."""


def wants_apart(keys: Sequence[Column], plan: StatePlan) -> bool:
    """Whether states that need whole groups are better made apart from the others."""
    whole = sum(state.whole for state in plan.states)
    plain = all(not key.type.is_list and key.type.kind is not Kind.INTERVAL for key in keys)
    others = len(plan.states) - whole
    return bool(keys and whole and plain and (plan.bins or others >= _SOME_STATES))


def whole_apart(rows: pl.LazyFrame, keys: Sequence[Column], plan: StatePlan) -> pl.LazyFrame:
    """The groups of `grouped`, of whole states and of the others, side by side.

    Where bins cut a group to pieces, each of them has the whole states.
    """
    labels = [key.label for key in keys]
    whole = [state.partial for state in plan.states if state.whole]
    others = [state.partial for state in plan.states if not state.whole]
    pieces = grouped(rows, keys, [binned.bin_ for binned in plan.bins], others)
    beside = grouped(rows, keys, [], whole)
    return pieces.join(beside, on=labels, nulls_equal=True)


def _compared(keys: Sequence[Column]) -> list[pl.Expr]:
    """What is equal where the keys are."""
    return [
        interval_form.normalised(pl.col(key.label)).alias(f"{key.label}_compared")
        if key.type.kind is Kind.INTERVAL
        else pl.col(key.label)
        for key in keys
    ]


def grouped(
    frame: pl.LazyFrame, keys: Sequence[Column], bins: Sequence[str], states: Sequence[pl.Expr]
) -> pl.LazyFrame:
    """One row for each combination of keys and bins; without any exactly one row."""
    intervals = [key.label for key in keys if key.type.kind is Kind.INTERVAL]
    labels = [*(key.label for key in keys), *bins]
    if not labels:
        return frame.select(states or [pl.lit(False).alias(HEIGHT)])
    if not intervals:
        return frame.group_by(labels).agg(states)
    kept = [pl.col(label).min() for label in intervals]
    groups = frame.group_by([*_compared(keys), *bins]).agg(*kept, *states)
    return groups.select(*labels, pl.exclude(*labels, "^.*_compared$"))


def checked(frame: pl.LazyFrame, checks: Sequence[Check]) -> pl.LazyFrame:
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


def merge_binned(
    frame: pl.LazyFrame, keys: Sequence[Column], plan: StatePlan, merged: bool
) -> pl.LazyFrame:
    """Merge partial frames that are also grouped by bins; binned sums come out as Float64."""
    labels = [key.label for key in keys]
    binned = {sum_: bin_ for bin_, sum_, *_ in plan.bins}
    paired = {sum_ for _, sums in plan.pairs for sum_ in sums}
    schema: dict[str, pl.DataType] = {key.label: kernel_dtype(key.type) for key in keys}
    schema |= {s.label: s.dtype for s in plan.states if s.label not in binned}
    schema |= {sum_: pl.Float64() for sum_ in binned if sum_ not in paired}
    schema |= {name: pl.Float64() for label, _ in plan.pairs for name in (label, f"{label}_low")}

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
            groups = grouped(groups, keys, [], states + digits)
        large = rows.height > LIMITS.in_memory_engine_rows
        done = groups.collect(engine="streaming" if large else "in-memory")
        digits_of = {
            sum_: done.select(f"{sum_}_{n}" for n in numbers) for sum_, numbers in bins.items()
        }
        combined = {
            sum_: exact_sum.combine(digits_of[sum_], numbers)
            for sum_, numbers in bins.items()
            if sum_ not in paired
        }
        for label, sums in plan.pairs:
            added, numbers = exact_sum.added([(digits_of[sum_], bins[sum_]) for sum_ in sums])
            combined[label] = exact_sum.combine(added, numbers)
            combined[f"{label}_low"] = exact_sum.remainder(added, numbers, combined[label])
        return done.with_columns(**combined).select(list(schema))

    return frame.map_batches(
        merge,
        predicate_pushdown=False,
        projection_pushdown=False,
        slice_pushdown=False,
        schema=schema,
    )
