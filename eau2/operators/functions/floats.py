"""Float operations whose last digit must not depend on how rows are cut into batches.

Owns: `divide` and `power`. Where the right operand is one value for a whole batch (a constant, or
a column that happens to be one), Polars multiplies by its reciprocal and takes powers by repeated
multiplication, which rounds differently from what it does for columns.
Does not know: SQL types, expressions.
"""

from __future__ import annotations

import polars as pl


def _spread(value: pl.Expr, like: pl.Expr) -> pl.Expr:
    """`value` as a column in memory; rows where `like` is NULL do not matter.

    Subtracting zero keeps every float, -0.0 included.
    """
    return value - like.is_null().cast(pl.Float32)


def divide(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """The correctly rounded quotient of two float columns."""
    return left / _spread(right, left)


def power(base: pl.Expr, exponent: pl.Expr) -> pl.Expr:
    """`base` to the power `exponent`, by the same function for every batch."""
    return base.pow(_spread(exponent, base))
