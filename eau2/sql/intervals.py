"""INTERVAL constants, folded into months, days and microseconds while binding.

Owns: the units, the text form of an interval, and arithmetic among constant intervals.
Comes in: ast expressions. Goes out: `Interval`. Does not know: columns.

An interval has no type of its own in eau2: it is something that is added to a date or a timestamp.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from eau2.errors import NotSupportedError, ProgrammingError, Span
from eau2.sql import ast, literals

DAY_MICROS = 86_400_000_000
_MONTH_DAYS = 30

_MONTHS = {
    "month": 1,
    "quarter": 3,
    "year": 12,
    "decade": 120,
    "century": 1200,
    "millennium": 12000,
}
_DAYS = {"day": 1, "week": 7}
_MICROS = {
    "microsecond": 1,
    "millisecond": 1000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
}

_UNIT_NAMES: dict[str, str] = {
    alias: unit
    for unit, aliases in (
        ("year", "year years yr yrs y"),
        ("month", "month months mon mons"),
        ("day", "day days d dayofmonth"),
        ("hour", "hour hours hr hrs h"),
        ("minute", "minute minutes min mins m"),
        ("second", "second seconds sec secs s"),
        ("millisecond", "millisecond milliseconds ms msec msecs"),
        ("microsecond", "microsecond microseconds us usec usecs"),
        ("week", "week weeks w"),
        ("quarter", "quarter quarters"),
        ("decade", "decade decades dec decs"),
        ("century", "century centuries cent c"),
        ("millennium", "millennium millennia millenium mil mils"),
    )
    for alias in aliases.split()
}

_LONGEST_DIGITS = 20

_CLOCK = re.compile(r"(-?)(\d{1,12}):(\d{1,2})(?::(\d{1,2})(?:\.(\d*))?)?(?:\s+|\Z)")
_AMOUNT = re.compile(r"(-?\d{1,20}(?:\.\d{0,30})?)\s*([A-Za-z]+)\s*")
_AGO = re.compile(r"ago\Z", re.IGNORECASE)
_SECONDS = re.compile(r"-?\d+(?:\.\d*)?\Z")


@dataclass(frozen=True, slots=True)
class Interval:
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
                return from_text(text, span)
            raise ProgrammingError(
                "an INTERVAL without a unit is written as a text",
                span=span,
                hint="For example INTERVAL '3 months', or INTERVAL 3 MONTH.",
            )
        case ast.IntervalConstant(span, amount, unit) if unit is not None:
            return _of_unit(_amount(amount, parameters), unit, span)
        case ast.CastTo(span, ast.Constant(_, "string", text), _, _):
            return from_text(text, span)
        case ast.TypedConstant(span, _, text):
            return from_text(text, span)
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
    unit = _UNIT_NAMES.get(unit, unit)
    if unit in _MONTHS:
        return Interval(months=int(amount) * _MONTHS[unit])
    if unit in _DAYS:
        return Interval(days=int(amount) * _DAYS[unit])
    if unit in ("second", "millisecond"):
        return Interval(micros=round(float(amount) * _MICROS[unit]))
    if unit in _MICROS:
        return Interval(micros=int(amount) * _MICROS[unit])
    raise NotSupportedError(f'intervals in "{unit}" are not supported', span=span)


def from_text(text: str, span: Span) -> Interval:
    """An interval as a text: '1 year 2 months', '1.5 days', '01:02:03.5', '3 days ago', '5'."""
    rest = text.strip().removeprefix("@").strip()
    if _SECONDS.match(rest):
        rest += " second"
    total = Interval()
    position = 0
    while position < len(rest) and not _AGO.match(rest, position):
        part, end = _next_part(rest, position)
        if part is None:
            break
        total += part
        position = end
    if position == 0 or (position < len(rest) and not _AGO.match(rest, position)):
        raise ProgrammingError(
            f"'{text}' is not an INTERVAL",
            span=span,
            hint="An INTERVAL is written like '1 year 2 months 3 days 04:05:06'.",
        )
    return -total if position < len(rest) else total


def _next_part(text: str, position: int) -> tuple[Interval | None, int]:
    """The interval that starts at `position`, and where it ends."""
    clock = _CLOCK.match(text, position)
    if clock is not None:
        fraction = int((clock[5] or "")[:6].ljust(6, "0"))
        seconds = (int(clock[2]) * 60 + int(clock[3])) * 60 + int(clock[4] or 0)
        micros = seconds * 1_000_000 + fraction
        if int(clock[3]) > 59 or int(clock[4] or 0) > 59:
            return None, position
        return Interval(micros=-micros if clock[1] else micros), clock.end()
    found = _AMOUNT.match(text, position)
    unit = None if found is None else _UNIT_NAMES.get(found[2].lower())
    if found is None or unit is None:
        return None, position
    return _fractional(Fraction(found[1].rstrip(".")), unit), found.end()


def _fractional(amount: Fraction, unit: str) -> Interval:
    """A part of a month is counted in days of a 30-day month, a part of a day in microseconds."""
    if unit in _MONTHS:
        months = amount * _MONTHS[unit]
        whole = int(months)
        rest = _fractional((months - whole) * _MONTH_DAYS, "day")
        return Interval(months=whole) + rest
    if unit in _DAYS:
        days = amount * _DAYS[unit]
        whole = int(days)
        return Interval(days=whole, micros=_rounded((days - whole) * DAY_MICROS))
    return Interval(micros=_rounded(amount * _MICROS[unit]))


def _rounded(value: Fraction) -> int:
    """To the nearest integer, halves away from zero."""
    whole = int(abs(value) + Fraction(1, 2))
    return whole if value >= 0 else -whole
