"""The words of functions and aggregates in Python: `from eau2.math import count, exp, log, sum`.

Owns: the scalar functions, which are those of Python's own math, and the aggregates by name. They
are names for the compiler of @eau2.function and @eau2.aggregate, and run in plain Python too, so
that a function can be tried, tested and checked without a database.
Comes in, in plain Python: numbers, or an iterable of values. Goes out: a number or a value.
Does not know: how a query computes them. It imports nothing of eau2.

In the body of an @eau2.aggregate an aggregate takes a column: `sum(x)`, `avg(x * w)`, `count()`.
Called in plain Python it takes an iterable of values, of which None is skipped, and gives None
where there are none. Given a single value it raises TypeError.
"""

from __future__ import annotations

import builtins
import datetime as dt
import math
from collections.abc import Callable, Iterable
from math import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cbrt,
    ceil,
    copysign,
    cos,
    cosh,
    degrees,
    e,
    erf,
    erfc,
    exp,
    exp2,
    expm1,
    fabs,
    factorial,
    floor,
    fmod,
    gamma,
    gcd,
    hypot,
    inf,
    isclose,
    isfinite,
    isinf,
    isnan,
    isqrt,
    lcm,
    lgamma,
    log,
    log1p,
    log2,
    log10,
    nan,
    pi,
    radians,
    remainder,
    sin,
    sinh,
    sqrt,
    tan,
    tanh,
    tau,
    trunc,
)
from statistics import median as _middle
from typing import Any, Protocol, TypeVar, cast, overload

__all__ = [
    "AGGREGATES",
    "acos",
    "acosh",
    "any_value",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "avg",
    "bool_and",
    "bool_or",
    "cbrt",
    "ceil",
    "copysign",
    "corr",
    "cos",
    "cosh",
    "count",
    "count_if",
    "covar_pop",
    "covar_samp",
    "degrees",
    "e",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "factorial",
    "first",
    "floor",
    "fmod",
    "gamma",
    "gcd",
    "hypot",
    "inf",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "isqrt",
    "last",
    "lcm",
    "lgamma",
    "log",
    "log1p",
    "log2",
    "log10",
    "max",
    "mean",
    "median",
    "min",
    "nan",
    "pi",
    "product",
    "radians",
    "remainder",
    "sin",
    "sinh",
    "sqrt",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "sum",
    "tan",
    "tanh",
    "tau",
    "trunc",
    "var_pop",
    "var_samp",
    "variance",
]

AGGREGATES: dict[str, str] = {
    "any_value": "any_value",
    "avg": "avg",
    "bool_and": "bool_and",
    "bool_or": "bool_or",
    "corr": "corr",
    "count": "count",
    "count_if": "count_if",
    "covar_pop": "covar_pop",
    "covar_samp": "covar_samp",
    "first": "first",
    "last": "last",
    "max": "max",
    "mean": "avg",
    "median": "median",
    "min": "min",
    "product": "product",
    "stddev": "stddev_samp",
    "stddev_pop": "stddev_pop",
    "stddev_samp": "stddev_samp",
    "sum": "sum",
    "var_pop": "var_pop",
    "var_samp": "var_samp",
    "variance": "var_samp",
}
"""The aggregates here, and what SQL calls each; `count()` without an argument is count(*)."""

Number = TypeVar("Number", int, float)
Value = TypeVar("Value", bool, int, float, str, dt.date, dt.datetime)
Numbers = Iterable["float | None"]


class _OfNumbers(Protocol):
    """How an aggregate of numbers is typed: of a column it is a number."""

    @overload
    def __call__(self, values: float) -> float: ...
    @overload
    def __call__(self, values: Numbers) -> float | None: ...


class _OfIntsOrFloats(Protocol):
    """The same of an aggregate that keeps ints."""

    @overload
    def __call__(self, values: Number) -> Number: ...
    @overload
    def __call__(self, values: Iterable[Number | None]) -> Number | None: ...


class _OfValues(Protocol):
    """The same of values of any type."""

    @overload
    def __call__(self, values: Value) -> Value: ...
    @overload
    def __call__(self, values: Iterable[Value | None]) -> Value | None: ...


class _OfPairs(Protocol):
    """The same of two columns."""

    @overload
    def __call__(self, one: float, other: float) -> float: ...
    @overload
    def __call__(self, one: Numbers, other: Numbers) -> float | None: ...


def _of_numbers(function: Callable[[object], float | None]) -> _OfNumbers:
    return cast("_OfNumbers", function)


def _of_ints_or_floats(function: Callable[[object], Any]) -> _OfIntsOrFloats:
    return cast("_OfIntsOrFloats", function)


def _of_values(function: Callable[[object], Any]) -> _OfValues:
    return cast("_OfValues", function)


def _of_pairs(function: Callable[[object, object], float | None]) -> _OfPairs:
    return cast("_OfPairs", function)


