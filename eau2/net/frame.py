"""Framing without I/O: bytes received into place, frames out; and frames as buffers to send.

Owns: `FrameReader`, which says into which memory the next bytes belong and takes them apart.
Comes in: the number of bytes received; goes out: frames, or a ProtocolError. Does not know:
sockets, time, what a message holds.

The manner is h11's (bytes in, events out, no I/O), but a large payload is not collected in a
buffer and cut out of it: the reader hands out the payload's own memory to be received into.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from eau2.errors import ProtocolError
from eau2.net.header import (
    CONTROL_BYTES,
    HEADER_BYTES,
    OPEN,
    OPENING_BYTES,
    PAYLOAD_BYTES,
    Header,
    Kind,
    checksum_of,
    frame_cost,
    pack_header,
    parse_header,
    refuse_foreign,
)
from eau2.records import Record

LANDING_BYTES = 1 << 14
"""Small frames and the beginnings of large ones are received here, many with one call."""

Buffer = bytes | bytearray | memoryview


class Frame(Record, frozen=True):
    """One frame whose checksum was right. `control` is still packed."""

    kind: Kind
    flags: int
    stream: int
    control: bytes
    payload: memoryview

    @property
    def cost(self) -> int:
        """What the frame takes of its stream's credit."""
        return frame_cost(len(self.control), len(self.payload))


_NOTHING = memoryview(b"")


def frame_buffers(
    kind: Kind, flags: int, stream: int, control: bytes, payload: Sequence[Buffer] = ()
) -> list[memoryview]:
    """A frame as the buffers to send, in order; the payload's are the ones handed in.

    Raises ProtocolError for what the peer would refuse as too large.
    """
    views = [view for part in payload if len(view := memoryview(part).cast("B"))]
    size = sum(len(view) for view in views)
    if len(control) > CONTROL_BYTES or size > PAYLOAD_BYTES:
        raise ProtocolError(
            f"a {kind.name} message of {len(control)} + {size} bytes does not fit a frame of"
            f" {CONTROL_BYTES} + {PAYLOAD_BYTES}"
        )
    if flags & OPEN and size > OPENING_BYTES:
        raise ProtocolError(f"a {kind.name} request cannot carry {size} bytes; send them after it")
    head = pack_header(kind, flags, stream, control, views)
    return [memoryview(head + control), *views]


class FrameReader:
    """Takes a stream of bytes apart into frames.

    Receive into `space()`, say how many bytes came with `received(n)`, then call `next_frame()`
    until it gives None. `hello_done()` lifts the bounds that hold until the hello is done.
    `admit(header)` may refuse a frame by raising, before memory for it is taken.
    """

    def __init__(self, admit: Callable[[Header], None] | None = None) -> None:
        self._admit = admit
        self._landing = bytearray(LANDING_BYTES)
        self._view = memoryview(self._landing)
        self._start = 0
        self._stop = 0
        self._header: Header | None = None
        self._control: bytes | None = None
        self._payload = _NOTHING
        self._filled = 0
        self._hello_only = True

    def hello_done(self) -> None:
        """From now on frames of all kinds and sizes are taken."""
        self._hello_only = False

    @property
    def in_frame(self) -> bool:
        """Whether a frame has begun and is not complete."""
        return self._header is not None or self._stop > self._start

    @property
    def first_bytes(self) -> bytes:
        """What has come and is not yet part of a frame: for saying what a stranger sent."""
        return bytes(self._view[self._start : min(self._stop, self._start + 16)])

    def space(self) -> memoryview:
        """Where the next bytes belong. Never empty.

        It is the rest of a payload when that is large; then no byte of the next frame can come
        with it. Otherwise it is the landing buffer.
        """
        missing = len(self._payload) - self._filled
        if missing >= LANDING_BYTES and self._control is not None:
            return self._payload[self._filled :]
        if self._start == self._stop:
            self._start = self._stop = 0
        elif self._start and LANDING_BYTES - self._stop < LANDING_BYTES // 2:
            rest = self._stop - self._start
            self._view[:rest] = self._landing[self._start : self._stop]
            self._start, self._stop = 0, rest
        return self._view[self._stop :]

    def received(self, count: int) -> None:
        """`count` bytes have been written to the start of what `space()` gave."""
        missing = len(self._payload) - self._filled
        if missing >= LANDING_BYTES and self._control is not None:
            self._filled += count
        else:
            self._stop += count

    def next_frame(self) -> Frame | None:
        """The next complete frame, or None when more bytes are needed. Raises ProtocolError.

        After an error the stream of bytes cannot be understood any more.
        """
        if self._header is None and not self._read_header():
            return None
        header = self._header
        assert header is not None
        if self._control is None and not self._read_control(header):
            return None
        if not self._read_payload():
            return None
        control, payload = self._control, self._payload
        assert control is not None
        if checksum_of(control, payload) != header.checksum:
            raise ProtocolError(f"the checksum of a {header.kind.name} frame is wrong")
        self._header, self._control, self._payload = None, None, _NOTHING
        return Frame(header.kind, header.flags, header.stream, control, payload)

    def _read_header(self) -> bool:
        held = self._stop - self._start
        if held < HEADER_BYTES:
            if held:
                refuse_foreign(self._view[self._start : self._stop])
            return False
        raw = bytes(self._view[self._start : self._start + HEADER_BYTES])
        header = parse_header(raw, self._hello_only)
        if self._admit is not None:
            self._admit(header)
        self._header = header
        self._start += HEADER_BYTES
        self._filled = 0
        return True

    def _read_control(self, header: Header) -> bool:
        size = header.control_bytes
        if size <= LANDING_BYTES // 2:
            if self._stop - self._start < size:
                return False
            self._control = bytes(self._view[self._start : self._start + size])
            self._start += size
        else:
            if not len(self._payload):
                self._payload = _memory(size)
            if not self._fill():
                return False
            self._control = bytes(self._payload)
        self._payload = _memory(header.payload_bytes)
        self._filled = 0
        return True

    def _read_payload(self) -> bool:
        return self._filled == len(self._payload) or self._fill()

    def _fill(self) -> bool:
        """Move what has landed to where it belongs; whether that is complete."""
        take = min(self._stop - self._start, len(self._payload) - self._filled)
        if take:
            landed = self._view[self._start : self._start + take]
            self._payload[self._filled : self._filled + take] = landed
            self._start += take
            self._filled += take
        return self._filled == len(self._payload)


def _memory(size: int) -> memoryview:
    """Memory to receive into. Arrow's pool does not clear it, and reuses what was freed.

    Fresh pages are taken as bytes arrive, not before, so an announced size costs nothing; but they
    cost as much as the transfer itself, so a pool that keeps some matters.
    """
    if not size:
        return _NOTHING
    if size < LANDING_BYTES:
        return memoryview(bytearray(size))
    return memoryview(pa.allocate_buffer(size)).cast("B")
