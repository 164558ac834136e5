"""Python's timedelta: made, computed with, taken apart; and dates and datetimes that it moves.

Owns: which types the operators take where a date, a datetime or a timedelta is among them; all
others are left to operators.py. Constants are computed at once, by CPython. Comes in: bound
expressions. Goes out: bound expressions. Does not know: comparisons (comparisons.py), how a call
of timedelta() is written (timedelta_calls.py).
"""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable, Mapping
from typing import Any

from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.python_differences import UNITS, difference
from eau2.operators.functions.table import lookup
from eau2.python import operators
from eau2.python.kinds import (
    DAYS_BETWEEN,
    NUMBERS,
    TIMEDELTA,
    Refusal,
    as_float,
    as_int,
    is_none,
    literal,
    name_of,
    typed,
    whole_days,
)
from eau2.python.operators import at, undefined
from eau2.types import BIGINT, DATE, DOUBLE, TIMESTAMP, SqlType

_SECONDS_PER_DAY = 86_400.0
_TYPES = {DATE, TIMESTAMP, TIMEDELTA}
_OPERATIONS: dict[tuple[str, SqlType, SqlType], tuple[str, SqlType]] = {
    ("-", DATE, DATE): (DAYS_BETWEEN, TIMEDELTA),
    ("-", TIMESTAMP, TIMESTAMP): ("datetime.-", TIMEDELTA),
    ("+", DATE, TIMEDELTA): ("date.later", DATE),
    ("-", DATE, TIMEDELTA): ("date.later", DATE),
    ("+", TIMESTAMP, TIMEDELTA): ("datetime.later", TIMESTAMP),
    ("-", TIMESTAMP, TIMEDELTA): ("datetime.earlier", TIMESTAMP),
    ("+", TIMEDELTA, TIMEDELTA): ("timedelta.+", TIMEDELTA),
    ("-", TIMEDELTA, TIMEDELTA): ("timedelta.-", TIMEDELTA),
    ("%", TIMEDELTA, TIMEDELTA): ("timedelta.%", TIMEDELTA),
    ("//", TIMEDELTA, TIMEDELTA): ("timedelta.//", BIGINT),
    ("/", TIMEDELTA, TIMEDELTA): ("timedelta./", DOUBLE),
    ("*", TIMEDELTA, BIGINT): ("timedelta.*", TIMEDELTA),
    ("*", TIMEDELTA, DOUBLE): ("timedelta.*", TIMEDELTA),
    ("/", TIMEDELTA, BIGINT): ("timedelta./ number", TIMEDELTA),
    ("/", TIMEDELTA, DOUBLE): ("timedelta./ number", TIMEDELTA),
    ("//", TIMEDELTA, BIGINT): ("timedelta.// int", TIMEDELTA),
}
"""What stands behind an operator between values of two types, and what it gives."""

_COMPUTED: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}


def constant(compute: Callable[..., Any], *args: Expr) -> Expr | None:
    """What constants give; None for what is none, or where Python raises."""
    values = [_value(arg) for arg in args]
    if any(value is None for value in values):
        return None
    try:
        return literal(compute(*values))
    except (ArithmeticError, TypeError, ValueError, Refusal):
        return None


def _value(arg: Expr) -> Any:
    """A constant difference or number as Python has it; None for everything else."""
    if not isinstance(arg, Literal) or arg.value is None:
        return None
    if arg.type == TIMEDELTA:
        assert isinstance(arg.value, int)
        return difference(arg.value)
    return arg.value if arg.type in (BIGINT, DOUBLE) else None


