"""Messages between a node and its kernel processes, over a Unix socket.

Owns: the framing. A message is a small JSON object and some bodies of bytes; a body is inline, or
in shared memory, of which the file descriptor travels along. Comes in and goes out: `Message`.
Does not know: fragments, rows, what an answer means.

The layout: magic, length of the JSON text, number of bodies; the size of each body and whether it
is shared; the JSON text; the inline bodies. Whoever waits sets the socket's timeout before.
"""

from __future__ import annotations

import json
import mmap
import os
import socket
import struct
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from eau2.config import KERNELS
from eau2.errors import InternalError
from eau2.kernels.transfer import Buffer, size_of
from eau2.records import Record

_MAGIC = b"eaK1"
_HEAD = struct.Struct("<4sII")
_BODY = struct.Struct("<Q?")
_VECTORS = 512
"""Buffers for one write: the operating system takes at most 1,024."""
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Shared:
    """Bytes in memory that two processes can map. Closed when it is forgotten."""

    def __init__(self, fd: int, size: int) -> None:
        self.fd = fd
        self.size = size

    @classmethod
    def holding(cls, buffers: Sequence[Buffer]) -> Shared:
        """New shared memory with these buffers, one after another. Raises OSError."""
        shared = cls(_anonymous_file(), 0)
        shared.fill(buffers)
        return shared

    def fill(self, buffers: Sequence[Buffer]) -> None:
        """Replace what it holds, which nobody may be reading. Raises OSError.

        Memory that is there already takes half the time of new memory, which is made page by page.
        """
        os.lseek(self.fd, 0, os.SEEK_SET)
        _write_all(self.fd, buffers)
        self.size = size_of(buffers)

    def held_bytes(self) -> int:
        """The memory it takes, which may be more than its size."""
        return os.fstat(self.fd).st_size

    def map(self) -> bytes | mmap.mmap:
        """The bytes, mapped for reading. They live on when the descriptor is closed."""
        if self.size == 0:
            return b""
        if os.fstat(self.fd).st_size < self.size:
            raise InternalError("shared memory is smaller than was said")
        return mmap.mmap(self.fd, self.size, prot=mmap.PROT_READ)

    def close(self) -> None:
        """Let go of the descriptor; what is mapped stays mapped."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


Body = bytes | Shared


class Message(Record, frozen=True):
    """What one side says. `control` is plain data of JSON."""

    control: Mapping[str, Any]
    bodies: tuple[Body, ...] = ()


def body_of(buffers: Sequence[Buffer]) -> Body:
    """The buffers as a body: inline when they are small. Raises OSError."""
    if size_of(buffers) <= KERNELS.inline_bytes:
        return b"".join(buffers)
    return Shared.holding(buffers)


def bytes_of(body: Body) -> bytes | mmap.mmap:
    """What is in a body, to be read through the buffer protocol."""
    return body.map() if isinstance(body, Shared) else body


def send(sock: socket.socket, message: Message) -> None:
    """Send a message. Raises OSError, and TimeoutError after the socket's timeout."""
    control = json.dumps(message.control, separators=(",", ":")).encode()
    if len(control) > KERNELS.control_bytes or len(message.bodies) > KERNELS.bodies:
        raise InternalError("a message to a kernel process is too large")
    parts = [_HEAD.pack(_MAGIC, len(control), len(message.bodies))]
    fds, inline = [], []
    for body in message.bodies:
        if isinstance(body, Shared):
            parts.append(_BODY.pack(body.size, True))
            fds.append(body.fd)
        else:
            parts.append(_BODY.pack(len(body), False))
            inline.append(body)
    first = b"".join([*parts, control, *inline])
    sent = socket.send_fds(sock, [first], fds) if fds else sock.send(first)
    sock.sendall(memoryview(first)[sent:])


def receive(sock: socket.socket) -> Message:
    """The next message. Raises EOFError when the other side is gone, OSError, TimeoutError.

    InternalError: what came is no message.
    """
    fds: list[int] = []
    try:
        magic, length, count = _HEAD.unpack(_read_head(sock, fds))
        if magic != _MAGIC or length > KERNELS.control_bytes or count > KERNELS.bodies:
            raise InternalError("a kernel process sent what is no message")
        table = _read(sock, _BODY.size * count)
        sizes = [_BODY.unpack_from(table, _BODY.size * i) for i in range(count)]
        control = json.loads(_read(sock, length))
        bodies: list[Body] = []
        for size, shared in sizes:
            if shared:
                bodies.append(Shared(fds.pop(0), size))
            elif size <= KERNELS.inline_bytes + KERNELS.control_bytes:
                bodies.append(bytes(_read(sock, size)))
            else:
                raise InternalError("a kernel process sent a body that is too large")
    except (ValueError, IndexError) as error:
        raise InternalError("a kernel process sent what is no message") from error
    finally:
        for fd in fds:
            os.close(fd)
    return Message(control, tuple(bodies))


def _read_head(sock: socket.socket, fds: list[int]) -> bytes:
    """The fixed part of a message; the descriptors that come with its first byte go to `fds`."""
    head = b""
    while len(head) < _HEAD.size:
        wanted = _HEAD.size - len(head)
        data, received, _, _ = socket.recv_fds(sock, wanted, KERNELS.bodies, _CLOEXEC)
        fds += received
        if not data:
            raise EOFError("the other process closed the connection")
        head += data
    return head


def _read(sock: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view, done = memoryview(data), 0
    while done < size:
        count = sock.recv_into(view[done:])
        if not count:
            raise EOFError("the other process closed the connection")
        done += count
    return data


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("eau2-rows", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile(prefix="eau2-rows-") as file:
        return os.dup(file.fileno())


def _write_all(fd: int, buffers: Sequence[Buffer]) -> None:
    """Write all buffers, without joining them first."""
    waiting = [memoryview(buffer) for buffer in reversed(buffers)]
    while waiting:
        written = os.writev(fd, waiting[: -_VECTORS - 1 : -1])
        while waiting and written >= len(waiting[-1]):
            written -= len(waiting.pop())
        if written:
            waiting[-1] = waiting[-1][written:]
