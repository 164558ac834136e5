"""The arithmetic operators on numbers: + - * / // % and negation.

Owns: their result types and how they are computed without ever giving a wrong number.
Does not know: dates (dates.py resolves + and - on them), SQL text.

Integers compute in the next wider dtype and narrow with a check; 128-bit results, which have
nothing wider, are checked by signs and magnitudes. Decimals are scaled integers. `checked` False
on a Call promises that the plain computation stays in range.
"""

from __future__ import annotations

import math
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
from eau2.operators.functions.checks import Problem, Scope, narrow, problem, raise_where
from eau2.operators.functions.dates import bind_plus
from eau2.operators.functions.decimals import decimal_text
from eau2.operators.functions.floats import divide
from eau2.operators.functions.function import Function, mismatch
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


def _overflow(op: str, type_: SqlType, left: pl.Expr, right: pl.Expr) -> Problem:
    noun = _VERBS[op]
    if type_.is_decimal:
        return problem("range", f"decimal overflow in {noun}: the result does not fit {type_}")
    text = (f"integer overflow in {noun}: ", left, f" {op} ", right, f" does not fit {type_}")
    return problem("range", *text)


def _zero_division(op: str, left: pl.Expr) -> Problem:
    return problem("range", "division by zero: ", left, f" {op} 0")


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
    left, right = (scope.lower(arg) for arg in call.args)
    type_ = call.type
    result = _apply(op, left, right)
    if type_.is_float or not call.checked:
        return result
    what = _overflow(op, type_, left, right)
    if type_.is_decimal:
        if sum(_magnitude(arg) for arg in call.args) < 10**type_.precision:
            return result
        # Two numbers of 38 digits can leave int128, but then the wrapped sum is no 38-digit number.
        return raise_where(result, _too_long(result, type_.precision), what, scope)
    if type_ == HUGEINT:
        rises = right >= 0 if op == "+" else right <= 0
        return raise_where(result, rises != (result >= left), what, scope)
    return _checked_integer(op, type_, left, right, what, scope)


def _checked_integer(
    op: str, type_: SqlType, left: pl.Expr, right: pl.Expr, what: Problem, scope: Scope
) -> pl.Expr:
    wide = _WIDER[type_.kind]
    if op == "*" and type_.kind is Kind.UINTEGER:
        wide = pl.UInt64()
    elif op == "*" and type_.kind is Kind.UBIGINT:
        wide = pl.UInt128()
    value = _apply(op, left.cast(wide), right.cast(wide))
    return narrow(value, kernel_dtype(type_), what, scope)


def _too_long(value: pl.Expr, digits: int) -> pl.Expr:
    """Whether an integer has more than so many digits."""
    return (value >= pl.lit(10**digits, pl.Int128)) | (value <= pl.lit(-(10**digits), pl.Int128))


def _lower_product(call: Call, scope: Scope) -> pl.Expr:
    left, right = (scope.lower(arg) for arg in call.args)
    type_ = call.type
    if type_.is_float:
        return left * right
    what = _overflow("*", type_, left, right)
    if type_ == HUGEINT:
        product = left * right
        return product if not call.checked else _checked_int128(product, left, right, what, scope)
    if not type_.is_decimal:
        if not call.checked:
            return left * right
        return _checked_integer("*", type_, left, right, what, scope)
    dtype = kernel_dtype(type_)
    if type_.is_wide:
        left, right = left.cast(dtype), right.cast(dtype)
    largest = math.prod(_magnitude(arg) for arg in call.args)
    if not call.checked or largest < 10**type_.precision:
        return left * right
    if not type_.is_wide:
        wide = left.cast(pl.Int128) * right.cast(pl.Int128)
        return raise_where(wide, _too_long(wide, type_.precision), what, scope).cast(dtype)
    product = left * right
    estimate = (left.cast(pl.Float64) * right.cast(pl.Float64)).abs()
    # Above the estimate's limit the product may have wrapped; below it, its digits are exact.
    bad = (estimate > 1.2e38) | _too_long(product, type_.precision)
    return raise_where(product, bad, what, scope)


def _checked_int128(
    product: pl.Expr, left: pl.Expr, right: pl.Expr, what: Problem, scope: Scope
) -> pl.Expr:
    """A 128-bit product, or a failure: far out by its float estimate, near the edge by its sign."""
    estimate = left.cast(pl.Float64) * right.cast(pl.Float64)
    far = estimate.abs() > _INT128_LIMIT * 1.001
    return raise_where(product, far | ((product < 0) != (estimate < 0)), what, scope)


def _lower_divide(call: Call, scope: Scope) -> pl.Expr:
    left, right = (scope.lower(arg) for arg in call.args)
    return divide(left, right)


