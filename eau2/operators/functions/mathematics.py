"""Mathematical functions: rounding, roots, powers, logarithms, angles, tests on floats.

Owns: their result types and edge cases. What has no real value is NaN.
Does not know: the arithmetic operators (arithmetic.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import polars as pl

from eau2.errors import NotSupportedError
from eau2.operators.coercion import coerce, is_null
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.checks import Outcome, Scope, checked, formula
from eau2.operators.functions.decimals import cut, power_of_ten, round_away
from eau2.operators.functions.floats import power, spread_divide
from eau2.operators.functions.function import Function, Signature, mismatch, overloads, values
from eau2.operators.physical import kernel_dtype, literal
from eau2.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    FLOAT,
    HUGEINT,
    INTEGER,
    INTEGER_RANGES,
    TIMESTAMP,
    TINYINT,
    Kind,
    SqlType,
    decimal,
)

_FLOATS = (Signature((FLOAT,), BOOLEAN), Signature((DOUBLE,), BOOLEAN))
_MOMENTS = (Signature((DATE,), BOOLEAN), Signature((TIMESTAMP,), BOOLEAN))


def _number(name: str, arg: Expr, syntax: str) -> Expr:
    if is_null(arg):
        return coerce(arg, DOUBLE)
    if not arg.type.is_numeric:
        raise mismatch(name, (arg,), f"It is written {syntax}.")
    return arg


def _signed(type_: SqlType) -> SqlType:
    """The signed type that rounding an unsigned integer gives."""
    if type_.is_integer and INTEGER_RANGES[type_.kind][0] == 0:
        return HUGEINT if type_.kind is Kind.UBIGINT else BIGINT
    return type_


def _bind_round(name: str, args: tuple[Expr, ...]) -> Expr:
    syntax = f"{name}(x[, digits])"
    if len(args) not in (1, 2):
        raise mismatch(name, args, f"It is written {syntax}.")
    arg = _number(name, args[0], syntax)
    digits = 0
    if len(args) == 2:
        places = coerce(args[1], INTEGER) if args[1].type != INTEGER else args[1]
        if not isinstance(places, Literal):
            raise NotSupportedError(f"the digits of {name} must be a constant")
        if places.value is None:
            return Literal(arg.type, None)
        assert isinstance(places.value, int)
        digits = places.value
    type_ = arg.type
    if type_.is_decimal:
        type_ = decimal(type_.precision, min(max(digits, 0), type_.scale))
    elif type_.is_integer:
        type_ = _signed(type_) if name == "round" else type_
        arg = coerce(arg, type_)
    return Call(type_, name, (arg, Literal(INTEGER, digits)))


def _lower_round(call: Call, scope: Scope) -> pl.Expr:
    arg, places = call.args
    assert isinstance(places, Literal)
    assert isinstance(places.value, int)
    value, digits = scope.lower(arg), places.value
    away = call.function == "round"
    dtype = kernel_dtype(call.type)
    if call.type.is_float:
        step = _half_away if away else _towards_zero
        return formula(dtype, lambda x: _round_float(x, digits, step), value)
    scale = arg.type.scale
    dropped = scale - digits
    if dropped <= 0:
        return value
    if dropped > (arg.type.precision if arg.type.is_decimal else 38):
        return value * 0
    if digits >= 0:
        reduce = round_away if away else cut
        return formula(dtype, lambda x: reduce(x, dropped, arg.type.is_wide), value)
    return _round_to_tens(call, value, dropped, scope)


def _round_to_tens(call: Call, value: pl.Expr, dropped: int, scope: Scope) -> pl.Expr:
    """Rounding to tens, hundreds and so on, which can leave the type."""
    type_ = call.type
    if type_ == HUGEINT or type_.is_wide:
        raise NotSupportedError(f"{call.function} of a {type_} to tens is not supported")
    dtype = kernel_dtype(type_)
    zeros = dropped - call.args[0].type.scale
    reduce = round_away if call.function == "round" else cut

    def over(value: pl.Expr) -> Outcome:
        result = reduce(value.cast(pl.Int128), dropped, True) * power_of_ten(zeros, True)
        kept = result.cast(dtype, strict=False)
        bad = kept.is_null() & value.is_not_null()
        if type_.is_decimal:
            bad = bad | (result.abs() >= pl.lit(10**type_.precision, pl.Int128))
        shown = ("overflow in round: ", value, f" does not fit {type_}")
        return Outcome(kept, bad, "range", shown)

    return checked(dtype, over, scope, value)


def _half_away(value: pl.Expr) -> pl.Expr:
    return value.round(mode="half_away_from_zero")


def _towards_zero(value: pl.Expr) -> pl.Expr:
    return pl.when(value < 0).then(value.ceil()).otherwise(value.floor())


def _round_float(value: pl.Expr, digits: int, step: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """Scaled, rounded and scaled back, as DuckDB computes it, last digits included."""
    if digits == 0:
        return step(value)
    factor = float(10 ** abs(digits)) if abs(digits) <= 308 else math.inf
    modifier = pl.lit(factor, pl.Float64)
    wide = value.cast(pl.Float64)
    rounds = step is _half_away
    if digits < 0:
        scaled = step(spread_divide(wide, modifier)) * modifier
        cleared = pl.lit(0.0, pl.Float64)
        fallback = pl.when(wide.is_finite() & rounds).then(cleared).otherwise(wide)
    else:
        whole = _rounded_product(wide, factor) if rounds else step(wide * modifier)
        scaled = spread_divide(whole, modifier)
        fallback = wide
    return pl.when(scaled.is_finite()).then(scaled).when(value.is_not_null()).then(fallback)


def _rounded_product(value: pl.Expr, factor: float) -> pl.Expr:
    """The product value * factor rounded half away from zero, as if the product had all its digits.

    Only a product that was rounded to a half exactly can mislead: what it lost says on which side
    it lies (Dekker, "A floating-point technique for extending the available precision", 1971).
    """
    product = value * pl.lit(factor, pl.Float64)
    high, low = _split(value)
    factor_high, factor_low = _split(factor)
    lost = ((high * factor_high - product) + high * factor_low + low * factor_high) + (
        low * factor_low
    )
    sign = product.sign()
    misled = ((product - product.floor()) == 0.5) & (lost * sign < 0)
    return pl.when(misled).then(_half_away(product) - sign).otherwise(_half_away(product))


_Number = TypeVar("_Number", float, pl.Expr)


def _split(value: _Number) -> tuple[_Number, _Number]:
    """A double as a sum of two of 26 bits each, whose products are exact."""
    shifted = value * 134217729.0
    high = shifted - (shifted - value)
    return high, value - high


def _bind_whole(name: str, args: tuple[Expr, ...]) -> Expr:
    """How floor and ceil type: decimals keep their precision, integers become DOUBLE."""
    if len(args) != 1:
        raise mismatch(name, args, f"It is written {name}(x).")
    arg = _number(name, args[0], f"{name}(x)")
    if arg.type.is_decimal:
        return Call(decimal(arg.type.precision, 0), name, (arg,))
    if arg.type.is_integer:
        return Call(DOUBLE, name, (coerce(arg, DOUBLE),))
    return Call(arg.type, name, (arg,))


def _lower_whole(up: bool) -> Callable[[Call, Scope], pl.Expr]:
    def lower(call: Call, scope: Scope) -> pl.Expr:
        source = call.args[0].type
        value = scope.lower(call.args[0])
        if not source.is_decimal:
            return value.ceil() if up else value.floor()
        if source.scale == 0:
            return value
        unit = power_of_ten(source.scale, source.is_wide)
        return 0 - ((0 - value) // unit) if up else value // unit

    return lower


def _bind_same(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 1:
        raise mismatch(name, args, f"It is written {name}(x).")
    arg = _number(name, args[0], f"{name}(x)")
    return Call(arg.type, name, (arg,))


def _lower_abs(call: Call, scope: Scope) -> pl.Expr:
    value, type_ = scope.lower(call.args[0]), call.type
    if not type_.is_integer or INTEGER_RANGES[type_.kind][0] == 0 or not call.checked:
        return value.abs()
    least = literal(INTEGER_RANGES[type_.kind][0], type_)

    def over(value: pl.Expr) -> Outcome:
        shown = ("integer overflow in abs(", value, f"): it does not fit {type_}")
        return Outcome(value.abs(), value == least, "range", shown)

    return checked(kernel_dtype(type_), over, scope, value)


def _bind_sign(name: str, args: tuple[Expr, ...]) -> Expr:
    call = _bind_same(name, args)
    return Call(TINYINT, name, call.children)


def _sign(value: pl.Expr) -> pl.Expr:
    return (value > 0).cast(pl.Int8) - (value < 0).cast(pl.Int8)


def _lower_sign(call: Call, scope: Scope) -> pl.Expr:
    value = scope.lower(call.args[0])
    if call.args[0].type.is_float:
        value = value.fill_nan(0.0)
    return formula(pl.Int8(), _sign, value)


def _lower_power(call: Call, scope: Scope) -> pl.Expr:
    base, exponent = (scope.lower(arg) for arg in call.args)
    return power(base, exponent)


def _cbrt(x: pl.Expr) -> pl.Expr:
    return x.cbrt()


def _log(x: pl.Expr, y: pl.Expr | None = None) -> pl.Expr:
    return x.log10() if y is None else formula(pl.Float64(), _log_of, x, y)


def _log_of(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return spread_divide(y.log10(), x.log10())


def _degrees(x: pl.Expr) -> pl.Expr:
    return formula(pl.Float64(), lambda x: spread_divide(x * 180, pl.lit(math.pi, pl.Float64)), x)


def _radians(x: pl.Expr) -> pl.Expr:
    return formula(pl.Float64(), lambda x: spread_divide(x * math.pi, pl.lit(180.0, pl.Float64)), x)


def _arctan2(y: pl.Expr, x: pl.Expr) -> pl.Expr:
    return pl.arctan2(y, x)


def _real(
    name: str,
    summary: str,
    example: str,
    compute: Callable[..., pl.Expr],
    *,
    syntax: str = "",
    arguments: int = 1,
    optional: int = 0,
    aliases: tuple[str, ...] = (),
) -> Function:
    """A function of DOUBLEs."""
    syntax = syntax or f"{name}(x)"
    counts = range(arguments, arguments + optional + 1)
    signatures = [Signature((DOUBLE,) * count, DOUBLE) for count in counts]
    return Function(
        name,
        "mathematics",
        syntax,
        summary,
        example,
        overloads(syntax, *signatures),
        values(compute),
        aliases=aliases,
    )


def _test(
    name: str,
    summary: str,
    example: str,
    compute: Callable[[pl.Expr], pl.Expr],
    moments: bool | None = None,
) -> Function:
    """A test on floats; `moments` is its answer for dates, None when it takes none."""
    signatures = _FLOATS if moments is None else (*_FLOATS, *_MOMENTS)

    def lower(call: Call, scope: Scope) -> pl.Expr:
        value = scope.lower(call.args[0])
        if call.args[0].type.is_temporal:
            return pl.when(value.is_not_null()).then(pl.lit(moments))
        return compute(value)

    bind = overloads(f"{name}(x)", *signatures)
    return Function(name, "mathematics", f"{name}(x)", summary, example, bind, lower)


FUNCTIONS = (
    Function(
        "round",
        "mathematics",
        "round(x[, digits])",
        "Rounded half away from zero; negative digits round to tens, hundreds and so on.",
        "round(2.675, 2) = 2.68",
        _bind_round,
        _lower_round,
        fails=True,
    ),
    Function(
        "trunc",
        "mathematics",
        "trunc(x[, digits])",
        "Cut towards zero.",
        "trunc(-1.9) = -1",
        _bind_round,
        _lower_round,
    ),
    Function(
        "floor",
        "mathematics",
        "floor(x)",
        "The greatest whole number that is not greater.",
        "floor(-1.5) = -2",
        _bind_whole,
        _lower_whole(up=False),
    ),
    Function(
        "ceil",
        "mathematics",
        "ceil(x)",
        "The least whole number that is not less.",
        "ceil(1.2) = 2",
        _bind_whole,
        _lower_whole(up=True),
        aliases=("ceiling",),
    ),
    Function(
        "abs",
        "mathematics",
        "abs(x)",
        "The magnitude.",
        "abs(-2) = 2",
        _bind_same,
        _lower_abs,
        fails=True,
    ),
    Function(
        "sign",
        "mathematics",
        "sign(x)",
        "-1, 0 or 1.",
        "sign(-2.5) = -1",
        _bind_sign,
        _lower_sign,
    ),
    _real("sqrt", "The square root.", "sqrt(9) = 3", lambda x: x.sqrt()),
    _real("cbrt", "The cube root.", "round(cbrt(27), 6) = 3", _cbrt),
    _real("exp", "e to the power x.", "exp(0) = 1", lambda x: x.exp()),
    _real("ln", "The natural logarithm.", "ln(1) = 0", lambda x: x.log()),
    _real(
        "log",
        "The logarithm to base 10, or of y to base x.",
        "log(100) = 2",
        _log,
        syntax="log([x,] y)",
        optional=1,
    ),
    _real("log10", "The logarithm to base 10.", "log10(100) = 2", lambda x: x.log10()),
    _real("log2", "The logarithm to base 2.", "log2(8) = 3", lambda x: x.log(2)),
    Function(
        "pow",
        "mathematics",
        "pow(x, y)",
        "x to the power y; also written x ** y and x ^ y.",
        "pow(2, 10) = 1024",
        overloads("pow(x, y)", Signature((DOUBLE, DOUBLE), DOUBLE)),
        _lower_power,
        aliases=("power", "**", "^"),
    ),
    _real(
        "pi",
        "The number pi.",
        "round(pi(), 2) = 3.14",
        lambda: pl.lit(math.pi, pl.Float64),
        arguments=0,
    ),
    _real("sin", "The sine.", "sin(0) = 0", lambda x: x.sin()),
    _real("cos", "The cosine.", "cos(0) = 1", lambda x: x.cos()),
    _real("tan", "The tangent.", "tan(0) = 0", lambda x: x.tan()),
    _real("cot", "The cotangent.", "round(cot(1), 2) = 0.64", lambda x: x.cot()),
    _real("asin", "The angle of a sine.", "asin(0) = 0", lambda x: x.arcsin()),
    _real("acos", "The angle of a cosine.", "acos(1) = 0", lambda x: x.arccos()),
    _real("atan", "The angle of a tangent.", "atan(0) = 0", lambda x: x.arctan()),
    _real(
        "atan2",
        "The angle of the point (x, y).",
        "atan2(0, 1) = 0",
        _arctan2,
        syntax="atan2(y, x)",
        arguments=2,
    ),
    _real("sinh", "The hyperbolic sine.", "sinh(0) = 0", lambda x: x.sinh()),
    _real("cosh", "The hyperbolic cosine.", "cosh(0) = 1", lambda x: x.cosh()),
    _real("tanh", "The hyperbolic tangent.", "tanh(0) = 0", lambda x: x.tanh()),
    _real("degrees", "Radians in degrees.", "degrees(pi()) = 180", _degrees),
    _real("radians", "Degrees in radians.", "radians(180) = pi()", _radians),
    _test("isnan", "Whether it is NaN.", "isnan('nan'::DOUBLE)", lambda x: x.is_nan()),
    _test(
        "isinf",
        "Whether it is infinite; no date is.",
        "isinf('inf'::DOUBLE)",
        lambda x: x.is_infinite(),
        moments=False,
    ),
    _test(
        "isfinite",
        "Whether it is a finite number; every date is.",
        "isfinite(1)",
        lambda x: x.is_finite(),
        moments=True,
    ),
)
