"""stddev, variance, covariance, correlation and regression as aggregates: types and states.

Owns: which exact sums each needs, and their states in partial frames. Comes in: bound arguments.
Goes out: calls, Polars expressions. Does not know: the formulas (moments.py), which need NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import polars as pl

from eau2 import types
from eau2.errors import TypeMismatchError
from eau2.operators.coercion import cast
from eau2.operators.expr import AggregateCall, Case, Expr, Literal
from eau2.types import Kind

SUMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("var_pop", "var_samp", "stddev_pop", "stddev_samp", "sem"), ("x", "xx")),
    **dict.fromkeys(("covar_pop", "covar_samp", "regr_sxy"), ("x", "y", "xy")),
    **dict.fromkeys(("corr", "regr_r2"), ("x", "y", "xx", "xy", "yy")),
    **dict.fromkeys(("regr_slope", "regr_intercept"), ("x", "y", "xx", "xy")),
    "regr_avgx": ("x",),
    "regr_avgy": ("y",),
    "regr_count": (),
    "regr_sxx": ("x", "xx"),
    "regr_syy": ("y", "yy"),
}
"""The sums of x, y and their products that each function needs."""
SYNONYMS = {"stddev": "stddev_samp", "variance": "var_samp"}
_OF_ONE = frozenset({"var_pop", "var_samp", "stddev_pop", "stddev_samp", "sem"})
_SPLIT = 134_217_729.0


class Book(Protocol):
    """Where states are asked for; see aggregates.py."""

    def argument(self, expr: Expr) -> str:
        """The label of an argument, computed once per row."""

    def state(
        self, key: object, label: str, dtype: pl.DataType, partial: pl.Expr, merge: str
    ) -> pl.Expr:
        """The column of a state, made once for each key."""

    def exact_pair(self, key: object, label: str, value: pl.Expr) -> pl.Expr:
        """The column of the exact sum of a Float64; with "_low" behind its label what is left."""


def bind_moment(
    name: str, function: str, args: tuple[Expr, ...], distinct: bool, where: Expr | None
) -> AggregateCall:
    """The call of one of these functions: all take numbers, and most give a DOUBLE."""
    wanted = 1 if function in _OF_ONE else 2
    if len(args) != wanted:
        noun = "argument" if wanted == 1 else "arguments"
        raise TypeMismatchError(f"{name} takes {wanted} {noun}, not {len(args)}")
    for arg in args:
        if not arg.type.is_numeric and arg.type.kind is not Kind.NULL:
            raise TypeMismatchError(f"{name} is not defined for {arg.type}")
    numbers = tuple(cast(arg, types.DOUBLE) for arg in args)
    if where is not None:
        first = Case(types.DOUBLE, ((where, numbers[0]),), Literal(types.DOUBLE, None))
        numbers = (first, *numbers[1:])
    type_ = types.UINTEGER if function == "regr_count" else types.DOUBLE
    return AggregateCall(function, numbers, type_, distinct)


def moment(call: AggregateCall, label: str, book: Book) -> pl.Expr:
    """The result over merged states."""
    names = [book.argument(arg) for arg in call.args]
    columns = [pl.col(name) for name in names]
    if len(columns) == 2:
        both = columns[0].is_not_null() & columns[1].is_not_null()
        columns = [pl.when(both).then(column) for column in columns]
    values = dict(zip(("y", "x") if len(columns) == 2 else ("x",), columns, strict=True))
    key = ("moment", *names)
    count = columns[0].count().cast(pl.Int64)
    number = book.state((*key, "n"), f"{label}_n", pl.Int64(), count, "sum")
    if call.function == "regr_count":
        return number
    known = {"n": number}
    bad, over = pl.lit(False), pl.lit(False)
    for value in values.values():
        bad = bad | (~value.is_finite()).fill_null(False)
    for sum_ in SUMS[call.function]:
        if len(sum_) == 1:
            parts: Sequence[pl.Expr] = (values[sum_],)
        else:
            parts = _two_product(values[sum_[0]], values[sum_[1]])
            over = over | parts[0].is_infinite().fill_null(False)
        for name, part in zip((sum_, f"{sum_}_rest"), parts, strict=False):
            high = book.exact_pair((*key, name), f"{label}_{name}", part)
            known[name] = high
            known[f"{name}_low"] = pl.col(f"{high.meta.output_name()}_low")
    known["bad"] = book.state((*key, "bad"), f"{label}_bad", pl.Boolean(), bad.any(), "any")
    products = (*key, SUMS[call.function], "over")
    known["over"] = book.state(products, f"{label}_over", pl.Boolean(), over.any(), "any")
    return _finished(call.function, known)


def _two_product(a: pl.Expr, b: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The product as rounded, and what the rounding left out (0 where that is not known)."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    rest = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    known = rest.is_finite() & (product.abs() > 1e-290)
    return product, pl.when(known).then(rest).otherwise(0.0)


def _halves(a: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    scaled = a * _SPLIT
    high = scaled - (scaled - a)
    return high, a - high


def _finished(function: str, known: dict[str, pl.Expr]) -> pl.Expr:
    """The formula over the groups' columns."""
    names = list(known)

    def run(columns: Sequence[pl.Series]) -> pl.Series:
        # NumPy takes its time to load, and most statements have no such aggregate.
        from eau2.operators.moments import finished

        return finished(function, dict(zip(names, columns, strict=True)))

    return pl.map_batches(list(known.values()), run, return_dtype=pl.Float64(), is_elementwise=True)
