"""A connection to a node: the API of the embedded one, and what only a network can do to it."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest

import eau2
from eau2.connection import Connection
from eau2.errors import (
    CancelledError,
    DeadlineError,
    Error,
    HandshakeError,
    InputFileError,
    InterfaceError,
    NameExistsError,
    NotSupportedError,
    OutcomeUnknownError,
    ProtocolError,
    UnknownNameError,
    UnreachableError,
    UsageError,
)
from eau2.net.arrow import encode_table
from eau2.net.blocking import LoopThread
from eau2.net.connection import Answer
from eau2.net.message import ChunkResult, DescribeFrame, Piece, Rows, Statement, StatementResult
from eau2.net.server import Server
from eau2.net.stream import Received, Stream
from tests.cluster.nodes import in_process
from tests.processes import ROOT
from tests.wire.echo import ANY_PORT

DF = str(ROOT / "examples" / "df.csv")
TABLE = pa.table({"a": [1, 2, 3], "s": ["x", None, "z"], "d": [0.5, float("nan"), None]})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """One of two nodes."""
    with in_process(2) as nodes:
        yield nodes.urls[1]


@pytest.fixture
def remote(url: str) -> Iterator[Connection]:
    """A connection to a node that holds the frame t."""
    with eau2.connect(url) as connection:
        connection.put("t", TABLE, replace=True)
        yield connection
        for name in connection.tables():
            connection.drop(name)


@pytest.fixture
def local() -> Iterator[Connection]:
    """The same, embedded."""
    with eau2.connect() as connection:
        connection.put("t", TABLE)
        yield connection


STATEMENTS = [
    "SELECT * FROM t ORDER BY a",
    "SELECT count(*) AS n, sum(a), avg(a) FROM t WHERE a > 1",
    "SELECT a, a, a + 1 AS a FROM t ORDER BY 1",
    "SELECT a FROM t WHERE a > 9",
    "SELECT NULL AS n, TRUE AS b, DATE '2020-01-02' AS d, CAST(1.5 AS DECIMAL(30, 2)) AS w",
    "SELECT CAST('170141183460469231731687303715884105727' AS HUGEINT) % 1000 AS h",
    "SELECT 1 AS x; SELECT 2 AS y",
    "SET chunk_rows = 7",
    "SHOW ALL",
    "SHOW TABLES",
    "DESCRIBE t",
    "EXPLAIN SELECT 1",
]


@pytest.mark.parametrize("text", STATEMENTS)
def test_results_are_those_of_the_embedded_connection(
    remote: Connection, local: Connection, text: str
) -> None:
    here, there = local.sql(text), remote.sql(text)
    assert (there.names, there.types, there.rows) == (here.names, here.types, here.rows)
    assert there.to_arrow().schema == here.to_arrow().schema
    assert repr(there) == repr(here)
    assert str(there.fetchall()) == str(here.fetchall())
    streamed = remote.stream(text)
    assert streamed.schema == local.stream(text).schema
    assert str(streamed.read_all().to_pylist()) == str(here.to_arrow().to_pylist())


WRONG: list[Callable[[Connection], object]] = [
    lambda c: c.sql("SELECT a FRM t"),
    lambda c: c.sql("SELECT\n  b FROM t"),
    lambda c: c.sql("SELECT * FROM nope"),
    lambda c: c.sql("SELECT a // 0 + 9223372036854775807 + a FROM t"),
    lambda c: c.sql("SELECT CAST(s AS INTEGER) FROM t"),
    lambda c: c.sql(""),
    lambda c: c.sql("SELECT ?"),
    lambda c: c.sql("SET nothing = 1"),
    lambda c: c.sql("SELECT 1", "params"),
    lambda c: c.sql("SELECT 1", timeout=0),
    lambda c: c.describe("nope"),
    lambda c: c.get("nope"),
    lambda c: c.drop("nope"),
    lambda c: c.put("t", TABLE),
    lambda c: c.put("u", 5),
    lambda c: c.put("u", "nowhere.csv"),
    lambda c: c.put("", TABLE),
    lambda c: c.put("u", pa.table({"l": [{"x": 1}]})),
    lambda c: c.put("u", pa.table({"a": [1], "A": [2]})),
    lambda c: c.put("u", pa.table({})),
    lambda c: c.rollback(),
    lambda c: c.stream("SELECT b FROM t"),
]


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_errors_are_those_of_the_embedded_connection(
    remote: Connection, local: Connection, number: int
) -> None:
    errors = []
    for connection in (local, remote):
        with pytest.raises(Error) as caught:
            WRONG[number](connection)
        errors.append(caught.value)
    here, there = errors
    assert type(there) is type(here)
    assert there.render() == here.render()
    assert remote.sql("SELECT 1").fetchall() == [(1,)]
    assert remote.tables() == ("t",)


VALUES = [
    *(None, True, 5, -(2**63), 2**64 - 1, 2**100, 1.5, "é", "", Decimal("1.50")),
    *(Decimal("1E+3"), date(2020, 1, 2), datetime(2020, 1, 2, 3, 4, 5, 6)),
]


def test_parameters(remote: Connection, local: Connection) -> None:
    text = f"SELECT {', '.join('?' for _ in VALUES)}"
    here, there = local.sql(text, VALUES), remote.sql(text, VALUES)
    assert (there.types, there.fetchall()) == (here.types, here.fetchall())
    assert remote.sql("SELECT $n + 1", {"n": 2}).fetchall() == [(3,)]
    lists: list[object] = [[1, None], ["a", "b"], [[date(2020, 1, 2)], []], (Decimal("1.50"),), []]
    text = f"SELECT {', '.join('?' for _ in lists)}"
    here, there = local.sql(text, lists), remote.sql(text, lists)
    assert (there.types, there.fetchall()) == (here.types, here.fetchall())
    with pytest.raises(NotSupportedError, match="list of bytes"):
        remote.sql("SELECT ?", [[b"x"]])
    with pytest.raises(NotSupportedError, match="cannot be sent"):
        remote.sql("SELECT 1 -- " + "x" * (1 << 20))


ARROW = pa.table(
    {
        "dictionary": pa.array(["x", "y", None, "x"]).dictionary_encode(),
        "large": pa.array(["a", "b", "c", None], pa.large_string()),
        "view": pa.array(["a", None, "c" * 50, "d"], pa.string_view()),
        "nothing": pa.nulls(4),
        "half": pa.array([1.5, None, 0.0, -0.0], pa.float16()),
        "wide": pa.array([Decimal("1.50"), None, Decimal(7), Decimal(-1)], pa.decimal128(30, 2)),
        "date64": pa.array([date(2020, 1, 2), None, date(1969, 1, 1), None], pa.date64()),
        "second": pa.array([0, 1, None, -1], pa.timestamp("s")),
        "nano": pa.array([0, 1999, None, -1], pa.timestamp("ns")),
        "unsigned": pa.array([0, 1, None, 2**64 - 1], pa.uint64()),
        "truth": pa.array([True, None, False, True]),
    }
).replace_schema_metadata({"pandas": "{}"})


@pytest.mark.parametrize("way", ["put", "register"])
def test_every_arrow_type_goes_in_as_embedded(
    remote: Connection, local: Connection, way: str
) -> None:
    for connection in (remote, local):
        getattr(connection, way)("f", ARROW.slice(1))
    here, there = local.get("f"), remote.get("f")
    assert (there.types, there.fetchall()) == (here.types, here.fetchall())
    described = remote.describe("f")
    assert (described.schema, described.rows) == (local.describe("f").schema, 3)
    assert [s.null_count for s in described.statistics] == [
        s.null_count for s in local.describe("f").statistics
    ]


def test_files_are_read_here_and_every_node_has_them(remote: Connection, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("a\n1\n")
    (tmp_path / "two.csv").write_text("a\n2\n")
    remote.put("files", [tmp_path / "one.csv", tmp_path / "two.csv"])
    assert sorted(remote.get("files").fetchall()) == [(1,), (2,)]
    remote.put("df", DF)
    assert remote.tables() == ("df", "files", "t")
    assert remote.sql("SELECT count(*) FROM df").fetchall() == [(60,)]


def test_chunks_have_the_rows_that_are_set(remote: Connection) -> None:
    remote.execute("SET chunk_rows = 2")
    remote.put("c", pa.table({"a": range(5)}))
    assert [chunk.rows for chunk in remote.describe("c").chunks] == [2, 2, 1]


def test_many_small_batches_and_few_large_values(remote: Connection) -> None:
    schema = pa.schema([("s", pa.string_view())])
    sizes = [1] * 3000 + [9 << 20] + [1] * 10 + [3 << 20] * 4
    batches = (pa.record_batch([pa.array(["x" * n], pa.string_view())], schema) for n in sizes)
    remote.put("b", pa.RecordBatchReader.from_batches(schema, batches))
    got = remote.sql("SELECT count(*), sum(length(s)) FROM b").fetchall()
    assert got == [(len(sizes), sum(sizes))]
    lengths = [
        len(s.as_py()) for batch in remote.stream("SELECT s FROM b") for s in batch.column(0)
    ]
    assert lengths == sizes


def test_registered_frames_belong_to_the_connection(remote: Connection, url: str) -> None:
    remote.register("mine", TABLE)
    remote.register("mine", TABLE.slice(1))
    assert remote.get("mine").rows == 2
    with eau2.connect(url) as other:
        assert other.tables() == ("t",)
        with pytest.raises(UnknownNameError):
            other.get("mine")
    remote.drop("mine")
    assert remote.tables() == ("t",)


def test_a_source_that_fails_puts_nothing(remote: Connection) -> None:
    def rows() -> Iterator[pa.RecordBatch]:
        yield from TABLE.to_batches()
        raise InputFileError("the file ends early")

    with pytest.raises(InputFileError, match="ends early"):
        remote.put("u", pa.RecordBatchReader.from_batches(TABLE.schema, rows()))
    assert remote.tables() == ("t",)
    with pytest.raises(NameExistsError):
        remote.put("t", pa.table({"a": ["x" * 1000] * 20_000}))
    assert remote.get("t").rows == 3


def test_cursors(remote: Connection) -> None:
    with remote.cursor() as cursor:
        cursor.execute("SELECT a, s FROM t WHERE a > ? ORDER BY a", [1])
        assert cursor.rowcount == 2
        assert cursor.fetchone() == (2, None)
        assert cursor.fetchall() == [(3, "z")]


@pytest.mark.parametrize("side", ["remote", "local"])
def test_batches(side: str, request: pytest.FixtureRequest) -> None:
    connection: Connection = request.getfixturevalue(side)
    text = "SELECT a FROM t ORDER BY a"
    assert pl.DataFrame(connection.stream(text)).to_series().to_list() == [1, 2, 3]
    batches = connection.stream(text)
    assert batches.read_next_batch().num_columns == 1
    batches.close()
    batches.close()
    assert list(batches) == []
    with connection.stream(text) as batches:
        assert duckdb.from_arrow(batches).fetchall() == [(1,), (2,), (3,)]
    assert connection.stream("SET chunk_rows = 5").read_all().num_columns == 0


def test_batches_are_read_before_something_else_is_asked(remote: Connection) -> None:
    rows = 4_000_000
    remote.put("big", pa.table({"a": range(rows)}))
    batches = remote.stream("SELECT a FROM big")
    with pytest.raises(InterfaceError, match="still being read"):
        remote.sql("SELECT 1")
    assert sum(batch.num_rows for batch in batches) == rows
    assert remote.sql("SELECT 1").fetchall() == [(1,)]
    first = next(remote.stream("SELECT a FROM big"))
    assert first.num_rows > 0
    # Nobody holds those batches any more, which has ended their query.
    gc.collect()
    assert remote.sql("SELECT count(*) FROM big").fetchall() == [(rows,)]


Said = list[tuple[Rows | StatementResult | Piece, pa.Table | None]]


class Odd:
    """A node whose answers a test chooses by the statement's text."""

    def __init__(self) -> None:
        self.answers: dict[str, Said] = {}
        self.begun = threading.Event()
        self.cancelled = threading.Event()

    async def handle(self, received: Received, stream: Stream) -> Answer:
        """Answer a statement."""
        match received.message:
            case DescribeFrame():
                await stream.send(ChunkResult(0, 7, ""))
                await stream.send(Piece(0), [b"not all"[: len(received.message.name)]])
                return None
            case Statement(text="sleep"):
                self.begun.set()
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    self.cancelled.set()
                    raise
            case Statement(text=text):
                for message, table in self.answers.get(text, []):
                    await stream.send(message, [] if table is None else encode_table(table))
        return None


