"""Interval arithmetic over bound expressions: what values they can have, and what cannot overflow.

Owns: the intervals of exact numbers (integers, scaled decimals, days, microseconds) and the binary
exponents of floats. Comes in: what is known of columns. Goes out: expressions whose arithmetic is
marked unchecked where no value can leave its type, and bounds. Sound before anything: None means
that nothing is known.
Does not know: plans, where the knowledge about columns comes from.

An interval holds every value that is not NULL; it need not be tight.
"""

from __future__ import annotations

import datetime
import math
from functools import lru_cache, reduce
from itertools import zip_longest
from operator import is_not

from eau2.operators.expr import (
    Call,
    Case,
    Cast,
    ColumnRef,
    Expr,
    Lambda,
    LambdaParameter,
    Literal,
)
from eau2.records import Record, field, replace
from eau2.types import INTEGER_RANGES, Kind, SqlType

Interval = tuple[int, int]

NO_EXPONENTS = (1 << 20, -(1 << 20))
"""The exponents of an expression whose every finite value is zero: neutral in a union."""

_MICROSECONDS_A_DAY = 86_400_000_000
_PARTS: dict[str, Interval] = {
    "month": (1, 12),
    "day": (1, 31),
    "quarter": (1, 4),
    "hour": (0, 23),
    "minute": (0, 59),
    "second": (0, 59),
    "dow": (0, 6),
    "isodow": (1, 7),
    "doy": (1, 366),
    "week": (1, 53),
}
_FIRST_DAY = (datetime.date.min - datetime.date(1970, 1, 1)).days
_LAST_DAY = (datetime.date.max - datetime.date(1970, 1, 1)).days

_FINITE_EXPONENTS = {Kind.FLOAT: 127, Kind.DOUBLE: 1023}
"""Finite values of larger exponents, as math.frexp gives them, may round up to infinity."""


class Known(Record, frozen=True):
    """What is known of columns, by id: intervals of exact ones, exponents of floats.

    finite: floats of which no value is NaN or infinite. locals: intervals of the values of lets
    around what is looked at.
    """

    intervals: dict[int, Interval] = field(default_factory=dict)
    exponents: dict[int, tuple[int, int]] = field(default_factory=dict)
    finite: set[int] = field(default_factory=set)
    locals: dict[LambdaParameter, Interval] = field(default_factory=dict)


def type_interval(type_: SqlType) -> Interval | None:
    """Every value that an exact numeric type can hold."""
    if type_.is_integer:
        return INTEGER_RANGES[type_.kind]
    if type_.is_decimal:
        return (1 - 10**type_.precision, 10**type_.precision - 1)
    if type_.kind is Kind.BOOLEAN:
        return (0, 1)
    return None


@lru_cache(maxsize=4096)
def round_out(interval: Interval) -> Interval:
    """The interval widened to powers of two, so that a little more data leaves it as it is."""
    low, high = interval
    return (-_round_up(-low), _round_up(high))


def _round_up(bound: int) -> int:
    """The next 2**k - 1 above a bound that is not negative; the next -2**k above another."""
    if bound >= 0:
        return (1 << bound.bit_length()) - 1
    return -(1 << ((-bound).bit_length() - 1))


def union(intervals: list[Interval | None]) -> Interval | None:
    """The smallest interval around all; None when one is unknown."""
    known = [interval for interval in intervals if interval is not None]
    if not known or len(known) < len(intervals):
        return None
    return (min(low for low, _ in known), max(high for _, high in known))


def within(inner: Interval | None, outer: Interval | None) -> bool:
    """Whether both are known, and `inner` lies in `outer`."""
    return inner is not None and outer is not None and outer[0] <= inner[0] and inner[1] <= outer[1]


def proven(expr: Expr, known: Known) -> tuple[Expr, Interval | None]:
    """The expression with `checked` off wherever it provably is not needed, and its interval."""
    match expr:
        case ColumnRef(id=id_, type=type_):
            return expr, known.intervals.get(id_, type_interval(type_))
        case Literal(value=value):
            if value is None:
                return expr, (0, 0)
            return expr, (int(value), int(value)) if isinstance(value, int) else None
        case LambdaParameter(type=type_):
            return expr, known.locals.get(expr, type_interval(type_))
        case Call(function="let"):
            return _proven_let(expr, known)
    before = expr.children
    pairs = [proven(child, known) for child in before]
    after = tuple([new for new, _ in pairs])
    if any(map(is_not, after, before)):
        expr = expr.with_children(after)
    below = [interval for _, interval in pairs]
    match expr:
        case Case():
            return expr, union([*below[1:-1:2], below[-1]])
        case Cast(type=type_, arg=arg):
            result = _cast(arg.type, type_, below[0])
            if expr.checked and _is_exact(arg.type) and within(result, type_interval(type_)):
                expr = replace(expr, checked=False)
            return expr, _clipped(result, type_)
        case Call(type=type_):
            result = _call(expr, below)
            arithmetic = expr.function in ("+", "-", "*", "negate")
            numeric = type_.is_integer or type_.is_decimal
            if arithmetic and numeric and expr.checked and within(result, type_interval(type_)):
                expr = replace(expr, checked=False)
            return expr, _clipped(result, type_)
    return expr, type_interval(expr.type)


