"""Requests over a connection: answers, errors, streams, credit, deadlines, cancellation."""

from __future__ import annotations

import asyncio
import socket

import pytest

from eau2.config import WIRE
from eau2.errors import (
    BusyError,
    CancelledError,
    DeadlineError,
    HandshakeError,
    InternalError,
    NotSupportedError,
    OperationalError,
    PeerLostError,
    ProtocolError,
    UnreachableError,
    UsageError,
)
from eau2.net.address import Address, parse_address
from eau2.net.blocking import BlockingConnection, LoopThread
from eau2.net.client import connect
from eau2.net.connection import Connection
from eau2.net.header import WINDOW_BYTES
from eau2.net.message import (
    ChunkResult,
    DeleteChunks,
    Fingerprint,
    GetChunk,
    NodeInfo,
    Number,
    Peek,
    PeekPage,
    Piece,
    PutChunk,
    Rows,
    RunTask,
)
from eau2.net.server import Server
from eau2.net.stream import Received, Stream
from eau2.records import replace
from tests.wire.echo import ANY_PORT, CHUNK, Echo, serving, until

QUICK = replace(WIRE, connect_s=2.0, hello_s=1.0, linger_s=0.3)


def chunk(mebibytes: int) -> GetChunk:
    """Asks the echo for this many pieces."""
    return GetChunk(replace(CHUNK, number=mebibytes))


async def send_pieces(stream: Stream, count: int) -> None:
    for index in range(count):
        await stream.send(Piece(index << 20), [bytes(1 << 20)])


def test_a_call_gets_its_answer() -> None:
    async def main() -> None:
        async with serving() as (server, _):
            connection = await connect(server.address, store_id="store")
            assert connection.welcome is not None
            assert connection.welcome.name == "n1"
            assert (await connection.call(NodeInfo())).message == Number(7)
            answers = await asyncio.gather(*(connection.call(NodeInfo()) for _ in range(100)))
            assert [answer.message for answer in answers] == [Number(7)] * 100
            payload = bytes(range(256)) * 15_000
            task = RunTask(1, 1, 0, (), ())
            echoed = await connection.call(task, [payload[:100], payload[100:]])
            assert echoed.message == Rows(1)
            assert bytes(echoed.payload) == payload
            assert connection.idle
            connection.close()

    asyncio.run(main())


def test_errors_come_back_as_what_they_were() -> None:
    async def main() -> None:
        async with serving() as (server, _):
            connection = await connect(server.address)
            with pytest.raises(NotSupportedError) as caught:
                await connection.call(Peek("x"))
            assert str(caught.value) == "no x\nline 1: abc\n         ^\nhint"
            with pytest.raises(InternalError, match="ValueError: a bug"):
                await connection.call(Fingerprint())
            with pytest.raises(ProtocolError, match="key of a Peek message"):
                await connection.call(Peek("x" * 300))
            with pytest.raises(ProtocolError, match="did not answer GET_CHUNK with one message"):
                await connection.call(chunk(2))
            assert (await connection.call(NodeInfo())).message == Number(7)
            connection.close()

    asyncio.run(main())


def test_streams_carry_more_than_their_window_in_both_directions() -> None:
    async def main() -> None:
        async with serving() as (server, _):
            connection = await connect(server.address)
            pieces = 3 * (WINDOW_BYTES >> 20)
            stream = await connection.open(chunk(pieces), end=True)
            received = [item async for item in stream]
            assert received[0].message == ChunkResult(0, pieces << 20, "")
            offsets = [r.message.offset for r in received[1:] if isinstance(r.message, Piece)]
            assert offsets == [index << 20 for index in range(pieces)]
            stream = await connection.open(PutChunk(CHUNK, 0, 0, ""), [b"head"])
            large = bytes(WINDOW_BYTES + (5 << 20))
            for data in (b"small", large, bytes(3 << 20), large):
                await stream.send(Piece(0), [data])
            await stream.finish()
            answer = await stream.receive()
            assert answer is not None
            assert answer.message == Number(4 + 5 + 2 * len(large) + (3 << 20))
            assert connection.idle
            connection.close()

    asyncio.run(main())


def test_a_reader_that_does_not_read_stops_its_own_stream_only() -> None:
    async def main() -> None:
        async with serving() as (server, _):
            connection = await connect(server.address)
            lazy = await connection.open(chunk(40), end=True)
            await until(lambda: lazy.unread_bytes > WINDOW_BYTES - (2 << 20))
            for _ in range(20):
                assert (await connection.call(NodeInfo())).message == Number(7)
            assert len([item async for item in await connection.open(chunk(40), end=True)]) == 41
            assert lazy.unread_bytes <= WINDOW_BYTES
            assert len([item async for item in lazy]) == 41
            connection.close()

    asyncio.run(main())


