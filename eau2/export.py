"""`eau2 export`: the rows of a frame or view as a file.

Owns: which format a file's ending means, and that the file is there whole or not at all. Comes in:
a connection, a name, a path; goes out: the file. Does not know: options, where the rows come from.
Of the rows a few batches are held at a time.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import pyarrow as pa

from eau2.connection import Connection
from eau2.errors import NotSupportedError, UsageError
from eau2.kv.chunk import disk_error
from eau2.render import rendered
from eau2.types import from_arrow

_FORMS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".arrow": "file",
    ".feather": "file",
    ".arrows": "stream",
}
"""What the endings mean; "file" and "stream" are the two forms of Arrow IPC."""


def check(path: str, *, force: bool) -> None:
    """Refuse what cannot be written before anything is computed. Raises UsageError."""
    if _ending(path) not in _FORMS:
        raise UsageError(
            f"the format of {path} is not known by its ending",
            hint=f"Endings are {', '.join(_FORMS)}.",
        )
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise UsageError(f"there is no folder {folder}", hint="Make it first: mkdir -p.")
    if os.path.isdir(path):
        raise UsageError(f"{path} is a folder", hint="Give the file in it a name.")
    if os.path.lexists(path) and not force:
        raise UsageError(f"{path} exists already", hint="To overwrite it: --force.")


def export(connection: Connection, name: str, path: str) -> int:
    """Write the rows of `name` to `path`, in place of what is there; how many there are.

    The file comes to its name when it is whole and durable. Raises what the query raises,
    DiskFullError, OperationalError; then no file is left.
    """
    quoted = name.replace('"', '""')
    temporary = f"{path}.{uuid.uuid4().hex[:8]}.tmp"
    with connection.stream(f'SELECT * FROM "{quoted}"') as batches:
        counted = _Counted(batches.schema, batches)
        try:
            with open(temporary, "xb") as file:
                _write(_FORMS[_ending(path)], counted, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except pa.ArrowNotImplementedError as error:
            _remove(temporary)
            raise NotSupportedError(
                f'"{name}" has a type that this format has not: {error}',
                hint="Take .arrow, or export a view that casts the column to VARCHAR.",
            ) from error
        except OSError as error:
            _remove(temporary)
            raise disk_error(error, f"writing {path}") from error
        except BaseException:
            _remove(temporary)
            raise
    return counted.rows


class _Counted:
    """Batches of one schema as tables, and how many rows have passed."""

    def __init__(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        self.schema = schema
        self.rows = 0
        self._batches = batches

    def __iter__(self) -> Iterator[pa.Table]:
        """One table at least, so that a file without rows has its columns."""
        yield self.schema.empty_table()
        for batch in self._batches:
            self.rows += batch.num_rows
            yield pa.Table.from_batches([batch], self.schema)


def _ending(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _write(form: str, tables: _Counted, file: BinaryIO) -> None:
    match form:
        case "file":
            with pa.ipc.new_file(file, tables.schema) as arrow:
                for table in tables:
                    arrow.write_table(table)
        case "stream":
            with pa.ipc.new_stream(file, tables.schema) as arrow:
                for table in tables:
                    arrow.write_table(table)
        case _:
            types = [from_arrow(field.type, field.name) for field in tables.schema]
            for piece in rendered(form, tables, types):
                file.write(piece)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
