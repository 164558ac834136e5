"""Comparisons, three-valued logic, CASE, IN and the conditional functions against DuckDB."""

from __future__ import annotations

import polars as pl
import pytest

from eau2.operators.expr import Case, ColumnRef, Expr, InList, Literal
from eau2.operators.functions import table
from eau2.operators.lowering import lower_expr
from eau2.types import BIGINT, BOOLEAN, INTEGER, VARCHAR, decimal
from tests.unit.scalar_oracle import POOLS, check, rows

COMPARISONS = {
    "=": "a = b",
    "<>": "a <> b",
    "<": "a < b",
    "<=": "a <= b",
    ">": "a > b",
    ">=": "a >= b",
    "is_distinct": "a IS DISTINCT FROM b",
    "is_not_distinct": "a IS NOT DISTINCT FROM b",
}
NAMES = tuple(POOLS)


@pytest.mark.parametrize("name", NAMES)
def test_comparisons_of_one_type(name: str) -> None:
    for operator, sql in COMPARISONS.items():
        check(sql, lambda a, b, op=operator: table.bind(op, (a, b)), rows(name, name))


@pytest.mark.parametrize(
    "pair",
    [
        ("BIGINT", "UBIGINT"),
        ("INTEGER", "DOUBLE"),
        ("DECIMAL(9,2)", "DECIMAL(18,4)"),
        ("DECIMAL(9,2)", "INTEGER"),
        ("DECIMAL(18,4)", "DOUBLE"),
        ("DATE", "TIMESTAMP"),
        ("BOOLEAN", "INTEGER"),
        ("FLOAT", "DOUBLE"),
        ("HUGEINT", "BIGINT"),
    ],
)
def test_comparisons_of_mixed_types(pair: tuple[str, str]) -> None:
    for operator, sql in COMPARISONS.items():
        check(sql, lambda a, b, op=operator: table.bind(op, (a, b)), rows(*pair))


@pytest.mark.parametrize(
    ("name", "text", "literal"),
    [
        ("TINYINT", "300", Literal(INTEGER, 300)),
        ("DATE", "'2020-01-31'", Literal(VARCHAR, "2020-01-31")),
        ("TIMESTAMP", "'2020-02-29'", Literal(VARCHAR, "2020-02-29")),
        ("INTEGER", "'7'", Literal(VARCHAR, "7")),
        ("DECIMAL(9,2)", "0.05", Literal(decimal(3, 2), 5)),
        ("DECIMAL(9,2)", "1.255", Literal(decimal(4, 3), 1255)),
        ("DOUBLE", "1.5", Literal(decimal(2, 1), 15)),
        ("BOOLEAN", "1", Literal(INTEGER, 1)),
        ("VARCHAR", "'a'", Literal(VARCHAR, "a")),
    ],
)
def test_comparisons_with_literals(name: str, text: str, literal: Literal) -> None:
    for operator in ("=", "<", ">="):
        sql = f"a {operator} {text}"
        check(sql, lambda a, op=operator: table.bind(op, (a, literal)), rows(name))


def test_trap_nan_equals_nan_and_is_greatest() -> None:
    data = rows("DOUBLE", "DOUBLE", pools=(("nan", "1"), ("nan", "inf")))
    check("a = b", lambda a, b: table.bind("=", (a, b)), data)
    check("a > b", lambda a, b: table.bind(">", (a, b)), data)
    check("greatest(a, b)", lambda a, b: table.bind("greatest", (a, b)), data)


def test_logic_in_three_values() -> None:
    data = rows("BOOLEAN", "BOOLEAN")
    check("a AND b", lambda a, b: table.bind("and", (a, b)), data)
    check("a OR b", lambda a, b: table.bind("or", (a, b)), data)
    check("NOT a", lambda a, b: table.bind("not", (a,)), data)
    check("a IS NULL", lambda a, b: table.bind("is_null", (a,)), data)
    check("a IS NOT NULL", lambda a, b: table.bind("is_not_null", (a,)), data)


