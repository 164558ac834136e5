"""Counts, sums and averages as aggregates: their states in partial frames, and results over them.

Owns: in how many bits a sum is kept, and when it is checked. Comes in: bound calls. Goes out:
expressions over columns. Does not know: other aggregates, how binned sums are merged (merging.py).

The sum of x + 3 is that of x and three times the number of values, so that many such sums cost one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal as OneOf
from typing import Protocol

import polars as pl

from eau2 import types
from eau2.operators import exact_sum
from eau2.operators.expr import AggregateCall, Call, Expr, Literal
from eau2.types import Kind

_WRAPPED_UNIT = 2.0**-96
_SHORT_INTEGERS = frozenset(
    {
        Kind.BOOLEAN,
        Kind.TINYINT,
        Kind.SMALLINT,
        Kind.INTEGER,
        Kind.UTINYINT,
        Kind.USMALLINT,
        Kind.UINTEGER,
    }
)
"""Of these a task cannot hold enough rows for their sum to leave 64 bits."""

Reduction = OneOf["rows", "count", "sum", "min", "max"]
"""States that are simple to make of rows that lie together; sums are of 64 bits, proven to do."""


class Book(Protocol):
    """Where states are asked for; see aggregates.py."""

    def argument(self, expr: Expr) -> str:
        """The label of an argument, computed once per row."""

    def state(
        self,
        key: object,
        label: str,
        dtype: pl.DataType,
        partial: pl.Expr,
        merge: str | Callable[[pl.Expr], pl.Expr],
        reduction: tuple[Reduction, str] | None = None,
    ) -> pl.Expr:
        """The column of a state, made once for each key."""

    def has(self, key: object) -> bool:
        """Whether there is a state of this key."""

    def binned(
        self, key: object, label: str, value: pl.Expr, special: str | None = None
    ) -> pl.Expr:
        """The column of a sum of Float64 over bins, made once for each key.

        special: the label of a state `exact_sum.special` of the same value, if there is one.
        """

    def check(self, overflow: pl.Expr, message: str) -> None:
        """Raise with the message where `overflow` is true of a group."""


def _moved(arg: Expr) -> tuple[Expr, int, int]:
    """(x, sign, offset) such that `arg` is sign * x + offset, and NULL where x is.

    Only of short integers, and where no value overflows: else that must be noticed.
    """
    sign, offset = 1, 0
    while isinstance(arg, Call) and not arg.checked:
        match arg:
            case Call(function="+" | "-" as name, args=(x, Literal(value=int(constant)))):
                added, turned = (constant if name == "+" else -constant), 1
            case Call(function="+", args=(Literal(value=int(constant)), x)):
                added, turned = constant, 1
            case Call(function="-", args=(Literal(value=int(constant)), x)):
                added, turned = constant, -1
            case _:
                break
        if x.type.kind not in _SHORT_INTEGERS or x.type.kind is Kind.BOOLEAN:
            break
        arg, sign, offset = x, sign * turned, offset + sign * added
    return arg, sign, offset


def row_count(label: str, book: Book) -> pl.Expr:
    """How many rows there are."""
    rows = pl.len().cast(pl.Int64)
    return book.state("rows", f"{label}_rows", pl.Int64(), rows, "sum", ("rows", ""))


def value_count(call: AggregateCall, arg: Expr, label: str, book: Book) -> pl.Expr:
    """How many values are not NULL: where none can be, how many rows there are."""
    if call.present:
        return row_count(label, book)
    name = book.argument(_moved(arg)[0] if arg.type.is_integer else arg)
    value = pl.col(name)
    key = ("count", name)
    counted = value.count().cast(pl.Int64)
    return book.state(key, f"{label}_count", pl.Int64(), counted, "sum", ("count", name))


def average(call: AggregateCall, arg: Expr, label: str, book: Book) -> pl.Expr:
    """The sum as a double, by the scale, by the count: DuckDB's order of these divisions."""
    if arg.type.is_float:
        total = float_sum(call, arg, label, book)
    else:
        total = integer_sum(call, arg, label, book).cast(pl.Float64)
    if arg.type.scale:
        total = total / 10.0**arg.type.scale
    count = value_count(call, arg, label, book)
    return pl.when(count > 0).then(total / count.cast(pl.Float64))


