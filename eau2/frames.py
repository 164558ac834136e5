"""What names mean on one connection: registered frames, stored frames, files by path.

Owns: the order in which a name is looked up (registered before stored), and files that were read
into memory because they are not Parquet. Comes in: names, paths, chunk keys. Goes out: frames, and
the rows of their chunks. Does not know: SQL, Polars.

The readers of files load when a path is first named: they are a fifth of a process's start-up.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Hashable, Iterator
from dataclasses import replace

import pyarrow as pa

from eau2.catalog import FILE_PREFIX, NOT_STORED, ChunkRef, Frame
from eau2.config import LIMITS
from eau2.kv.store import Store


class LocalFrames:
    """The catalogue and the chunks of a connection that has no nodes but itself."""

    def __init__(self, stored: Store) -> None:
        self.stored = stored
        self.registered = Store.open(None)
        self._read: dict[tuple[str, ...], Frame] = {}
        self._reads = 0
        self._transient = Store.open(None)

    def frame(self, name: str) -> Frame | None:
        """The registered, else the stored frame under `name`."""
        return self.registered.get(name) or self.stored.get(name)

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted({*self.registered.names(), *self.stored.names()}))

    def epoch(self) -> Hashable:
        """Changes whenever a name means another frame."""
        return (self.registered.epoch(), self.stored.epoch())

    def drop(self, name: str) -> bool:
        """Drop the frame that `name` means; False when there is none."""
        if self.registered.get(name) is not None:
            return self.registered.drop(name)
        return self.stored.drop(name)

    def file(self, path: str) -> Frame:
        """The frame of a file or a glob. Parquet is read in place, other formats into memory.

        Raises InputFileError.
        """
        from eau2.kv import files
        from eau2.kv.ingest.source import format_of, open_files

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

    def close(self) -> None:
        """Close the store; registered frames are forgotten."""
        self.registered.close()
        self._transient.close()
        self.stored.close()


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
