"""Parquet files read in place: a file, or a glob of them, as a frame whose chunks are row groups.

Owns: what a file's metadata says as schema, chunks and statistics, and reading columns of row
groups in stored form. Comes in: paths and chunk keys; goes out: Frames and rows.
Does not know: names, SQL, other formats.

A chunk is a run of row groups of about a million rows. Its key has the df_id
`parquet:<absolute path>:<mtime in ns>:<bytes>` and the number of its first row group, so a file
that changes is another frame, and whoever can open the path can read the chunk.
"""

from __future__ import annotations

import glob
import os
import sys
import threading
from collections import OrderedDict

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from eau2.catalog import (
    FILE_PREFIX,
    NOT_STORED,
    ChunkKey,
    ChunkRef,
    Frame,
    FrameSchema,
    merge_chunk_statistics,
)
from eau2.config import DEFAULT_CHUNK_ROWS, LIMITS
from eau2.errors import DataError, InputFileError, NotSupportedError
from eau2.kv.chunk import LOCAL
from eau2.kv.columns import Columns
from eau2.kv.encoding import check_calendar, chunked, frame_schema, stage_batches
from eau2.kv.parquet_statistics import run_statistics
from eau2.records import Record
from eau2.types import Kind

_OPEN_FILES = 64


class _File(Record, frozen=True):
    """An open Parquet file: its identity, schema, and where each run of row groups begins."""

    df_id: str
    path: str
    file: pq.ParquetFile
    schema: FrameSchema
    runs: dict[int, tuple[int, ...]]
    lock: threading.Lock


_files: OrderedDict[str, _File] = OrderedDict()
_files_lock = threading.Lock()


def expand(path: str) -> tuple[str, ...]:
    """The sorted files of a glob, or the path itself. Raises InputFileError when there is none."""
    if os.path.exists(path):
        return (path,)
    if not glob.has_magic(path):
        raise InputFileError(f"there is no file {path}", hint="Check the path.")
    found = tuple(sorted(name for name in glob.glob(path, recursive=True) if os.path.isfile(name)))
    if not found:
        raise InputFileError(f"no file matches {path}", hint="Check the pattern.")
    return found


def parquet_frame(path: str) -> Frame:
    """The Parquet file `path`, or all files of a glob in the order of their paths, as a frame.

    Raises InputFileError for a file that is missing, not Parquet, damaged, or of another schema
    than the first; NotSupportedError for a column type eau2 has not.
    """
    files = [_open(name, _df_id(name)) for name in expand(path)]
    first = files[0]
    for other in files[1:]:
        _check_same(first, other)
    chunks = tuple(ref for file in files for ref in _chunks(file))
    df_id = first.df_id
    if len(files) > 1:
        df_id = "files:" + xxhash.xxh3_128_hexdigest(
            "\n".join(file.df_id for file in files).encode()
        )
    merged = merge_chunk_statistics(chunks, len(first.schema.columns))
    return Frame(path, df_id, NOT_STORED, first.schema, chunks, merged)


def read(key: ChunkKey, columns: tuple[str, ...]) -> pa.Table:
    """Columns of a chunk in stored form. Raises InputFileError when the file has changed."""
    path = key.df_id[len(FILE_PREFIX) :].rsplit(":", 2)[0]
    if _df_id(path) != key.df_id:
        raise InputFileError(
            f"the file {path} has changed while it was being read", hint="Run it again."
        )
    file = _open(path, key.df_id)
    run = file.runs[key.number]
    if not columns:
        rows = sum(file.file.metadata.row_group(number).num_rows for number in run)
        return pa.table({"": pa.nulls(rows)}).select([])
    by_name = {column.name: column for column in file.schema.columns}
    schema = FrameSchema(tuple(by_name[name] for name in columns))
    try:
        with file.lock:
            # Small batches are converted while they are in the processor's cache.
            batches = file.file.iter_batches(
                LIMITS.ingest_batch_rows, row_groups=list(run), columns=list(columns)
            )
            with Columns() as work:
                chosen = (batch.select(columns) for batch in batches)
                staged = stage_batches(chosen, schema, work)
                (batch,) = chunked(staged, schema, sys.maxsize, work)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    _check_calendar(path, schema, batch)
    return pa.Table.from_batches([batch])


