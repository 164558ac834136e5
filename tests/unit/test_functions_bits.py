"""Operators on bits against DuckDB, with shifts over every edge of every type."""

from __future__ import annotations

import pytest

from eau2.errors import TypeMismatchError
from eau2.operators.expr import Expr, Literal
from eau2.operators.functions import table
from eau2.types import BIGINT, BOOLEAN, INTEGER, NULL, VARCHAR
from tests.unit.scalar_oracle import check, rows

INTEGERS = (
    *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"),
    *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
)
VALUES = ("0", "1", "3", "100", "-1", "-8", "127", "-128")
SHIFTS = ("0", "1", "6", "7", "8", "15", "31", "63", "64", "126", "127", "-1", "-128")


@pytest.mark.parametrize("sign", ["&", "|", "xor"])
@pytest.mark.parametrize("name", INTEGERS)
def test_two_operands(name: str, sign: str) -> None:
    sql = "xor(a, b)" if sign == "xor" else f"a {sign} b"
    check(sql, lambda a, b: table.bind(sign, (a, b)), rows(name, name))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TINYINT", "UTINYINT"),
        ("UBIGINT", "INTEGER"),
        ("SMALLINT", "INTEGER"),
        ("TINYINT", "HUGEINT"),
    ],
)
def test_operands_of_two_types(one: str, other: str) -> None:
    check("a & b", lambda a, b: table.bind("&", (a, b)), rows(one, other))


@pytest.mark.parametrize("sign", ["<<", ">>"])
@pytest.mark.parametrize("name", INTEGERS)
def test_shifts(name: str, sign: str) -> None:
    unsigned = name.startswith("U")
    values = tuple(v for v in VALUES if not (unsigned and v.startswith("-")))
    shifts = tuple(s for s in SHIFTS if not (unsigned and s.startswith("-")))
    data = rows(name, name, pools=(values, shifts))
    check(f"a {sign} b", lambda a, b: table.bind(sign, (a, b)), data)


@pytest.mark.parametrize("name", INTEGERS)
def test_one_operand(name: str) -> None:
    check("~a", lambda a: table.bind("bit_not", (a,)), rows(name))
    check("bit_count(a)", lambda a: table.bind("bit_count", (a,)), rows(name))


def test_a_literal_takes_the_type_that_duckdb_gives_it() -> None:
    small: Expr = Literal(INTEGER, 3)
    check("a & 3", lambda a: table.bind("&", (a, small)), rows("TINYINT"))
    assert table.bind("&", (Literal(NULL, None), Literal(NULL, None))).type == BIGINT
    assert table.bind("|", (Literal(VARCHAR, "1"), small)).type == INTEGER


@pytest.mark.parametrize(
    "args",
    [
        (Literal(BOOLEAN, True), Literal(BOOLEAN, False)),
        (Literal(VARCHAR, "1"), Literal(VARCHAR, "2")),
    ],
)
def test_what_has_no_bits_is_refused(args: tuple[Expr, ...]) -> None:
    with pytest.raises(TypeMismatchError):
        table.bind("&", args)


def test_the_last_bit_of_128_is_lost() -> None:
    for value, by in (("1", "127"), ("1", "126"), ("2", "126"), ("0", "127"), ("1", "1000")):
        data = rows("HUGEINT", "HUGEINT", pools=((value,), (by,)))
        check("a << b", lambda a, b: table.bind("<<", (a, b)), data)
