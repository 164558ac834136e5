"""The prompt, typed at through a pipe that stands in for the terminal."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

import eau2
from eau2.connection import Connection
from eau2.errors import UnreachableError
from eau2.repl.opening import Opening
from eau2.repl.places import history_path
from eau2.repl.preferences import Preferences
from eau2.repl.session import found, is_complete
from eau2.repl.words import Known
from tests.processes import environment
from tests.shell.prompts import typed, until

pytestmark = pytest.mark.timeout(30)

Connect = Callable[[], Connection]
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Connect:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)

    def made() -> Connection:
        connection = eau2.connect()
        connection.register("t", pa.table({"a": [1, 2, 3]}))
        return connection

    return made


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("", True),
        ("  ", True),
        ("select 1", False),
        ("select 1;", True),
        ("select ';", False),
        ("select 1; select", False),
        ("\\d", True),
        ("\\d t", True),
        (".tables", True),
        (".5", False),
        ("select 1 -- ;", False),
        ("select 1; -- done", True),
    ],
)
def test_enter_runs_what_is_complete(text: str, complete: bool) -> None:
    assert is_complete(text) == complete


def test_a_statement_may_take_several_lines(connect: Connect, capfd: Captured) -> None:
    assert typed(connect, "SELECT sum(a)\rFROM t\r;\r\\q\r") == 0
    out = capfd.readouterr().out
    assert "sum(a)" in out
    assert "│       6 │" in out


def test_escape_enter_runs_what_has_no_end(connect: Connect, capfd: Captured) -> None:
    assert typed(connect, "SELECT 41 + 1 AS x\x1b\r\x04") == 0
    assert "│      42 │" in capfd.readouterr().out


def test_what_is_pasted_never_runs_by_itself(connect: Connect, capfd: Captured) -> None:
    pasted = "\x1b[200~SELECT 1 AS one;\nSELECT 2 AS two;\nSELECT 3\x1b[201~"
    # Ctrl-C drops all of it; what is pasted next runs with Enter, all of it.
    assert typed(connect, f"{pasted}\x03{pasted} AS three;\r\x04") == 0
    out, err = capfd.readouterr()
    assert [out.count(word) for word in ("one", "two", "three")] == [1, 1, 1]
    assert err == ""


def test_commands_among_what_is_pasted(connect: Connect, capfd: Captured) -> None:
    keys = "\x1b[200~SELECT 1 AS one;\n\\format csv\nSELECT 2 AS two;\n\x1b[201~\r"
    keys += "\x1b[200~SELECT 3 AS three;\n\\timing\n\\q\x1b[201~\rSELECT 4 AS four;\r\x04"
    assert typed(connect, keys) == 0
    out, err = capfd.readouterr()
    assert [word in out for word in ("two\n2\n", "Timing is on", "four")] == [True, True, False]
    assert err == ""


def test_an_error_does_not_end_the_session(connect: Connect, capfd: Captured) -> None:
    assert typed(connect, "SELECT b FROM t;\r\\nodez\rSELECT 41 + 1 AS x;\r\x04") == 0
    out, err = capfd.readouterr()
    assert err.startswith("Error")
    assert "line 1: SELECT b FROM t" in err
    assert "Did you mean \\nodes?" in err
    assert "42" in out


def test_control_c_drops_what_is_typed(connect: Connect, capfd: Captured) -> None:
    assert typed(connect, "SELECT 'unfinished\x03SELECT 41 + 1 AS x;\r\x04") == 0
    out, err = capfd.readouterr()
    assert ("42" in out, "unfinished" in out, err) == (True, False, "")


def test_what_was_typed_comes_back_in_the_next_session(connect: Connect, capfd: Captured) -> None:
    typed(connect, "SELECT 11 AS first;\r\x04")
    assert "+SELECT 11 AS first;" in history_path().read_text()
    capfd.readouterr()
    # Up to the latest entry; and Ctrl-R searches by a part of it, whatever its case. What was
    # typed before is read by a thread, so the keys come when it is there.
    typed(connect, "\x1b[A\r\x04", after_s=0.5)
    assert "first" in capfd.readouterr().out
    typed(connect, "\x12as FIRST\r\r\x04", after_s=0.5)
    assert capfd.readouterr().out.count("first") == 1


def test_earlier_statements_are_found_by_some_of_their_letters() -> None:
    entries = [
        "SELECT a FROM t;",
        "SELECT sum(a)\nFROM t;",
        "\\d",
        "SELECT a FROM t;",
        "SET x = 1;",
    ]
    assert found("selsum", entries) == ["SELECT sum(a)\nFROM t;"]
    assert found("sel fr", entries) == ["SELECT a FROM t;", "SELECT sum(a)\nFROM t;"]
    assert found("", entries)[0] == "SET x = 1;"
    assert found("zzz", entries) == []


def test_a_home_that_cannot_be_written_is_no_obstacle(
    connect: Connect, capfd: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert typed(connect, "SELECT 41 + 1 AS x;\r\x04") == 0
    assert "42" in capfd.readouterr().out


def test_a_history_that_goes_away_is_said_once(
    connect: Connect, capfd: Captured, tmp_path: Path
) -> None:
    def going() -> Connection:
        shutil.rmtree(tmp_path / "state")
        return connect()

    assert typed(going, "SELECT 41 + 1 AS x;\rSELECT 2;\rSELECT 43 AS y;\r\x04") == 0
    out, err = capfd.readouterr()
    assert err.count("is not kept any more") == err.count("\n") == 1
    assert (out.count("42"), out.count("43")) == (1, 1)


def test_a_history_that_is_a_folder_is_left_alone(connect: Connect, capfd: Captured) -> None:
    folder = history_path()
    folder.unlink()
    folder.mkdir(mode=0o750)
    assert typed(connect, "SELECT 41 + 1 AS x;\r\x04") == 0
    assert "42" in capfd.readouterr().out
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750


def test_a_user_without_a_home(
    connect: Connect, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: int) -> object:
        raise KeyError

    for variable in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert typed(connect, "SELECT 41 + 1 AS x;\r\x04", init=True) == 0
    out, err = capfd.readouterr()
    assert ("42" in out, err) == (True, "")


def test_first_statements_may_end_the_shell(
    connect: Connect, capfd: Captured, tmp_path: Path
) -> None:
    folder = tmp_path / "config" / "eau2"
    folder.mkdir(parents=True)
    (folder / "init.sql").write_text("SELECT 7 AS seven;\n\\q\nSELECT 8 AS eight;")
    assert typed(connect, "SELECT 9 AS nine;\r\x04", init=True) == 0
    out = capfd.readouterr().out
    assert [word in out for word in ("seven", "eight", "nine")] == [True, False, False]


def test_settings_and_first_statements_of_the_user(
    connect: Connect, capfd: Captured, tmp_path: Path
) -> None:
    folder = tmp_path / "config" / "eau2"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('format = "csv"\n')
    (folder / "init.sql").write_text("CREATE TEMP VIEW v AS SELECT 7 AS seven;\nSELECT wrong;")
    assert typed(connect, "SELECT * FROM v;\r\x04", init=True) == 0
    out, err = capfd.readouterr()
    assert "seven\n7\n" in out
    assert "line 2: SELECT wrong" in err
    assert typed(connect, "SELECT 8 AS eight;\r\x04") == 0
    assert "│       8 │" in capfd.readouterr().out
    (folder / "config.toml").write_text("format = 'cvs'\n")
    assert typed(connect, "SELECT 9 AS nine;\r\x04", init=True) == 0
    out, err = capfd.readouterr()
    assert "Did you mean csv?" in err
    assert "│       9 │" in out


def test_without_a_connection_there_is_no_shell(connect: Connect, capfd: Captured) -> None:
    def refused() -> Connection:
        raise UnreachableError("nobody listens")

    # Whether or not something is typed meanwhile.
    for keys in ("", "SELECT 1;\r"):
        with pytest.raises(UnreachableError, match="nobody listens"):
            typed(refused, keys)


def test_the_known_words_follow_what_tables_there_are(connect: Connect) -> None:
    known = Known()
    opening = Opening(connect, Preferences(), known)
    try:
        shell = opening.interpreter()
        assert until(lambda: known.words.tables == {"t": ("a",)})
        assert "select" in known.words.keywords
        assert "sum" in known.words.functions
        shell.run_line("CREATE TABLE made AS SELECT 1 AS x, 2 AS y;")
        shell.run_line("CREATE VIEW seen AS SELECT x FROM made;")
        assert until(lambda: known.words.tables.get("seen") == ("x",))
        assert known.words.tables["made"] == ("x", "y")
        shell.run_line("DROP TABLE made;")
        assert until(lambda: "made" not in known.words.tables)
        assert known.words.tables["seen"] == ()
    finally:
        opening.close()
    assert until(lambda: all(t.name != "eau2-shell" for t in threading.enumerate()))


def test_the_prompt_loads_no_part_of_the_engine() -> None:
    code = "import sys, eau2.repl.session, eau2.repl.opening; print('', *sys.modules, '')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    for heavy in ("pyarrow", "polars", "numpy", "msgpack", "lark", "eau2.connection"):
        assert f" {heavy} " not in done.stdout


def test_a_statement_does_not_wait_for_the_known_words(connect: Connect) -> None:
    known = Known()
    opening = Opening(connect, Preferences(), known)
    try:
        shell = opening.interpreter()
        with shell.idle() as (_, go_on):
            assert go_on()
            runs = threading.Thread(target=shell.run_line, args=("SELECT 1;",))
            runs.start()
            # Whoever looks words up is told to stop as soon as a statement waits.
            assert until(lambda: not go_on())
        runs.join(10)
        assert not runs.is_alive()
    finally:
        opening.close()
