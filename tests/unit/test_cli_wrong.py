"""What is wrong with a command line: one message that names it, and nothing nobody typed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import eau2
from eau2.config import LIMITS
from eau2.errors import StoreError
from eau2.kv.lock import Pins, unpinned
from tests.cluster.nodes import in_process
from tests.conftest import Cli
from tests.unit.test_cli import check_message

ODD = os.fsdecode(b"\xff")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with in_process(1) as nodes:
        with eau2.connect(nodes.urls[0]) as connection:
            connection.sql("CREATE VIEW v AS SELECT 1 AS a, 'x' AS s")
        yield nodes.urls[0]


@pytest.fixture(params=["here", "at a node"])
def at(request: pytest.FixtureRequest, url: str, tmp_path: Path) -> tuple[str, ...]:
    """The options of a place that has the view v, and nothing else."""
    if request.param == "at a node":
        return ("--connect", url)
    with eau2.connect(tmp_path / ".eau2") as connection:
        connection.sql("CREATE VIEW v AS SELECT 1 AS a, 'x' AS s")
    return ()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("query", "--timeout", "1e300", "SELECT 1"), "more seconds than a year"),
        (("query", "--threads", "100000", "SELECT 1"), "at most 1024 threads"),
        (("load", "--chunk-rows", "9" * 23, "t", "f.csv"), "at most 16777216 rows"),
        (("load", "u", f"uu/b{ODD}.csv"), r"argument 3 is not UTF-8 text: 'uu/b\xff.csv'"),
        (("describe", ODD), r"argument 2 is not UTF-8 text: '\xff'"),
        (("query", "--connect", f"eau2://{ODD}:1"), "argument 3 is not UTF-8 text"),
        (("query", f"SELECT '{ODD}'"), "argument 2 is not UTF-8 text"),
        (("query", "SELECT $n", "--param", f"n={ODD}"), "argument 4 is not UTF-8 text"),
    ],
)
def test_a_wrong_argument_is_named(main: Cli, arguments: tuple[str, ...], said: str) -> None:
    done = main(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    check_message(done.stderr, "Error E6001: ", said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("export", "nothing", "x.csv"), 'there is no table "nothing"'),
        (("drop", "nothing"), 'there is no table "nothing"'),
        (("drop", "v"), '"v" is a view'),
    ],
)
def test_no_statement_is_shown_that_nobody_typed(
    main: Cli, at: tuple[str, ...], arguments: tuple[str, ...], said: str
) -> None:
    done = main(*arguments, *at)
    assert (done.returncode, done.stdout) == (1, "")
    check_message(done.stderr, said)
    assert "SELECT" not in done.stderr
    assert "TABLE" not in done.stderr


def test_a_view_is_described_as_a_frame_is(main: Cli, at: tuple[str, ...]) -> None:
    done = main("describe", "V", "--format", "csv", *at)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "column_name,column_type,nulls,about_distinct\na,INTEGER,,\ns,VARCHAR,,\n"
    )
    assert 'there is no table "w"' in main("describe", "w", *at).stderr


def test_the_limits_of_options_are_those_of_the_store(main: Cli, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("a\n1\n")
    most = str(LIMITS.chunk_rows_max)
    assert main("load", "--chunk-rows", most, "t", "f.csv").stdout == "t: 1 row\n"


def test_a_file_is_no_store(main: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for command in (("tables",), ("load", "t", "file"), ("backup", "b"), ("query", "SELECT 1")):
        done = main(*command, "--store", "file")
        assert (done.returncode, done.stdout) == (1, "")
        check_message(done.stderr, "Error E3001: file is no folder, so it is no store")


def test_a_chunk_folder_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "chunk").write_text("no folder")
    with pytest.raises(StoreError, match="Not a directory"):
        Pins().take(tmp_path / "chunk")
    with pytest.raises(StoreError, match="Not a directory"), unpinned(tmp_path / "chunk"):
        pass


def test_bytes_that_are_no_text_are_no_csv(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bin.csv").write_bytes(b"a,b\n1,2\n\xff\xfe,3,4\n5,6\n")
    done = cli("load", "d", "bin.csv")
    assert done.returncode == 1
    check_message(done.stderr, "Error E2004: bin.csv cannot be read as CSV: it is not UTF-8 text")


def test_time_that_is_up_is_said_once(cli: Cli) -> None:
    slow = "SELECT sum(sqrt(x) * y) FROM range(1000000) a(x), range(100000) b(y)"
    done = cli("query", "--timeout", "1", slow)
    assert done.returncode == 4
    check_message(done.stderr, "did not end within")
    assert "kernel process" not in done.stderr


def test_a_parameter_that_is_no_text_is_named() -> None:
    with eau2.connect() as connection:
        for value in ("\ud800", ["x", "\udfff"]):
            with pytest.raises(eau2.NotSupportedError, match=r"\$n is not valid text"):
                connection.sql("SELECT $n", {"n": value})
