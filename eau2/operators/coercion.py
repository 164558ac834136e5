"""Which types meet where: explicit casts, implicit casts, common types, comparisons.

Owns: the implicit casts of DuckDB 2.0 and how literals adapt. A bare integer literal takes the
integer type beside it if it fits, a bare string literal takes whatever type stands beside it.
Comes in: bound expressions. Goes out: bound expressions with casts made explicit.
Does not know: functions, SQL text, how a cast is computed.
"""

from __future__ import annotations

import struct

from eau2.config import LIMITS
from eau2.errors import NotSupportedError, OutOfRangeError, TypeMismatchError
from eau2.operators.expr import Call, Cast, ColumnRef, Expr, Literal
from eau2.records import replace
from eau2.types import (
    BIGINT,
    BOOLEAN,
    HUGEINT,
    INTEGER,
    INTEGER_RANGES,
    NULL,
    TIMESTAMP,
    VARCHAR,
    WITHOUT_LISTS,
    Kind,
    SqlType,
    common_numeric,
    contains,
    list_of,
    union_decimal,
)

LIST_VALUE = "list_value"
"""The function that makes a list of its arguments."""

_TARGET_COSTS: dict[Kind, int] = {
    Kind.BIGINT: 101,
    Kind.INTEGER: 102,
    Kind.DOUBLE: 103,
    Kind.HUGEINT: 120,
    Kind.TIMESTAMP: 120,
    Kind.VARCHAR: 149,
}


def is_string_literal(expr: Expr) -> bool:
    """A bare string constant, which takes the type of what stands beside it."""
    return isinstance(expr, Literal) and expr.type == VARCHAR and expr.value is not None


def is_integer_literal(expr: Expr) -> bool:
    """A bare integer constant, which takes the integer type beside it if it fits."""
    return (
        isinstance(expr, Literal)
        and expr.type in (INTEGER, BIGINT, HUGEINT)
        and expr.value is not None
    )


def is_null(expr: Expr) -> bool:
    """An expression of no type but NULL."""
    return expr.type == NULL


def fits(expr: Expr, type_: SqlType) -> bool:
    """Whether an integer literal is a value of the integer type."""
    low, high = INTEGER_RANGES[type_.kind]
    return isinstance(expr, Literal) and isinstance(expr.value, int) and low <= expr.value <= high


def castable(source: SqlType, target: SqlType) -> bool:
    """Whether there is an explicit cast between the types."""
    if source.element is not None and target.element is not None:
        return castable(source.element, target.element)
    if target.is_list:
        return source.kind is Kind.NULL
    if source.is_list:
        return target.kind is Kind.VARCHAR
    if source.kind in (Kind.NULL, Kind.VARCHAR) or target.kind is Kind.VARCHAR:
        return True
    if source.kind is Kind.TIMESTAMP and target.kind is Kind.TIME:
        return True
    if {Kind.INTERVAL, Kind.TIME} & {source.kind, target.kind}:
        return source == target
    if source.is_temporal or target.is_temporal:
        return source.is_temporal and target.is_temporal
    return True


def cast(expr: Expr, type_: SqlType, safe: bool = False) -> Expr:
    """CAST, or TRY_CAST when `safe`. Raises TypeMismatchError when there is no such cast."""
    if expr.type == type_:
        return expr
    if expr.type.kind is Kind.VARCHAR and type_.is_list:
        raise NotSupportedError(
            "a text cannot be read as a list",
            hint="Write the list as [a, b], or cut the text with string_split.",
        )
    if not castable(expr.type, type_):
        raise TypeMismatchError(f"a {expr.type} cannot be cast to {type_}")
    if is_null(expr):
        return _typed_null(expr, type_)
    return Cast(type_, expr, safe)


def _typed_null(expr: Expr, type_: SqlType) -> Expr:
    """What is always NULL in another type; computed, it may still raise an error."""
    return Literal(type_, None) if isinstance(expr, Literal) else Cast(type_, expr)


def coercion_cost(expr: Expr, type_: SqlType) -> int | None:
    """What the implicit cast of `expr` to the type costs; None when there is none."""
    source = expr.type
    if source == type_:
        return 0
    if is_null(expr):
        return 0
    if type_.element is not None or source.element is not None:
        return _list_cost(source, type_)
    if is_string_literal(expr):
        return 20
    if is_integer_literal(expr) and type_.is_integer:
        return 1 if fits(expr, type_) else None
    target_cost = _TARGET_COSTS.get(type_.kind, 110)
    if source.is_integer:
        wider = type_.is_integer and contains(type_, source)
        return target_cost if wider or type_.is_float or type_.is_decimal else None
    if source.is_decimal:
        return target_cost if type_.is_float or type_.is_decimal else None
    if source.kind is Kind.FLOAT:
        return target_cost if type_.kind is Kind.DOUBLE else None
    if source.kind is Kind.DATE:
        return target_cost if type_ == TIMESTAMP else None
    return None


