"""Window: for each row one more value for every call, from the rows of its frame.

Owns: the operator. Comes in: a whole input (a partition's rows must all be there). Goes out: the
same rows in the same order, with the calls' columns. Does not know: how a call is computed
(window_values.py), how SQL words it (windows.py).
"""

from __future__ import annotations

import polars as pl

from eau2.operators.base import Lowering, Operator
from eau2.operators.expr import Column, Expr, SortKey, WindowCall
from eau2.operators.physical import kernel_dtype


class Window(Operator, frozen=True):
    """The input's rows with one more column for each call.

    order: the keys that were written, which make peers. ties: further keys that order peers; when
    there are none the input's own order does.
    """

    input: Operator
    partition: tuple[Expr, ...]
    order: tuple[SortKey, ...]
    ties: tuple[SortKey, ...]
    calls: tuple[tuple[Column, WindowCall], ...]

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.input.output + tuple(column for column, _ in self.calls)

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        (frame,) = inputs
        labels = [column.label for column in self.input.output]
        schema = {column.label: kernel_dtype(column.type) for column in self.output}

        def compute(rows: pl.DataFrame) -> pl.DataFrame:
            # NumPy takes its time to load, and most statements have no windows.
            from eau2.operators.window_values import window_values

            over = (self.partition, self.order, self.ties)
            values = window_values(rows, *over, self.calls, lowering.diagnose)
            cast = [value.cast(schema[value.name]) for value in values]
            return rows.select(labels).hstack(cast) if labels else pl.DataFrame(cast)

        return frame.map_batches(
            compute,
            predicate_pushdown=False,
            projection_pushdown=False,
            slice_pushdown=False,
            schema=schema,
        )
