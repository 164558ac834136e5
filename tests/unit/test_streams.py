"""The standard streams of the command line: full, closed, cut, and interrupted before it begins."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import eau2
from tests.cluster.nodes import in_process
from tests.processes import ROOT, environment
from tests.unit.test_cli import check_message

DF = str(ROOT / "examples" / "df.csv")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with in_process(1) as nodes:
        yield nodes.urls[0]


def in_shell(
    folder: Path, line: str, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `line` in a shell; `eau2` in it is the command line with these arguments."""
    command = shlex.join([sys.executable, "-m", "eau2", *arguments])
    return subprocess.run(
        ["bash", "-c", line.replace("eau2", command, 1)],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(("place", "unbuffered"), [("here", ""), ("here", "1"), ("at a node", "1")])
def test_a_result_that_does_not_fit_is_an_error(
    place: str, unbuffered: str, url: str, tmp_path: Path
) -> None:
    at = ("--connect", url) if place == "at a node" else ()
    query = ("query", *at, "--format", "csv", "SELECT * FROM range(200000)")
    # Compiled modules would be cut too, and stay.
    kept = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": unbuffered}
    cut = in_shell(tmp_path, "ulimit -f 64; eau2 > cut.csv", *query, **kept)
    assert cut.returncode == 1
    check_message(cut.stderr, "stdout cannot be written: File too large")
    piped = in_shell(
        tmp_path, "eau2 | head -c 10 >/dev/null; exit $PIPESTATUS", *query, PYTHONUNBUFFERED="1"
    )
    assert (piped.returncode, piped.stderr) == (141, "")


@pytest.mark.parametrize(
    ("unbuffered", "arguments"),
    [
        ("", ("--help",)),
        ("", ("load", "df", DF)),
        ("", ("backup", "copy")),
        ("1", ("backup", "copy")),
        ("1", ("query", "SELECT 1")),
    ],
)
def test_a_full_stdout_is_one_message(
    arguments: tuple[str, ...], unbuffered: str, tmp_path: Path
) -> None:
    with eau2.connect(tmp_path / ".eau2") as connection:
        connection.sql("CREATE TABLE t AS SELECT 1 AS a")
    done = in_shell(tmp_path, "eau2 >/dev/full", *arguments, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 1
    check_message(done.stderr, "stdout cannot be written: No space left on device")


def test_closed_streams_are_empty_ones(tmp_path: Path) -> None:
    for line in ("eau2 >&-", "eau2 <&- >&- 2>&-"):
        done = in_shell(tmp_path, line, "load", "--replace", "df", DF)
        assert (done.returncode, done.stderr) == (0, ""), line
    done = in_shell(tmp_path, "eau2 <&-", "query")
    assert done.returncode == 2
    check_message(done.stderr, "there is no statement to run")


def test_an_interrupt_while_modules_load_is_a_message(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == 'eau2.options': os.kill(os.getpid(), {int(signal.SIGINT)})\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from eau2.__main__ import run\n"
        "run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted\n")


def test_one_parquet_file_holds_one_result_also_from_a_node(url: str, tmp_path: Path) -> None:
    where = ("query", "--connect", url, "--format", "parquet")
    two = in_shell(tmp_path, "eau2 > two.pq", *where, "-c", "SELECT 1", "-c", "SELECT 2")
    assert two.returncode == 2
    check_message(two.stderr, "a Parquet file holds one result")
    last = in_shell(tmp_path, "eau2 > one.pq", *where, "-c", "SET chunk_rows = 5", "-c", "SELECT 2")
    assert (last.returncode, last.stderr) == (0, "")
    assert os.path.getsize(tmp_path / "one.pq") > 0
