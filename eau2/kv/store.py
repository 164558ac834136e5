"""The store: frames of immutable chunks under names, on disk or in memory.

Owns: the story of a put, a get and a drop, and of opening a store after a crash. A put is visible
entirely or not at all: its chunks and its manifest are durable before the name's register points
to them. Comes in: Arrow batches; goes out: Frames, and the rows of chunks in stored form.
Does not know: SQL, Polars plans, the network.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace as changed
from pathlib import Path

import pyarrow as pa

from eau2.catalog import ChunkKey, ChunkRef, Frame, merge_chunk_statistics
from eau2.config import DEFAULT_CHUNK_ROWS, LIMITS
from eau2.errors import (
    CorruptChunkError,
    DiskFullError,
    Error,
    InterfaceError,
    NameExistsError,
    OperationalError,
    StoreBusyError,
    StoreError,
    UsageError,
)
from eau2.kv import chunk
from eau2.kv.chunk import LOCAL
from eau2.kv.cutting import measured_chunks
from eau2.kv.encoding import frame_schema
from eau2.kv.lock import WriterLock
from eau2.kv.registry import (
    Entry,
    MemoryRegistry,
    Registry,
    SqliteRegistry,
    State,
    check_name,
)
from eau2.kv.shelf import BALLAST, MANIFEST, DiskShelf, MemoryShelf, Shelf

_FORMAT = "eau2 store 1\n"
_FORMAT_FILE = "FORMAT"
_NAMES_FILE = "names.sqlite"
_CHUNKS = "chunks"
_LOCK_FILE = "lock"
_OPEN_CHUNKS = 1024
"""Chunks kept open: each is a mapping, of which a process may have some ten thousands."""


class Store:
    """Frames under names. Names ignore letter case and keep the one they were put with."""

    def __init__(self, registry: Registry, shelf: Shelf, lock: WriterLock) -> None:
        """Use `open`."""
        self._registry = registry
        self._shelf = shelf
        self._writer = lock
        self._closed = False
        self._guard = threading.RLock()
        self._frames: dict[str, Frame] = {}
        self._refs: dict[str, dict[ChunkKey, ChunkRef]] = {}
        self._open: OrderedDict[ChunkKey, pa.RecordBatch] = OrderedDict()

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
            registry = _prepare(root)
        except OSError as error:
            if chunk.is_full(error):
                raise chunk.disk_error(error, f"making the store {root}") from error
            raise StoreError(f"the store {root} cannot be opened: {error.strerror}") from error
        store = cls(registry, DiskShelf(root / _CHUNKS), WriterLock(root / _LOCK_FILE))
        try:
            store._collect()
        except BaseException:
            store.close()
            raise
        return store

    def put(
        self,
        name: str,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        *,
        chunk_rows: int = DEFAULT_CHUNK_ROWS,
        replace: bool = False,
    ) -> Frame:
        """Store the rows of `batches`, which have `schema`, under `name`; the new frame.

        Rows stream through: about one chunk is held in memory. No rows give one empty chunk.
        Raises NameExistsError unless `replace`; StoreBusyError, DiskFullError, OperationalError,
        DataError and NotSupportedError (the data), and whatever `batches` raises. After any of
        them the name is as it was before.
        """
        self._check_open()
        check_name(name)
        if not 1 <= chunk_rows <= LIMITS.chunk_rows_max:
            raise UsageError(f"chunk_rows must be from 1 to {LIMITS.chunk_rows_max}")
        columns = frame_schema(schema)
        self._check_absent(name, replace)
        with self._writer.held(LIMITS.writer_wait_s):
            self._check_absent(name, replace)
            before = self._registry.read(name)
            reserved = _reserved(name, before, uuid.uuid4().hex)
            self._swap(name, before, reserved)
            df_id = reserved.pending or reserved.df_id
            try:
                frame = Frame(name, df_id, _next_version(before), columns, (), ())
                frame = self._write(frame, batches, chunk_rows)
                with self._translating(name):
                    checksum = self._shelf.complete(frame)
                live = Entry(name, State.LIVE, df_id, frame.version, checksum)
                self._swap(name, reserved, live)
            except BaseException:
                self._undo(name, reserved, before, df_id)
                raise
            self._remember(frame)
            if before is not None:
                self._delete(before.df_id)
        return frame

    def get(self, name: str) -> Frame | None:
        """The current frame of `name`, or None. Raises CorruptChunkError for a bad manifest.

        From then on its chunks stay readable here, whatever other processes drop or replace.
        """
        self._check_open()
        while True:
            entry = self._registry.read(name)
            if entry is None or entry.state is not State.LIVE:
                return None
            with self._guard:
                frame = self._frames.get(entry.df_id)
            if frame is not None:
                return frame
            if self._shelf.pin(entry.df_id):
                # Pinned and still current means that nobody deleted it before it was pinned.
                if self._registry.read(name) == entry:
                    return self._load(entry)
                self._shelf.unpin(entry.df_id)
            elif self._registry.read(name) == entry:
                raise self._damaged(entry.name, "manifest", entry.df_id, "it is missing")

    def names(self) -> tuple[str, ...]:
        """The names of all frames, sorted, in the letter case they were put with."""
        self._check_open()
        return tuple(entry.name for entry in self._registry.list() if entry.state is State.LIVE)

    def drop(self, name: str) -> bool:
        """Remove `name` and its chunks; False when there is no such frame."""
        self._check_open()
        entry = self._registry.read(name)
        if entry is None or entry.state is not State.LIVE:
            return False
        with self._writer.held(LIMITS.writer_wait_s):
            entry = self._registry.read(name)
            if entry is None or entry.state is not State.LIVE:
                return False
            dropped = changed(entry, state=State.DROPPED, pending=None)
            try:
                self._swap(name, entry, dropped)
            except DiskFullError:
                self._shelf.give_room()
                self._swap(name, entry, dropped)
            self._delete(entry.df_id)
            self._swap(name, dropped, None)
            self._shelf.keep_room()
        return True

    def holds(self, key: ChunkKey) -> bool:
        """Whether a chunk belongs to a frame that this Store has put or got."""
        with self._guard:
            return key.df_id in self._refs

    def read(self, chunk: ChunkRef, columns: tuple[str, ...]) -> pa.Table:
        """Columns of a chunk in stored form, without a copy where the platform can map files.

        Raises CorruptChunkError when the file is not what was written.
        """
        self._check_open()
        key = chunk.key
        with self._guard:
            batch = self._open.get(key)
            if batch is None:
                batch = self._open_chunk(key)
                self._open[key] = batch
                if len(self._open) > _OPEN_CHUNKS:
                    self._open.popitem(last=False)
            else:
                self._open.move_to_end(key)
        return pa.Table.from_batches([batch.select(list(columns))])

    def chunk_file(self, chunk: ChunkRef) -> str | None:
        """The verified file of a chunk, for another process to map; None when it is in memory.

        Raises CorruptChunkError as `read` does.
        """
        self.read(chunk, ())
        return self._shelf.file(chunk.key)

    def pinned(self, df_ids: Collection[str]) -> AbstractContextManager[None]:
        """Do nothing: what `get` gave is pinned until its name means something else."""
        return nullcontext()

    def epoch(self) -> int:
        """A number that changes when a name gets another frame, by any process."""
        self._check_open()
        return self._registry.epoch()

    def close(self) -> None:
        """Let go of files and locks. Tables that were read stay valid."""
        if not self._closed:
            self._closed = True
            self._open.clear()
            self._shelf.close()
            self._registry.close()

    def _write(self, frame: Frame, batches: Iterable[pa.RecordBatch], chunk_rows: int) -> Frame:
        schema = frame.schema
        with self._translating(frame.name):
            self._shelf.begin(frame.df_id)
        refs: list[ChunkRef] = []
        for batch, statistics in measured_chunks(batches, schema, chunk_rows):
            key = ChunkKey(frame.df_id, len(refs))
            with self._translating(frame.name):
                size, checksum = self._shelf.add(key, batch)
            refs.append(ChunkRef(key, batch.num_rows, size, checksum, statistics, (LOCAL,)))
            # The next chunk is gathered while this loop waits: this one's memory must be free.
            del batch
        chunks = tuple(refs)
        merged = merge_chunk_statistics(chunks, len(schema.columns))
        return changed(frame, chunks=chunks, statistics=merged)

    def _undo(self, name: str, reserved: Entry, before: Entry | None, df_id: str) -> None:
        """Take a failed put back. What cannot be taken back now, the next start collects.

        The chunks go first, since on a full disk the register has no room to change before.
        """
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
                live: set[str] = set()
                for entry in self._registry.list():
                    if entry.state is not State.LIVE:
                        self._swap(entry.name, entry, None)
                        continue
                    live.add(entry.df_id)
                    if entry.pending is not None:
                        self._swap(entry.name, entry, changed(entry, pending=None))
                self._shelf.sweep(live)
                self._shelf.keep_room()
        except StoreBusyError:
            return

    def _open_chunk(self, key: ChunkKey) -> pa.RecordBatch:
        frame = self._frames.get(key.df_id)
        ref = self._refs.get(key.df_id, {}).get(key)
        if frame is None or ref is None:
            raise OperationalError(
                f"chunk {key.number} of the frame with the id {key.df_id} is not here",
                hint="The frame was dropped or replaced meanwhile; run the statement again.",
            )
        try:
            return self._shelf.open(ref)
        except chunk.DamagedError as error:
            what = f"chunk {key.number} of {len(frame.chunks)}"
            raise self._damaged(frame.name, what, self._shelf.path(key), str(error)) from error

    def _load(self, entry: Entry) -> Frame:
        try:
            frame = self._shelf.load(entry.df_id, entry.manifest)
        except chunk.DamagedError as error:
            where = f"{_CHUNKS}/{entry.df_id}/{MANIFEST}"
            raise self._damaged(entry.name, "manifest", where, str(error)) from error
        self._remember(frame)
        return frame

    def _remember(self, frame: Frame) -> None:
        """Keep a frame at hand, and forget the ones that its name meant before."""
        self._shelf.pin(frame.df_id)
        with self._guard:
            for known in list(self._frames.values()):
                if known.name.lower() == frame.name.lower():
                    self._forget(known.df_id)
            self._frames[frame.df_id] = frame
            self._refs[frame.df_id] = {ref.key: ref for ref in frame.chunks}

    def _forget(self, df_id: str) -> None:
        with self._guard:
            self._frames.pop(df_id, None)
            for key in self._refs.pop(df_id, {}):
                self._open.pop(key, None)
        self._shelf.unpin(df_id)

    def _delete(self, df_id: str) -> None:
        self._forget(df_id)
        self._shelf.remove(df_id)

    def _swap(self, name: str, expect: Entry | None, value: Entry | None) -> None:
        if not self._registry.cas(name, expect, value):
            raise OperationalError(
                f'another writer changed the name "{name}" meanwhile',
                hint="Look at what it holds now, then try again.",
            )

    def _check_open(self) -> None:
        if self._closed:
            raise InterfaceError("the store is closed")

    def _check_absent(self, name: str, replace: bool) -> None:
        entry = self._registry.read(name)
        if not replace and entry is not None and entry.state is State.LIVE:
            raise NameExistsError(
                f'a frame called "{entry.name}" exists already',
                hint="Choose another name, drop it first, or replace it (--replace).",
            )

    @contextmanager
    def _translating(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise chunk.disk_error(error, f'storing the frame "{name}"') from error

    def _damaged(self, name: str, what: str, where: str, why: str) -> CorruptChunkError:
        return CorruptChunkError(
            f'the {what} of frame "{name}" is damaged: {why} ({where})',
            hint=f'Drop "{name}" and load it again; other frames are not affected.',
        )


def _next_version(before: Entry | None) -> int:
    return 1 if before is None or before.state is not State.LIVE else before.version + 1


def _reserved(name: str, before: Entry | None, df_id: str) -> Entry:
    """The register while the put `df_id` is under way; a LIVE frame stays visible meanwhile."""
    if before is not None and before.state is State.LIVE:
        return changed(before, pending=df_id)
    return Entry(name, State.PENDING, df_id, 1)


def _prepare(root: Path) -> Registry:
    """Make `root` a store, or check that it is one; its registry. Raises StoreError and OSError.

    The format file is written last, so a crash in between leaves a directory that is taken up. A
    store whose list of names is gone is refused: with an empty list all chunks would be garbage.
    """
    root.mkdir(parents=True, exist_ok=True)
    mark, names = root / _FORMAT_FILE, root / _NAMES_FILE
    found = mark.read_text("utf-8", "replace") if mark.exists() else None
    if found is None:
        _check_new(root)
    elif found.startswith("eau2 node "):
        raise StoreError(
            f"{root} is the data directory of a node, not a store",
            hint="Start the node and connect to it, or name another directory.",
        )
    elif found != _FORMAT:
        raise StoreError(
            f"the store {root} has the format {found.strip()[:40]!r}, which this eau2 cannot read",
            hint="Use the version of eau2 that made it.",
        )
    elif not names.exists():
        raise StoreError(
            f"the store {root} is damaged: {_NAMES_FILE} is missing",
            hint="Restore the directory from a backup.",
        )
    (root / _CHUNKS).mkdir(exist_ok=True)
    registry = SqliteRegistry(names, LIMITS.writer_wait_s)
    if found is None:
        temporary = root / f"{_FORMAT_FILE}.{os.getpid()}"
        with temporary.open("w", encoding="utf-8") as file:
            file.write(_FORMAT)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(mark)
        chunk.sync_directory(root)
    return registry


def _check_new(root: Path) -> None:
    """Refuse a directory that holds anything but a store whose making was cut short."""
    ours = (_FORMAT_FILE, _NAMES_FILE, _CHUNKS, _LOCK_FILE, BALLAST)
    strange = sorted(entry.name for entry in root.iterdir() if not entry.name.startswith(ours))
    if not strange and (root / _CHUNKS).is_dir() and not (root / _NAMES_FILE).exists():
        strange = sorted(f"{_CHUNKS}/{entry.name}" for entry in (root / _CHUNKS).iterdir())
    if strange:
        raise StoreError(
            f"{root} is not a store: it holds {strange[0]!r} and no {_FORMAT_FILE} file",
            hint="Name an empty directory, or one that eau2 made.",
        )
