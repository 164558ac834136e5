"""One TCP connection as frames in and buffers out, on asyncio's loop.

Owns: the socket, the buffers that wait to go out, and the times after which a peer that stalls is
given up. Comes in: buffers to send; goes out: frames, then one reason why it ended. Does not know:
streams, messages.

asyncio's transports copy what the socket does not take at once; a payload of megabytes is sent
from, and received into, its own memory here, so the socket is handled directly.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from eau2.config import WIRE, WireLimits
from eau2.errors import Error, InternalError, PeerLostError, ProtocolError
from eau2.net.frame import Frame, FrameReader
from eau2.net.header import PAYLOAD_BYTES, Header, asks_in_http

_BUFFERS_PER_SEND = 64
_QUEUED_BUFFERS = 1000
"""Senders wait while more than this wait to go out: a small buffer takes more than its bytes."""
_RECEIVES_PER_TURN = 4
"""Then the loop serves others; what is left makes the socket readable again."""

_KEEP_ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""Seconds, seconds and tries: a peer whose machine is gone is noticed after a minute."""

_HTTP_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"This is a node of eau2, which does not speak HTTP.\n"
)


class Listener(Protocol):
    """Whoever uses a channel."""

    def admit(self, header: Header) -> None:
        """A frame begins. Raises ProtocolError to refuse it before memory for it is taken."""

    def frame_received(self, frame: Frame) -> None:
        """A frame is complete. Raises ProtocolError when it breaks the rules."""

    def peer_failed(self, error: ProtocolError) -> None:
        """The peer broke the rules: close the channel, with a last word to it if there is one."""

    def channel_closed(self, reason: Error | None) -> None:
        """Called once; the reason is None when this end closed the channel without one."""


