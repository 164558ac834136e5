"""Where Polars computes something else than SQL: one test for each trap of expressions."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest

import eau2
from eau2.operators import coercion
from eau2.operators.expr import ColumnRef, Expr, InList, Literal
from eau2.operators.functions import table
from eau2.operators.lowering import lower_expr
from eau2.types import BOOLEAN, DOUBLE, FLOAT, INTEGER, VARCHAR, SqlType
from tests.unit.scalar_oracle import check, rows

FLOATS = [float(n) / 7 for n in range(1, 2000)]


def test_trap_integer_arithmetic_wraps_silently() -> None:
    for name, low, high in (
        ("TINYINT", "-128", "127"),
        ("INTEGER", "-2147483648", "2147483647"),
        ("BIGINT", "-9223372036854775808", "9223372036854775807"),
        ("UBIGINT", "0", "18446744073709551615"),
    ):
        data = rows(name, name, pools=((low, high, "1"), (low, high, "1")))
        for operator in ("+", "-", "*"):
            build = lambda a, b, op=operator: table.bind(op, (a, b))  # noqa: E731
            check(f"a {operator} b", build, data)
        check("-a", lambda a, b: table.bind("negate", (a,)), data)
        check("abs(a)", lambda a, b: table.bind("abs", (a,)), data)


def test_trap_128_bits_wrap_silently_too() -> None:
    ends = ("170141183460469231731687303715884105727", "-170141183460469231731687303715884105728")
    middle = ("13043817825332782212", "-13043817825332782213", "1", "-1", "2")
    data = rows("HUGEINT", "HUGEINT", pools=((*ends, *middle), (*ends, *middle)))
    for operator in ("+", "-", "*", "//", "%"):
        build = lambda a, b, op=operator: table.bind(op, (a, b))  # noqa: E731
        check(f"a {operator} b", build, data)
    nines = "9" * 28 + "." + "9" * 10
    data = rows("DECIMAL(38,10)", "DECIMAL(38,10)", pools=((nines, "-1"), (nines, "2")))
    for operator in ("+", "-", "*"):
        build = lambda a, b, op=operator: table.bind(op, (a, b))  # noqa: E731
        check(f"a {operator} b", build, data)


def test_trap_quotients_and_remainders_are_floored() -> None:
    data = rows("INTEGER", "INTEGER", pools=(("7", "-7"), ("2", "-2")))
    for operator in ("//", "%"):
        build = lambda a, b, op=operator: table.bind(op, (a, b))  # noqa: E731
        check(f"a {operator} b", build, data)
    for name in ("DOUBLE", "DECIMAL(9,2)"):
        data = rows(name, name, pools=(("7.5", "-7.5"), ("2", "-2")))
        check("a % b", lambda a, b: table.bind("%", (a, b)), data)


@pytest.mark.parametrize("name", ["INTEGER", "HUGEINT", "DECIMAL(9,2)", "DOUBLE", "FLOAT"])
def test_trap_a_zero_divisor_gives_null(name: str) -> None:
    data = rows(name, name, pools=(("7", "0"), ("0",)))
    for operator in ("/", "//", "%"):
        build = lambda a, b, op=operator: table.bind(op, (a, b))  # noqa: E731
        check(f"a {operator} b", build, data)


def test_trap_decimal_products_lose_digits() -> None:
    data = rows("DECIMAL(9,2)", "DECIMAL(4,3)", pools=(("1.25",), ("0.335",)))
    check("a * b", lambda a, b: table.bind("*", (a, b)), data)
    check("a / b", lambda a, b: table.bind("/", (a, b)), data)


def test_trap_in_a_list_with_null_is_false() -> None:
    data = rows("INTEGER", pools=(("1", "2"),))
    check("a IN (1, NULL)", lambda a: InList(BOOLEAN, a, (1,), True), data)
    check(
        "a NOT IN (1, NULL)",
        lambda a: table.bind("not", (InList(BOOLEAN, a, (1,), True),)),
        data,
    )


def test_trap_rounding_is_half_even_and_casts_cut() -> None:
    halves = ("0.5", "1.5", "2.5", "-0.5", "-2.5")
    for name in ("DOUBLE", "FLOAT", "DECIMAL(9,2)"):
        data = rows(name, pools=(halves,))
        check("round(a)", lambda a: table.bind("round", (a,)), data)
        check("CAST(a AS INTEGER)", lambda a: coercion.cast(a, INTEGER), data)
    data = rows("DECIMAL(9,3)", pools=(("0.125", "0.375", "-0.125"),))
    target = SqlType(data.types[0].kind, 9, 2)
    check("CAST(a AS DECIMAL(9,2))", lambda a: coercion.cast(a, target), data)


def test_trap_regular_expressions_are_unicode() -> None:
    data = rows("VARCHAR", pools=(("é", "٣", "\u00a0", "xé", "a1"),))
    for pattern in ("^\\w$", "\\d", "^\\s$", "x\\b"):
        regex = Literal(VARCHAR, pattern)
        build = lambda a, r=regex: table.bind("regexp_matches", (a, r))  # noqa: E731
        check(f"regexp_matches(a, '{pattern}')", build, data)


def test_trap_trim_strips_tabs_and_find_counts_bytes() -> None:
    data = rows("VARCHAR", pools=(("\ta ", " a\n", "éa", "日本語"),))
    check("trim(a)", lambda a: table.bind("trim", (a,)), data)
    for part in ("a", "語"):
        literal = Literal(VARCHAR, part)
        check(f"instr(a, '{part}')", lambda a: table.bind("instr", (a, literal)), data)  # noqa: B023


def evaluated(expr: Expr, frame: pl.DataFrame, engine: str) -> list[object]:
    lowered = frame.lazy().select(lower_expr(expr).alias("r"))
    return lowered.collect(engine=engine).get_column("r").to_list()  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_trap_division_by_a_constant_multiplies_by_its_reciprocal(engine: str) -> None:
    frame = pl.DataFrame({"c0": FLOATS, "c1": [True] * len(FLOATS)})
    number, flag = ColumnRef(DOUBLE, 0), ColumnRef(BOOLEAN, 1)
    three = Literal(DOUBLE, 3.0)
    uniform = table.bind("if", (flag, three, number))
    for divisor in (three, uniform):
        for name in ("/", "//"):
            quotient = table.bind(name, (number, divisor))
            assert evaluated(quotient, frame, engine) == [x / 3.0 for x in FLOATS]
    cube = table.bind("pow", (number, three))
    alone = [evaluated(cube, frame[i : i + 1], engine)[0] for i in range(50)]
    assert evaluated(cube, frame[:50], engine) == alone


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_trap_a_column_may_be_one_value_for_all_rows(engine: str) -> None:
    rows = pl.DataFrame({"c0": FLOATS})
    frame = pl.DataFrame({"c1": [1.0], "c2": [3.0]}).join(rows, how="cross")
    number, one, three = (ColumnRef(DOUBLE, n) for n in range(3))
    for left in (table.bind("*", (one, number)), table.bind("*", (number, one)), number):
        for name in ("/", "//"):
            quotient = table.bind(name, (left, three))
            assert evaluated(quotient, frame, engine) == [x / 3.0 for x in FLOATS]
    both = table.bind("/", (one, three))
    assert set(evaluated(both, frame, engine)) == {1.0 / 3.0}


def test_trap_a_float_constant_makes_doubles_of_floats() -> None:
    frame = pl.DataFrame({"c0": pl.Series([1.5, -0.0], dtype=pl.Float32)})
    for name in ("+", "-", "*", "/", "//", "%"):
        expr = table.bind(name, (ColumnRef(FLOAT, 0), Literal(FLOAT, 3.0)))
        assert frame.select(lower_expr(expr).alias("r")).schema["r"] == pl.Float32


def test_trap_a_branch_that_no_row_takes_is_tried_on_a_row_of_nulls() -> None:
    # So a constant that fails would fail there, though its guard is false for every row.
    connection = eau2.connect()
    connection.execute("SET chunk_rows = 2")
    connection.register("t", pa.table({"a": pa.array(range(1, 8), pa.int32())}))
    for failing in ("error('no')", "2147483647::INTEGER + 1::INTEGER", "factorial(-1)"):
        sql = f"SELECT CASE WHEN a > 0 THEN 1 ELSE {failing} END AS x FROM t"
        assert connection.sql(sql).fetchall() == [(1,)] * 7
