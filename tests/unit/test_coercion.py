"""Result types, common types and implicit casts: what DuckDB's typeof says, asked at test time."""

from __future__ import annotations

from itertools import product

import pytest

from eau2.errors import Error, TypeMismatchError
from eau2.operators import coercion
from eau2.operators.expr import Call, ColumnRef, Expr, Literal
from eau2.operators.functions import table
from eau2.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    HUGEINT,
    INTEGER,
    NULL,
    VARCHAR,
    SqlType,
    decimal,
)
from tests.unit.scalar_oracle import POOLS, duckdb_type, rows, sql_type

NAMES = tuple(POOLS)
OPERATORS = ("+", "-", "*", "/", "//", "%")
LITERALS = {
    "1": Literal(INTEGER, 1),
    "300": Literal(INTEGER, 300),
    "70000": Literal(INTEGER, 70000),
    "3000000000": Literal(BIGINT, 3000000000),
    "20000000000000000000": Literal(HUGEINT, 20000000000000000000),
    "-1": Literal(INTEGER, -1),
    "1.5": Literal(decimal(2, 1), 15),
    "0.05": Literal(decimal(3, 2), 5),
    "true": Literal(BOOLEAN, True),
}
A, S = ColumnRef(INTEGER, 0), ColumnRef(VARCHAR, 2)


def our_type(operator: str, *args: Expr) -> str | None:
    try:
        return str(table.bind(operator, args).type)
    except Error:
        return None


@pytest.mark.parametrize("operator", OPERATORS)
def test_result_types_are_duckdbs(operator: str) -> None:
    for one, two in product(POOLS, POOLS):
        data = rows(one, two, pools=((), ()))
        expected = duckdb_type(f"a {operator} b", data.table)
        assert our_type(operator, *data.refs) == expected, f"{one} {operator} {two}"


@pytest.mark.parametrize("operator", OPERATORS)
def test_literals_adapt_as_in_duckdb(operator: str) -> None:
    for name, (text, literal) in product(POOLS, LITERALS.items()):
        data = rows(name, pools=((),))
        for sql, args in (
            (f"a {operator} {text}", (*data.refs, literal)),
            (f"{text} {operator} a", (literal, *data.refs)),
        ):
            assert our_type(operator, *args) == duckdb_type(sql, data.table), f"{name}: {sql}"


def our_common(*args: Expr) -> str | None:
    try:
        return str(coercion.common_type(args))
    except Error:
        return None


def test_common_types_are_duckdbs() -> None:
    for one, two in product(NAMES, NAMES):
        data = rows(one, two, pools=((), ()))
        expected = duckdb_type("CASE WHEN true THEN a ELSE b END", data.table)
        assert our_common(*data.refs) == expected, f"{one}, {two}"


def test_common_types_with_literals_are_duckdbs() -> None:
    literals = {**LITERALS, "'1'": Literal(VARCHAR, "1")}
    for name, (text, literal) in product(NAMES, literals.items()):
        data = rows(name, pools=((),))
        for order in ("a, {}", "{}, a"):
            expected = duckdb_type(f"coalesce({order.format(text)})", data.table)
            assert our_common(*data.refs, literal) == expected, f"{name} {text}"


def test_comparable_types_are_duckdbs() -> None:
    for one, two in product(NAMES, NAMES):
        data = rows(one, two, pools=((), ()))
        expected = duckdb_type("a < b", data.table) is not None
        assert (our_common(*data.refs) is not None) == expected, f"{one} < {two}"


def test_operands_without_a_common_type_are_refused() -> None:
    with pytest.raises(TypeMismatchError):
        table.bind("=", (S, A))
    with pytest.raises(TypeMismatchError):
        table.bind("<", (ColumnRef(sql_type("DATE"), 0), A))


def test_nulls_of_no_type_are_compared() -> None:
    null = Literal(NULL, None)
    assert coercion.compare("=", null, null).type == BOOLEAN
    compared = coercion.compare("=", ColumnRef(DOUBLE, 0), null)
    assert isinstance(compared, Call)
    assert compared.args[1] == Literal(DOUBLE, None)


def test_casting_to_the_same_type_is_nothing() -> None:
    assert coercion.cast(A, INTEGER) is A
    assert coercion.coerce(A, INTEGER) is A
    assert coercion.cast(Literal(NULL, None), SqlType(BIGINT.kind)) == Literal(BIGINT, None)
