"""Connections to several nodes: which statements another node is asked when one is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa
import pytest

import eau2
from eau2.errors import (
    BusyError,
    OutcomeUnknownError,
    PeerLostError,
    UnreachableError,
    UsageError,
)
from eau2.net.address import parse_addresses
from eau2.net.arrow import encode_table
from eau2.net.blocking import LoopThread
from eau2.net.connection import Answer
from eau2.net.message import PutFrame, Rows, Statement, StatementResult
from eau2.net.server import Server
from eau2.net.stream import Received, Stream
from eau2.repeating import changes_nothing, leaves_state
from tests.cluster.nodes import in_process
from tests.conftest import Cli
from tests.wire.echo import ANY_PORT

NOBODY = "127.0.0.1:1"


@dataclass
class Node:
    """A node that answers each statement with a row, its number, and ends when it is told to.

    dies_at: the text with which its connections break, after so many answers' rows.
    """

    number: int
    store_id: str = "store"
    dies_at: str = ""
    rows_before: int = 0
    busy: bool = False
    asked: list[str] = field(default_factory=list)
    server: Server | None = None

    async def handle(self, received: Received, stream: Stream) -> Answer:
        match received.message:
            case PutFrame(name=text) | Statement(text=text):
                self.asked.append(text)
        if self.busy:
            raise BusyError("the node is stopping", hint="Ask another node.")
        row = pa.table({"a": pa.array([self.number], pa.int64())})
        if self.dies_at and text.startswith(self.dies_at):
            for _ in range(self.rows_before):
                await stream.send(Rows(1), encode_table(row))
            if isinstance(received.message, PutFrame):
                while await stream.receive() is not None:
                    pass
            await self.die()
        if isinstance(received.message, PutFrame):
            while await stream.receive() is not None:
                pass
            return None
        if isinstance(received.message, Statement) and received.message.format == "csv":
            await stream.send(Rows(1), [f"{self.number}\n".encode()])
        else:
            await stream.send(Rows(1), encode_table(row))
        return StatementResult((("a", "BIGINT"),), 1)

    async def die(self) -> None:
        """End its connections as a killed process does; one that comes up again listens."""
        assert self.server is not None
        for connection in list(self.server._connections):
            connection._channel.close(None)

    async def start(self) -> str:
        self.server = Server(self.handle, store_id=self.store_id, name=f"n{self.number}")
        return str(await self.server.start(ANY_PORT))


@contextmanager
def running(*nodes: Node) -> Iterator[str]:
    """Their URL."""
    thread = LoopThread()
    try:
        yield "eau2://" + ",".join([thread.run(node.start()) for node in nodes])
    finally:
        for node in nodes:
            assert node.server is not None
            thread.run(node.server.stop(0))
        thread.close()


Ask = Callable[[eau2.Connection, str], object]


def whole(connection: eau2.Connection, text: str) -> object:
    return connection.sql(text).fetchall()


def streamed(connection: eau2.Connection, text: str) -> object:
    return [(row["a"],) for row in connection.stream(text).read_all().to_pylist()]


@pytest.mark.parametrize("ask", [whole, streamed])
@pytest.mark.parametrize(
    "text", ["SELECT 1", "FROM t", "SHOW TABLES", "WITH x AS (SELECT 1) FROM x"]
)
def test_what_changes_nothing_is_asked_at_the_next_node(ask: Ask, text: str) -> None:
    one, two = Node(1, dies_at=text), Node(2)
    with running(one, two) as url, eau2.connect(url) as connection:
        assert ask(connection, text) == [(2,)]
        assert (one.asked, two.asked) == ([text], [text])
        assert ask(connection, "SELECT 2") == [(2,)]


@pytest.mark.parametrize(
    "text", ["INSERT INTO t VALUES (1)", "CREATE TABLE u AS FROM t", "DROP TABLE t"]
)
@pytest.mark.parametrize("ask", [whole, streamed])
def test_what_changes_something_is_never_repeated(ask: Ask, text: str) -> None:
    one, two = Node(1, dies_at=text), Node(2)
    with running(one, two) as url, eau2.connect(url) as connection:
        with pytest.raises(OutcomeUnknownError, match="cannot be told"):
            ask(connection, text)
        assert (one.asked, two.asked) == ([text], [])
        assert ask(connection, text) == [(2,)], "asked by the user, at the next node"


def test_rows_that_have_come_are_not_asked_for_again() -> None:
    one, two = Node(1, dies_at="SELECT", rows_before=1), Node(2)
    with running(one, two) as url, eau2.connect(url) as connection:
        batches = connection.stream("SELECT 1")
        next(iter(batches))
        with pytest.raises(PeerLostError, match="run it again"):
            batches.read_all()
        assert two.asked == []


@pytest.mark.parametrize(
    "text", ["SET chunk_rows = 7", "PREPARE p AS SELECT 1", "CREATE TEMP TABLE t AS SELECT 1"]
)
def test_what_a_connection_has_set_is_not_lost_in_silence(text: str) -> None:
    one, two = Node(1, dies_at="SELECT"), Node(2)
    with running(one, two) as url, eau2.connect(url) as connection:
        connection.sql(text)
        for _ in range(2):
            with pytest.raises(PeerLostError, match="registered frames are gone"):
                connection.sql("SELECT 1")
        assert two.asked == []


def test_a_registered_frame_is_not_lost_in_silence() -> None:
    one, two = Node(1, dies_at="SELECT"), Node(2)
    with running(one, two) as url, eau2.connect(url) as connection:
        connection.register("t", pa.table({"a": [1]}))
        with pytest.raises(PeerLostError, match="registered frames are gone"):
            connection.stream("SELECT 1").read_all()
        assert two.asked == []


def test_a_put_whose_rows_were_all_sent_may_have_happened() -> None:
    one, two = Node(1, dies_at="t"), Node(2)
    with running(one, two) as url, eau2.connect(url) as connection:
        with pytest.raises(OutcomeUnknownError, match="cannot be told"):
            connection.put("t", pa.table({"a": [1]}))
        connection.put("t", pa.table({"a": [1]}))
        assert two.asked == ["t"]


def test_a_stopping_node_is_left_for_the_next() -> None:
    one, two = Node(1, busy=True), Node(2)
    with running(one, two) as url, eau2.connect(url) as connection:
        assert whole(connection, "SELECT 1") == [(2,)]
    one, two = Node(1, busy=True), Node(2, busy=True)
    with running(one, two) as url, eau2.connect(url) as connection:
        with pytest.raises(BusyError):
            whole(connection, "SELECT 1")
        assert len(one.asked) == len(two.asked) == 1


def test_each_node_is_asked_once() -> None:
    one, two = Node(1, dies_at="SELECT"), Node(2, dies_at="SELECT")
    with running(one, two) as url, eau2.connect(url) as connection:
        with pytest.raises(PeerLostError):
            whole(connection, "SELECT 1")
        assert len(one.asked) == len(two.asked) == 1


def test_the_first_that_can_be_reached_is_taken() -> None:
    two = Node(2)
    with running(two) as url:
        address = url.removeprefix("eau2://")
        for several in (f"eau2://{NOBODY},{address}", f"eau2://{NOBODY},eau2://{address}"):
            with eau2.connect(several) as connection:
                assert whole(connection, "SELECT 1") == [(2,)]
    with pytest.raises(UnreachableError, match="none of the nodes") as raised:
        eau2.connect(f"eau2://{NOBODY},127.0.0.1:2")
    assert "127.0.0.1:1" in str(raised.value)
    assert "127.0.0.1:2" in str(raised.value)
    with pytest.raises(UsageError):
        parse_addresses("eau2://a:1,,b:2")


def test_a_node_of_another_store_does_not_take_over() -> None:
    one, two = Node(1, dies_at="SELECT"), Node(2, store_id="other")
    with running(one, two) as url, eau2.connect(url) as connection:
        with pytest.raises(PeerLostError):
            whole(connection, "SELECT 1")
        assert two.asked == []


def test_with_one_address_the_error_says_what_to_do() -> None:
    one = Node(1, dies_at="SELECT")
    with running(one) as url, eau2.connect(url) as connection:
        with pytest.raises(PeerLostError, match="run it again, at another node"):
            whole(connection, "SELECT 1")
        # It is there again.
        one.dies_at = ""
        assert whole(connection, "SELECT 1") == [(1,)]
        whole(connection, "SET chunk_rows = 7")
        assert not connection.lost
        one.dies_at = "SELECT"
        for _ in range(2):
            with pytest.raises(PeerLostError, match="Connect again"):
                whole(connection, "SELECT 1")
            assert connection.lost


def test_what_is_lent_is_for_one_statement() -> None:
    one, two = Node(1, dies_at="SELECT 2"), Node(2)
    with running(one, two) as url, eau2.connect(url) as connection:
        connection.lend("t", pa.table({"a": [1]}))
        assert whole(connection, "SELECT 1") == [(1,)]
        assert whole(connection, "SELECT 2") == [(2,)]
        one.dies_at, two.dies_at = "", "SELECT 3"
        connection.lend("t", pa.table({"a": [1]}))
        with pytest.raises(PeerLostError, match="run it again"):
            whole(connection, "SELECT 3")
        assert one.asked == ["t", "SELECT 1", "SELECT 2"]
        assert whole(connection, "SELECT 4") == [(1,)]


def test_the_command_line_goes_on_with_the_next(main: Cli) -> None:
    one, two = Node(1, dies_at="SELECT"), Node(2)
    with running(one, two) as url:
        done = main("query", "--connect", f"{NOBODY},{url}", "--format", "csv", "SELECT 1")
        assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")
    one, two = Node(1, dies_at="INSERT"), Node(2)
    with running(one, two) as url:
        done = main("query", "--connect", url, "--format", "csv", "INSERT INTO t VALUES (1)")
        assert done.returncode == 1
        assert "cannot be told" in done.stderr
        assert two.asked == []


def test_which_statements_change_nothing() -> None:
    for text in ("SELECT 1; FROM t", "EXPLAIN ANALYZE SELECT 1", "SET chunk_rows = 1; SHOW ALL"):
        assert changes_nothing(text)
    for text in (
        "SELECT 1; DROP TABLE t",
        "EXECUTE p",
        "no statement",
        "CREATE VIEW v AS SELECT 1",
    ):
        assert not changes_nothing(text)
    for text in ("SELECT 'set'", "SELECT temp FROM t", "CREATE TABLE t AS SELECT 1"):
        assert not leaves_state(text)
    for text in (
        "set chunk_rows = 1",
        "SELECT 1; PREPARE p AS SELECT 1",
        "CREATE TEMP VIEW v AS SELECT 1",
    ):
        assert leaves_state(text)


def test_real_nodes_take_over_from_one_another() -> None:
    with in_process(3) as nodes:
        urls = nodes.urls
        with eau2.connect(urls[0]) as connection:
            connection.put("t", pa.table({"a": [1, 2, 3]}))
        with eau2.connect(",".join((urls[2], urls[1]))) as connection:
            assert connection.sql("SELECT sum(a) FROM t").fetchall() == [(6,)]
            nodes.thread.run(nodes.nodes[2].stop(0))
            assert connection.sql("SELECT sum(a) FROM t").fetchall() == [(6,)]
            assert connection.tables() == ("t",)
            assert connection.describe("t").rows == 3
