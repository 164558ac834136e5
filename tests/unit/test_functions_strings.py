"""Text functions and patterns against DuckDB, Unicode rules included."""

from __future__ import annotations

import pytest

from eau2.errors import NotSupportedError, TypeMismatchError
from eau2.operators.expr import ColumnRef, Literal
from eau2.operators.functions import table
from eau2.types import BIGINT, BOOLEAN, INTEGER, NULL, VARCHAR, Kind, SqlType
from tests.unit.scalar_oracle import POOLS, check, rows

TEXTS = (
    "", "a", "héllo", "日本語", "straße", " pad ", "a.b.c", "10%_", "l1\nl2", "ΑΣ", "İstanbul",
    "e\u0301x", "\u00a0\u3000 x \t", "\u01c6\ufb01\u0149", "aaa", "ab", "xxaxx", "HÉLLO", "\\w+",
    "$1",
)  # fmt: skip
PARTS = ("", "a", "l", "語", ".", "aa", "x", "he", "é")
NUMBERS = ("0", "1", "2", "-1", "-2", "3", "100", "-100")


def text(value: str) -> Literal:
    return Literal(VARCHAR, value)


def number(value: int) -> Literal:
    return Literal(INTEGER, value)


@pytest.mark.parametrize(
    "function",
    ["length", "strlen", "lower", "upper", "trim", "ltrim", "rtrim", "reverse", "ascii", "unicode",
     "len", "char_length", "lcase", "ucase", "ord"],
)  # fmt: skip
def test_functions_of_one_text(function: str) -> None:
    data = rows("VARCHAR", pools=(TEXTS,))
    check(f"{function}(a)", lambda a: table.bind(function, (a,)), data)


@pytest.mark.parametrize(
    "function",
    ["trim", "ltrim", "rtrim", "instr", "strpos", "starts_with", "prefix", "ends_with", "suffix",
     "contains"],
)  # fmt: skip
def test_functions_of_two_texts(function: str) -> None:
    data = rows("VARCHAR", "VARCHAR", pools=(TEXTS, PARTS))
    check(f"{function}(a, b)", lambda a, b: table.bind(function, (a, b)), data)


@pytest.mark.parametrize("function", ["left", "right", "repeat"])
def test_functions_of_a_text_and_a_number(function: str) -> None:
    data = rows("VARCHAR", "BIGINT", pools=(TEXTS, NUMBERS))
    check(f"{function}(a, b)", lambda a, b: table.bind(function, (a, b)), data)


def test_substring() -> None:
    data = rows("VARCHAR", "BIGINT", "BIGINT", pools=(TEXTS[:8], NUMBERS, NUMBERS))
    check("substring(a, b, c)", lambda a, b, c: table.bind("substring", (a, b, c)), data)
    check("substr(a, b)", lambda a, b, c: table.bind("substr", (a, b)), data)


@pytest.mark.parametrize(("start", "length"), [(1, 2), (2, 0), (0, 2), (-2, 2), (2, -1), (3, 100)])
def test_substring_of_constants(start: int, length: int) -> None:
    data = rows("VARCHAR", pools=(TEXTS,))
    args = (number(start), number(length))
    check(f"substring(a, {start}, {length})", lambda a: table.bind("substring", (a, *args)), data)


@pytest.mark.parametrize("function", ["lpad", "rpad"])
def test_padding(function: str) -> None:
    pools = (TEXTS[:6], ("0", "3", "8", "-1"), ("", "*", "xy", "日本"))
    data = rows("VARCHAR", "INTEGER", "VARCHAR", pools=pools)
    check(f"{function}(a, b, c)", lambda a, b, c: table.bind(function, (a, b, c)), data)


def test_split_part() -> None:
    data = rows("VARCHAR", "VARCHAR", "BIGINT", pools=(TEXTS[:8], (".", "", "l", "語"), NUMBERS))
    check("split_part(a, b, c)", lambda a, b, c: table.bind("split_part", (a, b, c)), data)


@pytest.mark.parametrize(
    ("old", "new"), [("l", ""), ("", "x"), (".", "$1"), ("aa", "b"), ("é", "\\0"), ("$", "")]
)
def test_replace(old: str, new: str) -> None:
    data = rows("VARCHAR", pools=(TEXTS,))
    args = (text(old), text(new))
    check(f"replace(a, '{old}', '{new}')", lambda a: table.bind("replace", (a, *args)), data)


@pytest.mark.parametrize(("old", "new"), [("lo", "01"), ("abc", "x"), ("aa", "xy"), ("", "x")])
def test_translate(old: str, new: str) -> None:
    data = rows("VARCHAR", pools=(TEXTS,))
    args = (text(old), text(new))
    check(f"translate(a, '{old}', '{new}')", lambda a: table.bind("translate", (a, *args)), data)


def test_chr() -> None:
    codes = ("0", "65", "233", "26085", "128104", "-1", "1114112", "55296")
    check("chr(a)", lambda a: table.bind("chr", (a,)), rows("INTEGER", pools=(codes,)))


@pytest.mark.parametrize("name", POOLS)
def test_joining_takes_every_type(name: str) -> None:
    data = rows(name, "VARCHAR", pools=(POOLS[name], ("x", "")))
    check("a || b", lambda a, b: table.bind("||", (a, b)), data)
    check(
        "concat(a, b, NULL)", lambda a, b: table.bind("concat", (a, b, Literal(NULL, None))), data
    )
    check(
        "concat_ws(b, a, NULL, a)",
        lambda a, b: table.bind("concat_ws", (b, a, Literal(NULL, None), a)),
        data,
    )


