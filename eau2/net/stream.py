"""One request and all that is said about it, in both directions, with flow control.

Owns: what has come and was not taken, the credit of both directions, the deadline. Comes in:
messages from the connection, and from whoever uses the stream; goes out: the same, the other way.
Does not know: sockets, which messages make sense.

Credit: each side may have WINDOW_BYTES under way on a stream that the other has not taken. The
receiver gives credit back by the quarter of the window, so a frame may also be sent, whatever its
size, when no more than that quarter is under way: a frame larger than the window gets through. A
receiver that does not take its messages stops its own stream and no other.

The answer's last message ends a stream: what its asker still had to say is of no use any more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from eau2.errors import CancelledError, DeadlineError, Error, InternalError, ProtocolError
from eau2.net.codec import encode_message, kind_of
from eau2.net.fault import describe, rebuild
from eau2.net.frame import Buffer, frame_buffers
from eau2.net.header import CREDIT_BYTES, END, HEADER_BYTES, WINDOW_BYTES, frame_cost
from eau2.net.message import Cancel, Credit, Done, ErrorMessage, Message, Request
from eau2.records import Record

_NOTHING = memoryview(b"")


class Received(Record, frozen=True):
    """A message and the payload that came with it, which may be empty."""

    message: Message
    payload: memoryview = _NOTHING


class Wire(Protocol):
    """What a stream needs of its connection."""

    number: int
    """No two connections of a process have the same."""
    role: str
    """What the asking end says it is, where this end is the answering one."""

    @property
    def peer(self) -> str:
        """Who is at the other end, for messages."""

    def write(self, buffers: Sequence[memoryview]) -> None:
        """Send, without waiting."""

    async def drain(self) -> None:
        """Wait until there is room for more to go out."""

    def forget(self, stream: Stream) -> None:
        """Both sides are done with the stream."""


def message_frame(message: Message, stream: int = 0) -> list[memoryview]:
    """A message without payload as the buffers to send."""
    return frame_buffers(kind_of(message), 0, stream, encode_message(message))


def told(error: BaseException) -> ErrorMessage:
    """The message that tells of an error."""
    return ErrorMessage(*describe(error))


def raised(message: ErrorMessage) -> Error:
    """The error that a message tells of."""
    return rebuild(message.name, message.message, message.hint, message.span, message.text)


class Stream:
    """One end of a stream. Not to be used by two tasks at once, but one may send, one receive."""

    def __init__(self, wire: Wire, number: int, request: Request, ours: bool) -> None:
        self.number = number
        self.request = request
        self.ours = ours
        self.error: Error | None = None
        self.unread_bytes = 0
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self.deadline = self._loop.time() + request.deadline_s
        self._credit = WINDOW_BYTES
        self._owed = 0
        self._inbox: deque[tuple[Received, int]] = deque()
        self._said_end = False
        self._heard_end = False
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def peer(self) -> str:
        """Who is at the other end, for messages."""
        return self._wire.peer

    @property
    def connection(self) -> int:
        """The number of the stream's connection, which no other connection has."""
        return self._wire.number

    @property
    def role(self) -> str:
        """What an asker has said it is in its hello."""
        return self._wire.role

    @property
    def done(self) -> bool:
        """Whether the stream has failed or the answer is complete."""
        return self.error is not None or (self._heard_end if self.ours else self._said_end)

    @property
    def remaining_s(self) -> float:
        """What is left of the request's time."""
        return max(0.0, self.deadline - self._loop.time())

    async def send(
        self, message: Message, payload: Sequence[Buffer] = (), end: bool = False
    ) -> None:
        """Send a message, once the receiver has room for it; `end`: it is the last one.

        Raises the error the stream ended with, DeadlineError, or MessageError and ProtocolError
        for what does not fit a frame.
        """
        self._check_open()
        flags = END if end else 0
        control = encode_message(message)
        buffers = frame_buffers(kind_of(message), flags, self.number, control, payload)
        cost = frame_cost(len(control), sum(map(len, buffers)) - HEADER_BYTES - len(control))
        while self._credit < min(cost, WINDOW_BYTES - CREDIT_BYTES):
            await self._wait()
            self._check_open()
        await self._wire.drain()
        self._check_open()
        self._credit -= cost
        self._wire.write(buffers)
        if end:
            self._said_end = True
            if not self.ours:
                self._wire.forget(self)

    async def finish(self) -> None:
        """Say that nothing more follows. Does nothing when that was said already."""
        if not self._said_end and self.error is None:
            await self.send(Done(), end=True)

    async def receive(self) -> Received | None:
        """The next message; None once the other side has said that nothing follows.

        Raises the error the stream ended with, or DeadlineError.
        """
        while not self._inbox:
            if self.error is not None:
                raise self.error
            if self._heard_end:
                return None
            await self._wait()
        received, cost = self._inbox.popleft()
        self.unread_bytes -= cost
        self._owed += cost
        if self._owed >= CREDIT_BYTES and not self._heard_end and self.error is None:
            self._control(Credit(self._owed))
            self._owed = 0
        return received

    async def __aiter__(self) -> AsyncIterator[Received]:
        while (received := await self.receive()) is not None:
            yield received

    def cancel(self) -> None:
        """Give up what was asked, and tell the other side. Does nothing when it is over."""
        if self.ours and not self.done:
            self._control(Cancel())
            self.fail(CancelledError("the request was cancelled"))

    def fail(self, error: Error) -> None:
        """The stream is over; whoever waits gets `error`. What has come can still be taken."""
        if not self.done:
            self.error = error
            self._wire.forget(self)
            self._wake()

    def admit(self, cost: int) -> None:
        """A frame of this cost begins. Raises ProtocolError if it exceeds its credit."""
        under_way = self.unread_bytes + self._owed
        if under_way > CREDIT_BYTES and under_way + cost > WINDOW_BYTES:
            raise ProtocolError("a frame for which it has no credit")

    def opened(self, end: bool) -> None:
        """The request itself was sent or received; it counts for no credit."""
        if self.ours:
            self._said_end = end
        else:
            self._heard_end = end

    def push(self, received: Received, cost: int, end: bool) -> None:
        """A message has come. Raises ProtocolError when it comes after the last one."""
        if self._heard_end:
            raise ProtocolError("a message after the last one of its stream")
        match received.message:
            case Done():
                if not end:
                    raise ProtocolError("a DONE message that is not the last one")
                self._owed += cost
            case _:
                self._inbox.append((received, cost))
                self.unread_bytes += cost
        if end:
            self._heard_end = True
            if self.ours:
                self._wire.forget(self)
        self._wake()

    def credited(self, credit: Credit) -> None:
        """The receiver has taken messages. Raises ProtocolError if it was never sent so much."""
        self._credit += credit.bytes
        if self._credit > WINDOW_BYTES:
            raise ProtocolError("credit for more than was sent")
        self._wake()

    def _control(self, message: Message) -> None:
        self._wire.write(message_frame(message, self.number))

    def _check_open(self) -> None:
        if self.error is not None:
            raise self.error
        if self._said_end:
            raise InternalError("a stream that was ended is not written to")
        if self.done:
            raise ProtocolError(f"{self.peer} answered before it had been told all")

    async def _wait(self) -> None:
        """Wait until something changes. Raises DeadlineError, or the stream's error."""
        change = self._loop.create_future()
        self._waiting.add(change)
        try:
            async with asyncio.timeout_at(self.deadline):
                await change
        except TimeoutError:
            error = self.late()
            self.cancel()
            raise error from None
        finally:
            self._waiting.discard(change)
        if self.error is not None and not self._inbox:
            raise self.error

    def late(self) -> DeadlineError:
        """The error for when the request's time is over."""
        return DeadlineError(f"{self.peer} did not answer within {self.request.deadline_s:g} s")

    def _wake(self) -> None:
        for change in self._waiting:
            if not change.done():
                change.set_result(None)
