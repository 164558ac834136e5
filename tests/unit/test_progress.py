"""Progress: what is told of a query and a load, and the line on a terminal, which goes away."""

from __future__ import annotations

import gzip
import io
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import eau2
from eau2 import progress, server
from eau2.kv.ingest.position import Position
from eau2.kv.ingest.source import open_files
from eau2.net.address import parse_address
from eau2.net.blocking import BlockingConnection
from eau2.net.message import Progress, Statement
from eau2.net.thin import ThinClient
from eau2.progress import Line, StageTally, Tally, load_text, query_text, shown
from tests.cluster.nodes import InProcess
from tests.conftest import Cli
from tests.processes import environment

ROWS, CHUNKS = 200_000, 40
SLOW = "SELECT sum(length(repeat(md5(a::VARCHAR), 20))) AS n FROM long"


class Terminal(io.StringIO):
    """A terminal of no width that is known."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(progress, "EVERY_S", 0.01)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are drawn from the start, and nodes tell often: quick queries have progress too."""
    monkeypatch.setattr(progress, "FIRST_S", 0.0)
    monkeypatch.setattr(server, "TOLD_S", 0.02)


@pytest.fixture(scope="module")
def ring(three_in_process: InProcess) -> Iterator[InProcess]:
    with eau2.connect(three_in_process.urls[0]) as connection:
        connection.sql(f"SET chunk_rows = {ROWS // CHUNKS}")
        connection.put("long", pa.table({"a": range(ROWS)}))
        yield three_in_process
        connection.drop("long")


@pytest.mark.usefixtures("at_once")
def test_a_line_is_drawn_and_erased() -> None:
    sink = Terminal()
    with shown(sink) as line:
        assert line.is_shown
        line.say(lambda seconds: f"at {seconds:.2f} s")
        time.sleep(0.3)
        line.erase()
        drawn = sink.getvalue()
        sink.write("rows\n")
        time.sleep(0.1)
    assert len(re.findall(r"\r\x1b\[2mat 0\.\d\d s\x1b\[0m\x1b\[K", drawn)) >= 2
    assert drawn.endswith("\r\x1b[K")
    assert sink.getvalue() == f"{drawn}rows\n"


def test_what_is_quick_or_no_terminal_shows_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = Terminal()
    with shown(quick) as line:
        line.say(lambda _: "never")
        time.sleep(0.05)
    assert quick.getvalue() == ""
    monkeypatch.setattr(progress, "FIRST_S", 0.0)
    for sink, term in ((io.StringIO(), "xterm"), (Terminal(), "dumb"), (Terminal(), "")):
        monkeypatch.setenv("TERM", term)
        with Line(sink) as line:
            assert not line.is_shown
            line.say(lambda _: "never")
            time.sleep(0.05)
        assert sink.getvalue() == ""


@pytest.mark.usefixtures("at_once")
def test_no_color_and_the_width_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    sink = Terminal()
    with Line(sink) as line:
        line.say(lambda _: "x" * 200)
        time.sleep(0.1)
    assert sink.getvalue().startswith(f"\r{'x' * 79}\x1b[K")
    assert "\x1b[2m" not in sink.getvalue()


def test_the_words() -> None:
    tally = (StageTally(0, 10, 40, 10_000_000), StageTally(1, 0, 0, 0))
    assert query_text(tally, 2.0) == (
        "[#####...............]  25 %  2 s, about 6 s left"
        "  stage 0: 10 of 40 chunks, 10,000,000 rows"
    )
    assert query_text((StageTally(0, 4, 4, 9),), 61.0) == (
        "[####################] 100 %  1 min 1 s  last stage"
    )
    assert query_text((), 1.0) == "[....................]   0 %  1 s  last stage"
    assert load_text(1_000_000, 3 << 20, 50, 100, 4.0) == (
        "[##########..........]  50 %  4 s, about 4 s left  1,000,000 rows, 3 MiB, 250,000 rows/s"
    )


def check(told: list[Tally], chunks: int, rows: int) -> None:
    """All is told of in the end, and never less than before."""
    totals = [sum(stage.done for stage in tally) for tally in told]
    assert totals == sorted(totals)
    assert sum(stage.chunks for stage in told[-1]) == chunks
    assert totals[-1] <= chunks
    assert sum(stage.rows for stage in told[-1]) <= rows


