"""Types as Python names them, and values in the type that an operation needs.

Owns: `Refusal`, the names of types, constants, the few conversions that happen unasked.
Comes in: bound expressions. Goes out: bound expressions. Does not know: operators, functions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from eau2.operators.coercion import LIST_VALUE, coerce
from eau2.operators.expr import Call, Cast, ColumnRef, Expr, LambdaParameter, Literal
from eau2.operators.functions.python_differences import MICROS_PER_DAY
from eau2.operators.functions.python_numbers import EXACT
from eau2.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    HUGEINT,
    NULL,
    TIMESTAMP,
    VARCHAR,
    SqlType,
    list_of,
)

TIMEDELTA = HUGEINT
"""A difference is its microseconds. No other value in a function has this type."""

LEAST, GREATEST = -(2**63), 2**63 - 1
DAYS_BETWEEN = "date.-"
"""The difference of two dates."""

_EPOCH = dt.date(1970, 1, 1).toordinal()
_LISTS_HINT = "Make a list of their .days; behind `in` they can be written out: x in (a, b)."
_NAMES = {
    NULL: "None",
    BOOLEAN: "bool",
    BIGINT: "int",
    DOUBLE: "float",
    VARCHAR: "str",
    DATE: "datetime.date",
    TIMESTAMP: "datetime.datetime",
    TIMEDELTA: "datetime.timedelta",
}
NUMBERS = (BOOLEAN, BIGINT, DOUBLE)


class Refusal(Exception):
    """What is outside of the subset of Python; the compiler adds file, line and caret.

    hint: what to write instead; empty if there is nothing.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def name_of(type_: SqlType) -> str:
    """A type as Python writes it: int, list[str]."""
    if type_.element is not None:
        return "list" if type_.element == NULL else f"list[{name_of(type_.element)}]"
    return _NAMES.get(type_, str(type_))


def is_none(expr: Expr) -> bool:
    """An expression of no type but None's."""
    return expr.type == NULL


def is_simple(expr: Expr) -> bool:
    """Whether it costs nothing to write it twice."""
    return isinstance(expr, ColumnRef | LambdaParameter | Literal)


