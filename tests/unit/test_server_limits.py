"""The front door: cancellation, slow and greedy clients, and what is logged."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pyarrow as pa
import pytest

from eau2.config import DOOR, LIMITS
from eau2.errors import (
    BusyError,
    CancelledError,
    DeadlineError,
    Error,
)
from eau2.net.message import Rows, Statement, StatementResult
from eau2.records import replace
from tests.unit.front_door import (
    NUMBERS,
    Deaf,
    Door,
    ask,
    door,
    fill,
    values,
)


@pytest.fixture(name="front")
def _front() -> Iterator[Door]:
    with door() as front:
        yield front


def test_statements_of_one_connection_run_one_at_a_time(front: Door) -> None:
    connection, other = front.connect(), front.connect()
    front.host.open.clear()
    first = connection.open(Statement("SELECT 1"), end=True)
    second = connection.open(Statement("SELECT 2"), end=True)
    front.wait(lambda: front.host.running == 1)
    third = other.open(Statement("SELECT 3"), end=True)
    front.wait(lambda: front.host.running == 2)
    assert front.host.runs == 2
    front.host.open.set()
    for stream in (first, second, third):
        assert [type(received.message) for received in stream] == [Rows, StatementResult]
    connection.close()
    other.close()


@pytest.mark.parametrize("end", ["cancel", "close", "deadline"])
def test_nothing_goes_on_for_whoever_has_gone(front: Door, end: str) -> None:
    fill(front.store, "t", NUMBERS)
    connection, other = front.connect(), front.connect()
    front.host.open.clear()
    deadline_s = 0.2 if end == "deadline" else 60
    stream = connection.open(Statement("SELECT sum(a) FROM t"), end=True, deadline_s=deadline_s)
    front.wait(lambda: front.host.running == 1)
    start = time.monotonic()
    match end:
        case "cancel":
            stream.cancel()
        case "close":
            connection.close()
        case _:
            with pytest.raises(DeadlineError):
                stream.receive()
    front.wait(lambda: front.host.running == 0)
    assert time.monotonic() - start < 1
    front.host.open.set()
    if end != "close":
        assert values(connection, "SELECT 1") == [(1,)]
        connection.close()
    front.wait(lambda: front.sessions == 0)
    assert values(other, "SELECT 2") == [(2,)]
    other.close()


def test_a_kernel_that_cannot_be_stopped_holds_up_its_own_session_alone() -> None:
    with door(limits=replace(DOOR, cancel_s=0.05), kernels=Deaf) as front:
        connection, other = front.connect(), front.connect()
        front.host.open.clear()
        stream = connection.open(Statement("SELECT 1"), end=True)
        front.wait(lambda: front.host.running == 1)
        stream.cancel()
        following = connection.open(Statement("SELECT 2"), end=True)
        assert values(other, "SHOW TABLES") == []
        time.sleep(0.1)
        assert front.host.running == 1
        front.host.open.set()
        assert [type(received.message) for received in following] == [Rows, StatementResult]
        connection.close()
        other.close()


LONG = "SELECT CAST(a AS VARCHAR) || '" + "x" * 40 + "' AS s FROM t"
CHUNKS = 12


def fill_many(front: Door) -> int:
    """A frame `t` whose chunks are each a task of its own when they go to a client."""
    rows = LIMITS.result_run_rows // 2 + 1
    column = pa.array(range(rows), pa.int32())
    batches = (pa.RecordBatch.from_arrays([column], names=["a"]) for _ in range(CHUNKS))
    front.store.put("t", pa.schema({"a": pa.int32()}), batches, chunk_rows=rows)
    return rows * CHUNKS


def test_a_client_that_does_not_read_takes_no_thread_and_stops_its_query() -> None:
    with door(limits=replace(DOOR, running=1)) as front:
        total = fill_many(front)
        slow, quick = front.connect(), front.connect()
        stream = slow.open(Statement(LONG), end=True)
        front.wait(lambda: front.host.runs > 0)
        for number in range(20):
            assert values(quick, f"SELECT {number}") == [(number,)]
        time.sleep(0.2)
        assert front.host.runs <= 20 + 3
        rows = 0
        for received in stream:
            rows += received.message.rows if isinstance(received.message, Rows) else 0
        assert rows == total
        assert front.host.runs == 20 + CHUNKS
        slow.close()
        quick.close()


@pytest.mark.parametrize("form", ["rows", "csv", "arrow"])
def test_a_query_ends_when_its_slow_reader_cancels(front: Door, form: str) -> None:
    fill_many(front)
    connection = front.connect()
    stream = connection.open(Statement(LONG, format=form), end=True)
    assert stream.receive() is not None
    stream.cancel()
    with pytest.raises(CancelledError):
        list(stream)
    assert values(connection, "SELECT 1") == [(1,)]
    assert front.host.runs < CHUNKS
    connection.close()


def test_more_than_a_node_takes_on_is_refused_at_once() -> None:
    with door(limits=replace(DOOR, running=1, waiting=2)) as front:
        front.host.open.clear()
        connections = [front.connect() for _ in range(4)]
        streams = [c.open(Statement("SELECT 1"), end=True) for c in connections[:3]]
        front.wait(lambda: front.host.running == 1)
        front.wait(lambda: front.sessions == 3)
        with pytest.raises(BusyError):
            ask(connections[3], "SELECT 1")
        streams[1].cancel()
        front.wait(lambda: front.front._runners._asked == 2)
        again = connections[3].open(Statement("SELECT 4"), end=True)
        front.host.open.set()
        for stream in (streams[0], streams[2], again):
            assert len(list(stream)) == 2
        for connection in connections:
            connection.close()
    with door(limits=replace(DOOR, statements=0)) as front:
        connection = front.connect()
        with pytest.raises(BusyError, match="0 statements"):
            ask(connection, "SELECT 1")
        connection.close()


def test_logs_name_the_query(front: Door, caplog: pytest.LogCaptureFixture) -> None:
    connection = front.connect()
    with caplog.at_level(logging.INFO, "eau2.server"):
        with connection.open(Statement("SELECT 1"), end=True, query="q42") as stream:
            list(stream)
        with pytest.raises(Error):
            ask(connection, "SELECT")
    told = [r for r in caplog.records if r.name == "eau2.server"]
    assert getattr(told[0], "query", "") == "q42"
    assert "done" in told[0].getMessage()
    assert "SqlSyntaxError" in told[-1].getMessage()
    assert getattr(told[-1], "query", "") not in ("", "q42")
    connection.close()
