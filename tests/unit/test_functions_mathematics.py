"""Mathematical functions against DuckDB."""

from __future__ import annotations

import pytest

from eau2.errors import NotSupportedError, TypeMismatchError
from eau2.operators.expr import ColumnRef, Literal
from eau2.operators.functions import table
from eau2.types import BOOLEAN, INTEGER, VARCHAR
from tests.unit.scalar_oracle import POOLS, check, connection, rows

NUMBERS = [name for name in POOLS if name not in ("BOOLEAN", "VARCHAR", "DATE", "TIMESTAMP")]
REALS = (
    "0", "-0.0", "0.5", "-0.5", "1", "2", "-1", "3.7", "-2.5", "1e-320", "1e300", "700", "nan",
    "inf", "-inf", "0.1", "123456.789",
)  # fmt: skip
ROUNDED = (
    "0.5", "1.5", "2.5", "-0.5", "-2.5", "2.675", "1.005", "-0.4", "1e300", "nan", "inf", "-inf",
    "123456789.125", "0.285", "1.115", "5.015", "1e22", "4.35", "1e15", "-0.0", "15", "-14.9",
    "250", "1e-320", "0.3", "1234567.891",
)  # fmt: skip


@pytest.mark.parametrize(
    "function",
    ["sqrt", "cbrt", "exp", "ln", "log", "log10", "log2", "sin", "cos", "tan", "cot", "asin",
     "acos",
     "atan", "sinh", "cosh", "tanh", "degrees", "radians"],
)  # fmt: skip
def test_functions_of_a_real(function: str) -> None:
    data = rows("DOUBLE", pools=(REALS,))
    check(f"{function}(a)", lambda a: table.bind(function, (a,)), data, 12)


@pytest.mark.parametrize("function", ["atan2", "pow", "power", "log"])
def test_functions_of_two_reals(function: str) -> None:
    data = rows("DOUBLE", "DOUBLE", pools=(REALS, REALS))
    check(f"{function}(a, b)", lambda a, b: table.bind(function, (a, b)), data, 12)


@pytest.mark.parametrize("function", ["isnan", "isinf", "isfinite"])
def test_tests_of_floats(function: str) -> None:
    for name in ("FLOAT", "DOUBLE", "INTEGER", "DECIMAL(9,2)"):
        check(f"{function}(a)", lambda a: table.bind(function, (a,)), rows(name))


def test_powers_and_roots_take_every_number() -> None:
    for name in NUMBERS:
        check("sqrt(a)", lambda a: table.bind("sqrt", (a,)), rows(name), 12)
        square = Literal(INTEGER, 2)
        check("a ** 2", lambda a: table.bind("**", (a, square)), rows(name), 12)  # noqa: B023


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("function", ["abs", "sign", "floor", "ceil", "ceiling", "round", "trunc"])
def test_rounding_and_signs(function: str, name: str) -> None:
    check(f"{function}(a)", lambda a: table.bind(function, (a,)), rows(name))


@pytest.mark.parametrize("digits", [0, 1, 2, 5, -1, -2, 400, -400])
@pytest.mark.parametrize("function", ["round", "trunc"])
def test_rounding_floats_to_digits(function: str, digits: int) -> None:
    places = Literal(INTEGER, digits)
    for name in ("DOUBLE", "FLOAT"):
        pool = [v for v in ROUNDED if name == "DOUBLE" or "e" not in v]
        data = rows(name, pools=(tuple(pool),))
        check(f"{function}(a, {digits})", lambda a: table.bind(function, (a, places)), data)


@pytest.mark.parametrize("digits", [0, 1, 2, 5, -1, -2, -3, -30])
@pytest.mark.parametrize("name", ["DECIMAL(9,2)", "DECIMAL(4,4)", "DECIMAL(18,4)"])
def test_rounding_decimals_to_digits(name: str, digits: int) -> None:
    if digits < 0 and (digits < -9 or name == "DECIMAL(4,4)"):
        return  # DuckDB gives 0 for NULL there.
    places = Literal(INTEGER, digits)
    for function in ("round", "trunc"):
        build = lambda a, f=function: table.bind(f, (a, places))  # noqa: E731
        check(f"{function}(a, {digits})", build, rows(name))


@pytest.mark.parametrize("digits", [0, 2, -1, -2, -5, -12])
@pytest.mark.parametrize("name", ["TINYINT", "INTEGER", "BIGINT", "UTINYINT", "UINTEGER"])
def test_rounding_integers_to_tens(name: str, digits: int) -> None:
    places = Literal(INTEGER, digits)
    build = lambda a: table.bind("round", (a, places))  # noqa: E731
    check(f"round(a, {digits})", build, rows(name))


def test_constants() -> None:
    data = rows("INTEGER", pools=(("1",),))
    check("pi()", lambda a: table.bind("pi", ()), data)


def test_what_is_refused() -> None:
    number, flag = ColumnRef(INTEGER, 0), ColumnRef(BOOLEAN, 1)
    for name in ("sqrt", "abs", "round", "floor", "sign", "negate"):
        with pytest.raises(TypeMismatchError):
            table.bind(name, (flag,))
    with pytest.raises(TypeMismatchError):
        table.bind("sqrt", (ColumnRef(VARCHAR, 2),))
    with pytest.raises(NotSupportedError):
        table.bind("round", (number, number))
    with pytest.raises(TypeMismatchError):
        table.bind("pow", (number,))


def test_every_example_holds_in_duckdb() -> None:
    for function in table.documentation():
        ((found,),) = connection().execute(f"SELECT {function.example}").fetchall()
        assert found is not None, function.name
        assert found is not False, f"{function.name}: {function.example}"
