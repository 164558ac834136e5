"""Files and Arrow data as a schema and a stream of batches.

Owns: the choice of a reader by a file's ending, and several files read as one.
Comes in: paths, or anything that offers Arrow data; goes out: (schema, batches), read lazily with
bounded memory. Does not know: names, stores, SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from eau2.errors import InputFileError, UsageError
from eau2.kv.files import expand
from eau2.kv.ingest.arrow import open_ipc, open_parquet
from eau2.kv.ingest.csv import open_csv
from eau2.kv.ingest.ndjson import open_ndjson
from eau2.kv.ingest.position import Position
from eau2.kv.ingest.sor import open_sor
from eau2.records import Record

Source = tuple[pa.Schema, Iterator[pa.RecordBatch]]
"""The schema of the rows, and the rows in order."""


class Opened(Record, frozen=True):
    """Rows that are being read already. Errors of theirs stay what they are."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


_READERS: dict[str, Callable[[tuple[str, ...], Position | None], Source]] = {
    "parquet": open_parquet,
    "arrow": open_ipc,
    "csv": open_csv,
    "ndjson": open_ndjson,
    "sor": open_sor,
}

_ENDINGS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".ipc": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".csv": "csv",
    ".tsv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
    ".sor": "sor",
}
_TEXT = frozenset({"csv", "ndjson", "sor"})


def format_of(path: str) -> str:
    """The format that a path (or glob) ends in: a key of the readers. Raises InputFileError."""
    lowered = path.lower()
    packed = lowered.endswith(".gz")
    if packed:
        lowered = lowered[:-3]
    dot = lowered.rfind(".")
    found = _ENDINGS.get(lowered[dot:]) if dot >= 0 else None
    if found is None or (packed and found not in _TEXT):
        endings = " ".join(_ENDINGS)
        raise InputFileError(
            f"the format of {path} is not known by its ending",
            hint=f"Readable are {endings}, and the text ones with .gz behind.",
        )
    return found


def open_files(paths: Sequence[str], position: Position | None = None) -> Source:
    """All rows of `paths` (each a file or a glob) in order. They must be of one format and schema.

    position: is told how far they are read.
    Raises InputFileError; so may the batches while they are read.
    """
    if not paths:
        raise UsageError("no file was named")
    formats = {format_of(path) for path in paths}
    if len(formats) > 1:
        raise InputFileError(
            f"files of several formats cannot be read together ({', '.join(sorted(formats))})",
            hint="Load them under separate names.",
        )
    files = tuple(name for path in paths for name in expand(path))
    return _READERS[formats.pop()](files, position)


def from_arrow(data: object) -> Source:
    """A pyarrow Table, RecordBatch, reader, or anything with `__arrow_c_stream__`, or an Opened.

    Raises UsageError for anything else.
    """
    if isinstance(data, Opened):
        return data.schema, data.batches
    if isinstance(data, pa.RecordBatch):
        return data.schema, iter([data])
    if isinstance(data, pa.Table):
        return data.schema, iter(data.to_batches())
    if isinstance(data, pa.RecordBatchReader):
        return data.schema, iter(data)
    if hasattr(data, "__arrow_c_stream__"):
        reader = pa.RecordBatchReader.from_stream(data)
        return reader.schema, iter(reader)
    raise UsageError(
        f"{type(data).__name__} is not tabular data",
        hint="Hand in a path, a pyarrow Table or reader, or anything with __arrow_c_stream__.",
    )
