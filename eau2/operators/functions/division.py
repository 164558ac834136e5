"""Division: how /, // and % are computed on integers, decimals and floats.

Owns: that quotients are cut towards zero, that a zero divisor fails where it does in DuckDB, and
the exact remainder of floats.
Does not know: result types (arithmetic.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import polars as pl

from eau2.operators.expr import Call, Literal
from eau2.operators.functions.checks import Outcome, Scope, batchwise, checked, formula
from eau2.operators.functions.decimals import decimal_text
from eau2.operators.functions.floats import divide, spread_divide
from eau2.operators.physical import kernel_dtype
from eau2.types import INTEGER_RANGES, SqlType


def lower_divide(call: Call, scope: Scope) -> pl.Expr:
    """The operator /: floats alone get here."""
    left, right = (scope.lower(arg) for arg in call.args)
    return divide(left, right, call)


def _zero_division(op: str, left: pl.Expr) -> tuple[str | pl.Expr, ...]:
    return ("division by zero: ", left, f" {op} 0")


def lower_whole_divide(call: Call, scope: Scope) -> pl.Expr:
    """The operator //."""
    left, right = (scope.lower(arg) for arg in call.args)
    type_ = call.type
    if type_.is_float:
        return checked(kernel_dtype(type_), _float_whole_divide, scope, left, right)
    return _divided(call, left, right, scope, _truncated)


def _float_whole_divide(left: pl.Expr, right: pl.Expr) -> Outcome:
    # DuckDB divides floats by // as by /, but for the error on zero.
    return Outcome(
        spread_divide(left, right),
        (right == 0) & left.is_not_null(),
        "range",
        _zero_division("//", left),
    )


def _truncated(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """The quotient of signed integers cut towards zero: Polars rounds it down."""
    inexact = (left % right != 0) & ((left < 0) != (right < 0))
    return left // right + inexact.cast(pl.Int8)


def _truncated_rest(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """The remainder with the sign of the dividend: Polars gives it the divisor's."""
    rest = left % right
    turned = (rest != 0) & ((left < 0) != (right < 0))
    return pl.when(turned).then(rest - right).otherwise(rest)


def lower_remainder(call: Call, scope: Scope) -> pl.Expr:
    """The operator %."""
    left, right = (scope.lower(arg) for arg in call.args)
    type_ = call.type
    if type_.is_float:
        return _float_remainder(left, right, type_)
    return _divided(call, left, right, scope, _truncated_rest)


def _divided(
    call: Call,
    left: pl.Expr,
    right: pl.Expr,
    scope: Scope,
    signed: Callable[[pl.Expr, pl.Expr], pl.Expr],
) -> pl.Expr:
    """// or % on integers and decimals: no zero divisor, nor the least integer // -1."""
    type_, op = call.type, call.function
    low = 0 if type_.is_decimal else INTEGER_RANGES[type_.kind][0]
    if not type_.is_decimal and low == 0:
        signed = {"//": lambda a, b: a // b, "%": lambda a, b: a % b}[op]
    divisor = call.args[1]
    constant = divisor.value if isinstance(divisor, Literal) else None
    dtype = kernel_dtype(type_)
    if isinstance(constant, int) and constant > 0:
        return formula(dtype, partial(_by_positive, op, type_, constant), left)
    if constant not in (None, 0) and (constant != -1 or low == 0 or op == "%"):
        return formula(dtype, signed, left, right)

    def over(left: pl.Expr, right: pl.Expr) -> Outcome:
        zero = (right == 0) & left.is_not_null()
        shown = decimal_text(left, type_) if type_.is_decimal else left
        if low == 0:
            return Outcome(signed(left, right), zero, "range", _zero_division(op, shown))
        if op == "%":
            return Outcome(signed(left, right), zero, "range", _zero_division(op, left))
        least = (left == pl.lit(low, dtype)) & (right == -1)
        failure = pl.when(right == 0).then(pl.lit("division by zero"))
        message = (failure.otherwise(pl.lit("integer overflow")), ": ", left, f" {op} ", right)
        return Outcome(signed(left, right), zero | least, "range", message)

    return checked(dtype, over, scope, left, right)


def _by_positive(op: str, type_: SqlType, divisor: int, value: pl.Expr) -> pl.Expr:
    """// or % by a positive constant: rounding down is cutting, once negatives are moved up."""
    constant = pl.lit(divisor, kernel_dtype(type_))
    if not type_.is_decimal and INTEGER_RANGES[type_.kind][0] == 0:
        return value // constant if op == "//" else value % constant
    raised = value + (value < 0).cast(kernel_dtype(type_)) * (constant - 1)
    quotient = raised // constant
    return quotient if op == "//" else value - quotient * constant


def _float_remainder(left: pl.Expr, right: pl.Expr, type_: SqlType) -> pl.Expr:
    """The exact remainder of a division cut towards zero, by Python's fmod on distinct pairs.

    Polars has only a floored remainder, which loses digits when the quotient is large.
    """
    dtype = kernel_dtype(type_)
    return batchwise(dtype, lambda frame: _fmod(frame).cast(dtype), left, right)


def _fmod(frame: pl.DataFrame) -> pl.Series:
    pairs = frame.select(
        pl.col("0").cast(pl.Float64).abs().alias("a"), pl.col("1").cast(pl.Float64).abs().alias("b")
    )
    known = pairs.unique()
    rests = [_fmod_one(a, b) for a, b in known.iter_rows()]
    table = known.with_columns(pl.Series("rest", rests, dtype=pl.Float64))
    joined = pairs.join(table, on=["a", "b"], how="left", nulls_equal=True, maintain_order="left")
    value = frame.get_column("0").cast(pl.Float64)
    negative = (value < 0) | (1 / value < 0)
    return joined.select(pl.when(negative).then(-pl.col("rest")).otherwise("rest")).to_series()


def _fmod_one(a: float | None, b: float | None) -> float | None:
    if a is None or b is None:
        return None
    if b == 0 or math.isinf(a) or math.isnan(a) or math.isnan(b):
        return math.nan
    return math.fmod(a, b)
