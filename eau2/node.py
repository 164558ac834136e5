"""A node: holds chunks, runs tasks over them. Here it is the one inside this process.

Owns: how a task message becomes rows: decode the fragment, fetch the chunks, call the kernels.
Comes in: a fragment, encoded when it comes from elsewhere, and chunks. Goes out: a DataFrame.
Does not know: SQL, plans, who asked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

import polars as pl
import pyarrow as pa

from eau2.catalog import ChunkKey, ChunkRef
from eau2.config import INDEXES, KERNELS
from eau2.indexes.kept import Indexes, Keeper
from eau2.indexes.picking import Picker
from eau2.kernels.host import Cancel, ChunkFiles, KernelHost
from eau2.kernels.tables import together
from eau2.operators.base import Operator
from eau2.operators.indexing import IndexWork
from eau2.operators.physical import kernel_dtype
from eau2.operators.scan import ScanChunks
from eau2.types import stored_arrow

_KEPT = 64
_KEPT_BYTES = 1 << 16
"""So many tables of so many bytes are kept at most."""


class ChunkSource(Protocol):
    """Where a node finds the rows of a chunk."""

    def read(self, chunk: ChunkRef, columns: tuple[str, ...]) -> pa.Table:
        """The named columns of a chunk, in stored form. Raises CorruptChunkError."""

    def chunk_file(self, chunk: ChunkRef) -> str | None:
        """The verified file that is a chunk; None when there is none. Raises CorruptChunkError."""

    def pinned(self, df_ids: Collection[str]) -> AbstractContextManager[None]:
        """Keep what is there of these writes from being deleted inside the block."""

    def keeper(self, key: ChunkKey) -> Keeper:
        """Where the chunk is kept for as long as it is there."""


class Node:
    """Runs tasks over the chunks it holds."""

    def __init__(
        self, name: str, chunks: ChunkSource, host: KernelHost, indexes: Indexes | None = None
    ) -> None:
        """indexes: the row lists of this process; None for some of its own."""
        self.name = name
        self.indexes = indexes or Indexes()
        self._picker = Picker(chunks, self.indexes)
        self._chunks = chunks
        self._host = host
        self._decoded: dict[bytes, Operator] = {}
        self._kept: dict[int, tuple[Operator, tuple[ChunkRef, ...], pa.Table]] = {}

    def pinned(self, df_ids: Collection[str]) -> AbstractContextManager[None]:
        """See ChunkSource.pinned."""
        return self._chunks.pinned(df_ids)

    def run(
        self,
        fragment: Operator | bytes,
        chunks: tuple[ChunkRef, ...],
        stages: Mapping[int, pl.DataFrame],
        cancel: Cancel | None = None,
        held: bool = False,
    ) -> pl.DataFrame:
        """The rows of one task: `fragment` over `chunks` together and earlier stages' results.

        held: whoever asks has pinned the chunks until this returns.
        """
        root = self._decode(fragment) if isinstance(fragment, bytes) else fragment
        if held or not chunks:
            return self._run(root, chunks, stages, cancel, held)
        # Kernels open files themselves, a little later.
        with self._chunks.pinned({chunk.key.df_id for chunk in chunks}):
            return self._run(root, chunks, stages, cancel)

    def _run(
        self,
        root: Operator,
        chunks: tuple[ChunkRef, ...],
        stages: Mapping[int, pl.DataFrame],
        cancel: Cancel | None,
        held: bool = False,
    ) -> pl.DataFrame:
        scan = _scan_of(root)
        rows: pa.Table | ChunkFiles | None = None
        if isinstance(root, IndexWork):
            return self._index(root, chunks, cancel)
        if scan is not None:
            rows = self._picker.picked(root, scan, chunks, stages, not self._host.takes_files)
            if rows is None:
                rows = self._files(scan, chunks)
            if rows is None and held and chunks:
                rows = self._kept_rows(root, scan, chunks)
            elif rows is None:
                rows = self._read(scan, chunks)
        return self._host.run(root, rows, stages, cancel)

    def _index(
        self, work: IndexWork, chunks: tuple[ChunkRef, ...], cancel: Cancel | None
    ) -> pl.DataFrame:
        """What IndexWork gives."""
        assert isinstance(work.input, ScanChunks)
        rows = []
        self.indexes.sweep()
        for chunk in chunks:
            for name in work.input.names:
                if cancel is not None:
                    cancel.check()
                if work.action == "drop":
                    self.indexes.drop(chunk.key, name)
                elif work.action == "build" and chunk.rows >= INDEXES.chunk_rows:
                    self.indexes.build(self._chunks.keeper(chunk.key), chunk, name)
                found = self.indexes.described(chunk, name)
                rows.append((name, found.state, found.rows, found.bytes, found.used))
        schema = {column.label: kernel_dtype(column.type) for column in work.columns}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _kept_rows(
        self, root: Operator, scan: ScanChunks, chunks: tuple[ChunkRef, ...]
    ) -> pa.Table:
        """As `_read`; small chunks are kept with the fragment, for a plan that comes again."""
        known = self._kept.get(id(root))
        if known is not None and known[0] is root and known[1] is chunks:
            return known[2]
        table = self._read(scan, chunks)
        if table.num_rows <= KERNELS.kept_rows and table.get_total_buffer_size() <= _KEPT_BYTES:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[id(root)] = (root, chunks, table)
        return table

    def _decode(self, fragment: bytes) -> Operator:
        """Fragments come again: for each run of chunks, and whenever a statement is repeated."""
        root = self._decoded.get(fragment)
        if root is None:
            from eau2.net.codec import decode_fragment

            root = decode_fragment(fragment)
            if len(self._decoded) >= 256:
                self._decoded.clear()
            self._decoded[fragment] = root
        return root

    def _files(self, scan: ScanChunks, chunks: tuple[ChunkRef, ...]) -> ChunkFiles | None:
        """The chunks as files, when all are and the kernels take them so."""
        if not chunks or not self._host.takes_files:
            return None
        files = [file for chunk in chunks if (file := self._chunks.chunk_file(chunk)) is not None]
        if len(files) < len(chunks):
            return None
        return ChunkFiles(tuple(files), scan.names, sum(chunk.rows for chunk in chunks))

    def _read(self, scan: ScanChunks, chunks: tuple[ChunkRef, ...]) -> pa.Table:
        if not chunks:
            fields = zip(scan.names, scan.columns, strict=True)
            schema = pa.schema([(name, stored_arrow(column.type)) for name, column in fields])
            return schema.empty_table()
        return together([self._chunks.read(chunk, scan.names) for chunk in chunks])


def _scan_of(root: Operator) -> ScanChunks | None:
    """The fragment's one chunk scan, if it has any."""
    if isinstance(root, ScanChunks):
        return root
    for node in root.inputs:
        scan = _scan_of(node)
        if scan is not None:
            return scan
    return None
