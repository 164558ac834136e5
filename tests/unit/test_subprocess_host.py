"""Kernel processes, as real ones: the same rows as here, and nothing is left, come what may."""

from __future__ import annotations

import gc
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from eau2 import types
from eau2.cluster import Cluster
from eau2.engine import Engine
from eau2.errors import (
    CancelledError,
    DataError,
    DeadlineError,
    Error,
    InterfaceError,
    InternalError,
    KernelLostError,
    OperationalError,
)
from eau2.frames import LocalFrames
from eau2.kernels.host import Cancel, ChunkFiles, KernelHost
from eau2.kernels.inline import InlineHost
from eau2.kernels.spill import SpillDirectory
from eau2.kernels.subprocess import SubprocessHost
from eau2.kv.store import Store
from eau2.node import Node
from eau2.operators.aggregates import bind
from eau2.operators.base import Operator
from eau2.operators.expr import Column, JoinKind, Literal, SortKey, ref
from eau2.operators.filter import Filter
from eau2.operators.functions.table import bind as bind_function
from eau2.operators.group import FinalAggregate, PartialAggregate
from eau2.operators.join import Join
from eau2.operators.project import Project
from eau2.operators.scan import ScanChunks, StageInput
from eau2.operators.sort import Limit, Sort, TopK
from eau2.operators.values import NoRows, OneRow
from eau2.settings import Settings
from tests.processes import environment

MEMORY_BYTES = 500 << 20
A, B = Column(1, "a", types.BIGINT), Column(2, "b", types.BIGINT)
LEFT, RIGHT = StageInput(0, (A,)), StageInput(1, (B,))
NUMBERS = pl.DataFrame({"c1": pl.int_range(60_000, eager=True)})
OTHERS = NUMBERS.rename({"c1": "c2"})

SUM = ((Column(3, "s", types.HUGEINT), bind("sum", (ref(A),), False)),)

PAIRS: Operator = PartialAggregate(
    Join("inner", LEFT, RIGHT, condition=bind_function("<", (ref(A), ref(B)))),
    (),
    SUM,
)
"""Takes seconds, over any two stages, and little memory."""

EVERYTHING: Operator = Join("cross", LEFT, RIGHT)
"""Takes memory without end, and disk where it may."""

ALIKE: Operator = Join(
    "inner", LEFT, RIGHT, ((Literal(types.BIGINT, 1), Literal(types.BIGINT, 1)),)
)
"""The same pairs, of keys that are all equal: of few rows they are made in memory alone."""


@pytest.fixture(scope="module")
def host() -> Iterator[SubprocessHost]:
    made = SubprocessHost(threads=1, memory_bytes=MEMORY_BYTES, spill_bytes=20 << 20)
    yield made
    made.close()


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFrames]:
    """A frame on disk in several chunks, and one in memory."""
    made = LocalFrames(Store.open(tmp_path_factory.mktemp("store") / "store"))
    count = 30_000
    table = pa.table(
        {
            "k": pa.array([i % 97 for i in range(count)], pa.int16()),
            "v": pa.array([None if i % 13 == 0 else i * 3 for i in range(count)], pa.int64()),
            "x": [((i * 7919) % 1013) / 7 - 70 for i in range(count)],
            "s": [f"the text of the row {i % 1009}" for i in range(count)],
            "d": pa.array([i % 20_000 for i in range(count)], pa.int32()).cast(pa.date32()),
            "m": pa.array([Decimal(i) * 10**20 for i in range(count)], pa.decimal128(38, 2)),
        }
    )
    made.stored.put("facts", table.schema, table.to_batches(), chunk_rows=4_000)
    names = pa.table({"k": list(range(0, 120, 2)), "name": [f"name {i}" for i in range(60)]})
    made.registered.put("names", names.schema, names.to_batches())
    yield made
    made.close()


STATEMENTS = [
    "SELECT 1 + 1, 'x', NULL, DATE '2001-02-03'",
    "SELECT count(*) FROM facts",
    "SELECT * FROM facts WHERE v % 7 = 1 ORDER BY v LIMIT 100",
    "SELECT k, sum(v), avg(x), min(s), max(d), sum(m), count(*) FROM facts GROUP BY k ORDER BY k",
    "SELECT sum(x), avg(v), sum(m), max(m), sum(v * 1000003) FROM facts",
    "SELECT s, count(DISTINCT k) FROM facts WHERE s LIKE '%7%' GROUP BY s ORDER BY 2 DESC, 1",
    "SELECT name, sum(v) FROM facts JOIN names USING (k) GROUP BY name ORDER BY name",
    "SELECT name, v FROM names LEFT JOIN facts ON names.k = facts.k AND v > 80000 ORDER BY 1, 2",
    "SELECT name, v FROM names FULL JOIN facts USING (k) WHERE v > 89000 ORDER BY 1, 2",
    "SELECT d, upper(s), x / 3, m * 2 FROM facts WHERE x > 70 ORDER BY d, s, x, m",
    "SELECT * FROM facts WHERE k > 1000",
    "SELECT s FROM facts ORDER BY x DESC, s LIMIT 5 OFFSET 3",
]


