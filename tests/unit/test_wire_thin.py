"""The thin client: the same bytes as the full one, next to no imports, and quick to give up."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from eau2.errors import Error, NotSupportedError, PeerLostError, ProtocolError, UnreachableError
from eau2.net.address import Address
from eau2.net.blocking import LoopThread
from eau2.net.codec import encode_message, kind_of
from eau2.net.connection import Answer
from eau2.net.frame import frame_buffers
from eau2.net.header import CREDIT_BYTES, END, OPEN
from eau2.net.message import (
    Credit,
    Hello,
    Message,
    Piece,
    Request,
    Rows,
    Statement,
    StatementResult,
)
from eau2.net.ring_message import LeaveRing
from eau2.net.server import Server
from eau2.net.stream import Received, Stream
from eau2.net.thin import Summary, ThinClient
from tests.processes import ROOT, environment
from tests.wire.echo import ANY_PORT

FORBIDDEN = {
    *("asyncio", "pyarrow", "polars", "lark", "dataclasses", "inspect", "ssl", "duckdb"),
    *("eau2.config", "eau2.types", "eau2.net.message", "eau2.connection", "encodings.idna"),
}


class Door:
    """A front door that knows a few statements."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.begun = threading.Event()
        self.cancelled = threading.Event()

    async def handle(self, received: Received, stream: Stream) -> Answer:
        """Answer a statement by its first word."""
        statement = received.message
        assert isinstance(statement, Statement)
        self.statements.append(statement)
        match statement.text.split():
            case ["rows", count, size]:
                for _ in range(int(count)):
                    await stream.send(Rows(1), [b"x" * int(size)])
                return StatementResult((("a", "BIGINT"), ("b", "VARCHAR")), int(count), 0.5), [b"."]
            case ["fail"]:
                raise NotSupportedError("not this")
            case ["odd"]:
                return Piece(0)
            case ["sleep"]:
                self.begun.set()
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    self.cancelled.set()
                    raise
        return StatementResult((), 0)


@contextmanager
def door() -> Iterator[tuple[Address, Door]]:
    """A server in a thread."""
    thread, handler = LoopThread(), Door()

    async def start() -> Server:
        server = Server(handler.handle, store_id="store", name="n1")
        await server.start(ANY_PORT)
        return server

    server = thread.run(start())
    try:
        yield server.address, handler
    finally:
        thread.run(server.stop(0))
        thread.close()


def test_statements_and_their_rows() -> None:
    with door() as (address, handler):
        client = ThinClient(address, store_id="store")
        got: list[bytes] = []
        summary = client.statement(
            "rows 3 5",
            lambda view: got.append(bytes(view)),
            parameters=[(1, "BIGINT", 5), ("n", "", None)],
            format="csv",
            width=80,
            settings={"a": "b"},
        )
        assert summary == Summary((("a", "BIGINT"), ("b", "VARCHAR")), 3, 0.5)
        assert got == [b"xxxxx"] * 3 + [b"."]
        assert handler.statements == [
            Statement("rows 3 5", ((1, "BIGINT", 5), ("n", "", None)), "csv", 80, {"a": "b"})
        ]
        with pytest.raises(NotSupportedError, match="not this"):
            client.statement("fail", print)
        with pytest.raises(ProtocolError, match="without a result"):
            client.statement("odd", print)
        assert client.statement("nothing", print) == Summary((), 0, 0.0)
        client.close()
        with pytest.raises(UnreachableError, match="belongs to the store store"):
            ThinClient(address, store_id="other")
    with pytest.raises(UnreachableError, match="nobody listens"):
        ThinClient(address)


def test_more_than_a_window_arrives() -> None:
    with door() as (address, _):
        client = ThinClient(address)
        total = 0

        def count(view: memoryview) -> None:
            nonlocal total
            total += len(view)

        client.statement(f"rows 60 {1 << 20}", count)
        assert total == (60 << 20) + 1
        client.statement("rows 20000 1", count)
        assert total == (60 << 20) + 1 + 20_001
        client.close()


class Sent:
    """A socket that keeps what it was told."""

    def __init__(self) -> None:
        self.data = b""

    def sendall(self, data: bytes) -> None:
        """Keep it."""
        self.data += data


def test_it_says_the_same_bytes_as_the_full_client() -> None:
    client = ThinClient.__new__(ThinClient)
    sent = Sent()
    client.__dict__["_socket"] = sent
    values: list[tuple[Message, list[Any], int, int, Request | None]] = [
        (Hello((1, 1), "client", "s", "", "t"), [[1, 1], "client", "s", "", "t"], 0, 0, None),
        (Credit(CREDIT_BYTES), [CREDIT_BYTES], 0, 3, None),
        (
            Statement("x", ((1, "", 2),), "csv", 5, {"a": "b"}),
            [[1.5, "q"], ["x", [[1, "", 2]], "csv", 5, {"a": "b"}, False]],
            OPEN | END,
            5,
            Request(1.5, "q"),
        ),
        (
            LeaveRing("n3", "leaving"),
            [[1.5, ""], ["n3", "leaving"]],
            OPEN | END,
            7,
            Request(1.5),
        ),
    ]
    for message, fields, flags, stream, request in values:
        sent.data = b""
        client._say(kind_of(message), fields, flags, stream)
        control = encode_message(message, request)
        assert sent.data == b"".join(frame_buffers(kind_of(message), flags, stream, control))


SCRIPT = """
import json, sys
from eau2.net.address import parse_address
from eau2.net.thin import ThinClient
client = ThinClient(parse_address(sys.argv[1]))
client.statement(sys.argv[2], sys.stdout.buffer.write)
client.close()
sys.stdout.flush()
json.dump(sorted(sys.modules), sys.stderr)
"""


def thin(address: Address, statement: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, f"eau2://{address}", statement],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_imports_next_to_nothing() -> None:
    with door() as (address, _), thin(address, "rows 1 3") as process:
        out, err = process.communicate(timeout=30)
        assert out == "xxx."
        assert FORBIDDEN.intersection(json.loads(err)) == set()


def test_an_interrupt_cancels_the_statement() -> None:
    with door() as (address, handler), thin(address, "sleep") as process:
        assert handler.begun.wait(20)
        process.send_signal(signal.SIGINT)
        assert handler.cancelled.wait(5)
        process.communicate(timeout=20)
        assert process.returncode != 0


def test_a_node_that_goes_away_is_noticed() -> None:
    with door() as (address, handler):
        client = ThinClient(address)
        errors: list[Error] = []

        def ask() -> None:
            try:
                client.statement("sleep", print)
            except Error as error:
                errors.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        assert handler.begun.wait(20)
    asking.join(10)
    client.close()
    assert len(errors) == 1
    assert isinstance(errors[0], PeerLostError) or errors[0].retryable