@contextmanager
def odd() -> Iterator[tuple[str, Odd, Callable[[], None]]]:
    """Its address, itself, and what stops it."""
    thread, handler = LoopThread(), Odd()

    async def start() -> Server:
        server = Server(handler.handle, store_id="store", name="n1")
        await server.start(ANY_PORT)
        return server

    server = thread.run(start())
    try:
        yield f"eau2://{server.address}", handler, lambda: thread.run(server.stop(0))
    finally:
        thread.run(server.stop(0))
        thread.close()


def interrupt_when(event: threading.Event) -> None:
    """Press Ctrl-C then. The system gives that signal to the main thread, as is done here."""
    event.wait()
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def stop_when(event: threading.Event, stop: Callable[[], None]) -> None:
    """Stop a node then."""
    event.wait()
    stop()


ONE = pa.table({"a": pa.array([1], pa.int64())})
INT64 = (("a", "BIGINT"),)
ODD_ANSWERS: dict[str, Said] = {
    "no result": [(Rows(1), ONE)],
    "no answer": [],
    "another message": [(Piece(0), ONE), (StatementResult(INT64, 1), None)],
    "another count": [(Rows(2), ONE), (StatementResult(INT64, 1), None)],
    "fewer rows": [(Rows(1), ONE), (StatementResult(INT64, 2), None)],
    "another type": [(Rows(1), ONE), (StatementResult((("a", "DOUBLE"),), 1), None)],
    "no such type": [(Rows(1), ONE), (StatementResult((("a", "LIST"),), 1), None)],
    "no such decimal": [(Rows(1), ONE), (StatementResult((("a", "DECIMAL(99,1)"),), 1), None)],
    "another name": [(Rows(1), ONE), (StatementResult((("b", "BIGINT"),), 1), None)],
    "more columns": [(Rows(1), ONE), (StatementResult((*INT64, ("b", "BIGINT")), 1), None)],
}


