"""One connection between two ends: the hello, then many requests side by side.

Owns: who is who, the streams, the running handlers, keep-alive. Comes in: frames from the channel,
requests from whoever uses the connection; goes out: the same, the other way. Does not know: what a
request means; that is the handler's.

Both ends run this code. The connecting end says Hello and pings; its streams have odd numbers, the
accepting end's even ones. When the connection ends, all its requests end: those asked here fail,
those being answered here are cancelled.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Sequence

from eau2.config import WIRE, WireLimits
from eau2.errors import (
    BusyError,
    CancelledError,
    Error,
    HandshakeError,
    InternalError,
    PeerLostError,
    ProtocolError,
)
from eau2.net.channel import Channel
from eau2.net.codec import TABLE, decode_message, decode_request, encode_message, kind_of
from eau2.net.frame import Buffer, Frame, frame_buffers
from eau2.net.header import END, OPEN, VERSION, Header, Kind, frame_cost
from eau2.net.message import (
    Cancel,
    Credit,
    ErrorMessage,
    Hello,
    Message,
    Ping,
    Pong,
    Request,
    Welcome,
)
from eau2.net.stream import Received, Stream, message_frame, raised, told

_log = logging.getLogger("eau2.net")

_numbers = itertools.count(1)

Answer = Message | tuple[Message, Sequence[Buffer]] | None
"""What a handler returns: its last message, that with a payload, or nothing more to say."""

Handler = Callable[[Received, Stream], Awaitable[Answer]]
"""Answers a request: it is handed the request's message and payload, and the stream for more of
both directions. An exception it raises goes to the asker. It is cancelled when the asker cancels,
goes away, or its deadline passes."""


async def no_requests(received: Received, stream: Stream) -> Answer:
    """The handler of an end that answers nothing."""
    raise ProtocolError(f"nobody here answers a {type(received.message).__name__}")


class Connection:
    """One end of a connection. Made by net/server.py and net/client.py.

    Give `hello` on the connecting end, `greet` on the accepting one: it turns a Hello into a
    Welcome, or raises the error to refuse it with. `welcome` is set once the hello is done, and
    `role` to what the peer's hello says. No two connections of a process have the same `number`.
    """

    def __init__(
        self,
        channel: Channel,
        handler: Handler = no_requests,
        hello: Hello | None = None,
        greet: Callable[[Hello], Welcome] | None = None,
        limits: WireLimits = WIRE,
        on_closed: Callable[[Connection, Error | None], None] | None = None,
    ) -> None:
        self.peer = channel.peer
        self.number = next(_numbers)
        self.role = ""
        self.hello = hello
        self.welcome: Welcome | None = None
        self.draining = False
        self._channel = channel
        self._handler = handler
        self._greet = greet
        self._limits = limits
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._ready: asyncio.Future[Welcome] = self._loop.create_future()
        self._streams: dict[int, Stream] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._ours = 1 if greet is None else 2
        self._theirs = 0
        self._pinged: float | None = None
        self._reason: Error | None = None
        self._finished = False
        channel.start(self)
        if hello is not None:
            self._send(hello)

    @property
    def closed(self) -> bool:
        """Whether nothing can be asked any more."""
        return self._channel.closed

    @property
    def idle(self) -> bool:
        """Whether nothing is asked or answered."""
        return not self._streams and not self._tasks

    @property
    def answering(self) -> tuple[asyncio.Task[None], ...]:
        """The handlers that run."""
        return tuple(self._tasks.values())

    @property
    def queued_bytes(self) -> int:
        """What waits to go out."""
        return self._channel.queued_bytes

    async def ready(self) -> Welcome:
        """Wait for the hello to be answered. Raises HandshakeError, PeerLostError, ..."""
        return await asyncio.shield(self._ready)

    async def open(
        self,
        message: Message,
        payload: Sequence[Buffer] = (),
        *,
        deadline_s: float | None = None,
        query: str = "",
        end: bool = False,
    ) -> Stream:
        """Ask; `end`: nothing follows from here. The stream is the caller's to end or cancel.

        Raises PeerLostError on a closed connection, BusyError when too much is under way on it.
        """
        wanted_s = self._limits.deadline_s if deadline_s is None else float(deadline_s)
        request = Request(min(wanted_s, self._limits.deadline_max_s), query)
        if len(self._streams) >= self._limits.requests_per_connection:
            raise BusyError(f"{len(self._streams)} requests are under way to {self.peer} already")
        control = encode_message(message, request)
        await self._channel.drain()
        if self.closed:
            raise self._reason or PeerLostError(f"the connection to {self.peer} is closed")
        number = self._ours
        flags = OPEN | END if end else OPEN
        buffers = frame_buffers(kind_of(message), flags, number, control, payload)
        self._ours += 2
        stream = Stream(self, number, request, ours=True)
        stream.opened(end)
        self._streams[number] = stream
        self._channel.write(buffers)
        return stream

    async def call(
        self,
        message: Message,
        payload: Sequence[Buffer] = (),
        *,
        deadline_s: float | None = None,
        query: str = "",
    ) -> Received:
        """Ask, and wait for the one message of the answer. Cancelled, it cancels the request.

        Raises what the handler raised, DeadlineError, PeerLostError, ProtocolError.
        """
        stream = await self.open(message, payload, deadline_s=deadline_s, query=query, end=True)
        try:
            received = await stream.receive()
            if received is None or await stream.receive() is not None:
                kind = kind_of(message).name
                raise ProtocolError(f"{self.peer} did not answer {kind} with one message")
            return received
        finally:
            stream.cancel()

    def write(self, buffers: Sequence[memoryview]) -> None:
        """Send, without waiting. For streams."""
        self._channel.write(buffers)

    async def drain(self) -> None:
        """Wait until there is room for more to go out. For streams."""
        await self._channel.drain()

    def forget(self, stream: Stream) -> None:
        """Both sides are done with a stream."""
        self._streams.pop(stream.number, None)

    def close(self, reason: Error | None = None) -> None:
        """End the connection and all its requests; the peer is told the reason, if there is one."""
        last: list[memoryview] = []
        if reason is not None and not self.closed:
            last = message_frame(told(reason))
        self._channel.close(reason, last)
        if last:
            self._finish(reason)

    def tick(self, now: float) -> None:
        """To be called about once a second: gives up silent peers, and asks whether they live."""
        if self.closed:
            return
        if not self._ready.done() and now - self._started > self._limits.hello_s:
            self.close(HandshakeError(f"no hello within {self._limits.hello_s:g} s"))
            return
        self._channel.tick(now)
        if self.hello is not None and self._ready.done() and self._streams:
            self._keep_alive(now)

    def _keep_alive(self, now: float) -> None:
        silent = now - self._channel.heard
        if self._pinged is not None and self._channel.heard > self._pinged:
            self._pinged = None
        if self._pinged is not None and now - self._pinged > self._limits.ping_answer_s:
            self._channel.close(PeerLostError(f"{self.peer} has not answered for {silent:.0f} s"))
        elif self._pinged is None and silent > self._limits.ping_every_s:
            self._pinged = now
            self._send(Ping(int(now)))

    def admit(self, header: Header) -> None:
        """A frame begins: is there room for it?"""
        if header.flags & OPEN or not header.stream or header.kind in _CONTROL:
            return
        stream = self._streams.get(header.stream)
        if stream is not None:
            stream.admit(frame_cost(header.control_bytes, header.payload_bytes))

    def frame_received(self, frame: Frame) -> None:
        """A frame is complete."""
        if not TABLE[frame.kind].payload and len(frame.payload):
            raise ProtocolError(f"a {frame.kind.name} message with a payload")
        if not self._ready.done():
            self._handshake(frame)
        elif not frame.stream:
            self._about_connection(frame)
        elif frame.flags & OPEN:
            self._opened(frame)
        else:
            self._about_stream(frame)

    def peer_failed(self, error: ProtocolError) -> None:
        """The peer broke the rules: tell it, and end the connection."""
        if self.hello is not None and not self._ready.done():
            self.close(
                HandshakeError(f"{self.peer} is no node that can be talked with: {error.message}")
            )
        else:
            self.close(ProtocolError(f"{self.peer} broke the protocol: {error.message}"))

    def channel_closed(self, reason: Error | None) -> None:
        """The channel has ended."""
        self._finish(reason)
        if self._on_closed is not None:
            self._on_closed(self, reason)

    def _finish(self, reason: Error | None) -> None:
        if self._finished:
            return
        self._finished = True
        lost = reason or PeerLostError(f"the connection to {self.peer} was closed")
        if not self._ready.done():
            if isinstance(lost, PeerLostError):
                lost = HandshakeError(f"{lost.message} before it had said who it is")
            self._ready.set_exception(lost)
            # Nobody need be waiting for it.
            self._ready.exception()
        self._reason = lost
        for task in self._tasks.values():
            task.cancel()
        for stream in list(self._streams.values()):
            stream.fail(lost)

    def _handshake(self, frame: Frame) -> None:
        if frame.stream or frame.flags:
            raise ProtocolError("a hello on a stream")
        message = decode_message(frame.kind, frame.control)
        match message:
            case Hello() if self._greet is not None:
                self._hello_received(message)
            case Welcome() if self._greet is None:
                if message.version != VERSION:
                    raise ProtocolError(f"it speaks version {message.version}, not {VERSION}")
                self.welcome = message
                self._name_peer(message.name)
                self._channel.hello_done()
                self._ready.set_result(message)
            case ErrorMessage() if self._greet is None:
                self._channel.close(_refused(self.peer, message))
            case _:
                raise ProtocolError(f"a {frame.kind.name} message instead of a hello")

    def _hello_received(self, hello: Hello) -> None:
        """The peer has said who it is: let it in, or refuse it with the greeter's error."""
        assert self._greet is not None
        low, high = hello.versions
        try:
            if not low <= VERSION <= high:
                raise HandshakeError(
                    f"this node speaks version {VERSION} of the protocol, not {low} to {high}"
                )
            welcome = self._greet(hello)
        except Error as error:
            self.close(error)
            return
        self.role = hello.role
        self._name_peer(hello.name)
        self._channel.hello_done()
        self._send(welcome)
        self.welcome = welcome
        self._ready.set_result(welcome)

    def _name_peer(self, name: str) -> None:
        if name:
            self.peer = self._channel.peer = f"{name} ({self._channel.peer})"

    def _about_connection(self, frame: Frame) -> None:
        message = decode_message(frame.kind, frame.control)
        match message:
            case Ping(token):
                self._require_listener()
                self._send(Pong(token))
            case Pong():
                pass
            case ErrorMessage():
                self._channel.close(raised(message))
            case _:
                raise ProtocolError(f"a {frame.kind.name} message that is about no request")

    def _opened(self, frame: Frame) -> None:
        number, parity = frame.stream, 1 if self._greet is not None else 0
        if number % 2 != parity or number <= self._theirs:
            raise ProtocolError(f"a request with the number {number} after {self._theirs}")
        self._theirs = number
        self._require_listener()
        refusal = self._refusal()
        try:
            request, message = decode_request(frame.kind, frame.control)
        except ProtocolError as error:
            # The frames are in order, so it is this request alone that cannot be answered.
            self._channel.write(message_frame(told(error), number))
            return
        stream = Stream(self, number, request, ours=False)
        stream.opened(bool(frame.flags & END))
        self._streams[number] = stream
        if refusal is not None:
            self._fail(stream, refusal)
            return
        received = Received(message, frame.payload)
        task = self._loop.create_task(self._answer(received, stream))
        self._tasks[number] = task
        task.add_done_callback(lambda _: self._tasks.pop(number, None))

    def _require_listener(self) -> None:
        """A peer that asks and asks, and takes no answer, would fill the memory with answers."""
        if self._channel.overfull:
            raise ProtocolError("it asks and does not listen")

    def _refusal(self) -> Error | None:
        """Why no further request is taken on, if so."""
        if self.draining:
            return BusyError("the node is stopping", hint="Ask another node.")
        running = len(self._tasks)
        if running >= self._limits.requests_per_connection:
            return BusyError(f"{running} requests of this connection are running already")
        if sum(s.unread_bytes for s in self._streams.values()) > self._limits.unread_bytes:
            return BusyError("too much was sent on this connection that is not yet used")
        return None

    def _about_stream(self, frame: Frame) -> None:
        number = frame.stream
        mine = number % 2 == self._ours % 2
        if number >= self._ours if mine else number > self._theirs:
            raise ProtocolError(f"a {frame.kind.name} message about request {number}, never made")
        message = decode_message(frame.kind, frame.control)
        stream = self._streams.get(number)
        if stream is None:
            # What was on its way when the stream ended.
            return
        match message:
            case Credit():
                stream.credited(message)
            case Cancel():
                if mine:
                    raise ProtocolError("it cancels what it was asked")
                stream.fail(CancelledError("the request was cancelled"))
                task = self._tasks.get(number)
                if task is not None:
                    task.cancel()
            case ErrorMessage():
                stream.fail(raised(message))
            case _:
                if TABLE[frame.kind].opens or frame.kind in _HELLO_KINDS:
                    raise ProtocolError(f"a {frame.kind.name} message within a request")
                end = bool(frame.flags & END)
                stream.push(Received(message, frame.payload), frame.cost, end)

    async def _answer(self, received: Received, stream: Stream) -> None:
        """Run the handler; its answer or its error ends the stream."""
        try:
            async with asyncio.timeout_at(stream.deadline) as limit:
                answer = await self._handler(received, stream)
                message, payload = answer if isinstance(answer, tuple) else (answer, ())
                if message is not None:
                    await stream.send(message, payload, end=True)
                else:
                    await stream.finish()
        except TimeoutError as error:
            self._fail(stream, stream.late() if limit.expired() else error)
        except asyncio.CancelledError:
            # What was asked may have been done: it was begun.
            self._fail(stream, PeerLostError("the node stopped before it had answered"))
            raise
        except Exception as error:
            if not isinstance(error, Error):
                name = type(received.message).__name__
                _log.exception("%s of query %r failed", name, stream.request.query)
            self._fail(stream, error)

    def _fail(self, stream: Stream, error: BaseException) -> None:
        """End a stream that is answered here with an error, unless it is over."""
        if not stream.done and not self.closed:
            message = told(error)
            self._channel.write(message_frame(message, stream.number))
        if not isinstance(error, Error):
            error = InternalError(f"{type(error).__name__}: {error}")
        stream.fail(error)

    def _send(self, message: Message) -> None:
        self._channel.write(message_frame(message))


_CONTROL = frozenset({Kind.CREDIT, Kind.CANCEL, Kind.ERROR})
_HELLO_KINDS = frozenset({Kind.HELLO, Kind.WELCOME, Kind.PING, Kind.PONG})


def _refused(peer: str, message: ErrorMessage) -> Error:
    """The error for a hello that was refused; what may be tried again later stays what it is."""
    told = raised(message)
    if isinstance(told, BusyError | HandshakeError):
        return type(told)(f"{peer}: {told.message}", hint=told.hint)
    return HandshakeError(f"{peer} refused the connection: {told.message}", hint=told.hint)
