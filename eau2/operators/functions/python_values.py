"""Values of Python from one type to another: int, float, str, format, round, min, max; and raise.

Owns: these conversions with Python's errors and forms. Does not know: arithmetic
(python_numbers.py), which methods texts and lists have (python_texts.py, python_lists.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import polars as pl

from eau2.config import LIMITS
from eau2.operators.expr import Call, Literal
from eau2.operators.functions.checks import Outcome, Scope, batchwise, checked, formula
from eau2.operators.functions.float_text import float_texts
from eau2.operators.functions.function import Function
from eau2.operators.functions.python_calls import Columns, python_entry, python_function
from eau2.operators.functions.python_numbers import whole
from eau2.operators.physical import kernel_dtype

_DIGITS = re.compile(r"[0-9]{1,18}")
"""The numbers in a format: how wide a text may become."""
_TWO_TO_63 = float(2**63)
_LEAST_TENS = -19
"""Rounding an int of 64 bits to more tens gives 0."""
_WHOLE_TEXT = "^-?[0-9]{1,18}$"
_PLAIN_TEXT = r"^-?[0-9]{1,18}(\.[0-9]{1,18})?$"


def _truncated(columns: Columns) -> pl.Series | None:
    value = columns[0]
    inside = value.is_finite() & (value.abs() < _TWO_TO_63)
    return value.cast(pl.Int64) if inside.all() else None


def _rounded(columns: Columns) -> pl.Series | None:
    return _truncated([columns[0].round(mode="half_to_even")])


def _round_whole(value: float) -> int:
    return whole(round(value))


def _int_of_float(value: float) -> int:
    return whole(int(value))


def _int_of_text(text: str, base: int = 10) -> int:
    return whole(int(text, base))


def _read(pattern: str, dtype: pl.DataType) -> Callable[[Columns], pl.Series | None]:
    """Texts of the plainest form are read by the engine."""

    def quick(columns: Columns) -> pl.Series | None:
        if len(columns) > 1 or not columns[0].str.contains(pattern).all():
            return None
        return columns[0].cast(dtype)

    return quick


def _round_int(value: int, digits: int) -> int:
    if digits >= 0:
        return value
    return 0 if digits < _LEAST_TENS else whole(round(value, digits))


def _round_float(value: float, digits: int) -> float:
    return round(value, digits)


def _text_of(value: Any) -> str:
    return str(value)


def _float_text(columns: Columns) -> pl.Series | None:
    return float_texts(columns[0]).fill_null("None")


def _int_text(columns: Columns) -> pl.Series | None:
    return columns[0].cast(pl.String).fill_null("None")


def _bool_text(columns: Columns) -> pl.Series | None:
    names = {True: "True", False: "False"}
    return columns[0].replace_strict(names, default=None, return_dtype=pl.String).fill_null("None")


def limited(length: int) -> None:
    """Raise MemoryError for a text that would be too long."""
    if length > LIMITS.made_text_chars:
        raise MemoryError(f"a text would have more than {LIMITS.made_text_chars:,} characters")


def limited_format(spec: str) -> None:
    """Raise MemoryError for a format that would make too long a text."""
    limited(max(map(int, _DIGITS.findall(spec)), default=0))


def _format(value: Any, spec: str) -> str:
    limited_format(spec)
    return format(value, spec)


def _lower_raise(call: Call, scope: Scope) -> pl.Expr:
    message = call.args[0]
    assert isinstance(message, Literal)
    nothing = pl.lit(None, kernel_dtype(call.type))

    def over(flag: pl.Expr) -> Outcome:
        return Outcome(pl.when(~flag).then(nothing), flag, "function", (str(message.value),))

    return checked(kernel_dtype(call.type), over, scope, pl.lit(True))


def _lower_extreme(call: Call, scope: Scope) -> pl.Expr:
    """Python's min and max of several values: of equal ones the first; None makes None."""
    greatest, floats = call.function == "python.max", call.type.is_float

    def over(*values: pl.Expr) -> pl.Expr:
        best = values[0]
        for value in values[1:]:
            beyond = value > best if greatest else value < best
            if floats:
                beyond = beyond & value.is_not_nan() & best.is_not_nan()
            best = pl.when(beyond).then(value).otherwise(best)
        known = pl.all_horizontal(value.is_not_null() for value in values)
        return pl.when(known).then(best)

    values = [scope.lower(arg) for arg in call.args]
    if not floats:
        return formula(kernel_dtype(call.type), over, *values)
    # Over columns alone: among constants the engine takes 0.0 and -0.0 for one.
    plan = over(*(pl.col(str(number)) for number in range(len(values))))
    return batchwise(pl.Float64(), lambda frame: frame.select(plan).to_series(), *values)


_EXTREME = "V, V... -> V; timedelta, timedelta... -> timedelta"

FUNCTIONS: tuple[Function, ...] = (
    python_entry(
        "python.raise",
        "str -> None",
        "An error of a user's function; its type is that of the place.",
        _lower_raise,
        nulls=True,
        raises=True,
    ),
    python_entry("python.min", _EXTREME, "The least, as in Python.", _lower_extreme),
    python_entry("python.max", _EXTREME, "The greatest, as in Python.", _lower_extreme),
    python_function("float.__int__", "float -> int", _int_of_float, quick=_truncated, fails=True),
    python_function(
        "str.__int__",
        "str, int? -> int",
        _int_of_text,
        quick=_read(_WHOLE_TEXT, pl.Int64()),
        fails=True,
    ),
    python_function(
        "str.__float__", "str -> float", float, quick=_read(_PLAIN_TEXT, pl.Float64()), fails=True
    ),
    python_function("float.__round__", "float -> int", _round_whole, quick=_rounded, fails=True),
    python_function("float.round", "float, int -> float", _round_float, fails=True),
    python_function("int.round", "int, int -> int", _round_int, fails=True),
    python_function("float.__str__", "float -> str", _text_of, quick=_float_text, nulls=True),
    python_function("int.__str__", "int -> str", _text_of, quick=_int_text, nulls=True),
    python_function("bool.__str__", "bool -> str", _text_of, quick=_bool_text, nulls=True),
    python_function("__str__", "any -> str", _text_of, nulls=True),
    python_function("__repr__", "any -> str", repr, nulls=True),
    python_function("__ascii__", "any -> str", ascii, nulls=True),
    python_function("__format__", "any, str -> str", _format, fails=True),
)