def test_a_query_here_tells_of_each_task(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Tally] = []
    with eau2.connect() as connection:
        connection.sql(f"SET chunk_rows = {ROWS // CHUNKS}")
        connection.put("long", pa.table({"a": range(ROWS)}))
        monkeypatch.setattr(connection._backend.cluster, "_run_rows", ROWS // 8)  # type: ignore[union-attr]
        connection.watch(told.append)
        connection.sql("SELECT sum(a + 1) FROM long")
        check(told, CHUNKS, ROWS)
        assert len(told) >= 8
        assert told[0][0] == StageTally(0, 0, CHUNKS, 0)
        assert told[-1][0] == StageTally(0, CHUNKS, CHUNKS, ROWS)
        connection.watch(None)
        told.clear()
        connection.sql("SELECT sum(a + 2) FROM long")
        assert told == []


@pytest.mark.usefixtures("at_once")
def test_a_query_at_a_node_tells_now_and_then(ring: InProcess) -> None:
    told: list[Tally] = []
    start = time.monotonic()
    with eau2.connect(ring.urls[1]) as connection:
        connection.watch(told.append)
        whole = connection.sql(SLOW).fetchall()
        assert connection.stream(SLOW).read_all().to_pydict() == {"n": [whole[0][0]]}
        connection.watch(None)
        count = len(told)
        assert connection.sql("SELECT count(*) FROM long").fetchall() == [(ROWS,)]
    taken_s = time.monotonic() - start
    assert len(told) == count
    assert 1 <= count <= taken_s / 0.02 + 2
    assert all(sum(stage.chunks for stage in tally) == CHUNKS for tally in told)


@pytest.mark.usefixtures("at_once")
def test_who_does_not_ask_is_told_nothing(ring: InProcess) -> None:
    connection = BlockingConnection(parse_address(ring.urls[0]))
    for asked in (False, True):
        with connection.open(Statement(SLOW, progress=asked), end=True) as stream:
            kinds = {type(received.message) for received in stream}
        assert (Progress in kinds) is asked
    connection.close()


@pytest.mark.usefixtures("at_once")
def test_the_thin_client_is_told(ring: InProcess) -> None:
    told: list[Tally] = []
    client = ThinClient(parse_address(ring.urls[2]))
    rows: list[bytes] = []
    client.statement(SLOW, lambda data: rows.append(bytes(data)), format="csv", watch=told.append)
    client.close()
    assert b"".join(rows).startswith(b"n\n")
    assert told
    assert all(isinstance(stage, StageTally) for tally in told for stage in tally)


def test_the_position_in_files_ends_at_their_size(tmp_path: Path) -> None:
    rows = [{"a": n, "s": f"text {n}" * 5} for n in range(60_000)]
    table = pa.Table.from_pylist(rows)
    text = "a,s\n" + "".join(f"{row['a']},{row['s']}\n" for row in rows)
    (tmp_path / "x.csv").write_text(text)
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "x.ndjson").write_text(
        "".join(f'{{"a": {row["a"]}, "s": "{row["s"]}"}}\n' for row in rows)
    )
    pq.write_table(table, tmp_path / "x.parquet")
    with pa.ipc.new_file(tmp_path / "x.arrow", table.schema) as writer:
        writer.write_table(table)
    for name in ("x.csv", "x.csv.gz", "x.ndjson", "x.parquet", "x.arrow"):
        path = str(tmp_path / name)
        position = Position()
        seen = [0]
        for _ in open_files([path, path], position)[1]:
            seen.append(position.bytes)
        assert seen == sorted(seen), name
        assert position.bytes == 2 * os.path.getsize(path), name
        assert len(set(seen)) > 1, name


@pytest.mark.usefixtures("at_once")
def test_commands_show_a_line_and_leave_none(
    main: Cli, ring: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of few texts each would be looked at once.
    rows = (f"12345678,text of row {number}\n" for number in range(300_000))
    (tmp_path / "big.csv").write_text("a,b\n" + "".join(rows))
    slow = "SELECT sum(length(repeat(md5(b), 20))) AS n FROM big"
    for arguments, words, out in (
        (["load", "big", "big.csv"], " rows/s", "big: 300,000 rows\n"),
        (["query", "--format", "csv", slow], "stage 1: 0 of 1 chunks", "n\n192000000\n"),
        (
            ["query", "--connect", ring.urls[0], "--format", "csv", SLOW],
            f" of {CHUNKS} chunks",
            f"n\n{ROWS * 32 * 20}\n",
        ),
    ):
        sink = Terminal()
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stderr", sink)
            done = main(*arguments)
        assert (done.returncode, done.stdout) == (0, out)
        assert words in sink.getvalue()
        assert sink.getvalue().endswith("\r\x1b[K")
        piped = main(*arguments, *(["--replace"] if arguments[0] == "load" else []))
        assert (piped.returncode, piped.stderr) == (0, "")


def test_a_real_terminal_is_as_it_was_before(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "eau2", "query", "--format", "csv", "SELECT 1 AS a"],
        cwd=tmp_path,
        env=environment(TERM="xterm"),
        stdout=subprocess.PIPE,
        stderr=follower,
    ) as process:
        out, _ = process.communicate(timeout=60)
    os.set_blocking(leader, False)
    try:
        drawn = os.read(leader, 4096)
    except BlockingIOError:
        drawn = b""
    os.close(follower)
    os.close(leader)
    assert (out, process.returncode) == (b"a\n1\n", 0)
    # Where the machine is busy, a line may have been drawn.
    assert drawn == b"" or drawn.endswith(b"\r\x1b[K")
