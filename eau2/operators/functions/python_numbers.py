"""Arithmetic and comparisons of Python's int and float where SQL's differ.

Owns: division, remainders, powers and shifts with Python's errors, comparisons in which NaN is
unlike every number, the exact comparison of an int with a float.
Does not know: which operator a user wrote (python/ does), math (python_mathematics.py).

What is common has a quick way over whole columns, which passes as soon as one row might fail; then
CPython's own operator is called, whose errors are the right ones.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from eau2.operators.expr import Call
from eau2.operators.functions.checks import Scope, formula
from eau2.operators.functions.function import Function, strict, values
from eau2.operators.functions.python_calls import (
    Columns,
    Compute,
    Quick,
    over_columns,
    python_entry,
    python_function,
    spread,
)

_LEAST, _GREATEST = -(2**63), 2**63 - 1
EXACT = 2**53
"""Every int of at most this magnitude is a float."""
_BITS = 64


def whole(value: int) -> int:
    """An int that has its place in 64 bits. Raises OverflowError."""
    if _LEAST <= value <= _GREATEST:
        return value
    raise OverflowError("the int does not fit 64 bits")


def magnitude(column: pl.Series) -> int:
    """The largest magnitude in a column of ints; 0 of none."""
    low, high = column.min(), column.max()
    return max(-int(low), int(high)) if isinstance(low, int) and isinstance(high, int) else 0


def has(column: pl.Series, value: float) -> bool:
    """Whether the value is in a column."""
    return bool((column == value).any())


def _floor_divide(columns: Columns) -> pl.Series | None:
    left, right = columns[0], columns[1]
    if has(right, 0) or (has(right, -1) and left.min() == _LEAST):
        return None
    return left // right


def _remainder(columns: Columns) -> pl.Series | None:
    left, right = columns[0], columns[1]
    if has(right, 0) or has(right, -1):
        return None
    return left % right


def _int_divide(columns: Columns) -> pl.Series | None:
    left, right = columns[0], columns[1]
    if has(right, 0) or max(magnitude(left), magnitude(right)) > EXACT:
        return None
    return quotient([left.cast(pl.Float64), right.cast(pl.Float64)])


def quotient(columns: Columns) -> pl.Series:
    """The quotients of floats; a divisor of one row would be a factor that is its reciprocal."""
    left, right = spread(columns[:2])
    if len(left) != 1:
        return left / right
    two = pl.concat([left, left]) / pl.concat([right, right])
    return two.head(1)


def _float_divide(columns: Columns) -> pl.Series | None:
    return None if has(columns[1], 0.0) else quotient(columns)


def _by_numpy(compute: Callable[[Any, Any], Any]) -> Callable[[Columns], pl.Series | None]:
    """NumPy's floor division and remainder are CPython's, of finite numbers."""

    def quick(columns: Columns) -> pl.Series | None:
        left, right = columns[0], columns[1]
        if has(right, 0.0) or not (left.is_finite().all() and right.is_finite().all()):
            return None
        if left.null_count() or right.null_count():
            return None
        with np.errstate(all="ignore"):
            return pl.Series(compute(left.to_numpy(), right.to_numpy()), dtype=pl.Float64)

    return quick


def _int_power(base: int, exponent: int) -> int:
    if abs(base) > 1 and exponent >= _BITS:
        raise OverflowError("the int does not fit 64 bits")
    return whole(base**exponent)


def _quick_int_power(columns: Columns) -> pl.Series | None:
    base, exponent = columns[0], columns[1]
    if len(exponent) != 1 or exponent.null_count():
        return None
    power = int(exponent.item())
    if power < 1 or power >= _BITS or magnitude(base) ** power > _GREATEST:
        return None
    result = base
    for _ in range(power - 1):
        result = result * base
    return result


def _float_power(base: float, exponent: float) -> float:
    result = base**exponent
    if not isinstance(result, float):
        raise ValueError("a negative number to a fractional power is a complex number")
    return result


def quick_power(columns: Columns) -> pl.Series | None:
    """Powers of positive numbers that are finite: no error, and nothing that Python has its own
    rule for.
    """
    base, exponent = spread(columns[:2])
    if len(base) < 2 or not (base > 0.0).all():
        return None
    result: pl.Series = base.pow(exponent)
    return result if result.is_finite().all() else None


def _left_shift(value: int, places: int) -> int:
    if places < 0:
        raise ValueError("negative shift count")
    if value and places >= _BITS:
        raise OverflowError("the int does not fit 64 bits")
    return whole(value << min(places, _BITS))


def _right_shift(value: int, places: int) -> int:
    if places < 0:
        raise ValueError("negative shift count")
    return value >> min(places, _BITS)


Compare = Callable[[Any, Any], Any]
_ORDER: dict[str, Compare] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _lower_float_order(compare: Compare) -> Callable[[Call, Scope], pl.Expr]:
    def over(left: pl.Expr, right: pl.Expr) -> pl.Expr:
        ordered: pl.Expr = compare(left, right)
        return left.is_not_nan() & right.is_not_nan() & ordered

    return lambda call, scope: formula(
        pl.Boolean(), strict(over), *(scope.lower(arg) for arg in call.args)
    )


def _lower_float_equal(call: Call, scope: Scope) -> pl.Expr:
    """Never NULL: two Nones are equal, one is unlike every float."""

    def over(left: pl.Expr, right: pl.Expr) -> pl.Expr:
        return left.eq_missing(right) & left.is_not_nan().fill_null(True)

    return formula(pl.Boolean(), over, *(scope.lower(arg) for arg in call.args))


def _mixed(compare: Compare) -> Callable[[Columns], pl.Series | None]:
    """An int beside a float: exact as floats while the ints are small."""

    def quick(columns: Columns) -> pl.Series | None:
        left, right = columns[0], columns[1]
        if magnitude(left) > EXACT:
            return None
        frame = pl.DataFrame([c.alias(n) for n, c in zip("ab", spread([left, right]), strict=True)])
        a, b = pl.col("a").cast(pl.Float64), pl.col("b")
        return frame.select(strict(lambda a, b: b.is_not_nan() & compare(a, b))(a, b)).to_series()

    return quick


def _mixed_equal(left: int | None, right: float | None) -> bool:
    return left == right


def _lower_between_booleans(compute: Compare) -> Callable[[Call, Scope], pl.Expr]:
    return lambda call, scope: formula(
        pl.Boolean(), strict(compute), *(scope.lower(arg) for arg in call.args)
    )


def _lower_int_bits(compute: Compare) -> Callable[[Call, Scope], pl.Expr]:
    def run(columns: Columns) -> pl.Series:
        left, right = spread(columns)
        result: pl.Series = compute(left, right)
        return result

    return lambda call, scope: over_columns(
        pl.Int64(), run, *(scope.lower(arg) for arg in call.args)
    )


def _lower_by_constant(compute: Compare) -> Callable[[Call, Scope], pl.Expr]:
    """By a constant that is neither 0 nor -1 nothing fails; the engine rounds down as Python."""
    return lambda call, scope: formula(
        pl.Int64(), compute, *(scope.lower(arg) for arg in call.args)
    )


def _whole_floor_divide(left: int, right: int) -> int:
    return whole(left // right)


def _divmod_quotient(left: float, right: float) -> float:
    return divmod(left, right)[0]


def _divmod_rest(left: float, right: float) -> float:
    return divmod(left, right)[1]


_INTS, _FLOATS = "int, int -> int", "float, float -> float"
_BITS_OF = (("&", operator.and_), ("|", operator.or_), ("^", operator.xor))
BY_CONSTANT = " constant"
"""Ends the names of divisions by a constant that is neither 0 nor -1: they cannot fail."""

_DIVISIONS: tuple[tuple[str, str, Compute, Quick], ...] = (
    ("int./", "int, int -> float", operator.truediv, _int_divide),
    ("float./", _FLOATS, operator.truediv, _float_divide),
    ("float.//", _FLOATS, operator.floordiv, _by_numpy(np.floor_divide)),
    ("float.%", _FLOATS, operator.mod, _by_numpy(np.remainder)),
)

FUNCTIONS: tuple[Function, ...] = (
    python_function("int.//", _INTS, _whole_floor_divide, quick=_floor_divide, fails=True),
    python_function("int.%", _INTS, operator.mod, quick=_remainder, fails=True),
    python_function("int.divmod%", _INTS, _divmod_rest, quick=_remainder, fails=True),
    *(
        python_function(f"float.divmod{sign}", _FLOATS, compute, quick=quick, fails=True)
        for sign, compute, quick in (
            ("//", _divmod_quotient, _by_numpy(np.floor_divide)),
            ("%", _divmod_rest, _by_numpy(np.remainder)),
        )
    ),
    *(
        python_entry(
            f"int.{op}{BY_CONSTANT}",
            _INTS,
            "As in Python: rounded down.",
            _lower_by_constant(compute),
            constants=(1,),
        )
        for op, compute in (("//", operator.floordiv), ("%", operator.mod))
    ),
    *(
        python_function(name, takes, compute, quick=quick, fails=True)
        for name, takes, compute, quick in _DIVISIONS
    ),
    *(
        python_function(name + BY_CONSTANT, takes, compute, quick=quick, constants=(1,))
        for name, takes, compute, quick in _DIVISIONS
    ),
    python_function("int.**", _INTS, _int_power, quick=_quick_int_power, fails=True),
    python_function("float.**", _FLOATS, _float_power, quick=quick_power, fails=True),
    python_function("int.<<", _INTS, _left_shift, fails=True),
    python_function("int.>>", _INTS, _right_shift, fails=True),
    *(
        python_entry(f"int.{op}", _INTS, "As in Python.", _lower_int_bits(compute))
        for op, compute in _BITS_OF
    ),
    *(
        python_entry(
            f"bool.{op}", "bool, bool -> bool", "As in Python.", _lower_between_booleans(compute)
        )
        for op, compute in _BITS_OF
    ),
    *(
        python_entry(
            f"float.{op}",
            "float, float -> bool",
            "As in Python: NaN is unordered.",
            _lower_float_order(compare),
        )
        for op, compare in _ORDER.items()
    ),
    python_entry(
        "float.==",
        "float, float -> bool",
        "As in Python: NaN is unlike itself.",
        _lower_float_equal,
        nulls=True,
    ),
    python_entry("float.abs", "float -> float", "The magnitude.", values(lambda x: x.abs())),
    *(
        python_function(f"int_float.{op}", "int, float -> bool", compare, quick=_mixed(compare))
        for op, compare in _ORDER.items()
    ),
    python_function("int_float.==", "int, float -> bool", _mixed_equal, nulls=True),
)
