"""Further functions of texts against DuckDB: distances, digests, encodings, paths, GLOB."""

from __future__ import annotations

from random import Random

import pytest

from eau2.errors import NotSupportedError, TypeMismatchError
from eau2.operators.expr import ColumnRef, Literal
from eau2.operators.functions import table
from eau2.types import BOOLEAN, DOUBLE, INTEGER, NULL, VARCHAR
from tests.unit.scalar_oracle import check, rows

TEXTS = (
    "", "a", "ab", "ba", "abc", "héllo", "hello", "日本語", "日本", "straße", "kitten", "sitting",
    "martha", "marhta", "dwayne", "duane", "a b%c", "x/y.z", "%41%zz+", "%ff", "%C3%A9", "e\u0301",
    "\u212b", "が", "한", "AaAa", "aaaaaaaab", "aaaaaaaac",
)  # fmt: skip


def text(value: str | None) -> Literal:
    return Literal(VARCHAR if value is not None else NULL, value)


@pytest.mark.parametrize(
    "function",
    ["hamming", "mismatches", "levenshtein", "editdist3", "damerau_levenshtein", "jaccard",
     "jaro_similarity", "jaro_winkler_similarity"],
)  # fmt: skip
def test_distances(function: str) -> None:
    data = rows("VARCHAR", "VARCHAR", pools=(TEXTS, TEXTS))
    check(f"{function}(a, b)", lambda a, b: table.bind(function, (a, b)), data, 13)


@pytest.mark.parametrize(
    "function", ["damerau_levenshtein", "levenshtein", "jaro_similarity", "jaro_winkler_similarity"]
)
def test_distances_of_random_texts(function: str) -> None:
    random = Random(3)
    texts = tuple({"".join(random.choices("abé", k=random.randint(1, 12))) for _ in range(40)})
    data = rows("VARCHAR", "VARCHAR", pools=(texts, texts))
    check(f"{function}(a, b)", lambda a, b: table.bind(function, (a, b)), data, 13)


def test_a_similarity_below_the_cutoff_is_none() -> None:
    data = rows("VARCHAR", "DOUBLE", pools=(TEXTS, ("0", "0.5", "0.9", "0.95", "1", "2", "nan")))
    for function in ("jaro_similarity", "jaro_winkler_similarity"):
        sql = f"{function}(a, 'marhta', b)"
        other = text("marhta")
        check(sql, lambda a, b: table.bind(function, (a, other, b)), data, 13)  # noqa: B023


@pytest.mark.parametrize(
    "function",
    ["md5", "sha1", "sha256", "hex", "bin", "url_encode", "url_decode", "strip_accents",
     "nfc_normalize", "regexp_escape", "bit_length", "parse_filename", "parse_dirname",
     "parse_dirpath"],
)  # fmt: skip
def test_functions_of_one_text(function: str) -> None:
    data = rows("VARCHAR", pools=(TEXTS,))
    check(f"{function}(a)", lambda a: table.bind(function, (a,)), data)


@pytest.mark.parametrize("name", ["TINYINT", "BIGINT", "HUGEINT", "UBIGINT", "UTINYINT"])
@pytest.mark.parametrize("function", ["hex", "bin", "to_hex", "to_binary"])
def test_digits_of_numbers(function: str, name: str) -> None:
    check(f"{function}(a)", lambda a: table.bind(function, (a,)), rows(name))


def test_to_base() -> None:
    pools = (("0", "1", "255", "9223372036854775807", "-1"), ("2", "7", "36", "1", "37"))
    data = rows("BIGINT", "INTEGER", pools=pools)
    check("to_base(a, b)", lambda a, b: table.bind("to_base", (a, b)), data)
    data = rows("BIGINT", "INTEGER", pools=(("0", "5"), ("0", "3", "64", "65", "-1")))
    two = Literal(INTEGER, 2)
    check("to_base(a, 2, b)", lambda a, b: table.bind("to_base", (a, two, b)), data)


PATHS = (
    "", "/", "//", "a", "/a", "a/", "a/b", "/a/b.c", "a\\b\\c.d", "a/b\\c.d", "\\a", "\\",
    ".x", "..",
    "a.b/c", "a/b.c.d",
)  # fmt: skip


@pytest.mark.parametrize("separator", [None, "system", "forward_slash", "backslash", "both_slash"])
@pytest.mark.parametrize("function", ["parse_filename", "parse_dirname", "parse_dirpath"])
def test_paths(function: str, separator: str | None) -> None:
    data = rows("VARCHAR", pools=(PATHS,))
    written = "NULL" if separator is None else f"'{separator}'"
    other = text(separator)
    check(f"{function}(a, {written})", lambda a: table.bind(function, (a, other)), data)