def _proven_let(let: Call, known: Known) -> tuple[Expr, Interval | None]:
    """The values one after the other: what is proven of one is known to those after it."""
    *_, last = let.args
    assert isinstance(last, Lambda)
    args: list[Expr] = []
    interval: Interval | None = None
    for parameter, arg in zip_longest(last.parameters, let.args):
        body, interval = proven(arg.children[0], known)
        args.append(arg if body is arg.children[0] else arg.with_children((body,)))
        if parameter is not None and interval is not None:
            known.locals[parameter] = interval
    for parameter in last.parameters:
        # Other lambdas have parameters of the same level.
        known.locals.pop(parameter, None)
    same = not any(map(is_not, args, let.args))
    return let if same else let.with_children(tuple(args)), interval


def _is_exact(type_: SqlType) -> bool:
    return type_.is_integer or type_.is_decimal


def _clipped(interval: Interval | None, type_: SqlType) -> Interval | None:
    """What is left of an interval in a type: outside of it there would have been an error."""
    bounds = type_interval(type_)
    if interval is None or bounds is None:
        return bounds if interval is None else interval
    low, high = max(interval[0], bounds[0]), min(interval[1], bounds[1])
    return (low, high) if low <= high else bounds


def _cast(source: SqlType, target: SqlType, below: Interval | None) -> Interval | None:
    if below is None:
        return None
    if source.kind is Kind.DATE and target.kind is Kind.TIMESTAMP:
        return (below[0] * _MICROSECONDS_A_DAY, below[1] * _MICROSECONDS_A_DAY)
    known = _is_exact(source) or source.kind is Kind.BOOLEAN
    if not known or not _is_exact(target):
        return None
    shift = target.scale - source.scale
    if shift >= 0:
        return (below[0] * 10**shift, below[1] * 10**shift)
    return (_rounded(below[0], 10**-shift), _rounded(below[1], 10**-shift))


