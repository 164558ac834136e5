"""Peers that misbehave: each is told why or dropped in time, and others are served meanwhile."""

from __future__ import annotations

import asyncio
import random
import resource
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from eau2.config import WIRE
from eau2.errors import BusyError, Error, HandshakeError, ProtocolError, UnreachableError
from eau2.net.address import Address
from eau2.net.client import connect
from eau2.net.codec import decode_message, encode_message, kind_of
from eau2.net.fault import rebuild
from eau2.net.frame import FrameReader, frame_buffers
from eau2.net.header import END, HEADER_BYTES, OPEN, PAYLOAD_BYTES, WINDOW_BYTES, Kind
from eau2.net.message import (
    ChunkId,
    Credit,
    Done,
    ErrorMessage,
    GetChunk,
    Hello,
    Message,
    NodeInfo,
    Number,
    PeekPage,
    Piece,
    Ping,
    PutChunk,
    Request,
    Statement,
    Welcome,
)
from eau2.net.server import Server
from eau2.net.thin import ThinClient
from eau2.records import replace
from tests.wire.echo import CHUNK, Echo, serving, until
from tests.wire.fuzz import mutate, resident_bytes
from tests.wire.samples import MESSAGES, frame_of

QUICK = replace(WIRE, connect_s=1.0, hello_s=0.4, frame_s=0.5, stall_s=0.6, linger_s=0.3)
"""Limits short enough to wait for. A server ticks twice a second, and does so in these tests."""

HELLO = frame_of(Hello((1, 1), "client"))


def frame(
    message: Message, stream: int, flags: int = 0, payload: bytes = b"", request: bool = False
) -> bytes:
    control = encode_message(message, Request(5.0) if request else None)
    return b"".join(frame_buffers(kind_of(message), flags, stream, control, [payload]))


def ask(message: Message, stream: int = 1, flags: int = OPEN | END, payload: bytes = b"") -> bytes:
    return frame(message, stream, flags, payload, request=True)