def test_an_answer_ends_a_request_that_is_still_being_told() -> None:
    async def main() -> None:
        async with serving() as (server, echo):
            connection = await connect(server.address)
            stream = await connection.open(DeleteChunks((CHUNK,)))
            with pytest.raises(ProtocolError, match="answered before it had been told all"):
                await send_pieces(stream, 100)
            answer = await stream.receive()
            assert answer is not None
            assert answer.message == Number(0)
            assert echo.cancelled == []
            assert (await connection.call(NodeInfo())).message == Number(7)
            connection.close()

    asyncio.run(main())


def test_a_deadline_ends_both_sides() -> None:
    async def main() -> None:
        async with serving() as (server, echo):
            connection = await connect(server.address)
            with pytest.raises(DeadlineError, match=r"did not answer within 0\.05 s"):
                await connection.call(PeekPage(), deadline_s=0.05)
            await until(lambda: echo.cancelled == ["PeekPage"])
            assert (await connection.call(NodeInfo())).message == Number(7)
            assert connection.idle
            connection.close()

    asyncio.run(main())


def test_the_answering_side_keeps_the_deadline_by_itself() -> None:
    async def main() -> None:
        async with serving() as (server, echo):
            connection = await connect(server.address)
            stream = await connection.open(PeekPage(), deadline_s=0.05, end=True)
            stream.deadline += 60
            with pytest.raises(DeadlineError):
                await stream.receive()
            assert echo.cancelled == ["PeekPage"]
            connection.close()

    asyncio.run(main())


@pytest.mark.parametrize("way", ["task", "stream", "connection"])
def test_cancelling_ends_the_handler(way: str) -> None:
    async def main() -> None:
        async with serving() as (server, echo):
            connection = await connect(server.address)
            if way == "task":
                call = asyncio.ensure_future(connection.call(PeekPage()))
                await until(lambda: echo.started)
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
            else:
                stream = await connection.open(PeekPage(), end=True)
                await until(lambda: echo.started)
                stream.cancel() if way == "stream" else connection.close()
                with pytest.raises((CancelledError, PeerLostError)):
                    await stream.receive()
            await until(lambda: echo.cancelled == ["PeekPage"])
            connection.close()
            await until(lambda: server.connections == 0)

    asyncio.run(main())


def test_two_hundred_cancels_leave_nothing_behind() -> None:
    async def main() -> None:
        async with serving() as (server, echo):
            connection = await connect(server.address)
            for turn in range(200):
                call = asyncio.ensure_future(connection.call(chunk(30) if turn % 2 else PeekPage()))
                await asyncio.sleep(0.0001 * (turn % 20))
                call.cancel()
                await asyncio.gather(call, return_exceptions=True)
            assert (await connection.call(NodeInfo())).message == Number(7)
            assert connection.idle
            own = asyncio.current_task()
            await until(
                lambda: not [t for t in asyncio.all_tasks() - {own} if "_answer" in repr(t)]
            )
            assert len(echo.cancelled) <= len(echo.started)
            connection.close()

    asyncio.run(main())


def test_requests_beyond_the_limit_are_refused() -> None:
    async def main() -> None:
        async with serving(replace(QUICK, requests_per_connection=3)) as (server, echo):
            connection = await connect(server.address)
            waiting = [await connection.open(PeekPage(), end=True) for _ in range(3)]
            with pytest.raises(BusyError, match="3 requests of this connection"):
                await connection.call(NodeInfo())
            echo.released.set()
            for stream in waiting:
                assert await stream.receive() == Received(Number(1))
            assert (await connection.call(NodeInfo())).message == Number(7)
            connection.close()
            few = await connect(server.address, limits=replace(QUICK, requests_per_connection=0))
            with pytest.raises(BusyError, match="are under way"):
                await few.call(NodeInfo())
            few.close()

    asyncio.run(main())


def test_a_stopping_server_lets_requests_end_and_takes_no_more() -> None:
    async def main() -> None:
        async with serving(QUICK) as (server, echo):
            connection = await connect(server.address)
            running = await connection.open(PeekPage(), end=True)
            await until(lambda: echo.started)
            stopping = asyncio.ensure_future(server.stop(drain_s=5))
            await asyncio.sleep(0.02)
            with pytest.raises(BusyError, match="the node is stopping"):
                await connection.call(NodeInfo())
            with pytest.raises(BusyError, match="the node is stopping"):
                await connect(server.address)
            # What runs for a client may need something of this very node.
            node = await connect(server.address, role="node")
            assert (await node.call(NodeInfo())).message == Number(7)
            echo.released.set()
            assert await running.receive() == Received(Number(1))
            await stopping
            with pytest.raises(UnreachableError, match="nobody listens"):
                await connect(server.address)
            await until(lambda: connection.closed)
            with pytest.raises(PeerLostError, match="has stopped"):
                await connection.call(NodeInfo())

    asyncio.run(main())


def test_a_stop_does_not_wait_longer_than_its_time() -> None:
    async def main() -> None:
        async with serving(QUICK) as (server, echo):
            connection = await connect(server.address)
            running = await connection.open(PeekPage(), end=True)
            await until(lambda: echo.started)
            await server.stop(drain_s=0.05)
            # It was begun: that the node is busy would be the wrong thing to say.
            with pytest.raises(PeerLostError):
                await running.receive()
            await until(lambda: echo.cancelled == ["PeekPage"])

    asyncio.run(main())