def engine(frames: LocalFrames, host: KernelHost) -> Engine:
    return Engine(frames, Cluster(Node("local", frames, host), None, 10_000), Settings())


@pytest.mark.parametrize("sql", STATEMENTS)
def test_rows_have_the_same_bits_as_here(
    sql: str, host: SubprocessHost, frames: LocalFrames
) -> None:
    expected = engine(frames, InlineHost()).run(sql).rows
    rows = engine(frames, host).run(sql).rows
    assert rows.schema == expected.schema
    assert bits(rows).equals(bits(expected), null_equal=True)


KINDS: tuple[JoinKind, ...] = ("inner", "left", "right", "full", "semi", "anti")

FRAGMENTS: list[Operator] = [
    *(Join(kind, LEFT, RIGHT, ((ref(A), ref(B)),)) for kind in KINDS),
    Join("cross", Limit(LEFT, 20), Limit(RIGHT, 30, 5)),
    Sort(LEFT, (SortKey(ref(A), descending=True),)),
    TopK(LEFT, (SortKey(ref(A)),), 10, 3),
    Filter(LEFT, bind_function("<", (ref(A), Literal(types.BIGINT, 7)))),
    Project(OneRow(), ((A, Literal(types.BIGINT, 1)),)),
    Project(LEFT, ()),
    NoRows((A, B)),
    NoRows(()),
    FinalAggregate(PartialAggregate(LEFT, (), SUM), (), SUM),
    PartialAggregate(LEFT, ((B, ref(A)),), SUM),
]


@pytest.mark.parametrize("number", range(len(FRAGMENTS)))
def test_every_operator_gives_what_it_gives_here(number: int, host: SubprocessHost) -> None:
    fragment = FRAGMENTS[number]
    stages = {0: NUMBERS.head(500), 1: OTHERS.slice(250, 500)}
    expected = InlineHost().run(fragment, None, stages)
    rows = host.run(fragment, None, stages)
    assert rows.schema == expected.schema
    if not isinstance(fragment, Sort | TopK | Limit):
        rows, expected = rows.sort(pl.all()), expected.sort(pl.all())
    assert rows.equals(expected, null_equal=True)


def bits(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        pl.col(pl.Float32).reinterpret(dtype=pl.UInt32),
        pl.col(pl.Float64).reinterpret(dtype=pl.UInt64),
    )


def test_chunks_on_disk_are_mapped_by_the_child(host: SubprocessHost, frames: LocalFrames) -> None:
    frame = frames.stored.get("facts")
    assert frame is not None
    paths = [frames.chunk_file(chunk) for chunk in frame.chunks]
    assert all(path is not None and os.path.isabs(path) for path in paths)
    engine(frames, host).run("SELECT max(s) FROM facts")
    (pid,) = host.process_ids()
    mapped = Path(f"/proc/{pid}/maps").read_text()
    assert all(str(path) in mapped for path in paths)


def test_large_inputs_and_results_pass_through_shared_memory(host: SubprocessHost) -> None:
    large = pl.DataFrame({"c1": pl.int_range(200_000, eager=True)})
    before = open_files()
    for _ in range(3):
        doubled = host.run(Project(LEFT, ((A, ref(A)),)), None, {0: large})
        assert host.run(LEFT, None, {0: doubled}).equals(large)
    other = large.clone()
    del doubled
    assert host.run(LEFT, None, {0: other}).equals(large)
    del large, other
    gc.collect()
    # What is kept for the next frames is bounded.
    assert open_files() <= before + 2


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_errors_come_back_as_they_are(host: SubprocessHost, frames: LocalFrames) -> None:
    sql = "SELECT v * 1000000000000000 FROM facts"
    with pytest.raises(DataError) as expected:
        engine(frames, InlineHost()).run(sql)
    with pytest.raises(DataError) as found:
        engine(frames, host).run(sql)
    assert type(found.value) is type(expected.value)
    assert found.value.hint == expected.value.hint
    # Which of the rows that fail is named is left open.
    words = [re.sub(r"\d+", "n", error.value.message) for error in (found, expected)]
    assert words[0] == words[1]


