"""Parquet and Arrow IPC files as batches.

Owns: streaming them with bounded memory, and the check that several have one schema.
Comes in: paths; goes out: (schema, batches). Does not know: stored form, names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from eau2.config import LIMITS
from eau2.errors import InputFileError
from eau2.kv.ingest.position import Position
from eau2.kv.ingest.text import DAMAGE, check_readable, damaged

_IPC_MAGIC = b"ARROW1"
_FEATHER_1_MAGIC = b"FEA1"
_PARQUET_BUFFER_BYTES = 1 << 20
_PARQUET = (".parquet", ".pq")

Source = tuple[pa.Schema, Iterator[pa.RecordBatch]]


def open_parquet(paths: tuple[str, ...], position: Position | None = None) -> Source:
    """The rows of Parquet files of one schema. Raises InputFileError."""
    return _one_after_another(paths, "Parquet", _open_parquet, position)


def open_ipc(paths: tuple[str, ...], position: Position | None = None) -> Source:
    """The rows of Arrow IPC files and streams of one schema. Raises InputFileError."""
    return _one_after_another(paths, "Arrow", _open_ipc, position)


def _one_after_another(
    paths: tuple[str, ...],
    what: str,
    opener: Callable[[str], Source],
    position: Position | None,
) -> Source:
    schema, batches = _opened(paths[0], what, opener)
    for path in paths[1:]:
        other, _ = _opened(path, what, opener)
        if other.remove_metadata() != schema.remove_metadata():
            raise _differs(paths[0], schema, path, other)

    def rows() -> Iterator[pa.RecordBatch]:
        yield from _followed(paths[0], _guarded(paths[0], what, batches), position)
        for path in paths[1:]:
            opened = _guarded(path, what, _opened(path, what, opener)[1])
            yield from _followed(path, opened, position)

    return schema, rows()


def _followed(
    path: str, batches: Iterator[pa.RecordBatch], position: Position | None
) -> Iterator[pa.RecordBatch]:
    """The same rows; whoever asks is told how much of the file they are, as far as it says that."""
    if position is None:
        yield from batches
        return
    rows, whole = 0, pq.read_metadata(path).num_rows if path.lower().endswith(_PARQUET) else 0
    size = os.path.getsize(path)
    for batch in batches:
        rows += batch.num_rows
        if whole:
            position.at(size * rows / whole)
        yield batch
    position.end(path)


def _opened(path: str, what: str, opener: Callable[[str], Source]) -> Source:
    check_readable(path)
    try:
        return opener(path)
    except DAMAGE as error:
        raise damaged(path, what, error) from error


def _guarded(path: str, what: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except DAMAGE as error:
        raise damaged(path, what, error) from error


def _differs(first: str, schema: pa.Schema, path: str, other: pa.Schema) -> InputFileError:
    detail = "the columns are in another order"
    for name in [*schema.names, *other.names]:
        ours = schema.field(name).type if name in schema.names else "missing"
        theirs = other.field(name).type if name in other.names else "missing"
        if ours != theirs:
            detail = f'column "{name}" is {theirs} instead of {ours}'
            break
    return InputFileError(
        f"{path} has another schema than {first}: {detail}",
        hint="Files read together must have the same columns, types and order.",
    )


def _open_parquet(path: str) -> Source:
    # Without pre-buffering, and with a small buffer a column, only pages in use are in memory.
    file = pq.ParquetFile(path, pre_buffer=False, buffer_size=_PARQUET_BUFFER_BYTES)
    return file.schema_arrow, file.iter_batches(LIMITS.ingest_batch_rows)


def _open_ipc(path: str) -> Source:
    source = pa.memory_map(path)
    start = source.read(len(_IPC_MAGIC))
    source.seek(0)
    if start[: len(_FEATHER_1_MAGIC)] == _FEATHER_1_MAGIC:
        raise InputFileError(
            f"{path} is a Feather file of version 1", hint="Write it anew as an Arrow IPC file."
        )
    if start == _IPC_MAGIC:
        reader = pa.ipc.open_file(source)
        return reader.schema, (
            reader.get_batch(number) for number in range(reader.num_record_batches)
        )
    stream = pa.ipc.open_stream(source)
    return stream.schema, iter(stream)