def test_answers_that_make_no_sense() -> None:
    with odd() as (url, handler, _), eau2.connect(url) as connection:
        handler.answers.update(ODD_ANSWERS)
        for text in ODD_ANSWERS:
            with pytest.raises(ProtocolError):
                connection.sql(text)
        handler.answers["two"] = [(Rows(1), ONE), (Rows(1), ONE.rename_columns(["b"]))]
        with pytest.raises(ProtocolError, match="several schemas"):
            connection.stream("two").read_all()
        for name in ("all", "not all"):
            with pytest.raises(ProtocolError):
                connection.describe(name)


def test_a_timeout_and_an_interrupt_cancel_at_the_node() -> None:
    with odd() as (url, handler, _), eau2.connect(url, timeout=1.0) as connection:
        handler.answers["ok"] = [(Rows(1), ONE), (StatementResult(INT64, 1), None)]
        for ask in (connection.sql, connection.stream):
            with pytest.raises((DeadlineError, CancelledError)):
                ask("sleep")
            assert handler.cancelled.wait(5)
            handler.begun.clear()
            handler.cancelled.clear()
            timer = threading.Thread(target=interrupt_when, args=(handler.begun,))
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                ask("sleep", timeout=30)
            timer.join()
            assert handler.cancelled.wait(5)
            handler.cancelled.clear()
            assert connection.sql("ok").fetchall() == [(1,)]