async def told(address: Address, data: bytes, close: bool = False) -> list[Message]:
    """Say `data` to the server; all the messages it says until it closes the connection."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(data)
    if close:
        writer.write_eof()
    try:
        answer = await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        answer = b""
    writer.close()
    frames = FrameReader()
    frames.hello_done()
    said = []
    space = frames.space()
    space[: len(answer)] = answer
    frames.received(len(answer))
    while (found := frames.next_frame()) is not None:
        said.append(decode_message(found.kind, found.control))
    return said


def error_of(messages: list[Message]) -> Error:
    """The error that the last message tells of."""
    last = messages[-1]
    assert isinstance(last, ErrorMessage)
    return rebuild(last.name, last.message, last.hint, last.span, last.text)


def run(main: Callable[[Server, Echo], Awaitable[None]], limits: object = None) -> None:
    """Run against a server, and see afterwards that others are still served."""

    async def around() -> None:
        assert limits is None or isinstance(limits, type(WIRE))
        async with serving(limits or QUICK) as (server, echo):
            await main(server, echo)
            connection = await connect(server.address)
            assert (await connection.call(NodeInfo())).message == Number(7)
            connection.close()
            await until(lambda: server.connections == 0)

    asyncio.run(around())


DAMAGED = bytearray(ask(NodeInfo()))
DAMAGED[-1] ^= 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "it speaks TLS"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "it speaks SSH"),
        (b"\x00" * 100, "does not speak eau2's protocol"),
        (HELLO[:4] + b"\x07" + HELLO[5:], "it speaks version 7"),
        (frame_of(Statement("SELECT 1")), "STATEMENT frame of .* before the hello"),
        (frame_of(Hello((1, 1), "x" * 201)), "role of a Hello message"),
        (frame_of(Hello((2, 9), "client")), "speaks version 1 of the protocol, not 2 to 9"),
        (frame(Welcome(1, "", ""), 0), "instead of a hello"),
        (HELLO + HELLO, "HELLO message that is about no request"),
        (HELLO + b"GARBAGE!" * 8, "does not speak"),
        (HELLO + bytes(DAMAGED), "checksum of a NODE_INFO frame"),
        (HELLO + ask(NodeInfo(), payload=b"x"), "NODE_INFO message with a payload"),
        (HELLO + ask(NodeInfo(), stream=2), "a request with the number 2"),
        (HELLO + ask(NodeInfo(), 5) + ask(NodeInfo(), 3), "number 3 after 5"),
        (HELLO + ask(NodeInfo(), 5) + ask(NodeInfo(), 5), "number 5 after 5"),
        (HELLO + frame(Piece(0), 7), "about request 7, never made"),
        (HELLO + frame(Piece(0), 8), "about request 8, never made"),
        (HELLO + frame(Done(), 0), "about no request"),
        (
            HELLO + ask(PutChunk(CHUNK, 0, 0, ""), 1, OPEN) + frame(Credit(1), 1),
            "credit for more than was sent",
        ),
        (
            HELLO + ask(PutChunk(CHUNK, 0, 0, ""), 1, OPEN) + frame(Done(), 1),
            "DONE message that is not the last",
        ),
        (
            HELLO + ask(PeekPage(), 1) + frame(Piece(0), 1, 0, b"x"),
            "after the last one of its stream",
        ),
        (
            HELLO + ask(PutChunk(CHUNK, 0, 0, ""), 1, OPEN) + frame(NodeInfo(), 1),
            "NODE_INFO message within a request",
        ),
    ],
)
def test_a_peer_that_breaks_the_rules_is_told_and_dropped(data: bytes, message: str) -> None:
    async def main(server: Server, echo: Echo) -> None:
        start = time.monotonic()
        error = error_of(await told(server.address, data))
        assert isinstance(error, ProtocolError | HandshakeError)
        with pytest.raises(type(error), match=message):
            raise error
        assert time.monotonic() - start < 2

    run(main)


def test_http_is_answered_in_its_own_words() -> None:
    async def main(server: Server, echo: Echo) -> None:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"does not speak HTTP" in answer
        writer.close()

    run(main)


def test_a_wrong_request_is_refused_alone() -> None:
    async def main(server: Server, echo: Echo) -> None:
        wrong = b"".join(frame_buffers(Kind.NODE_INFO, OPEN | END, 1, b"\x93\x01\x02\x03"))
        small = frame_buffers(Kind.CREDIT, 0, 0, encode_message(Credit(1)))
        said = await told(server.address, HELLO + wrong + ask(NodeInfo(), 3) + b"".join(small))
        assert [type(message).__name__ for message in said][:2] == ["Welcome", "ErrorMessage"]
        assert Number(7) in said or "CREDIT" in str(error_of(said))

    run(main)


@pytest.mark.parametrize("cut", [1, HEADER_BYTES - 1, HEADER_BYTES, len(HELLO) - 1])
def test_a_close_within_a_frame(cut: int) -> None:
    async def main(server: Server, echo: Echo) -> None:
        assert await told(server.address, HELLO[:cut], close=True) == []
        request = ask(NodeInfo())
        said = await told(server.address, HELLO + request[: min(cut, len(request) - 1)], close=True)
        assert len(said) <= 1

    run(main)


def test_a_closed_connection_cancels_what_was_asked_on_it() -> None:
    async def main(server: Server, echo: Echo) -> None:
        await told(server.address, HELLO + ask(PeekPage()), close=True)
        await until(lambda: echo.cancelled == ["PeekPage"])

    run(main)


@pytest.mark.parametrize("start", [b"", b"e", HELLO[:-1]])
def test_who_does_not_say_hello_is_dropped(start: bytes) -> None:
    async def main(server: Server, echo: Echo) -> None:
        begun = time.monotonic()
        with pytest.raises(HandshakeError, match=r"no hello within 0\.4 s"):
            raise error_of(await told(server.address, start))
        assert 0.3 < time.monotonic() - begun < 3

    run(main)


def test_who_stops_within_a_frame_is_dropped() -> None:
    async def main(server: Server, echo: Echo) -> None:
        request = ask(PutChunk(CHUNK, 0, 0, ""), 1, OPEN, bytes(100_000))
        begun = time.monotonic()
        assert len(await told(server.address, HELLO + request[:50_000])) == 1
        assert 0.4 < time.monotonic() - begun < 3

    run(main)


def test_a_frame_without_credit_is_refused_before_it_is_received() -> None:
    async def main(server: Server, echo: Echo) -> None:
        piece = frame(Piece(0), 1, 0, bytes(WINDOW_BYTES))
        data = HELLO + ask(PeekPage(), 1, OPEN) + piece + piece[:HEADER_BYTES]
        with pytest.raises(ProtocolError, match="no credit"):
            raise error_of(await told(server.address, data))

    run(main)


def test_who_asks_and_does_not_listen_is_dropped() -> None:
    async def main(server: Server, echo: Echo) -> None:
        loop = asyncio.get_running_loop()
        before = resident_bytes()
        with socket.create_connection(server.address) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            asks = b"".join(ask(GetChunk(ChunkId("a", 40)), stream) for stream in range(1, 101, 2))
            await loop.sock_sendall(deaf, HELLO + asks)
            await until(lambda: len(echo.started) == 50)
            connection = await connect(server.address)
            for _ in range(10):
                assert (await connection.call(NodeInfo())).message == Number(7)
            held = max(peer.queued_bytes for peer in server._connections)
            assert held <= WIRE.queue_bytes + PAYLOAD_BYTES
            connection.close()
            await until(lambda: server.connections == 0)
        await until(lambda: len(echo.cancelled) == 50)
        assert resident_bytes() - before < (200 << 20)

    run(main)


def test_a_flood_of_pings_is_not_answered_for_ever() -> None:
    async def main(server: Server, echo: Echo) -> None:
        loop = asyncio.get_running_loop()
        before = resident_bytes()
        with socket.create_connection(server.address) as deaf:
            deaf.setblocking(False)
            pings = frame(Ping(1), 0) * 10_000
            await loop.sock_sendall(deaf, HELLO)
            with pytest.raises(ConnectionError):
                await asyncio.wait_for(flood(deaf, pings), 60)
        assert resident_bytes() - before < (64 << 20)
        await until(lambda: server.connections == 0)

    run(main)


async def flood(sock: socket.socket, data: bytes) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await loop.sock_sendall(sock, data)


def test_a_thousand_idle_connections_do_no_harm() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3000:
        pytest.skip(f"this process may open only {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3000), hard))

    async def main(server: Server, echo: Echo) -> None:
        before = resident_bytes()
        idle = []
        try:
            for _ in range(1000):
                idle.append(socket.create_connection(server.address))
                idle[-1].sendall(HELLO)
                await asyncio.sleep(0)
            await until(lambda: server.connections == 1000, 30)
            await asyncio.sleep(0.6)
            connection = await connect(server.address)
            for _ in range(100):
                assert (await connection.call(NodeInfo(), deadline_s=1)).message == Number(7)
            assert server.connections == 1001
            assert resident_bytes() - before < (150 << 20)
            connection.close()
        finally:
            for each in idle:
                each.close()

    try:
        run(main, WIRE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_connections_beyond_the_limit_are_told_so() -> None:
    async def main(server: Server, echo: Echo) -> None:
        held = [await connect(server.address) for _ in range(3)]
        with pytest.raises(BusyError, match="3 connections are open"):
            await connect(server.address)
        with pytest.raises(BusyError, match="3 connections are open"):
            await asyncio.to_thread(ThinClient, server.address)
        for connection in held:
            connection.close()
        await until(lambda: server.connections == 0)

    run(main, replace(QUICK, connections=3))


@pytest.mark.parametrize("seed", range(4))
def test_mutated_conversations_hurt_nobody(seed: int) -> None:
    """Whole conversations with a few bytes changed, over real sockets."""
    rng = random.Random(seed)
    frames = [frame_of(message, stream=1) for message in MESSAGES[9:]]

    async def one(server: Server) -> None:
        said = HELLO + b"".join(rng.choices(frames, k=3))
        data = mutate(rng, said, frames) if rng.random() < 0.9 else said
        loop = asyncio.get_running_loop()
        with socket.create_connection(server.address) as sock:
            sock.setblocking(False)
            with suppress(ConnectionError):
                await loop.sock_sendall(sock, data)
                sock.shutdown(socket.SHUT_WR)
                while await asyncio.wait_for(loop.sock_recv(sock, 1 << 16), 5):
                    pass

    async def main(server: Server, echo: Echo) -> None:
        for _ in range(5):
            await asyncio.gather(*(one(server) for _ in range(20)))

    run(main)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", "speaks HTTP"),
        (b"220 mail.example.com ESMTP\r\n", "does not speak eau2's protocol"),
        (b"\x16\x03\x03\x00\x01", "speaks TLS"),
        (b"", "closed the connection before it had said who it is"),
        (b"eau2", "closed the connection before it had said who it is"),
        (frame(Welcome(3, "s", "n"), 0), "version"),
        (frame_of(Statement("SELECT 1")), "before the hello"),
        (frame(ErrorMessage("HandshakeError", "go away"), 0), "go away"),
    ],
)
def test_a_client_says_who_answered_instead_of_a_node(answer: bytes, message: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(16)
        writer.write(answer)
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        address = Address(*server.sockets[0].getsockname()[:2])
        with pytest.raises(HandshakeError, match=message):
            await connect(address, limits=QUICK)
        with pytest.raises(HandshakeError, match=message):
            await asyncio.to_thread(ThinClient, address)
        server.close()

    asyncio.run(main())


def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = Address(*silent.getsockname())
            start = time.monotonic()
            with pytest.raises(UnreachableError, match="did not answer within 1 s"):
                await connect(address, limits=QUICK)
            assert time.monotonic() - start < 3

    asyncio.run(main())
