"""The arithmetic operators on numbers: + - * / // % and negation.

Owns: their result types, and sums and products that never give a wrong number.
Does not know: dates (dates.py resolves + and - on them), intervals (interval_arithmetic.py), how a
quotient is computed (division.py).

Integers compute in the next wider dtype and narrow with a check; 128-bit results, which have
nothing wider, are checked by signs and magnitudes. Decimals are scaled integers. `checked` False
on a Call promises that the plain computation stays in range.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import polars as pl

from eau2.errors import TypeMismatchError
from eau2.operators.coercion import (
    coerce,
    fits,
    is_integer_literal,
    is_null,
    is_string_literal,
    product_out_of_range,
)
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.checks import (
    Columns,
    Outcome,
    Scope,
    checked,
    narrowed,
)
from eau2.operators.functions.dates import bind_plus
from eau2.operators.functions.division import lower_divide, lower_remainder, lower_whole_divide
from eau2.operators.functions.floats import add
from eau2.operators.functions.function import Function, mismatch
from eau2.operators.functions.interval_arithmetic import bind_product, negated
from eau2.operators.physical import kernel_dtype, literal
from eau2.types import (
    DOUBLE,
    HUGEINT,
    INTEGER,
    INTEGER_RANGES,
    Kind,
    SqlType,
    arithmetic_integer,
    as_decimal,
    common_numeric,
    product_decimal,
    sum_decimal,
)

_INT128_LIMIT = float(2**127)
_WIDER: dict[Kind, pl.DataType] = {
    Kind.TINYINT: pl.Int64(),
    Kind.SMALLINT: pl.Int64(),
    Kind.INTEGER: pl.Int64(),
    Kind.BIGINT: pl.Int128(),
    Kind.UTINYINT: pl.Int64(),
    Kind.USMALLINT: pl.Int64(),
    Kind.UINTEGER: pl.Int64(),
    Kind.UBIGINT: pl.Int128(),
}
_ALIASES = {
    "+": ("add",),
    "-": ("subtract",),
    "*": ("multiply",),
    "//": ("divide",),
    "%": ("mod",),
}
_VERBS = {"+": "addition", "-": "subtraction", "*": "multiplication", "//": "division"}


def _adapted(op: str, left: Expr, right: Expr) -> tuple[Expr, Expr]:
    """Both operands with a numeric type: NULLs and literals take the type beside them."""
    for one, other in ((left, right), (right, left)):
        if not (one.type.is_numeric or is_null(one) or is_string_literal(one)):
            raise mismatch(op, (left, right), f"{op} takes numbers; write an explicit cast.")
        if is_string_literal(one) and (is_null(other) or is_string_literal(other)):
            raise mismatch(op, (left, right), "Cast a string to a number type first.")
    if is_null(left) and is_null(right):
        return coerce(left, INTEGER), coerce(right, INTEGER)
    if is_null(left) or is_string_literal(left):
        text = is_string_literal(left) and right.type.is_decimal
        left = coerce(left, DOUBLE if text else right.type)
    elif is_null(right) or is_string_literal(right):
        text = is_string_literal(right) and left.type.is_decimal
        right = coerce(right, DOUBLE if text else left.type)
    return left, right


def _integer_type(left: Expr, right: Expr) -> SqlType:
    for one, other in ((left, right), (right, left)):
        if is_integer_literal(one) and not is_integer_literal(other) and fits(one, other.type):
            return other.type
    return arithmetic_integer(left.type, right.type)


def _bind_additive(name: str, args: tuple[Expr, ...]) -> Expr:
    return bind_plus(name, args) or _bind_binary(name, args)


def _bind_binary(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 2:
        raise mismatch(name, args, f"It is written a {name} b.")
    interval = bind_product(name, args)
    if interval is not None:
        return interval
    left, right = _adapted(name, *args)
    one, two = left.type, right.type
    if one.is_float or two.is_float:
        type_ = common_numeric(one, two)
    elif name == "/" or (name == "//" and (one.is_decimal or two.is_decimal)):
        type_ = DOUBLE
    elif one.is_integer and two.is_integer:
        type_ = _integer_type(left, right)
    elif name == "%":
        type_ = DOUBLE if HUGEINT in (one, two) else common_numeric(one, two)
    elif name == "*":
        return _bind_product(left, right)
    else:
        type_ = sum_decimal(as_decimal(one), as_decimal(two))
    return Call(type_, name, (coerce(left, type_), coerce(right, type_)))


def _bind_product(left: Expr, right: Expr) -> Expr:
    one, two = as_decimal(left.type), as_decimal(right.type)
    type_ = product_decimal(one, two)
    if type_ is None:
        raise product_out_of_range(one.scale + two.scale)
    return Call(type_, "*", (coerce(left, one), coerce(right, two)))


def _bind_negate(name: str, args: tuple[Expr, ...]) -> Expr:
    (arg,) = args
    if is_null(arg):
        return Literal(INTEGER, None)
    if arg.type.kind is Kind.INTERVAL:
        return negated(arg)
    if not arg.type.is_numeric:
        raise TypeMismatchError(f"- is not defined for {arg.type}", hint="Cast it to a number.")
    if isinstance(arg, Literal) and isinstance(arg.value, int | float):
        value = -arg.value
        if is_integer_literal(arg):
            types = (arg.type, INTEGER, SqlType(Kind.BIGINT), HUGEINT)
            smallest = [t for t in types[1:] if fits(Literal(HUGEINT, value), t)]
            if smallest:
                return Literal(smallest[0], value)
        elif arg.type.is_decimal or arg.type.is_float:
            return Literal(arg.type, value)
    return Call(arg.type, name, args)


def _overflow(op: str, type_: SqlType) -> Callable[..., tuple[str | pl.Expr, ...]]:
    """The parts of the message for an integer overflow, from the operands."""
    text = f"integer overflow in {_VERBS[op]}: "
    return lambda left, right: (text, left, f" {op} ", right, f" does not fit {type_}")


def _too_wide(op: str, type_: SqlType) -> tuple[str, tuple[str, ...]]:
    return "range", (f"decimal overflow in {_VERBS[op]}: the result does not fit {type_}",)


def _apply(op: str, left: pl.Expr, right: pl.Expr) -> pl.Expr:
    if op == "+":
        return left + right
    return left - right if op == "-" else left * right


def _magnitude(expr: Expr) -> int:
    """The largest absolute value that the scaled integers of a decimal expression have."""
    if isinstance(expr, Literal) and isinstance(expr.value, int):
        return abs(expr.value)
    return int(10**expr.type.precision) - 1


def _lower_additive(op: str, call: Call, scope: Scope) -> pl.Expr:
    operands = [scope.lower(arg) for arg in call.args]
    type_ = call.type
    if type_.is_float:
        return add(op, operands[0], operands[1], call)
    if not call.checked:
        return _apply(op, *operands)
    dtype = kernel_dtype(type_)
    if type_.is_decimal:
        if sum(_magnitude(arg) for arg in call.args) < 10**type_.precision:
            return _apply(op, *operands)

        def digits(left: pl.Expr, right: pl.Expr) -> Outcome:
            # Two numbers of 38 digits can leave int128; the wrapped sum then has 39.
            result = _apply(op, left, right)
            return Outcome(result, _too_long(result, type_.precision), *_too_wide(op, type_))

        return checked(dtype, digits, scope, *operands)
    if type_ == HUGEINT:

        def signs(left: pl.Expr, right: pl.Expr) -> Outcome:
            result = _apply(op, left, right)
            rises = right >= 0 if op == "+" else right <= 0
            bad = rises != (result >= left)
            return Outcome(result, bad, "range", _overflow(op, type_)(left, right))

        return checked(dtype, signs, scope, *operands)
    return _checked_integer(op, type_, operands, scope)


def _checked_integer(op: str, type_: SqlType, operands: list[pl.Expr], scope: Scope) -> pl.Expr:
    wide = _WIDER[type_.kind]
    if op == "*" and type_.kind is Kind.UINTEGER:
        wide = pl.UInt64()
    elif op == "*" and type_.kind is Kind.UBIGINT:
        wide = pl.UInt128()

    def compute(left: pl.Expr, right: pl.Expr) -> pl.Expr:
        return _apply(op, left.cast(wide), right.cast(wide))

    return narrowed(kernel_dtype(type_), compute, _overflow(op, type_), scope, *operands)


def _too_long(value: pl.Expr, digits: int) -> pl.Expr:
    """Whether an integer has more than so many digits."""
    return (value >= pl.lit(10**digits, pl.Int128)) | (value <= pl.lit(-(10**digits), pl.Int128))


def _lower_product(call: Call, scope: Scope) -> pl.Expr:
    left, right = (scope.lower(arg) for arg in call.args)
    type_ = call.type
    dtype = kernel_dtype(type_)
    if type_.is_wide:
        left, right = left.cast(dtype), right.cast(dtype)
    if type_.is_float or not call.checked:
        return left * right
    if type_ == HUGEINT:
        return checked(dtype, _int128_product, scope, left, right)
    if not type_.is_decimal:
        return _checked_integer("*", type_, [left, right], scope)
    largest = math.prod(_magnitude(arg) for arg in call.args)
    limit = 10**type_.precision
    if largest < limit:
        return left * right

    def over(left: pl.Expr, right: pl.Expr) -> Outcome:
        product = left * right
        estimate = (left.cast(pl.Float64) * right.cast(pl.Float64)).abs()
        # Above 1.2 times the limit the product may have wrapped; below it, its digits are exact.
        bad = (estimate > 1.2 * limit) | _too_long(product, type_.precision)
        return Outcome(product, bad, *_too_wide("*", type_))

    def small(columns: Columns) -> pl.Series | None:
        one, two = columns[0], columns[1]
        if _largest(one) * _largest(two) >= limit:
            return None
        result: pl.Series = one * two
        return result

    return checked(dtype, over, scope, left, right, quick=small)


def _largest(column: pl.Series) -> int:
    """The largest magnitude in an integer column."""
    low, high = column.min(), column.max()
    return max(-int(low), int(high)) if isinstance(low, int) and isinstance(high, int) else 0


def _int128_product(left: pl.Expr, right: pl.Expr) -> Outcome:
    """A 128-bit product; overflow shows far out by a float estimate, near the edge by the sign."""
    product = left * right
    estimate = left.cast(pl.Float64) * right.cast(pl.Float64)
    bad = (estimate.abs() > _INT128_LIMIT * 1.001) | ((product < 0) != (estimate < 0))
    return Outcome(product, bad, "range", _overflow("*", HUGEINT)(left, right))


def _lower_negate(call: Call, scope: Scope) -> pl.Expr:
    value = scope.lower(call.args[0])
    type_ = call.type
    if type_.is_float:
        return -value
    if type_.is_decimal or not call.checked:
        return 0 - value

    def shown(value: pl.Expr) -> tuple[str | pl.Expr, ...]:
        return ("integer overflow in negation: -(", value, f") does not fit {type_}")

    dtype = kernel_dtype(type_)
    if type_ == HUGEINT:
        least = literal(INTEGER_RANGES[Kind.HUGEINT][0], HUGEINT)
        return checked(dtype, lambda x: Outcome(0 - x, x == least, "range", shown(x)), scope, value)
    wide = _WIDER[type_.kind]
    return narrowed(dtype, lambda x: 0 - x.cast(wide), shown, scope, value)


def _operator(name: str, summary: str, example: str) -> Function:
    lowers = {
        "*": _lower_product,
        "/": lower_divide,
        "//": lower_whole_divide,
        "%": lower_remainder,
    }
    return Function(
        name,
        "arithmetic",
        f"a {name} b",
        summary,
        example,
        _bind_additive if name in "+-" else _bind_binary,
        lowers.get(name) or partial(_lower_additive, name),
        aliases=_ALIASES.get(name, ()),
        operator=True,
        fails=name != "/",
    )


FUNCTIONS = (
    _operator("+", "The sum; overflow is an error.", "1 + 2 = 3"),
    _operator("-", "The difference; overflow is an error.", "5 - 2 = 3"),
    _operator("*", "The product; the scales of decimals add.", "1.5 * 0.25 = 0.375"),
    _operator("/", "The quotient as a float; by zero it is infinite.", "7 / 2 = 3.5"),
    _operator("//", "The quotient of integers, cut towards zero.", "-7 // 2 = -3"),
    _operator("%", "The remainder, with the sign of the first number.", "-7 % 2 = -1"),
    Function(
        "negate",
        "arithmetic",
        "-a",
        "The number with the other sign.",
        "-(2) = -2",
        _bind_negate,
        _lower_negate,
        operator=True,
        fails=True,
    ),
)
