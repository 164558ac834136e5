"""Messages and fragments as bytes.

Owns: the table of kinds, and what may open a stream or carry a payload. Comes in: a message; goes
out: the control part of a frame, and the reverse: an unknown kind, a wrong number of fields or a
value of another type is a ProtocolError. Does not know: sockets, what a message is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eau2.config import LIMITS
from eau2.errors import ProtocolError
from eau2.net.header import CONTROL_BYTES, Kind
from eau2.net.message import (
    Accept,
    Cancel,
    ChunkResult,
    Credit,
    DeleteChunks,
    DeleteWrites,
    DescribeFrame,
    Done,
    ErrorMessage,
    Fingerprint,
    GetChunk,
    GetManifest,
    Hello,
    Message,
    NodeDescription,
    NodeInfo,
    Number,
    Peek,
    PeekPage,
    Piece,
    Ping,
    Pong,
    Prepare,
    Progress,
    PutChunk,
    PutFrame,
    PutFunction,
    PutManifest,
    Request,
    Rows,
    RunTask,
    Statement,
    StatementResult,
    TaskResult,
    Vote,
    Votes,
    Welcome,
)
from eau2.net.packing import MessageError as MessageError
from eau2.net.packing import pack, shape, unpack
from eau2.net.ring_message import (
    ConfirmChunk,
    GetRing,
    Heartbeat,
    HeldWrites,
    Holdings,
    Join,
    LeaveRing,
    Ring,
    RingChanged,
    SuspectChunk,
)
from eau2.operators.base import Operator
from eau2.operators.codec import from_plain, to_plain
from eau2.records import Record


class Row(Record, frozen=True):
    """A line of the table of kinds: whether it may open a stream, and carry a payload."""

    cls: type[Message]
    opens: bool = False
    payload: bool = False


TABLE: Mapping[Kind, Row] = {
    Kind.HELLO: Row(Hello),
    Kind.WELCOME: Row(Welcome),
    Kind.ERROR: Row(ErrorMessage),
    Kind.CANCEL: Row(Cancel),
    Kind.PING: Row(Ping),
    Kind.PONG: Row(Pong),
    Kind.CREDIT: Row(Credit),
    Kind.DONE: Row(Done),
    Kind.STATEMENT: Row(Statement, opens=True),
    Kind.STATEMENT_RESULT: Row(StatementResult, payload=True),
    Kind.ROWS: Row(Rows, payload=True),
    Kind.PROGRESS: Row(Progress),
    Kind.PIECE: Row(Piece, payload=True),
    Kind.RUN_TASK: Row(RunTask, opens=True, payload=True),
    Kind.TASK_RESULT: Row(TaskResult, payload=True),
    Kind.PUT_CHUNK: Row(PutChunk, opens=True, payload=True),
    Kind.GET_CHUNK: Row(GetChunk, opens=True),
    Kind.CHUNK_RESULT: Row(ChunkResult, payload=True),
    Kind.DELETE_CHUNKS: Row(DeleteChunks, opens=True),
    Kind.PUT_MANIFEST: Row(PutManifest, opens=True),
    Kind.GET_MANIFEST: Row(GetManifest, opens=True),
    Kind.DELETE_WRITES: Row(DeleteWrites, opens=True),
    Kind.NUMBER: Row(Number),
    Kind.PREPARE: Row(Prepare, opens=True),
    Kind.ACCEPT: Row(Accept, opens=True),
    Kind.PEEK: Row(Peek, opens=True),
    Kind.VOTE: Row(Vote),
    Kind.PEEK_PAGE: Row(PeekPage, opens=True),
    Kind.VOTES: Row(Votes),
    Kind.FINGERPRINT: Row(Fingerprint, opens=True),
    Kind.NODE_INFO: Row(NodeInfo, opens=True),
    Kind.NODE_DESCRIPTION: Row(NodeDescription),
    Kind.PUT_FRAME: Row(PutFrame, opens=True, payload=True),
    Kind.PUT_FUNCTION: Row(PutFunction, opens=True, payload=True),
    Kind.DESCRIBE_FRAME: Row(DescribeFrame, opens=True),
    Kind.JOIN: Row(Join, opens=True),
    Kind.GET_RING: Row(GetRing, opens=True),
    Kind.RING: Row(Ring),
    Kind.RING_CHANGED: Row(RingChanged, opens=True),
    Kind.LEAVE_RING: Row(LeaveRing, opens=True),
    Kind.HEARTBEAT: Row(Heartbeat, opens=True),
    Kind.HOLDINGS: Row(Holdings, opens=True),
    Kind.HELD_WRITES: Row(HeldWrites),
    Kind.CONFIRM_CHUNK: Row(ConfirmChunk, opens=True),
    Kind.SUSPECT_CHUNK: Row(SuspectChunk, opens=True),
}
"""Every kind of message. To add one: a number in net/header.py, a class, a line here."""

_KIND_OF = {row.cls: kind for kind, row in TABLE.items()}


def kind_of(message: Message) -> Kind:
    """The kind of a message."""
    return _KIND_OF[type(message)]


def encode_message(message: Message, request: Request | None = None) -> bytes:
    """The control part: the message's fields, after the envelope's if it opens a stream."""
    return pack(message if request is None else (request, message), CONTROL_BYTES)


def decode_message(kind: Kind, control: bytes) -> Message:
    """The message in a control part. Raises ProtocolError."""
    return _typed(kind, _control(control))


def decode_request(kind: Kind, control: bytes) -> tuple[Request, Message]:
    """The envelope and the message of a frame that opens a stream. Raises ProtocolError."""
    values = _control(control)
    if not TABLE[kind].opens:
        raise ProtocolError(f"a {kind.name} message asks for nothing")
    if type(values) is not tuple or len(values) != 2:
        raise ProtocolError(f"a {kind.name} message without its envelope")
    request: Request = shape(Request).build(values[0])
    return request, _typed(kind, values[1])


def _control(control: bytes) -> Any:
    try:
        return unpack(control, CONTROL_BYTES, tuple)
    except MessageError as error:
        raise ProtocolError(error.message) from error


def _typed(kind: Kind, values: Any) -> Message:
    cls: Any = TABLE[kind].cls
    message: Message = shape(cls).build(values)
    return message


def encode(plain: Any) -> bytes:
    """Plain values as bytes. Raises MessageError above LIMITS.fragment_bytes."""
    return pack(plain, LIMITS.fragment_bytes)


def decode(packed: bytes) -> Any:
    """The values `encode` made into `packed`. Raises MessageError for any other bytes."""
    return unpack(packed, LIMITS.fragment_bytes, list)


def encode_fragment(root: Operator) -> bytes:
    """A fragment as bytes. Raises FragmentError or MessageError when it exceeds the limits."""
    return encode(to_plain(root))


def decode_fragment(packed: bytes) -> Operator:
    """The fragment in `packed`. Raises FragmentError or MessageError for any other bytes."""
    return from_plain(decode(packed))