def test_numbers_are_conditions() -> None:
    check("a AND b", lambda a, b: table.bind("and", (a, b)), rows("INTEGER", "DOUBLE"))
    check("NOT a", lambda a: table.bind("not", (a,)), rows("DECIMAL(9,2)"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("function", ["coalesce", "ifnull", "nullif", "greatest", "least"])
def test_conditional_functions(function: str, name: str) -> None:
    # Which of 0.0 and -0.0 is the greater is not said anywhere.
    pool = tuple(value for value in POOLS[name] if value != "-0.0")
    data = rows(name, name, pools=(pool, pool))
    check(f"{function}(a, b)", lambda a, b: table.bind(function, (a, b)), data)


@pytest.mark.parametrize("pair", [("INTEGER", "DECIMAL(9,2)"), ("DATE", "TIMESTAMP")])
@pytest.mark.parametrize("function", ["coalesce", "nullif", "greatest"])
def test_conditional_functions_of_mixed_types(function: str, pair: tuple[str, str]) -> None:
    check(f"{function}(a, b)", lambda a, b: table.bind(function, (a, b)), rows(*pair))


def test_if() -> None:
    data = rows("BOOLEAN", "INTEGER", "DECIMAL(9,2)")
    check("if(a, b, c)", lambda a, b, c: table.bind("if", (a, b, c)), data)


def literal_case(a: Expr) -> Case:
    one, two = Literal(VARCHAR, "low"), Literal(VARCHAR, "other")
    return Case(VARCHAR, ((table.bind("<", (a, Literal(INTEGER, 1))), one),), two)


def test_case_with_null_conditions() -> None:
    check("CASE WHEN a < 1 THEN 'low' ELSE 'other' END", literal_case, rows("INTEGER"))


def in_list(a: Expr, values: tuple[int | float | str, ...], has_null: bool) -> Expr:
    return InList(BOOLEAN, a, values, has_null)


@pytest.mark.parametrize(
    ("name", "sql", "values"),
    [
        ("INTEGER", "7, 1", (7, 1)),
        ("INTEGER", "7, 1, -1, 5, 6", (7, 1, -1, 5, 6)),
        ("DECIMAL(9,2)", "1.25, 0.05, 2, 3, 4.5", (125, 5, 200, 300, 450)),
        ("DECIMAL(38,10)", "1.5, 7, 2, 3, 4", (15 * 10**9, 7 * 10**10, 2, 3, 4)),
        ("VARCHAR", "'a', '', 'héllo', 'x', 'y'", ("a", "", "héllo", "x", "y")),
        ("DOUBLE", "'nan', 1.5, 0, 7, 8", (float("nan"), 1.5, 0.0, 7.0, 8.0)),
        ("DATE", "'2020-01-31', '1969-12-31', '2000-01-01', '2000-01-02'", (18292, -1, 3, 4)),
        ("HUGEINT", "1, -1, 3, 4, 5", (1, -1, 3, 4, 5)),
    ],
)
def test_in_lists(name: str, sql: str, values: tuple[int | float | str, ...]) -> None:
    data = rows(name)
    check(f"a IN ({sql})", lambda a: in_list(a, values, False), data)
    check(f"a IN ({sql}, NULL)", lambda a: in_list(a, values, True), data)
    check(
        f"a NOT IN ({sql}, NULL)",
        lambda a: table.bind("not", (in_list(a, values, True),)),
        data,
    )


def test_trap_null_in_an_empty_list_is_false_only_for_values() -> None:
    frame = pl.DataFrame({"c0": [1, None]})
    lowered = lower_expr(InList(BOOLEAN, ColumnRef(BIGINT, 0), (), True))
    assert frame.select(lowered.alias("r"))["r"].to_list() == [None, None]


def test_a_list_of_many_values_is_one_set() -> None:
    values = tuple(range(0, 200_000, 2))
    lowered = lower_expr(InList(BOOLEAN, ColumnRef(BIGINT, 0), values))
    frame = pl.DataFrame({"c0": [0, 1, 199_998, 200_000, None]})
    assert frame.select(lowered.alias("r"))["r"].to_list() == [True, False, True, False, None]
