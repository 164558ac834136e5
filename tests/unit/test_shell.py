"""The shell with statements piped in; tests/shell has the prompt and the commands."""

from __future__ import annotations

from tests.conftest import Cli


def test_piped_statements_run_without_a_prompt(cli: Cli) -> None:
    text = "SELECT 1\n AS one;\n\\d\nSELECT 2 AS two"
    for arguments in ((), ("shell",)):
        done = cli(*arguments, stdin=text)
        assert (done.returncode, done.stderr) == (0, "")
        assert "eau2:" not in done.stdout
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


def test_a_piped_command_that_is_none_ends_the_run(cli: Cli) -> None:
    done = cli(stdin="\\fromat csv\nSELECT 1 AS one;")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no command \\fromat" in done.stderr
    assert "Did you mean \\format?" in done.stderr


def test_a_piped_quit_ends_the_run(cli: Cli) -> None:
    done = cli(stdin="SELECT 1 AS one;\n\\q\nSELECT 2 AS two;")
    assert (done.returncode, "one" in done.stdout, "two" in done.stdout) == (0, True, False)
