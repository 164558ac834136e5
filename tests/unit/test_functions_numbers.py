"""Further functions of numbers against DuckDB: gcd, factorial, gamma, round_even and others."""

from __future__ import annotations

import pytest

from eau2.errors import NotSupportedError, TypeMismatchError
from eau2.operators.expr import ColumnRef, Literal
from eau2.operators.functions import table
from eau2.types import DOUBLE, INTEGER
from tests.unit.scalar_oracle import POOLS, check, rows

FLOATS = (
    *POOLS["DOUBLE"],
    *(
        "-1",
        "-2",
        "0.5",
        "-0.5",
        "1",
        "2",
        "3",
        "-3",
        "2.5",
        "5.5",
        "-5.5",
        "170.5",
        "172",
        "-100.5",
    ),
)
WHOLES = ("0", "1", "-1", "12", "-18", "600", "2147483647", "-2147483648")


@pytest.mark.parametrize("function", ["gcd", "lcm"])
@pytest.mark.parametrize("name", ["TINYINT", "BIGINT", "UINTEGER"])
def test_divisors_and_multiples(name: str, function: str) -> None:
    sql = f"{function}(a, b)"
    check(sql, lambda a, b: table.bind(function, (a, b)), rows(name, name))


@pytest.mark.parametrize("function", ["gcd", "lcm"])
def test_divisors_and_multiples_of_128_bits(function: str) -> None:
    # DuckDB fails on the least HUGEINT beside anything, also where the result fits.
    pool = POOLS["HUGEINT"][:-1]
    data = rows("HUGEINT", "HUGEINT", pools=(pool, pool))
    check(f"{function}(a, b)", lambda a, b: table.bind(function, (a, b)), data)


def test_factorial_and_binom() -> None:
    data = rows("INTEGER", pools=(("0", "1", "5", "20", "33", "34", "1000000", "-1"),))
    check("factorial(a)", lambda a: table.bind("factorial", (a,)), data)
    pools = (("0", "5", "130", "131", "2147483647", "-1"), ("0", "2", "3", "65", "-1"))
    data = rows("INTEGER", "INTEGER", pools=pools)
    check("binom(a, b)", lambda a, b: table.bind("binom", (a, b)), data)


@pytest.mark.parametrize(
    ("function", "digits"),
    [("even", None), ("asinh", 12), ("acosh", 12), ("atanh", 12), ("gamma", 12), ("lgamma", 11)],
)
def test_functions_of_one_float(function: str, digits: int | None) -> None:
    data = rows("DOUBLE", pools=(FLOATS,))
    check(f"{function}(a)", lambda a: table.bind(function, (a,)), data, digits)


@pytest.mark.parametrize("name", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("function", ["fmod", "nextafter"])
def test_functions_of_two_floats(function: str, name: str) -> None:
    pool = ("0", "-0.0", "1.5", "-2.5", "0.1", "nan", "inf", "-inf", "7", "1e-5", "3")
    data = rows(name, name, pools=(pool, pool))
    check(f"{function}(a, b)", lambda a, b: table.bind(function, (a, b)), data)


@pytest.mark.parametrize("name", ["FLOAT", "DOUBLE", "INTEGER", "DECIMAL(9,2)"])
def test_signbit(name: str) -> None:
    check("signbit(a)", lambda a: table.bind("signbit", (a,)), rows(name))


@pytest.mark.parametrize("name", ["DATE", "TIMESTAMP"])
@pytest.mark.parametrize("function", ["isfinite", "isinf"])
def test_moments_are_finite(function: str, name: str) -> None:
    check(f"{function}(a)", lambda a: table.bind(function, (a,)), rows(name))


@pytest.mark.parametrize("digits", [-3, -1, 0, 1, 2, 5])
@pytest.mark.parametrize(
    "name",
    ["TINYINT", "INTEGER", "BIGINT", "UTINYINT", "UINTEGER", "DECIMAL(9,2)", "DECIMAL(18,4)"],
)
def test_round_even(name: str, digits: int) -> None:
    places = Literal(INTEGER, digits)
    data = rows(name)
    check(f"round_even(a, {digits})", lambda a: table.bind("round_even", (a, places)), data)


@pytest.mark.parametrize("digits", [-1, 0, 1, 3])
def test_round_even_of_floats(digits: int) -> None:
    places = Literal(INTEGER, digits)
    data = rows(
        "DOUBLE", pools=(("0.5", "1.5", "2.5", "-2.5", "0.25", "25", "35", "-0.0", "nan", "inf"),)
    )
    check(f"round_even(a, {digits})", lambda a: table.bind("round_even", (a, places)), data)


def test_refusals() -> None:
    number = ColumnRef(DOUBLE, 0)
    with pytest.raises(NotSupportedError, match="must be a constant"):
        table.bind("round_even", (number, ColumnRef(INTEGER, 1)))
    with pytest.raises(TypeMismatchError):
        table.bind("round_even", (number,))
    with pytest.raises(TypeMismatchError):
        table.bind("factorial", (number,))
