"""Rows of chunks taken by row lists, where a fragment wants few of them.

Owns: the decision whether chunks are read whole, and the rows that are taken if not. Comes in: a
fragment, its chunks and the results of stages; goes out: a table in stored form. Does not know:
how a fragment is run.

How many rows are wanted is counted, not estimated: the lists say it. A table that is given holds
all rows that can matter, in their order, so the same fragment over it gives the same answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import polars as pl
import pyarrow as pa

from eau2.catalog import ChunkKey, ChunkRef
from eau2.config import INDEXES, KERNELS
from eau2.indexes.asked import Among, Ask, Partners, Range, asks, keys_of
from eau2.indexes.kept import Indexes, Keeper
from eau2.indexes.row_lists import Keys, RowLists, Rows
from eau2.kernels.tables import together
from eau2.operators.base import Operator
from eau2.operators.scan import ScanChunks
from eau2.records import Struct, field

_FRAGMENTS = 256


class Chunks(Protocol):
    """Where a node finds the rows of a chunk; see node.ChunkSource."""

    def read(self, chunk: ChunkRef, columns: tuple[str, ...]) -> pa.Table:
        """The named columns of a chunk, in stored form."""

    def pinned(self, df_ids: Collection[str]) -> AbstractContextManager[None]:
        """Keep what is there of these writes from being deleted inside the block."""

    def keeper(self, key: ChunkKey) -> Keeper:
        """Where the chunk is kept for as long as it is there."""


class _Count(Struct):
    """What one ask wants of the chunks.

    found: of those with lists, where the rows are. missing: those that are to have lists. rows: how
    many rows are wanted, of which `whole` are those of chunks without lists.
    """

    name: str
    found: dict[ChunkKey, tuple[RowLists, Rows, Rows]] = field(default_factory=dict)
    missing: list[ChunkRef] = field(default_factory=list)
    rows: int = 0
    whole: int = 0


class Picker:
    """Takes rows by the lists of `indexes`."""

    def __init__(self, chunks: Chunks, indexes: Indexes) -> None:
        self._chunks = chunks
        self._indexes = indexes
        self._asks: dict[int, tuple[Operator, tuple[Ask, ...]]] = {}

    def picked(
        self,
        root: Operator,
        scan: ScanChunks,
        chunks: Sequence[ChunkRef],
        stages: Mapping[int, pl.DataFrame],
        whole: bool,
    ) -> pa.Table | None:
        """The rows that matter of a task; None where its chunks are better read as they are.

        whole: whether chunks without lists may stand beside the rows that are taken, whatever
        their size. Raises as ChunkSource.read does.
        """
        rows = sum([chunk.rows for chunk in chunks])
        if rows < INDEXES.rows or not scan.indexes:
            return None
        if any(column.type.is_list for column in scan.columns):
            # Arrow cannot take lists of string views.
            return None
        counts = [
            count
            for ask in self._asked(root)
            if (count := self._counted(ask, scan, chunks, stages, rows)) is not None
        ]
        best = min(counts, key=lambda count: count.rows, default=None)
        if best is None:
            return None
        listed = rows - best.whole
        few = (best.rows - best.whole) * INDEXES.rows_per_taken <= listed
        pays = bool(best.found) and few and (whole or best.whole <= KERNELS.inline_rows)
        for count in counts:
            if count is best and few:
                self._indexes.used(count.name, count.found.keys() if pays else ())
            else:
                self._indexes.in_vain(count.name, count.found.keys())
            if count is best or not pays:
                for chunk in count.missing:
                    keeper = self._chunks.keeper(chunk.key)
                    self._indexes.ask(keeper, chunk, count.name, count.name in scan.named)
        return together(list(self._taken(best, scan, chunks))) if pays else None

    def _asked(self, root: Operator) -> tuple[Ask, ...]:
        """Fragments come again as the same object."""
        known = self._asks.get(id(root))
        if known is not None and known[0] is root:
            return known[1]
        if len(self._asks) >= _FRAGMENTS:
            self._asks.clear()
        found = asks(root)
        self._asks[id(root)] = (root, found)
        return found

    def _counted(
        self,
        ask: Ask,
        scan: ScanChunks,
        chunks: Sequence[ChunkRef],
        stages: Mapping[int, pl.DataFrame],
        rows: int,
    ) -> _Count | None:
        """How many rows are wanted; None where it cannot be told, or there are too many keys."""
        keys: Keys | None = None
        known = {
            chunk.key: lists
            for chunk in chunks
            if chunk.rows >= INDEXES.chunk_rows
            and (lists := self._indexes.lists(chunk.key, ask.name)) is not None
        }
        if isinstance(ask, Among | Partners):
            # Where nothing is known yet, only few keys are worth a look.
            per_key = INDEXES.rows_per_taken if known else INDEXES.rows_per_key
            keys = keys_of(ask, stages, max(rows // per_key, 1))
            if keys is None:
                return None
            few = len(keys) * INDEXES.rows_per_key <= rows
        else:
            # Of more values than one nothing is known before the rows are in lists.
            few = ask.low >= ask.high
        wished = ask.name in scan.named or (few and scan.automatic)
        count = _Count(ask.name)
        for chunk in chunks:
            lists = known.get(chunk.key)
            if lists is None and wished and chunk.rows >= INDEXES.chunk_rows:
                count.missing.append(chunk)
            if lists is None:
                count.whole += chunk.rows
                count.rows += chunk.rows
            else:
                starts, ends = _places(lists, ask, keys)
                count.found[chunk.key] = (lists, starts, ends)
                count.rows += int(ends.sum(dtype="int64") - starts.sum(dtype="int64"))
        return count

    def _taken(
        self, count: _Count, scan: ScanChunks, chunks: Sequence[ChunkRef]
    ) -> Iterator[pa.Table]:
        """The rows of each chunk; of one that has none at least its columns."""
        empty: pa.Table | None = None
        given = False
        for chunk in chunks:
            found = count.found.get(chunk.key)
            table = self._chunks.read(chunk, scan.names)
            if found is not None:
                lists, starts, ends = found
                numbers = lists.rows_of(starts, ends)
                if not len(numbers):
                    empty = table.slice(0, 0)
                    continue
                if not scan.names:
                    table = table.slice(0, len(numbers))
                else:
                    table = _gathered(table, numbers)
            given = True
            yield table
        if not given and empty is not None:
            yield empty


def _gathered(table: pa.Table, numbers: Rows) -> pa.Table:
    """Rows of a table in its own types."""
    places = pa.array(numbers)
    columns = [
        _views(column, numbers) if pa.types.is_string_view(column.type) else column.take(places)
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, names=table.column_names)


def _views(column: pa.ChunkedArray, numbers: Rows) -> pa.ChunkedArray:
    """Rows of a column of string views, which Arrow itself cannot take."""
    series = pl.Series(values=pl.from_arrow(column)).gather(pl.Series(numbers))
    return pa.chunked_array([series.to_arrow(compat_level=pl.CompatLevel.newest())], column.type)


def _places(lists: RowLists, ask: Ask, keys: Keys | None) -> tuple[Rows, Rows]:
    if isinstance(ask, Range):
        return lists.between(ask.low, ask.high)
    assert keys is not None
    return lists.of_keys(keys)
