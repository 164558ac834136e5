"""What a backup is taken of and restored to: a store on this disk, or the nodes of one.

Owns: the `End` protocol and both of its kinds. Comes in: frames, chunks, views and functions;
goes out: the same. Does not know: how a backup lies on the disk (backup.py).

A store gives and takes chunk files as they are. Of a node the rows are asked, and cut where the
manifest says that its chunks end; what it is given it cuts into chunks of the same size itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import polars as pl
import pyarrow as pa
import xxhash

from eau2.catalog import (
    ChunkRef,
    Frame,
    FrameSchema,
    Function,
    Named,
    View,
    register_of_function,
)
from eau2.errors import CorruptChunkError, ProgrammingError, UnknownNameError
from eau2.kv import chunk
from eau2.kv.compact import expanded
from eau2.kv.cutting import measured_chunks
from eau2.kv.store import Store
from eau2.net.address import Address
from eau2.operators.physical import from_stored, logical_array
from eau2.remote import RemoteBackend
from eau2.result import Batches
from eau2.types import logical_arrow

_READ_BYTES = 1 << 22
_PART_ROWS = 100_000
"""Rows that are brought into their logical form at a time."""


class End(Protocol):
    """Frames, views and functions under names."""

    def names(self) -> tuple[str, ...]:
        """The names of all registers: of frames and views, and of functions with their brackets."""

    def named(self, name: str) -> Named | None:
        """What the register of that name means now, or None."""

    def copy(self, frame: Frame, number: int, path: Path) -> tuple[int, str] | None:
        """Write a chunk of a frame durably to `path`; its bytes and checksum.

        The chunks of a frame are asked for in order. None: the frame is not there any more. Raises
        CorruptChunkError.
        """

    def still(self, frame: Frame) -> bool:
        """Whether what was copied is surely all of that very frame."""

    def same(self, now: Frame, saved: Frame, chunks: Iterable[pa.RecordBatch]) -> bool:
        """Whether a frame that is there surely has the rows of the saved one, of these chunks.

        Both have the same columns, and as many rows.
        """

    def put_frame(self, frame: Frame, chunks: Iterable[pa.RecordBatch], replace: bool) -> None:
        """Store a frame of these chunks, in stored form, under its name: all of it or nothing."""

    def put_function(self, function: Function, replace: bool) -> None:
        """Store a function under its name."""

    def put_views(self, views: Sequence[View], replace: bool) -> Iterator[View]:
        """Store views under their names; each as it is stored."""

    def close(self) -> None:
        """Let go of the store, or of the connection."""


def opened(path: str, addresses: Sequence[Address] | None) -> End:
    """The store in a folder, which is made when it is not there; or the nodes at addresses.

    Raises as Store.open and RemoteBackend do.
    """
    if addresses is None:
        return StoreEnd(Store.open(path))
    return NodeEnd(RemoteBackend(addresses))


class StoreEnd:
    """A store of this process."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def names(self) -> tuple[str, ...]:
        """See End."""
        return self._store.registers()

    def named(self, name: str) -> Named | None:
        """See End."""
        return self._store.means(name)

    def copy(self, frame: Frame, number: int, path: Path) -> tuple[int, str] | None:
        """See End. The file is compared with what its manifest says while it is copied."""
        ref = frame.chunks[number]
        source = self._store.chunk_file(ref)
        if source is None:
            return chunk.write(_one_batch(self._store, ref, frame), path)
        size, checksum = _copy(source, path)
        if (size, checksum) != (ref.bytes, ref.checksum):
            raise CorruptChunkError(
                f'a chunk of frame "{frame.name}" is damaged: its checksum differs ({source})',
                hint=f'Drop "{frame.name}", or restore it from an earlier backup.',
            )
        return size, checksum

    def still(self, frame: Frame) -> bool:
        """See End. What was got stays readable, whatever is replaced."""
        return True

    def same(self, now: Frame, saved: Frame, chunks: Iterable[pa.RecordBatch]) -> bool:
        """See End. Chunks are put as they are, so their checksums stay."""
        return _checksums(now) == _checksums(saved)

    def put_frame(self, frame: Frame, chunks: Iterable[pa.RecordBatch], replace: bool) -> None:
        """See End."""
        self._store.put_chunks(frame, chunks, replace=replace)

    def put_function(self, function: Function, replace: bool) -> None:
        """See End."""
        self._store.keep(function, replace=replace)

    def put_views(self, views: Sequence[View], replace: bool) -> Iterator[View]:
        """See End."""
        for view in views:
            self._store.keep(view, replace=replace)
            yield view

    def close(self) -> None:
        """See End."""
        self._store.close()


