"""Prune: could any row of a chunk satisfy a condition, judging by the chunk's statistics?

Owns: `may_match`. Comes in: a bound condition, the chunk's minima, maxima and NULL counts. Goes
out: False only when certainly no row does. Pure.
Does not know: chunks, plans.

A condition is evaluated over all rows at once: its outcome is the set of truth values that some
row might have. NaN is greater than every number; a column of floats whose maximum is unknown may
hold it. A minimum of strings may be a prefix of the true one, which bounds it as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from eau2.catalog import ColumnStatistics, Plain
from eau2.operators.expr import Call, Cast, Column, ColumnRef, Expr, InList, Literal
from eau2.operators.facts import COMPARISONS, FLIPPED, cast_is_lossless
from eau2.operators.functions.python_differences import MOVES
from eau2.records import Record
from eau2.types import Kind, SqlType

TRUE, FALSE, NULL = 1, 2, 4
"""An outcome is a set of these bits."""

ANY = TRUE | FALSE | NULL

_MICROSECONDS_A_DAY = 86_400_000_000


class Bounds(Record, frozen=True):
    """What the values of an expression can be. low, high: of those not NULL, None is unbounded.

    values: some row may hold a value. nulls: some row may hold NULL.
    """

    low: Plain | None = None
    high: Plain | None = None
    values: bool = True
    nulls: bool = True


class _Chunk(Record, frozen=True):
    columns: dict[int, ColumnStatistics]
    rows: int


def may_match(
    condition: Expr,
    columns: tuple[Column, ...],
    statistics: tuple[ColumnStatistics, ...],
    rows: int,
) -> bool:
    """Whether some row of a chunk might make `condition` true. True when in doubt.

    statistics: one for each of `columns`, in their order. rows: of the chunk.
    """
    if rows == 0:
        return False
    known = {c.id: s for c, s in zip(columns, statistics, strict=True)}
    return bool(_outcome(condition, _Chunk(known, rows)) & TRUE)


def _outcome(expr: Expr, chunk: _Chunk) -> int:
    """The truth values that the condition might have on some row."""
    match expr:
        case Literal(value=value):
            return NULL if value is None else TRUE if value else FALSE
        case Call(function="and", args=args):
            return _conjunction([_outcome(arg, chunk) for arg in args])
        case Call(function="or", args=args):
            return _flip(_conjunction([_flip(_outcome(arg, chunk)) for arg in args]))
        case Call(function="not", args=(arg,)):
            return _flip(_outcome(arg, chunk))
        case Call(function="is_null" | "is_not_null" as name, args=(arg,)):
            bounds = _bounds(arg, chunk)
            outcome = (TRUE if bounds.nulls else 0) | (FALSE if bounds.values else 0)
            return outcome if name == "is_null" else _flip(outcome)
        case Call(function="is_not_distinct" | "is_distinct" as name, args=(left, right)):
            outcome = _same(_bounds(left, chunk), _bounds(right, chunk), left.type)
            return outcome if name == "is_not_distinct" else _flip(outcome)
        case Call(function=name, args=(left, right)) if name in COMPARISONS:
            return _compared(name, left, right, chunk)
        case Call(function="like", args=(arg, Literal(value=str() as pattern), *rest)):
            return _like(_bounds(arg, chunk), pattern, rest)
        case Call(function="starts_with", args=(arg, Literal(value=str() as prefix))):
            return _prefixed(_bounds(arg, chunk), prefix)
        case InList(arg=arg, values=values, has_null=has_null):
            bounds = _bounds(arg, chunk)
            outcome = _either(
                [_ordered("=", bounds, _constant(value, arg.type), arg.type) for value in values]
            )
            return outcome | NULL if has_null else outcome
        case ColumnRef():
            bounds = _bounds(expr, chunk)
            return _flip(_ordered("=", bounds, _constant(False, expr.type), expr.type))
    return ANY


def _conjunction(outcomes: list[int]) -> int:
    """AND of sets of truth values: which results some choice from each set gives."""
    result = TRUE
    for outcome in outcomes:
        false = FALSE if (result | outcome) & FALSE else 0
        true = result & outcome & TRUE
        null = 0
        if (result & NULL and outcome & (TRUE | NULL)) or (outcome & NULL and result & TRUE):
            null = NULL
        result = true | false | null
    return result


def _flip(outcome: int) -> int:
    """NOT of a set of truth values."""
    return (FALSE if outcome & TRUE else 0) | (TRUE if outcome & FALSE else 0) | outcome & NULL


def _either(outcomes: list[int]) -> int:
    return _flip(_conjunction([_flip(outcome) for outcome in outcomes]))


def _bounds(expr: Expr, chunk: _Chunk) -> Bounds:
    match expr:
        case Literal(value=value, type=type_):
            if type_.kind is Kind.INTERVAL and value is not None:
                return Bounds(nulls=False)
            return _constant(value, type_)
        case ColumnRef(id=id_) if id_ in chunk.columns:
            statistics = chunk.columns[id_]
            return Bounds(
                statistics.minimum,
                statistics.maximum,
                values=statistics.null_count < chunk.rows,
                nulls=statistics.null_count > 0,
            )
        case Cast(arg=arg, type=type_, safe=False):
            convert = _monotone(arg.type, type_)
            if convert is not None:
                below = _bounds(arg, chunk)
                return Bounds(
                    None if below.low is None else convert(below.low),
                    None if below.high is None else convert(below.high),
                    below.values,
                    below.nulls,
                )
        case Call(function="days_between" | "datetime.-", args=(left, right)):
            return _between(_bounds(left, chunk), _bounds(right, chunk))
        case Call(function=name, args=(arg, Literal(value=int() as by), _)) if name in MOVES:
            return _moved(name, _bounds(arg, chunk), by)
    return Bounds()


def _between(left: Bounds, right: Bounds) -> Bounds:
    """Of one moment minus another."""
    low = _minus(left.low, right.high)
    high = _minus(left.high, right.low)
    return Bounds(low, high, left.values and right.values, left.nulls or right.nulls)


def _minus(left: Plain | None, right: Plain | None) -> Plain | None:
    return left - right if isinstance(left, int) and isinstance(right, int) else None


def _moved(name: str, bounds: Bounds, by: int) -> Bounds:
    """Of moments that are moved by a constant; unknown where a row might have to raise."""
    direction, first, last = MOVES[name]
    if not isinstance(bounds.low, int) or not isinstance(bounds.high, int):
        return Bounds()
    low, high = bounds.low + direction * by, bounds.high + direction * by
    if low < first or high > last:
        return Bounds()
    return Bounds(low, high, bounds.values, bounds.nulls)


def _monotone(source: SqlType, target: SqlType) -> Callable[[Plain], Plain] | None:
    """How a cast that keeps order and never fails maps stored values; None for other casts."""
    if not cast_is_lossless(source, target):
        return None
    factor = 1
    if source.is_temporal and source != target:
        factor = _MICROSECONDS_A_DAY
    elif target.is_decimal:
        factor = 10 ** (target.scale - source.scale)
    elif not (source.is_integer and target.is_integer):
        return None
    return lambda value: value * factor if isinstance(value, int) else value


def _constant(value: Plain | None, type_: SqlType) -> Bounds:
    if value is None:
        return Bounds(values=False)
    if isinstance(value, float) and math.isnan(value):
        return Bounds(nulls=False)
    return Bounds(value, value, nulls=False)


def _compared(name: str, left: Expr, right: Expr, chunk: _Chunk) -> int:
    if left.type != right.type:
        return ANY
    first, second = _bounds(left, chunk), _bounds(right, chunk)
    if isinstance(left, Literal):
        return _ordered(FLIPPED[name], second, first, left.type)
    return _ordered(name, first, second, left.type)


def _ordered(name: str, left: Bounds, right: Bounds, type_: SqlType) -> int:
    """The outcomes of comparing any value of one with any value of the other."""
    outcome = NULL if left.nulls or right.nulls else 0
    if not (left.values and right.values):
        return outcome or NULL
    less = _can_be_less(left, right)
    greater = _can_be_less(right, left)
    equal = _can_be_equal(left, right)
    true, false = {
        "=": (equal, less or greater),
        "<>": (less or greater, equal),
        "<": (less, greater or equal),
        "<=": (less or equal, greater),
        ">": (greater, less or equal),
        ">=": (greater or equal, less),
    }[name]
    return outcome | (TRUE if true else 0) | (FALSE if false else 0)


def _can_be_less(left: Bounds, right: Bounds) -> bool:
    """Whether some value of `left` can be less than some value of `right`."""
    if left.low is None or right.high is None:
        return True
    return _less(left.low, right.high)


def _can_be_equal(left: Bounds, right: Bounds) -> bool:
    if left.low is not None and right.high is not None and _less(right.high, left.low):
        return False
    return not (left.high is not None and right.low is not None and _less(left.high, right.low))


def _less(first: Plain, second: Plain) -> bool:
    if isinstance(first, str) or isinstance(second, str):
        if isinstance(first, str) and isinstance(second, str):
            return first < second
        return True
    return first < second


def _same(left: Bounds, right: Bounds, type_: SqlType) -> int:
    """The outcomes of IS NOT DISTINCT FROM."""
    outcome = TRUE if left.nulls and right.nulls else 0
    if (left.nulls and right.values) or (left.values and right.nulls):
        outcome |= FALSE
    if left.values and right.values:
        outcome |= _ordered("=", left, right, type_) & ~NULL
    return outcome


def _like(bounds: Bounds, pattern: str, rest: list[Expr]) -> int:
    """By the fixed beginning of the pattern, before any wildcard or escape."""
    escapes = [arg.value for arg in rest if isinstance(arg, Literal)]
    stops = {"%", "_", "\\", *(str(e) for e in escapes if e)}
    length = next((i for i, char in enumerate(pattern) if char in stops), len(pattern))
    return _prefixed(bounds, pattern[:length]) | FALSE


def _prefixed(bounds: Bounds, prefix: str) -> int:
    """Whether values between the bounds can begin with `prefix`."""
    outcome = NULL if bounds.nulls else 0
    if not bounds.values:
        return outcome or NULL
    low, high = bounds.low, bounds.high
    too_high = isinstance(low, str) and low > prefix and not low.startswith(prefix)
    too_low = isinstance(high, str) and high < prefix
    return outcome | FALSE | (0 if too_high or too_low else TRUE)
