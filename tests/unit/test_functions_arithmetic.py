"""The arithmetic operators against DuckDB: types, values, failures, and the traps of Polars."""

from __future__ import annotations

import pytest

from eau2.operators.expr import ColumnRef, Literal
from eau2.operators.functions import table
from eau2.types import BIGINT, HUGEINT, INTEGER, VARCHAR, decimal
from tests.unit.scalar_oracle import POOLS, check, rows, sql_type

NUMBERS = [name for name in POOLS if name not in ("BOOLEAN", "VARCHAR", "DATE", "TIMESTAMP")]
INTEGERS = [n for n in NUMBERS if "INT" in n]
DECIMALS = [n for n in NUMBERS if n.startswith("DECIMAL")]
OPERATORS = ("+", "-", "*", "/", "//", "%")
LITERALS = {
    "300": Literal(INTEGER, 300),
    "-1": Literal(INTEGER, -1),
    "0.05": Literal(decimal(3, 2), 5),
}


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", NUMBERS)
def test_values_and_failures(operator: str, name: str) -> None:
    check(f"a {operator} b", lambda a, b: table.bind(operator, (a, b)), rows(name, name))


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(
    "pair",
    [
        ("TINYINT", "UTINYINT"),
        ("UBIGINT", "BIGINT"),
        ("INTEGER", "DECIMAL(9,2)"),
        ("DECIMAL(9,2)", "DECIMAL(18,4)"),
        ("DECIMAL(38,10)", "DECIMAL(9,2)"),
        ("BIGINT", "DECIMAL(18,4)"),
        ("FLOAT", "BIGINT"),
        ("DOUBLE", "FLOAT"),
        ("DECIMAL(18,4)", "DOUBLE"),
    ],
)
def test_mixed_values_and_failures(operator: str, pair: tuple[str, str]) -> None:
    check(f"a {operator} b", lambda a, b: table.bind(operator, (a, b)), rows(*pair))


@pytest.mark.parametrize("name", NUMBERS)
def test_negation(name: str) -> None:
    check("-a", lambda a: table.bind("negate", (a,)), rows(name))


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["-1", "0.05", "300"])
def test_values_with_literals(text: str, name: str) -> None:
    literal = LITERALS[text]
    for operator in ("+", "*", "//", "%"):
        build = lambda a, op=operator: table.bind(op, (a, literal))  # noqa: E731
        check(f"a {operator} {text}", build, rows(name))


def test_string_literals_take_the_type_beside_them() -> None:
    ref = ColumnRef(BIGINT, 0)
    assert table.bind("+", (ref, Literal(VARCHAR, "1"))).type == BIGINT
    assert table.bind(
        "+", (ColumnRef(sql_type("DECIMAL(9,2)"), 0), Literal(VARCHAR, "1"))
    ).type == (sql_type("DOUBLE"))


def test_negating_a_literal_gives_a_literal() -> None:
    assert table.bind("negate", (Literal(INTEGER, 5),)) == Literal(INTEGER, -5)
    assert table.bind("negate", (Literal(BIGINT, 2**31),)) == Literal(INTEGER, -(2**31))
    assert table.bind("negate", (Literal(HUGEINT, 2**63),)) == Literal(BIGINT, -(2**63))
    assert table.bind("negate", (Literal(decimal(2, 1), 15),)) == Literal(decimal(2, 1), -15)
