"""stddev, variance, covariance, correlation and regression as aggregates: types and states.

Owns: which exact sums each needs, and their states in partial frames. Comes in: bound arguments.
Goes out: calls, Polars expressions. Does not know: the formulas (moments.py), which need NumPy.

Sums of integers and of their products are integers. Of doubles whose exponents are bounded they are
integers too, of more bits (long_sums.py). Of others a product is split into its rounded value and
the rest, which is a double too (Dekker 1971), and both go into one sum over bins. All are exact, so
that the pair of doubles that each sum becomes is the same whichever way it was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import polars as pl

from eau2 import types
from eau2.errors import TypeMismatchError
from eau2.operators import long_sums
from eau2.operators.coercion import cast
from eau2.operators.expr import AggregateCall, Case, Cast, Expr, Literal
from eau2.records import Record
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

    def exact_pair(
        self, key: object, label: str, parts: Sequence[pl.Expr]
    ) -> tuple[pl.Expr, pl.Expr]:
        """The exact sum of several Float64 together, and what its rounding leaves out."""

    def prepare(self, label: str, value: pl.Expr) -> pl.Expr:
        """A column computed once per row."""


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
    integers = _as_integers(call)
    args = call.args if integers is None else integers
    names = [book.argument(arg) for arg in args]
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
    wanted = _Wanted(call, label, book, key, values)
    if integers is not None:
        known |= _integer_sums(wanted, narrow=not call.wide)
        return _finished(call.function, known)
    if not call.finite:
        bad = pl.lit(False)
        for value in values.values():
            bad = bad | (~value.is_finite()).fill_null(False)
        known["bad"] = book.state((*key, "bad"), f"{label}_bad", pl.Boolean(), bad.any(), "any")
    if call.exponents is not None and long_sums.fits(call.exponents):
        known |= _long_sums(wanted, call.exponents)
        return _finished(call.function, known, long_sums.unit(call.exponents))
    found, over = _binned_sums(wanted)
    products = (*key, SUMS[call.function], "over")
    known["over"] = book.state(products, f"{label}_over", pl.Boolean(), over.any(), "any")
    return _finished(call.function, known | found)


class _Wanted(Record, frozen=True):
    """What a call needs sums of. values: "x" and "y", NULL where one of them is."""

    call: AggregateCall
    label: str
    book: Book
    key: tuple[str, ...]
    values: dict[str, pl.Expr]

    @property
    def sums(self) -> tuple[str, ...]:
        return SUMS[self.call.function]

    def total(self, name: str, value: pl.Expr) -> pl.Expr:
        """The sum of an Int128 or, where 64 bits do, of an Int64."""
        partial = value.sum().cast(pl.Int128)
        return self.book.state(
            (*self.key, name), f"{self.label}_{name}", pl.Int128(), partial, "sum"
        )


def _paired(name: str, pair: tuple[pl.Expr, pl.Expr]) -> dict[str, pl.Expr]:
    return {name: pair[0], f"{name}_low": pair[1]}


def _integer_sums(wanted: _Wanted, narrow: bool) -> dict[str, pl.Expr]:
    """narrow: sums of products fit 64 bits."""
    known: dict[str, pl.Expr] = {}
    for sum_ in wanted.sums:
        factors = [wanted.values[name].cast(pl.Int64) for name in sum_]
        value = factors[0] if len(factors) == 1 else factors[0] * factors[1]
        total = wanted.total(f"{sum_}_int", value if narrow else value.cast(pl.Int128))
        known |= _paired(sum_, long_sums.pair_of_integer(total))
    return known


def _long_sums(wanted: _Wanted, exponents: tuple[int, int]) -> dict[str, pl.Expr]:
    """Pairs of single sums; of products the sums of their parts, in columns "xx_0" to "xx_2"."""
    known: dict[str, pl.Expr] = {}
    bound = f"{exponents[0]}_{exponents[1]}"
    halves: dict[str, tuple[pl.Expr, pl.Expr]] = {}
    for name in dict.fromkeys("".join(wanted.sums)):
        made = long_sums.halves(wanted.values[name], exponents)
        high, low = (
            wanted.book.prepare("_".join((*wanted.key, name, bound, side)), half)
            for side, half in zip(("high", "low"), made, strict=True)
        )
        halves[name] = (high, low)
    for sum_ in wanted.sums:
        if len(sum_) == 1:
            total = wanted.total(f"{sum_}_{bound}", long_sums.joined(halves[sum_]))
            unit = long_sums.unit(exponents) // 2
            known |= _paired(sum_, long_sums.pair_of_integer(total, unit))
            continue
        parts = long_sums.product(halves[sum_[0]], halves[sum_[1]])
        for place, part in enumerate(parts):
            known[f"{sum_}_{place}"] = wanted.total(f"{sum_}_{bound}_{place}", part)
    return known


def _binned_sums(wanted: _Wanted) -> tuple[dict[str, pl.Expr], pl.Expr]:
    """The sums, and where a product is too large."""
    known: dict[str, pl.Expr] = {}
    over = pl.lit(False)
    for sum_ in wanted.sums:
        parts: Sequence[pl.Expr] = (wanted.values[sum_[0]],)
        if len(sum_) == 2:
            parts = _two_product(wanted.values[sum_[0]], wanted.values[sum_[1]])
            over = over | parts[0].is_infinite().fill_null(False)
        pair = wanted.book.exact_pair((*wanted.key, sum_), f"{wanted.label}_{sum_}", parts)
        known |= _paired(sum_, pair)
    return known, over


_EXACT_PRODUCTS = frozenset(
    {Kind.TINYINT, Kind.SMALLINT, Kind.INTEGER, Kind.UTINYINT, Kind.USMALLINT}
)
"""Integers of which 64 bits hold a product."""


def as_integer(arg: Expr) -> Expr | None:
    """The integer that `arg`, as bind_moment gives it, casts to DOUBLE, if it is one."""
    match arg:
        case Cast(arg=value) if value.type.is_integer:
            return value
        case Case(branches=((condition, then),), otherwise=Literal(value=None)):
            found = as_integer(then)
            if found is not None:
                return Case(found.type, ((condition, found),), Literal(found.type, None))
    return None


def _as_integers(call: AggregateCall) -> tuple[Expr, ...] | None:
    """The arguments as integers, where they are, and sums of their products fit 128 bits."""
    found = [as_integer(arg) for arg in call.args]
    integers = tuple(arg for arg in found if arg is not None)
    if len(integers) < len(found):
        return None
    small = all(arg.type.kind in _EXACT_PRODUCTS for arg in integers)
    return integers if small or not call.wide else None


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


def _finished(function: str, known: dict[str, pl.Expr], unit: int = 0) -> pl.Expr:
    """The formula over the groups' columns. unit: what long sums of products count."""
    names = list(known)
    long = [name for name in SUMS[function] if f"{name}_0" in known]

    def run(columns: Sequence[pl.Series]) -> pl.Series:
        # NumPy takes its time to load, and most statements have no such aggregate.
        from eau2.operators.moments import finished

        table = dict(zip(names, columns, strict=True))
        for name in long:
            top, middle, low = (table[f"{name}_{place}"] for place in range(3))
            table[name], table[f"{name}_low"] = long_sums.pair(top, middle, low, unit)
        return finished(function, table)

    return pl.map_batches(list(known.values()), run, return_dtype=pl.Float64(), is_elementwise=True)
