"""What names mean on one connection: registered frames, stored frames, files by path.

Owns: the order in which a name is looked up (registered before stored), and files that were read
into memory because they are not Parquet. Comes in: names, paths, chunk keys. Goes out: frames, and
the rows of their chunks. Does not know: SQL, Polars.

The readers of files load when a path is first named: they are a fifth of a process's start-up.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import pyarrow as pa

from eau2.catalog import (
    FILE_PREFIX,
    NOT_STORED,
    ChunkKey,
    ChunkRef,
    Frame,
    FrameSchema,
    Function,
    View,
)
from eau2.config import LIMITS
from eau2.errors import InputFileError, OperationalError, UsageError
from eau2.kv.chunk import LOCAL
from eau2.kv.status import NodeStatus, Place
from eau2.kv.store import Store
from eau2.records import replace


class Stored(Protocol):
    """Where frames are kept: a store of this process, or the nodes together."""

    def get(self, name: str) -> Frame | None:
        """The frame under `name`, or None."""

    def view(self, name: str) -> View | None:
        """The view under `name`, or None."""

    def function(self, name: str) -> Function | None:
        """The function under `name`, or None."""

    def names(self) -> tuple[str, ...]:
        """All names of frames and views, sorted."""

    def functions(self) -> tuple[str, ...]:
        """All names of functions, sorted."""

    def epoch(self) -> Hashable:
        """Changes whenever a name means something else."""

    def drop(self, name: str) -> bool:
        """Remove the register `name` and what it means; False when it means nothing."""

    def keep(self, named: View | Function, *, replace: bool = False) -> None:
        """Keep a view or a function under its name."""

    def append(
        self,
        name: str,
        schema: FrameSchema,
        batches: Iterable[pa.RecordBatch],
        *,
        chunk_rows: int,
    ) -> None:
        """Put all of the batches behind the frame `name`, or after any failure nothing."""

    def amend(self, name: str, change: Callable[[Frame], Frame]) -> None:
        """Make a new version of the frame `name`, of the same chunks, as `change` makes it."""

    def put(
        self,
        name: str,
        schema: pa.Schema | FrameSchema,
        batches: Iterable[pa.RecordBatch],
        *,
        chunk_rows: int,
        replace: bool = False,
        operation: str = "",
    ) -> Frame:
        """Store all of the batches under `name`, or after any failure nothing.

        operation: as in Connection.put.
        """

    def holds(self, key: ChunkKey) -> bool:
        """Whether a chunk can be read here."""

    def nodes(self) -> tuple[NodeStatus, ...]:
        """The nodes that the frames are spread over, in the order of the ring."""

    def places(self, chunks: Sequence[ChunkRef]) -> tuple[Place, ...]:
        """Where each of the chunks is to be, and is now."""

    def candidates(self, chunk: ChunkRef) -> tuple[str, ...]:
        """The nodes that may hold a chunk now, best first."""

    def read(self, chunk: ChunkRef, columns: tuple[str, ...]) -> pa.Table:
        """See node.ChunkSource.read."""

    def chunk_file(self, chunk: ChunkRef) -> str | None:
        """See node.ChunkSource.chunk_file."""

    def pinned(self, df_ids: Collection[str]) -> AbstractContextManager[None]:
        """See node.ChunkSource.pinned."""

    def close(self) -> None:
        """Let go of files and locks."""


def _any_file(path: str) -> str:
    return path


class LocalFrames:
    """The catalogue of one connection, and the chunks that can be read beside it.

    file_gate: is given each path of a statement, and gives the one to read; it may refuse.
    """

    def __init__(
        self,
        stored: Stored,
        file_gate: Callable[[str], str] = _any_file,
        bytes_max: int | None = None,
    ) -> None:
        """bytes_max: of what statements put into this connection's memory, None for no bound."""
        self.stored = stored
        self._bytes_max = bytes_max
        self._file_gate = file_gate
        self.registered = Store.open(None)
        self._read: dict[tuple[str, ...], Frame] = {}
        self._reads = 0
        self._transient = Store.open(None)

    def frame(self, name: str) -> Frame | None:
        """The frame under `name`: registered, temporary or stored."""
        return self.home(name).get(name)

    def view(self, name: str) -> View | None:
        """The view under `name`: temporary or stored."""
        return self.home(name).view(name)

    def function(self, name: str) -> Function | None:
        """The function of a user's under `name`: temporary or stored."""
        return self.registered.function(name) or self.stored.function(name)

    def functions(self) -> tuple[str, ...]:
        """The names of all functions of users, sorted."""
        return _merged(self.registered.functions(), self.stored.functions())

    def function_home(self, name: str) -> Stored:
        """Where the function `name` is looked up."""
        return self.stored if self.registered.function(name) is None else self.registered

    def home(self, name: str) -> Stored:
        """Where `name` is looked up: what belongs to the connection hides what is stored."""
        known = self.registered.get(name) or self.registered.view(name)
        return self.stored if known is None else self.registered

    def place(self, temporary: bool) -> Stored:
        """Where what is temporary is kept, and what is not."""
        return self.registered if temporary else self.stored

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted({*self.registered.names(), *self.stored.names()}))

    def epoch(self) -> Hashable:
        """Changes whenever a name means something else."""
        return (self.registered.epoch(), self.stored.epoch())

    def drop(self, name: str) -> bool:
        """Drop what `name` means; False when it means nothing."""
        return self.home(name).drop(name)

    def file(self, path: str) -> Frame:
        """The frame of a file or a glob. Parquet is read in place, other formats into memory.

        Raises InputFileError.
        """
        from eau2.kv import files
        from eau2.kv.ingest.source import format_of, open_files

        path = self._file_gate(path)
        if format_of(path) == "parquet":
            return files.parquet_frame(path)
        found = sorted(glob.glob(path, recursive=True)) or [path]
        key = tuple(_fingerprint(name) for name in found)
        frame = self._read.get(key)
        if frame is None:
            schema, batches = open_files(found)
            self._reads += 1
            kept = self._transient.put(f"file-{self._reads}", schema, batches)
            frame = self._read[key] = replace(kept, version=NOT_STORED)
            if len(self._read) > LIMITS.files_in_memory:
                oldest = next(iter(self._read))
                self._transient.drop(self._read.pop(oldest).name)
        return frame

    def bounded(self, place: Stored, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same batches, but an OperationalError where they need more memory than there is."""
        if place is not self.registered or self._bytes_max is None:
            yield from batches
            return
        known = map(self.registered.get, self.registered.names())
        left = self._bytes_max - sum(c.bytes for frame in known if frame for c in frame.chunks)
        for batch in batches:
            left -= batch.nbytes
            if left < 0:
                raise OperationalError(
                    "the node keeps no more in its memory for this connection",
                    hint="Leave TEMP out, so that the table is stored, or drop what is not needed.",
                )
            yield batch

    def candidates(self, chunk: ChunkRef) -> tuple[str, ...]:
        """The nodes that may hold a chunk now, best first."""
        at_home = chunk.locations == (LOCAL,)
        return chunk.locations if at_home else self.stored.candidates(chunk)

    def read(self, chunk: ChunkRef, columns: tuple[str, ...]) -> pa.Table:
        """See node.ChunkSource.read."""
        key = chunk.key
        if key.df_id.startswith(FILE_PREFIX):
            from eau2.kv import files

            return files.read(key, columns)
        for store in (self.registered, self._transient):
            if store.holds(key):
                return store.read(chunk, columns)
        return self.stored.read(chunk, columns)

    def chunk_file(self, chunk: ChunkRef) -> str | None:
        """See node.ChunkSource.chunk_file."""
        return self.stored.chunk_file(chunk) if self.stored.holds(chunk.key) else None

    def keeper(self, key: ChunkKey) -> Stored:
        """See node.ChunkSource.keeper."""
        return next((s for s in (self.registered, self._transient) if s.holds(key)), self.stored)

    @contextmanager
    def pinned(self, df_ids: Collection[str]) -> Iterator[None]:
        """See node.ChunkSource.pinned."""
        registered, transient = self.registered.pinned(df_ids), self._transient.pinned(df_ids)
        with registered, transient, self.stored.pinned(df_ids):
            yield

    def close(self) -> None:
        """Close the store too."""
        self.forget()
        self.stored.close()

    def forget(self) -> None:
        """Let go of registered frames and read files; the store stays open for others."""
        self.registered.close()
        self._transient.close()


def gate(data_root: str | None) -> Callable[[str], str]:
    """A file gate for statements that come from elsewhere: only files below `data_root` are read.

    Relative paths count from it. None refuses every path. Raises UsageError when it is no folder.
    """
    if data_root is None:
        return _no_file
    root = os.path.realpath(data_root)
    if not os.path.isdir(root):
        raise UsageError(f"the data root {data_root} is not a directory")

    def inside(path: str) -> str:
        if "\0" in path:
            raise InputFileError("a path cannot hold a zero byte")
        wanted = os.path.join(root, path)
        if not glob.has_magic(path) or os.path.lexists(wanted):
            return _below(root, wanted, path)
        if not os.path.isabs(path):
            wanted = os.path.join(glob.escape(root), path)
        if ".." in path.split("/"):
            raise InputFileError(f"the pattern {path} has .. in it, which a node does not follow")
        # What lies outside is not even looked at, as far as the path says so by itself.
        _below(root, os.path.join(root, _fixed_part(path)), path)
        for found in glob.glob(wanted, recursive=True):
            _below(root, found, path)
        return wanted

    return inside


def _no_file(path: str) -> str:
    raise InputFileError(
        f"this node reads no files, so not {path} either",
        hint="Start the node with --data-root DIR, or put your file: con.put(name, path).",
    )


def _below(root: str, path: str, named: str) -> str:
    """The path behind all links, if it lies below `root`. Raises InputFileError."""
    real = os.path.realpath(path)
    if os.path.commonpath((root, real)) != root:
        raise InputFileError(
            f"{named} lies outside the folder that this node reads files from",
            hint="Copy the file there, or put it: con.put(name, path).",
        )
    return real


def _fixed_part(pattern: str) -> str:
    """The folders of a pattern that come before its first wildcard."""
    parts = pattern.split("/")
    magic = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:magic]) or ("/" if os.path.isabs(pattern) else "")


def _merged(first: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """Names of which the first hide others, whatever their letter case."""
    hidden = {name.lower() for name in first}
    return tuple(sorted((*first, *(name for name in others if name.lower() not in hidden))))


def source_of(data: object) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Anything that can be put, as a schema and batches of it.

    data: a path or several, a pyarrow Table, RecordBatch or reader, or anything with
    `__arrow_c_stream__`. Raises InputFileError, UsageError.
    """
    from eau2.kv.ingest.source import from_arrow, open_files

    if isinstance(data, str | os.PathLike):
        return open_files([os.fspath(data)])
    if isinstance(data, list | tuple):
        return open_files([os.fspath(path) for path in data])
    return from_arrow(data)


def _fingerprint(path: str) -> str:
    """Changes when the file does."""
    try:
        status = os.stat(path)
    except OSError:
        return path
    return f"{os.path.abspath(path)}:{status.st_mtime_ns}:{status.st_size}"