def list_type(element: SqlType) -> SqlType:
    """The type of lists of these elements. Raises NotSupportedError."""
    if element.kind in WITHOUT_LISTS:
        raise NotSupportedError(f"lists of {element} are not supported")
    if element.levels == LIMITS.list_levels:
        raise NotSupportedError(
            f"lists nested in more than {LIMITS.list_levels} levels are not supported"
        )
    return list_of(element)


def _list_cost(source: SqlType, target: SqlType) -> int | None:
    """What it costs to cast each element; there is no implicit cast between lists and others."""
    if source.element is None or target.element is None:
        return None
    return coercion_cost(ColumnRef(source.element, -1), target.element)


def coerce(expr: Expr, type_: SqlType) -> Expr:
    """The implicit conversion to a type that was found to be common. Numeric literals convert here.

    Raises TypeMismatchError when there is no cast at all.
    """
    if expr.type == type_:
        return expr
    if isinstance(expr, Literal):
        if expr.value is None:
            return Literal(type_, None)
        converted = _convert_literal(expr, type_)
        if converted is not None:
            return converted
    if isinstance(expr, Call) and expr.function == LIST_VALUE and type_.element is not None:
        return replace(
            expr, type=type_, args=tuple(coerce(arg, type_.element) for arg in expr.args)
        )
    return cast(expr, type_)


def _convert_literal(expr: Literal, type_: SqlType) -> Literal | None:
    """A number literal in another numeric type, where that is exact or a plain float."""
    value, source = expr.value, expr.type
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    if source.is_integer and type_.is_integer and fits(expr, type_):
        return Literal(type_, value)
    if (source.is_integer or source.is_decimal) and type_.is_decimal:
        shift = type_.scale - source.scale
        scaled = value * 10 ** max(shift, 0)
        if shift >= 0 and abs(scaled) < 10**type_.precision:
            return Literal(type_, scaled)
    if source.is_integer and type_.is_float:
        return Literal(type_, _as_float(value, type_))
    if source.is_decimal and type_.is_float and abs(value) < 2**53:
        return Literal(type_, _as_float(value / 10**source.scale, type_))
    return None


def _as_float(value: float, type_: SqlType) -> float:
    if type_.kind is Kind.FLOAT:
        single: float = struct.unpack("f", struct.pack("f", value))[0]
        return single
    return float(value)


def common_type(exprs: tuple[Expr, ...], *, compared: bool = False) -> SqlType:
    """The type in which expressions meet, taken in order: CASE, COALESCE, UNION, USING.

    A literal adapts to what it meets, but beside NULL or another literal it takes its own type for
    good. With `compared` the type in which they are compared (=, IN): it keeps all digits after
    the point of both, also where it has too few before it. Raises TypeMismatchError when there is
    none.
    """
    result, literal = exprs[0].type, _adapting(exprs[0])
    if literal is not None and is_string_literal(literal):
        result = VARCHAR
    for expr in exprs[1:]:
        result = _met(result, literal, expr, compared)
        literal = None
    return result


def _adapting(expr: Expr) -> Expr | None:
    """The expression if it is a literal that adapts to other types."""
    return expr if is_string_literal(expr) or is_integer_literal(expr) else None


def _met(left: SqlType, literal: Expr | None, expr: Expr, compared: bool) -> SqlType:
    """The common type of `left`, which is of `literal` unless that is None, and an expression."""
    right, other = expr.type, _adapting(expr)
    if left.kind is Kind.NULL:
        return right
    if right.kind is Kind.NULL:
        return left
    if literal is not None and is_string_literal(literal):
        return right
    if other is not None and is_string_literal(other):
        return left
    if literal is not None and other is None and right.is_integer and fits(literal, right):
        return right
    if other is not None and literal is None and left.is_integer and fits(other, left):
        return left
    return _common(left, right, compared)


def _common(left: SqlType, right: SqlType, compared: bool) -> SqlType:
    if left == right:
        return left
    if left.is_decimal and right.is_decimal and not compared:
        return union_decimal(left, right)
    if left.is_numeric and right.is_numeric:
        return common_numeric(left, right)
    for one, other in ((left, right), (right, left)):
        if one == BOOLEAN and other.is_integer:
            return other
        if one.kind is Kind.NULL:
            return other
    if left.is_temporal and right.is_temporal:
        return TIMESTAMP
    if left.element is not None and right.element is not None:
        return list_of(_common(left.element, right.element, compared))
    raise TypeMismatchError(
        f"{left} and {right} have no common type",
        hint=f"Write an explicit cast, for example CAST(... AS {left}).",
    )


def compare(op: str, left: Expr, right: Expr) -> Expr:
    """The comparison `op` (= <> < <= > >= is_distinct is_not_distinct) of two expressions."""
    type_ = common_type((left, right), compared=True)
    if type_ == NULL:
        type_ = INTEGER
    return Call(BOOLEAN, op, (coerce(left, type_), coerce(right, type_)))


def product_out_of_range(scale: int) -> OutOfRangeError:
    """The error for a decimal product that would need more than 38 digits after the point."""
    return OutOfRangeError(
        f"the product needs {scale} digits after the point, and a DECIMAL has 38 at most",
        hint="Cast a factor to DOUBLE or to a DECIMAL of smaller scale.",
    )
