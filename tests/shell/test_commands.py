"""Every command of the shell, typed at an interpreter as the prompt hands it over."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from prompt_toolkit.history import FileHistory

import eau2
from eau2.errors import Error, UsageError
from eau2.repl import display, places
from eau2.repl.commands import COMMANDS, help_text
from eau2.repl.interpreter import _ACTIONS, Interpreter
from eau2.repl.preferences import Preferences, colored, read
from eau2.repl.ring import Placed, drawn
from tests.processes import ROOT

pytestmark = pytest.mark.timeout(30)

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Interpreter]:
    monkeypatch.chdir(tmp_path)
    with eau2.connect() as connection:
        connection.register("t", pa.table({"a": [1, 2, 3], "b b": ["x", "y", None]}))
        yield Interpreter(connection, Preferences())


def said(shell: Interpreter, capfd: Captured, *lines: str) -> str:
    """What these lines print."""
    for line in lines:
        assert shell.run_line(line)
    out, err = capfd.readouterr()
    assert err == ""
    return out


def refused(shell: Interpreter, line: str) -> str:
    """The error of a line."""
    with pytest.raises(Error) as caught:
        shell.run_line(line)
    return str(caught.value)


def test_each_command_is_in_the_table_and_in_the_help() -> None:
    assert list(_ACTIONS) == [command.names[0] for command in COMMANDS]
    for command in COMMANDS:
        assert all(name in help_text() for name in command.names)
        assert command.summary in help_text()
    assert max(map(len, help_text().splitlines())) <= 100
    page = (ROOT / "docs" / "shell.md").read_text(encoding="utf-8")
    assert all(f"`{name}" in page for command in COMMANDS for name in command.names)
    assert all(f"\n{name} = " in page for name in Preferences().values())


def test_tables_and_their_columns(shell: Interpreter, capfd: Captured) -> None:
    for line in ("\\d", ".tables", ".schema"):
        assert "│ t       │      3 │       2 │" in said(shell, capfd, line)
    for line in ("\\d t", "\\d t;", '\\d "t"', ".schema t"):
        assert "│ b b         │ VARCHAR     │      1 │" in said(shell, capfd, line)
    assert 'there is no table "nowhere"' in refused(shell, "\\d nowhere")
    said(shell, capfd, "CREATE VIEW v AS SELECT a AS only FROM t;")
    for line in ("\\d v", "\\d V"):
        assert "only" in said(shell, capfd, line)


def test_functions(shell: Interpreter, capfd: Captured) -> None:
    out = said(shell, capfd, "\\df date_t*")
    assert "date_trunc(" in out
    assert "date_part" not in out
    assert "row_number(...) OVER (...)" in said(shell, capfd, "\\df row_n")
    # All of them are shown, though a result would be cut.
    assert "…" not in [line[2] for line in said(shell, capfd, "\\df").splitlines()[4:-1]]
    assert "no function fits zzz" in refused(shell, "\\df zzz")
    said(shell, capfd, "CREATE FUNCTION zzz_own(x BIGINT) RETURNS BIGINT AS (x + 1);")
    assert "zzz_own(x BIGINT) -> BIGINT" in said(shell, capfd, "\\df zzz")
    assert "scalar, defined here" in said(shell, capfd, "\\df zzz")


def test_nodes_and_chunks(shell: Interpreter, capfd: Captured) -> None:
    assert "│ local   │" in said(shell, capfd, "\\nodes")
    said(shell, capfd, "SET chunk_rows = 10;", "CREATE TABLE many AS SELECT * FROM range(35);")
    out = said(shell, capfd, "\\chunks many")
    assert "many: 4 chunks, 35 rows, on 1 node" in out
    assert "local  ●●●●  4" in out
    assert "takes the name of a frame" in refused(shell, "\\chunks")
    assert 'there is no table "nowhere"' in refused(shell, "\\chunks nowhere")


def test_the_ring_is_drawn() -> None:
    nodes = [("n1", "up"), ("n2", "up"), ("n3", "down")]
    chunks = [
        Placed(10, 100, ("n1", "n2"), ("n1", "n2")),
        Placed(10, 100, ("n2", "n3"), ("n2",)),
        Placed(10, 100, ("n3", "n1"), ("n1", "n2")),
        Placed(10, 100, ("n1", "n2"), None),
    ]
    lines = drawn("t", nodes, chunks, 80).splitlines()
    assert lines[0] == "t: 4 chunks, 40 rows, on 3 nodes"
    assert lines[-5:-2] == ["n1     ●·●?  2", "n2     ●●◦?  3", "n3     ·○○·  0"]
    around = "\n".join(lines[2:-7])
    assert around.index("n1 2") < around.index("n3 0 (down)") < around.index("n2 3")
    assert max(map(len, lines)) <= 80
    many = drawn("t", [("n1", "up")], chunks * 60, 60).splitlines()
    assert max(map(len, many)) <= 60
    assert sum(line.count("●") for line in many if line.startswith("n1")) == 120


def test_plans(shell: Interpreter, capfd: Captured) -> None:
    assert "there is no statement yet" in refused(shell, "\\plan")
    assert "stage 0: at 1 chunk of t" in said(shell, capfd, "\\plan SELECT sum(a) FROM t;")
    said(shell, capfd, "SELECT max(a) FROM t;")
    assert "max" in said(shell, capfd, "\\plan")


def test_switches_and_settings(shell: Interpreter, capfd: Captured) -> None:
    assert said(shell, capfd, "\\timing") == "Timing is on.\n"
    assert "Time: " in said(shell, capfd, "SELECT 1;")
    assert said(shell, capfd, "\\timing off") == "Timing is off.\n"
    assert "Time: " not in said(shell, capfd, "SELECT 1;")
    assert said(shell, capfd, "\\pager off", "\\pager") == "The pager is off.\nThe pager is on.\n"
    assert "pager takes on, off, not 'maybe'" in refused(shell, "\\pager maybe")
    said(shell, capfd, "\\set max_rows 4")
    assert "4 of 9 rows" in said(shell, capfd, "SELECT * FROM range(9);")
    assert "max_rows │ 4" in said(shell, capfd, "\\set")
    assert said(shell, capfd, "\\set prompt").count("│ prompt  │ {place}>  │") == 1
    said(shell, capfd, "\\set prompt 'sql> '")
    assert shell.preferences.prompt == "sql> "
    assert "max_rows takes a whole number" in refused(shell, "\\set max_rows many")
    assert "Did you mean timing?" in refused(shell, "\\set timming on")


def test_formats(shell: Interpreter, capfd: Captured) -> None:
    assert said(shell, capfd, "\\format") == "The format is box.\n"
    out = said(shell, capfd, "\\format json", "SELECT a FROM t WHERE a > 2;")
    assert json.loads(out.partition("\n")[2]) == [{"a": 3}]
    assert said(shell, capfd, ".mode csv", "SELECT 1 AS x;").endswith("x\n1\n")
    assert "Did you mean json?" in refused(shell, "\\format jason")
    assert said(shell, capfd, "\\x") == "Expanded display is on.\n"
    assert shell.preferences.format == "line"
    assert said(shell, capfd, "\\x") == "Expanded display is off.\n"
    assert shell.preferences.format == "csv"


def test_an_expanded_row_has_a_line_for_each_value(shell: Interpreter, capfd: Captured) -> None:
    lines = said(shell, capfd, "\\x", "SELECT a, 'w' AS word FROM t WHERE a = 2;").splitlines()
    assert [line.split()[-1] for line in lines if " | " in line] == ["2", "w"]


def test_the_last_result(shell: Interpreter, capfd: Captured) -> None:
    assert "there is no result yet" in refused(shell, "\\last")
    said(shell, capfd, "SELECT range AS a, range AS a FROM range(100);")
    assert "100 rows" in said(shell, capfd, "\\last")
    assert said(shell, capfd, "\\last csv").count("\n") == 101
    assert shell.preferences.format == "box"
    assert "4950 │     4950" in said(shell, capfd, "SELECT sum(a), sum(a_1) FROM _;")
    assert "4950" in said(shell, capfd, 'SELECT "sum(a)" FROM _;')
    # Only a statement that names it has it put in the connection's memory.
    said(shell, capfd, "SELECT 7 AS x;", "SELECT '_' AS y -- _\n;")
    assert "│    y    │" in said(shell, capfd, "\\last")
    assert "│ _" in said(shell, capfd, "SELECT * FROM _;")


def test_a_result_that_is_too_large_is_not_kept(
    shell: Interpreter, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "KEPT_BYTES", 1000)
    said(shell, capfd, "SELECT * FROM range(1000);")
    assert "was not kept: it has 1,000 rows" in refused(shell, "\\last")
    assert "was not kept" in refused(shell, "SELECT * FROM _;")


def test_files_in_and_out(shell: Interpreter, capfd: Captured, tmp_path: Path) -> None:
    (tmp_path / "two.sql").write_text("SELECT 1 AS one;\n\\format csv\nSELECT 2\n AS two")
    assert "two\n2\n" in said(shell, capfd, "\\i two.sql")
    assert "one" in said(shell, capfd, ".read 'two.sql'")
    (tmp_path / "bad.sql").write_text("SELECT 1;\n\nSELECT nothing;")
    assert "line 3: SELECT nothing" in refused(shell, "\\i bad.sql")
    assert "cannot be read: No such file" in refused(shell, "\\i nowhere.sql")
    (tmp_path / "loop.sql").write_text("\\i loop.sql")
    assert "more than 16 deep" in refused(shell, "\\i loop.sql")
    capfd.readouterr()
    assert said(shell, capfd, "\\o out.csv", "SELECT 3 AS x;", "SELECT 4 AS y;") == ""
    assert said(shell, capfd, ".output", "SELECT 5 AS z;") == "z\n5\n"
    assert (tmp_path / "out.csv").read_text() == "x\n3\ny\n4\n"
    assert "cannot be written" in refused(shell, "\\o no/such/folder")
    said(shell, capfd, "\\format arrow", "\\o out.arrow", "SELECT 6 AS six;")
    assert pa.ipc.open_stream((tmp_path / "out.arrow").read_bytes()).read_all().to_pylist() == [
        {"six": 6}
    ]
    # A second stream behind the first would not be read: it goes where it went before.
    assert said(shell, capfd, "\\format csv", "SELECT 7 AS w;").endswith("w\n7\n")


def test_watching(shell: Interpreter, capfd: Captured) -> None:
    assert "there is no statement yet" in refused(shell, "\\watch")
    said(shell, capfd, "SELECT 4242 AS x;")
    assert said(shell, capfd, "\\watch 0.1 3").count("4242") == 3
    for words in ("never", "0", "1 0", "1 2 3", "inf", "nan"):
        assert "\\watch takes seconds" in refused(shell, f"\\watch {words}")


def test_the_editor(
    shell: Interpreter, capfd: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "edit.py"
    script.write_text(
        "import pathlib, sys\np = pathlib.Path(sys.argv[1])\n"
        "p.write_text(p.read_text().replace('1', '2'))\n"
    )
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")
    said(shell, capfd, "SELECT 1;", "\\e")
    assert (shell.taken_draft(), shell.taken_draft()) == ("SELECT 2;", "")
    monkeypatch.setenv("VISUAL", "no-such-editor")
    assert "cannot be started" in refused(shell, "\\e")
    monkeypatch.setenv("VISUAL", "false")
    assert "ended with code 1" in refused(shell, "\\e")


def test_help(shell: Interpreter, capfd: Captured) -> None:
    assert "\\chunks NAME" in said(shell, capfd, "\\?")
    for line in ("\\? watch", "\\? \\watch", ".help watch"):
        assert said(shell, capfd, line).startswith("\\watch [SECONDS [TIMES]]\n")


def test_help_about_an_error(shell: Interpreter, capfd: Captured) -> None:
    assert "E1004" in said(shell, capfd, "\\? e1004")
    assert "E9999" in refused(shell, "\\? E9999")


def test_charts(shell: Interpreter, capfd: Captured, tmp_path: Path) -> None:
    said(shell, capfd, "SELECT range AS x, range * 2 AS y FROM range(9);")
    assert len(said(shell, capfd, "\\chart line").splitlines()) > 3
    assert "chart is in" in said(shell, capfd, "\\chart bar drawn.svg")
    assert (tmp_path / "drawn.svg").read_text().lstrip().startswith("<")


def test_what_a_chart_takes(shell: Interpreter, capfd: Captured) -> None:
    said(shell, capfd, "SELECT 1 AS x;")
    assert "\\chart does not know 'pie'" in refused(shell, "\\chart pie")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("\\dd", "\\d"), ("\\timming", "\\timing"), (".quti", ".quit"), ("\\chunk t", "\\chunks")],
)
def test_a_misspelt_command(shell: Interpreter, typed: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        shell.run_line(typed)
    assert caught.value.hint == f"Did you mean {meant}?"


def test_quitting(shell: Interpreter) -> None:
    assert not shell.run_line("\\q")


def test_settings_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    assert read(path) == Preferences()
    path.write_text('format = "csv"\ntiming = true\nmax_rows = 7\nprompt = "sql> "\n')
    assert read(path) == Preferences("csv", timing=True, max_rows=7, prompt="sql> ")
    for text, problem in (
        ("format = 'cvs'", "Did you mean csv?"),
        ("pages = true", "Did you mean pager?"),
        ("format = ", "cannot be read"),
        ("max_rows = 1.5", "takes a whole number"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=r"config\.toml") as caught:
            read(path)
        assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("choice", "variables", "colors"),
    [
        ("auto", {"TERM": "xterm"}, True),
        ("auto", {"TERM": "xterm", "NO_COLOR": "1"}, False),
        ("auto", {"TERM": "xterm", "NO_COLOR": ""}, True),
        ("auto", {"TERM": "dumb"}, False),
        ("on", {"TERM": "dumb", "NO_COLOR": "1"}, True),
        ("off", {"TERM": "xterm"}, False),
    ],
)
def test_colours(choice: str, variables: dict[str, str], colors: bool) -> None:
    assert colored(choice, variables) == colors


def test_what_is_typed_is_kept_privately(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = places.history_path()
    path.chmod(0o644)
    assert stat.S_IMODE(places.history_path().stat().st_mode) == 0o600
    monkeypatch.setattr(places, "HISTORY_BYTES", 1000)
    for number in range(100):
        FileHistory(str(path)).store_string(f"SELECT {number}\nAS x;")
    kept = list(FileHistory(str(places.history_path())).load_history_strings())
    assert kept == [f"SELECT {number}\nAS x;" for number in range(99, 99 - len(kept), -1)]
    assert 5 < len(kept) < 20
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["history"]
