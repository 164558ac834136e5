"""Functions of whole numbers: gcd, lcm, factorial.

Owns: their types, and where they leave them. Does not know: the arithmetic operators
(arithmetic.py), bits (bits.py).
"""

from __future__ import annotations

import math

import polars as pl

from eau2.operators.expr import Call
from eau2.operators.functions.checks import Outcome, Scope, batchwise, checked
from eau2.operators.functions.distinct import Refusal, for_distinct_checked
from eau2.operators.functions.function import Function, Signature, overloads
from eau2.operators.physical import kernel_dtype, literal
from eau2.types import BIGINT, HUGEINT, INTEGER, INTEGER_RANGES, Kind, SqlType

_LARGEST_FACTORIAL = 33
"""Of what a HUGEINT can hold."""
_LARGEST_CHOICE = 130
"""Choosing more, of at least twice as many, gives more than a HUGEINT can hold."""
_PAIRS = (Signature((BIGINT, BIGINT), BIGINT), Signature((HUGEINT, HUGEINT), HUGEINT))


def _gcd(frame: pl.DataFrame) -> pl.Series:
    """Euclid's algorithm over whole columns: at most 185 steps, until every remainder is zero."""
    a, b = (frame.get_column(name).cast(pl.Int128) for name in ("0", "1"))
    known = a.is_not_null() & b.is_not_null()
    a, b = a.set(~known, None), b.set(~known, None)
    while (b != 0).any():
        rest = a.to_frame("a").with_columns(b.alias("b"))
        step = rest.select(
            pl.when(pl.col("b") != 0).then(pl.col("b")).otherwise(pl.col("a")).alias("a"),
            pl.when(pl.col("b") != 0).then(pl.col("a") % pl.col("b")).otherwise(0).alias("b"),
        )
        a, b = step.get_column("a"), step.get_column("b")
    return a.abs()


def _outside(value: pl.Expr, type_: SqlType) -> pl.Expr:
    """Whether a magnitude has no place in the type; in 128 bits it is negative then."""
    return (value < 0) | (value > literal(INTEGER_RANGES[type_.kind][1], HUGEINT))


def _lower_gcd(call: Call, scope: Scope) -> pl.Expr:
    dtype = kernel_dtype(call.type)

    def over(divisor: pl.Expr) -> Outcome:
        shown = (f"the greatest common divisor does not fit {call.type}",)
        bad = _outside(divisor, call.type)
        return Outcome(divisor.cast(dtype, strict=False), bad, "range", shown)

    operands = (scope.lower(arg) for arg in call.args)
    return checked(dtype, over, scope, batchwise(pl.Int128(), _gcd, *operands))


def _lower_lcm(call: Call, scope: Scope) -> pl.Expr:
    dtype = kernel_dtype(call.type)
    greatest = literal(INTEGER_RANGES[call.type.kind][1], HUGEINT)
    least = literal(INTEGER_RANGES[call.type.kind][0], HUGEINT)

    def run(frame: pl.DataFrame) -> pl.Series:
        return frame.with_columns(_gcd(frame).alias("2")).to_struct("both")

    def over(both: pl.Expr) -> Outcome:
        a, b, divisor = (both.struct.field(name).cast(pl.Int128) for name in "012")
        zero = (a == 0) | (b == 0)
        part = pl.when(~zero).then(b.abs() // divisor)
        bad = ~zero & ((a == least) | (b == least) | (a.abs() > greatest // part))
        multiple = pl.when(zero).then(pl.lit(0, pl.Int128)).otherwise(a.abs() * part)
        known = a.is_not_null() & b.is_not_null()
        shown = ("the least common multiple of ", a, " and ", b, f" does not fit {call.type}")
        return Outcome(pl.when(known).then(multiple).cast(dtype, strict=False), bad, "range", shown)

    operand = kernel_dtype(call.args[0].type)
    fields = pl.Struct({"0": operand, "1": operand, "2": pl.Int128()})
    together = batchwise(fields, run, *(scope.lower(arg) for arg in call.args))
    return checked(dtype, over, scope, together)


def _factorial(number: int) -> int | Refusal:
    if number < 0:
        return Refusal(f"the factorial of {number} is not defined: it is negative")
    if number > _LARGEST_FACTORIAL:
        return Refusal(f"the factorial of {number} does not fit HUGEINT")
    return math.factorial(number)


def _binom(number: int, chosen: int) -> int | Refusal:
    if number < 0 or chosen < 0:
        return Refusal("binom of a negative number is not defined")
    if min(chosen, number - chosen) <= _LARGEST_CHOICE:
        ways = math.comb(number, chosen)
        if ways <= INTEGER_RANGES[Kind.HUGEINT][1]:
            return ways
    return Refusal(f"binom({number}, {chosen}) does not fit HUGEINT")


FUNCTIONS = (
    Function(
        "gcd",
        "mathematics",
        "gcd(x, y)",
        "The greatest common divisor.",
        "gcd(12, 18) = 6",
        overloads("gcd(x, y)", *_PAIRS),
        _lower_gcd,
        aliases=("greatest_common_divisor",),
        fails=True,
    ),
    Function(
        "lcm",
        "mathematics",
        "lcm(x, y)",
        "The least common multiple.",
        "lcm(4, 6) = 12",
        overloads("lcm(x, y)", *_PAIRS),
        _lower_lcm,
        aliases=("least_common_multiple",),
        fails=True,
    ),
    Function(
        "factorial",
        "mathematics",
        "factorial(n)",
        "The product of the numbers from 1 to n; also written n!.",
        "factorial(5) = 120",
        overloads("factorial(n)", Signature((INTEGER,), HUGEINT)),
        for_distinct_checked(pl.Int128(), _factorial),
        fails=True,
    ),
    Function(
        "binom",
        "mathematics",
        "binom(n, k)",
        "In how many ways k of n things can be chosen.",
        "binom(5, 2) = 10",
        overloads("binom(n, k)", Signature((INTEGER, INTEGER), HUGEINT)),
        for_distinct_checked(pl.Int128(), _binom),
        fails=True,
    ),
)
