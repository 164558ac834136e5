"""What is typed at commands that is not quite what they take, and files that fail."""

from __future__ import annotations

from pathlib import Path

import pytest

import eau2
from eau2.errors import UsageError
from eau2.repl.interpreter import Interpreter
from eau2.repl.session import is_complete
from eau2.shell import run_script
from tests.shell.test_commands import Captured, refused, said
from tests.shell.test_commands import shell as shell

pytestmark = pytest.mark.timeout(30)


def test_several_lines_with_a_command_among_them(shell: Interpreter, capfd: Captured) -> None:
    assert said(shell, capfd, "SELECT 1 AS x;\n\\format csv\nSELECT 2 AS y;\n").endswith("y\n2\n")
    out = said(shell, capfd, "\\d\nSELECT 3 AS z;\n")
    assert out.startswith("name,")
    assert out.endswith("z\n3\n")
    assert "Timing is on" in said(shell, capfd, "\\timing\ton", "\\timing off")
    assert "of t" in said(shell, capfd, "\\plan SELECT sum(a)\nFROM t;")
    assert "of t" in said(shell, capfd, "\\plan SELECT sum(a), ';'\nFROM t;")
    assert "there is no command \\dd" in refused(shell, "\\dd\nSELECT 1;")
    assert not shell.run_line("\\q\nSELECT 1;")
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("SELECT 1;\n\\d", True),
        ("\\d\nSELECT 1;", True),
        ("\\d\nSELECT 1", False),
        ("SELECT 1\n\\d", False),
        ("\\plan SELECT 1\nFROM t;", True),
    ],
)
def test_when_several_lines_are_complete(text: str, complete: bool) -> None:
    assert is_complete(text) == complete


def test_what_follows_a_command_that_takes_nothing(shell: Interpreter, capfd: Captured) -> None:
    for line in ("\\nodes x", "\\q x", "\\e x", ".quit now"):
        assert "takes nothing, not" in refused(shell, line)
    assert "x takes on, off, not 'maybe'" in refused(shell, "\\x maybe")
    assert said(shell, capfd, "\\x off") == "Expanded display is off.\n"
    assert said(shell, capfd, "\\x on", "\\x on") == "Expanded display is on.\n" * 2
    assert said(shell, capfd, "\\x off;") == "Expanded display is off.\n"
    assert shell.preferences.format == "box"


def test_a_semicolon_behind_a_command(shell: Interpreter, capfd: Captured, tmp_path: Path) -> None:
    said(shell, capfd, "SELECT 1 AS x;")
    assert said(shell, capfd, "\\timing on;", "\\timing off ;").startswith("Timing is on.\n")
    assert said(shell, capfd, "\\last csv;") == "x\n1\n"
    assert said(shell, capfd, "\\watch 0.1 1;").count("│       1 │") == 1
    assert said(shell, capfd, "\\format csv;", "\\set format box;") == "The format is csv.\n"
    said(shell, capfd, "\\o a;", "SELECT 2;", "\\o;")
    assert (tmp_path / "a;").exists()


def test_settings_that_are_shown_and_colours(shell: Interpreter, capfd: Captured) -> None:
    assert "│ max_rows │ 40" in said(shell, capfd, "\\set MAX_ROWS")
    assert "next" in said(shell, capfd, "\\set color off")
    assert said(shell, capfd, "\\set max_rows  9") == ""
    assert shell.preferences.max_rows == 9


def test_help_and_charts_as_they_are_typed(
    shell: Interpreter, capfd: Captured, tmp_path: Path
) -> None:
    assert "there is no command \\foo" in refused(shell, "\\? foo")
    assert "Did you mean \\timing?" in refused(shell, "\\? \\timming")
    said(shell, capfd, "SELECT range AS x, range * 2 AS y FROM range(9);")
    assert len(said(shell, capfd, "\\chart BAR").splitlines()) > 3
    said(shell, capfd, "\\chart Line 'a b.svg'")
    said(shell, capfd, "\\chart 'c d.svg'")
    assert {path.name for path in tmp_path.glob("*.svg")} == {"a b.svg", "c d.svg"}


def test_no_table_is_called_as_the_last_result(shell: Interpreter, capfd: Captured) -> None:
    said(shell, capfd, "SELECT 7 AS x;", "SELECT * FROM _;")
    for statement in (
        "CREATE TABLE _ AS SELECT 1;",
        'CREATE OR REPLACE TEMP VIEW "_" AS SELECT 1;',
        "CREATE TABLE IF NOT EXISTS _ (a INT);",
        "INSERT INTO _ VALUES (1);",
        "DROP TABLE _;",
        "drop view if exists _",
    ):
        assert "_ is the last result" in refused(shell, statement)
    said(shell, capfd, "CREATE TABLE kept AS SELECT * FROM _;", "SELECT 8 AS y;")
    assert "│       8 │" in said(shell, capfd, "SELECT * FROM _;")
    said(shell, capfd, "DROP TABLE kept;")


def test_commands_know_the_newest_result(shell: Interpreter, capfd: Captured) -> None:
    said(shell, capfd, "SELECT 7 AS older;", "SELECT * FROM _;", "SELECT 8 AS newer;")
    assert "newer" in said(shell, capfd, "\\d _")
    said(shell, capfd, "SELECT 9 AS newest;")
    assert "1 row" in said(shell, capfd, "\\chunks _")
    said(shell, capfd, "SELECT 1 AS other;")
    said(shell, capfd, "\\plan SELECT other FROM _;")
    said(shell, capfd, "\\plan SELECT other FROM _")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_file_that_becomes_full(shell: Interpreter, capfd: Captured) -> None:
    for form in ("csv", "box"):
        said(shell, capfd, f"\\set format {form}", "\\o /dev/full")
        assert "/dev/full cannot be written: No space left" in refused(shell, "SELECT 1;")
        assert "1" in said(shell, capfd, "SELECT 1;")
        assert said(shell, capfd, "\\o") == ""
    said(shell, capfd, "\\o /dev/full")
    with pytest.raises(UsageError, match="cannot be written"):
        shell.run_line("SELECT * FROM range(100000);\n")
    with pytest.raises(UsageError, match="cannot be written"):
        run_script(eau2.connect, "\\o /dev/full\nSELECT 1;")


def test_a_home_of_nobody(shell: Interpreter, capfd: Captured) -> None:
    said(shell, capfd, "SELECT 1 AS x;")
    for line in ("\\i ~nosuchuser/x", "\\o ~nosuchuser/x", "\\chart ~nosuchuser/x.svg"):
        assert "~nosuchuser/x" in refused(shell, line)