def literal(value: object) -> Expr:
    """A constant of Python. Raises Refusal for what has no type here."""
    match value:
        case None:
            return Literal(NULL, None)
        case bool():
            return Literal(BOOLEAN, value)
        case int():
            if not LEAST <= value <= GREATEST:
                raise Refusal(
                    "the int does not fit 64 bits", "An int here is at most 9223372036854775807."
                )
            return Literal(BIGINT, value)
        case float():
            return Literal(DOUBLE, value)
        case str():
            return _text(value)
        case dt.datetime():
            if value.tzinfo is not None:
                raise Refusal("a datetime with a time zone has no type here", "Write it in UTC.")
            micros = (value - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)
            return Literal(TIMESTAMP, micros)
        case dt.date():
            return Literal(DATE, value.toordinal() - _EPOCH)
        case dt.timedelta():
            return Literal(TIMEDELTA, value // dt.timedelta(microseconds=1))
        case list() | tuple():
            return make_list([literal(item) for item in value], "")
    raise Refusal(
        f"a constant of type {type(value).__name__} has no type here",
        "There are None, bool, int, float, str, date, datetime, lists of them, and timedelta.",
    )


def _text(value: str) -> Expr:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Refusal("a str with half of a surrogate pair has no form here") from error
    return Literal(VARCHAR, value)


def whole_days(difference: Expr) -> Expr | None:
    """A timedelta as an int, if it is known to be whole days; None for everything else."""
    match difference:
        case Call(function=name, args=args) if name == DAYS_BETWEEN:
            return Call(BIGINT, "days_between", args)
        case Literal(value=int() as micros) if difference.type == TIMEDELTA:
            days, rest = divmod(micros, MICROS_PER_DAY)
            return None if rest else Literal(BIGINT, days)
    return None


def make_list(items: Sequence[Expr], where: str) -> Expr:
    """A list of values of one type. Raises Refusal."""
    values = unified(items, where, "the elements of a list")
    element = values[0].type if values else NULL
    return without_differences(Call(list_of(element), LIST_VALUE, tuple(values)))


def without_differences(values: Expr) -> Expr:
    """What may be a list, unless it is one of timedeltas. Raises Refusal."""
    if values.type.is_list and values.type.innermost == TIMEDELTA:
        raise Refusal("there are no lists of timedelta", _LISTS_HINT)
    return values


def typed(expr: Expr, type_: SqlType) -> Expr:
    """The expression, None in that type."""
    return coerce(expr, type_) if is_none(expr) else expr


def as_int(expr: Expr) -> Expr:
    """A bool as the int that it is; everything else as it is."""
    if expr.type != BOOLEAN:
        return expr
    if isinstance(expr, Literal):
        return Literal(BIGINT, None if expr.value is None else int(bool(expr.value)))
    return Cast(BIGINT, expr)


def as_float(expr: Expr) -> Expr:
    """A number as a float."""
    expr = as_int(expr)
    if expr.type == DOUBLE:
        return expr
    if isinstance(expr, Literal) and isinstance(expr.value, int):
        return Literal(DOUBLE, float(expr.value))
    return typed(expr, DOUBLE) if is_none(expr) else Cast(DOUBLE, expr)


def exact_float(expr: Expr) -> Literal | None:
    """An int constant as the float that equals it; None for every other expression."""
    if isinstance(expr, Literal) and expr.type == BIGINT and isinstance(expr.value, int):
        return Literal(DOUBLE, float(expr.value)) if abs(expr.value) <= EXACT else None
    return None


class TurnedInt(Literal, frozen=True):
    """A float that is an int in Python: a constant beside floats. See mixtures.py."""

    where: str


def unified(values: Sequence[Expr], where: str, what: str) -> tuple[Expr, ...]:
    """Values that must have one type, in it. Raises Refusal.

    None takes the type of the others, an int constant beside floats becomes a float.
    """
    types = list(dict.fromkeys(v.type for v in values if not is_none(v)))
    if not types:
        return tuple(values)
    target = types[0]
    for type_ in types[1:]:
        target = _met(target, type_, what)
    return tuple(_joined(value, target, where, what) for value in values)


def _met(one: SqlType, other: SqlType, what: str) -> SqlType:
    if one == other:
        return one
    if {one, other} == {BIGINT, DOUBLE}:
        return DOUBLE
    if one.element is not None and other.element is not None:
        if one.element == NULL:
            return other
        return one if other.element == NULL else list_of(_met(one.element, other.element, what))
    raise _unlike(one, other, what)


def _joined(value: Expr, target: SqlType, where: str, what: str) -> Expr:
    if value.type == target or is_none(value):
        return typed(value, target)
    as_constant = exact_float(value)
    if target == DOUBLE and as_constant is not None:
        return TurnedInt(DOUBLE, as_constant.value, where)
    if target.element is not None and isinstance(value, Call) and value.function == LIST_VALUE:
        items = tuple(_joined(item, target.element, where, what) for item in value.args)
        return Call(target, LIST_VALUE, items)
    if value.type.element == NULL:
        return coerce(value, target)
    raise _unlike(value.type, target, what)


def _unlike(one: SqlType, other: SqlType, what: str) -> Refusal:
    hint = "A column has one type: make them alike, or give None."
    if {one, other} == {BIGINT, DOUBLE}:
        hint = "Write float(...) around the int, or 1.0 instead of 1."
    elif {one, other} == {BOOLEAN, BIGINT}:
        hint = "Write int(...) around the bool."
    elif {one, other} == {BOOLEAN, DOUBLE}:
        hint = "Write float(...) around the bool."
    elif {one, other} == {DATE, TIMESTAMP}:
        hint = "Write .date() of the datetime."
    return Refusal(f"{what} must have one type, not {name_of(one)} and {name_of(other)}", hint)


def converted(value: Expr, type_: SqlType, where: str, what: str) -> Expr:
    """A value where `type_` is declared. Raises Refusal.

    As type checkers see it a bool is an int and an int is a float; None has every type.
    """
    if value.type == type_:
        return value
    if is_none(value):
        return coerce(value, type_)
    if value.type == BOOLEAN and type_ == BIGINT:
        return as_int(value)
    if value.type in NUMBERS and type_ == DOUBLE:
        return as_float(value)
    if type_.element is not None and value.type.element is not None:
        if isinstance(value, Call) and value.function == LIST_VALUE:
            items = tuple(converted(i, type_.element, where, "an element") for i in value.args)
            return Call(type_, LIST_VALUE, items)
        if value.type.element == NULL:
            return coerce(value, type_)
    raise Refusal(
        f"{what} is declared {name_of(type_)}, but it is {name_of(value.type)}",
        _conversion(value.type, type_),
    )


def _conversion(source: SqlType, target: SqlType) -> str:
    if source == TIMEDELTA:
        return "Give its .days or its total_seconds()."
    if target in (BIGINT, DOUBLE, VARCHAR, BOOLEAN) and not source.is_list:
        return f"Write {name_of(target)}(...) around it, or declare {name_of(source)}."
    if source == TIMESTAMP and target == DATE:
        return "Write .date() of it."
    if target == TIMEDELTA:
        return "A number of days is datetime.timedelta(days=n)."
    return f"Declare {name_of(source)}."
