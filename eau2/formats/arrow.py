"""Results as Arrow IPC streams, with exact types.

Owns: the sizes of the batches. Comes in: parts of a result. Goes out: bytes, part by part. Does not
know: who reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from eau2.formats.collected import Collected
from eau2.formats.parts import SLICE_ROWS, Piece, even
from eau2.types import SqlType


def arrow(tables: Iterable[pa.Table], types: Sequence[SqlType]) -> Iterator[Piece]:
    """An Arrow IPC stream. Its batches are the same however the result was cut into parts."""
    sink = Collected()
    writer = None
    for table in even(tables):
        if not table.num_columns:
            return
        writer = writer or pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), table.schema)
        writer.write_table(table, max_chunksize=SLICE_ROWS)
        yield from sink.taken()
    if writer is not None:
        writer.close()
        yield from sink.taken()
