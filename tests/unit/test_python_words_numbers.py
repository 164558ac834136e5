"""Operators and conversions of numbers in functions in Python, against CPython."""

from __future__ import annotations

import operator
import random
import struct
from collections.abc import Callable
from typing import Any

import pytest

from eau2.operators.expr import Expr
from eau2.python import vocabulary
from eau2.types import BIGINT, BOOLEAN, DOUBLE, VARCHAR, SqlType
from tests.unit.python_oracle import FLOATS, INTS, SMALL, WHERE, check

NUMBERS = (BOOLEAN, BIGINT, DOUBLE)
ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
BITS: dict[str, Callable[[Any, Any], Any]] = {
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}
SHIFTS: dict[str, Callable[[Any, Any], Any]] = {"<<": operator.lshift, ">>": operator.rshift}


def binary(op: str) -> Callable[..., Expr]:
    return lambda a, b: vocabulary.binary(op, a, b, WHERE)


def unary(op: str) -> Callable[..., Expr]:
    return lambda a: vocabulary.unary(op, a, WHERE)


def call(name: str, *others: object) -> Callable[..., Expr]:
    constants = [vocabulary.literal(other) for other in others]
    return lambda *args: vocabulary.call(name, [*args, *constants], WHERE)


@pytest.mark.parametrize("right", NUMBERS, ids=str)
@pytest.mark.parametrize("left", NUMBERS, ids=str)
@pytest.mark.parametrize("op", ARITHMETIC)
def test_arithmetic(op: str, left: SqlType, right: SqlType) -> None:
    check(binary(op), ARITHMETIC[op], left, right)


def some_floats(seed: int) -> tuple[float, ...]:
    """Any bits, and magnitudes of every day."""
    chosen = random.Random(seed)
    wild = [struct.unpack("d", struct.pack("Q", chosen.getrandbits(64)))[0] for _ in range(60)]
    return (*wild, *(chosen.uniform(-1000, 1000) for _ in range(60)))


def some_ints(seed: int) -> tuple[int, ...]:
    """Of every length."""
    chosen = random.Random(seed)
    return tuple(chosen.getrandbits(63) >> chosen.randrange(63) for _ in range(60))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("op", ["/", "//", "%", "<", "==", "+"])
def test_any_floats_and_ints(op: str, seed: int) -> None:
    compute = {**ARITHMETIC, "<": operator.lt, "==": operator.eq}[op]

    def build(a: Expr, b: Expr) -> Expr:
        if op in ARITHMETIC:
            return vocabulary.binary(op, a, b, WHERE)
        return vocabulary.compare(op, a, b, WHERE)

    one, two = some_floats(seed), some_floats(seed + 100)
    ints, others = some_ints(seed), some_ints(seed + 100)
    for types, pools in (
        ((DOUBLE, DOUBLE), (one, two)),
        ((BIGINT, DOUBLE), (ints, two)),
        ((BIGINT, BIGINT), (ints, others)),
    ):
        check(build, compute, *types, pools=pools, constants=False, seed=seed)


@pytest.mark.parametrize("op", BITS)
def test_bits(op: str) -> None:
    for left in (BOOLEAN, BIGINT):
        for right in (BOOLEAN, BIGINT):
            check(binary(op), BITS[op], left, right)


@pytest.mark.parametrize("op", SHIFTS)
def test_shifts(op: str) -> None:
    def shifted(value: int, places: int) -> Any:
        if value and value is not None and places is not None and places > 10**6:
            return SHIFTS[op](value, 100)
        return SHIFTS[op](value, places)

    check(binary(op), shifted, BIGINT, BIGINT, pools=(None, (*SMALL, 62, 63, 64, 65)))
    check(binary(op), shifted, BOOLEAN, BIGINT, pools=(None, SMALL))


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 10, 63, 64, -1, -2])
def test_powers_of_ints(exponent: int) -> None:
    build = lambda a: vocabulary.binary("**", a, vocabulary.literal(exponent), WHERE)  # noqa: E731
    check(build, lambda a: a**exponent, BIGINT, constants=False)
    check(build, lambda a: a**exponent, BOOLEAN, constants=False)


def test_powers_of_floats() -> None:
    def power(base: float, exponent: float) -> Any:
        result = base**exponent
        if isinstance(result, complex):
            raise ValueError("complex")
        return result

    check(binary("**"), power, DOUBLE, DOUBLE)
    check(binary("**"), power, DOUBLE, BIGINT, pools=(None, SMALL))
    check(binary("**"), power, BIGINT, DOUBLE, pools=(SMALL, None))


@pytest.mark.parametrize(
    ("op", "compute"), [("-", operator.neg), ("+", operator.pos), ("~", operator.invert)]
)
def test_signs(op: str, compute: Callable[[Any], Any]) -> None:
    for type_ in (BIGINT,) if op == "~" else (BIGINT, DOUBLE):
        check(unary(op), compute, type_)
    if op != "~":
        check(unary(op), compute, BOOLEAN)


def test_conversions() -> None:
    for type_ in NUMBERS:
        check(call("abs"), abs, type_)
        check(call("float"), float, type_)
        check(call("bool"), bool, type_)
        check(call("str"), str, type_)
        check(call("repr"), repr, type_)
        check(call("int"), int, type_)
        check(call("round"), round, type_)
    check(call("int"), int, VARCHAR)
    check(call("float"), float, VARCHAR)


@pytest.mark.parametrize("base", [2, 10, 16, 0, 36])
def test_ints_of_a_base(base: int) -> None:
    check(call("int", base), lambda text: int(text, base), VARCHAR, constants=False)


@pytest.mark.parametrize("digits", [0, 1, 2, 16, 400, -1, -2, -18, -19, -20, -400, None])
def test_rounding_to_digits(digits: int | None) -> None:
    values = (*FLOATS, 2.675, 1.005, 0.125, 1234567.891, 15.0, 25.0, -14.9)
    check(call("round", digits), lambda x: round(x, digits), DOUBLE, pools=(values,))
    check(call("round", digits), lambda x: round(x, digits), BIGINT, pools=((*INTS, 15, 25, 150),))


@pytest.mark.parametrize("name", ["min", "max"])
def test_extremes_of_values(name: str) -> None:
    compute = {"min": min, "max": max}[name]
    for type_ in (BIGINT, DOUBLE, VARCHAR):
        check(call(name), compute, type_, type_)
    check(call(name), compute, DOUBLE, DOUBLE, DOUBLE)
    check(call(name, 0), lambda x: compute(x, 0.0), DOUBLE)


def test_texts_of_ints() -> None:
    for name, compute in (("hex", hex), ("oct", oct), ("bin", bin)):
        check(call(name), compute, BIGINT)

    def character(code: int) -> str:
        if 0xD800 <= code < 0xE000:
            raise ValueError("half of a pair")
        return chr(code)

    check(call("chr"), character, BIGINT, pools=((65, 0, 0x10FFFF, 0x110000, -1, 0xD800, 233),))


@pytest.mark.parametrize("name", ["bit_length", "bit_count"])
def test_methods_of_ints(name: str) -> None:
    check(lambda x: vocabulary.method(name, x, [], WHERE), getattr(int, name), BIGINT)


@pytest.mark.parametrize("name", ["is_integer", "hex"])
def test_methods_of_floats(name: str) -> None:
    check(lambda x: vocabulary.method(name, x, [], WHERE), getattr(float, name), DOUBLE)
