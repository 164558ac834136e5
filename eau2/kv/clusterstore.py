"""The frames of a whole ring, for threads: what a Store is to one process, to all nodes.

Owns: the way from threads to the coordinator's coroutines and back, and how rows become the sealed
chunks of a put. Comes in: Arrow batches, names, chunks; goes out: Frames, and the rows of chunks in
stored form. Does not know: SQL, which nodes there are, how a put becomes visible.

A put's rows are pulled, cut and sealed in the thread that puts them, one chunk whenever the
coordinator asks for one, so what is held is that chunk and those under way.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import (
    AsyncGenerator,
    Callable,
    Collection,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from concurrent.futures import CancelledError as FutureCancelledError
from concurrent.futures import Future
from contextlib import AbstractContextManager, AsyncExitStack, aclosing, suppress
from typing import Any, TypeVar

import pyarrow as pa

from eau2.catalog import ChunkKey, ChunkRef, Frame, FrameSchema, Function, Named, View
from eau2.config import CONTROL, DEFAULT_CHUNK_ROWS
from eau2.errors import (
    CancelledError,
    CorruptChunkError,
    InterfaceError,
    MissingError,
    OperationalError,
)
from eau2.kv.appending import Joint, Measured, chunks_after
from eau2.kv.chunk import ByteSink, write_ipc
from eau2.kv.coordinator import Coordinator
from eau2.kv.copies import SealedChunk
from eau2.kv.cutting import check_chunk_rows, measured_chunks
from eau2.kv.encoding import schema_of
from eau2.kv.meanings import Meanings
from eau2.kv.nodechunks import NodeChunks
from eau2.kv.registers import QuorumRegistry
from eau2.kv.registry import check_kept, check_name
from eau2.kv.status import NodeStatus, Place
from eau2.kv.survey import Survey, places

T = TypeVar("T")

_JOIN_BYTES = 1 << 16
"""Smaller parts of a chunk file are joined: each part travels in a message of its own."""
_LOOK_S = 1.0
"""How often a thread that waits for the loop looks whether there still is one."""


class ClusterStore(Meanings):
    """Frames under names, spread over a ring. For any number of threads, but not the loop's own."""

    def __init__(
        self,
        coordinator: Coordinator,
        chunks: NodeChunks,
        loop: asyncio.AbstractEventLoop,
        survey: Survey,
    ) -> None:
        """coordinator, survey: of this node, running on `loop`. chunks: on this node's disk."""
        self.chunks = chunks
        self._coordinator = coordinator
        self._loop = loop
        self._survey = survey
        self._closed = False

    def put(
        self,
        name: str,
        schema: pa.Schema | FrameSchema,
        batches: Iterable[pa.RecordBatch],
        *,
        chunk_rows: int = DEFAULT_CHUNK_ROWS,
        replace: bool = False,
        operation: str = "",
    ) -> Frame:
        """Store the rows of `batches`, which have `schema`, under `name`; the new frame.

        operation: see `op` of Coordinator.put. If it is done already, no row is taken.
        `batches` is pulled from in this thread, and not before the name is known to be free. Raises
        what Store.put and Coordinator.put raise, and whatever `batches` raises; after any of them
        but OutcomeUnknownError the name is as it was before.
        """
        self._check_open()
        check_name(name)
        check_chunk_rows(chunk_rows)
        columns = schema_of(schema)
        pull = _Pull(self._loop)
        work = self._put(name, columns, pull, replace, operation)
        return self._fed(pull, work, lambda: measured_chunks(batches, columns, chunk_rows))

    def append(
        self,
        name: str,
        schema: FrameSchema,
        batches: Iterable[pa.RecordBatch],
        *,
        chunk_rows: int = DEFAULT_CHUNK_ROWS,
    ) -> None:
        """Make a new version of the frame `name`, of the given schema, with these rows behind it.

        Raises as `put` does, and OperationalError when there is no such frame any more.
        """
        self._check_open()
        check_chunk_rows(chunk_rows)
        measured = measured_chunks(batches, schema, chunk_rows)
        first = next(measured)
        rows = first[0].num_rows
        if not rows:
            return
        pull = _Pull(self._loop)

        def follow() -> Iterator[Measured]:
            assert pull.place is not None
            return chunks_after(pull.place, first, measured, chunk_rows, self._batch)

        self._fed(pull, self._append(name, schema, rows, chunk_rows, pull), follow)

    def amend(self, name: str, change: Callable[[Frame], Frame]) -> None:
        """Make a new version of the frame `name`, of the same chunks. Raises as `append` does."""
        self._do(self._coordinator.amend(name, change))

    def keep(self, named: View | Function, *, replace: bool = False) -> None:
        """Keep a view or a function under its name. Raises as `put` does."""
        check_kept(named)
        self._do(self._coordinator.keep(named, replace=replace))

    def _fed(
        self,
        pull: _Pull,
        work: Coroutine[Any, Any, Frame],
        chunks: Callable[[], Iterator[Measured]],
    ) -> Frame:
        """The result of some work of the loop that pulls chunks, which are made in this thread."""
        future = self._start(work)
        future.add_done_callback(pull.finished)
        sealed: Generator[SealedChunk, None, None] | None = None
        try:
            while self._asked(pull):
                sealed = sealed or _sealed(chunks())
                pull.give(next(sealed, None))
        except BaseException:
            # The name is to be as it was before the caller hears of the failure.
            future.cancel()
            pull.ended.wait(2 * CONTROL.change_s)
            raise
        finally:
            if sealed is not None:
                sealed.close()
        return self._result(future)

    def means(self, register: str) -> Named | None:
        """See Meanings. Raises as Coordinator.means does."""
        return self._do(self._coordinator.means(register))

    def registers(self) -> tuple[str, ...]:
        """See Meanings."""
        return self._do(self._coordinator.names())

    def drop(self, name: str) -> bool:
        """Remove `name` and what it means; False when it means nothing."""
        return self._do(self._coordinator.drop(name))

    def epoch(self) -> int:
        """A number that changes when a name means something else, on any node.

        Every statement asks for it, so where this node is the only voter, it is asked in this
        thread.
        """
        self._check_open()
        registers = self._coordinator.registers
        if isinstance(registers, QuorumRegistry):
            here = registers.quorum.epoch_here()
            if here is not None:
                return here
        return self._do(self._coordinator.epoch())

    def holds(self, key: ChunkKey) -> bool:
        """Whether a chunk is on this node's disk."""
        return self.chunks.holds(key)

    def nodes(self) -> tuple[NodeStatus, ...]:
        """The nodes of the ring; also when there are too few of them for anything else."""
        return self._do(self._survey.nodes())

    def places(self, chunks: Sequence[ChunkRef]) -> tuple[Place, ...]:
        """Where each of the chunks is to be, and is now."""
        return places(*self._do(self._survey.sources(chunks)), chunks)

    def candidates(self, chunk: ChunkRef) -> tuple[str, ...]:
        """The nodes that may hold a chunk, best first."""
        return self._coordinator.copies.candidates(chunk)

    def read(self, chunk: ChunkRef, columns: tuple[str, ...]) -> pa.Table:
        """Columns of a chunk in stored form, fetched from another node if this one has it not.

        Raises MissingError, also when no node that has it could be asked, and CorruptChunkError.
        """
        self._check_open()
        batch = self._here(chunk)
        if batch is not None:
            return pa.Table.from_batches([batch.select(list(columns))])
        return _apart(self._fetched(chunk).select(list(columns)))

    def _batch(self, chunk: ChunkRef) -> pa.RecordBatch:
        """A whole chunk in stored form."""
        batch = self._here(chunk)
        return self._fetched(chunk) if batch is None else batch

    def _here(self, chunk: ChunkRef) -> pa.RecordBatch | None:
        """A chunk as it is on this disk; None when it is not, and other nodes can be asked."""
        elsewhere = self._elsewhere(chunk)
        if self.chunks.holds(chunk.key) or not elsewhere:
            try:
                return self.chunks.batch(chunk)
            except (MissingError, CorruptChunkError):
                if not elsewhere:
                    raise
        return None

    def _elsewhere(self, chunk: ChunkRef) -> tuple[str, ...]:
        """The other nodes that may hold a chunk."""
        here = self._coordinator.node
        return tuple(node for node in self.candidates(chunk) if node != here)

    def _fetched(self, chunk: ChunkRef) -> pa.RecordBatch:
        key = chunk.key
        try:
            nodes = self._elsewhere(chunk)
            data = self._do(self._coordinator.copies.chunk(chunk, nodes))
        except (CancelledError, CorruptChunkError):
            raise
        except OperationalError as error:
            hint = "The frame was dropped or replaced meanwhile; run the statement again."
            if not isinstance(error, MissingError):
                hint = "The chunk can be read again when a node that holds it is there."
            # Whoever asks this node for rows must not take the trouble of others for its own.
            raise MissingError(
                f"chunk {key.number} of {key.df_id} is not on node {self._coordinator.node},"
                f" and no other node gave it: {error.message}",
                hint=hint,
            ) from error
        try:
            return pa.ipc.open_file(pa.py_buffer(data)).get_batch(0)
        except pa.ArrowException as error:
            raise CorruptChunkError(f"chunk {key.number} of {key.df_id}: {error}") from error

    def keeper(self, key: ChunkKey) -> ClusterStore:
        """See node.ChunkSource.keeper."""
        return self

    def chunk_file(self, chunk: ChunkRef) -> str | None:
        """The verified file of a chunk on this node's disk; None when it is not there.

        Also None when it is damaged and other nodes can be asked for it; else CorruptChunkError.
        """
        self._check_open()
        if not self.chunks.holds(chunk.key):
            return None
        try:
            return self.chunks.chunk_file(chunk)
        except (MissingError, CorruptChunkError):
            if not self._elsewhere(chunk):
                raise
            return None

    def pinned(self, df_ids: Collection[str]) -> AbstractContextManager[None]:
        """Keep what this node has of these writes from being deleted inside the block."""
        return self.chunks.pinned(df_ids)

    def close(self) -> None:
        """Refuse further calls. The coordinator and the chunks are their owner's to close."""
        self._closed = True

    async def _put(
        self, name: str, schema: FrameSchema, pull: _Pull, replace: bool, op: str
    ) -> Frame:
        try:
            async with aclosing(pull.chunks()) as chunks:
                return await self._coordinator.put(name, schema, chunks, replace=replace, op=op)
        finally:
            pull.ended.set()

    async def _append(
        self, name: str, schema: FrameSchema, rows: int, chunk_rows: int, pull: _Pull
    ) -> Frame:
        try:
            async with AsyncExitStack() as stack:

                def follow(place: Joint) -> AsyncGenerator[SealedChunk, None]:
                    pull.place = place
                    chunks = pull.chunks()
                    stack.push_async_callback(chunks.aclose)
                    return chunks

                return await self._coordinator.append(name, schema, rows, chunk_rows, follow)
        finally:
            pull.ended.set()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of some work of the loop; interrupted, it is cancelled there."""
        return self._result(self._start(work))

    def _start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        try:
            self._check_open()
            self._check_running()
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except BaseException:
            work.close()
            raise

    def _result(self, future: Future[T]) -> T:
        """Wait; for how long, the coordinator's deadlines say, as long as its loop runs."""
        try:
            while True:
                try:
                    return future.result(_LOOK_S)
                except TimeoutError:
                    if future.done():
                        raise
                    self._check_running()
        except FutureCancelledError:
            raise CancelledError(
                "the node is stopping; what was asked of it was given up"
            ) from None
        except BaseException:
            future.cancel()
            raise

    def _asked(self, pull: _Pull) -> bool:
        while (asked := pull.asked(_LOOK_S)) is None:
            self._check_running()
        return asked and not pull.ended.is_set()

    def _check_running(self) -> None:
        if not self._loop.is_running():
            raise CancelledError("the node has stopped; what was asked of it was given up")

    def _check_open(self) -> None:
        if self._closed:
            raise InterfaceError("the store is closed")