class Channel:
    """A connected socket. `start` it before anything else."""

    def __init__(self, sock: socket.socket, peer: str, limits: WireLimits = WIRE) -> None:
        self.peer = peer
        self._sock = sock
        self._fd = sock.fileno()
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._queue: deque[memoryview] = deque()
        self._queued = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._frame_since: float | None = None
        self._moved = self._loop.time()
        self.heard = self._moved
        self._closed = False
        self._discard_until: float | None = None
        self._goodbye: Error | None = None

    def start(self, listener: Listener) -> None:
        """Begin to receive."""
        self._listener = listener
        self._reader = FrameReader(listener.admit)
        prepare(self._sock)
        self._loop.add_reader(self._fd, self._readable)

    @property
    def closed(self) -> bool:
        """Whether nothing goes in or out any more, or only a last word does."""
        return self._closed or self._discard_until is not None

    @property
    def queued_bytes(self) -> int:
        """What waits to go out."""
        return self._queued

    @property
    def overfull(self) -> bool:
        """Whether much more waits than senders that drain can bring about."""
        limit = self._limits.queue_bytes + PAYLOAD_BYTES
        return self._queued > limit or len(self._queue) > 10 * _QUEUED_BUFFERS

    @property
    def _has_enough(self) -> bool:
        return self._queued > self._limits.queue_bytes or len(self._queue) > _QUEUED_BUFFERS

    def hello_done(self) -> None:
        """From now on frames of all kinds and sizes are taken."""
        self._reader.hello_done()

    def write(self, buffers: Sequence[memoryview]) -> None:
        """Send these after all others. Never waits: what the socket does not take is queued."""
        if self.closed:
            return
        if not self._queue:
            self._moved = self._loop.time()
            self._queue.extend(buffers)
            self._queued = sum(len(buffer) for buffer in buffers)
            self._send()
            if self._queue and not self._closed:
                self._loop.add_writer(self._fd, self._writable)
        else:
            self._queue.extend(buffers)
            self._queued += sum(len(buffer) for buffer in buffers)

    async def drain(self) -> None:
        """Wait, in turn, until little is queued. Returns at once when closed."""
        while self._has_enough and not self.closed:
            turn = self._loop.create_future()
            self._waiting.append(turn)
            try:
                await turn
            finally:
                if not turn.done():
                    turn.cancel()

    def close(self, reason: Error | None = None, last: Sequence[memoryview] = ()) -> None:
        """End the connection. `last` is sent, and given WIRE.linger_s to arrive.

        What the peer still sends is read and thrown away meanwhile: closing a socket with unread
        bytes makes the kernel reset the connection and drop our last word. Closed once more, it
        ends at once.
        """
        if self._discard_until is not None and not last:
            self._end(self._goodbye)
        if self.closed:
            return
        if last:
            self.write(last)
        if last and not self._closed:
            self._discard_until = self._loop.time() + self._limits.linger_s
            self._goodbye = reason
            self._finish_writing()
            self._loop.call_later(self._limits.linger_s, self._end, reason)
            self._wake_all()
        else:
            self._end(reason)

    def tick(self, now: float) -> None:
        """Give up a peer that began a frame and does not end it, or takes nothing of ours."""
        if self.closed:
            return
        if self._frame_since is not None and now - self._frame_since > self._limits.frame_s:
            self._end(ProtocolError(f"{self.peer} began a frame and did not end it in time"))
        elif self._queue and now - self._moved > self._limits.stall_s:
            self._end(
                PeerLostError(f"{self.peer} has taken nothing for {self._limits.stall_s:g} s")
            )

    def _readable(self) -> None:
        if self._discard_until is not None:
            self._throw_away()
            return
        self.heard = self._loop.time()
        for _ in range(_RECEIVES_PER_TURN):
            space = self._reader.space()
            try:
                count = self._sock.recv_into(space)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                self._end(PeerLostError(f"the connection to {self.peer} broke: {error.strerror}"))
                return
            if not count:
                self._end(PeerLostError(f"{self.peer} closed the connection"))
                return
            self._reader.received(count)
            if not self._frames() or count < len(space):
                break
        if not self._reader.in_frame:
            self._frame_since = None
        elif self._frame_since is None:
            self._frame_since = self.heard

    def _frames(self) -> bool:
        """Hand out the complete frames; whether the connection is still open."""
        try:
            while not self.closed and (frame := self._reader.next_frame()) is not None:
                self._frame_since = None
                self._listener.frame_received(frame)
        except ProtocolError as error:
            if asks_in_http(self._reader.first_bytes):
                self.close(error, [memoryview(_HTTP_ANSWER)])
            else:
                self._listener.peer_failed(error)
        except Exception as error:
            # A bug of ours must not leave a connection behind that nobody serves.
            self.close(InternalError(f"{type(error).__name__} while {self.peer} was served"))
            raise
        return not self.closed

    def _throw_away(self) -> None:
        try:
            if self._sock.recv(1 << 16):
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            pass
        self._end(self._goodbye)

    def _writable(self) -> None:
        self._send()
        if not self._queue and not self._closed:
            self._loop.remove_writer(self._fd)
            if self._discard_until is not None:
                self._finish_writing()
        if not self._has_enough:
            self._wake_all()

    def _send(self) -> None:
        queue = self._queue
        try:
            while queue:
                batch = [queue[i] for i in range(min(len(queue), _BUFFERS_PER_SEND))]
                sent = self._sock.sendmsg(batch)
                self._queued -= sent
                self._moved = self._loop.time()
                while queue and sent >= len(queue[0]):
                    sent -= len(queue.popleft())
                if sent:
                    queue[0] = queue[0][sent:]
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(PeerLostError(f"the connection to {self.peer} broke: {error.strerror}"))

    def _finish_writing(self) -> None:
        if not self._queue:
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError:
                self._end(self._goodbye)

    def _wake_all(self) -> None:
        """Let those who wait look again, in the order in which they came."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)

    def _end(self, reason: Error | None) -> None:
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._sock.close()
        self._queue.clear()
        self._queued = 0
        self._wake_all()
        self._listener.channel_closed(reason)


def prepare(sock: socket.socket) -> None:
    """Set a connected socket up: small frames leave at once, a dead peer is noticed."""
    sock.setblocking(False)
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEP_ALIVE.items():
            if hasattr(socket, option):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