def _every(name: str, values: object) -> list[Any]:
    """The values, None included. Raises TypeError for what is no iterable of values."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(
            f"{name} takes a column in the body of an @eau2.aggregate, or an iterable of values;"
            f" not one {type(values).__name__}"
        )
    return list(values)


def _known(name: str, values: object) -> list[Any]:
    """The values that are there."""
    return [value for value in _every(name, values) if value is not None]


def _pairs(name: str, one: object, other: object) -> list[tuple[float, float]]:
    """The pairs of which neither value is None."""
    if isinstance(one, Iterable) and isinstance(other, Iterable):
        pairs = zip(one, other, strict=True)
        return [(x, y) for x, y in pairs if x is not None and y is not None]
    raise TypeError(
        f"{name} takes columns in the body of an @eau2.aggregate, or two iterables of values"
    )


def count(*values: object) -> int:
    """How many values there are that are not None. Without an argument: how many rows there are."""
    if not values:
        raise TypeError("count() of rows has a meaning only in the body of an @eau2.aggregate")
    return len(_known("count", values[0]))


def count_if(values: bool | Iterable[bool | None]) -> int:
    """How many values are true."""
    return builtins.sum(map(bool, _known("count_if", values)))


@_of_ints_or_floats
def sum(values: object) -> Any:
    """The sum: of ints an int, of floats their exact sum, rounded once."""
    known = _known("sum", values)
    if not known:
        return None
    return math.fsum(known) if any(isinstance(v, float) for v in known) else builtins.sum(known)


@_of_numbers
def avg(values: object) -> float | None:
    """The mean of the numbers."""
    known = _known("avg", values)
    return math.fsum(known) / len(known) if known else None


mean = avg


@_of_numbers
def product(values: object) -> float | None:
    """The product of the numbers."""
    known = _known("product", values)
    return float(math.prod(known)) if known else None


def _picked(name: str, values: object, pick: Callable[[list[Any]], Any]) -> Any:
    known = _known(name, values)
    return pick(known) if known else None


@_of_values
def min(values: object) -> Any:
    """The least value."""
    return _picked("min", values, builtins.min)


@_of_values
def max(values: object) -> Any:
    """The greatest value."""
    return _picked("max", values, builtins.max)


@_of_values
def any_value(values: object) -> Any:
    """A value that is not None: which one is not said."""
    return _picked("any_value", values, lambda known: known[0])


@_of_values
def first(values: object) -> Any:
    """The value of the first row, None included."""
    return next(iter(_every("first", values)), None)


@_of_values
def last(values: object) -> Any:
    """The value of the last row, None included."""
    every = _every("last", values)
    return every[-1] if every else None


def bool_and(values: bool | Iterable[bool | None]) -> bool | None:
    """Whether all values are true."""
    known = _known("bool_and", values)
    return all(known) if known else None


def bool_or(values: bool | Iterable[bool | None]) -> bool | None:
    """Whether a value is true."""
    known = _known("bool_or", values)
    return any(known) if known else None


@_of_numbers
def median(values: object) -> float | None:
    """The middle of the sorted numbers, or the mean of the two in the middle."""
    known = _known("median", values)
    return float(_middle(known)) if known else None


def _spread(name: str, values: object, fewer: int) -> float | None:
    known = _known(name, values)
    if len(known) <= fewer:
        return None
    middle = math.fsum(known) / len(known)
    return math.fsum((value - middle) ** 2 for value in known) / (len(known) - fewer)


@_of_numbers
def var_samp(values: object) -> float | None:
    """The variance of a sample; of one value there is none."""
    return _spread("var_samp", values, 1)


@_of_numbers
def var_pop(values: object) -> float | None:
    """The variance of all."""
    return _spread("var_pop", values, 0)


def _root(value: float | None) -> float | None:
    return None if value is None else math.sqrt(value)


@_of_numbers
def stddev_samp(values: object) -> float | None:
    """The standard deviation of a sample: the root of var_samp."""
    return _root(_spread("stddev_samp", values, 1))


@_of_numbers
def stddev_pop(values: object) -> float | None:
    """The standard deviation of all: the root of var_pop."""
    return _root(_spread("stddev_pop", values, 0))


variance = var_samp
stddev = stddev_samp


def _together(name: str, one: object, other: object, fewer: int) -> float | None:
    pairs = _pairs(name, one, other)
    if len(pairs) <= fewer:
        return None
    x_middle = math.fsum(x for x, _ in pairs) / len(pairs)
    y_middle = math.fsum(y for _, y in pairs) / len(pairs)
    return math.fsum((x - x_middle) * (y - y_middle) for x, y in pairs) / (len(pairs) - fewer)


@_of_pairs
def covar_pop(one: object, other: object) -> float | None:
    """The covariance of all pairs of which no value is None."""
    return _together("covar_pop", one, other, 0)


@_of_pairs
def covar_samp(one: object, other: object) -> float | None:
    """The covariance of a sample."""
    return _together("covar_samp", one, other, 1)


@_of_pairs
def corr(one: object, other: object) -> float | None:
    """The correlation of all pairs of which no value is None."""
    pairs = _pairs("corr", one, other)
    xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
    one_spread, other_spread = _spread("corr", xs, 0), _spread("corr", ys, 0)
    together = _together("corr", xs, ys, 0)
    if not one_spread or not other_spread or together is None:
        return None
    return together / math.sqrt(one_spread * other_spread)