class _Pull:
    """A thread makes chunks as a coroutine on the loop asks for them, one at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._next: asyncio.Future[SealedChunk | None] | None = None
        self.ended = threading.Event()
        """The put is over, and whatever it had to take back is taken back."""
        self.place: Joint | None = None
        """Of an append, known when the first chunk is asked for: where it goes on."""

    async def chunks(self) -> AsyncGenerator[SealedChunk, None]:
        """The chunks, on the loop."""
        while True:
            self._next = self._loop.create_future()
            self._asked.put(True)
            try:
                sealed = await self._next
            finally:
                self._next = None
            if sealed is None:
                return
            yield sealed
            # Not held here until the next one has come.
            del sealed

    def asked(self, wait_s: float) -> bool | None:
        """In the thread: whether a chunk is wanted, False when none will be, None so far."""
        try:
            return self._asked.get(timeout=wait_s)
        except queue.Empty:
            return None

    def give(self, sealed: SealedChunk | None) -> None:
        """From the thread: the chunk that was asked for, or None after the last."""

        def on_loop() -> None:
            if self._next is not None and not self._next.done():
                self._next.set_result(sealed)

        # A loop that is closed has nobody who waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(on_loop)

    def finished(self, _: object) -> None:
        """Nobody will ask any more."""
        self._asked.put(False)


class _Parts(ByteSink):
    """Keeps what Arrow writes: large buffers as they are, and small ones joined."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[memoryview | bytearray] = []

    def take(self, view: memoryview) -> None:
        super().take(view)
        if len(view) > _JOIN_BYTES:
            self.parts.append(view)
        elif self.parts and isinstance(self.parts[-1], bytearray):
            self.parts[-1] += view
        else:
            self.parts.append(bytearray(view))


def _apart(batch: pa.RecordBatch) -> pa.Table:
    """The rows in memory of their own, so that columns which nobody reads are let go."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return pa.ipc.open_stream(sink.getvalue()).read_all()


def _sealed(
    chunks: Iterator[Measured],
) -> Generator[SealedChunk, None, None]:
    for batch, statistics in chunks:
        sink = _Parts()
        write_ipc(batch, sink)
        rows = batch.num_rows
        # The parts keep those of the batch's buffers that they need.
        del batch
        yield SealedChunk(tuple(sink.parts), rows, sink.bytes, sink.checksum, statistics)
        del sink
