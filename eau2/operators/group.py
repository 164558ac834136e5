"""PartialAggregate and FinalAggregate: grouping in two steps, at the chunks and at the end.

Owns: how the steps of aggregates.py meet grouping keys. Comes in: rows (partial), then any number
of partial frames stacked into one (final). Goes out: groups in no particular order.
Does not know: what the aggregates compute, tasks, where partial frames come from.

Of intervals that are equal a group has the one that interval_form.py says.
A partial frame has the keys' labels, the states of `plan_states`, and a bin column for each binned
float sum, by which it is grouped too; its groups may therefore repeat. Without keys it may have the
form of few_summands.py instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from eau2.config import LIMITS
from eau2.operators.aggregates import State, StatePlan, plan_states
from eau2.operators.base import Lowering, Operator
from eau2.operators.dense import COUNTED, by_number, has_short_span
from eau2.operators.expr import AggregateCall, Column, ColumnRef, Expr
from eau2.operators.few_groups import by_matrix
from eau2.operators.few_groups_shape import shape_of
from eau2.operators.few_summands import added, adds_few, few_schema, few_summands
from eau2.operators.forms import Coded, Narrow
from eau2.operators.functions.list_keys import canonical_list
from eau2.operators.lowering import Given
from eau2.operators.merging import (
    checked,
    grouped,
    merge_binned,
    wants_apart,
    whole_apart,
    whole_beside_bins,
)
from eau2.operators.physical import kernel_dtype
from eau2.operators.project import compute, kept_forms
from eau2.operators.runs import by_runs, reducible, seems_sorted, stored_name
from eau2.operators.values import HEIGHT
from eau2.records import replace


class PartialAggregate(Operator, frozen=True):
    """The groups of a task's rows, with partial states instead of results.

    Without keys there is exactly one row, even of no rows, unless binned sums split it. `output`
    names the key columns; the states are no columns of the plan. runs: whether rows that lie
    together may be grouped as they lie.
    """

    input: Operator
    keys: tuple[tuple[Column, Expr], ...]
    aggregates: tuple[tuple[Column, AggregateCall], ...]
    runs: bool = True

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return tuple(column for column, _ in self.keys)

    @property
    def takes_forms(self) -> bool:
        return True

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        plan = plan_states(self.aggregates, bool(self.keys))
        items = [(column.label, expr) for column, expr in self.keys]
        few = self._few(inputs[0], plan, lowering)
        if few is not None:
            return few
        if not plan.bins:
            items = kept_forms(items, lowering)
        unhashed = self._unhashed(plan, lowering)
        arguments = plan.arguments if unhashed is None else _in_few_bits(plan.arguments, lowering)
        rows = compute(inputs[0], [*items, *arguments], lowering)
        if unhashed is not None:
            return unhashed(rows, self.keys[0][0], plan.states)
        canonical = [
            canonical_list(pl.col(column.label), column.type).alias(column.label)
            for column, _ in self.keys
            if column.type.innermost.is_float
        ]
        if canonical or plan.prepared:
            rows = rows.with_columns(*canonical, *plan.prepared)
        if adds_few(plan, bool(self.keys)):
            return few_summands(rows, plan)
        rows = rows.with_columns(plan.bin_columns)
        if wants_apart(self.output, plan):
            return whole_apart(rows, self.output, plan)
        states = [state.partial for state in plan.states]
        if plan.bins and any(state.whole for state in plan.states):
            rows, states = whole_beside_bins(rows, self.output, plan)
        return grouped(rows, self.output, [binned.bin_ for binned in plan.bins], states)

    def _few(self, rows: pl.LazyFrame, plan: StatePlan, lowering: Lowering) -> pl.LazyFrame | None:
        """The groups, where they are few and told apart without hashing; else None."""
        if not (lowering.runs and self.runs):
            return None
        found = shape_of(self.input, self.keys, plan, lowering)
        if found is None:
            return None
        forms = dict(lowering.forms)

        def hashed(frame: pl.DataFrame) -> pl.DataFrame:
            again = replace(lowering, forms=dict(forms), chunk_rows=None)
            given = frame.lazy()
            if found.below is not self.input:
                given = self.input.lower((given,), again)
            large = frame.height > LIMITS.in_memory_engine_rows
            groups = self.lower((given,), again)
            return groups.collect(engine="streaming" if large else "in-memory")

        source = rows if found.below is self.input else found.below.lower((), lowering)
        kept_forms([(column.label, expr) for column, expr in self.keys], lowering)
        return by_matrix(source.select(found.shape.columns), found.shape, hashed)

    def _unhashed(self, plan: StatePlan, lowering: Lowering) -> _Unhashed | None:
        """How groups are made whose rows lie together, or whose keys are close; else None."""
        if len(self.keys) != 1 or lowering.chunk_rows is None or plan.bins or plan.prepared:
            return None
        ((_, expr),) = self.keys
        if not isinstance(expr, ColumnRef) or not (lowering.runs and self.runs):
            return None
        name = stored_name(self.input, expr.id)
        if name is None or isinstance(lowering.scanned.get(name), Coded):
            return None
        stored = lowering.chunk_rows.get_column(name)
        if reducible(plan.states) and seems_sorted(stored):
            return by_runs
        if reducible(plan.states, COUNTED) and has_short_span(stored):
            return by_number
        return None


_Unhashed = Callable[[pl.LazyFrame, Column, Sequence[State]], pl.LazyFrame]


def _in_few_bits(
    arguments: tuple[tuple[str, Expr], ...], lowering: Lowering
) -> list[tuple[str, Expr]]:
    """The arguments, of which those that only name a narrow column stay as narrow."""
    kept: list[tuple[str, Expr]] = []
    for label, expr in arguments:
        if isinstance(expr, ColumnRef) and isinstance(lowering.forms.get(expr.label), Narrow):
            expr = Given(expr.type, expr.id, pl.col(expr.label))
        kept.append((label, expr))
    return kept


class FinalAggregate(Operator, frozen=True):
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

    @property
    def takes_forms(self) -> bool:
        return True

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        plan = plan_states(self.aggregates, bool(self.keys))
        labels = [column.label for column in self.keys]
        (frame,) = inputs
        if adds_few(plan, bool(self.keys)):
            frame = added(frame, plan)
        elif plan.bins:
            frame = merge_binned(frame, self.keys, plan, self.merged)
        elif not self.merged:
            frame = grouped(frame, self.keys, [], [state.merge for state in plan.states])
        if plan.checks:
            frame = checked(frame, plan.checks)
        if not self.output:
            return frame
        return frame.select(*labels, *plan.results)


def state_schema(
    keys: tuple[Column, ...], aggregates: tuple[tuple[Column, AggregateCall], ...]
) -> dict[str, pl.DataType]:
    """The columns of a partial frame: what an empty one, of no task at all, must have."""
    plan = plan_states(aggregates, bool(keys))
    if adds_few(plan, bool(keys)):
        return few_schema(plan)
    schema: dict[str, pl.DataType] = {key.label: kernel_dtype(key.type) for key in keys}
    schema |= {binned.bin_: pl.Int64() for binned in plan.bins}
    schema |= {state.label: state.dtype for state in plan.states}
    return schema or {HEIGHT: pl.Boolean()}