def test_a_bug_comes_back_without_its_traceback(
    host: SubprocessHost, frames: LocalFrames, caplog: pytest.LogCaptureFixture
) -> None:
    frame = frames.stored.get("facts")
    assert frame is not None
    path = frames.chunk_file(frame.chunks[0])
    assert path is not None
    with pytest.raises(InternalError, match="KeyError") as found:
        host.run(ScanChunks((A,), ("absent",)), ChunkFiles((path,), ("absent",), 1), {})
    assert "Traceback" not in str(found.value)
    assert "Traceback" in caplog.text


def test_a_file_that_is_gone_is_an_error_of_the_surroundings(host: SubprocessHost) -> None:
    with pytest.raises(OperationalError, match="no-such-file"):
        host.run(ScanChunks((A,), ("a",)), ChunkFiles(("/no-such-file",), ("a",), 1), {})


def test_the_child_loads_no_parser_and_no_planner() -> None:
    code = "import eau2.kernels.worker, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    assert "eau2.kernels.runner" in loaded
    for room in ("eau2.sql", "eau2.planner", "eau2.kv", "eau2.engine", "eau2.connection"):
        assert not [module for module in loaded if module.startswith(room)]
    assert not {"lark", "asyncio", "sqlite3", "prompt_toolkit", "duckdb"}.intersection(loaded)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_crash_costs_the_task_alone(host: SubprocessHost, number: signal.Signals) -> None:
    host.run(LEFT, None, {0: NUMBERS})
    (pid,) = host.process_ids()
    threading.Timer(0.2, os.kill, (pid, number)).start()
    with pytest.raises(KernelLostError, match=number.name) as found:
        host.run(PAIRS, None, {0: NUMBERS, 1: OTHERS})
    assert found.value.retryable
    assert host.run(LEFT, None, {0: NUMBERS}).equals(NUMBERS)
    assert pid not in host.process_ids()


def test_a_process_that_dies_idle_costs_nothing(host: SubprocessHost) -> None:
    host.run(LEFT, None, {0: NUMBERS})
    (pid,) = host.process_ids()
    os.kill(pid, signal.SIGKILL)
    # Its threads end one by one; only then it is dead.
    until(lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None)
    assert host.run(LEFT, None, {0: NUMBERS}).equals(NUMBERS)


