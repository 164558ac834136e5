"""Float operations whose last digit must not depend on how rows are cut into batches.

Owns: `add`, `divide` and `power`. Where an operand is one value for a whole batch (a constant, or
a column that happens to be one), Polars takes x + 0 for x, multiplies by the reciprocal instead of
dividing, and takes powers by repeated multiplication: what it does for columns differs.
Does not know: SQL types.
"""

from __future__ import annotations

from functools import reduce
from operator import and_

import polars as pl

from eau2.operators.expr import ColumnRef, Expr, Literal, walk
from eau2.operators.functions.checks import batchwise, formula
from eau2.operators.physical import kernel_dtype


def add(op: str, left: pl.Expr, right: pl.Expr, over: Expr) -> pl.Expr:
    """The sum (op "+") or difference ("-") of two lowered operands of `over`.

    As IEEE 754 has it, a zero is negative only for -0.0 + -0.0 and -0.0 - 0.0.
    """
    dtype = kernel_dtype(over.type)
    zero = pl.lit(0.0, dtype)

    def signed(left: pl.Expr, right: pl.Expr) -> pl.Expr:
        result = left + right if op == "+" else left - right
        other = _negative_zero(right) if op == "+" else (right == zero) & ~_negative_zero(right)
        positive = (result == zero) & ~(_negative_zero(left) & other)
        return pl.when(positive).then(zero).otherwise(result)

    if any(isinstance(arg, Literal) and arg.value not in (0, None) for arg in over.children):
        return left + right if op == "+" else left - right
    return formula(dtype, signed, left, right)


def _negative_zero(value: pl.Expr) -> pl.Expr:
    """True for -0.0 alone."""
    return (value == 0.0) & (1.0 / value < 0.0)


def _spread(value: pl.Expr, *anchors: pl.Expr) -> pl.Expr:
    """`value` as a column in memory, as long as the longest of `anchors`.

    It is multiplied by one, which keeps every float; adding zero would not keep -0.0.
    """
    true = (anchor.is_null() | anchor.is_not_null() for anchor in anchors)
    return value * reduce(and_, true).cast(pl.UInt8)


def _columns(expr: Expr) -> list[pl.Expr]:
    """The columns that the expression reads."""
    labels = (node.label for node in walk(expr) if isinstance(node, ColumnRef))
    return [pl.col(label) for label in dict.fromkeys(labels)]


def divide(left: pl.Expr, right: pl.Expr, over: Expr) -> pl.Expr:
    """The correctly rounded quotient of two lowered operands of `over`.

    Any column may be one value for all rows, as that of a one-row side of a join is: the divisor is
    as long as the dividend where it is as long as all columns of this one together. A dividend of
    constants is a column too where a guard decides for which rows it is computed.
    """
    dividend = over.children[0]
    anchors = _columns(dividend) or ([] if isinstance(dividend, Literal) else [left])
    return left / _spread(right, *anchors) if anchors else left / right


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
