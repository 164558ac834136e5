"""Constants of a statement as bound literals: numbers, dates, timestamps, parameters.

Owns: which type a constant has, and the validation of its text.
Comes in: ast constants and Python values. Goes out: Literal expressions with physical values.
Does not know: columns, functions, the clock.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from eau2 import types
from eau2.errors import NotSupportedError, ParameterError, ProgrammingError, Span
from eau2.operators.coercion import LIST_VALUE
from eau2.operators.expr import Cast, Expr, Literal
from eau2.operators.functions import table
from eau2.operators.functions.interval_text import read_interval
from eau2.operators.functions.times import read_time
from eau2.operators.interval_form import packed
from eau2.parameters import PASSED
from eau2.sql import ast
from eau2.sql.spans import at
from eau2.types import INTEGER_RANGES, MAX_DECIMAL_DIGITS, Kind, SqlType, decimal

MAX_INTEGER_DIGITS = 40
"""A longer integer cannot fit 128 bits; it is refused before it is read."""

_EPOCH = datetime(1970, 1, 1)
_DATE = re.compile(r"\s*(\d{1,6})([-/\\ ])(\d{1,2})\2(\d{1,2})(?!\d)")
_TIME = re.compile(r"(?:[ T]\s*)(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d*))?)?")
_ZONE = re.compile(r"\s*(Z|UTC)?\s*\Z", re.IGNORECASE)
_LITERAL_INTEGERS = (types.INTEGER, types.BIGINT, types.HUGEINT)
_PARAMETER_INTEGERS = (types.INTEGER, types.BIGINT, types.UBIGINT, types.HUGEINT)


def constant(node: ast.Constant) -> Literal:
    """The literal that a constant means; a minus may stand at the start of a number's text."""
    text = node.text.replace("_", "") if node.kind != "string" else node.text
    match node.kind:
        case "integer":
            return _integer(integer(node), node.span)
        case "decimal":
            return _decimal(text)
        case "float":
            return Literal(types.DOUBLE, float(text))
        case "string":
            return Literal(types.VARCHAR, text)
        case "boolean":
            return Literal(types.BOOLEAN, text.lower() == "true")
    return Literal(types.NULL, None)


def integer(node: ast.Constant) -> int:
    """The value of an integer constant. Raises NotSupportedError when it is very long."""
    text = node.text.replace("_", "")
    if len(text.lstrip("-0")) > MAX_INTEGER_DIGITS:
        raise _too_many_bits(node.span)
    return int(text.lstrip("-").lstrip("0") or "0") * (-1 if text.startswith("-") else 1)


def _too_many_bits(span: Span) -> NotSupportedError:
    return NotSupportedError("an integer of more than 128 bits is not supported", span=span)


def _integer(value: int, span: Span) -> Literal:
    for type_ in _LITERAL_INTEGERS:
        low, high = INTEGER_RANGES[type_.kind]
        # -2147483648 is a minus before a number that needs a BIGINT.
        if low + (type_ == types.INTEGER) <= value <= high:
            return Literal(type_, value)
    raise _too_many_bits(span)


def _decimal(text: str) -> Literal:
    """An exact decimal: every digit counts, leading zeros too. DOUBLE beyond 38 digits."""
    digits = text.lstrip("+-").replace(".", "")
    if len(digits) > MAX_DECIMAL_DIGITS:
        return Literal(types.DOUBLE, float(text))
    scale = len(text) - text.index(".") - 1
    value = int(digits)
    return Literal(decimal(len(digits), scale), -value if text.startswith("-") else value)


def pinned(expr: Expr) -> Expr:
    """A constant whose type was stated, so that it no longer adapts to what stands beside it."""
    return Cast(expr.type, expr) if isinstance(expr, Literal) and _adapts(expr) else expr


def _adapts(expr: Literal) -> bool:
    return expr.value is not None and expr.type in (*_LITERAL_INTEGERS, types.VARCHAR)


def unpinned(expr: Expr) -> Expr:
    """The bare constant of a pinned one."""
    if isinstance(expr, Cast) and expr.arg.type == expr.type and isinstance(expr.arg, Literal):
        return expr.arg
    return expr


