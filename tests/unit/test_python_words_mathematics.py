"""Python's math in functions in Python: CPython's bits and errors."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable

import pytest

from eau2.errors import FunctionFailedError
from eau2.operators.expr import ColumnRef, Expr
from eau2.python import vocabulary
from eau2.python.mathematics import CONSTANTS, WORDS
from eau2.types import BIGINT, DOUBLE, VARCHAR
from tests.unit.python_oracle import FLOATS, INTS, SMALL, WHERE, check, frame_of, run

OF_FLOATS = [name for name, word in WORDS.items() if word.parameters == (DOUBLE,)]
OF_TWO = [name for name, word in WORDS.items() if word.parameters == (DOUBLE, DOUBLE)]


def call(name: str) -> Callable[..., Expr]:
    return lambda *args: vocabulary.call(f"math.{name}", args, WHERE)


def inside(seed: int) -> tuple[float, ...]:
    """Random numbers of which most functions make numbers."""
    chosen = random.Random(seed)
    return tuple(chosen.uniform(0, 1) for _ in range(150))


def any_bits(seed: int) -> tuple[float, ...]:
    chosen = random.Random(seed)
    return tuple(struct.unpack("d", struct.pack("Q", chosen.getrandbits(64)))[0] for _ in range(80))


@pytest.mark.parametrize("name", OF_FLOATS)
def test_functions_of_a_float(name: str) -> None:
    compute = getattr(math, name)
    check(call(name), compute, DOUBLE)
    check(call(name), compute, BIGINT)
    for seed in range(3):
        check(call(name), compute, DOUBLE, pools=(inside(seed),), constants=False)
        check(call(name), compute, DOUBLE, pools=(any_bits(seed),), constants=False)
        wide = tuple(100 * x - 50 for x in inside(seed))
        check(call(name), compute, DOUBLE, pools=(wide,), constants=False)
        check(call(name), compute, DOUBLE, pools=(tuple(map(abs, wide)),), constants=False)


@pytest.mark.parametrize("name", OF_TWO)
def test_functions_of_two_floats(name: str) -> None:
    check(call(name), getattr(math, name), DOUBLE, DOUBLE, none_wins=True)
    pools = (inside(1), inside(2))
    check(call(name), getattr(math, name), DOUBLE, DOUBLE, pools=pools, constants=False)
    check(call(name), getattr(math, name), DOUBLE, BIGINT, pools=(None, SMALL), none_wins=True)


def test_functions_of_ints() -> None:
    check(call("isqrt"), math.isqrt, BIGINT)
    check(call("gcd"), math.gcd, BIGINT, BIGINT)
    check(call("gcd"), math.gcd, BIGINT, BIGINT, BIGINT, pools=(INTS[:-1], SMALL, SMALL))
    check(call("lcm"), math.lcm, BIGINT, BIGINT)
    small = (0, 1, 2, 3, 5, 20, 21, 66, 67, 68, -1)
    check(call("factorial"), math.factorial, BIGINT, pools=(small,))
    check(call("comb"), math.comb, BIGINT, BIGINT, pools=(small, small))
    check(call("perm"), math.perm, BIGINT, BIGINT, pools=(small, small))
    check(call("perm"), math.perm, BIGINT, pools=(small,))
    check(call("ldexp"), math.ldexp, DOUBLE, BIGINT)
    check(call("log"), math.log, DOUBLE)
    check(call("hypot"), math.hypot, DOUBLE, DOUBLE, DOUBLE, pools=(FLOATS, inside(1), (1.0, 2.0)))


def test_a_large_choice_is_refused_at_once() -> None:
    rows = frame_of([BIGINT, BIGINT], [[10**18, 10**17]])
    for name in ("comb", "perm"):
        with pytest.raises(FunctionFailedError, match="OverflowError"):
            run(call(name)(ColumnRef(BIGINT, 0), ColumnRef(BIGINT, 1)), rows)


def test_every_word_is_of_math() -> None:
    for name in vocabulary.MATH:
        assert hasattr(math, name)
    for name, value in CONSTANTS.items():
        assert vocabulary.MATH[name] is value


@pytest.mark.parametrize("name", ["frexp", "modf", "nothing"])
def test_what_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(vocabulary.Refusal, match="not supported"):
        vocabulary.call(f"math.{name}", [ColumnRef(DOUBLE, 0)], WHERE)
    with pytest.raises(vocabulary.Refusal, match="takes a float"):
        vocabulary.call("math.sqrt", [ColumnRef(VARCHAR, 0)], WHERE)
    with pytest.raises(vocabulary.Refusal, match="1 argument, not 2"):
        vocabulary.call("math.sqrt", [ColumnRef(DOUBLE, 0)] * 2, WHERE)