def state(pid: int) -> str:
    """R, S, Z ... as the operating system says; nothing when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not come about in time"
        time.sleep(0.005)


def test_too_much_memory_ends_the_query_and_not_the_node(host: SubprocessHost) -> None:
    # Up to some rows of input the engine in use does not spill.
    few = {0: NUMBERS.head(25_000), 1: OTHERS.head(25_000)}
    with pytest.raises(OperationalError, match=f"the node's {MEMORY_BYTES} bytes") as found:
        host.run(ALIKE, None, few)
    assert not isinstance(found.value, KernelLostError)
    assert host.run(LEFT, None, {0: NUMBERS}).equals(NUMBERS)


def test_too_much_to_spill_ends_the_query(host: SubprocessHost) -> None:
    with pytest.raises(OperationalError, match="more disk"):
        host.run(EVERYTHING, None, {0: NUMBERS, 1: OTHERS})
    assert host.run(LEFT, None, {0: NUMBERS}).equals(NUMBERS)


def test_cancels_at_random_moments_leave_nothing() -> None:
    host = SubprocessHost(threads=1, processes=2)
    try:
        host.run(LEFT, None, {0: NUMBERS})
        before, pids = open_files(), set(host.process_ids())
        random_ = random.Random(5)
        for _ in range(20):
            cancel = Cancel()
            struck = [0.0]

            def strike(cancel: Cancel = cancel, struck: list[float] = struck) -> None:
                struck[0] = time.monotonic()
                cancel.cancel()

            threading.Timer(random_.random() ** 2 * 0.2, strike).start()
            with pytest.raises(CancelledError):
                host.run(PAIRS, None, {0: NUMBERS, 1: OTHERS}, cancel)
            assert time.monotonic() - struck[0] < 1.0
            pids |= set(host.process_ids())
        assert host.run(LEFT, None, {0: NUMBERS}).equals(NUMBERS)
        until(lambda: len(host.process_ids()) == 2)
        left = set(host.process_ids())
        until(lambda: not [pid for pid in pids - left if state(pid)])
        until(lambda: open_files() <= before + 2)
    finally:
        host.close()
    assert not [pid for pid in pids if state(pid)]


def test_a_deadline_ends_a_run_and_a_wait(host: SubprocessHost) -> None:
    started = time.monotonic()
    with pytest.raises(DeadlineError):
        host.run(PAIRS, None, {0: NUMBERS, 1: OTHERS}, Cancel(0.2))
    with pytest.raises(DeadlineError):
        host.run(LEFT, None, {0: NUMBERS}, Cancel(0.0))
    assert time.monotonic() - started < 3.0
    done = Cancel()
    done.cancel()
    with pytest.raises(CancelledError):
        host.run(LEFT, None, {0: NUMBERS}, done)
    assert host.run(LEFT, None, {0: NUMBERS}, Cancel(60.0)).equals(NUMBERS)


def test_a_late_cancel_does_not_touch_the_next_run(host: SubprocessHost) -> None:
    cancel = Cancel()
    host.run(LEFT, None, {0: NUMBERS}, cancel)
    before = host.process_ids()
    cancel.cancel()
    assert host.run(LEFT, None, {0: NUMBERS}).equals(NUMBERS)
    assert host.process_ids() == before


def test_runs_share_the_processes() -> None:
    host = SubprocessHost(threads=1, processes=2)
    found: list[bool] = []

    def work(number: int) -> None:
        plus = Project(LEFT, ((A, bind_function("+", (ref(A), Literal(types.BIGINT, number)))),))
        for _ in range(20):
            rows = host.run(plus, None, {0: NUMBERS})
            found.append(rows.item(5, 0) == 5 + number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    host.close()
    assert found == [True] * 100


PARENT = """
import os, signal, sys, threading
from eau2.kernels.subprocess import SubprocessHost
from tests.unit.test_subprocess_host import LEFT, NUMBERS, OTHERS, PAIRS
host = SubprocessHost(threads=1, memory_bytes=1 << 30, spill_place=sys.argv[1])
host.run(LEFT, None, {0: NUMBERS})
print(*host.process_ids(), flush=True)
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGKILL)).start()
host.run(PAIRS, None, {0: NUMBERS, 1: OTHERS})
"""


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    parent = subprocess.run(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert parent.returncode == -signal.SIGKILL, parent.stderr
    (pid,) = (int(word) for word in parent.stdout.split())
    until(lambda: state(pid) in ("", "Z"))
    # Its directory waits for the next host, which finds its lock free.
    assert len(list(tmp_path.iterdir())) == 1
    spill = SpillDirectory(str(tmp_path))
    assert list(tmp_path.iterdir()) == [spill.path]
    spill.close()
    assert list(tmp_path.iterdir()) == []


def test_a_living_host_keeps_its_spill_directory(tmp_path: Path) -> None:
    one, other = SpillDirectory(str(tmp_path)), SpillDirectory(str(tmp_path))
    (one.path / "123").mkdir()
    (one.path / "123" / "file").touch()
    (one.path / "124").mkdir()
    one.forget(123)
    assert sorted(tmp_path.iterdir()) == sorted([one.path, other.path])
    assert [left.name for left in one.path.iterdir()] == ["124"]
    one.close()
    other.close()
    assert list(tmp_path.iterdir()) == []


def test_close_leaves_nothing(tmp_path: Path) -> None:
    # What earlier tests have left to the collector closes now, not in between.
    gc.collect()
    before = open_files()
    host = SubprocessHost(threads=1, memory_bytes=1 << 30, spill_place=str(tmp_path))
    host.run(LEFT, None, {0: NUMBERS})
    pids = host.process_ids()
    found: list[Error | int] = []

    def work() -> None:
        few = {0: NUMBERS.head(5_000), 1: OTHERS.head(5_000)}
        found.append(host.run(PAIRS, None, few).height)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.02)
    host.close()
    thread.join(10)
    assert found == [1]
    assert not [pid for pid in pids if state(pid)]
    assert list(tmp_path.iterdir()) == []
    gc.collect()
    assert open_files() == before
    with pytest.raises(InterfaceError):
        host.run(LEFT, None, {0: NUMBERS})


def test_a_process_that_cannot_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no-such-python")
    host = SubprocessHost(threads=1)
    for _ in range(2):
        with pytest.raises(OperationalError, match="cannot be started"):
            host.run(LEFT, None, {0: NUMBERS})
    host.close()
