"""What is certain about an expression without looking at rows.

Owns: whether it can raise, whether it is NULL or never true on rows padded with NULLs, and whether
equal values make it equal. Comes in: bound expressions. Goes out: cautious yes or no.
Does not know: plans, statistics.
"""

from __future__ import annotations

from eau2.operators.expr import (
    Call,
    Cast,
    ColumnRef,
    Expr,
    InList,
    Literal,
    columns_of,
)
from eau2.operators.functions.casts import may_fail
from eau2.operators.functions.table import lookup
from eau2.types import INTEGER_RANGES, Kind, SqlType

COMPARISONS = frozenset({"=", "<>", "<", "<=", ">", ">="})

FLIPPED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""What a comparison is called when its sides are exchanged."""

NEGATED = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
"""What a comparison is called under NOT. The order is total, NaN included."""

_OVERFLOWS = frozenset({"+", "-", "*", "negate"})
"""Arithmetic that raises on overflow alone: not on floats, nor where it is proven unchecked."""


def can_raise(expr: Expr) -> bool:
    """Whether evaluating `expr` on some row might raise an error. True when in doubt."""
    waiting = [expr]
    while waiting:
        node = waiting.pop()
        if type(node) is not ColumnRef and type(node) is not Literal:
            if _node_can_raise(node):
                return True
            waiting.extend(node.children)
    return False


def _node_can_raise(node: Expr) -> bool:
    match node:
        case Cast(type=type_, arg=arg, safe=safe, checked=checked):
            return checked and not safe and may_fail(arg.type, type_)
        case Call(function="//" | "%", args=(_, Literal(value=divisor))):
            return bool(divisor is None or divisor in (0, -1))
        case Call(function=name, type=type_, checked=checked) if name in _OVERFLOWS:
            return checked and not type_.is_float
        case Call(function=name):
            return lookup(name).fails
    return False


def cast_is_lossless(source: SqlType, target: SqlType) -> bool:
    """Whether each value of `source` has its own value in `target`, in the same order."""
    if source == target:
        return True
    if source.is_integer and target.is_integer:
        low, high = INTEGER_RANGES[source.kind]
        target_low, target_high = INTEGER_RANGES[target.kind]
        return target_low <= low and high <= target_high
    if source.is_integer and target.is_decimal:
        low, high = INTEGER_RANGES[source.kind]
        limit: int = 10 ** (target.precision - target.scale)
        return max(-low, high) < limit
    if source.is_decimal and target.is_decimal:
        whole = source.precision - source.scale
        return target.scale >= source.scale and target.precision - target.scale >= whole
    if source.is_integer and target.kind is Kind.DOUBLE:
        low, high = INTEGER_RANGES[source.kind]
        return max(-low, high) <= 2**53
    if source.kind is Kind.FLOAT and target.kind is Kind.DOUBLE:
        return True
    return source.kind is Kind.DATE and target.kind is Kind.TIMESTAMP


def always_null(expr: Expr, padded: frozenset[int]) -> bool:
    """Whether `expr` is certainly NULL when all columns in `padded` are."""
    match expr:
        case ColumnRef(id=id_):
            return id_ in padded
        case Literal(value=value):
            return value is None
        case Cast(arg=arg) | InList(arg=arg):
            return always_null(arg, padded)
        case Call(function="and" | "or" | "coalesce", args=args):
            return all(always_null(arg, padded) for arg in args)
        case Call(function=name, args=args) if lookup(name).null_rule == "strict":
            return any(always_null(arg, padded) for arg in args)
    return False


def never_true(expr: Expr, padded: frozenset[int]) -> bool:
    """Whether the condition `expr` is certainly false or NULL when all of `padded` are NULL."""
    if always_null(expr, padded):
        return True
    match expr:
        case Literal(value=value):
            return value is not True
        case Call(function="and", args=args):
            return any(never_true(arg, padded) for arg in args)
        case Call(function="or", args=args):
            return all(never_true(arg, padded) for arg in args)
        case Call(function="is_not_null", args=(arg,)):
            return always_null(arg, padded)
        case Call(function="not", args=(Call(function="is_null", args=(arg,)),)):
            return always_null(arg, padded)
    return False


def follows_equality(expr: Expr) -> bool:
    """Whether `expr` tells apart no two values of its one column that SQL calls equal.

    True for comparisons of the bare column with constants, and their combinations.
    """
    if len(columns_of(expr)) != 1:
        return False
    match expr:
        case Call(function="and" | "or" | "not", args=args):
            return all(follows_equality(arg) for arg in args if not isinstance(arg, Literal))
        case Call(function=name, args=(ColumnRef(), Literal())) if name in COMPARISONS:
            return True
        case Call(function=name, args=(Literal(), ColumnRef())) if name in COMPARISONS:
            return True
        case InList(arg=ColumnRef()):
            return True
        case Call(function="like", args=(ColumnRef(), Literal(), *rest)):
            return all(isinstance(arg, Literal) for arg in rest)
    return False
