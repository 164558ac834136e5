"""Results as Parquet files.

Owns: row groups, compression, and what Parquet cannot hold. Comes in: parts of a result, its SQL
types. Goes out: bytes, part by part; the file is whole after the last one. Does not know: disks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
from pyarrow.parquet import ParquetWriter

from eau2.errors import NotSupportedError
from eau2.formats.collected import Collected
from eau2.formats.parts import Piece, even, unique
from eau2.types import INTERVAL, SqlType


def parquet(tables: Iterable[pa.Table], types: Sequence[SqlType]) -> Iterator[Piece]:
    """A Parquet file with a row group for each 100,000 rows, compressed by zstd.

    A column name that occurs again gets a number, since few readers take one twice. Raises
    NotSupportedError for an INTERVAL, before anything is written.
    """
    sink = Collected()
    writer = None
    for table in even(tables):
        if not table.num_columns:
            return
        if writer is None:
            _check(table.column_names, types)
            names = unique(table.column_names)
            schema = table.rename_columns(names).schema
            file = pa.PythonFile(sink, mode="w")
            writer = ParquetWriter(file, schema, compression="zstd")
        writer.write_table(table.rename_columns(names))
        yield from sink.taken()
    if writer is not None:
        writer.close()
        yield from sink.taken()


def _check(names: Sequence[str], types: Sequence[SqlType]) -> None:
    for name, type_ in zip(names, types, strict=True):
        if type_ == INTERVAL:
            raise NotSupportedError(
                f'Parquet has no INTERVAL, which the column "{name}" is',
                hint="Write it as text, CAST(... AS VARCHAR), or take the format arrow.",
            )
