"""The header of a frame: what both ends must agree on before anything else.

Owns: the layout of the 32 bytes, the numbers of the message kinds, the sizes that belong to the
format, the checksum. Comes in: bytes; goes out: a `Header`, every field of it checked, or a
ProtocolError that says what was wrong. Does not know: what a message holds, sockets. It imports
next to nothing, since the thin client starts with it.

    offset  bytes  field (little-endian)
         0      4  magic b"eau2"
         4      1  version of the format
         5      1  kind
         6      2  flags
         8      4  stream
        12      4  bytes of the control part, at most 1 MiB
        16      4  bytes of the payload, at most 64 MiB
        20      8  xxh3-64 of control part and payload
        28      4  the low half of the xxh3-64 of bytes 0 to 27
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from xxhash import xxh3_64, xxh3_64_intdigest

from eau2.errors import ProtocolError

MAGIC = b"eau2"
VERSION = 1
"""The version of the format and of the messages; a hello says which ones its sender speaks."""

HEADER_BYTES = 32
CONTROL_BYTES = 1 << 20
PAYLOAD_BYTES = 64 << 20
HELLO_BYTES = 4096
"""Control and payload together, until the hello is done."""

WINDOW_BYTES = 4 * (4 << 20)
"""What one direction of one stream may have under way that its receiver has not taken."""
CREDIT_BYTES = WINDOW_BYTES // 4
"""The receiver gives credit back when it has taken this much."""
OPENING_BYTES = CREDIT_BYTES
"""What a frame that opens a stream may carry at most: it needs no credit."""
_FRAME_COST_BYTES = 1024
"""A smaller frame counts as this many bytes, since that is what it takes in memory."""

OPEN = 1
"""Flag: this frame opens its stream, and its control part starts with the request's envelope."""
END = 2
"""Flag: the sender says nothing more on this stream."""
_KNOWN_FLAGS = OPEN | END

_LAYOUT = Struct("<4sBBHIIIQI")
_CHECKED_BYTES = HEADER_BYTES - 4


class Kind(IntEnum):
    """The numbers of the message kinds. No number is given to another kind; 64 to 68 are taken."""

    HELLO = 1
    WELCOME = 2
    ERROR = 3
    CANCEL = 4
    PING = 5
    PONG = 6
    CREDIT = 7
    DONE = 8
    STATEMENT = 16
    STATEMENT_RESULT = 17
    ROWS = 18
    PIECE = 19
    PUT_FRAME = 20
    DESCRIBE_FRAME = 21
    PROGRESS = 22
    PUT_FUNCTION = 23
    RUN_TASK = 32
    TASK_RESULT = 33
    PUT_CHUNK = 48
    GET_CHUNK = 49
    CHUNK_RESULT = 50
    DELETE_CHUNKS = 51
    PUT_MANIFEST = 52
    GET_MANIFEST = 53
    DELETE_WRITES = 54
    NUMBER = 69
    PREPARE = 70
    ACCEPT = 71
    PEEK = 72
    VOTE = 73
    PEEK_PAGE = 74
    VOTES = 75
    FINGERPRINT = 76
    NODE_INFO = 80
    NODE_DESCRIPTION = 81
    JOIN = 82
    GET_RING = 83
    RING = 84
    RING_CHANGED = 85
    LEAVE_RING = 86
    HEARTBEAT = 87
    HOLDINGS = 88
    HELD_WRITES = 89
    CONFIRM_CHUNK = 90
    SUSPECT_CHUNK = 91


class Header(NamedTuple):
    """A header whose every field is within its bounds."""

    kind: Kind
    flags: int
    stream: int
    control_bytes: int
    payload_bytes: int
    checksum: int


