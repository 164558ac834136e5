"""The command line as a process: output, exit codes, one clear message for whatever is wrong."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

import eau2
from tests.conftest import Cli
from tests.processes import ROOT, environment

DF = str(ROOT / "examples" / "df.csv")
SMALL = "a,s\n1,x\n2,y\n"


@pytest.fixture
def loaded(main: Cli, tmp_path: Path) -> Cli:
    """The command line in a folder whose store has the frame t."""
    (tmp_path / "small.csv").write_text(SMALL)
    with eau2.connect(tmp_path / ".eau2") as connection:
        connection.put("t", tmp_path / "small.csv")
    return main


def test_load(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "small.csv").write_text(SMALL)
    done = cli("load", "t", "small.csv", "small.csv")
    assert (done.returncode, done.stdout, done.stderr) == (0, "t: 4 rows\n", "")
    with eau2.connect(tmp_path / ".eau2") as connection:
        assert connection.sql("SELECT sum(a) FROM t").fetchall() == [(6,)]


def test_version_and_help(cli: Cli, main: Cli) -> None:
    assert cli("--version").stdout == f"eau2 {eau2.__version__}\n"
    for command in ("query", "load", "tables", "describe", "drop", "shell"):
        assert command in main("--help").stdout
        done = main(command, "--help")
        assert done.returncode == 0
        assert "--store" in done.stdout


def test_the_formats(loaded: Cli) -> None:
    text = "SELECT a, s FROM t ORDER BY a"
    box = loaded("query", text)
    assert box.stdout.splitlines()[-1] == "2 rows"
    assert "│ 1 │ x" in " ".join(box.stdout.split())
    assert loaded("query", "--format", "csv", text).stdout == SMALL
    rows = json.loads(loaded("query", "--format", "json", text).stdout)
    assert rows == [{"a": 1, "s": "x"}, {"a": 2, "s": "y"}]


@pytest.mark.usefixtures("loaded")
def test_arrow_goes_to_a_pipe(tmp_path: Path) -> None:
    arguments = ["-m", "eau2", "query", "--format", "arrow", "SELECT a FROM t ORDER BY a"]
    with started(arguments, tmp_path, stdout=subprocess.PIPE) as process:
        out, _ = process.communicate(timeout=60)
    assert pa.ipc.open_stream(out).read_all().to_pydict() == {"a": [1, 2]}


def test_statements_come_from_stdin_and_run_in_order(loaded: Cli) -> None:
    text = "SET chunk_rows = 5; -- one;\nSHOW chunk_rows; SELECT ';' AS s"
    for arguments in ((), ("-",)):
        done = loaded("query", "--format", "csv", *arguments, stdin=text)
        assert (done.stdout, done.returncode) == ("chunk_rows\n5\ns\n;\n", 0)


def test_an_error_ends_the_run_and_names_its_line(loaded: Cli) -> None:
    done = loaded("query", "--format", "csv", stdin="SELECT 1 AS a;\nSELECT\n  b FROM t; SELECT 2")
    assert done.returncode == 1
    assert done.stdout == "a\n1\n"
    assert "line 3:   b FROM t" in done.stderr


def test_tables_describe_drop(loaded: Cli) -> None:
    rows = json.loads(loaded("tables", "--format", "json").stdout)
    assert [(row["name"], row["rows"], row["columns"]) for row in rows] == [("t", 2, 2)]
    columns = json.loads(loaded("describe", "--format", "json", "t").stdout)
    assert [(row["column_name"], row["column_type"]) for row in columns] == [
        ("a", "BIGINT"),
        ("s", "VARCHAR"),
    ]
    assert [row["about_distinct"] for row in columns] == [2, 2]
    assert loaded("drop", "t").stdout == "t: dropped\n"
    assert json.loads(loaded("tables", "--format", "json").stdout) == []
    assert loaded("drop", "t").returncode == 1


def test_the_store_is_where_the_option_the_variable_or_the_folder_says(
    main: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, arguments, variable in (
        ("one", ("--store", "one"), "two"),
        ("two", (), "two"),
        (".eau2", (), ""),
    ):
        assert not (tmp_path / name).exists()
        monkeypatch.setenv("EAU2_STORE", variable)
        assert main("load", "f", DF, *arguments).returncode == 0
        assert (tmp_path / name).is_dir()


def test_reading_makes_no_store(main: Cli, tmp_path: Path) -> None:
    assert main("query", "SELECT 1").returncode == 0
    assert main("tables").returncode == 0
    done = main("query", "--store", "nowhere", "SELECT 1")
    assert done.returncode == 1
    assert "no store at nowhere" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name != "state"] == []


def test_replace_and_chunk_rows(loaded: Cli) -> None:
    assert loaded("load", "t", "small.csv", "--replace", "--chunk-rows", "1").returncode == 0
    (row,) = json.loads(loaded("tables", "--format", "json").stdout)
    assert (row["rows"], row["chunks"]) == (2, 2)


def test_rows_are_put_in_order(loaded: Cli, tmp_path: Path) -> None:
    (tmp_path / "mixed.csv").write_text("a,b\n2,x\n,y\n1,z\n2,w\n", encoding="utf-8")
    done = loaded("load", "o", "mixed.csv", "--order-by", "a", "--order-by", "b")
    assert done.returncode == 0
    rows = json.loads(loaded("query", "SELECT b FROM o", "--format", "json").stdout)
    assert [row["b"] for row in rows] == ["z", "w", "x", "y"]
    wrong = loaded("load", "p", "mixed.csv", "--order-by", "c")
    assert wrong.returncode == 1
    assert 'no column "c"' in wrong.stderr


def test_explain_is_printed_whole(loaded: Cli) -> None:
    plain = loaded("query", "EXPLAIN SELECT sum(a) FROM t").stdout
    assert plain.startswith("stage 0")
    assert "│" not in plain


def test_timing_goes_to_stderr(main: Cli) -> None:
    done = main("query", "--timing", "--format", "csv", "SELECT 1 AS a; SELECT 2 AS a")
    assert done.stdout == "a\n1\na\n2\n"
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["Time:", "Time:"]


def test_threads_and_memory_are_taken(cli: Cli) -> None:
    done = cli("query", "--threads", "1", "--memory", "512MB", "--format", "csv", "SELECT 1 AS a")
    assert (done.stdout, done.stderr) == ("a\n1\n", "")


USAGE = {
    "no such command": (["qery"], "Did you mean 'query'?"),
    "a statement instead of a command": (["select 1"], 'eau2 query "select 1"'),
    "no such option": (["query", "--fast", "SELECT 1"], "--fast"),
    "no such format": (["query", "--format", "xml", "SELECT 1"], "'xml'"),
    "no statement": (["query"], "no statement"),
    "only a comment": (["query", "-- hello"], "no statement"),
    "no file": (["load", "t"], "FILE"),
    "not a size": (["query", "--memory", "lots", "SELECT 1"], "'lots' is not a size"),
    "not a count": (["query", "--threads", "0", "SELECT 1"], "'0'"),
    "no such option of the program": (["--verbose"], "COMMAND"),
}


@pytest.mark.parametrize(("arguments", "part"), USAGE.values(), ids=USAGE)
def test_a_wrong_command_line(main: Cli, arguments: list[str], part: str) -> None:
    done = main(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    check_message(done.stderr, part)


def check_message(stderr: str, *parts: str) -> None:
    assert re.match(r"Error E\d{4}: ", stderr)
    assert "Traceback" not in stderr
    assert "internal error" not in stderr
    assert stderr.count("Error") == 1
    for part in parts:
        assert part in stderr


STATEMENTS = {
    "syntax": ("SELECT a FRM t", ["line 1: SELECT a FRM t", "^"]),
    "unknown table": ("SELECT * FROM tt", ["tt", "SELECT * FROM tt", "^^"]),
    "unknown column": ("SELECT sum(aa) FROM t", ["aa", "^^", '"a"']),
    "unknown function": ("SELECT summ(a) FROM t", ["summ", "^^^^", "sum"]),
    "wrong types": ("SELECT s + a FROM t", ["^"]),
    "overflow": ("SELECT a + 9223372036854775807 FROM t", []),
    "division of text": ("SELECT CAST(s AS INTEGER) FROM t", ["x"]),
    "not supported": ("SELECT a FROM t AT (VERSION => 1)", ["not supported", "^"]),
    "not supported statement": ("UPDATE t SET a = 1", ["UPDATE", "not supported"]),
    "unknown setting": ("SET chunk_row = 5", ["chunk_row"]),
    "missing file": ("SELECT * FROM 'nowhere.parquet'", ["nowhere.parquet"]),
}


@pytest.mark.parametrize(("text", "parts"), STATEMENTS.values(), ids=STATEMENTS)
def test_a_wrong_statement(loaded: Cli, text: str, parts: list[str]) -> None:
    done = loaded("query", text)
    assert (done.returncode, done.stdout) == (1, "")
    check_message(done.stderr, *parts)


def parquet_bytes() -> bytes:
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(pa.table({"a": list(range(1000))}), sink)
    return bytes(sink.getvalue())


FILES = {
    "missing": ("missing.csv", None),
    "empty csv": ("x.csv", b""),
    "empty parquet": ("x.parquet", b""),
    "empty ndjson": ("x.ndjson", b""),
    "empty arrow": ("x.arrow", b""),
    "empty sor": ("x.sor", b""),
    "ragged csv": ("x.csv", b"a,b\n1,2\n3\n"),
    "csv that is not text": ("x.csv", b"a,b\n\xff\xfe,\x00\n"),
    "truncated parquet": ("x.parquet", parquet_bytes()[:-50]),
    "parquet without a tail": ("x.parquet", parquet_bytes()[:200]),
    "not json": ("x.ndjson", b'{"a": 1}\n{"a": \n'),
    "not arrow": ("x.arrow", b"hello"),
    "sor without brackets": ("x.sor", b"<1> <2>\n3 4\n"),
    "unknown kind": ("x.xyz", b"hello"),
}


@pytest.mark.parametrize(("name", "content"), FILES.values(), ids=FILES)
def test_a_wrong_file_leaves_nothing_behind(
    main: Cli, tmp_path: Path, name: str, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = main("load", "t", name)
    assert (done.returncode, done.stdout) == (1, "")
    check_message(done.stderr, name)
    with eau2.connect(tmp_path / ".eau2") as connection:
        assert connection.tables() == ()
        with pytest.raises(eau2.Error, match=re.escape(name)):
            connection.sql(f"SELECT * FROM '{tmp_path / name}'")


def test_a_process_that_fails_says_so_and_no_more(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"a,b\n1,2\n3\n")
    for arguments, code in (
        (("query", "SELECT a FRM t"), 1),
        (("load", "t", "x.csv"), 1),
        (("query", "--format", "xml", "SELECT 1"), 2),
    ):
        done = cli(*arguments)
        assert (done.returncode, done.stdout) == (code, "")
        check_message(done.stderr)


def test_a_name_that_exists_is_kept(loaded: Cli) -> None:
    done = loaded("load", "t", DF)
    assert (done.returncode, done.stdout) == (1, "")
    check_message(done.stderr, "t", "--replace")
    assert loaded("query", "--format", "csv", "SELECT count(*) AS n FROM t").stdout == "n\n2\n"


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "big.csv").write_text("a\n" + "12345678\n" * 200_000)
    reader, writer = os.pipe()
    arguments = ["-m", "eau2", "query", "--format", "csv", "SELECT * FROM 'big.csv'"]
    with started(arguments, tmp_path, stdout=writer, stderr=subprocess.PIPE) as process:
        os.close(writer)
        first = os.read(reader, 10)
        os.close(reader)
        _, errors = process.communicate(timeout=60)
    assert (first[:2], errors, process.returncode) == (b"a\n", b"", 141)


def test_an_interrupt_says_so(tmp_path: Path) -> None:
    code = "import eau2.cli; print('ready', flush=True); raise SystemExit(eau2.cli.main(['query']))"
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with started(["-c", code], tmp_path, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, b"Interrupted\n")


def started(arguments: list[str], folder: Path, **streams: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(),
        stdin=streams.get("stdin"),
        stdout=streams.get("stdout"),
        stderr=streams.get("stderr"),
    )


def test_arrow_is_not_for_terminals(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    arguments = ["-m", "eau2", "query", "--format", "arrow", "SELECT 1"]
    with started(arguments, tmp_path, stdout=follower, stderr=subprocess.PIPE) as process:
        _, errors = process.communicate(timeout=60)
    os.close(follower)
    with pytest.raises(OSError, match="Input/output"):
        os.read(leader, 1)  # nothing was written before the other end closed
    os.close(leader)
    assert process.returncode == 2
    check_message(errors.decode(), "Arrow is not for terminals")


HEAVY = ("polars", "pyarrow", "lark", "prompt_toolkit", "asyncio", "numpy", "http", "email", "xml")


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import eau2", HEAVY),
        ("import eau2.cli; eau2.cli.main(['query', '--format', 'x'])", HEAVY),
        (
            "import eau2.cli; eau2.cli.main(['query', '--format', 'csv', 'SELECT 1'])",
            ("lark", "prompt_toolkit", "asyncio", "http", "xml"),
        ),
    ],
)
def test_nothing_is_imported_before_it_is_needed(
    tmp_path: Path, code: str, absent: tuple[str, ...]
) -> None:
    loaded = "import sys; print('', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{loaded}"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert [name for name in absent if f" {name} " in done.stdout] == []
