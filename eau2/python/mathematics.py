"""Python's math: its functions and constants.

Owns: `MATH`: what of the module is there. Comes in: a name and arguments. Goes out: bound
expressions. Does not know: how they are computed (operators/functions/python_mathematics.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce

from eau2.operators.expr import Call, Expr, Literal
from eau2.python.kinds import Refusal, as_int, is_none, typed
from eau2.python.methods import Word, applied, argument, starts, word, wrong_count
from eau2.python.operators import failing
from eau2.types import BIGINT, BOOLEAN, DOUBLE, NULL, list_of

_ONE, _TWO = (DOUBLE,), (DOUBLE, DOUBLE)
_FLOATS = list_of(DOUBLE)
_MOST_COORDINATES = 8

_OF_ONE = (
    "acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "cos", "cosh", "degrees", "erf",
    "erfc", "exp", "exp2", "expm1", "gamma", "lgamma", "log10", "log1p", "log2", "radians", "sin",
    "sinh", "sqrt", "tan", "tanh", "ulp",
)  # fmt: skip
_OF_TWO = ("atan2", "copysign", "fmod", "nextafter", "pow", "remainder")
_TESTS = ("isfinite", "isinf", "isnan")

WORDS: Mapping[str, Word] = {
    **{name: word(f"math.{name}", _ONE, DOUBLE) for name in _OF_ONE},
    **{name: word(f"math.{name}", _TWO, DOUBLE) for name in _OF_TWO},
    **{name: word(name, _ONE, BOOLEAN) for name in _TESTS},
    "fabs": word("float.abs", _ONE, DOUBLE),
    "log": word("math.log", _TWO, DOUBLE, 1, "the natural logarithm, or to a base"),
    "hypot": word("math.hypot", (DOUBLE,) * _MOST_COORDINATES, DOUBLE, _MOST_COORDINATES - 1),
    "isclose": word("math.isclose", _TWO, BOOLEAN),
    "ldexp": word("math.ldexp", (DOUBLE, BIGINT), DOUBLE),
    **{name: word(f"math.{name}", _ONE, BIGINT) for name in ("ceil", "floor", "trunc")},
    "factorial": word("math.factorial", (BIGINT,), BIGINT),
    "comb": word("math.comb", (BIGINT, BIGINT), BIGINT),
    "perm": word("math.perm", (BIGINT, BIGINT), BIGINT, 1),
    "isqrt": word("math.isqrt", (BIGINT,), BIGINT),
    **{
        name: word(f"math.{name}", (BIGINT, BIGINT), BIGINT, 0, "or more")
        for name in ("gcd", "lcm")
    },
    "fsum": word(
        "math.fsum", (_FLOATS,), DOUBLE, remark="of a list or a generator; exact; of ints too"
    ),
    "prod": word(
        "math.prod",
        (_FLOATS,),
        DOUBLE,
        remark="of a list or a generator; of ints an int, unless it starts with a float",
    ),
    "dist": word("math.dist", (_FLOATS, _FLOATS), DOUBLE),
}
CONSTANTS: Mapping[str, float] = {
    "pi": math.pi,
    "e": math.e,
    "tau": math.tau,
    "inf": math.inf,
    "nan": math.nan,
}
MATH: Mapping[str, float | None] = {**CONSTANTS, **dict.fromkeys(WORDS)}
"""The public names of math that are there: a constant's value, None for a function."""

REFUSED: Mapping[str, str] = {
    "frexp": "It gives two values of different types.",
    "modf": "Write x - math.trunc(x) and math.trunc(x).",
    "sumprod": "Write math.fsum of the products.",
}


def call(name: str, args: Sequence[Expr], where: str) -> Expr:
    """math.name(*args). Raises Refusal."""
    shown = f"math.{name}()"
    found = WORDS.get(name)
    if found is None:
        raise Refusal(
            f"{shown} is not supported", REFUSED.get(name, "docs/python.md lists what is.")
        )
    if name in ("ceil", "floor", "trunc") and len(args) == 1 and args[0].type in (BIGINT, BOOLEAN):
        return as_int(args[0])
    if name in ("gcd", "lcm"):
        return _folded(name, args, where)
    if name == "log" and len(args) == 2:
        values = tuple(argument(shown, arg, DOUBLE) for arg in args)
        return failing(DOUBLE, "math.log_base", values, where)
    if name in ("prod", "fsum"):
        return _of_list(name, args, where)
    if name == "isclose" and len(args) > 2:
        values = tuple(argument(shown, arg, DOUBLE) for arg in args)
        if len(values) == 3:
            values = (*values, Literal(DOUBLE, 0.0))
        return failing(BOOLEAN, "math.isclose_within", values, where)
    if name == "fabs" and len(args) == 1:
        return Call(DOUBLE, "float.abs", (argument(shown, args[0], DOUBLE),))
    return applied(shown, found, (), args, where)


def _folded(name: str, args: Sequence[Expr], where: str) -> Expr:
    if not args:
        raise wrong_count(f"math.{name}()", 1, _MOST_COORDINATES, 0)
    values = [argument(f"math.{name}()", arg, BIGINT) for arg in args]
    if len(values) == 1:
        return failing(BIGINT, f"math.{name}", (values[0], values[0]), where)
    return reduce(lambda a, b: failing(BIGINT, f"math.{name}", (a, b), where), values)


def _of_list(name: str, args: Sequence[Expr], where: str) -> Expr:
    shown = f"math.{name}()"
    most = 2 if name == "prod" else 1
    if not 1 <= len(args) <= most:
        raise wrong_count(shown, 1, most, len(args))
    values, *start = args
    if is_none(values):
        return typed(values, DOUBLE)
    element = values.type.element
    whole = element in (BIGINT, BOOLEAN)
    if name == "fsum":
        if whole:
            return failing(DOUBLE, "math.fsum", (values,), where)
        return applied(shown, WORDS[name], (), args, where)
    begins = start[0].type if start else NULL
    if (begins == BIGINT and element in (BIGINT, BOOLEAN, NULL)) or (whole and begins != DOUBLE):
        return failing(BIGINT, "list.prod", (values, *starts(start, BIGINT, shown)), where)
    if not whole:
        values = argument(shown, values, _FLOATS)
    return Call(DOUBLE, "math.prod", (values, *starts(start, DOUBLE, shown)))
