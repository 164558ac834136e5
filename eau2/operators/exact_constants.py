"""Values of the constants that statements hold most: exact arithmetic, dates moved by intervals.

Owns: computing them as kernels would, without a kernel, which takes a hundred times as long. Comes
in: bound expressions that read no column. Goes out: a physical value, or None where only a kernel
is to say what it is, or that there is none. Does not know: what the value is for.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date

from eau2.operators.expr import Call, Cast, Expr, Literal
from eau2.types import INTEGER_RANGES, Kind, SqlType

_DAY = 86_400_000_000
_EPOCH = date(1970, 1, 1).toordinal()
_FIRST, _LAST = (date(1900, 1, 1).toordinal(), date(2200, 1, 1).toordinal())
"""Between these days nothing is near the ends of a type; others are left to kernels."""


def exact_value(expr: Expr) -> int | None:
    """The value of a constant expression of an exact or temporal type; None when in doubt."""
    match expr:
        case Literal(value=value):
            return value if type(value) is int else None
        case Cast(arg=arg, type=type_):
            value = exact_value(arg)
            return None if value is None else _cast(value, arg.type, type_)
        case Call(function="+" | "-" | "*" as name, args=(left, right)):
            if not (_is_exact(left.type) and _is_exact(right.type)):
                return None
            a, b = exact_value(left), exact_value(right)
            return None if a is None or b is None else _combined(expr, name, a, b)
        case Call(function="add_interval", args=(start, *parts)) if len(parts) == 3:
            moment, amounts = exact_value(start), [exact_value(part) for part in parts]
            if moment is not None and None not in amounts:
                return _moved(moment, *(amount for amount in amounts if amount is not None))
    return None


def _is_exact(type_: SqlType) -> bool:
    return type_.is_integer or type_.is_decimal


def _within(value: int, type_: SqlType) -> int | None:
    if type_.is_integer:
        low, high = INTEGER_RANGES[type_.kind]
        return value if low <= value <= high else None
    return value if type_.is_decimal and abs(value) < 10**type_.precision else None


def _cast(value: int, source: SqlType, target: SqlType) -> int | None:
    """Only where nothing is rounded."""
    if source.kind is Kind.DATE and target.kind is Kind.TIMESTAMP:
        return value * _DAY if _FIRST <= value + _EPOCH <= _LAST else None
    if not (_is_exact(source) and _is_exact(target)) or target.scale < source.scale:
        return None
    return _within(value * 10 ** (target.scale - source.scale), target)


def _combined(call: Call, name: str, a: int, b: int) -> int | None:
    left, right = (arg.type.scale for arg in call.args)
    if name == "*":
        return _within(a * b, call.type) if left + right == call.type.scale else None
    if not left == right == call.type.scale:
        return None
    return _within(a + b if name == "+" else a - b, call.type)


def _moved(moment: int, months: int, days: int, micros: int) -> int | None:
    """A timestamp moved by months, which keep the day where it exists, then days and time."""
    day, time = divmod(moment, _DAY)
    if not _FIRST <= day + _EPOCH <= _LAST or max(abs(months), abs(days)) > 10_000:
        return None
    if abs(micros) > 10_000 * _DAY:
        return None
    if months:
        old = date.fromordinal(day + _EPOCH)
        year, month = divmod(old.year * 12 + old.month - 1 + months, 12)
        if not 1 <= year <= 9999:
            return None
        last = monthrange(year, month + 1)[1]
        day = date(year, month + 1, min(old.day, last)).toordinal() - _EPOCH
    return (day + days) * _DAY + time + micros