def test_trap_upper_and_lower_map_one_to_one() -> None:
    letters = tuple(
        chr(code) for code in (*range(0xC0, 0x250), *range(0x370, 0x590), *range(0x1E90, 0x2000),
                               0x19B, 0x1C89, 0xA7CB, 0xA7DC, 0xFB00, 0xFB17, 0x10D50, 0x16EBB)
    )  # fmt: skip
    data = rows("VARCHAR", pools=(letters,))
    check("upper(a)", lambda a: table.bind("upper", (a,)), data)
    check("lower(a)", lambda a: table.bind("lower", (a,)), data)


PATTERNS = (
    "", "%", "_", "a", "a%", "%a", "%l%", "_____", "l1%2", "h_llo", "%%", "a_", "_%_", "a.b.c",
    "a.%", "%.c", "%ß%", "10%_", "日%", "%語", "_本_", "$1", "%\\%", "HÉLLO", "%É%", "i̇%", "[a]",
)  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_like(pattern: str) -> None:
    data = rows("VARCHAR", pools=(TEXTS,))
    literal = text(pattern)
    check(f"a LIKE '{pattern}'", lambda a: table.bind("like", (a, literal)), data)
    check(f"a ILIKE '{pattern}'", lambda a: table.bind("ilike", (a, literal)), data)


@pytest.mark.parametrize("pattern", ["10!%!_", "%!!%", "a!.%", "!_%"])
def test_like_escape(pattern: str) -> None:
    data = rows("VARCHAR", pools=((*TEXTS, "10%_", "a!", "_x"),))
    args = (text(pattern), text("!"))
    sql = f"a LIKE '{pattern}' ESCAPE '!'"
    check(sql, lambda a: table.bind("like", (a, *args)), data)


def test_like_refuses_what_it_cannot_do() -> None:
    a = ColumnRef(VARCHAR, 0)
    with pytest.raises(NotSupportedError, match="escape of LIKE must be"):
        table.bind("like", (a, a, a))
    with pytest.raises(TypeMismatchError):
        table.bind("like", (a, text("x!"), text("!")))
    with pytest.raises(TypeMismatchError):
        table.bind("like", (ColumnRef(INTEGER, 0), text("x")))
    assert table.bind("like", (a, Literal(NULL, None))) == Literal(BOOLEAN, None)


REGEXES = (
    "l+", "^h", "o$", "\\w+", "\\d", "\\s", "\\bh", "[a-c]", "(a)(.)", "l1.l2", "^l2", "é", "(?i)É",
    "[[:alpha:]]+", "a|b", "\\.", "[^a]", "x?", "日.", "\\W", "[\\w.]+", "a{2}", "[]a]", "\\$",
)  # fmt: skip


@pytest.mark.parametrize("pattern", REGEXES)
def test_regular_expressions(pattern: str) -> None:
    data = rows("VARCHAR", pools=(TEXTS,))
    regex = text(pattern)
    for function in ("regexp_matches", "regexp_full_match"):
        build = lambda a, f=function: table.bind(f, (a, regex))  # noqa: E731
        check(f"{function}(a, '{pattern}')", build, data)
    check(
        f"regexp_extract(a, '{pattern}')", lambda a: table.bind("regexp_extract", (a, regex)), data
    )


@pytest.mark.parametrize("options", ["", "g", "i", "gi"])
@pytest.mark.parametrize(
    ("pattern", "by"), [("l", "$1x"), ("(a)(.)", "[\\2\\1]"), ("L", "\\0\\0"), ("x", "")]
)
def test_regexp_replace(pattern: str, by: str, options: str) -> None:
    data = rows("VARCHAR", pools=(TEXTS,))
    args = (text(pattern), text(by), text(options))
    sql = f"regexp_replace(a, '{pattern}', '{by}', '{options}')"
    check(sql, lambda a: table.bind("regexp_replace", (a, *args)), data)


def test_regexp_extract_groups() -> None:
    data = rows("VARCHAR", pools=(TEXTS,))
    for group in (0, 1, 2):
        args = (text("(x)?(l+)"), number(group))
        sql = f"regexp_extract(a, '(x)?(l+)', {group})"
        check(sql, lambda a, args=args: table.bind("regexp_extract", (a, *args)), data)


@pytest.mark.parametrize("pattern", ["(", "\\1", "[\\W]", "a(?=b)"])
def test_regular_expressions_that_are_refused(pattern: str) -> None:
    with pytest.raises((NotSupportedError, TypeMismatchError)):
        table.bind("regexp_matches", (ColumnRef(VARCHAR, 0), text(pattern)))


def test_texts_are_not_made_of_numbers() -> None:
    for name in ("length", "upper", "trim", "reverse"):
        with pytest.raises(TypeMismatchError):
            table.bind(name, (ColumnRef(BIGINT, 0),))
    with pytest.raises(TypeMismatchError, match="left"):
        table.bind("left", (ColumnRef(VARCHAR, 0), ColumnRef(SqlType(Kind.DOUBLE), 1)))


def test_null_arguments_give_null() -> None:
    null = Literal(NULL, None)
    data = rows("VARCHAR", pools=(("a",),))
    check("replace(a, 'a', NULL)", lambda a: table.bind("replace", (a, text("a"), null)), data)
    check("replace(a, NULL, 'a')", lambda a: table.bind("replace", (a, null, text("a"))), data)
    check("left(a, NULL)", lambda a: table.bind("left", (a, null)), data)