def integer_sum(call: AggregateCall, arg: Expr, label: str, book: Book) -> pl.Expr:
    """The sum of integers, booleans or scaled decimals as an Int128."""
    if arg.type.is_integer:
        bare, sign, offset = _moved(arg)
        if bare is not arg:
            total = integer_sum(call, bare, label, book) * pl.lit(sign, dtype=pl.Int128)
            count = value_count(call, bare, label, book).cast(pl.Int128)
            return total + count * pl.lit(offset, dtype=pl.Int128)
    name = book.argument(arg)
    value = pl.col(name)
    narrow = arg.type.kind in _SHORT_INTEGERS or not call.wide
    if narrow or arg.type.kind is Kind.NULL:
        # Within one task; partial frames merge in 128 bits.
        partial = value.cast(pl.Int64).sum().cast(pl.Int128)
        key = ("sum", name, "64")
        return book.state(key, f"{label}_sum", pl.Int128(), partial, "sum", ("sum", name))
    partial = value.cast(pl.Int128).sum()
    total = book.state(("sum", name, "128"), f"{label}_sum", pl.Int128(), partial, "sum")
    if arg.type.is_wide:
        _check_wide_sum(call, arg, total, label, book)
    return total


def _check_wide_sum(call: AggregateCall, arg: Expr, total: pl.Expr, label: str, book: Book) -> None:
    """A sum of Int128 values wraps silently: watch it with a second, coarse sum.

    The coarse sum counts 2**96, rounding each value toward zero, so it is off by less than one for
    each row. If the exact sum has wrapped, the two are 2**32 or more apart, else less than the
    number of rows; 2**31 tells them apart up to 2**31 rows.
    """
    name = book.argument(arg)
    key = ("coarse", name)
    if book.has(key):
        return
    value = pl.col(name)
    units = (value.cast(pl.Float64) * _WRAPPED_UNIT).cast(pl.Int64)
    coarse = book.state(key, f"{label}_coarse", pl.Int64(), units.sum(), "sum")
    count = value_count(call, arg, label, book)
    apart = (coarse.cast(pl.Float64) - total.cast(pl.Float64) * _WRAPPED_UNIT).abs()
    overflow = (apart > 2.0**31) | (count >= 1 << 31)
    digits = "HUGEINT"
    if arg.type.is_decimal:
        limit = 10**types.MAX_DECIMAL_DIGITS
        overflow = overflow | (total >= limit) | (total <= -limit)
        digits = str(types.decimal(types.MAX_DECIMAL_DIGITS, arg.type.scale))
    book.check(overflow, f"the sum of {arg.type} values does not fit {digits}")


def float_sum(call: AggregateCall, arg: Expr, label: str, book: Book) -> pl.Expr:
    """The exact sum of FLOAT or DOUBLE values, rounded once, as a Float64."""
    name = book.argument(arg)
    value = pl.col(name).cast(pl.Float64)
    exponents = call.exponents
    special = None if call.finite else f"{label}_special"
    if exponents is not None and exact_sum.fits(exponents):
        partial = exact_sum.scaled_fixed(value, exponents).sum()
        key = ("fixed", name, exponents)
        scaled = book.state(key, f"{label}_sum", pl.Int128(), partial, "sum")
        total = exact_sum.finish_fixed(scaled, exponents)
    else:
        total = book.binned(("binned", name), f"{label}_sum", value, special)
    if special is None:
        return total
    non_finite = book.state(
        ("special", name), special, pl.Float64(), exact_sum.special(value), "sum"
    )
    return exact_sum.with_special(total, non_finite)
