"""Operators on the bits of integers: and, or, not, xor, shifts, bit_count.

Owns: their types and DuckDB's rules for shifts: none of or by a negative number to the left, no
bit that is lost there; to the right whatever is shifted out is gone.
Does not know: bitwise aggregates, texts of bits (encodings.py).
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from eau2.operators.coercion import is_null, is_string_literal
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.checks import Outcome, Scope, batchwise, checked
from eau2.operators.functions.function import (
    Function,
    LowerCall,
    Signature,
    mismatch,
    overloads,
    strict,
    values,
)
from eau2.operators.physical import kernel_dtype
from eau2.types import (
    BIGINT,
    HUGEINT,
    INTEGER,
    INTEGER_RANGES,
    SMALLINT,
    TINYINT,
    UBIGINT,
    UINTEGER,
    USMALLINT,
    UTINYINT,
    SqlType,
)

_INTEGERS = (
    *(INTEGER, BIGINT, SMALLINT, TINYINT, HUGEINT),
    *(UTINYINT, USMALLINT, UINTEGER, UBIGINT),
)
_POWERS = pl.Series([2**exponent for exponent in range(127)], dtype=pl.Int128)


def _bind(syntax: str, count: int) -> Callable[[str, tuple[Expr, ...]], Expr]:
    """All operands are of one integer type, and so is the result."""
    plain = overloads(syntax, *(Signature((type_,) * count, type_) for type_ in _INTEGERS))

    def bind(name: str, args: tuple[Expr, ...]) -> Expr:
        if args and all(is_string_literal(arg) for arg in args):
            raise mismatch(name, args, "Cast a string to an integer type first.")
        if len(args) == count and all(is_null(arg) for arg in args):
            return Literal(BIGINT, None)
        return plain(name, args)

    return bind


def _bit_size(type_: SqlType) -> int:
    low, high = INTEGER_RANGES[type_.kind]
    return (high - low).bit_length()


def _exponent(by: pl.Expr) -> pl.Expr:
    """The places of a shift as an index of _POWERS; beyond them the result does not count."""
    return by.clip(0, 126).cast(pl.Int64)


def _lower_shift_left(call: Call, scope: Scope) -> pl.Expr:
    type_ = call.type
    dtype = kernel_dtype(type_)
    greatest = INTEGER_RANGES[type_.kind][1]

    def over(value: pl.Expr, by: pl.Expr) -> Outcome:
        wide = value.cast(pl.Int128)
        factor = pl.lit(_POWERS).gather(_exponent(by))
        lost = (wide != 0) & (
            (by >= min(_bit_size(type_), 127)) | (wide > pl.lit(greatest, pl.Int128) // factor)
        )
        known = value.is_not_null() & by.is_not_null()
        bad = known & ((value < 0) | (by < 0) | lost)
        shown = ("overflow in left shift: ", value, " << ", by, f" is no {type_}")
        return Outcome((wide * factor).cast(dtype, strict=False), bad, "range", shown)

    return checked(dtype, over, scope, *(scope.lower(arg) for arg in call.args))


def _lower_shift_right(call: Call, scope: Scope) -> pl.Expr:
    bits = _bit_size(call.type)

    dtype = kernel_dtype(call.type)

    def over(value: pl.Expr, by: pl.Expr) -> pl.Expr:
        wide = value.cast(pl.Int128)
        shifted = wide // pl.lit(_POWERS).gather(_exponent(by))
        # 2**127 is no 128-bit number: what so long a shift leaves is the sign.
        shifted = pl.when(by == 127).then((wide < 0).cast(pl.Int128) * -1).otherwise(shifted)
        return pl.when((by >= 0) & (by < bits)).then(shifted).otherwise(pl.lit(0, pl.Int128))

    def run(frame: pl.DataFrame) -> pl.Series:
        moved = strict(over)(pl.col("0"), pl.col("1"))
        return frame.select(moved.cast(dtype).alias("0")).to_series()

    return batchwise(dtype, run, *(scope.lower(arg) for arg in call.args))


def _lower_not(call: Call, scope: Scope) -> pl.Expr:
    greatest = INTEGER_RANGES[call.type.kind]
    value = scope.lower(call.args[0])
    if greatest[0] < 0:
        return (-1 - value).cast(kernel_dtype(call.type))
    return (pl.lit(greatest[1], kernel_dtype(call.type)) - value).cast(kernel_dtype(call.type))


def _and(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    return left & right


def _or(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    return left | right


def _xor(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    return left ^ right


def _lower_count(call: Call, scope: Scope) -> pl.Expr:
    counted = scope.lower(call.args[0]).bitwise_count_ones()
    return counted.cast(kernel_dtype(call.type))


def _operator(
    name: str,
    syntax: str,
    summary: str,
    example: str,
    lower: LowerCall,
    *,
    operands: int = 2,
    operator: bool = True,
    fails: bool = False,
) -> Function:
    bind = _bind(syntax, operands)
    return Function(
        name, "bits", syntax, summary, example, bind, lower, operator=operator, fails=fails
    )


_COUNTS = tuple(
    Signature((type_,), SMALLINT if type_ in (HUGEINT, UBIGINT) else TINYINT)
    for type_ in (TINYINT, *_INTEGERS)
)


def _bind_count(name: str, args: tuple[Expr, ...]) -> Expr:
    if args and is_string_literal(args[0]):
        raise mismatch(name, args, "Cast a string to an integer type first.")
    return overloads("bit_count(x)", *_COUNTS)(name, args)


FUNCTIONS = (
    _operator("&", "a & b", "The bits that both numbers have.", "12 & 10 = 8", values(_and)),
    _operator("|", "a | b", "The bits that one of the numbers has.", "12 | 10 = 14", values(_or)),
    _operator(
        "xor",
        "xor(a, b)",
        "The bits that exactly one of the numbers has.",
        "xor(12, 10) = 6",
        values(_xor),
        operator=False,
    ),
    _operator(
        "<<",
        "a << n",
        "The bits moved n places up; a bit that is lost is an error.",
        "3 << 2 = 12",
        _lower_shift_left,
        fails=True,
    ),
    _operator(
        ">>",
        "a >> n",
        "The bits moved n places down; 0 when n is negative or there are no such places.",
        "12 >> 2 = 3",
        _lower_shift_right,
    ),
    _operator(
        "bit_not", "~a", "The number with all bits turned.", "~12 = -13", _lower_not, operands=1
    ),
    Function(
        "bit_count",
        "bits",
        "bit_count(x)",
        "How many bits of the number are 1.",
        "bit_count(13) = 3",
        _bind_count,
        _lower_count,
    ),
)
