"""A connection's work done by a node: statements and rows go over the wire, and answers come back.

Owns: the conversation about each thing a connection does, the check of what is answered, and going
on with another node when one is lost. Comes in: statements and sources; goes out: results. Does not
know: what a program sees of it (connection.py), how a node does it (server.py).
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import pyarrow as pa

from eau2.catalog import Frame, Function, Named
from eau2.config import WIRE
from eau2.errors import (
    BusyError,
    Error,
    InterfaceError,
    NotSupportedError,
    PeerLostError,
    ProtocolError,
    UnknownNameError,
    UnreachableError,
)
from eau2.kv import manifest
from eau2.kv.encoding import frame_schema
from eau2.net.address import SCHEME, Address
from eau2.net.arrow import decode_table, encode_table, parts
from eau2.net.blocking import BlockingConnection, BlockingStream
from eau2.net.codec import MessageError
from eau2.net.message import (
    ChunkResult,
    DescribeFrame,
    Message,
    Piece,
    Progress,
    PutFrame,
    PutFunction,
    Rows,
    Statement,
    StatementResult,
)
from eau2.net.stream import Received
from eau2.parameters import Parameters, to_wire
from eau2.payloads import joined, payloads, travelling
from eau2.progress import StageTally, Watch
from eau2.repeating import changes_nothing, leaves_state, unanswered, unknown
from eau2.result import Batches, Result
from eau2.types import SqlType, logical_arrow, parse_type

T = TypeVar("T")


class RemoteBackend:
    """See connection.Backend."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        """Connect to the first that can be reached; the others are for when it is lost.

        Raises UnreachableError, HandshakeError, BusyError.
        """
        self._addresses = tuple(addresses)
        self._url = self._store_id = ""
        self._state = self._lent = False
        self._reading: BlockingStream | None = None
        self._watch: Watch | None = None
        self._connect(0)

    def run(self, text: str, parameters: Parameters | None, timeout_s: float | None) -> Result:
        """See Backend."""
        ends = time.monotonic() + _deadline_s(timeout_s)

        def collect() -> list[Received]:
            statement = self._statement(text, parameters)
            if self._watch is None:
                return self._node.collect(statement, deadline_s=_left_s(ends))
            with self._node.open(statement, deadline_s=_left_s(ends), end=True) as stream:
                return [received for received in stream if not self._tells(received)]

        answer = self._asked(text, collect)
        last = answer.pop().message if answer else None
        if not isinstance(last, StatementResult):
            raise ProtocolError(f"{self._url} ended the answer without a result")
        return _result([_table(received) for received in answer], last)

    def stream(self, text: str, parameters: Parameters | None, timeout_s: float | None) -> Batches:
        """See Backend."""
        types: list[SqlType] = []
        tables = self._tables(text, parameters, _deadline_s(timeout_s), types)
        return Batches(tables, lambda: tuple(types))

    def register(self, name: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        """See Backend."""
        self._send(PutFrame(name, True, 0, session=True), schema, batches)
        self._state = True

    def lend(self, name: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        """See Backend."""
        before = self._state
        self.register(name, schema, batches)
        self._state, self._lent = before, True

    def put(
        self,
        name: str,
        schema: pa.Schema,
        batches: Iterator[pa.RecordBatch],
        replace: bool,
        operation: str,
    ) -> None:
        """See Backend."""
        self._send(PutFrame(name, replace, 0, operation=operation), schema, batches)

    def put_typed(
        self,
        frame: Frame,
        schema: pa.Schema,
        batches: Iterator[pa.RecordBatch],
        chunk_rows: int,
        replace: bool,
    ) -> None:
        """Store rows under the name of a frame, in the SQL types of its columns. Raises as `put`.

        schema: of the batches, which Arrow types alone do not make those of the frame.
        """
        types = tuple((str(c.type), c.not_null) for c in frame.schema.columns)
        put = PutFrame(frame.name, replace, chunk_rows, types=types)
        self._send(put, schema, batches)

    def register_function(self, function: Function) -> None:
        """See Backend."""
        self._send_function(PutFunction(function.name, function.source, True, True), function)
        self._state = True

    def put_function(self, function: Function, replace: bool) -> None:
        """Store a function. Raises as `put`."""
        self._send_function(PutFunction(function.name, function.source, replace), function)

    def _send_function(self, put: PutFunction, function: Function) -> None:
        try:
            with self._asking():
                self._node.collect(put, (function.form,), deadline_s=WIRE.deadline_s)
        except PeerLostError as error:
            if self._node.closed and not put.session:
                raise unknown(error) from error
            raise

    def functions(self) -> tuple[str, ...]:
        """See Backend."""
        return tuple(name for name, *_ in self.run("SHOW FUNCTIONS", None, None).fetchall())

    def drop(self, name: str) -> bool:
        """See Backend."""
        quoted = name.replace('"', '""')
        try:
            self.run(f'DROP TABLE "{quoted}"', None, None)
        except UnknownNameError:
            return False
        return True

    def names(self) -> tuple[str, ...]:
        """See Backend."""
        return tuple(name for (name,) in self.run("SHOW TABLES", None, None).fetchall())

    def frame(self, name: str) -> Frame | None:
        """See Backend."""
        named = self.named(name)
        return named if isinstance(named, Frame) else None

    def named(self, name: str) -> Named | None:
        """What a name means, or None. Raises ProtocolError."""
        try:
            answer = self._asked(
                "SHOW TABLES",
                lambda: self._node.collect(DescribeFrame(name), deadline_s=WIRE.deadline_s),
            )
            return manifest.decode(_file(answer))
        except UnknownNameError:
            return None
        except manifest.ManifestError as error:
            raise ProtocolError(f"{self._url} described a frame, but {error}") from error

    def watch(self, watch: Watch | None) -> None:
        """See Backend."""
        self._watch = watch

    def interruptible(self) -> None:
        """See Backend. A node runs its kernels so that they can be ended."""

    def cancel(self) -> bool:
        """See Backend. An interrupted wait cancels what was asked."""
        return False

    def lost(self) -> bool:
        """See Backend."""
        return self._state and self._node.closed

    def close(self) -> None:
        """See Backend."""
        self._node.close()

    def _connect(self, first: int) -> None:
        """Connect to the first node that can be reached, from the address at `first` on."""
        failures: list[Error] = []
        for turn in range(len(self._addresses)):
            self._place = (first + turn) % len(self._addresses)
            address = self._addresses[self._place]
            try:
                self._node = BlockingConnection(address, store_id=self._store_id)
            except (UnreachableError, BusyError) as error:
                failures.append(error)
                continue
            self._url = f"{SCHEME}{address}"
            self._store_id = self._node.welcome.store_id
            # A program that forgets to close, or ends, leaves no thread and no socket behind.
            weakref.finalize(self, self._node.close)
            return
        if len(failures) == 1:
            raise failures[0]
        words = "; ".join(error.message for error in failures)
        raise UnreachableError(f"none of the nodes can be reached: {words}") from failures[-1]

    def _asked(self, text: str, ask: Callable[[], T]) -> T:
        """What a statement is answered; when its node is lost, what another one answers."""
        try:
            for turn in range(len(self._addresses)):
                with self._asking():
                    try:
                        return ask()
                    except (PeerLostError, BusyError) as error:
                        self._go_on(text, error, turn)
        finally:
            self._remember(text)
        raise AssertionError

    def _go_on(self, text: str, error: Error, turn: int, rows: int = 0) -> None:
        """Raise the error, unless the statement may be asked again at another node."""
        if isinstance(error, PeerLostError) and not self._node.closed:
            # The node tells of another one that it has lost itself.
            raise error
        others = turn + 1 < len(self._addresses)
        if others and not rows and not (self._state or self._lent) and changes_nothing(text):
            self._node.close()
            return
        if isinstance(error, BusyError):
            raise error
        if self._state and changes_nothing(text):
            raise self._gone(error.message) from error
        raise unanswered(text, error) from error

    def _gone(self, message: str) -> PeerLostError:
        """The error for when a connection's settings and frames are lost with it."""
        return PeerLostError(
            f"{message}; its settings, prepared statements and registered frames are gone",
            hint="Connect again, and make those anew that are needed.",
        )

    def _statement(self, text: str, parameters: Parameters | None) -> Statement:
        return Statement(text, to_wire(parameters), progress=self._watch is not None)

    def _tells(self, received: Received) -> bool:
        """Whether a message says how far the statement is; whoever watches is told then."""
        if not isinstance(received.message, Progress):
            return False
        if self._watch is not None:
            self._watch(tuple(StageTally(*stage) for stage in received.message.stages))
        return True

    def _remember(self, text: str) -> None:
        """Whether later statements depend on this one, so that they cannot be asked elsewhere."""
        self._state, self._lent = self._state or leaves_state(text), False

    def _tables(
        self, text: str, parameters: Parameters | None, deadline_s: float, types: list[SqlType]
    ) -> Generator[pa.Table, None, None]:
        """The rows as they come. While none has, another node may be asked.

        types: is given the columns' types, at the end.
        """
        statement = self._statement(text, parameters)
        ends = time.monotonic() + deadline_s
        self._reach()
        try:
            for turn in range(len(self._addresses)):
                rows = 0
                try:
                    for table in self._rows(statement, _left_s(ends), types):
                        rows += table.num_rows
                        yield table
                    return
                except (PeerLostError, BusyError) as error:
                    self._go_on(text, error, turn, rows)
        finally:
            self._remember(text)

    def _rows(
        self, statement: Statement, deadline_s: float, types: list[SqlType]
    ) -> Generator[pa.Table, None, None]:
        with self._asking():
            stream = self._node.open(statement, deadline_s=deadline_s, end=True)
        first: pa.Schema | None = None
        with stream:
            self._reading = stream
            while (received := stream.receive()) is not None:
                if isinstance(received.message, StatementResult):
                    types[:] = [_type(text) for _, text in received.message.columns]
                    continue
                if self._tells(received):
                    continue
                table = _table(received)
                if first is not None and not table.schema.equals(first):
                    raise ProtocolError("rows of several schemas in one answer")
                first = table.schema
                yield table
        if first is None:
            yield pa.table({})

    def _send(self, put: PutFrame, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        frame_schema(schema)
        plain = pa.schema([(field.name, travelling(field.type)) for field in schema])
        complete = False
        try:
            with (
                self._asking(),
                self._node.open(
                    put, encode_table(plain.empty_table()), deadline_s=WIRE.deadline_max_s
                ) as stream,
            ):
                for table in joined(batches, plain):
                    for part in parts(table):
                        for rows, payload in payloads(part):
                            stream.send(Rows(rows), payload)
                complete = True
                stream.finish()
                if (received := stream.receive()) is not None:
                    kind = type(received.message).__name__
                    raise ProtocolError(f"{self._url} answered rows to store with a {kind}")
        except PeerLostError as error:
            if complete and self._node.closed and not put.session:
                raise unknown(error) from error
            raise

    def _reach(self) -> None:
        """See that there is a node to ask: else the next one, if nothing is lost by that."""
        if not self._node.closed:
            return
        if self._state:
            raise self._gone(f"the connection to {self._url} is closed")
        self._connect(self._place + 1)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Refuse to ask what could not be answered, and say what cannot be sent."""
        if self._reading is not None and not self._reading.done:
            raise InterfaceError(
                "the batches of an earlier statement are still being read on this connection",
                hint="Read them to their end or close them first, or use another connection.",
            )
        self._reading = None
        self._reach()
        try:
            yield
        except MessageError as error:
            raise NotSupportedError(f"this cannot be sent to a node: {error.message}") from error


def _deadline_s(timeout_s: float | None) -> float:
    return WIRE.deadline_max_s if timeout_s is None else timeout_s


def _left_s(ends: float) -> float:
    return max(0.0, ends - time.monotonic())


def _table(received: Received) -> pa.Table:
    message = received.message
    if not isinstance(message, Rows):
        raise ProtocolError(f"a {type(message).__name__} among the rows of an answer")
    table = decode_table(received.payload, trusted=False)
    if table.num_rows != message.rows:
        raise ProtocolError(f"{table.num_rows} rows that were said to be {message.rows}")
    return table


def _result(tables: list[pa.Table], said: StatementResult) -> Result:
    """The tables as one, which must be what the node says of them."""
    names = tuple(name for name, _ in said.columns)
    types = tuple(_type(text) for _, text in said.columns)
    expected = pa.schema(list(zip(names, map(logical_arrow, types), strict=True)))
    for table in tables:
        if not table.schema.equals(expected):
            raise ProtocolError("rows that are not of the columns they were said to have")
    whole = pa.concat_tables(tables) if tables else expected.empty_table()
    if whole.num_rows != said.rows and names:
        raise ProtocolError(f"{whole.num_rows} rows of {said.rows} have come")
    return Result(names, types, whole.num_rows, whole)


def _type(text: str) -> SqlType:
    try:
        return parse_type(text)
    except ValueError as error:
        raise ProtocolError(f"a column of the type {text!r}, which eau2 has not") from error


def _file(answer: list[Received]) -> bytes:
    """The bytes of a file that came in pieces."""
    messages: list[Message | None] = [received.message for received in answer]
    head, *rest = messages or [None]
    data = b"".join(bytes(received.payload) for received in answer[1:])
    pieces = all(isinstance(message, Piece) for message in rest)
    if not isinstance(head, ChunkResult) or not pieces or head.bytes != len(data):
        raise ProtocolError("a description that is not all there")
    return data
