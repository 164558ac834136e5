"""INTERVAL as it is written: constants folded while binding, and intervals of so many units.

Owns: which expressions are constant intervals, and arithmetic among them. Comes in: ast
expressions, bound amounts. Goes out: `Interval`, bound expressions. Does not know: columns, the
text form of intervals (interval_text.py).

A constant is folded so that a date plus an interval is a plan's fast path, whose value is known
when statistics are asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from eau2 import types
from eau2.errors import NotSupportedError, ProgrammingError, Span
from eau2.operators import coercion
from eau2.operators.expr import Expr, Literal
from eau2.operators.functions import table
from eau2.operators.functions.interval_text import DAYS, MICROS, MONTHS, UNIT_NAMES
from eau2.operators.interval_form import packed, unpacked
from eau2.records import Record
from eau2.sql import ast, literals

_LONGEST_DIGITS = 20
_PLURALS = {"century": "centuries", "millennium": "millennia"}


class Interval(Record, frozen=True):
    """A span of time as DuckDB counts it: months, days and microseconds stay apart."""

    months: int = 0
    days: int = 0
    micros: int = 0

    def __neg__(self) -> Interval:
        return self.times(-1)

    def __add__(self, other: Interval) -> Interval:
        return Interval(
            self.months + other.months, self.days + other.days, self.micros + other.micros
        )

    def times(self, factor: int) -> Interval:
        """The interval repeated `factor` times."""
        return Interval(self.months * factor, self.days * factor, self.micros * factor)

    @property
    def literal(self) -> Literal:
        """The constant in a bound expression."""
        return Literal(types.INTERVAL, packed(self.months, self.days, self.micros))


def constant(node: ast.Expression, parameters: Mapping[int | str, object]) -> Interval | None:
    """The value of a constant interval; None when the expression is none.

    Raises ProgrammingError for a constant that is no interval, or too long for one.
    """
    return fold(node, parameters) if _is_constant(node, parameters) else None


def _is_constant(node: ast.Expression, parameters: Mapping[int | str, object]) -> bool:
    match node:
        case ast.IntervalConstant(_, amount, unit):
            value = _number(amount, parameters)
            return value is not None and (unit is not None or isinstance(value, str))
        case ast.CastTo(_, ast.Constant(_, "string", _), type_, safe):
            return type_.name == "interval" and not safe
        case ast.TypedConstant(_, type_, _):
            return type_.name == "interval"
        case ast.Unary(_, "-" | "+", operand):
            return _is_constant(operand, parameters)
        case ast.Binary(_, "+" | "-", left, right):
            return _is_constant(right, parameters) and _is_constant(left, parameters)
        case ast.Binary(_, "*", left, right):
            return any(
                isinstance(_number(times, parameters), int) and _is_constant(repeated, parameters)
                for times, repeated in ((left, right), (right, left))
            )
    return False


def _number(
    node: ast.Expression, parameters: Mapping[int | str, object]
) -> int | float | Decimal | str | None:
    """The value of a constant number or text; None for any other expression."""
    try:
        return literals.number(node, parameters)
    except ProgrammingError:
        return None


def of_units(amount: Expr, unit: str | None, span: Span) -> Expr:
    """The interval of so many units, or that a text says; the amount is no constant.

    Raises statement errors without a span, NotSupportedError for a unit that is none.
    """
    if unit is None:
        return coercion.cast(amount, types.INTERVAL)
    unit = UNIT_NAMES.get(unit, unit)
    if unit not in (*MONTHS, *DAYS, *MICROS):
        raise NotSupportedError(f'intervals in "{unit}" are not supported', span=span)
    count = coercion.cast(amount, types.DOUBLE)
    if unit not in ("second", "millisecond"):
        count = coercion.cast(table.bind("trunc", (count,)), types.BIGINT)
    return table.bind(f"to_{_PLURALS.get(unit, f'{unit}s')}", (count,))


def is_interval(node: ast.Expression) -> bool:
    """Whether the expression is an interval by its form alone."""
    match node:
        case ast.IntervalConstant():
            return True
        case ast.CastTo(_, ast.Constant(), type_, _):
            return type_.name == "interval"
        case ast.TypedConstant(_, type_, _):
            return type_.name == "interval"
        case ast.Unary(_, "-" | "+", operand):
            return is_interval(operand)
        case ast.Binary(_, "+" | "-", left, right):
            return is_interval(right) and is_interval(left)
        case ast.Binary(_, "*", left, right):
            return is_interval(right) or is_interval(left)
    return False


def fold(node: ast.Expression, parameters: Mapping[int | str, object]) -> Interval:
    """The value of an expression for which is_interval holds."""
    interval = _fold(node, parameters)
    for amount, bits, unit in (
        (interval.months, 31, "months"),
        (interval.days, 31, "days"),
        (interval.micros, 63, "microseconds"),
    ):
        if not -(2**bits) <= amount < 2**bits:
            raise ProgrammingError(f"an interval of {amount} {unit} is too long", span=node.span)
    return interval


def _fold(node: ast.Expression, parameters: Mapping[int | str, object]) -> Interval:
    match node:
        case ast.IntervalConstant(span, amount, None):
            text = literals.number(amount, parameters)
            if isinstance(text, str):
                return _from_text(text, span)
            raise ProgrammingError(
                "an INTERVAL without a unit is written as a text",
                span=span,
                hint="For example INTERVAL '3 months', or INTERVAL 3 MONTH.",
            )
        case ast.IntervalConstant(span, amount, unit) if unit is not None:
            return _of_unit(_amount(amount, parameters), unit, span)
        case ast.CastTo(span, ast.Constant(_, "string", text), _, _):
            return _from_text(text, span)
        case ast.TypedConstant(span, _, text):
            return _from_text(text, span)
        case ast.Unary(_, sign, operand):
            inner = _fold(operand, parameters)
            return -inner if sign == "-" else inner
        case ast.Binary(span, "*", left, right):
            times, repeated = (right, left) if is_interval(left) else (left, right)
            factor = None if is_interval(times) else literals.number(times, parameters)
            if not isinstance(factor, int):
                raise NotSupportedError(
                    "an INTERVAL can only be multiplied by an integer constant", span=span
                )
            return _fold(repeated, parameters).times(factor)
        case ast.Binary(_, operator, left, right):
            one, other = _fold(left, parameters), _fold(right, parameters)
            return one + other if operator == "+" else one + -other
    raise NotSupportedError("this INTERVAL is not supported", span=node.span)


def _amount(node: ast.Expression, parameters: Mapping[int | str, object]) -> Decimal:
    try:
        value = literals.number(node, parameters)
    except ProgrammingError as error:
        raise NotSupportedError(
            "the amount of an INTERVAL must be a constant number", span=error.span or node.span
        ) from error
    if value is None:
        raise NotSupportedError("the amount of an INTERVAL must not be NULL", span=node.span)
    try:
        amount = Decimal(value.strip() if isinstance(value, str) else value)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise ProgrammingError(f"'{value}' is not a number", span=node.span)
    if amount.adjusted() > _LONGEST_DIGITS:
        raise ProgrammingError("the INTERVAL is too long", span=node.span)
    return amount


def _of_unit(amount: Decimal, unit: str, span: Span) -> Interval:
    """`amount` units. Fractions count for (milli)seconds only, and are doubles, as in DuckDB."""
    unit = UNIT_NAMES.get(unit, unit)
    if unit in MONTHS:
        return Interval(months=int(amount) * MONTHS[unit])
    if unit in DAYS:
        return Interval(days=int(amount) * DAYS[unit])
    if unit in ("second", "millisecond"):
        return Interval(micros=round(float(amount) * MICROS[unit]))
    if unit in MICROS:
        return Interval(micros=int(amount) * MICROS[unit])
    raise NotSupportedError(f'intervals in "{unit}" are not supported', span=span)


def _from_text(text: str, span: Span) -> Interval:
    value = literals.interval(text, span).value
    assert isinstance(value, int)
    return Interval(*unpacked(value))