def _rounded(value: int, unit: int) -> int:
    """The quotient rounded half away from zero."""
    magnitude = (abs(value) + unit // 2) // unit
    return magnitude if value >= 0 else -magnitude


def _call(call: Call, below: list[Interval | None]) -> Interval | None:
    if call.function == "date_part":
        return _date_part(call, below[1])
    if any(interval is None for interval in below) or not below:
        return None
    known = [interval for interval in below if interval is not None]
    if not all(_is_exact(arg.type) for arg in call.args) or not _is_exact(call.type):
        return None
    (low, high), (other_low, other_high) = known[0], known[-1]
    same_scale = all(arg.type.scale == call.type.scale for arg in call.args)
    match call.function:
        case "+" if same_scale and len(known) == 2:
            return (low + other_low, high + other_high)
        case "-" if same_scale and len(known) == 2:
            return (low - other_high, high - other_low)
        case "*" if len(known) == 2:
            if call.args[0].type.scale + call.args[1].type.scale != call.type.scale:
                return None
            corners = [a * b for a in known[0] for b in known[1]]
            return (min(corners), max(corners))
        case "negate" if same_scale:
            return (-high, -low)
        case "abs" if same_scale:
            return (0 if low <= 0 <= high else min(abs(low), abs(high)), max(abs(low), abs(high)))
        case "coalesce" | "greatest" | "least" if same_scale:
            return union(below)
        case "//" | "%" if same_scale and other_low == other_high and other_high > 0:
            return _divided(call, known[0], other_high)
    return None


def _divided(call: Call, dividend: Interval, divisor: int) -> Interval | None:
    """The quotient cut towards zero, or the remainder, by a constant greater than zero."""
    if call.type.is_decimal:
        return None
    low, high = dividend
    if call.function == "//":
        return (_cut(low, divisor), _cut(high, divisor))
    return (max(low, 1 - divisor) if low < 0 else 0, min(high, divisor - 1) if high > 0 else 0)


def _cut(value: int, divisor: int) -> int:
    return value // divisor if value >= 0 else -(-value // divisor)


def _date_part(call: Call, of: Interval | None) -> Interval | None:
    part = call.args[0]
    if not isinstance(part, Literal):
        return None
    if part.value == "year" and of is not None:
        unit = 1 if call.args[1].type.kind is Kind.DATE else _MICROSECONDS_A_DAY
        first, last = of[0] // unit, of[1] // unit
        if first >= _FIRST_DAY and last <= _LAST_DAY:
            epoch = datetime.date(1970, 1, 1).toordinal()
            years = [datetime.date.fromordinal(epoch + day).year for day in (first, last)]
            return (years[0], years[1])
    return _PARTS.get(str(part.value))


def exponents_of(expr: Expr, known: Known) -> tuple[int, int] | None:
    """(lowest, highest) binary exponents, as math.frexp gives them, that the finite values of a
    float expression can have unless they are zero. NO_EXPONENTS when all are zero; None: unknown.
    """
    match expr:
        case ColumnRef(id=id_):
            return known.exponents.get(id_)
        case Literal(value=value):
            if isinstance(value, float) and value != 0.0 and math.isfinite(value):
                return (math.frexp(value)[1],) * 2
            return NO_EXPONENTS if value is None or isinstance(value, float) else None
        case Cast(arg=arg) if arg.type.is_float:
            return _one_more(exponents_of(arg, known))
        case Cast(arg=arg) if _is_exact(arg.type):
            return _exponents_of_exact(proven(arg, known)[1], arg.type.scale)
        case Case(branches=branches, otherwise=otherwise):
            values = [value for _, value in branches] + [otherwise]
            return union_of_exponents([exponents_of(value, known) for value in values])
        case Call(function="coalesce" | "greatest" | "least", args=args):
            return union_of_exponents([exponents_of(arg, known) for arg in args])
        case Call(function="negate" | "abs", args=(arg,)):
            return exponents_of(arg, known)
        case Call(function="+" | "-" | "*" as name, args=(left, right)):
            return _combined(name, exponents_of(left, known), exponents_of(right, known))
    return None


def is_finite(expr: Expr, known: Known) -> bool:
    """Whether no value of a float expression is NaN or infinite."""
    match expr:
        case ColumnRef(id=id_):
            return id_ in known.finite
        case Literal(value=value):
            return value is None or (isinstance(value, float) and math.isfinite(value))
        case Cast(arg=arg, type=type_) if arg.type.is_float:
            return type_.kind is Kind.DOUBLE and is_finite(arg, known)
        case Cast(arg=arg):
            return _is_exact(arg.type)
        case Case(branches=branches, otherwise=otherwise):
            values = [value for _, value in branches] + [otherwise]
            return all(is_finite(value, known) for value in values)
        case Call(function="coalesce" | "greatest" | "least" | "negate" | "abs", args=args):
            return all(is_finite(arg, known) for arg in args)
        case Call(function="+" | "-" | "*", args=args):
            exponents = exponents_of(expr, known)
            small = exponents is not None and exponents[1] <= _FINITE_EXPONENTS[expr.type.kind]
            return small and all(is_finite(arg, known) for arg in args)
    return False


def _one_more(exponents: tuple[int, int] | None) -> tuple[int, int] | None:
    """With room for rounding up to the next power of two."""
    if exponents is None or exponents == NO_EXPONENTS:
        return exponents
    return (exponents[0], exponents[1] + 1)


def union_of_exponents(parts: list[tuple[int, int] | None]) -> tuple[int, int] | None:
    """The smallest range around all; None when one is unknown."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return reduce(lambda a, b: (min(a[0], b[0]), max(a[1], b[1])), known)


def _exponents_of_exact(interval: Interval | None, scale: int) -> tuple[int, int] | None:
    """Of scaled integers as floats: the smallest above zero is one unit."""
    if interval is None:
        return None
    low, high = interval
    largest = max(abs(low), abs(high))
    smallest = 1 if low <= 0 <= high else min(abs(low), abs(high))
    if largest == 0:
        return NO_EXPONENTS
    least = math.floor(math.log2(smallest) - scale * math.log2(10)) - 1
    most = math.ceil(math.log2(largest) - scale * math.log2(10)) + 2
    return (least, most)


def _combined(
    name: str, left: tuple[int, int] | None, right: tuple[int, int] | None
) -> tuple[int, int] | None:
    """Of a float sum, difference or product.

    Every double of exponent e is a multiple of 2**(e - 53); so is a sum of such, however much
    cancels, and so is the sum after rounding.
    """
    if left is None or right is None:
        return None
    if name == "*":
        if NO_EXPONENTS in (left, right):
            return NO_EXPONENTS
        return (left[0] + right[0] - 1, left[1] + right[1] + 1)
    if left == NO_EXPONENTS or right == NO_EXPONENTS:
        return right if left == NO_EXPONENTS else left
    return (min(left[0], right[0]) - 52, max(left[1], right[1]) + 2)
