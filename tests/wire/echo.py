"""A server with a handler that does a little of everything, for tests of the wire itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from eau2.config import WIRE, WireLimits
from eau2.errors import NotSupportedError, Span
from eau2.net.address import Address
from eau2.net.connection import Answer
from eau2.net.message import (
    ChunkId,
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
    Statement,
    StatementResult,
)
from eau2.net.server import Server
from eau2.net.stream import Received, Stream

ANY_PORT = Address("127.0.0.1", 0)
CHUNK = ChunkId("d3adbeef", 0)


@dataclass(slots=True)
class Echo:
    """What the handler was asked, and what became of it."""

    started: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, received: Received, stream: Stream) -> Answer:
        """Answer by kind; see the cases."""
        name = type(received.message).__name__
        self.started.append(name)
        try:
            return await self._answer(received, stream)
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise

    async def _answer(self, received: Received, stream: Stream) -> Answer:
        match received.message:
            case NodeInfo():
                return Number(7)
            case GetChunk(ChunkId(_, count)):
                piece = bytes(1 << 20)
                await stream.send(ChunkResult(0, count << 20, ""))
                for index in range(count):
                    await stream.send(Piece(index << 20), [piece])
            case PutChunk():
                total = len(received.payload)
                async for more in stream:
                    total += len(more.payload)
                return Number(total)
            case RunTask():
                return Rows(1), [received.payload]
            case Peek(name):
                raise NotSupportedError(f"no {name}", span=Span(1, 2), text="abc", hint="hint")
            case Fingerprint():
                raise ValueError("a bug")
            case PeekPage():
                await self.released.wait()
                return Number(1)
            case DeleteChunks():
                return Number(0)
            case Statement(text, width=width):
                for number in range(width):
                    await stream.send(Rows(1), [f"{text} {number}\n".encode()])
                return StatementResult((("a", "BIGINT"),), width, 0.5)
        return None


@asynccontextmanager
async def serving(
    limits: WireLimits = WIRE, store_id: str = "store"
) -> AsyncIterator[tuple[Server, Echo]]:
    """A server on a free port, stopped at the end."""
    echo = Echo()
    server = Server(echo.handle, store_id=store_id, name="n1", limits=limits)
    await server.start(ANY_PORT)
    try:
        yield server, echo
    finally:
        await server.stop(drain_s=0)


async def until(condition: object, seconds: float = 5.0) -> None:
    """Wait until the condition, called, is true. Raises TimeoutError."""
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
