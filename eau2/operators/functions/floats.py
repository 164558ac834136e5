"""Float operations whose last digit must not depend on how rows are cut into batches.

Owns: `divide` and `power`. Where the right operand is one value for a whole batch (a constant, or
a column that happens to be one), Polars multiplies by its reciprocal and takes powers by repeated
multiplication, which rounds differently from what it does for columns.
Does not know: SQL types.
"""

from __future__ import annotations

import polars as pl

from eau2.operators.expr import ColumnRef, Expr, walk
from eau2.operators.functions.checks import batchwise


def _spread(value: pl.Expr, anchor: pl.Expr) -> pl.Expr:
    """`value` as a column in memory, as long as `anchor`.

    What is subtracted is always zero, and subtracting zero keeps every float, -0.0 included.
    """
    never = anchor.is_null() & anchor.is_not_null()
    return value - never.cast(pl.UInt8)


def _anchor(expr: Expr) -> pl.Expr | None:
    """Some column that the expression reads."""
    for node in walk(expr):
        if isinstance(node, ColumnRef):
            return pl.col(node.label)
    return None


def divide(left: pl.Expr, right: pl.Expr, over: Expr) -> pl.Expr:
    """The correctly rounded quotient of two lowered operands of `over`."""
    anchor = _anchor(over)
    return left / right if anchor is None else left / _spread(right, anchor)


def power(base: pl.Expr, exponent: pl.Expr) -> pl.Expr:
    """`base` to the power `exponent`, by the same function for every batch."""
    return batchwise(pl.Float64(), _power, base, exponent)


def _power(frame: pl.DataFrame) -> pl.Series:
    # A single row would be taken for a constant.
    rows = pl.concat([frame, frame]) if frame.height == 1 else frame
    result: pl.Series = rows.get_column("0").pow(rows.get_column("1"))
    return result.head(frame.height)


def spread_divide(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """The correctly rounded quotient, where naming `left` twice does no harm."""
    return left / _spread(right, left)
