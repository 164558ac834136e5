"""What is said on the wire: every kind of message as a record.

Owns: the message classes and the bounds of their fields. Does not know: bytes (net/codec.py),
sockets, and what a chunk, a plan or a statement is: messages are plain data.

A message with rows or file bytes carries them beside it, as the frame's payload. A stream is a
request (its first message) and what follows it in both directions; see net/connection.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from eau2.config import CONTROL, WIRE
from eau2.net.packing import MessageError as MessageError
from eau2.net.packing import Range
from eau2.records import Record, field

Scalar = None | bool | int | float | str | bytes
Name = Annotated[str, Range(0, 200)]
Count = Annotated[int, Range(0, 2**63 - 1)]
Seconds = Annotated[float, Range(0.0, 1e12)]
Ballot = tuple[Count, Name]
"""A number and who drew it: eau2.kv.register_store.Ballot."""
RegisterValue = Annotated[bytes, Range(0, CONTROL.register_bytes)]


class Message(Record, frozen=True):
    """The base of all messages."""


class Request(Record, frozen=True):
    """The envelope of a stream's first message.

    deadline_s: what is left of the asker's time; both ends give up after it. query: the id under
    which logs of all nodes speak of this query, empty for what belongs to none.
    """

    deadline_s: Annotated[float, Range(0.0, WIRE.deadline_max_s)]
    query: Annotated[str, Range(0, 64)] = ""


class Hello(Message, frozen=True):
    """The first message on a connection. versions: the lowest and highest that are spoken.

    role: "client" or "node". store_id: the store this connection must lead to, empty for any.
    """

    versions: tuple[int, int]
    role: Name
    store_id: Name = ""
    name: Name = ""
    token: Name = ""


class Welcome(Message, frozen=True):
    """The answer to a hello: the version that will be spoken, and who answered."""

    version: int
    store_id: Name
    name: Name
    software: Name = ""


class ErrorMessage(Message, frozen=True):
    """The last message of a stream that failed (on stream 0: of the connection).

    name: the class in eau2.errors. span and text: where in the statement, of a statement error.
    """

    name: Name
    message: str
    hint: str | None = None
    span: tuple[Count, Count] | None = None
    text: str | None = None
    retryable: bool = False


class Cancel(Message, frozen=True):
    """Whoever opened the stream does not want the answer any more."""


class Ping(Message, frozen=True):
    """Are you there? Answered with a Pong of the same token."""

    token: Count


class Pong(Message, frozen=True):
    """The answer to a ping."""

    token: Count


class Credit(Message, frozen=True):
    """The receiver has taken this many bytes of the stream; as many more may be sent."""

    bytes: Annotated[int, Range(1, 2**32)]


class Done(Message, frozen=True):
    """The answer where there is nothing to say, and the end of a body that was sent."""


class Statement(Message, frozen=True):
    """Run a statement. Answered with Rows, then a StatementResult.

    parameters: (position or name, SQL type or "", value) each. format: "rows" for payloads that
    are each an Arrow IPC stream of their own, of the last statement in the text; "box", "csv",
    "json" or "arrow" for bytes as a terminal or a file takes them, of every statement. width: the
    screen's columns, for "box"; 0 for any number. progress: Progress may come before and among
    the Rows.
    """

    text: str
    parameters: tuple[tuple[int | Name, Name, Scalar], ...] = ()
    format: Name = "rows"
    width: Count = 0
    settings: Mapping[Name, str] = field(default_factory=dict)
    progress: bool = False


class Progress(Message, frozen=True):
    """How far a statement is: (stage, chunks done, of so many, rows read) of each stage.

    Told four times a second at most, and only when the statement asked for it.
    """

    stages: tuple[tuple[Count, Count, Count, Count], ...]


class StatementResult(Message, frozen=True):
    """What a statement gave: its columns (name and SQL type each) and how many rows were sent."""

    columns: tuple[tuple[str, Name], ...]
    rows: Count
    elapsed_s: Seconds = 0.0


class Rows(Message, frozen=True):
    """Rows of a result, or of the input `source` of a task, in the payload."""

    rows: Count
    source: Count = 0


class Piece(Message, frozen=True):
    """The next bytes of a file that is sent, in the payload; `offset` is where they belong."""

    offset: Count


class PutFrame(Message, frozen=True):
    """Store a frame under a name: its rows follow as Rows, each an Arrow IPC stream.

    The payload is such a stream without rows, for the schema. chunk_rows: 0 for what the setting
    of this connection says. session: keep it in memory, for this connection, in place of what has
    that name. operation: what the client calls this put, if it may ask for it again; then it is
    done once. types: (SQL type, NOT NULL) of each column, where the schema does not say all; none
    where it does. Answered with Done, before all rows were taken if it was done already.
    """

    name: str
    replace: bool
    chunk_rows: Count
    session: bool = False
    operation: Name = ""
    types: tuple[tuple[Name, bool], ...] = ()


class PutFunction(Message, frozen=True):
    """Keep a function of a user's, whose operator form is the payload. Answered with Done.

    source: as it was written, for people. session: keep it in memory, for this connection.
    """

    name: Name
    source: str
    replace: bool
    session: bool = False


class DescribeFrame(Message, frozen=True):
    """What does this name mean? With brackets behind it, it is a function's.

    Answered with a ChunkResult, the manifest of that as Pieces.
    """

    name: str


class TaskChunk(Record, frozen=True):
    """A chunk to read, and what its file must be. holders: nodes that it may be fetched from."""

    df_id: Name
    number: Count
    rows: Count
    bytes: Count
    checksum: Name
    holders: tuple[Name, ...] = ()


class ChunkId(Record, frozen=True):
    """Names a chunk: the write that made it, and its number within that write."""

    df_id: Name
    number: Count


class RunTask(Message, frozen=True):
    """Run the fragment in the payload over the chunks together and the inputs.

    The rows of the inputs (numbers of earlier stages) follow as Rows, one payload at least for
    each. attempt: at how many nodes it was tried before. Answered with Rows, if there are many, and
    a TaskResult.
    """

    stage: Count
    number: Count
    attempt: Count
    chunks: tuple[TaskChunk, ...]
    inputs: tuple[Count, ...] = ()


class TaskResult(Message, frozen=True):
    """A task is done: how many rows it gave, and how many of its chunks' rows it read.

    The payload has the last of what it gave, or no row.
    """

    rows: Count
    elapsed_s: Seconds = 0.0
    rows_read: Count = 0


class PutChunk(Message, frozen=True):
    """Store a chunk file; its bytes follow as Pieces. Answered with Done once it is durable."""

    chunk: ChunkId
    rows: Count
    bytes: Count
    checksum: Name


class GetChunk(Message, frozen=True):
    """Send a chunk file. Answered with a ChunkResult, then its bytes as Pieces."""

    chunk: ChunkId


class ChunkResult(Message, frozen=True):
    """The chunk file or manifest that follows as Pieces.

    rows and checksum are 0 and empty when the node does not know them: the manifest does.
    """

    rows: Count
    bytes: Count
    checksum: Name


class DeleteChunks(Message, frozen=True):
    """Delete chunks; one that is not there counts as deleted. Answered with Done."""

    chunks: tuple[ChunkId, ...]


class PutManifest(Message, frozen=True):
    """Store the manifest of a write; its bytes follow as Pieces. Answered as PutChunk is."""

    df_id: Name
    bytes: Count
    checksum: Name


class GetManifest(Message, frozen=True):
    """Send the manifest of a write. Answered with a ChunkResult, then its bytes as Pieces."""

    df_id: Name


class DeleteWrites(Message, frozen=True):
    """Delete all that the node holds of these writes, manifests too. Answered with Done."""

    df_ids: tuple[Name, ...]


class RegisterEntry(Record, frozen=True):
    """What the register of a name holds, as it lies in the bytes of the register."""

    name: Name
    state: Name
    df_id: Name
    version: Count
    manifest: Name = ""
    pending: Name | None = None
    revision: Count = 0
    op: Name = ""
    pending_op: Name = ""


class Prepare(Message, frozen=True):
    """Promise to accept no value of a lower ballot for this register. Answered with a Vote.

    In the Vote, `promised` is this ballot, or the higher one for which it was refused.
    """

    key: Name
    ballot: Ballot


class Accept(Message, frozen=True):
    """Take this value, unless a higher ballot is promised. Answered with a Vote without a value.

    In the Vote, `accepted` is this ballot if the value was taken.
    """

    key: Name
    ballot: Ballot
    value: RegisterValue


class Peek(Message, frozen=True):
    """What has this voter promised and accepted for this register? Answered with a Vote."""

    key: Name


class Vote(Message, frozen=True):
    """What a voter has promised and accepted: durable before it is said."""

    promised: Ballot
    accepted: Ballot
    value: RegisterValue


class PeekPage(Message, frozen=True):
    """All registers of this voter after the key `after`, in order. Answered with Votes."""

    after: Name = ""


class Votes(Message, frozen=True):
    """Registers by key: what is accepted, and its ballot. more: ask again, after the last one."""

    cells: tuple[tuple[Name, Ballot, RegisterValue], ...]
    more: bool = False


class Fingerprint(Message, frozen=True):
    """What has this voter accepted in all its registers? Answered with a Number made of that."""


class Number(Message, frozen=True):
    """A number, as an answer."""

    value: int


class NodeInfo(Message, frozen=True):
    """Who are you? Answered with a NodeDescription."""


class NodeDescription(Message, frozen=True):
    """A node, as SHOW NODES shows it.

    looked: the epoch of the ring for which it last compared its disk with what it is to hold, 0 if
    it has not since it started or found a file damaged. missing: files that it lacked then and has
    not got. quarantined: damaged files that it has put away.
    """

    name: Name
    address: Name
    store_id: Name
    software: Name
    threads: Count
    chunks: Count
    bytes: Count
    running: Count
    uptime_s: Seconds
    looked: Count = 0
    missing: Count = 0
    quarantined: Count = 0
