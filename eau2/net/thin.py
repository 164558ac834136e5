"""The thin client: a statement to a node, its rendered answer to a sink, and nothing else.

Owns: a blocking socket, and the few messages a statement takes. Comes in: an address and a text;
goes out: bytes as the node rendered them. Does not know: SQL, Arrow, how a result looks.

A process that only speaks the wire starts several times faster than one that loads Arrow, Polars
and a grammar. So this module says by hand what net/message.py says with records, and imports
sockets, msgpack and the checksum only; a test holds both to the same bytes.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgpack

from eau2.errors import Error, HandshakeError, PeerLostError, ProtocolError, UnreachableError
from eau2.net.address import SCHEME, Address
from eau2.net.fault import rebuild
from eau2.net.header import (
    CREDIT_BYTES,
    END,
    HEADER_BYTES,
    OPEN,
    VERSION,
    Header,
    Kind,
    checksum_of,
    frame_cost,
    pack_header,
    parse_header,
    refuse_foreign,
)
from eau2.progress import StageTally, Tally, Watch

CONNECT_S = 5.0
SILENCE_S = 5.0
"""After so long without a byte the node is asked whether it lives; after three times as long, it
is given up."""
DEADLINE_S = 3600.0

_STREAM = 1
_SOFTWARE_CHARS = 200
_ITEMS_MAX = 1 << 16

Sink = Callable[[memoryview], object]


class Summary(NamedTuple):
    """How a statement ended: columns (name and SQL type each), rows, seconds on the node."""

    columns: tuple[tuple[str, str], ...]
    rows: int
    elapsed_s: float


class ThinClient:
    """One connection to a node, for one statement after the other."""

    def __init__(self, address: Address, *, store_id: str = "", token: str = "") -> None:
        """Connect and say hello. Raises UnreachableError or HandshakeError; BusyError."""
        self.lost = False
        """Whether the connection broke; what it was asked may have been done or not."""
        self._peer = str(address)
        self.software = ""
        """What the node says it runs, like "eau2 0.1.0"."""
        self._stream = _STREAM
        self._hello_only = True
        self._sending = False
        self._buffer = memoryview(bytearray(1 << 16))
        self._start = self._stop = 0
        self._socket = _connect(address)
        try:
            self._greet(store_id, token)
        except BaseException:
            self._socket.close()
            raise

    def statement(
        self,
        text: str,
        sink: Sink,
        *,
        parameters: Sequence[tuple[int | str, str, Any]] = (),
        format: str = "box",
        width: int = 0,
        settings: Mapping[str, str] | None = None,
        deadline_s: float = DEADLINE_S,
        query: str = "",
        watch: Watch | None = None,
    ) -> Summary:
        """Run a statement; its rendered bytes go to `sink` as they come.

        watch: is told how far the statement is, four times a second at most.
        Raises the statement's error, PeerLostError, ProtocolError. When it is interrupted, the
        statement is cancelled on the node and the connection is closed.
        """
        stream = self._stream
        self._stream += 2
        shown = [format, width, dict(settings or {}), watch is not None]
        body = [text, list(map(list, parameters)), *shown]
        try:
            self._say(Kind.STATEMENT, [[deadline_s, query], body], OPEN | END, stream)
            return _summary(self._answer(stream, sink, Kind.STATEMENT_RESULT, watch))
        except Error:
            raise
        except BaseException:
            self._give_up(stream)
            raise

    def leave_ring(self, name: str, state: str, *, deadline_s: float = DEADLINE_S) -> None:
        """Have the ring say that a node is "leaving", "left", or "in" again.

        Raises what the node answers: UsageError for a node that is not known or the last one,
        OperationalError when the voters cannot be asked; PeerLostError, ProtocolError.
        """
        stream = self._stream
        self._stream += 2
        try:
            self._say(Kind.LEAVE_RING, [[deadline_s, ""], [name, state]], OPEN | END, stream)
            self._answer(stream, _nothing, Kind.RING)
        except Error:
            raise
        except BaseException:
            self._give_up(stream)
            raise

    @property
    def peer(self) -> str:
        """The node: its name, if it told one, and its address."""
        return self._peer

    def _broke(self, why: str) -> PeerLostError:
        self.lost = True
        return PeerLostError(why)

    def close(self) -> None:
        """End the connection. May be called again."""
        self._socket.close()

    def _greet(self, store_id: str, token: str) -> None:
        self._say(Kind.HELLO, [[VERSION, VERSION], "client", store_id, "", token])
        try:
            header, control, _ = self._frame()
        except ProtocolError as error:
            raise HandshakeError(error.message) from error
        except PeerLostError as error:
            raise HandshakeError(f"{error.message} before it had said who it is") from error
        fields = _fields(control)
        if header.kind is Kind.ERROR:
            raise _error(fields)
        if header.kind is not Kind.WELCOME or len(fields) != 4 or fields[0] != VERSION:
            raise HandshakeError(f"{self._peer} does not speak version {VERSION} of the protocol")
        if store_id and fields[1] != store_id:
            raise HandshakeError(f"{self._peer} belongs to the store {fields[1]}, not {store_id}")
        self._hello_only = False
        self.software = str(fields[3])[:_SOFTWARE_CHARS]
        if isinstance(fields[2], str) and fields[2]:
            self._peer = f"{fields[2]} ({self._peer})"

    def _answer(self, stream: int, sink: Sink, last: Kind, watch: Watch | None = None) -> list[Any]:
        """What comes until the last message of the answer; the fields of that one."""
        owed = 0
        while True:
            header, control, payload = self._frame()
            if header.kind is Kind.PING:
                self._say(Kind.PONG, _fields(control))
            if header.kind is Kind.ERROR and header.stream in (stream, 0):
                self.lost = self.lost or header.stream == 0
                raise _error(_fields(control))
            if header.stream != stream:
                continue
            if header.kind is Kind.PROGRESS and watch is not None:
                watch(_tally(_fields(control)))
            if len(payload):
                sink(payload)
            if header.kind is last:
                return _fields(control)
            if header.flags & END:
                raise ProtocolError(f"{self._peer} ended the answer without a result")
            owed += frame_cost(header.control_bytes, header.payload_bytes)
            if owed >= CREDIT_BYTES:
                self._say(Kind.CREDIT, [owed], 0, stream)
                owed = 0

    def _give_up(self, stream: int) -> None:
        """Cancel, unless that would cut a frame in two: then closing does the same."""
        if not self._sending:
            try:
                self._socket.settimeout(0.2)
                self._say(Kind.CANCEL, [], 0, stream)
            except (Error, OSError):
                pass
        self._socket.close()

    def _say(self, kind: Kind, fields: list[Any], flags: int = 0, stream: int = 0) -> None:
        control: bytes = msgpack.packb(fields, use_bin_type=True)
        head = pack_header(kind, flags, stream, control, ())
        self._sending = True
        try:
            self._socket.sendall(head + control)
        except OSError as error:
            raise self._broke(f"the connection to {self._peer} broke: {error}") from error
        self._sending = False

    def _frame(self) -> tuple[Header, memoryview, memoryview]:
        """The next frame's header, control part and payload. The latter are reused by the next."""
        try:
            raw = self._exactly(HEADER_BYTES)
            header = parse_header(bytes(raw), self._hello_only)
            body = self._exactly(header.control_bytes + header.payload_bytes)
            control, payload = body[: header.control_bytes], body[header.control_bytes :]
            if checksum_of(control, payload) != header.checksum:
                raise ProtocolError(f"the checksum of a {header.kind.name} frame is wrong")
        except ProtocolError as error:
            raise ProtocolError(f"{self._peer} broke the protocol: {error.message}") from None
        return header, control, payload

    def _exactly(self, size: int) -> memoryview:
        """The next `size` bytes, which the header has bounded."""
        held = self._stop - self._start
        if size > len(self._buffer):
            whole = memoryview(bytearray(size))
            whole[:held] = self._buffer[self._start : self._stop]
            self._start = self._stop = 0
            while held < size:
                held += self._receive(whole[held:])
            return whole
        if self._start + size > len(self._buffer):
            self._buffer[:held] = bytes(self._buffer[self._start : self._stop])
            self._start, self._stop = 0, held
        while self._stop - self._start < size:
            if self._hello_only and self._stop > self._start:
                refuse_foreign(self._buffer[self._start : self._stop])
            self._stop += self._receive(self._buffer[self._stop :])
        self._start += size
        return self._buffer[self._start - size : self._start]

    def _receive(self, space: memoryview) -> int:
        """At least one byte into `space`; a silent node is asked, then given up."""
        for silences in range(4):
            try:
                count = self._socket.recv_into(space)
            except TimeoutError:
                if self._hello_only or silences == 3:
                    break
                if not silences:
                    self._say(Kind.PING, [0])
                continue
            except OSError as error:
                raise self._broke(f"the connection to {self._peer} broke: {error}") from error
            if not count:
                raise self._broke(f"{self._peer} closed the connection")
            return count
        raise self._broke(f"{self._peer} does not answer")


