"""A node: holds chunks, runs tasks over them. Here it is the one inside this process.

Owns: how a task message becomes rows: decode the fragment, fetch the chunks, call the kernels.
Comes in: a fragment, encoded when it comes from elsewhere, and chunks. Goes out: a DataFrame.
Does not know: SQL, plans, who asked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

import polars as pl
import pyarrow as pa

from eau2.catalog import FILE_PREFIX, ChunkKey, ChunkRef
from eau2.config import INDEXES, KERNELS, LIMITS
from eau2.indexes.kept import Indexes, Keeper
from eau2.indexes.picking import Picker
from eau2.kernels.host import Cancel, ChunkFiles, KernelHost
from eau2.kernels.sent import Sent
from eau2.kernels.tables import cut_to, together
from eau2.kv.zones import zones_of
from eau2.net.arrow import Payload, payloads
from eau2.operators.base import Operator
from eau2.operators.indexing import IndexWork
from eau2.operators.origins import Origin, note
from eau2.operators.physical import kernel_dtype
from eau2.operators.scan import ScanChunks
from eau2.operators.zones import Asked, Pruner, Runs, Zones, pruner
from eau2.types import stored_arrow

_KEPT = 64
_KEPT_BYTES = 1 << 16
"""So many tables of so many bytes are kept at most."""


class _Unknown:
    """What is not kept, where None is."""


_UNKNOWN = _Unknown()


def _unheard(rows: int) -> None:
    """Nobody wants to know how many rows are read."""


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
        self._pruners: dict[int, tuple[Operator, Pruner | None]] = {}
        self._zones: dict[ChunkKey, Zones | None] = {}
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
        reads: Callable[[int], None] = _unheard,
    ) -> pl.DataFrame:
        """The rows of one task: `fragment` over `chunks` together and earlier stages' results.

        held: whoever asks has pinned the chunks until this returns. reads: is told how many rows
        of the chunks are read, before they are.
        """
        root = self._decode(fragment) if isinstance(fragment, bytes) else fragment
        if held or not chunks:
            return self._run(root, chunks, stages, cancel, reads, held)
        # Kernels open files themselves, a little later.
        with self._chunks.pinned({chunk.key.df_id for chunk in chunks}):
            return self._run(root, chunks, stages, cancel, reads)

    def send(
        self,
        fragment: bytes,
        chunks: tuple[ChunkRef, ...],
        stages: Sent,
        cancel: Cancel | None = None,
        reads: Callable[[int], None] = _unheard,
    ) -> list[Payload]:
        """As `run`, for another node: its stages as they came, and the rows as payloads."""
        root = self._decode(fragment)
        if isinstance(root, IndexWork):
            return list(payloads(self.run(root, chunks, stages, cancel, reads=reads)))
        with self._chunks.pinned({chunk.key.df_id for chunk in chunks}):
            rows = self._rows(root, chunks, stages.numbers, reads, held=False)
            return self._host.send(root, rows, stages, cancel)

    def _run(
        self,
        root: Operator,
        chunks: tuple[ChunkRef, ...],
        stages: Mapping[int, pl.DataFrame],
        cancel: Cancel | None,
        reads: Callable[[int], None],
        held: bool = False,
    ) -> pl.DataFrame:
        if isinstance(root, IndexWork):
            return self._index(root, chunks, cancel)
        rows = self._rows(root, chunks, stages, reads, held)
        result = self._host.run(root, rows, stages, cancel)
        if isinstance(root, ScanChunks) and not self._host.takes_files:
            self._note(result, root, chunks)
        return result

    def _note(self, result: pl.DataFrame, scan: ScanChunks, chunks: tuple[ChunkRef, ...]) -> None:
        """Say of the result of a bare scan whose rows they are, if they are all of them."""
        rows = sum([chunk.rows for chunk in chunks])
        if rows < INDEXES.array_rows or result.height < rows:
            return
        if any(chunk.key.df_id.startswith(FILE_PREFIX) for chunk in chunks):
            return
        if scan.indexes and scan.automatic:
            names = zip(scan.columns, scan.names, strict=True)
            keys = tuple(chunk.key for chunk in chunks)
            keeping = self.indexes.arrays.of(keys, [self._chunks.keeper(key) for key in keys])
            note(result, Origin({column.label: name for column, name in names}, keeping))

    def _rows(
        self,
        root: Operator,
        chunks: tuple[ChunkRef, ...],
        stages: Mapping[int, pl.DataFrame],
        reads: Callable[[int], None],
        held: bool,
    ) -> pa.Table | ChunkFiles | None:
        """What a fragment reads of its chunks; stages: their whole numbers at least."""
        scan = _scan_of(root)
        rows: pa.Table | ChunkFiles | None = None
        if scan is not None:
            found = self._pruner(root) if chunks else None
            asked = None if found is None else found.asked(stages)
            rows = self._picker.picked(root, scan, chunks, stages, not self._host.takes_files)
            if rows is None:
                rows = self._files(scan, chunks, asked)
            if rows is None and held and chunks and (found is None or not found.joins):
                rows = self._kept_rows(root, scan, chunks, asked)
            elif rows is None:
                rows = self._read(scan, chunks, asked)
            reads(rows.rows if isinstance(rows, ChunkFiles) else rows.num_rows)
        return rows

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
        if work.action == "show":
            rows += self._arrays(chunks)
        schema = {column.label: kernel_dtype(column.type) for column in work.columns}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _arrays(self, chunks: tuple[ChunkRef, ...]) -> Iterator[tuple[str, str, int, int, int]]:
        """What joins have made of these chunks, as IndexWork gives it: all bytes at the first."""
        counts = {chunk.key: chunk.rows for chunk in chunks}
        for kind in self.indexes.arrays.kinds(tuple(counts)):
            for key in counts.keys() & set(kind.chunks):
                size_bytes = kind.bytes if key == kind.chunks[0] else 0
                yield ", ".join(kind.names), "joins", counts[key], size_bytes, kind.used

    def _pruner(self, root: Operator) -> Pruner | None:
        """What a fragment asks of its rows. Fragments come again as the same object."""
        known = self._pruners.get(id(root))
        if known is None:
            if len(self._pruners) >= KERNELS.fragments:
                self._pruners.clear()
            known = self._pruners[id(root)] = (root, pruner(root))
        return known[1]

    def _kept_rows(
        self,
        root: Operator,
        scan: ScanChunks,
        chunks: tuple[ChunkRef, ...],
        asked: Asked | None,
    ) -> pa.Table:
        """As `_read`; small chunks are kept with the fragment, for a plan that comes again."""
        known = self._kept.get(id(root))
        if known is not None and known[0] is root and known[1] is chunks:
            return known[2]
        table = self._read(scan, chunks, asked)
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

    def _files(
        self, scan: ScanChunks, chunks: tuple[ChunkRef, ...], asked: Asked | None
    ) -> ChunkFiles | None:
        """The chunks as files, when all are and the kernels take them so."""
        if not chunks or not self._host.takes_files:
            return None
        files = [file for chunk in chunks if (file := self._chunks.chunk_file(chunk)) is not None]
        if len(files) < len(chunks):
            return None
        runs: list[Runs | None] = []
        if asked is not None:
            runs = [asked.runs(self._zones_of(chunk)) for chunk in chunks]
        if all(some is None for some in runs):
            rows = sum(chunk.rows for chunk in chunks)
            return ChunkFiles(tuple(files), scan.names, rows)
        rows = sum(
            chunk.rows if some is None else sum(count for _, count in some)
            for chunk, some in zip(chunks, runs, strict=True)
        )
        return ChunkFiles(tuple(files), scan.names, rows, tuple(runs))

    def _read(
        self, scan: ScanChunks, chunks: tuple[ChunkRef, ...], asked: Asked | None
    ) -> pa.Table:
        if not chunks:
            fields = zip(scan.names, scan.columns, strict=True)
            schema = pa.schema([(name, stored_arrow(column.type)) for name, column in fields])
            return schema.empty_table()
        tables = [self._chunks.read(chunk, scan.names) for chunk in chunks]
        if asked is None:
            return together(tables)
        zones = map(self._zones_of, chunks, tables)
        cut = zip(tables, map(asked.runs, zones), strict=True)
        return together([part for table, runs in cut for part in cut_to(table, runs)])

    def _zones_of(self, chunk: ChunkRef, table: pa.Table | None = None) -> Zones | None:
        """What is known of the parts of a chunk. table: the chunk, if it was read."""
        if chunk.rows <= LIMITS.zone_rows or chunk.key.df_id.startswith(FILE_PREFIX):
            return None
        zones = self._zones.get(chunk.key, _UNKNOWN)
        if isinstance(zones, _Unknown):
            table = self._chunks.read(chunk, ()) if table is None else table
            zones = zones_of(table.schema)
            while len(self._zones) >= KERNELS.open_chunks:
                self._zones.pop(next(iter(self._zones)), None)
            self._zones[chunk.key] = zones
        return zones


def _scan_of(root: Operator) -> ScanChunks | None:
    """The fragment's one chunk scan, if it has any."""
    if isinstance(root, ScanChunks):
        return root
    for node in root.inputs:
        scan = _scan_of(node)
        if scan is not None:
            return scan
    return None