def _lower_whole_divide(call: Call, scope: Scope) -> pl.Expr:
    left, right = (scope.lower(arg) for arg in call.args)
    zero = _zero_division("//", left)
    if call.type.is_float:
        result = divide(left, right)
        return _unless_zero(call, result, left, right, zero, scope)
    dtype = kernel_dtype(call.type)
    floored = left // right
    if INTEGER_RANGES[call.type.kind][0] == 0:
        return _unless_zero(call, floored, left, right, zero, scope)
    inexact = (left % right != 0) & ((left < 0) != (right < 0))
    result = floored + inexact.cast(dtype)
    result = _unless_zero(call, result, left, right, zero, scope)
    return _unless_least(call, result, left, right, scope)


def _lower_remainder(call: Call, scope: Scope) -> pl.Expr:
    left, right = (scope.lower(arg) for arg in call.args)
    if call.type.is_float:
        return _float_remainder(left, right, call.type)
    floored = left % right
    result = floored
    if call.type.is_decimal or INTEGER_RANGES[call.type.kind][0] < 0:
        turned = (floored != 0) & ((left < 0) != (right < 0))
        result = pl.when(turned).then(floored - right).otherwise(floored)
    shown = left
    if call.type.is_decimal:
        shown = decimal_text(left, call.type)
    result = _unless_zero(call, result, left, right, _zero_division("%", shown), scope)
    return result if call.type.is_decimal else _unless_least(call, result, left, right, scope)


def _unless_zero(
    call: Call, result: pl.Expr, left: pl.Expr, right: pl.Expr, what: Problem, scope: Scope
) -> pl.Expr:
    divisor = call.args[1]
    if isinstance(divisor, Literal) and divisor.value != 0:
        return result
    return raise_where(result, (right == 0) & left.is_not_null(), what, scope)


def _unless_least(
    call: Call, result: pl.Expr, left: pl.Expr, right: pl.Expr, scope: Scope
) -> pl.Expr:
    """The quotient, or a failure for the one that overflows: the least integer by -1."""
    divisor = call.args[1]
    low = INTEGER_RANGES[call.type.kind][0]
    if low == 0 or (isinstance(divisor, Literal) and divisor.value != -1):
        return result
    bad = (left == literal(low, call.type)) & (right == -1)
    return raise_where(result, bad, _overflow("//", call.type, left, right), scope)


def _float_remainder(left: pl.Expr, right: pl.Expr, type_: SqlType) -> pl.Expr:
    """The exact remainder of IEEE division truncated, by Python's fmod on the distinct pairs.

    Polars has only a floored remainder, which loses digits when the quotient is large.
    """
    one, two = left.cast(pl.Float64), right.cast(pl.Float64)
    pairs = pl.struct(one.abs().alias("a"), two.abs().alias("b"))
    rest = pairs.map_batches(_fmod, return_dtype=pl.Float64, is_elementwise=True)
    negative = (one < 0) | (1 / one < 0)
    return pl.when(negative).then(-rest).otherwise(rest).cast(kernel_dtype(type_))


def _fmod(pairs: pl.Series) -> pl.Series:
    frame = pairs.struct.unnest()
    known = frame.unique()
    values = [_fmod_one(a, b) for a, b in known.iter_rows()]
    table = known.with_columns(pl.Series("value", values, dtype=pl.Float64))
    joined = frame.join(table, on=["a", "b"], how="left", nulls_equal=True, maintain_order="left")
    return joined.get_column("value")


def _fmod_one(a: float | None, b: float | None) -> float | None:
    if a is None or b is None:
        return None
    if b == 0 or math.isinf(a) or math.isnan(a) or math.isnan(b):
        return math.nan
    return math.fmod(a, b)


def _lower_negate(call: Call, scope: Scope) -> pl.Expr:
    value = scope.lower(call.args[0])
    type_ = call.type
    if type_.is_float:
        return -value
    if type_.is_decimal:
        return 0 - value
    what = problem("range", "integer overflow in negation: -(", value, f") does not fit {type_}")
    if type_ == HUGEINT:
        least = value == literal(INTEGER_RANGES[Kind.HUGEINT][0], HUGEINT)
        return raise_where(0 - value, least, what, scope)
    if not call.checked:
        return 0 - value
    return narrow(0 - value.cast(_WIDER[type_.kind]), kernel_dtype(type_), what, scope)


def _operator(name: str, summary: str, example: str) -> Function:
    lowers = {
        "*": _lower_product,
        "/": _lower_divide,
        "//": _lower_whole_divide,
        "%": _lower_remainder,
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
