"""The shell, piped and at a prompt that is a pipe behind a terminal's manners."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

import eau2
from eau2.shell import Shell, history_path, is_complete
from tests.conftest import Cli


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with eau2.connect() as connection:
        connection.register("t", pa.table({"a": [1, 2, 3]}))
        yield Shell(connection)


def typed(shell: Shell, keys: str) -> int:
    """Type `keys` at the prompt; its exit code."""
    with create_pipe_input() as source:
        source.send_text(keys)
        return shell.run_prompt(source, DummyOutput())


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
        ("select 1 -- ;", False),
        ("select 1; -- done", True),
    ],
)
def test_enter_runs_what_is_complete(text: str, complete: bool) -> None:
    assert is_complete(text) == complete


def test_a_statement_may_take_several_lines(
    shell: Shell, capfd: pytest.CaptureFixture[str]
) -> None:
    assert typed(shell, "SELECT sum(a)\rFROM t\r;\r\\q\r") == 0
    out = capfd.readouterr().out
    assert "sum(a)" in out
    assert "│       6 │" in out


def test_an_error_does_not_end_the_session(shell: Shell, capfd: pytest.CaptureFixture[str]) -> None:
    assert typed(shell, "SELECT b FROM t;\rSELECT 41 + 1 AS x;\r\x04") == 0
    out, err = capfd.readouterr()
    assert err.startswith("Error E")
    assert "line 1: SELECT b FROM t" in err
    assert "42" in out


def test_control_c_drops_what_is_typed(shell: Shell, capfd: pytest.CaptureFixture[str]) -> None:
    assert typed(shell, "SELECT 'unfinished\x03SELECT 41 + 1 AS x;\r\x04") == 0
    out, err = capfd.readouterr()
    assert ("42" in out, "unfinished" in out, err) == (True, False, "")


def test_the_commands(shell: Shell, capfd: pytest.CaptureFixture[str]) -> None:
    assert typed(shell, "\\d\r\\d t\r\\timing\rSELECT 1;\r\\?\r\\x\r\\d nowhere\r\x04") == 0
    out, err = capfd.readouterr()
    for part in ("about_distinct", "Timing is on.", "Time: ", "\\timing"):
        assert part in out
    assert "There is no command \\x." in err
    assert '"nowhere"' in err


def test_what_is_typed_is_kept_privately(shell: Shell) -> None:
    typed(shell, "SELECT 1;\r\x04")
    assert "+SELECT 1;" in history_path().read_text()
    assert stat.S_IMODE(history_path().stat().st_mode) == 0o600


def test_piped_statements_run_without_a_prompt(cli: Cli) -> None:
    text = "SELECT 1\n AS one;\n\\d\nSELECT 2 AS two"
    for arguments in ((), ("shell",)):
        done = cli(*arguments, stdin=text)
        assert (done.returncode, done.stderr) == (0, "")
        assert "eau2>" not in done.stdout
        assert [word in done.stdout for word in ("one", "0 rows", "two")] == [True] * 3


def test_what_is_piped_keeps_its_order(cli: Cli) -> None:
    done = cli(stdin="SELECT 1;\n\\timing\nSELECT 2;\n\\?\nSELECT 3;\n")
    marks = ["│       1 │", "Timing is on.", "│       2 │", "Ctrl-C", "│       3 │"]
    places = [done.stdout.find(mark) for mark in marks]
    assert -1 not in places
    assert places == sorted(places)


def test_the_first_piped_error_ends_the_run(cli: Cli) -> None:
    done = cli(stdin="SELECT 1 AS one;\n\nSELECT nothing;\nSELECT 2 AS two;")
    assert done.returncode == 1
    assert "one" in done.stdout
    assert "two" not in done.stdout
    assert "line 3: SELECT nothing" in done.stderr


def test_a_piped_quit_ends_the_run(cli: Cli) -> None:
    done = cli(stdin="SELECT 1 AS one;\n\\q\nSELECT 2 AS two;")
    assert (done.returncode, "one" in done.stdout, "two" in done.stdout) == (0, True, False)
