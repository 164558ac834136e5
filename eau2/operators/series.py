"""Series: evenly spaced numbers or points in time, made from nothing.

Owns: the operator, and how many rows it may make. Comes in: start, stop and step. Goes out: one
column. Does not know: which table function asked.
"""

from __future__ import annotations

import polars as pl

from eau2.config import LIMITS
from eau2.errors import OperationalError
from eau2.operators.base import Lowering, Operator
from eau2.operators.expr import Column
from eau2.operators.physical import kernel_dtype


def series_length(start: int, stop: int, step: int) -> int:
    """How many of start, start + step, ... lie before `stop`."""
    return len(range(start, stop, step))


class Series(Operator, frozen=True):
    """start, start + step, ... before `stop`, as in `logical.Series`."""

    column: Column
    start: int
    stop: int
    step: int

    def __post_init__(self) -> None:
        if self.step == 0:
            raise ValueError("a series needs a step that is not zero")

    @property
    def output(self) -> tuple[Column, ...]:
        return (self.column,)

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        count = series_length(self.start, self.stop, self.step)
        if count > LIMITS.series_rows:
            raise OperationalError(
                f"a series of {count} values is too long: at most {LIMITS.series_rows} are made"
            )
        dtype = kernel_dtype(self.column.type)
        if count == 0:
            return pl.LazyFrame(schema={self.column.label: dtype})
        # Counted from zero, since the end of a series may lie outside of 64 bits.
        number = pl.int_range(0, count, dtype=pl.Int64)
        value = (number * self.step + self.start).cast(dtype)
        return pl.select(value.alias(self.column.label), eager=False)
