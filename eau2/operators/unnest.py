"""Unnest: every row once for each element of its lists.

Owns: the operator. Comes in: a frame. Goes out: its rows, repeated, with the elements beside them,
in the order of the lists. Does not know: which syntax asked, FROM or a select list.
"""

from __future__ import annotations

import polars as pl

from eau2.operators.base import Lowering, Operator
from eau2.operators.expr import Column, Expr
from eau2.operators.lowering import lower_expr
from eau2.operators.physical import kernel_dtype

_LENGTH = "unnest_length"
"""No label looks like it."""


class Unnest(Operator, frozen=True):
    """Elements of lists beside their rows; shorter lists are padded with NULL.

    items: (new column, expression that gives a list). A row whose lists are all empty or NULL gives
    none; with `outer` it gives one of NULLs. ordinality: a column that counts a row's elements
    from 1.
    """

    input: Operator
    items: tuple[tuple[Column, Expr], ...]
    ordinality: Column | None = None
    outer: bool = False

    def __post_init__(self) -> None:
        if not self.items:
            raise ValueError("there is nothing to unnest")
        for column, expr in self.items:
            if expr.type.element != column.type:
                raise ValueError("an unnested column has not the type of the list's elements")

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        last = () if self.ordinality is None else (self.ordinality,)
        return (*self.input.output, *(column for column, _ in self.items), *last)

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        labels = [column.label for column, _ in self.items]
        lists = [
            lower_expr(expr, lowering.diagnose).alias(column.label) for column, expr in self.items
        ]
        lengths = [pl.col(label).list.len().fill_null(0).cast(pl.Int64) for label in labels]
        longest = lengths[0] if len(lengths) == 1 else pl.max_horizontal(lengths)
        rows = inputs[0].with_columns(lists)
        if self.outer:
            longest = pl.max_horizontal(longest, pl.lit(1, pl.Int64))
        if len(labels) > 1 or self.outer:
            rows = rows.with_columns(longest.alias(_LENGTH)).with_columns(
                self._padded(column) for column, _ in self.items
            )
            longest = pl.col(_LENGTH)
        if self.ordinality is not None:
            labels.append(self.ordinality.label)
            rows = rows.with_columns(pl.int_ranges(1, longest + 1).alias(labels[-1]))
        exploded = rows.explode(labels, empty_as_null=False, keep_nulls=False)
        return exploded.select([column.label for column in self.output])

    def _padded(self, column: Column) -> pl.Expr:
        """The list with as many elements as the longest of its row."""
        given = pl.col(column.label).fill_null(pl.lit([], pl.List(kernel_dtype(column.type))))
        places = pl.int_ranges(0, pl.col(_LENGTH))
        return given.list.gather(places, null_on_oob=True).alias(column.label)
