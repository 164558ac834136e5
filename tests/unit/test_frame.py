"""Framing: any split of the bytes gives the same frames; whatever is wrong is refused early."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.errors import ProtocolError
from eau2.net.frame import LANDING_BYTES, Frame, FrameReader, frame_buffers
from eau2.net.header import (
    CONTROL_BYTES,
    END,
    HEADER_BYTES,
    HELLO_BYTES,
    OPEN,
    OPENING_BYTES,
    PAYLOAD_BYTES,
    VERSION,
    Header,
    Kind,
)
from tests.wire.fuzz import resident_bytes

Plain = tuple[Kind, int, int, bytes, bytes]


def plain(frame: Frame) -> Plain:
    return frame.kind, frame.flags, frame.stream, frame.control, bytes(frame.payload)


def packed(frame: Plain) -> bytes:
    kind, flags, stream, control, payload = frame
    return b"".join(frame_buffers(kind, flags, stream, control, [payload]))


def read(data: bytes, cuts: Iterable[int], reader: FrameReader | None = None) -> list[Plain]:
    """The frames that come of `data` when it arrives in pieces of the sizes `cuts`, in turn."""
    if reader is None:
        reader = FrameReader()
        reader.hello_done()
    sizes = list(cuts) or [len(data)]
    frames, position, turn = [], 0, 0
    while position < len(data):
        space = reader.space()
        count = min(len(space), len(data) - position, sizes[turn % len(sizes)])
        space[:count] = data[position : position + count]
        reader.received(count)
        position, turn = position + count, turn + 1
        while (frame := reader.next_frame()) is not None:
            frames.append(plain(frame))
    return frames


def bodies(limit: int) -> st.SearchStrategy[bytes]:
    """Bytes of any size up to the limit, of which Hypothesis need not choose each."""
    sizes = st.one_of(st.integers(0, 40), st.integers(0, limit))
    return st.builds(lambda n, b: bytes([b]) * n, sizes, st.integers(0, 255))


FRAMES = st.tuples(
    st.sampled_from(list(Kind)),
    st.sampled_from([0, OPEN, END, OPEN | END]),
    st.integers(0, 2**32 - 1),
    bodies(3 * LANDING_BYTES),
    bodies(5 * LANDING_BYTES),
)


@given(
    st.lists(FRAMES, max_size=6),
    st.lists(st.one_of(st.integers(1, 64), st.integers(1, 3 * LANDING_BYTES)), max_size=8),
)
@settings(max_examples=150, deadline=None)
def test_any_split_gives_the_same_frames(frames: list[Plain], cuts: list[int]) -> None:
    sizes = cuts if min(cuts, default=999) > 8 else [*cuts, 5000]
    assert read(b"".join(map(packed, frames)), sizes) == frames


def test_one_byte_at_a_time() -> None:
    frame = (Kind.ROWS, END, 7, b"control", b"payload" * 30)
    assert read(packed(frame) * 2, [1]) == [frame, frame]


def test_a_large_payload_is_received_into_its_own_memory() -> None:
    payload = bytes(range(256)) * 8192
    data = packed((Kind.PIECE, 0, 1, b"c", payload))
    reader = FrameReader()
    reader.hello_done()
    head = data[: HEADER_BYTES + 1]
    reader.space()[: len(head)] = head
    reader.received(len(head))
    assert reader.next_frame() is None
    space = reader.space()
    assert len(space) == len(payload)
    space[:] = payload
    reader.received(len(payload))
    frame = reader.next_frame()
    assert frame is not None
    assert frame.payload.obj is space.obj
    assert frame.payload == payload


def test_payload_buffers_are_sent_as_they_are() -> None:
    part = bytearray(1 << 20)
    buffers = frame_buffers(Kind.PIECE, 0, 1, b"", [part, b"", memoryview(b"end")])
    assert buffers[1].obj is part
    assert [len(buffer) for buffer in buffers] == [HEADER_BYTES, 1 << 20, 3]


@pytest.mark.parametrize("position", range(HEADER_BYTES))
def test_every_damaged_byte_of_a_header_is_noticed(position: int) -> None:
    data = bytearray(packed((Kind.ROWS, 0, 1, b"control", b"payload")))
    data[position] ^= 4
    with pytest.raises(ProtocolError):
        read(bytes(data), [])


@pytest.mark.parametrize("position", [HEADER_BYTES, HEADER_BYTES + 6, -1])
def test_a_damaged_body_is_noticed(position: int) -> None:
    data = bytearray(packed((Kind.ROWS, 0, 1, b"control", b"payload")))
    data[position] ^= 1
    with pytest.raises(ProtocolError, match="checksum of a ROWS frame"):
        read(bytes(data), [])


def forged(control_bytes: int, payload_bytes: int, kind: int = Kind.ROWS, flags: int = 0) -> bytes:
    """A header that is right in itself and announces these sizes."""
    fields = (b"eau2", VERSION, kind, flags, 1, control_bytes, payload_bytes, 0)
    head = struct.pack("<4sBBHIIIQ", *fields)
    return head + struct.pack("<I", xxhash.xxh3_64_intdigest(head) & 0xFFFFFFFF)


def test_sizes_are_refused_before_memory_is_taken() -> None:
    for control, payload in (
        (CONTROL_BYTES + 1, 0),
        (0, PAYLOAD_BYTES + 1),
        (2**32 - 1, 2**32 - 1),
    ):
        with pytest.raises(ProtocolError, match=re.escape(f"a frame of {control} + {payload}")):
            read(forged(control, payload), [])


def test_memory_is_not_resident_before_its_bytes_come() -> None:
    before = resident_bytes()
    readers = []
    for _ in range(20):
        reader = FrameReader()
        reader.hello_done()
        assert read(forged(0, PAYLOAD_BYTES), [], reader) == []
        readers.append(reader)
    assert resident_bytes() - before < PAYLOAD_BYTES


def test_what_does_not_fit_a_frame_is_not_sent() -> None:
    with pytest.raises(ProtocolError, match="does not fit"):
        frame_buffers(Kind.ROWS, 0, 1, b"", [memoryview(bytes(PAYLOAD_BYTES)), b"x"])
    with pytest.raises(ProtocolError, match="does not fit"):
        frame_buffers(Kind.ROWS, 0, 1, bytes(CONTROL_BYTES + 1))
    with pytest.raises(ProtocolError, match="request cannot carry"):
        frame_buffers(Kind.RUN_TASK, OPEN, 1, b"", [bytes(OPENING_BYTES + 1)])
    with pytest.raises(ProtocolError, match="request with a payload of"):
        read(forged(0, OPENING_BYTES + 1, flags=OPEN), [])


def test_admission_is_asked_before_memory_is_taken() -> None:
    seen: list[Header] = []

    def refuse(header: Header) -> None:
        seen.append(header)
        raise ProtocolError("no")

    reader = FrameReader(refuse)
    reader.hello_done()
    with pytest.raises(ProtocolError, match="no"):
        read(packed((Kind.ROWS, END, 9, b"c", b"p"))[:HEADER_BYTES], [], reader)
    assert [(h.kind, h.stream, h.control_bytes, h.payload_bytes) for h in seen] == [
        (Kind.ROWS, 9, 1, 1)
    ]


@pytest.mark.parametrize(
    ("kind", "size"), [(Kind.PING, 1), (Kind.STATEMENT, 10), (Kind.HELLO, HELLO_BYTES + 1)]
)
def test_before_the_hello_only_small_hellos_are_taken(kind: Kind, size: int) -> None:
    with pytest.raises(ProtocolError, match="before the hello"):
        read(packed((kind, 0, 0, bytes(size), b"")), [], FrameReader())


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "speaks HTTP"),
        (b"POST /x", "speaks HTTP"),
        (b"HTTP/1.1 400 Bad Request\r\n", "speaks HTTP"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "speaks TLS"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "speaks SSH"),
        (b"x", "does not speak"),
        (b"eau1" + bytes(28), "does not speak"),
        (b"eau2\x09" + bytes(27), "speaks version 9"),
    ],
)
def test_strangers_are_recognised(start: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        read(start, [], FrameReader())
    with pytest.raises(ProtocolError, match=message if len(start) < 32 else "."):
        read(start, [8], FrameReader())


@pytest.mark.parametrize("kind", [0, 9, 255])
def test_unknown_kinds_and_flags_are_refused(kind: int) -> None:
    with pytest.raises(ProtocolError, match=f"unknown kind {kind}"):
        read(forged(0, 0, kind=kind), [])
    with pytest.raises(ProtocolError, match="unknown flags"):
        read(forged(0, 0, flags=0x80), [])
