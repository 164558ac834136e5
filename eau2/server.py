"""The front door: what a node does for clients. Statements in, rows or finished text out.

Owns: the session of each connection (its settings, its registered frames), the threads that plan
and run, and how a result becomes messages. Comes in: Statement, PutFrame and DescribeFrame; goes
out: their answers, as the client takes them. Does not know: sockets, how a statement is computed.

The event loop only passes things on. A statement runs in a thread for as long as it takes to make
the next few megabytes of its answer, and then waits, without a thread, until the client has taken
them; so a client that does not read holds up nobody else, and no result is here as a whole.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import pyarrow as pa

from eau2.catalog import ColumnSchema, FrameSchema, Function, Named, function_of_register
from eau2.cluster import Cluster
from eau2.config import CONTROL, DOOR, DoorLimits
from eau2.engine import Engine
from eau2.errors import BusyError, ProtocolError, UnknownTableError
from eau2.frames import LocalFrames, Stored, gate
from eau2.function_statements import keep
from eau2.indexes.kept import Indexes
from eau2.kernels.host import Cancel, KernelHost
from eau2.kv import manifest
from eau2.kv.encoding import frame_schema
from eau2.kv.exchange import answer_file
from eau2.net.connection import Answer
from eau2.net.frame import Buffer
from eau2.net.message import (
    DescribeFrame,
    Progress,
    PutFrame,
    PutFunction,
    Rows,
    Statement,
    StatementResult,
)
from eau2.net.stream import Received, Stream
from eau2.node import Node
from eau2.operators.codec import FragmentError
from eau2.peers import Peers
from eau2.progress import TOLD_S, Tally
from eau2.replies import Part, Reply
from eau2.settings import Settings
from eau2.types import parse_type
from eau2.uploads import Upload

_log = logging.getLogger("eau2.server")

T = TypeVar("T")


class Session:
    """What belongs to one connection. One request at a time uses it."""

    def __init__(self, engine: Engine, frames: LocalFrames) -> None:
        self.engine = engine
        self.frames = frames
        self.lock = asyncio.Lock()
        self.left: asyncio.Future[Any] | None = None
        """What runs, or what a cancelled request has left running."""

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """The session for oneself, once nothing else uses it any more."""
        async with self.lock:
            if self.left is not None:
                await asyncio.wait([self.left])
                self.left = None
            yield


class _Threads:
    """Threads for work that takes a while, and the queue before them. Used on the event loop."""

    def __init__(self, name: str, limits: DoorLimits) -> None:
        self._pool = ThreadPoolExecutor(limits.running, name)
        self._bound = limits.running + limits.waiting
        self._asked = 0

    def check(self) -> None:
        """Raise BusyError when too much waits for a thread already."""
        if self._asked >= self._bound:
            raise BusyError(
                "the node has as many requests under way as it takes on",
                hint="Try again later, or ask another node.",
            )

    def begin(self, call: Callable[[], T]) -> tuple[Future[T], asyncio.Future[T]]:
        """Have a thread make the call; the same for threads and for the loop."""
        job = self._pool.submit(call)
        running = asyncio.wrap_future(job)
        self._asked += 1
        running.add_done_callback(self._done)
        return job, running

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _done(self, running: asyncio.Future[Any]) -> None:
        self._asked -= 1
        if not running.cancelled():
            # Whoever asked may have gone; then nobody else looks at the error.
            running.exception()


class FrontDoor:
    """Answers clients. To be used on the event loop; `close` it when the node stops."""

    def __init__(
        self,
        *,
        name: str,
        host: KernelHost,
        store: Stored,
        peers: Peers | None,
        data_root: str | None,
        threads: int | None,
        limits: DoorLimits = DOOR,
        indexes: Indexes | None = None,
    ) -> None:
        """data_root: the folder whose files statements may read; None for no files at all.
        indexes: the row lists of the node.

        Raises UsageError when it is not a folder.
        """
        self._name = name
        self._host = host
        self._store = store
        self._peers = peers
        self._file_gate = gate(data_root)
        self._threads = threads
        self._limits = limits
        self._indexes = indexes or Indexes()
        self._sessions: dict[int, Session] = {}
        self._endings: set[asyncio.Task[None]] = set()
        self._statements = 0
        self._runners = _Threads("eau2-run", limits)
        self._writers = _Threads("eau2-put", limits)

    async def answer(self, received: Received, stream: Stream) -> Answer:
        """Answer one request of a client. To be cancelled when the client does not want it."""
        session = self._session(stream.connection)
        match received.message:
            case Statement() as statement:
                async with session.turn():
                    return await self._statement(session, statement, stream)
            case PutFrame() as put:
                async with session.turn():
                    await self._put(session, put, received, stream)
                return None
            case PutFunction() as put:
                async with session.turn():
                    await self._put_function(session, put, received.payload)
                return None
            case DescribeFrame(name=name):
                async with session.turn():
                    await self._describe(session, name, stream)
                return None
        raise ProtocolError(f"clients are not answered a {type(received.message).__name__}")

    def closed(self, number: int) -> None:
        """A connection has ended, and with it its session."""
        session = self._sessions.pop(number, None)
        if session is not None:
            ending = asyncio.get_running_loop().create_task(_end(session))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    def close(self) -> None:
        """Begin nothing more. For any thread, once the connections are closed."""
        self._runners.close()
        self._writers.close()
        self._sessions.clear()

    def _session(self, number: int) -> Session:
        session = self._sessions.get(number)
        if session is None:
            frames = LocalFrames(self._store, self._file_gate, self._limits.session_bytes)
            node = Node(self._name, frames, self._host, self._indexes)
            cluster = Cluster(node, self._peers, candidates=frames.candidates)
            engine = Engine(frames, cluster, Settings(threads=self._threads))
            session = self._sessions[number] = Session(engine, frames)
        return session

    async def _statement(
        self, session: Session, statement: Statement, stream: Stream
    ) -> StatementResult:
        if self._statements >= self._limits.statements:
            raise BusyError(f"{self._statements} statements are under way; no more are taken")
        self._runners.check()
        query = stream.request.query or uuid.uuid4().hex[:16]
        cancel = Cancel(stream.remaining_s)
        reply = Reply(session.engine, statement, cancel, query, self._limits.part_s)
        start = time.perf_counter()
        self._statements += 1
        try:
            with _logged("statement", query, stream):
                more = True
                while more and (part := await self._next(session, reply, stream)) is not None:
                    await stream.send(Rows(part.rows), part.payload)
                    more = not part.last
        except BaseException:
            # Whatever it was, the query need not go on; after an error of its own it has not.
            await self._abandon(session, cancel.cancel, reply.close)
            raise
        finally:
            self._statements -= 1
        return StatementResult(reply.columns, reply.rows, time.perf_counter() - start)

    async def _next(self, session: Session, reply: Reply, stream: Stream) -> Part | None:
        """The next part of a reply. Who asked for it is told meanwhile how far the statement is."""
        if not reply.tells:
            return await self._run(session, reply.next)
        running = asyncio.ensure_future(self._run(session, reply.next))
        told: Tally = ()
        try:
            while not (await asyncio.wait([running], timeout=TOLD_S))[0]:
                if (tally := reply.tally) != told:
                    await stream.send(Progress(tally))
                    told = tally
            return running.result()
        finally:
            running.cancel()

    async def _put(
        self, session: Session, put: PutFrame, received: Received, stream: Stream
    ) -> None:
        self._writers.check()
        limits, frames = self._limits, session.frames
        bound = limits.session_bytes if put.session else None
        upload = Upload(stream, received.payload, limits.source_s, bound)
        chunk_rows = put.chunk_rows or session.engine.settings.chunk_rows

        def store() -> None:
            schema = _typed(put.types, upload.schema) if put.types else upload.schema
            rows = (put.name, schema, upload.batches())
            if put.session:
                frames.registered.put(*rows, chunk_rows=chunk_rows, replace=True)
            else:
                frames.stored.put(
                    *rows, chunk_rows=chunk_rows, replace=put.replace, operation=put.operation
                )

        query = stream.request.query or uuid.uuid4().hex[:16]
        try:
            with _logged("put", query, stream):
                await self._run(session, store, self._writers)
        except BaseException:
            await self._abandon(session, upload.stop)
            raise

    async def _put_function(self, session: Session, put: PutFunction, form: Buffer) -> None:
        self._writers.check()
        function = Function(put.name, bytes(form), put.source)

        def store() -> None:
            keep(session.frames, put.session, function, put.replace)

        try:
            await self._run(session, store, self._writers)
        except FragmentError as error:
            raise ProtocolError(f"a function that cannot be read: {error.message}") from error

    async def _describe(self, session: Session, name: str, stream: Stream) -> None:
        self._runners.check()

        def described() -> bytes:
            named = _meaning(session.frames, name)
            if named is None:
                known = ", ".join(session.frames.names()) or "none"
                raise UnknownTableError(f'there is no table "{name}"', hint=f"Tables: {known}.")
            return manifest.encode(named)

        data = await self._run(session, described)
        await answer_file(stream, len(data), _pieces(data))

    async def _run(
        self, session: Session, call: Callable[[], T], threads: _Threads | None = None
    ) -> T:
        """Make a call for the session in a thread. Cancelled, it leaves the call running."""
        job, running = (threads or self._runners).begin(call)
        session.left = running
        try:
            return await asyncio.shield(running)
        finally:
            # One that still waits for a thread need not begin.
            job.cancel()

    async def _abandon(
        self, session: Session, stop: Callable[[], None], close: Callable[[], None] | None = None
    ) -> None:
        """Stop what the session runs, then close it; its asker waits for that a little."""
        stop()
        ending = asyncio.ensure_future(_closed(session.left, close))
        session.left = ending
        await asyncio.wait([ending], timeout=self._limits.cancel_s)


def _typed(types: tuple[tuple[str, bool], ...], schema: pa.Schema) -> FrameSchema:
    """The columns of a schema in the types that are said. Raises ProtocolError."""
    if len(types) != len(schema):
        raise ProtocolError(f"{len(types)} types for {len(schema)} columns")
    try:
        columns = [
            ColumnSchema(name, parse_type(text), not_null)
            for name, (text, not_null) in zip(schema.names, types, strict=True)
        ]
    except ValueError as error:
        raise ProtocolError(f"a type that eau2 has not: {error}") from error
    frame_schema(schema)
    return FrameSchema(tuple(columns))


def _meaning(frames: LocalFrames, name: str) -> Named | None:
    function = function_of_register(name)
    if function is not None:
        return frames.function(function)
    return frames.frame(name) or frames.view(name)


async def _closed(running: asyncio.Future[Any] | None, close: Callable[[], None] | None) -> None:
    if running is not None:
        await asyncio.wait([running])
    if close is not None:
        await asyncio.to_thread(close)


async def _end(session: Session) -> None:
    async with session.turn():
        session.frames.forget()


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), CONTROL.piece_bytes):
        yield data[start : start + CONTROL.piece_bytes]


@contextmanager
def _logged(what: str, query: str, stream: Stream) -> Iterator[None]:
    """Say how something ended; for who looks closely, also when it begins."""
    start = time.perf_counter()
    about = {"query": query}
    _log.debug("%s of %s begins", what, stream.peer, extra=about)
    how = "done"
    try:
        yield
    except BaseException as error:
        how = type(error).__name__
        raise
    finally:
        taken_s = time.perf_counter() - start
        _log.info("%s of %s, %.3f s: %s", what, stream.peer, taken_s, how, extra=about)
