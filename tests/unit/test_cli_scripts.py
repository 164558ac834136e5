"""`eau2 query`: -c, -f and stdin, parameters, going on after errors, what the exit code says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import eau2
from eau2.option_values import parameter
from tests.cluster.nodes import in_process
from tests.conftest import Cli
from tests.processes import environment
from tests.unit.test_cli import HEAVY, check_message


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with in_process(1) as nodes:
        yield nodes.urls[0]


@pytest.fixture(params=["here", "at a node"])
def query(request: pytest.FixtureRequest, main: Cli, url: str) -> Cli:
    """`eau2 query --format csv` in this process, and at a node."""
    where = () if request.param == "here" else ("--connect", url)

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return main("query", *where, "--format", "csv", *arguments, stdin=stdin)

    return run


def test_statements_and_files_run_in_the_order_in_which_they_are_written(
    query: Cli, tmp_path: Path
) -> None:
    (tmp_path / "set.sql").write_text("SET chunk_rows = 7;\nSHOW chunk_rows")
    (tmp_path / "last.sql").write_text("-- nothing\n")
    done = query("-c", "SELECT 1 AS a", "-f", "set.sql", "-c", "SHOW chunk_rows", "-f", "last.sql")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "a\n1\nchunk_rows\n7\nchunk_rows\n7\n"
    done = query("-f", "-", stdin="SELECT 2 AS b")
    assert (done.returncode, done.stdout) == (0, "b\n2\n")


def test_an_error_in_a_file_names_the_file_and_the_line(query: Cli, tmp_path: Path) -> None:
    (tmp_path / "report.sql").write_text("SELECT 1 AS a;\nSELECT b;\nSELECT 3 AS c")
    done = query("-c", "SELECT 0 AS z", "-f", "report.sql", "-c", "SELECT 4")
    assert (done.returncode, done.stdout) == (1, "z\n0\na\n1\n")
    assert done.stderr.startswith('Error E1004 in report.sql: there is no column "b"\nline 2: ')


def test_going_on_after_errors_ends_with_1(query: Cli, tmp_path: Path) -> None:
    (tmp_path / "report.sql").write_text("SELECT b;\nSELECT 3 AS c;\nSELECT FROM;\nSELECT 4 AS d")
    done = query("--keep-going", "-f", "report.sql", "-c", "SELECT nope()", "-c", "SELECT 5 AS e")
    assert (done.returncode, done.stdout) == (1, "c\n3\nd\n4\ne\n5\n")
    codes = [line.partition(":")[0] for line in done.stderr.splitlines() if line[:5] == "Error"]
    assert codes == ["Error E1004 in report.sql", "Error E1001 in report.sql", "Error E1005"]
    assert "line 3: SELECT FROM" in done.stderr
    assert query("--keep-going", stdin="SELECT 1 AS a; SELECT 2 AS a").returncode == 0


VALUES = {
    "x=7": ("x", 7),
    "x=-7": ("x", -7),
    "x=1e3": ("x", 1000.0),
    "x=true": ("x", True),
    "x=NULL": ("x", None),
    "x='7'": ("x", "7"),
    'x="null"': ("x", "null"),
    "x='it''s'": ("x", "it's"),
    "x=Old Mill": ("x", "Old Mill"),
    "x=a=b": ("x", "a=b"),
    "x=": ("x", ""),
    "$x=2026-01-02": ("x", "2026-01-02"),
    "1=2": (1, 2),
}


@pytest.mark.parametrize(("text", "expected"), VALUES.items())
def test_a_parameter_is_read_as_written(text: str, expected: tuple[object, object]) -> None:
    name, value = parameter(text)
    assert (name, value, type(value)) == (*expected, type(expected[1]))


def test_parameters_reach_the_statements(query: Cli) -> None:
    text = (
        "SELECT $n + 1 AS n, typeof($n) AS tn, $d AS d, typeof($d) AS td, $t AS t, $z IS NULL AS z"
    )
    given = ("n=41", "d=1.50", "t=Old Mill", "z=null")
    done = query(text, *(word for one in given for word in ("--param", one)))
    assert done.stdout == 'n,tn,d,td,t,z\n42,INTEGER,1.50,"DECIMAL(3,2)",Old Mill,true\n'
    assert (
        query("SELECT ? AS a, $2 AS b", "--param", "1=1", "--param", "2=2").stdout == "a,b\n1,2\n"
    )
    done = query("SELECT $x", "--param", "y=1")
    assert done.returncode == 1
    check_message(done.stderr, "E1013", "$x", "--param x=VALUE")


def test_time_that_is_up_has_a_code_of_its_own(query: Cli) -> None:
    done = query("SELECT sum(range) AS s FROM range(100000)", "--timeout", "0.000001")
    assert (done.returncode, done.stdout) == (4, "")
    check_message(done.stderr, "E5003", "within")


WRONG = {
    "twice": (["SELECT 1", "-c", "SELECT 2"], "-c"),
    "no such file": (["-f", "nowhere.sql"], "nowhere.sql"),
    "not text": (["-f", "bytes.sql"], "bytes.sql is not UTF-8"),
    "no value": (["SELECT $x", "--param", "x"], "'x' is not NAME=VALUE"),
    "nothing": (["-c", " "], "no statement"),
    "a misspelt option": (["SELECT 1", "--keepgoing"], "Did you mean --keep-going?"),
    "too many": (["SELECT 1", "SELECT 2"], "one argument too many: 'SELECT 2'"),
}


@pytest.mark.parametrize(("arguments", "part"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_meant(query: Cli, tmp_path: Path, arguments: list[str], part: str) -> None:
    (tmp_path / "bytes.sql").write_bytes(b"SELECT '\xff'")
    done = query(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    check_message(done.stderr, part)


def test_help_has_examples_that_can_be_written(main: Cli) -> None:
    from eau2.commands import COMMANDS

    for name, (_, examples) in COMMANDS.items():
        shown = main(*name.split(), "--help").stdout
        assert 2 <= len(examples) <= 4
        for example in examples:
            assert example in shown


def test_versions_of_this_and_of_a_node(main: Cli, url: str) -> None:
    lines = main("version").stdout.splitlines()
    assert lines[0] == f"eau2 {eau2.__version__}"
    assert [line.split()[0] for line in lines] == ["eau2", "Python", "polars", "pyarrow"]
    there = main("version", "--connect", url).stdout.splitlines()
    assert there[:4] == lines
    assert there[4].startswith("node n1 (127.0.0.1:")
    assert there[4].endswith(f"): eau2 {eau2.__version__}")


def test_a_code_is_explained(main: Cli) -> None:
    done = main("explain", "e1004")
    assert done.stdout.startswith("E1004: there is no such column")
    done = main("explain", "E1044")
    assert done.returncode == 2
    check_message(done.stderr, "'E1044'", "E1004")


def test_the_version_loads_next_to_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, time; start = time.perf_counter(); import eau2.cli;"
        "code = eau2.cli.main(['--version']); print(time.perf_counter() - start);"
        "print(code, '', *sys.modules, '')"
    )
    seconds = []
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        version, taken, modules = done.stdout.splitlines()
        seconds.append(float(taken))
        assert version == f"eau2 {eau2.__version__}"
        absent = (
            *HEAVY,
            "json",
            "decimal",
            "dataclasses",
            "eau2.net",
            "eau2.completion",
            "tomllib",
        )
        assert [name for name in absent if f" {name} " in modules] == []
    # It may take 60 ms with the interpreter's own start; here the machine may be busy.
    assert min(seconds) < 0.1