def binary(op: str, left: Expr, right: Expr, where: str) -> Expr:
    """`left op right`, whatever they are. Raises Refusal for types that it does not take."""
    if not _TYPES & {left.type, right.type}:
        return operators.binary(op, left, right, where)
    one, two = as_int(_beside(op, left, right)), as_int(_beside(op, right, left))
    if op in ("+", "*") and (op, one.type, two.type) not in _OPERATIONS:
        one, two = two, one
    found = _OPERATIONS.get((op, one.type, two.type))
    if found is None:
        raise undefined(op, left, right, _instead(op, left.type, right.type))
    entry, type_ = found
    if (one.type, two.type) == (DATE, TIMEDELTA):
        # What is less than a day moves no date: only the days of the difference count.
        days = part("days", two)
        two = days if op == "+" else operators.unary("-", days, where)
    computed = constant(_COMPUTED[op], one, two)
    return computed or _called(type_, entry, (one, two), where)


def _called(type_: SqlType, entry: str, args: tuple[Expr, ...], where: str) -> Expr:
    return Call(type_, entry, (*args, at(where)) if lookup(entry).fails else args)


def _beside(op: str, value: Expr, other: Expr) -> Expr:
    """None in a type with which the operator is defined."""
    if not is_none(value):
        return value
    if other.type == TIMEDELTA:
        return typed(value, BIGINT if op == "*" else TIMEDELTA)
    return typed(value, other.type if op == "-" else TIMEDELTA)


def _instead(op: str, left: SqlType, right: SqlType) -> str:
    """What to write where an operator does not take its operands."""
    types = {left, right}
    if types == {DATE, TIMESTAMP}:
        return "Write .date() of the datetime."
    if op in ("+", "-") and types & set(NUMBERS):
        return "Days are added with datetime.timedelta(days=n)."
    if op == "//" and right == DOUBLE:
        return "Write / for a part of a difference, or // with an int."
    return ""


def unary(op: str, arg: Expr, where: str) -> Expr:
    """`op arg`, whatever it is. Raises Refusal."""
    if arg.type != TIMEDELTA or op not in ("+", "-"):
        return operators.unary(op, arg, where)
    if op == "+":
        return arg
    return constant(operator.neg, arg) or _called(TIMEDELTA, "timedelta.negate", (arg,), where)


def length(arg: Expr) -> Expr:
    """abs(arg) of a timedelta."""
    return constant(abs, arg) or Call(TIMEDELTA, "timedelta.abs", (arg,))


def part(name: str, arg: Expr) -> Expr:
    """The days, seconds or microseconds of a timedelta."""
    known = whole_days(arg) if name == "days" else None
    computed = constant(lambda value: getattr(value, name), arg)
    return known or computed or Call(BIGINT, f"timedelta.{name}", (arg,))


def total_seconds(arg: Expr) -> Expr:
    """arg.total_seconds() of a timedelta."""
    computed = constant(dt.timedelta.total_seconds, arg)
    if computed is not None:
        return computed
    days = whole_days(arg)
    if days is None:
        return Call(DOUBLE, "timedelta.total_seconds", (arg,))
    return Call(DOUBLE, "*", (as_float(days), Literal(DOUBLE, _SECONDS_PER_DAY)))


def timedelta(given: Mapping[str, Expr], where: str) -> Expr:
    """The difference of so many units each. Raises Refusal for what is no number.

    One int is a multiple of its unit; a float is left to CPython, which has its way of rounding.
    """
    numbers = {unit: _number(unit, value) for unit, value in given.items()}
    computed = constant(
        lambda *values: dt.timedelta(**dict(zip(numbers, values, strict=True))), *numbers.values()
    )
    if computed is not None:
        return computed
    kept = {unit: value for unit, value in numbers.items() if value != _ZERO}
    match list(kept.items()):
        case [(unit, value)] if value.type == BIGINT:
            one = Literal(TIMEDELTA, UNITS[unit])
            return _called(TIMEDELTA, "timedelta.*", (one, value), where)
    values = tuple(kept.get(unit, _ZERO) for unit in UNITS)
    return _called(TIMEDELTA, "timedelta.make", values, where)


_ZERO = Literal(BIGINT, 0)


def _number(unit: str, value: Expr) -> Expr:
    value = as_int(typed(value, BIGINT))
    if value.type not in (BIGINT, DOUBLE):
        raise Refusal(f"the {unit} of a timedelta are a number, not a {name_of(value.type)}")
    return value
