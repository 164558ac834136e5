"""Expand: every row once for each grouping set, with NULL for the keys that the set is without.

Owns: the operator. Comes in: a frame. Goes out: as many copies of each row as there are sets, its
own columns unchanged. Does not know: what is grouped, or how.
"""

from __future__ import annotations

import polars as pl

from eau2.operators.base import Lowering, Operator
from eau2.operators.expr import Column, Expr
from eau2.operators.lowering import lower_expr
from eau2.operators.physical import kernel_dtype


class Expand(Operator, frozen=True):
    """Copies of rows. sets: positions in `keys`; grouping: the column that numbers the sets."""

    input: Operator
    keys: tuple[tuple[Column, Expr], ...]
    sets: tuple[tuple[int, ...], ...]
    grouping: Column

    def __post_init__(self) -> None:
        for members in self.sets:
            if not all(0 <= position < len(self.keys) for position in members):
                raise ValueError("a grouping set names a key that is not there")

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return (*self.input.output, *(column for column, _ in self.keys), self.grouping)

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        # The keys are computed before the rows are copied, so once for each row.
        keyed = inputs[0].with_columns(
            lower_expr(expr, lowering.diagnose).alias(column.label) for column, expr in self.keys
        )
        number = self.grouping.label
        sets = pl.LazyFrame({number: range(len(self.sets))}, schema={number: pl.Int64})
        copies = keyed.join(sets, how="cross")
        blanked = [self._within(position, column) for position, (column, _) in enumerate(self.keys)]
        return copies.with_columns(blanked).select([column.label for column in self.output])

    def _within(self, position: int, column: Column) -> pl.Expr:
        """The key in the copies for sets that have it, NULL in the others."""
        holders = [n for n, members in enumerate(self.sets) if position in members]
        value = pl.col(column.label)
        if len(holders) == len(self.sets):
            return value
        there = pl.col(self.grouping.label).is_in(holders)
        return pl.when(there).then(value).otherwise(pl.lit(None, kernel_dtype(column.type)))