def test_a_peer_that_dies_fails_its_requests_at_once() -> None:
    async def main() -> None:
        async with serving() as (node, echo):
            connection = await connect(node.address)
            stream = await connection.open(PeekPage(), end=True)
            await until(lambda: echo.started)
            for held in list(node._connections):
                held.close()
            with pytest.raises(PeerLostError, match=r"n1 \(127\.0\.0\.1:\d+\) closed"):
                await stream.receive()

    asyncio.run(main())


def test_a_peer_that_falls_silent_is_asked_and_then_given_up() -> None:
    """The node answers pings, however long a request takes; frozen, it is lost in time."""
    limits = replace(WIRE, ping_every_s=0.2, ping_answer_s=0.6)

    async def main() -> None:
        async with serving() as (server, echo):
            connection = await connect(server.address, limits=limits)
            stream = await connection.open(PeekPage(), end=True)
            await asyncio.sleep(1.6)
            assert not connection.closed
            loop = asyncio.get_running_loop()
            for held in list(server._connections):
                loop.remove_reader(held._channel._fd)
            with pytest.raises(PeerLostError, match="has not answered for"):
                await asyncio.wait_for(stream.receive(), 5)
            assert echo.started == ["PeekPage"]

    asyncio.run(main())


def test_who_is_not_reached_is_named() -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            free = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(UnreachableError, match=f"nobody listens at eau2://{free}") as caught:
            await connect(free)
        assert caught.value.hint == f"Start a node with: eau2 node --listen {free}"
        with pytest.raises(UnreachableError, match=r"no host called nowhere\.invalid"):
            await connect(Address("nowhere.invalid", 1))

    asyncio.run(main())


def test_a_port_in_use_and_a_public_address_are_refused() -> None:
    async def main() -> None:
        async with serving() as (server, _):
            other = Server(Echo().handle, store_id="store", name="n2")
            with pytest.raises(OperationalError, match="is in use by another program"):
                await other.start(server.address)
        for host in ("0.0.0.0", "::", "192.168.0.1", "example.com", "127.0.0.1.example.com"):
            with pytest.raises(UsageError, match="not encrypted yet"):
                await other.start(Address(host, 0))

    asyncio.run(main())


def test_another_store_and_another_version_are_refused() -> None:
    async def main() -> None:
        async with serving(QUICK) as (server, echo):
            with pytest.raises(HandshakeError, match="belongs to the store store, not to other"):
                await connect(server.address, store_id="other")
            assert echo.started == []
            server._welcome = replace(server._welcome, version=2)
            with pytest.raises(HandshakeError, match="it speaks version 2"):
                await connect(server.address)
            await until(lambda: server.connections == 0)

    asyncio.run(main())


def test_the_blocking_face() -> None:
    async def start() -> tuple[Server, Echo]:
        echo = Echo()
        server = Server(echo.handle, store_id="store", name="n1", limits=QUICK)
        await server.start(ANY_PORT)
        return server, echo

    host = LoopThread()
    server, _ = host.run(start())
    connection = BlockingConnection(server.address)
    assert connection.welcome.store_id == "store"
    assert connection.call(NodeInfo()).message == Number(7)
    with connection.open(chunk(30), end=True) as stream:
        assert len(list(stream)) == 31
    with connection.open(PeekPage(), end=True):
        pass
    with connection.open(PutChunk(CHUNK, 0, 0, "")) as stream:
        stream.send(Piece(0), [b"abc"])
        stream.finish()
        assert stream.receive() == Received(Number(3))
    with pytest.raises(NotSupportedError):
        connection.call(Peek("x"))
    connection.close()
    connection.close()
    assert connection.closed
    host.run(server.stop(0))
    with pytest.raises(UnreachableError):
        BlockingConnection(server.address)
    host.close()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("eau2://127.0.0.1:7700", "127.0.0.1:7700"),
        ("eau2://127.0.0.1:7700/", "127.0.0.1:7700"),
        ("localhost", "localhost:7700"),
        ("localhost:1", "localhost:1"),
        ("[::1]:80", "[::1]:80"),
        ("eau2://[::1]", "[::1]:7700"),
    ],
)
def test_addresses(text: str, address: str) -> None:
    assert str(parse_address(text)) == address


@pytest.mark.parametrize(
    "text", ["", "eau2://", ":80", "a:b", "a:1:2", "a:99999", "a:-1", "http://a", "[::1", "a:"]
)
def test_wrong_addresses(text: str) -> None:
    with pytest.raises(UsageError):
        parse_address(text)


def test_only_a_connection_closed_by_us_has_no_reason() -> None:
    async def main() -> None:
        async with serving() as (server, _):
            connection: Connection = await connect(server.address)
            connection.close()
            with pytest.raises(PeerLostError, match="was closed"):
                await connection.call(NodeInfo())

    asyncio.run(main())
