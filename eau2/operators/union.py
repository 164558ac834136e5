"""Union: the rows of several inputs, one after the other.

Owns: the operator. Comes in: frames whose columns have the same types. Goes out: all their rows,
in the order of the inputs. Does not know: whether equal rows are wanted once.
"""

from __future__ import annotations

import polars as pl

from eau2.operators.base import Lowering, Operator
from eau2.operators.expr import Column
from eau2.records import replace


class Union(Operator, frozen=True):
    """UNION ALL. columns: new ones, for the inputs' columns by position."""

    parts: tuple[Operator, ...]
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        if not self.parts or not self.columns:
            raise ValueError("a union needs inputs and columns")
        if any(len(part.output) != len(self.columns) for part in self.parts):
            raise ValueError("the inputs of a union have other numbers of columns")

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return self.parts

    @property
    def output(self) -> tuple[Column, ...]:
        return self.columns

    def with_inputs(self, inputs: tuple[Operator, ...]) -> Union:
        return replace(self, parts=inputs)

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        named = [
            frame.select(
                pl.col(old.label).alias(new.label)
                for old, new in zip(part.output, self.columns, strict=True)
            )
            for frame, part in zip(inputs, self.parts, strict=True)
        ]
        return pl.concat(named, how="vertical")
