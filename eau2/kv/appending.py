"""Rows behind a frame: which of its last chunks are written anew together with what is appended.

Owns: the rule, pure, and carrying it out on chunks in stored form. Comes in: the chunks of a frame,
and new ones; goes out: how many of the old ones stay, and what follows them. Does not know: where
chunks lie, names, versions.

The chunks from the end on that hold at most as many rows as all that follows them are joined with
it, as the digits of a binary counter carry. So n appended rows are copied O(n log n) times in
all, and beside full chunks only a logarithmic number of others is left. A few rows are always
joined: copying them costs less than another chunk does in every query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from eau2.catalog import (
    ChunkRef,
    ColumnStatistics,
    Frame,
    FrameSchema,
    Named,
    Order,
    merge_parts,
    merged_order,
    of_frame,
)
from eau2.errors import OperationalError
from eau2.kv.columns import Columns
from eau2.kv.compact import Compactor, expanded
from eau2.kv.encoding import joined
from eau2.records import Record
from eau2.records import replace as changed

FEW_ROWS = 1024
FEW_BYTES = 1 << 16
"""A chunk within both is joined with whatever follows it."""
_JOINED_BYTES = 1 << 30
"""Chunks that are joined hold at most this much together: they are in memory at once."""

Measured = tuple[pa.RecordBatch, tuple[ColumnStatistics, ...]]
"""A chunk in stored form, and the statistics of its columns."""


class Joint(Record, frozen=True):
    """Where new chunks go on: the first `kept` chunks of `base` stay, `tail` is written anew."""

    base: Frame
    kept: int

    @property
    def tail(self) -> tuple[ChunkRef, ...]:
        """The chunks that are written anew."""
        return self.base.chunks[self.kept :]


def next_base(name: str, named: Named | None, schema: FrameSchema | None = None) -> Frame:
    """The frame that the next version is made of, of that schema if one is given.

    Raises OperationalError when it is gone.
    """
    if not isinstance(named, Frame) or (schema is not None and named.schema != schema):
        doing = "rows were to be appended to it" if schema is not None else "it was to be changed"
        raise OperationalError(
            f'"{name}" was dropped or replaced while {doing}',
            hint="Nothing was changed. Look at what it holds now, then try again.",
        )
    return named


def joint(base: Frame, rows: int, chunk_rows: int) -> Joint:
    """Where to go on when a chunk of `rows` rows comes next, and chunks hold `chunk_rows`."""
    kept, held, size = len(base.chunks), 0, 0
    while kept:
        last = base.chunks[kept - 1]
        few = last.rows <= FEW_ROWS and last.bytes <= FEW_BYTES
        if not few and last.rows > held + rows:
            break
        if held + last.rows > chunk_rows or size + last.bytes > _JOINED_BYTES:
            break
        kept, held, size = kept - 1, held + last.rows, size + last.bytes
    # One chunk that has no room for what follows gains nothing by being written anew.
    alone = kept == len(base.chunks) - 1 and held + rows > chunk_rows
    return Joint(base, kept + 1 if alone else kept)


def chunks_after(
    place: Joint,
    first: Measured,
    rest: Iterator[Measured],
    chunk_rows: int,
    read: Callable[[ChunkRef], pa.RecordBatch],
) -> Iterator[Measured]:
    """The chunks that follow those that stay, when `first` and then `rest` are appended."""
    parts = [(read(ref), ref.statistics) for ref in place.tail]
    room = chunk_rows - sum(ref.rows for ref in place.tail)
    if first[0].num_rows <= room:
        parts.append(first)
    if parts:
        yield _together(parts, place.base.schema)
    if first[0].num_rows > room:
        yield first
    del parts, first
    yield from rest


def appended(place: Joint, df_id: str, new: Sequence[ChunkRef]) -> Frame:
    """The next version of the frame: `new` in place of the tail."""
    base = place.base
    parts = [(base.rows, base.statistics), *((ref.rows, ref.statistics) for ref in new)]
    merged = merge_parts(parts, len(base.statistics))
    chunks = (*base.chunks[: place.kept], *new)
    statistics = tuple(
        changed(
            part,
            null_count=_nulls(place, new, index),
            exponents=_exponents(base.statistics[index], part, chunks, index),
            order=_order(base, chunks, index),
        )
        for index, part in enumerate(merged)
    )
    version = base.version + 1
    return changed(base, df_id=df_id, version=version, chunks=chunks, statistics=statistics)


def _nulls(place: Joint, new: Sequence[ChunkRef], index: int) -> int:
    """The NULLs of a column: rows that were written anew are in the base and in the new chunks."""
    twice = sum(ref.statistics[index].null_count for ref in place.tail)
    coming = sum(ref.statistics[index].null_count for ref in new)
    return place.base.statistics[index].null_count + coming - twice


def _order(base: Frame, chunks: Sequence[ChunkRef], index: int) -> Order:
    """That of all rows; there is none where there was none before."""
    if base.rows and not base.statistics[index].order:
        return ""
    return merged_order([ref.statistics[index] for ref in chunks if ref.rows])


def _exponents(
    before: ColumnStatistics, merged: ColumnStatistics, chunks: Sequence[ChunkRef], index: int
) -> tuple[int, int] | None:
    """A frame without numbers that count has the exponents (0, 0), which would widen others."""
    if before.exponents != (0, 0):
        return of_frame(merged.exponents)
    parts = [(ref.rows, (ref.statistics[index],)) for ref in chunks]
    return of_frame(merge_parts(parts, 1)[0].exponents)


def _together(parts: Sequence[Measured], schema: FrameSchema) -> Measured:
    """Compact chunks as one."""
    statistics = merge_parts(
        [(batch.num_rows, measured) for batch, measured in parts], len(schema.columns)
    )
    whole = joined([expanded(batch, schema) for batch, _ in parts], schema)
    with Columns() as work:
        return Compactor(schema, work).compact(whole, statistics), statistics
