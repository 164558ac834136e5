"""Operators without input, OneRow, NoRows and Rows, and how rows without columns are carried.

Owns: the three leaves and the height column. Goes out: LazyFrames of constant content.
Does not know: chunks, stages, expressions.

A Polars frame without columns has no height. So an operator whose output is empty gives a frame
with the single column HEIGHT, which holds as many (false) values as there are rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from eau2.operators.base import Lowering, Operator
from eau2.operators.expr import Column, Value
from eau2.operators.physical import kernel_dtype

HEIGHT = "height"
"""The column that stands for the rows of a frame without columns; no label looks like it."""


def keep(frame: pl.LazyFrame, columns: Sequence[Column]) -> pl.LazyFrame:
    """Exactly the labels of `columns`, with every row; only HEIGHT when there are none."""
    if columns:
        return frame.select([column.label for column in columns])
    return frame.with_columns(pl.lit(False).alias(HEIGHT)).select(HEIGHT)


class OneRow(Operator, frozen=True):
    """One row of no columns: what SELECT without FROM reads."""

    @property
    def output(self) -> tuple[Column, ...]:
        return ()

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        return pl.LazyFrame({HEIGHT: [False]})


class NoRows(Operator, frozen=True):
    """No rows of these columns."""

    columns: tuple[Column, ...]

    @property
    def output(self) -> tuple[Column, ...]:
        return self.columns

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        if not self.columns:
            return pl.LazyFrame(schema={HEIGHT: pl.Boolean})
        return pl.LazyFrame(schema={c.label: kernel_dtype(c.type) for c in self.columns})


class Rows(Operator, frozen=True):
    """Constant rows in an order, column by column. Values are physical, as in `Literal`."""

    columns: tuple[Column, ...]
    values: tuple[tuple[Value, ...], ...]

    def __post_init__(self) -> None:
        if not self.columns or len(self.columns) != len(self.values):
            raise ValueError("constant rows need values for each column")
        if len({len(column) for column in self.values}) != 1:
            raise ValueError("constant rows need as many values in each column")

    @property
    def output(self) -> tuple[Column, ...]:
        return self.columns

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        return self.frame().lazy()

    def frame(self) -> pl.DataFrame:
        """The rows in kernel form."""
        pairs = zip(self.columns, self.values, strict=True)
        return pl.DataFrame([_series(column, values) for column, values in pairs])


def _series(column: Column, values: tuple[Value, ...]) -> pl.Series:
    dtype = kernel_dtype(column.type)
    if column.type.is_temporal:
        whole = pl.Int32 if dtype == pl.Date else pl.Int64
        return pl.Series(column.label, values, whole).cast(dtype)
    return pl.Series(column.label, values, dtype)