def pack_header(
    kind: int, flags: int, stream: int, control: bytes, payload: Iterable[memoryview]
) -> bytes:
    """The header of a frame of these parts. The sizes are the caller's to check."""
    payload_bytes = 0
    digest = xxh3_64(control)
    for part in payload:
        payload_bytes += len(part)
        digest.update(part)
    head = _LAYOUT.pack(
        *(MAGIC, VERSION, kind, flags, stream, len(control), payload_bytes),
        *(digest.intdigest(), 0),
    )
    return head[:_CHECKED_BYTES] + _self_check(head)


def parse_header(raw: bytes, hello_only: bool = False) -> Header:
    """The header in 32 bytes. Raises ProtocolError.

    Until the hello is done (`hello_only`), only small frames that belong to it are taken.
    """
    refuse_foreign(raw)
    if raw[4] != VERSION:
        raise ProtocolError(f"it speaks version {raw[4]} of the protocol, not {VERSION}")
    if raw[_CHECKED_BYTES:] != _self_check(raw):
        raise ProtocolError("a frame's header is damaged")
    _, _, kind, flags, stream, control, payload, checksum, _ = _LAYOUT.unpack(raw)
    known = _KINDS.get(kind)
    if known is None:
        raise ProtocolError(f"a frame of the unknown kind {kind}")
    if flags & ~_KNOWN_FLAGS:
        raise ProtocolError(f"a frame with the unknown flags {flags:#x}")
    if control > CONTROL_BYTES or payload > PAYLOAD_BYTES:
        raise ProtocolError(
            f"a frame of {control} + {payload} bytes; at most"
            f" {CONTROL_BYTES} + {PAYLOAD_BYTES} are allowed"
        )
    if flags & OPEN and payload > OPENING_BYTES:
        raise ProtocolError(
            f"a {known.name} request with a payload of {payload} bytes;"
            f" at most {OPENING_BYTES} are allowed, more follows in further messages"
        )
    if hello_only and (known not in _HANDSHAKE or control + payload > HELLO_BYTES):
        raise ProtocolError(f"a {known.name} frame of {control + payload} bytes before the hello")
    return Header(known, flags, stream, control, payload, checksum)


def refuse_foreign(start: bytes | bytearray | memoryview) -> None:
    """Raise ProtocolError if what a peer sends first cannot be a frame; 1 byte is enough to try."""
    seen = bytes(start[:8])
    if seen[:4] == MAGIC[: len(seen)]:
        return
    if seen.startswith(_HTTP):
        what = "HTTP"
    elif seen.startswith(b"\x16\x03"):
        what = "TLS"
    elif seen.startswith(b"SSH-"):
        what = "SSH"
    else:
        raise ProtocolError(f"it does not speak eau2's protocol (its bytes begin {seen!r})")
    raise ProtocolError(f"it speaks {what}, not eau2's protocol")


def asks_in_http(start: bytes) -> bool:
    """Whether the bytes begin a request of HTTP, whose sender gets an answer it can show."""
    return start.startswith(_HTTP_REQUESTS)


def frame_cost(control_bytes: int, payload_bytes: int) -> int:
    """What a frame takes of its stream's credit."""
    return max(_FRAME_COST_BYTES, HEADER_BYTES + control_bytes + payload_bytes)


def checksum_of(control: bytes | memoryview, payload: bytes | memoryview) -> int:
    """The checksum that the header of a frame of these parts has."""
    if not len(payload):
        plain: int = xxh3_64_intdigest(control)
        return plain
    digest = xxh3_64(control)
    digest.update(payload)
    both: int = digest.intdigest()
    return both


def _self_check(head: bytes) -> bytes:
    digest: int = xxh3_64_intdigest(head[:_CHECKED_BYTES])
    return (digest & 0xFFFFFFFF).to_bytes(4, "little")


_KINDS = {int(kind): kind for kind in Kind}
_HANDSHAKE = frozenset({Kind.HELLO, Kind.WELCOME, Kind.ERROR})
_HTTP_REQUESTS = (b"GET ", b"POST ", b"PUT ", b"HEAD ", b"OPTIONS ", b"DELETE ", b"PATCH ")
_HTTP = (*_HTTP_REQUESTS, b"HTTP/")
