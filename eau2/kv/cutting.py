"""Rows to chunks: batches of any size become stored chunks of a given size, measured.

Owns: how many chunks are made at once, and that memory is free before the next ones are. Comes in:
batches of handed-in data; goes out: chunks in stored form with their statistics, in row order. Does
not know: files, names, nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from eau2.catalog import ColumnStatistics, FrameSchema
from eau2.config import LIMITS
from eau2.errors import UsageError
from eau2.kv.columns import Columns
from eau2.kv.compact import Compactor
from eau2.kv.encoding import check_calendar, chunked, cut, stage_batches
from eau2.kv.statistics import batch_statistics


def check_chunk_rows(chunk_rows: int) -> None:
    """Refuse a size that no chunk has. Raises UsageError."""
    if not 1 <= chunk_rows <= LIMITS.chunk_rows_max:
        raise UsageError(f"chunk_rows must be from 1 to {LIMITS.chunk_rows_max}")


def measured_chunks(
    batches: Iterable[pa.RecordBatch], schema: FrameSchema, chunk_rows: int
) -> Iterator[tuple[pa.RecordBatch, tuple[ColumnStatistics, ...]]]:
    """Compact chunks of `chunk_rows` rows, the last one shorter, and their columns' statistics.

    About one chunk is held in memory, if the caller lets go of each before it asks for the next.
    No rows give one empty chunk. Raises DataError and NotSupportedError (the data), and whatever
    `batches` raises.
    """
    # Small chunks are made and measured many at a time: each has a price of its own.
    run_rows = max(1, LIMITS.ingest_batch_rows // chunk_rows) * chunk_rows
    with Columns() as work:
        compactor = Compactor(schema, work)
        staged = stage_batches(batches, schema, work)
        for run in chunked(staged, schema, run_rows, work):
            measured = batch_statistics(run, schema, chunk_rows, work)
            for batch, statistics in zip(cut(run, chunk_rows), measured, strict=True):
                for column, part in zip(schema.columns, statistics, strict=True):
                    check_calendar(column, part.minimum, part.maximum)
                yield compactor.compact(batch, statistics), statistics
            # The next run is gathered while this loop waits: this one's memory must be free.
            del run, batch
            pa.default_memory_pool().release_unused()