def parameter(node: ast.Parameter, values: Mapping[int | str, object]) -> Expr:
    """The literal of a parameter's value. A number's type is stated, a string adapts."""
    if node.name not in values:
        raise ParameterError(
            f"no value was given for the parameter {_written(node.name)}",
            span=node.span,
            hint=f"Give it one: --param {node.name}=VALUE, or among the arguments of sql().",
        )
    value = values[node.name]
    if isinstance(value, list | tuple):
        return _list_parameter(value, node)
    literal = from_python(value, node)
    return literal if literal.type == types.VARCHAR else pinned(literal)


def _list_parameter(value: list[object] | tuple[object, ...], node: ast.Parameter) -> Expr:
    """A list of the elements' literals, which may be lists themselves."""
    items: list[Expr] = []
    for item in value:
        if isinstance(item, list | tuple):
            items.append(_list_parameter(item, node))
        else:
            items.append(from_python(item, node))
    return at(node.span, table.bind, LIST_VALUE, tuple(items))


def _written(name: str | int) -> str:
    return f"${name}"


def from_python(value: object, node: ast.Parameter) -> Literal:
    """The literal of a value: None, bool, int, float, str, Decimal, date, datetime, time,
    timedelta, Literal.
    """
    match value:
        case None:
            return Literal(types.NULL, None)
        case Literal():
            return value
        case bool():
            return Literal(types.BOOLEAN, value)
        case int():
            for type_ in _PARAMETER_INTEGERS:
                low, high = INTEGER_RANGES[type_.kind]
                if low <= value <= high:
                    return Literal(type_, value)
            raise _too_many_bits(node.span)
        case float():
            return Literal(types.DOUBLE, value)
        case str():
            return Literal(types.VARCHAR, value)
        case Decimal():
            return _python_decimal(value, node)
        case datetime() if value.tzinfo is None:
            return timestamp_literal(value)
        case date() if not isinstance(value, datetime):
            return date_literal(value)
        case time() if value.tzinfo is None:
            return time_of_day(value.isoformat(), node.span)
        case timedelta():
            rest = value - timedelta(days=value.days)
            return Literal(types.INTERVAL, packed(0, value.days, rest // timedelta(microseconds=1)))
    raise NotSupportedError(
        f"the parameter {_written(node.name)} is of type {type(value).__name__},"
        " which is not supported",
        span=node.span,
        hint=PASSED,
    )


def _python_decimal(value: Decimal, node: ast.Parameter) -> Literal:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise NotSupportedError(
            f"the parameter {_written(node.name)} is not a finite number", span=node.span
        )
    power = max(min(exponent, MAX_DECIMAL_DIGITS + 1), -MAX_DECIMAL_DIGITS - 1)
    scale = max(-power, 0)
    scaled = int("".join(map(str, digits[: MAX_DECIMAL_DIGITS + 1]))) * 10 ** max(power, 0)
    width = max(len(digits) + max(power, 0), scale + 1 if scale > len(digits) else 1)
    if width > MAX_DECIMAL_DIGITS:
        raise NotSupportedError(
            f"the parameter {_written(node.name)} has more than {MAX_DECIMAL_DIGITS} digits",
            span=node.span,
        )
    return Literal(decimal(width, scale), -scaled if sign else scaled)


def date_literal(value: date) -> Literal:
    """A DATE literal: days since 1970-01-01."""
    return Literal(types.DATE, value.toordinal() - _EPOCH.toordinal())


def timestamp_literal(value: datetime) -> Literal:
    """A TIMESTAMP literal: microseconds since 1970-01-01."""
    return Literal(types.TIMESTAMP, (value - _EPOCH) // timedelta(microseconds=1))


def parse_timestamp(text: str) -> datetime | None:
    """A date with an optional time of day, as DuckDB reads it; None when it is neither.

    Digits after the sixth of a second are cut off; 24:00:00 is the start of the next day.
    """
    found = _DATE.match(text)
    if found is None:
        return None
    try:
        day = datetime(int(found[1]), int(found[3]), int(found[4]))
    except ValueError:
        return None
    rest = text[found.end() :]
    clock = _TIME.match(rest)
    if clock is None:
        return day if not rest.strip() else None
    hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
    if _ZONE.match(rest[clock.end() :]) is None or minute > 59 or second > 59:
        return None
    if hour > 24 or (hour == 24 and (minute or second)):
        return None
    micros = int((clock[4] or "")[:6].ljust(6, "0"))
    try:
        return day + timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micros)
    except OverflowError:
        return None


def temporal(text: str, type_: SqlType, span: Span) -> Literal:
    """The DATE or TIMESTAMP that the text means. Raises ProgrammingError for another text."""
    value = datetime(1970, 1, 1) if text.strip().lower() == "epoch" else parse_timestamp(text)
    if value is None:
        form = "YYYY-MM-DD" if type_.kind is Kind.DATE else "YYYY-MM-DD HH:MM:SS[.ffffff]"
        raise ProgrammingError(
            f"'{text}' is not a {type_}",
            span=span,
            hint=f"A {type_} is written '{form}', with a year from 1 to 9999.",
        )
    return date_literal(value) if type_.kind is Kind.DATE else timestamp_literal(value)


def interval(text: str, span: Span) -> Literal:
    """The INTERVAL that the text means. Raises ProgrammingError for another text."""
    found = read_interval(text)
    if found is None:
        raise ProgrammingError(
            f"'{text}' is not an INTERVAL",
            span=span,
            hint="An INTERVAL is written like '1 year 2 months 3 days 04:05:06'.",
        )
    return Literal(types.INTERVAL, packed(*found))


def time_of_day(text: str, span: Span) -> Literal:
    """The TIME that the text means. Raises ProgrammingError for another text."""
    micros = read_time(text)
    if micros is None:
        raise ProgrammingError(
            f"'{text}' is not a TIME",
            span=span,
            hint="A TIME is written 'HH:MM:SS[.ffffff]', before 24:00:00.",
        )
    return Literal(types.TIME, micros)


def folded(expr: Expr, span: Span) -> Expr:
    """A string constant that is cast to DATE, TIMESTAMP or INTERVAL becomes that; else `expr`."""
    timely = expr.type.is_temporal or expr.type in (types.INTERVAL, types.TIME)
    if isinstance(expr, Cast) and not expr.safe and timely:
        inner = unpinned(expr.arg)
        if isinstance(inner, Literal) and isinstance(inner.value, str):
            if expr.type == types.INTERVAL:
                return interval(inner.value, span)
            if expr.type == types.TIME:
                return time_of_day(inner.value, span)
            return temporal(inner.value, expr.type, span)
    return expr


def folded_list(expr: Expr, span: Span) -> Expr:
    """A list with the string constants among its elements folded."""
    return expr.with_children(tuple(folded(part, span) for part in expr.children))


def number(
    node: ast.Expression, parameters: Mapping[int | str, object]
) -> int | float | Decimal | str | None:
    """The value of a constant expression: numbers, strings, parameters, signs and + - *.

    For LIMIT, OFFSET and the amount of an INTERVAL. Raises ProgrammingError for anything else.
    """
    match node:
        case ast.Constant(_, "integer", _):
            return integer(node)
        case ast.Constant(_, "decimal" | "float", text):
            return Decimal(text.replace("_", ""))
        case ast.Constant(_, "string", text):
            return text
        case ast.Constant(_, "null", _):
            return None
        case ast.Parameter(span, name):
            value = unpinned(parameter(node, parameters))
            if isinstance(value, Literal) and value.type.kind is not Kind.BOOLEAN:
                plain = value.value
                if value.type.is_decimal and isinstance(plain, int):
                    return Decimal(plain).scaleb(-value.type.scale)
                if value.type.is_numeric or value.type in (types.VARCHAR, types.NULL):
                    return plain
            raise ProgrammingError(f"{_written(name)} is not a number here", span=span)
        case ast.Unary(_, "-" | "+" as sign, operand):
            inner = _numeric(operand, parameters)
            return -inner if sign == "-" else inner
        case ast.Binary(_, "+" | "-" | "*" as operator, left, right):
            one, other = _numeric(left, parameters), _numeric(right, parameters)
            if operator == "*":
                return one * other
            return one + other if operator == "+" else one - other
    raise ProgrammingError("only a constant can stand here", span=node.span)


def _numeric(node: ast.Expression, parameters: Mapping[int | str, object]) -> int | Decimal:
    value = number(node, parameters)
    if isinstance(value, float):
        value = Decimal(value)
    if isinstance(value, int | Decimal):
        return value
    raise ProgrammingError("only a number can stand here", span=node.span)
