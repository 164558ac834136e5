"""The store: frames of immutable chunks, views and functions under names, on disk or in memory.

Owns: the story of a put, an append, a get and a drop, and of opening a store after a crash. What is
written is visible entirely or not at all: its chunks and its manifest are durable before the name's
register points to them. Comes in: Arrow batches; goes out: Frames, and the rows of chunks in stored
form. Does not know: SQL, Polars plans, the network.

An append makes a new version of its name, which shares the chunks that it does not write anew with
the one before. A chunk is deleted when the version that comes lists it no more, and nobody reads.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from eau2.catalog import (
    ChunkKey,
    ChunkRef,
    Frame,
    FrameSchema,
    Function,
    Named,
    View,
    merge_chunk_statistics,
    register_of,
)
from eau2.config import DEFAULT_CHUNK_ROWS, LIMITS
from eau2.errors import (
    DiskFailedError,
    DiskFullError,
    Error,
    InterfaceError,
    OperationalError,
    StoreBusyError,
    StoreError,
)
from eau2.kv import chunk
from eau2.kv.appending import Measured, appended, chunks_after, joint, next_base
from eau2.kv.athand import AtHand, damaged
from eau2.kv.chunk import LOCAL
from eau2.kv.cutting import check_chunk_rows, measured_chunks
from eau2.kv.encoding import schema_of
from eau2.kv.lock import WriterLock
from eau2.kv.meanings import Meanings
from eau2.kv.registry import (
    OPEN_AGAIN,
    Entry,
    MemoryRegistry,
    Registry,
    State,
    check_kept,
    check_name,
    described,
    next_version,
    reserved_for,
    taken,
)
from eau2.kv.replaced import kept, replaced, writes_of
from eau2.kv.shelf import MANIFEST, DiskShelf, MemoryShelf, Shelf
from eau2.kv.status import AT_HOME, NodeStatus, Place, local_node
from eau2.kv.storedir import CHUNKS, LOCK_FILE, prepare
from eau2.records import replace as changed

T = TypeVar("T", Frame, View | Function)


class Store(Meanings):
    """Frames and views under names. Names ignore letter case, and keep that of their first put."""

    def __init__(self, registry: Registry, shelf: Shelf, lock: WriterLock) -> None:
        """Use `open`."""
        self._registry = registry
        self._shelf = shelf
        self._writer = lock
        self._closed = False
        self._failure: DiskFailedError | None = None
        self._at_hand = AtHand(shelf)

    @classmethod
    def open(cls, path: str | os.PathLike[str] | None) -> Store:
        """The store in directory `path`, made if there is none; None is a new one in memory.

        What dead writers left behind is deleted, unless someone is writing now. Raises StoreError
        when the directory is not a store of this version or cannot be read.
        """
        if path is None:
            return cls(MemoryRegistry(), MemoryShelf(), WriterLock(None))
        root = Path(path)
        try:
            registry = prepare(root)
        except OSError as error:
            if chunk.is_full(error):
                raise chunk.disk_error(error, f"making the store {root}") from error
            raise StoreError(f"the store {root} cannot be opened: {error.strerror}") from error
        store = cls(registry, DiskShelf(root / CHUNKS), WriterLock(root / LOCK_FILE))
        try:
            store._collect()
        except BaseException:
            store.close()
            raise
        return store

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

        Rows stream through: about one chunk is in memory. No rows give one empty chunk. operation:
        for stores of several processes; here every outcome is known. Raises NameExistsError unless
        `replace`; StoreBusyError, DiskFullError, OperationalError, DataError and NotSupportedError
        (the data), and whatever `batches` raises. After any of them the name is as it was before.
        """
        self._check_open()
        check_name(name)
        check_chunk_rows(chunk_rows)
        columns = schema_of(schema)

        def make(df_id: str, version: int) -> Frame:
            measured = measured_chunks(batches, columns, chunk_rows)
            refs = tuple(self._written(name, df_id, measured))
            merged = merge_chunk_statistics(refs, len(columns.columns))
            return Frame(name, df_id, version, columns, refs, merged)

        return self._published(name, replace, make)

    def put_chunks(
        self, frame: Frame, chunks: Iterable[pa.RecordBatch], *, replace: bool = False
    ) -> Frame:
        """Store a frame under its name, of chunks in stored form, whose statistics are known.

        Raises as `put` does.
        """
        self._check_open()
        check_name(frame.name)

        def make(df_id: str, version: int) -> Frame:
            known = (ref.statistics for ref in frame.chunks)
            refs = tuple(self._written(frame.name, df_id, zip(chunks, known, strict=True)))
            return changed(frame, df_id=df_id, version=version, chunks=refs)

        return self._published(frame.name, replace, make)

    def keep(self, named: View | Function, *, replace: bool = False) -> None:
        """Keep a view or a function under its name. Raises as `put` does."""
        self._check_open()
        check_kept(named)
        self._published(register_of(named), replace, lambda df_id, version: named)

    def append(
        self,
        name: str,
        schema: FrameSchema,
        batches: Iterable[pa.RecordBatch],
        *,
        chunk_rows: int = DEFAULT_CHUNK_ROWS,
    ) -> None:
        """Make a new version of the frame `name`, of the given schema, with these rows behind it.

        Raises OperationalError when the name has no frame of that schema any more, and what `put`
        raises; after any of them the name is as it was before.
        """
        self._check_open()
        check_name(name)
        check_chunk_rows(chunk_rows)
        measured = measured_chunks(batches, schema, chunk_rows)
        first = next(measured)
        if not first[0].num_rows:
            return

        def make(df_id: str, version: int) -> Frame:
            base = next_base(name, self.means(name), schema)
            place = joint(base, first[0].num_rows, chunk_rows)
            new = chunks_after(place, first, measured, chunk_rows, self._at_hand.batch)
            return appended(place, df_id, tuple(self._written(name, df_id, new)))

        self._published(name, True, make)

    def amend(self, name: str, change: Callable[[Frame], Frame]) -> None:
        """Make a new version of the frame `name`, of the same chunks. Raises as `append` does."""
        self._check_open()
        check_name(name)

        def make(df_id: str, version: int) -> Frame:
            frame = next_base(name, self.means(name))
            return changed(change(frame), df_id=df_id, version=version)

        self._published(name, True, make)

    def registers(self) -> tuple[str, ...]:
        """See Meanings."""
        self._check_open()
        return tuple(entry.name for entry in self._registry.list() if entry.state is State.LIVE)

    def nodes(self) -> tuple[NodeStatus, ...]:
        """The one node that there is: a store of this process."""
        frames = [self.get(name) for name in self.names()]
        return (local_node(frame for frame in frames if frame is not None),)

    def places(self, chunks: Sequence[ChunkRef]) -> tuple[Place, ...]:
        """Where each of the chunks is."""
        return tuple(AT_HOME for _ in chunks)

    def drop(self, name: str) -> bool:
        """Remove `name` and what it means; False when it means nothing."""
        self._check_open()
        entry = self._registry.read(name)
        if entry is None or entry.state is not State.LIVE:
            return False
        self._check_writable()
        with self._writer.held(LIMITS.writer_wait_s):
            entry = self._registry.read(name)
            if entry is None or entry.state is not State.LIVE:
                return False
            before = self._known(entry)
            dropped = changed(entry, state=State.DROPPED, pending=None)
            try:
                self._swap(name, entry, dropped)
            except DiskFullError:
                self._shelf.give_room()
                self._swap(name, entry, dropped)
            self._at_hand.replace(replaced(entry.df_id, before, "", None, True))
            self._swap(name, dropped, None)
            self._shelf.keep_room()
        return True

    def candidates(self, chunk: ChunkRef) -> tuple[str, ...]:
        """The nodes that may hold a chunk: those that its manifest lists."""
        return chunk.locations

    def holds(self, key: ChunkKey) -> bool:
        """Whether a chunk belongs to a frame that this Store has put or got."""
        return self._at_hand.holds(key)

    def read(self, chunk: ChunkRef, columns: tuple[str, ...]) -> pa.Table:
        """Columns of a chunk in stored form, without a copy where the platform can map files.

        Raises CorruptChunkError when the file is not what was written.
        """
        self._check_open()
        return pa.Table.from_batches([self._at_hand.batch(chunk).select(list(columns))])

    def chunk_file(self, chunk: ChunkRef) -> str | None:
        """The verified file of a chunk, for another process to map; None when it is in memory.

        Raises CorruptChunkError as `read` does.
        """
        self._check_open()
        self._at_hand.batch(chunk)
        return self._shelf.file(chunk.key)

    def pinned(self, df_ids: Collection[str]) -> AbstractContextManager[None]:
        """Keep the chunks of these writes inside the block, also those that are replaced in it."""
        return self._at_hand.pinned(df_ids)

    def epoch(self) -> int:
        """A number that changes when a name means something else, by any process."""
        self._check_open()
        return self._registry.epoch()

    def close(self) -> None:
        """Let go of files and locks. Tables that were read stay valid."""
        if not self._closed:
            self._closed = True
            self._at_hand.close()
            self._shelf.close()
            self._registry.close()

    def _published(self, name: str, replace: bool, make: Callable[[str, int], T]) -> T:
        """Have `make` write what `name` shall mean, given its df_id and version; publish that."""
        self._check_writable()
        self._check_absent(name, replace)
        with self._writer.held(LIMITS.writer_wait_s):
            self._check_absent(name, replace)
            before = self._registry.read(name)
            reserved = reserved_for(name, before, uuid.uuid4().hex)
            self._swap(name, before, reserved)
            df_id = reserved.pending or reserved.df_id
            version = next_version(before)
            try:
                with self._translating(name):
                    self._shelf.begin(df_id)
                named = make(df_id, version)
                with self._translating(name):
                    checksum = self._shelf.complete(df_id, named)
                old = None if before is None else self._known(before)
                live = Entry(register_of(named), State.LIVE, df_id, version, checksum)
                self._swap(name, reserved, live)
            except BaseException:
                self._undo(name, reserved, before, df_id)
                raise
            self._at_hand.remember(df_id, named)
            if before is not None:
                self._at_hand.replace(replaced(before.df_id, old, df_id, named, True))
        return named

    def _written(self, name: str, df_id: str, chunks: Iterable[Measured]) -> Iterator[ChunkRef]:
        for number, (batch, statistics) in enumerate(chunks):
            with self._translating(name):
                size, checksum = self._shelf.add(key := ChunkKey(df_id, number), batch)
            yield ChunkRef(key, batch.num_rows, size, checksum, statistics, (LOCAL,))
            # The next chunk is gathered while this loop waits: this one's memory must be free.
            del batch

    def _undo(self, name: str, reserved: Entry, before: Entry | None, df_id: str) -> None:
        """Take a failed put back. What cannot be taken back now, the next start collects.

        The chunks go first, since on a full disk the register has no room to change before. When
        the disk has failed, it may say LIVE at the next start.
        """
        if self._failure is not None:
            return
        try:
            current = self._registry.read(name)
            if current is None or current.df_id != df_id or current.state is not State.LIVE:
                self._shelf.remove(df_id)
                self._registry.cas(name, reserved, before)
        except Error:
            return

    def _collect(self) -> None:
        """Delete what dead writers left, as far as no manifest that is LIVE lists it."""
        try:
            with self._writer.held(0.0):
                live: dict[str, Entry] = {}
                for entry in self._registry.list():
                    if entry.state is not State.LIVE:
                        self._swap(entry.name, entry, None)
                        continue
                    live[entry.df_id] = entry
                    if entry.pending is not None:
                        self._swap(entry.name, entry, changed(entry, pending=None))
                self._sweep(live)
                self._shelf.keep_room()
        except StoreBusyError:
            return

    def _sweep(self, live: dict[str, Entry]) -> None:
        """Delete all but what the given entries list. Only a later version shares chunks."""
        listing: list[tuple[str, Named]] = []
        if not self._shelf.places() <= set(live):
            try:
                for df_id, entry in live.items():
                    if entry.version > 1:
                        listing.append((df_id, self._shelf.load(df_id, entry.manifest)))
            except chunk.DamagedError:
                # What it lists cannot be told, so nothing is garbage for sure.
                return
        self._shelf.sweep({**dict.fromkeys(live), **kept(listing)})

    def means(self, name: str) -> Named | None:
        """What a name means now; its chunks are pinned from then on."""
        self._check_open()
        while True:
            entry = self._registry.read(name)
            if entry is None or entry.state is not State.LIVE:
                return None
            named = self._at_hand.known(entry.df_id)
            if named is not None:
                return named
            if self._shelf.pin(entry.df_id):
                # Pinned and still current means that nobody deleted it before it was pinned.
                if self._registry.read(name) == entry:
                    named = self._load(entry)
                    pinned = [df_id for df_id in writes_of("", named) if self._shelf.pin(df_id)]
                    if self._registry.read(name) == entry:
                        self._at_hand.remember(entry.df_id, named)
                        return named
                    self._at_hand.unpin(pinned)
                self._at_hand.unpin([entry.df_id])
            elif self._registry.read(name) == entry:
                raise damaged(entry.name, "manifest", entry.df_id, "it is missing")

    def _load(self, entry: Entry) -> Named:
        try:
            return self._shelf.load(entry.df_id, entry.manifest)
        except chunk.DamagedError as error:
            where = f"{CHUNKS}/{entry.df_id}/{MANIFEST}"
            raise damaged(entry.name, "manifest", where, str(error)) from error

    def _known(self, entry: Entry) -> Named | None:
        """What an entry stands for; None when its manifest is damaged, or it has none yet."""
        named = self._at_hand.known(entry.df_id)
        if named is not None or entry.state is not State.LIVE:
            return named
        try:
            return self._shelf.load(entry.df_id, entry.manifest)
        except chunk.DamagedError:
            return None

    def _swap(self, name: str, expect: Entry | None, value: Entry | None) -> None:
        try:
            done = self._registry.cas(name, expect, value)
        except DiskFailedError as error:
            self._failure = error
            raise
        if not done:
            raise OperationalError(
                f'another writer changed the name "{name}" meanwhile',
                hint="Look at what it holds now, then try again.",
            )

    def _check_open(self) -> None:
        if self._closed:
            raise InterfaceError("the store is closed")

    def _check_writable(self) -> None:
        """After a failed write only what is on the disk counts, and who opens it anew reads it."""
        if self._failure is not None:
            raise DiskFailedError(
                f"the store takes no more writes: {self._failure.message}", hint=OPEN_AGAIN
            ) from self._failure

    def _check_absent(self, name: str, replace: bool) -> None:
        entry = self._registry.read(name)
        if not replace and entry is not None and entry.state is State.LIVE:
            raise taken(entry.name)

    @contextmanager
    def _translating(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            doing = f"storing the {described(name)}"
            if error.errno != errno.EIO:
                raise chunk.disk_error(error, doing) from error
            message = f"the disk failed while {doing} ({error.strerror}); nothing was changed"
            self._failure = DiskFailedError(message, hint=OPEN_AGAIN)
            raise self._failure from error
