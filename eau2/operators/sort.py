"""Sort, Limit and TopK: order is made here, and only here.

Owns: the order of values (NaN above every number, -0.0 and 0.0 equal, NULLs where a key says) and
its total form. Comes in: a frame and keys. Goes out: rows in order.
Does not know: how keys are computed, which keys make an order total (the binder does).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from eau2.operators.base import Lowering, Operator
from eau2.operators.expr import Column, SortKey, columns_of
from eau2.operators.lowering import lower_expr
from eau2.types import Kind


def _negative_zero(value: pl.Expr) -> pl.Expr:
    """True for -0.0 alone: what tells rows apart that compare equal."""
    return (value == 0.0) & (1.0 / value < 0.0)


def _order(
    frame: pl.LazyFrame, keys: Sequence[SortKey], stable: bool, diagnose: bool
) -> pl.LazyFrame:
    """The frame in the order of the keys.

    -0.0 and 0.0 are equal as keys but not as values, so a last key per float column puts the
    negative zeros first: then the order does not depend on how the rows came.
    """
    by: list[pl.Expr] = []
    descending: list[bool] = []
    nulls_last: list[bool] = []
    zeros: list[pl.Expr] = []
    for key in keys:
        if not columns_of(key.expr):
            continue
        value = lower_expr(key.expr, diagnose)
        by.append(value)
        descending.append(key.descending)
        nulls_last.append(key.nulls_last)
        if key.expr.type.kind in (Kind.FLOAT, Kind.DOUBLE):
            zeros.append(~_negative_zero(value))
    by += zeros
    descending += [False] * len(zeros)
    nulls_last += [True] * len(zeros)
    if not by:
        return frame
    return frame.sort(by, descending=descending, nulls_last=nulls_last, maintain_order=stable)


@dataclass(frozen=True, slots=True)
class Sort(Operator):
    """The rows in the order of the keys; rows that are equal in all keys stay as they came.

    With `at_most_rows` the order is only made when there are no more rows than that.
    """

    input: Operator
    keys: tuple[SortKey, ...]
    at_most_rows: int | None = None

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.input.output

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        (frame,) = inputs
        limit = self.at_most_rows
        known = lowering.rows_at_most
        if limit is None or (known is not None and known <= limit):
            return _order(frame, self.keys, stable=True, diagnose=lowering.diagnose)

        def order_if_small(rows: pl.DataFrame) -> pl.DataFrame:
            if rows.height > limit:
                return rows
            return _order(rows.lazy(), self.keys, True, lowering.diagnose).collect()

        return frame.map_batches(
            order_if_small,
            predicate_pushdown=False,
            projection_pushdown=False,
            slice_pushdown=False,
            validate_output_schema=False,
        )


@dataclass(frozen=True, slots=True)
class Limit(Operator):
    """The first `count` rows (None: all) after `offset` rows, in the input's order."""

    input: Operator
    count: int | None
    offset: int = 0

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.input.output

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        return inputs[0].slice(self.offset, self.count)


@dataclass(frozen=True, slots=True)
class TopK(Operator):
    """The rows from `offset` to `offset + count` in the order of the keys, without a full sort.

    The keys must make the order total up to equal rows, else which of them are kept is open.
    """

    input: Operator
    keys: tuple[SortKey, ...]
    count: int
    offset: int = 0

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.input.output

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        # The engine turns a sort that is followed by a slice into a bounded heap.
        ordered = _order(inputs[0], self.keys, stable=False, diagnose=lowering.diagnose)
        return ordered.slice(self.offset, self.count)