def test_a_lost_connection_is_said_to_be_lost() -> None:
    with odd() as (url, handler, stop), eau2.connect(url) as connection:
        killer = threading.Thread(target=stop_when, args=(handler.begun, stop))
        killer.start()
        # Whether a text that cannot be parsed changes something is not known here.
        with pytest.raises(OutcomeUnknownError, match=r"stopped|closed|broke"):
            connection.sql("sleep")
        killer.join()
        # Nothing was lost with it, so it is connected to again, in vain.
        with pytest.raises(UnreachableError, match=f"nobody listens at {url}"):
            connection.sql("SELECT 1")
    with pytest.raises(UnreachableError, match="nobody listens"):
        eau2.connect(url)
    with pytest.raises(InterfaceError, match="closed"):
        connection.sql("SELECT 1")


def test_what_connect_refuses(url: str) -> None:
    with pytest.raises(UsageError, match="the node's own"):
        eau2.connect(url, threads=2)
    with pytest.raises(UsageError, match="not the address"):
        eau2.connect("eau2://:7")
    for timeout in (0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="seconds above 0"):
            eau2.connect(url, timeout=timeout)
    assert issubclass(HandshakeError, UnreachableError)


def test_a_connection_that_is_let_go_leaves_no_thread(url: str) -> None:
    def loops() -> int:
        return sum(thread.name == "eau2" for thread in threading.enumerate())

    before = loops()
    connection = eau2.connect(url)
    assert loops() == before + 1
    del connection
    gc.collect()
    assert loops() == before


def test_an_embedded_timeout(local: Connection) -> None:
    with pytest.raises(DeadlineError):
        local.sql("SELECT sum(a) FROM t", timeout=1e-9)
    assert local.sql("SELECT sum(a) FROM t", timeout=60).fetchall() == [(6,)]
