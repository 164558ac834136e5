"""One message of every kind, some with payloads: where fuzzing and round trips begin."""

from __future__ import annotations

import pyarrow as pa

from eau2.net.arrow import encode_table
from eau2.net.codec import TABLE, encode_message, kind_of
from eau2.net.frame import frame_buffers
from eau2.net.header import END, OPEN, Kind
from eau2.net.message import (
    Accept,
    Cancel,
    ChunkId,
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
    TaskChunk,
    TaskResult,
    Vote,
    Votes,
    Welcome,
)
from eau2.net.ring_message import (
    ConfirmChunk,
    GetRing,
    Heartbeat,
    Held,
    HeldWrites,
    Holdings,
    Join,
    LeaveRing,
    Member,
    Ring,
    RingChanged,
    SuspectChunk,
)

_CHUNKS = tuple(ChunkId("d3adbeef", number) for number in range(4))
_RING = Ring("store", 2, (Member("n1", "d3adbeef", "127.0.0.1:7700"),), ("n1",))

MESSAGES: tuple[Message, ...] = (
    Hello((1, 1), "node", "store", "n1", "token"),
    Welcome(1, "store", "n1", "0.1.0"),
    ErrorMessage("SqlSyntaxError", "no", "hint", (1, 4), "a text", False),
    ErrorMessage("BusyError", "later", retryable=True),
    Cancel(),
    Ping(7),
    Pong(7),
    Credit(4_194_304),
    Done(),
    Statement(
        "SELECT ?, $name", ((1, "BIGINT", 2**62), ("name", "VARCHAR", "ü")), "box", 80, {"a": "b"}
    ),
    Statement("SELECT 1", ((1, "", None), (2, "", 1.5), (3, "", True), (4, "", b"\x00"))),
    StatementResult((("a", "BIGINT"), ("b", "DECIMAL(10,2)")), 12, 0.25),
    Rows(1_000, 2),
    Piece(1 << 40),
    RunTask(1, 2, 0, (TaskChunk("d3adbeef", 7, 1_048_576, 99, "00ff"),), (0, 3)),
    TaskResult(5, 0.5),
    PutChunk(_CHUNKS[0], 1_048_576, 99, "abc"),
    GetChunk(_CHUNKS[1]),
    ChunkResult(1, 2, "abc"),
    DeleteChunks(_CHUNKS),
    PutManifest("d3adbeef", 99, "abc"),
    GetManifest("d3adbeef"),
    DeleteWrites(("d3adbeef", "f00d")),
    Peek("lineitem"),
    Prepare("lineitem", (7, "f00d")),
    Accept("lineitem", (7, "f00d"), b"a value"),
    Vote((7, "f00d"), (0, ""), b""),
    PeekPage("a"),
    Votes((("a", (7, "f00d"), b"a value"), ("b", (0, ""), b"")), True),
    Fingerprint(),
    Number(-1),
    NodeInfo(),
    NodeDescription("n1", "127.0.0.1:1", "store", "0.1.0", 2, 3, 4, 5, 6.5, 7, 8, 9),
    Progress(((0, 3, 40, 3_000_000), (1, 0, 0, 0))),
    PutFrame("lineitem", True, 1_048_576),
    PutFrame("t", False, 2, True),
    PutFrame("t", True, 2, types=(("HUGEINT", True), ("INTEGER[]", False))),
    PutFunction("plus", "a + b", True, True),
    DescribeFrame("lineitem"),
    Join("d3adbeef", "127.0.0.1:7701"),
    GetRing(),
    _RING,
    RingChanged(_RING),
    LeaveRing("n2", "leaving"),
    Heartbeat(7),
    Holdings(("d3adbeef", "f00d"), 9),
    HeldWrites((Held("d3adbeef", True, ((0, 3), (5, 1))), Held("f00d", False, ())), True),
    ConfirmChunk(7, TaskChunk("d3adbeef", 7, 1_048_576, 99, "00ff"), 2, 5),
    SuspectChunk("d3adbeef", 7),
    SuspectChunk("d3adbeef", None),
)


def tables() -> list[pa.Table]:
    """Small tables of every type that travels, with and without NULLs, empty, in two batches."""
    columns = {
        "bool": pa.array([True, None, False, True] * 3),
        "int8": pa.array(range(12), pa.int8()),
        "uint64": pa.array([None, *range(11)], pa.uint64()),
        "double": pa.array([1.5, None, float("nan")] * 4),
        "float": pa.array([1.5] * 12, pa.float32()),
        "wide": pa.array([None, *range(11)], pa.decimal128(38, 0)),
        "decimal": pa.array(range(12), pa.decimal128(10, 2)),
        "string": pa.array(["", None, "ü" * 20] * 4, pa.string()),
        "large": pa.array(["", None, "ü" * 20] * 4, pa.large_string()),
        "view": pa.array(["", None, "ü" * 20] * 4, pa.string_view()),
        "date": pa.array(range(12), pa.int32()).cast(pa.date32()),
        "moment": pa.array(range(12), pa.int64()).cast(pa.timestamp("us")),
    }
    whole = pa.table(columns)
    strings = whole.select(["string", "view"])
    numbers = whole.select(["int8", "double", "wide"])
    return [whole, strings, numbers, whole.slice(0, 0), pa.concat_tables([strings, strings])]


def payloads() -> list[bytes]:
    """The tables as payloads."""
    return [b"".join(encode_table(table)) for table in tables()]


def frame_of(message: Message, payload: bytes = b"", stream: int = 1, end: bool = True) -> bytes:
    """A message as the frame it is sent in."""
    kind = kind_of(message)
    row = TABLE[kind]
    request = Request(5.0, "q1") if row.opens else None
    flags = (OPEN if row.opens else 0) | (END if end and kind is not Kind.HELLO else 0)
    control = encode_message(message, request)
    number = 0 if kind is Kind.HELLO else stream
    return b"".join(frame_buffers(kind, flags, number, control, [payload]))
