"""The functions of Python's math.

Owns: which of them the kernels compute with the same bits as CPython (by the same library of C, or
because the result is exact), and Python's errors: a domain that is left, a result too large.
Does not know: how SQL rounds and takes roots (mathematics.py).

A column of which every result is finite has no error in it. Where one is not, CPython's own
function is called, for each distinct argument.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import polars as pl

from eau2.operators.functions.function import Function
from eau2.operators.functions.python_calls import Columns, Quick, python_function
from eau2.operators.functions.python_numbers import quick_power, whole

_TWO_TO_63 = float(2**63)
_LARGEST_FACTORIAL = 20


def _same_bits(compute: Callable[[pl.Expr], pl.Expr]) -> Quick:
    def quick(columns: Columns) -> pl.Series | None:
        result = columns[0].to_frame("x").select(compute(pl.col("x"))).to_series()
        return result if result.is_finite().all() else None

    return quick


def _whole_by(compute: Callable[[pl.Series], pl.Series]) -> Quick:
    def quick(columns: Columns) -> pl.Series | None:
        value = columns[0]
        inside = value.is_finite() & (value.abs() < _TWO_TO_63 / 2)
        return compute(value).cast(pl.Int64) if inside.all() else None

    return quick


def _as_whole(compute: Callable[[float], int]) -> Callable[[float], int]:
    return lambda value: whole(compute(value))


def _factorial(value: int) -> int:
    if value > _LARGEST_FACTORIAL:
        raise OverflowError("the int does not fit 64 bits")
    return math.factorial(value)


def _comb(count: int, chosen: int) -> int:
    """Factor by factor, so that a result too large is seen before it is made."""
    if count < 0 or chosen < 0 or chosen > count:
        return math.comb(count, chosen)
    result = 1
    for step in range(min(chosen, count - chosen)):
        result = result * (count - step) // (step + 1)
        whole(result)
    return result


def _perm(count: int | None, chosen: int | None = None) -> int | None:
    if count is None:
        return None
    if chosen is None:
        return _factorial(count)
    if count < 0 or chosen < 0 or chosen > count:
        return math.perm(count, chosen)
    result = 1
    for step in range(chosen):
        result = whole(result * (count - step))
    return result


def _gcd(one: int, other: int) -> int:
    return whole(math.gcd(one, other))


def _lcm(one: int, other: int) -> int:
    return whole(math.lcm(one, other))


def _fsum(values: Sequence[float]) -> float:
    return math.fsum(values)


def _prod(values: Sequence[float], start: float = 1) -> float:
    return math.prod(values, start=start)


def _is_close(one: float, other: float, relative: float, absolute: float) -> bool:
    return math.isclose(one, other, rel_tol=relative, abs_tol=absolute)


_SAME_BITS: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "sqrt": pl.Expr.sqrt,
    "exp": pl.Expr.exp,
    "log": lambda x: x.log(),
    "log1p": pl.Expr.log1p,
    "sin": pl.Expr.sin,
    "cos": pl.Expr.cos,
    "tan": pl.Expr.tan,
    "asin": pl.Expr.arcsin,
    "acos": pl.Expr.arccos,
    "atan": pl.Expr.arctan,
    "sinh": pl.Expr.sinh,
    "cosh": pl.Expr.cosh,
    "tanh": pl.Expr.tanh,
}
_BY_PYTHON = (
    "acosh", "asinh", "atanh", "cbrt", "degrees", "erf", "erfc", "exp2", "expm1", "gamma",
    "lgamma", "log10", "log2", "radians", "ulp",
)  # fmt: skip
_OF_TWO = ("atan2", "copysign", "fmod", "nextafter", "remainder")

_ONE, _TWO, _INTS = "float -> float", "float, float -> float", "int, int -> int"
_SUMS = "list[float] -> float; list[int] -> float; list[bool] -> float"
_PRODUCTS = "list[float], float? -> float; list[int], float -> float; list[bool], float -> float"

FUNCTIONS: tuple[Function, ...] = (
    *(
        python_function(
            f"math.{name}", _ONE, getattr(math, name), quick=_same_bits(compute), fails=True
        )
        for name, compute in _SAME_BITS.items()
    ),
    *(
        python_function(f"math.{name}", takes, getattr(math, name), fails=True)
        for takes, names in ((_ONE, _BY_PYTHON), (_TWO, _OF_TWO))
        for name in names
    ),
    python_function("math.log_base", _TWO, math.log, fails=True),
    python_function("math.pow", _TWO, math.pow, quick=quick_power, fails=True),
    python_function("math.hypot", "float... -> float", math.hypot, fails=True),
    python_function("math.isclose", "float, float -> bool", math.isclose),
    python_function(
        "math.isclose_within", "float, float, float, float -> bool", _is_close, fails=True
    ),
    python_function("math.ldexp", "float, int -> float", math.ldexp, fails=True),
    *(
        python_function(f"math.{name}", "float -> int", _as_whole(compute), quick=quick, fails=True)
        for name, compute, quick in (
            ("floor", math.floor, _whole_by(pl.Series.floor)),
            ("ceil", math.ceil, _whole_by(pl.Series.ceil)),
            ("trunc", math.trunc, None),
        )
    ),
    python_function("math.factorial", "int -> int", _factorial, fails=True),
    python_function("math.comb", _INTS, _comb, fails=True),
    python_function("math.perm", "int, int? -> int", _perm, fails=True, nulls=True),
    python_function("math.isqrt", "int -> int", math.isqrt, fails=True),
    python_function("math.gcd", _INTS, _gcd, fails=True),
    python_function("math.lcm", _INTS, _lcm, fails=True),
    python_function("math.fsum", _SUMS, _fsum, fails=True, elements=True),
    python_function("math.prod", _PRODUCTS, _prod, elements=True),
    python_function(
        "math.dist", "list[float], list[float] -> float", math.dist, fails=True, elements=True
    ),
)
