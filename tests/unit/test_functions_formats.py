"""format and printf against DuckDB, and what of their languages is refused by name."""

from __future__ import annotations

import pytest

from eau2.errors import Error, NotSupportedError, TypeMismatchError
from eau2.operators.expr import ColumnRef, Expr, Literal
from eau2.operators.functions import table
from eau2.types import BIGINT, NULL, VARCHAR
from tests.unit.scalar_oracle import check, rows, sql_type

FLOATS = (
    "0", "-0.0", "1.5", "-2.5", "0.1", "1e15", "1e16", "-1e22", "1e-5", "123456.789", "inf", "-inf",
    "0.125", "2.5", "5e-324", "-1e20", "999999.5",
)  # fmt: skip
"""NaN is not among them: fmt shows the sign that it has by chance."""

INTEGER_SPECS = ("", ":d", ":5", ":<5d", ":^6", ":>4", ":05d", ":+d", ": d", ":x", ":X", ":b", ":o")
FLOAT_SPECS = (
    "",
    ":.2f",
    ":8.3f",
    ":<9.1f",
    ":e",
    ":.3e",
    ":g",
    ":G",
    ":+.1f",
    ":09.2f",
    ":F",
    ":>12",
)
GROUPED = (":,", ":_", ":'", ":,d")
TEXT_SPECS = ("", ":s", ":5", ":>5", ":^6", ":.2", ":*<7", ":6.1", ":>5s")
PRINTF_INTEGERS = (
    "d",
    "5d",
    "-5d",
    "05d",
    "+d",
    " d",
    "i",
    "x",
    "X",
    "o",
    ",d",
    "'d",
    ",9d",
    "ld",
    "lld",
)
PRINTF_FLOATS = ("f", ".2f", "9.3f", "-9.1f", "e", "E", ".3g", "G", "+.1f", "09.2f", ",.2f", "lf")
PRINTF_TEXTS = ("s", "5s", "-5s", ".2s", "6.1s", "-6.3s")


def text(value: str) -> Literal:
    return Literal(VARCHAR, value)


def check_format(function: str, pattern: str, name: str, pool: tuple[str, ...] | None) -> None:
    data = rows(name, pools=None if pool is None else (pool,))
    constant = text(pattern)
    written = pattern.replace("'", "''")
    sql = f"{function}('{written}', a)"
    check(sql, lambda a: table.bind(function, (constant, a)), data)


@pytest.mark.parametrize("spec", INTEGER_SPECS + GROUPED)
@pytest.mark.parametrize("name", ["TINYINT", "BIGINT", "HUGEINT", "UBIGINT"])
def test_integers(name: str, spec: str) -> None:
    if spec in (":+d", ": d") and name in ("HUGEINT", "UBIGINT"):
        with pytest.raises(NotSupportedError):
            bound("format", f"{{{spec}}}", ColumnRef(sql_type(name), 0))
        return
    check_format("format", f"<{{{spec}}}>", name, None)


@pytest.mark.parametrize("spec", [*FLOAT_SPECS, *GROUPED[:3], ":,.2f", ":_.1f", ":'.3f"])
def test_floats(spec: str) -> None:
    check_format("format", f"<{{{spec}}}>", "DOUBLE", FLOATS)


@pytest.mark.parametrize("spec", ["", ":.1f", ":,.2f", ":e"])
@pytest.mark.parametrize("name", ["DECIMAL(9,2)", "DECIMAL(18,4)"])
def test_decimals(name: str, spec: str) -> None:
    check_format("format", f"<{{{spec}}}>", name, None)


@pytest.mark.parametrize("spec", TEXT_SPECS)
@pytest.mark.parametrize("name", ["VARCHAR", "DATE", "TIMESTAMP"])
def test_texts(name: str, spec: str) -> None:
    check_format("format", f"{{{{{{{spec}}}}}}}|", name, None)


@pytest.mark.parametrize("spec", ["", ":8", ":>8", ":^9", ":d", ":05d", ":x"])
def test_booleans(spec: str) -> None:
    check_format("format", f"<{{{spec}}}>", "BOOLEAN", None)


@pytest.mark.parametrize("spec", PRINTF_INTEGERS)
@pytest.mark.parametrize("name", ["TINYINT", "INTEGER", "BIGINT", "UBIGINT"])
def test_printf_of_integers(name: str, spec: str) -> None:
    check_format("printf", f"<%{spec}>%%", name, None)


@pytest.mark.parametrize("spec", PRINTF_FLOATS)
def test_printf_of_floats(spec: str) -> None:
    check_format("printf", f"<%{spec}>", "DOUBLE", FLOATS)


@pytest.mark.parametrize("spec", PRINTF_TEXTS)
@pytest.mark.parametrize("name", ["VARCHAR", "DATE"])
def test_printf_of_texts(name: str, spec: str) -> None:
    check_format("printf", f"<%{spec}>", name, None)


@pytest.mark.parametrize("spec", ["s", "d", "7s", "-7s", "05d", "x"])
def test_printf_of_booleans(spec: str) -> None:
    check_format("printf", f"<%{spec}>", "BOOLEAN", None)


def test_several_fields_and_values_that_no_field_has() -> None:
    data = rows("BIGINT", "VARCHAR", pools=(("1", "-2"), ("x", "")))
    check("format('{1}-{0}-{1}', a, b)", lambda a, b: bound("format", "{1}-{0}-{1}", a, b), data)
    check("format('{} {}', a, b)", lambda a, b: bound("format", "{} {}", a, b), data)
    check("format('{}', a, b)", lambda a, b: bound("format", "{}", a, b), data)
    check("format('same', a, b)", lambda a, b: bound("format", "same", a, b), data)
    check("printf('%d %s', a, b)", lambda a, b: bound("printf", "%d %s", a, b), data)
    check("printf('', a, b)", lambda a, b: bound("printf", "", a, b), data)


def bound(function: str, pattern: str, *args: ColumnRef) -> Expr:
    return table.bind(function, (text(pattern), *args))


@pytest.mark.parametrize(
    ("function", "pattern"),
    [
        ("format", "{"), ("format", "}"), ("format", "{!r}"), ("format", "{x}"), ("format",
        "{:.2f}"),
        ("format", "{:s}"), ("format", "{:c}"), ("format", "{:n}"), ("format", "{:%}"),
        ("format", "{:=5d}"), ("format", "{:15,}"), ("format", "{:<05d}"), ("format", "{:é>5}"),
        ("format", "{:99999999999}"), ("printf", "%"), ("printf", "%s"), ("printf", "%f"),
        ("printf", "%c"), ("printf", "%u"), ("printf", "%*d"), ("printf", "%1$d"),
        ("printf", "%-05d"), ("printf", "%.3d"), ("printf", "%hd"), ("printf", "%z"),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_refused(function: str, pattern: str) -> None:
    with pytest.raises(NotSupportedError):
        table.bind(function, (text(pattern), ColumnRef(BIGINT, 0)))


@pytest.mark.parametrize("pattern", ["{} {}", "{1}", "{0} {}"])
def test_fields_without_values(pattern: str) -> None:
    with pytest.raises(TypeMismatchError):
        table.bind("format", (text(pattern), ColumnRef(BIGINT, 0)))


def test_a_format_is_a_constant_text() -> None:
    with pytest.raises(NotSupportedError, match="must be a constant"):
        table.bind("format", (ColumnRef(VARCHAR, 0),))
    with pytest.raises(Error):
        table.bind("printf", (Literal(BIGINT, 1),))
    assert table.bind("printf", (text("%d"), Literal(NULL, None))) == Literal(VARCHAR, None)