def _check_calendar(path: str, schema: FrameSchema, batch: pa.RecordBatch) -> None:
    """Refuse what cannot be computed with: nobody has looked at the values of a file before."""
    for column, array in zip(schema.columns, batch.columns, strict=True):
        bits = {Kind.DATE: pa.int32(), Kind.TIMESTAMP: pa.int64()}.get(column.type.kind)
        if bits is None:
            continue
        values = pl.Series(array.view(bits), dtype=pl.Int32 if bits == pa.int32() else pl.Int64)
        try:
            check_calendar(column, values.min(), values.max())  # type: ignore[arg-type]
        except DataError as error:
            raise InputFileError(f"{path}: {error.message}", hint=error.hint) from error


def _df_id(path: str) -> str:
    try:
        status = os.stat(path)
    except OSError as error:
        raise InputFileError(f"{path} cannot be read: {error.strerror}") from error
    return f"{FILE_PREFIX}{os.path.abspath(path)}:{status.st_mtime_ns}:{status.st_size}"


def _open(path: str, df_id: str) -> _File:
    with _files_lock:
        known = _files.get(df_id)
        if known is not None:
            _files.move_to_end(df_id)
            return known
    if os.path.isdir(path):
        raise InputFileError(
            f"{path} is a directory", hint=f"Name its files with a pattern: {path}/*.parquet"
        )
    if df_id.endswith(":0"):
        raise InputFileError(f"{path} is empty", hint="Check how it was written.")
    try:
        file = pq.ParquetFile(path, pre_buffer=False)
        schema = frame_schema(file.schema_arrow)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    except (DataError, NotSupportedError) as error:
        raise type(error)(f"{path}: {error.message}", hint=error.hint) from error
    opened = _File(df_id, path, file, schema, _runs(file.metadata), threading.Lock())
    with _files_lock:
        _files[df_id] = opened
        if len(_files) > _OPEN_FILES:
            _files.popitem(last=False)
    return opened


def _unreadable(path: str, error: Exception) -> InputFileError:
    reason = str(error).splitlines()[0].rstrip(".")
    return InputFileError(
        f"{path} cannot be read as Parquet: {reason}",
        hint="The file is damaged, cut short or of another format; get it again.",
    )


def _runs(metadata: pq.FileMetaData) -> dict[int, tuple[int, ...]]:
    """Row groups joined into runs of at most DEFAULT_CHUNK_ROWS rows, by their first one."""
    runs: dict[int, tuple[int, ...]] = {}
    start, rows = 0, 0
    for group in range(metadata.num_row_groups):
        count = metadata.row_group(group).num_rows
        if group > start and rows + count > DEFAULT_CHUNK_ROWS:
            runs[start] = tuple(range(start, group))
            start, rows = group, 0
        rows += count
    runs[start] = tuple(range(start, metadata.num_row_groups))
    return runs


def _chunks(file: _File) -> list[ChunkRef]:
    metadata = file.file.metadata

    def count_nulls(group: int, column: str) -> int:
        try:
            with file.lock:
                nulls: int = file.file.read_row_group(group, columns=[column])[0].null_count
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(file.path, error) from error
        return nulls

    refs = []
    for first, run in file.runs.items():
        groups = [metadata.row_group(number) for number in run]
        rows = sum(group.num_rows for group in groups)
        size = sum(group.total_byte_size for group in groups)
        statistics = run_statistics(metadata, run, file.schema, count_nulls)
        refs.append(ChunkRef(ChunkKey(file.df_id, first), rows, size, "", statistics, (LOCAL,)))
    return refs


def _check_same(first: _File, other: _File) -> None:
    if first.schema == other.schema:
        return
    ours = {column.name: str(column.type) for column in first.schema.columns}
    theirs = {column.name: str(column.type) for column in other.schema.columns}
    detail = "the columns are in another order"
    for name in [*ours, *theirs]:
        if ours.get(name) != theirs.get(name):
            detail = (
                f'column "{name}" is {theirs.get(name, "missing")}'
                f" instead of {ours.get(name, 'missing')}"
            )
            break
    raise InputFileError(
        f"{other.path} has another schema than {first.path}: {detail}",
        hint="Files read together must have the same columns, types and order.",
    )
