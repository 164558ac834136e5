"""Asking a node: one question and its answer, and whole files as pieces.

Owns: the order of messages when a file travels, its checks, and that every error names its node.
Comes in: a node, a message, perhaps bytes; goes out: the answer, or an error of eau2.errors. Does
not know: what a file is for, where it lies.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from eau2.config import CONTROL
from eau2.errors import DeadlineError, Error, ProtocolError
from eau2.net.frame import Buffer
from eau2.net.message import ChunkResult, Message, Piece
from eau2.world import Net, Talk

M = TypeVar("M", bound=Message)
T = TypeVar("T")


async def ask(net: Net, node: str, question: Message, answer: type[M], deadline_s: float) -> M:
    """The one message that answers a question. Raises what the node raised, or what kept it."""
    # Written out, since registers are asked all the time: what _asking does.
    try:
        async with asyncio.timeout(deadline_s):
            talk = await net.open(node, question, deadline_s=deadline_s, end=True)
            try:
                return await _first(talk, answer)
            finally:
                talk.cancel()
    except TimeoutError:
        raise _too_late(node, deadline_s) from None
    except Error as error:
        if node in error.message:
            raise
        raise _named(error, node) from error


async def tell(net: Net, node: str, request: Message, deadline_s: float) -> None:
    """Have something done that is answered with Done."""
    await send_file(net, node, request, (), deadline_s)


async def send_file(
    net: Net, node: str, request: Message, data: Sequence[Buffer], deadline_s: float
) -> None:
    """Send a request and the file that belongs to it, and wait until the node says Done."""
    async with _asking(node, deadline_s):
        talk = await net.open(node, request, deadline_s=deadline_s, end=not data)
        try:
            await _send_pieces(talk, data)
            if data:
                await talk.finish()
            if (received := await talk.receive()) is not None:
                raise ProtocolError(f"it answered with a {type(received.message).__name__}")
        finally:
            talk.cancel()


async def fetch_file(net: Net, node: str, request: Message, deadline_s: float) -> bytes:
    """The file that a node answers with. Raises ProtocolError if it is not all there."""
    async with _asking(node, deadline_s):
        talk = await net.open(node, request, deadline_s=deadline_s, end=True)
        try:
            size = (await _first(talk, ChunkResult)).bytes
            return b"".join([bytes(piece) async for piece in pieces(talk, size)])
        finally:
            talk.cancel()


async def gathered(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of some work that is done at the same time, in order.

    What one of them raises is raised once all have ended; cancelled, it cancels all of them.
    """
    tasks = [asyncio.create_task(each) for each in work]
    try:
        return [await task for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def answer_file(talk: Talk, size: int, parts: AsyncIterator[bytes]) -> None:
    """Answer with a file of `size` bytes."""
    await talk.send(ChunkResult(0, size, ""))
    offset = 0
    async for part in parts:
        await talk.send(Piece(offset), [part])
        offset += len(part)


async def pieces(talk: Talk, size: int) -> AsyncIterator[memoryview]:
    """The bytes of a file that the other end sends. Raises ProtocolError unless they are `size`."""
    have = 0
    while (received := await talk.receive()) is not None:
        piece = received.message
        if not isinstance(piece, Piece) or piece.offset != have:
            raise ProtocolError(f"a {type(piece).__name__} in place of byte {have} of a file")
        have += len(received.payload)
        if have > size:
            raise ProtocolError(f"a file of {size} bytes that is longer")
        yield received.payload
    if have != size:
        raise ProtocolError(f"a file of {size} bytes that ended after {have}")


async def _send_pieces(talk: Talk, data: Sequence[Buffer]) -> None:
    offset = 0
    for part in data:
        view = memoryview(part).cast("B")
        for start in range(0, len(view), CONTROL.piece_bytes):
            piece = view[start : start + CONTROL.piece_bytes]
            await talk.send(Piece(offset), [piece])
            offset += len(piece)


async def _first(talk: Talk, answer: type[M]) -> M:
    received = await talk.receive()
    if received is None or not isinstance(received.message, answer):
        said = "Done" if received is None else type(received.message).__name__
        raise ProtocolError(f"it answered with {said} instead of {answer.__name__}")
    return received.message


@asynccontextmanager
async def _asking(node: str, deadline_s: float) -> AsyncIterator[None]:
    """Bound the block by a deadline; its errors say which node they are about."""
    try:
        async with asyncio.timeout(deadline_s):
            yield
    except TimeoutError:
        raise _too_late(node, deadline_s) from None
    except Error as error:
        if node in error.message:
            raise
        raise _named(error, node) from error


def _too_late(node: str, deadline_s: float) -> DeadlineError:
    return DeadlineError(f"node {node} did not answer within {deadline_s:g} s")


def _named(error: Error, node: str) -> Error:
    """The error, which says what node it is about."""
    return type(error)(f"node {node}: {error.message}", hint=error.hint)
