"""Sample: some rows of a frame, the same ones whenever the frame and the seed are.

Owns: the operator, and the numbers that chance is made of. Comes in: a frame in an order that is a
function of the data. Goes out: some of its rows, in that order. Does not know: why.

The number of a row is its position, scrambled by the finalizer of SplitMix64 (Steele, Lea and
Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
"""

from __future__ import annotations

import polars as pl

from eau2.operators.base import Lowering, Operator
from eau2.operators.expr import Column

_GOLDEN = 0x9E37_79B9_7F4A_7C15
_ROUNDS = ((30, 0xBF58_476D_1CE4_E5B9), (27, 0x94D0_49BB_1331_11EB))
_BITS = 2**64

_NUMBER = "number"
_KEPT = "kept"
"""Columns of the operator's own; no label looks like them."""


class Sample(Operator, frozen=True):
    """Each row with probability `fraction`, or `count` rows; see `logical.Sample`."""

    input: Operator
    fraction: float | None
    count: int | None
    seed: int

    def __post_init__(self) -> None:
        if (self.fraction is None) == (self.count is None):
            raise ValueError("a sample has either a fraction or a count")

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.input.output

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        numbered = (
            inputs[0]
            .with_row_index(_NUMBER)
            .with_columns(_scrambled(pl.col(_NUMBER).cast(pl.UInt64), self.seed).alias(_KEPT))
        )
        if self.fraction is not None:
            bound = int(self.fraction * _BITS)
            kept = numbered
            if bound < _BITS:
                kept = numbered.filter(pl.col(_KEPT) < pl.lit(bound, pl.UInt64))
        else:
            assert self.count is not None
            kept = numbered.sort(_KEPT, _NUMBER).head(self.count).sort(_NUMBER)
        return kept.drop(_NUMBER, _KEPT)


def _scrambled(position: pl.Expr, seed: int) -> pl.Expr:
    """64 bits that look like chance; arithmetic wraps."""
    start = (seed * _GOLDEN + _GOLDEN) % _BITS
    value = position * pl.lit(_GOLDEN, pl.UInt64) + pl.lit(start, pl.UInt64)
    for shift, factor in _ROUNDS:
        value = (value ^ (value // pl.lit(2**shift, pl.UInt64))) * pl.lit(factor, pl.UInt64)
    return value ^ (value // pl.lit(2**31, pl.UInt64))