def _nothing(_: memoryview) -> None:
    """Take bytes that nobody expects."""


def _connect(address: Address) -> socket.socket:
    # Given as bytes, a host's name is not run through the codec of international names, whose
    # import takes a millisecond.
    host: Any = address.host.encode() if address.host.isascii() else address.host
    try:
        connected = socket.create_connection((host, address.port), timeout=CONNECT_S)
    except socket.gaierror as error:
        raise UnreachableError(f"there is no host called {address.host}") from error
    except TimeoutError as error:
        raise UnreachableError(f"{address} did not answer within {CONNECT_S:g} s") from error
    except OSError as error:
        if error.errno == errno.ECONNREFUSED:
            raise UnreachableError(
                f"nobody listens at {SCHEME}{address}",
                hint=f"Start a node with: eau2 node --listen {address}",
            ) from error
        raise UnreachableError(f"cannot connect to {SCHEME}{address}: {error}") from error
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.settimeout(SILENCE_S)
    return connected


def _fields(control: memoryview) -> list[Any]:
    try:
        values = msgpack.unpackb(
            control, raw=False, max_array_len=_ITEMS_MAX, max_map_len=_ITEMS_MAX, max_ext_len=0
        )
    except (ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
        raise ProtocolError("the node sent bytes that are no message") from error
    if not isinstance(values, list):
        raise ProtocolError("the node sent a message without fields")
    return values


def _error(fields: list[Any]) -> Error:
    match fields:
        case [str(name), str(message), str() | None as hint, span, str() | None as text, bool()]:
            place = None
            if isinstance(span, list) and len(span) == 2 and all(type(s) is int for s in span):
                place = (span[0], span[1])
            return rebuild(name, message, hint, place, text)
    return ProtocolError("the node reported an error in a form that is not known here")


def _tally(fields: list[Any]) -> Tally:
    match fields:
        case [list(stages)]:
            if all(isinstance(s, list) and len(s) == 4 for s in stages):
                return tuple(StageTally(*map(int, stage)) for stage in stages)
    raise ProtocolError("the node told its progress in a form that is not known here")


def _summary(fields: list[Any]) -> Summary:
    match fields:
        case [list(columns), int(rows), float(elapsed_s)]:
            pairs = [(str(c[0]), str(c[1])) for c in columns if isinstance(c, list) and len(c) == 2]
            if len(pairs) == len(columns):
                return Summary(tuple(pairs), rows, elapsed_s)
    raise ProtocolError("the node ended a statement in a form that is not known here")