def test_paths_without_their_endings() -> None:
    data = rows("VARCHAR", pools=(PATHS,))
    trim = Literal(BOOLEAN, True)
    check("parse_filename(a, true)", lambda a: table.bind("parse_filename", (a, trim)), data)


@pytest.mark.parametrize("function", ["format_bytes", "formatReadableDecimalSize"])
def test_sizes(function: str) -> None:
    pool = ("0", "1", "-1", "999", "1000", "1023", "1024", "2047", "1048575", "1000000000000000")
    data = rows("BIGINT", pools=((*pool, "9223372036854775807", "-9223372036854775808"),))
    check(f"{function}(a)", lambda a: table.bind(function, (a,)), data)


def test_bars() -> None:
    pool = ("0", "1", "2.4", "9.99", "10", "11", "-1", "nan", "inf")
    data = rows("DOUBLE", "DOUBLE", pools=(pool, ("1", "3", "20.7", "0.5", "1001", "nan")))
    low, high = Literal(DOUBLE, 0.0), Literal(DOUBLE, 10.0)
    check("bar(a, 0, 10, b)", lambda a, b: table.bind("bar", (a, low, high, b)), data)
    check("bar(a, b, 10)", lambda a, b: table.bind("bar", (a, b, high)), data)


def test_overlay() -> None:
    numbers = ("0", "1", "2", "-1", "7", "100")
    data = rows("VARCHAR", "BIGINT", "BIGINT", pools=(TEXTS[:8], numbers, numbers))
    by = text("XX")
    check("overlay(a, 'XX', b, c)", lambda a, b, c: table.bind("overlay", (a, by, b, c)), data)
    check("overlay(a, 'XX', b)", lambda a, b, c: table.bind("overlay", (a, by, b)), data)


GLOBS = (
    "", "*", "?", "a*", "*b", "a?c", "[a-c]b*", "[!a]*", "[^a]b", "[]a]*", "a[", "a\\", "\\*",
    "[b-",
    "[b-]*", "[c-a]*", "日?", "[é-ü]*", "**", "[!]a]*", "[a]]", "h[e-é]*",
)  # fmt: skip


def test_glob() -> None:
    data = rows("VARCHAR", "VARCHAR", pools=((*TEXTS, "]", "[", "*", "!", "^b", "-", "a]"), GLOBS))
    check("a GLOB b", lambda a, b: table.bind("glob", (a, b)), data)


@pytest.mark.parametrize("pattern", GLOBS)
def test_glob_of_a_constant(pattern: str) -> None:
    data = rows("VARCHAR", pools=((*TEXTS, "]", "[", "*", "!", "^b", "-", "a]"),))
    constant = text(pattern)
    check(f"a GLOB '{pattern}'", lambda a: table.bind("glob", (a, constant)), data)


@pytest.mark.parametrize("sign", ["~", "!~", "~*", "!~*", "SIMILAR TO"])
def test_regular_expressions_as_operators(sign: str) -> None:
    data = rows("VARCHAR", pools=(TEXTS,))
    for pattern in ("a", "A.*", "[0-9]|é", "ab?"):
        constant = text(pattern)
        sql = f"a {sign} '{pattern}'"
        check(sql, lambda a: table.bind(sign.lower(), (a, constant)), data)  # noqa: B023
    check("a ^@ 'a'", lambda a: table.bind("^@", (a, text("a"))), data)


def test_like_as_functions() -> None:
    data = rows("VARCHAR", pools=((*TEXTS, "10%", "A%"),))
    pattern, escape = text("%$%"), text("$")
    for name in ("like_escape", "not_like_escape", "ilike_escape", "not_ilike_escape"):
        sql = f"{name}(a, '%$%', '$')"
        check(sql, lambda a: table.bind(name, (a, pattern, escape)), data)  # noqa: B023


def test_refusals() -> None:
    column = ColumnRef(VARCHAR, 0)
    with pytest.raises(NotSupportedError, match="must be a constant"):
        table.bind("parse_dirname", (column, column))
    with pytest.raises(TypeMismatchError):
        table.bind("md5", (Literal(INTEGER, 1),))
    with pytest.raises(NotSupportedError, match="must be a string constant"):
        table.bind("~", (column, column))
