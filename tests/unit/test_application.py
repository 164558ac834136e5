"""Applications: the operations by keys, and `eau2 run`, which loads a program and runs it."""

from __future__ import annotations

import json
import sys
import textwrap
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import eau2
from eau2 import programs
from eau2.application import KeyValueStore
from eau2.errors import NameExistsError, NameTakenError, UnknownTableError, UsageError
from tests.conftest import Cli

Write = Callable[[str], Path]

ONE = "class One(eau2.Application):\n    def run(self, kv): print(type(self).__name__)\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """What writes a program."""

    def written(text: str) -> Path:
        path = tmp_path / "program.py"
        path.write_text("import eau2\n" + textwrap.dedent(text))
        return path

    return written


def test_the_operations_by_keys() -> None:
    with eau2.connect() as connection:
        kv = KeyValueStore(connection)
        rows = kv.put("t", pa.table({"a": [1, 2]}))
        assert rows.rows() == kv.get("t").rows() == [(1,), (2,)]
        with pytest.raises(NameExistsError):
            kv.put("t", pa.table({"a": [3]}))
        assert kv.compute("u", rows.map(b="a + 1")).rows() == [(2,), (3,)]
        with pytest.raises(NameTakenError):
            kv.compute("u", "SELECT 1")
        assert kv.compute("u", "SELECT sum(a) AS s FROM t", replace=True).rows() == [(3,)]
        assert kv.sql("SELECT a FROM t WHERE a > ?", [1]).fetchall() == [(2,)]
        table: Any = pa.table({"a": [1]})
        with pytest.raises(UsageError, match="a pipeline or a query, not Table"):
            kv.compute("v", table)
        kept = rows.cached()
        assert (kv.keys(), len(connection.tables())) == (("t", "u"), 3)
        assert kept.count() == 2
        kv.drop("u")
        assert kv.keys() == ("t",)
        with pytest.raises(UnknownTableError):
            kv.get("u")


def test_a_program_runs_with_its_arguments(cli: Cli, write: Write, tmp_path: Path) -> None:
    path = write("""
        import atexit, sys
        from dataclasses import dataclass

        @dataclass
        class Row:
            n: "int"

        class App(eau2.Application):
            def run(self, kv):
                atexit.register(print, "at the end")
                kv.compute("t", f"SELECT {self.arguments[0]} AS n")
                print(Row(*kv.get("t").rows()[0]), sys.argv)
    """)
    done = cli("run", str(path), "--store", "s", "--", "7", "--x")
    said = f"Row(n=7) ['{path}', '7', '--x']\nat the end\n"
    assert (done.stdout, done.stderr, done.returncode) == (said, "", 0)
    with eau2.connect(tmp_path / "s") as connection:
        assert connection.get("t").fetchall() == [(7,)]
    assert sorted(entry.name for entry in tmp_path.iterdir() if entry.is_file()) == ["program.py"]


def test_modules_beside_a_program_are_found(main: Cli, write: Write, tmp_path: Path) -> None:
    (tmp_path / "beside_the_program.py").write_text("WORD = 'found'")
    path = write("""
        from beside_the_program import WORD
        class App(eau2.Application):
            def run(self, kv):
                print(WORD)
    """)
    assert main("run", str(path)).stdout == "found\n"


def test_nothing_is_left_beside_a_program(
    main: Cli, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    assert main("run", str(write(ONE))).stdout == "One\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".eau2", "program.py"]


def test_one_of_several_applications_is_named(main: Cli, write: Write) -> None:
    path = write(f"{ONE}class Other(eau2.Application):\n    run = One.run\n")
    done = main("run", str(path))
    assert done.returncode == 2
    assert "has 2 applications: One, Other\nSay which: --app One." in done.stderr
    assert main("run", str(path), "--app", "Other").stdout == "Other\n"
    assert (
        "no application Third\nIt has One, Other."
        in main("run", str(path), "--app", "Third").stderr
    )


def test_what_others_derive_from_is_not_meant(main: Cli, write: Write) -> None:
    path = write(f"{ONE}class Derived(One): pass\n")
    assert main("run", str(path)).stdout == "Derived\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "has no application\nWrite class App(eau2.Application)"),
        ("class App(eau2.Application): pass\n", "App in {path} has no method run"),
        ("class App(eau2.Application)\n", "SyntaxError: expected ':'"),
        ("import nothing_of_this_name\n", "line 2, in <module>\n    import nothing_of_this_name"),
    ],
)
def test_files_that_are_no_programs(main: Cli, write: Write, text: str, error: str) -> None:
    path = write("")
    path.write_text("import eau2\n" + text)
    done = main("run", str(path))
    assert done.returncode != 0
    assert error.format(path=path) in done.stderr


def test_what_is_no_file(main: Cli, tmp_path: Path) -> None:
    done = main("run", "nothing.py")
    assert (done.returncode, "nothing.py is not there" in done.stderr) == (2, True)
    assert f"{tmp_path} is a folder" in main("run", str(tmp_path)).stderr
    assert "FILE" in main("run").stderr
    assert "one argument too many: 'a'" in main("run", "nothing.py", "a").stderr


def run_line(line: str) -> str:
    return f"class App(eau2.Application):\n    def run(self, kv):\n        {line}\n"


def test_an_exception_is_told_by_the_lines_of_the_program(main: Cli, write: Write) -> None:
    path = write(run_line("1 / 0"))
    done = main("run", str(path))
    assert done.returncode == 1
    assert done.stderr.splitlines()[:3] == [
        "Traceback (most recent call last):",
        f'  File "{path}", line 4, in run',
        "    1 / 0",
    ]
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_an_error_of_eau2_is_told_without_its_lines(main: Cli, write: Write) -> None:
    step = "kv.query('SELECT 1 AS a').iterate(lambda p: p.select('b'), rounds_max=1)"
    path = write(run_line(step))
    done = main("run", str(path))
    # The line twice: the call of iterate, and in it the step.
    assert done.stderr.count("File ") == done.stderr.count(str(path)) == 2
    assert done.stderr.endswith('Error E1004: there is no column "b"\nThere are a.\n')


def test_what_eau2_calls_is_no_line_of_the_program() -> None:
    names = ["<frozen x>", programs.__file__, "/p/a.py", programs.__file__, json.__file__]
    names += ["/p/b.py", json.__file__, "/p/c.py"]
    stack = traceback.StackSummary.from_list([(name, 1, "f", "x") for name in names])
    left = [frame.filename for frame in programs.of_the_program_alone(stack)]
    assert left == ["/p/a.py", "/p/b.py", json.__file__, "/p/c.py"]


def test_an_error_in_a_query_shows_the_place_in_it(main: Cli, write: Write) -> None:
    path = write(run_line("kv.query('SELECT 1 AS a').map(c='a + b').show()"))
    done = main("run", str(path))
    assert done.stderr.count("File ") == 1
    assert 'Error E1004: there is no column "b"\nline 1: SELECT (a + b) AS "c"' in done.stderr


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("raise SystemExit", 0, ""),
        ("raise SystemExit(7)", 7, ""),
        ("raise SystemExit('over')", 1, "over\n"),
    ],
)
def test_a_program_may_exit(main: Cli, write: Write, line: str, code: int, said: str) -> None:
    done = main("run", str(write(run_line(line))))
    assert (done.returncode, done.stderr) == (code, said)


def test_no_store_is_made_for_what_is_no_program(main: Cli, write: Write, tmp_path: Path) -> None:
    path = write("")
    assert main("run", str(path), "--store", "s").returncode == 2
    assert not (tmp_path / "s").exists()
