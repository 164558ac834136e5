"""Unwrap casts: a comparison of a cast column with a constant becomes one of the bare column.

Owns: bringing the constant to the column's type where the cast keeps order and loses nothing, so
that statistics can be held against it and kernels compare narrow values. Comes in: comparisons and
lists whose constants stand to the right. Goes out: the same truth values, NULL included.
Does not know: other simplifications.
"""

from __future__ import annotations

import math

from eau2.operators.expr import Call, Cast, Expr, InList, Literal, Value
from eau2.operators.facts import COMPARISONS, cast_is_lossless
from eau2.records import replace
from eau2.types import BOOLEAN, INTEGER_RANGES, Kind, SqlType

_MICROSECONDS_A_DAY = 86_400_000_000
_UNKNOWN = Literal(BOOLEAN, None)


def unwrap_comparison(call: Call) -> Expr:
    """The comparison without the cast; `call` itself when there is nothing to gain."""
    match call:
        case Call(function=name, args=(Cast(arg=first), Cast(arg=second))) if name in COMPARISONS:
            if first.type == second.type and cast_is_lossless(first.type, call.args[0].type):
                return replace(call, args=(first, second))
        case Call(function=name, args=(Cast(type=type_, arg=arg), Literal(value=value))):
            if name in COMPARISONS and value is not None:
                changed = _against(name, arg, type_, value)
                return call if changed is None else changed
    return call


def unwrap_list(expr: InList) -> Expr:
    """The list over the bare argument, without values that it cannot have."""
    if not isinstance(expr.arg, Cast):
        return expr
    arg = expr.arg.arg
    kept: list[bool | int | float | str] = []
    for value in expr.values:
        place = _place(arg.type, expr.arg.type, value)
        if place is None:
            return expr
        whole, exact = place
        low, high = _range(arg.type)
        if exact and low <= whole <= high:
            kept.append(int(whole))
    if not kept:
        return expr
    return replace(expr, arg=arg, values=tuple(kept))


def _against(name: str, arg: Expr, type_: SqlType, value: Value) -> Expr | None:
    """The comparison of a cast of `arg` to `type_` with `value`, on `arg` itself."""
    place = _place(arg.type, type_, value)
    if place is None:
        return None
    whole, exact = place
    low, high = _range(arg.type)
    if whole > high:
        return _always(arg) if name in ("<", "<=", "<>") else _never(arg)
    if whole < low:
        return _always(arg) if name in (">", ">=", "<>") else _never(arg)
    if not exact:
        if name in ("=", "<>"):
            return _never(arg) if name == "=" else _always(arg)
        name = "<=" if name in ("<", "<=") else ">"
    return Call(BOOLEAN, name, (arg, Literal(arg.type, int(whole))))


def _place(source: SqlType, target: SqlType, value: Value) -> tuple[float | int, bool] | None:
    """The greatest value of `source`, range aside, whose cast to `target` is at most `value`, and
    whether it is equal; infinite beyond all. None when the cast is none of those that keep order.
    """
    if source == target or not cast_is_lossless(source, target):
        return None
    if target.kind is Kind.DOUBLE and source.is_integer and isinstance(value, float):
        if math.isnan(value):
            return (math.inf, False)
        if math.isinf(value):
            return (value, False)
        return (math.floor(value), value == math.floor(value))
    if not isinstance(value, int) or target.is_float:
        return None
    unit = _MICROSECONDS_A_DAY if source.kind is Kind.DATE else 10 ** (target.scale - source.scale)
    return (value // unit, value % unit == 0)


def _range(type_: SqlType) -> tuple[int, int]:
    if type_.is_decimal:
        return (1 - 10**type_.precision, 10**type_.precision - 1)
    return INTEGER_RANGES[Kind.INTEGER if type_.kind is Kind.DATE else type_.kind]


def _never(arg: Expr) -> Expr:
    """False, or NULL where `arg` is."""
    return Call(BOOLEAN, "and", (Call(BOOLEAN, "is_null", (arg,)), _UNKNOWN))


def _always(arg: Expr) -> Expr:
    """True, or NULL where `arg` is."""
    return Call(BOOLEAN, "or", (Call(BOOLEAN, "is_not_null", (arg,)), _UNKNOWN))