class NodeEnd:
    """A store of several nodes, through one of them."""

    def __init__(self, backend: RemoteBackend) -> None:
        self._backend = backend
        self._rows: _Refilled | None = None
        self._source: Batches | None = None

    def names(self) -> tuple[str, ...]:
        """See End."""
        self._done()
        functions = map(register_of_function, self._backend.functions())
        return (*self._backend.names(), *functions)

    def named(self, name: str) -> Named | None:
        """See End."""
        self._done()
        return self._backend.named(name)

    def copy(self, frame: Frame, number: int, path: Path) -> tuple[int, str] | None:
        """See End. Node and connection have checked the bytes; here the rows are counted."""
        batch = self._cut(frame, number)
        return None if batch is None else chunk.write(batch, path)

    def _cut(self, frame: Frame, number: int) -> pa.RecordBatch | None:
        """Rows under the name of a frame that its chunk of that number has, asked for in order."""
        if number == 0:
            self._done()
            try:
                text = f"SELECT * FROM {_quoted(frame.name)}"
                self._source = self._backend.stream(text, None, None)
            except UnknownNameError:
                return None
            self._rows = _Refilled(self._source)
        assert self._rows is not None
        wanted = frame.chunks[number].rows
        rows = _first(self._rows, wanted)
        batch, _ = next(measured_chunks(rows, frame.schema, max(1, wanted)))
        if batch.num_rows != wanted or batch.num_columns != len(frame.schema.columns):
            return None
        return batch

    def still(self, frame: Frame) -> bool:
        """See End. No row is left, and the name means the same as before."""
        over = self._rows is None or next(self._rows, None) is None
        now = self.named(frame.name)
        return over and isinstance(now, Frame) and now.df_id == frame.df_id

    def same(self, now: Frame, saved: Frame, chunks: Iterable[pa.RecordBatch]) -> bool:
        """See End. The node has cut the rows anew, so they are read, and cut as they were."""
        for number, stored in enumerate(chunks):
            batch = self._cut(saved, number)
            # Bytes may differ where a value is NULL; of NaN one is like the other.
            if batch is None or not _frame(batch, saved).equals(_frame(stored, saved)):
                self._done()
                return False
        return not saved.chunks or self.still(now)

    def put_frame(self, frame: Frame, chunks: Iterable[pa.RecordBatch], replace: bool) -> None:
        """See End. The node cuts the rows into chunks of the size of the largest."""
        schema = pa.schema([(c.name, logical_arrow(c.type)) for c in frame.schema.columns])
        rows = max((ref.rows for ref in frame.chunks), default=0)
        batches = (part for one in chunks for part in _logical(one, frame.schema, schema))
        self._backend.put_typed(frame, schema, batches, rows, replace)
        for index in frame.indexes:
            on = f"{_quoted(index.name)} ON {_quoted(frame.name)} ({_quoted(index.column)})"
            self._backend.run(f"CREATE INDEX IF NOT EXISTS {on}", None, None)

    def put_function(self, function: Function, replace: bool) -> None:
        """See End."""
        self._backend.put_function(function, replace)

    def put_views(self, views: Sequence[View], replace: bool) -> Iterator[View]:
        """See End. A view may read another one, which then has to be there before."""
        left = list(views)
        while left:
            waiting = []
            for view in left:
                try:
                    self._backend.run(_create(view, replace), None, None)
                except UnknownNameError:
                    waiting.append(view)
                    continue
                yield view
            if len(waiting) == len(left):
                self._backend.run(_create(left[0], replace), None, None)
                raise ProgrammingError(f'the view "{left[0].name}" was not restored')
            left = waiting

    def close(self) -> None:
        """See End."""
        self._done()
        self._backend.close()

    def _done(self) -> None:
        """Read no more of the frame that was asked for."""
        if self._source is not None:
            self._source.close()
        self._source = self._rows = None


def _checksums(frame: Frame) -> list[tuple[int, str]]:
    return [(ref.rows, ref.checksum) for ref in frame.chunks]


def _frame(batch: pa.RecordBatch, frame: Frame) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(expanded(batch, frame.schema)))


def _one_batch(store: Store, ref: ChunkRef, frame: Frame) -> pa.RecordBatch:
    """A chunk that is in memory."""
    table = store.read(ref, tuple(column.name for column in frame.schema.columns))
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], table.schema)


def _copy(source: str, path: Path) -> tuple[int, str]:
    """Copy a file durably; its bytes and checksum. Raises OSError."""
    digest, size = xxhash.xxh3_128(), 0
    with open(source, "rb", buffering=0) as given, path.open("wb", buffering=0) as taken:
        while data := given.read(_READ_BYTES):
            view = memoryview(data)
            digest.update(view)
            size += len(view)
            while len(view):
                view = view[taken.write(view) or 0 :]
        os.fsync(taken.fileno())
    return size, digest.hexdigest()


class _Refilled:
    """Batches, of which what was not used may be put back."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = iter(batches)
        self._back: list[pa.RecordBatch] = []

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        while True:
            batch = self._back.pop() if self._back else next(self._batches)
            if batch.num_rows:
                return batch

    def put_back(self, batch: pa.RecordBatch) -> None:
        """Have this one come next."""
        self._back.append(batch)


def _first(batches: _Refilled, rows: int) -> Iterator[pa.RecordBatch]:
    """So many rows of the batches, as far as there are as many; what is left stays."""
    while rows > 0:
        batch = next(batches, None)
        if batch is None:
            return
        if batch.num_rows > rows:
            batches.put_back(batch.slice(rows))
            batch = batch.slice(0, rows)
        rows -= batch.num_rows
        yield batch


def _logical(
    batch: pa.RecordBatch, columns: FrameSchema, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The rows of a stored chunk as users see them, some at a time."""
    batch = expanded(batch, columns)
    for start in range(0, batch.num_rows, _PART_ROWS):
        part = pa.Table.from_batches([batch.slice(start, _PART_ROWS)])
        frame = pl.DataFrame(pl.from_arrow(part))
        wanted = [from_stored(pl.col(c.name), c.type).alias(c.name) for c in columns.columns]
        shown = frame.select(wanted)
        arrays = [logical_array(shown[c.name], c.type, c.name) for c in columns.columns]
        yield from pa.Table.from_arrays(arrays, schema=schema).to_batches()


def _create(view: View, replace: bool) -> str:
    named = ", ".join(map(_quoted, view.column_names))
    columns = f" ({named})" if named else ""
    new = "OR REPLACE " if replace else ""
    return f"CREATE {new}VIEW {_quoted(view.name)}{columns} AS {view.text}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
