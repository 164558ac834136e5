"""The error catalogue: it names every class, every entry comes about, and its message helps."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import eau2
from eau2 import errors
from eau2.error_codes import catalogue, explain
from eau2.errors import Error, StatementError, UsageError, report
from eau2.net.fault import describe, rebuild
from eau2.render import rendered
from eau2.terminal_text import caret
from tests.processes import ROOT
from tests.unit.error_recipes import RECIPES

ENTRIES = catalogue()
CLASSES = {name: cls for name, cls in vars(errors).items() if isinstance(cls, type)}
ABSTRACT = {"Error", "DatabaseError", "IntegrityError", "StatementError"}
"""Only their subclasses are raised; they have the code of what is no error of the tree."""

NAMED: dict[str, tuple[str, ...]] = {
    "E1001": ("FRM", "FROM"),
    "E1002": ("2026-02-30", "DATE"),
    "E1003": ('"dff"', '"df"'),
    "E1004": ('"rian"', '"rain"'),
    "E1005": ('"lenght"', "length"),
    "E1006": ('"a"', '"x.a"', '"y.a"'),
    "E1007": ('"intger"', '"integer"'),
    "E1008": ("VARCHAR", "BIGINT"),
    "E1009": ("WHERE", "HAVING"),
    "E1010": ('"day"', "GROUP BY", "any_value(day)"),
    "E1011": ('"df"', "CREATE OR REPLACE TABLE"),
    "E1012": ("UPDATE", "not supported"),
    "E1013": ("$least", "--param least=VALUE"),
    "E1014": ('"chunk_row"', "chunk_rows"),
    "E1015": ("fetched", "open", "line 3"),
    "E2007": ("ZeroDivisionError", "ratio", "line 3"),
    "E2001": ("row",),
    "E2002": ("9223372036854775807", "BIGINT", "overflow"),
    "E2003": ("INTEGER",),
    "E2004": ("nowhere.parquet",),
    "E2005": ('"n"', "NOT NULL"),
    "E2006": ('"trips"', "--replace"),
    "E3001": ("papers",),
    "E3002": ("process", "Try again"),
    "E3003": ('"trips"', "No space left", "Free some space"),
    "E3004": ('"trips"', "Input/output error"),
    "E3005": ('"trips"', "0.arrow", "load it again"),
    "E3006": ("chunk 0", "node n1", "run the statement again"),
    "E3007": ("papers", "backup"),
    "E4001": ("eau2://127.0.0.1:1", "eau2 node --listen"),
    "E4002": ("HTTP",),
    "E4003": ("eau2://127.0.0.1:",),
    "E4004": ("n1",),
    "E4005": ("n0", "n1", "n2", "Try again"),
    "E4006": ("n1", "n2"),
    "E4007": ('"trips"', "Put it again"),
    "E4008": ("cannot be told", "Look whether it was done"),
    "E4009": ("node", "Ask another node"),
    "E5001": ("127.0.0.1:", "in use"),
    "E5002": ("cancelled",),
    "E5003": ("within its time",),
    "E5004": ("SIGKILL", "Run the statement again"),
    "E6001": ("--fast", "eau2 query --help"),
    "E6002": ("connection", "closed"),
    "E9001": ("a bug", "report"),
}
"""What the message of each must have: the thing, the place, the way out."""


def raised(code: str, folder: Path, patch: pytest.MonkeyPatch) -> Error:
    """The error of a code: by the example of its entry, or by its recipe."""
    if code in RECIPES:
        with pytest.raises(Error) as found:
            RECIPES[code](folder, patch)
        return found.value
    with eau2.connect() as connection:
        connection.put("df", ROOT / "examples" / "df.csv")
        with pytest.raises(Error) as found:
            connection.sql(ENTRIES[code].example)
    return found.value


@pytest.mark.parametrize("code", ENTRIES)
def test_an_error_comes_about_and_its_message_helps(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (code in RECIPES) is not bool(ENTRIES[code].example), "an example, or else a recipe"
    error = raised(code, tmp_path, monkeypatch)
    assert (error.code, type(error).__name__) == (code, ENTRIES[code].class_name)
    message = report(error)
    assert message.startswith(f"Error {code}: ")
    for part in NAMED[code]:
        assert part in message
    if isinstance(error, StatementError):
        assert error.span is not None
        assert re.search(r"^line \d+: .*\n +\^+$", message, re.MULTILINE)
    # The way out: what to do, or where that is said.
    assert error.hint or f"More: eau2 explain {code}" in message or "Please report it" in message


@pytest.mark.parametrize("code", ["E1004", "E2002", "E4005", "E9001"])
def test_a_code_survives_the_wire(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = raised(code, tmp_path, monkeypatch)
    name, message, hint, span, text, _ = describe(error)
    back = rebuild(name, message, hint, span, text)
    assert (back.code, back.sqlstate, report(back)) == (code, error.sqlstate, report(error))


def test_an_error_cannot_steer_the_terminal(tmp_path: Path) -> None:
    evil = tmp_path / "evil.csv"
    evil.write_text("a,\x1b]0;title\x07\x9b2J\u202e\n1,2\n", encoding="utf-8")
    with eau2.connect() as connection:
        for statement, said in {
            "SELECT CAST('q' || chr(27) || '[31mRED' AS INTEGER)": r"q\x1b[31mRED",
            "SELECT error(chr(27) || ']0;t' || chr(7) || chr(155))": r"\x1b]0;t\x07\x9b",
            f"SELECT b FROM '{evil}'": r"\x1b]0;title\x07\x9b2J\u202e",
            "SELECT '\x1b[2J\r' + true": r"\x1b[2J\r",
        }.items():
            with pytest.raises(Error) as raised_:
                connection.sql(statement)
            message = report(raised_.value, place="\x1bf\n.sql")
            assert said in message
            assert message.replace("\n", "").isprintable()
            assert r" in \x1bf" in message
        plan = connection.sql(f"EXPLAIN SELECT * FROM '{evil}'")
    text = b"".join(rendered("lines", [plan.to_arrow()], plan.types)).decode()
    assert r"\x1b]0;title\x07\x9b2J\u202e" in text
    assert text.replace("\n", "").isprintable()
    assert "\x1b" not in report(ValueError("\x1b"))


def test_the_caret_stands_under_what_is_escaped_too() -> None:
    shown, under = caret("x\nSELECT '\x1b' + a\x07b, c", 15, 18).split("\n")
    assert shown == r"line 2: SELECT '\x1b' + a\x07b, c"
    assert shown[under.index("^") : under.rindex("^") + 1] == r"a\x07b"


def test_the_catalogue_and_the_classes_say_the_same() -> None:
    said = {(entry.class_name, code, entry.sqlstate) for code, entry in ENTRIES.items()}
    concrete = {n: c for n, c in CLASSES.items() if issubclass(c, Error) and n not in ABSTRACT}
    assert said == {(name, cls.code, cls.sqlstate) for name, cls in concrete.items()}
    assert set(NAMED) == set(ENTRIES)
    for code, entry in ENTRIES.items():
        assert re.fullmatch(r"E\d{4}", code)
        assert re.fullmatch(r"[0-9A-Z]{5}", entry.sqlstate)
        assert entry.cause.endswith(".")
        assert entry.fix.endswith(".")


def test_only_errors_of_the_catalogue_are_raised() -> None:
    for path in (ROOT / "eau2").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ABSTRACT, f"{path}:{node.lineno}"


def test_a_code_is_explained() -> None:
    text = explain("e1004")
    assert text.startswith("E1004: there is no such column\nclass UnknownColumnError, SQLSTATE")
    assert "What to do: " in text
    assert "SELECT sum(rian) FROM df" in text
    for code, near in (("E1044", "E1004"), ("1004", "E1004"), ("E10004", "E1004"), ("zz", "E9001")):
        with pytest.raises(UsageError, match=f"(?s)'{code}'.*{near}"):
            explain(code)
