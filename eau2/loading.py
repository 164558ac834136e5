"""The files of `eau2 load`, with a line on the terminal that says how far they are.

Owns: counting what is read. Comes in: paths; goes out: their rows. Does not know: what the rows are
stored as, how the line is drawn.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence

import pyarrow as pa

from eau2.kv.files import expand
from eau2.kv.ingest.position import Position
from eau2.kv.ingest.source import Opened, open_files
from eau2.progress import Line, load_text


def followed(paths: Sequence[str], line: Line) -> Opened:
    """The rows of the files, to be put. Raises InputFileError, as reading them does."""
    line.say(lambda seconds: f"looking at the types of the columns  {seconds:.0f} s")
    position = Position()
    schema, batches = open_files(paths, position)
    start = time.monotonic()
    whole = sum(os.path.getsize(name) for path in paths for name in expand(path))
    rows = size = 0

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal rows, size
        for batch in batches:
            rows += batch.num_rows
            size += batch.nbytes
            yield batch

    line.say(lambda _: load_text(rows, size, position.bytes, whole, time.monotonic() - start))
    return Opened(schema, counted())
