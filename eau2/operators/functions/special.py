"""Further functions of floats: even, gamma, lgamma, hyperbolic inverses, fmod, nextafter, signbit.

Owns: their types and edge cases. What has no real value is NaN.
Does not know: the everyday functions (mathematics.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import polars as pl

from eau2.errors import NotSupportedError
from eau2.operators.coercion import coerce, is_string_literal
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.checks import Outcome, Scope, checked, formula
from eau2.operators.functions.decimals import power_of_ten
from eau2.operators.functions.distinct import for_distinct
from eau2.operators.functions.floats import spread_divide
from eau2.operators.functions.function import (
    Function,
    LowerCall,
    Signature,
    by_formula,
    mismatch,
    overloads,
    values,
)
from eau2.operators.physical import kernel_dtype
from eau2.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    FLOAT,
    HUGEINT,
    INTEGER,
    INTEGER_RANGES,
    SqlType,
    decimal,
)

_MOST_DIGITS = 308
_EXACT_GAMMA = 100.0
"""Up to here, below zero, the gamma function has all its digits in a double."""


def _even(x: pl.Expr) -> pl.Expr:
    """Away from zero to the next even whole number."""
    whole = pl.when(x >= 0).then(x.ceil()).otherwise(x.floor())
    odd = (whole * 0.5).floor() * 2.0 != whole
    step = pl.when(x >= 0).then(1.0).otherwise(-1.0)
    return pl.when(odd).then(whole + step).otherwise(whole)


def _gamma(x: float) -> float:
    if math.isnan(x) or math.isinf(x):
        return x if x > 0 else math.nan
    if x == 0:
        return math.copysign(math.inf, x)
    try:
        return math.gamma(x)
    except ValueError:
        return math.nan
    except OverflowError:
        return math.inf


def _lgamma(x: float) -> float:
    try:
        # Below zero Python's lgamma takes the difference of two large numbers.
        return math.log(abs(math.gamma(x))) if -_EXACT_GAMMA < x < 0 else math.lgamma(x)
    except (ValueError, OverflowError):
        return math.inf


def _fmod(x: float, y: float) -> float:
    """What is left of x after whole times y, with the sign of y."""
    if y == 0 or math.isinf(x) or math.isnan(x) or math.isnan(y):
        return math.nan
    rest = math.fmod(x, y)
    if rest and (rest < 0) != (y < 0):
        rest += y
    return rest if rest else 0.0


def _lower_fmod(call: Call, scope: Scope) -> pl.Expr:
    return for_distinct(kernel_dtype(call.type), _fmod)(call, scope)


def _next(whole: pl.DataType) -> Callable[[pl.Expr, pl.Expr], pl.Expr]:
    """The neighbour of a float: floats of one sign are ordered like their bits."""

    def over(x: pl.Expr, to: pl.Expr) -> pl.Expr:
        bits = x.reinterpret(dtype=whole)
        outward = (to > x) == (x > 0)
        moved = pl.when(outward).then(bits + 1).otherwise(bits - 1)
        least = pl.when(to > 0).then(pl.lit(1, whole)).otherwise(pl.lit(1, whole))
        tiny = least.reinterpret(dtype=_float_of(whole))
        near_zero = pl.when(to > 0).then(tiny).otherwise(-tiny)
        return (
            pl.when(x.is_nan() | to.is_nan())
            .then(float("nan"))
            .when(x == to)
            .then(to)
            .when(x == 0)
            .then(near_zero)
            .otherwise(moved.reinterpret(dtype=_float_of(whole)))
        )

    return over


def _float_of(whole: pl.DataType) -> pl.DataType:
    return pl.Float64() if whole == pl.Int64 else pl.Float32()


def _lower_next(call: Call, scope: Scope) -> pl.Expr:
    whole = pl.Int64() if call.type == DOUBLE else pl.Int32()
    return by_formula(kernel_dtype(call.type), _next(whole))(call, scope)


def _signbit(x: pl.Expr) -> pl.Expr:
    return (x < 0) | ((x == 0) & (1.0 / x < 0)) & ~x.is_nan()


def _bind_round_even(name: str, args: tuple[Expr, ...]) -> Expr:
    """Typed like round, but a decimal keeps its precision and an unsigned integer is a BIGINT."""
    syntax = f"It is written {name}(x, digits)."
    if len(args) != 2:
        raise mismatch(name, args, syntax)
    arg, places = args[0], coerce(args[1], INTEGER)
    if not isinstance(places, Literal):
        raise NotSupportedError(f"the digits of {name} must be a constant")
    if is_string_literal(arg) or not (arg.type.is_numeric or arg.type.kind == "NULL"):
        raise mismatch(name, args, syntax)
    type_ = _rounded_type(arg.type, places.value)
    if places.value is None:
        return Literal(type_, None)
    return Call(type_, name, (coerce(arg, type_) if type_.is_integer else arg, places))


def _rounded_type(type_: SqlType, digits: object) -> SqlType:
    if type_.is_decimal:
        kept = digits if isinstance(digits, int) else 0
        return decimal(type_.precision, min(max(kept, 0), type_.scale))
    if type_.kind == "NULL":
        return BIGINT
    if type_.is_integer and INTEGER_RANGES[type_.kind][0] == 0:
        return HUGEINT if type_.kind == "UBIGINT" else BIGINT
    return type_


def _lower_round_even(call: Call, scope: Scope) -> pl.Expr:
    arg, places = call.args
    assert isinstance(places, Literal)
    assert isinstance(places.value, int)
    value, digits = scope.lower(arg), places.value
    if call.type.is_float:
        dtype = kernel_dtype(call.type)
        return formula(dtype, lambda x: _round_float(x, digits), value)
    dropped = arg.type.scale - digits
    if dropped <= 0:
        return value
    if dropped > (arg.type.precision if arg.type.is_decimal else 38):
        return value * 0
    return _round_whole(call, value, dropped, max(-digits, 0), scope)


def _round_whole(call: Call, value: pl.Expr, dropped: int, zeros: int, scope: Scope) -> pl.Expr:
    """Scaled integers without their last digits; of two neighbours as near the even one."""
    type_ = call.type
    dtype = kernel_dtype(type_)

    def over(value: pl.Expr) -> Outcome:
        wide = value.cast(pl.Int128)
        unit, half = power_of_ten(dropped, True), pl.lit(10**dropped // 2, pl.Int128)
        low = wide // unit
        rest = wide - low * unit
        up = (rest > half) | ((rest == half) & (low % 2 != 0))
        result = low + up.cast(pl.Int128)
        if zeros:
            limit = (2**127 - 1) // 10**zeros
            wrapped = result.abs() > pl.lit(limit, pl.Int128)
            result = result * power_of_ten(zeros, True)
        else:
            wrapped = pl.lit(False)
        kept = result.cast(dtype, strict=False)
        bad = wrapped | (kept.is_null() & value.is_not_null())
        if type_.is_decimal:
            bad = bad | (result.abs() >= pl.lit(10**type_.precision, pl.Int128))
        shown = (f"overflow in {call.function}: ", value, f" does not fit {type_}")
        return Outcome(kept, bad, "range", shown)

    return checked(dtype, over, scope, value)


def _round_float(value: pl.Expr, digits: int) -> pl.Expr:
    """Scaled, rounded and scaled back, as DuckDB computes it."""
    factor = float(10 ** abs(digits)) if abs(digits) <= _MOST_DIGITS else math.inf
    modifier = pl.lit(factor, pl.Float64)
    wide = value.cast(pl.Float64)
    if digits < 0:
        scaled = _half_even(spread_divide(wide, modifier)) * modifier
        fallback = pl.when(wide.is_finite()).then(0.0).otherwise(wide)
    else:
        scaled = spread_divide(_half_even(wide * modifier), modifier)
        fallback = wide
    return pl.when(scaled.is_finite()).then(scaled).when(value.is_not_null()).then(fallback)


def _half_even(value: pl.Expr) -> pl.Expr:
    return value.round(mode="half_to_even")


def _real(name: str, summary: str, example: str, lower: LowerCall, arguments: int = 1) -> Function:
    """A function of DOUBLEs."""
    syntax = f"{name}({', '.join('xy'[:arguments])})"
    bind = overloads(syntax, Signature((DOUBLE,) * arguments, DOUBLE))
    return Function(name, "mathematics", syntax, summary, example, bind, lower)


def _floats(
    name: str, summary: str, example: str, lower: LowerCall, result: SqlType | None, count: int
) -> Function:
    """A function of FLOATs or DOUBLEs."""
    syntax = f"{name}({', '.join('xy'[:count])})"
    signatures = [Signature((type_,) * count, result or type_) for type_ in (DOUBLE, FLOAT)]
    bind = overloads(syntax, *signatures)
    return Function(name, "mathematics", syntax, summary, example, bind, lower)


FUNCTIONS = (
    _real(
        "even",
        "Rounded away from zero to an even number.",
        "even(2.9) = 4",
        by_formula(pl.Float64(), _even),
    ),
    _real(
        "gamma",
        "The gamma function, which continues (x - 1)!.",
        "gamma(5) = 24",
        for_distinct(pl.Float64(), _gamma),
    ),
    _real(
        "lgamma",
        "The logarithm of the magnitude of the gamma function.",
        "lgamma(2) = 0",
        for_distinct(pl.Float64(), _lgamma),
    ),
    _real("asinh", "The inverse of sinh.", "asinh(0) = 0", values(lambda x: x.arcsinh())),
    _real("acosh", "The inverse of cosh.", "acosh(1) = 0", values(lambda x: x.arccosh())),
    _real("atanh", "The inverse of tanh.", "atanh(0) = 0", values(lambda x: x.arctanh())),
    _floats(
        "fmod",
        "What is left of x after whole times y; it has the sign of y.",
        "fmod(-5.5, 2) = 0.5",
        _lower_fmod,
        None,
        2,
    ),
    _floats(
        "nextafter",
        "The float next to x on the way to y.",
        "nextafter(1, 2) > 1",
        _lower_next,
        None,
        2,
    ),
    _floats(
        "signbit",
        "Whether the number is negative; -0.0 is, NaN is not.",
        "signbit(-0.0::DOUBLE)",
        by_formula(pl.Boolean(), _signbit),
        BOOLEAN,
        1,
    ),
    Function(
        "round_even",
        "mathematics",
        "round_even(x, digits)",
        "Rounded to the nearest number with so many digits, of two to the even one.",
        "round_even(2.5, 0) = 2",
        _bind_round_even,
        _lower_round_even,
        aliases=("roundbankers",),
        fails=True,
    ),
)
