"""What the command line and the shell print: results, the list of frames, what a frame holds.

Owns: how a result leaves the process, and the two overviews as tables. Comes in: a connection or
its results. Goes out: bytes to a sink. Does not know: options, prompts, how a table is drawn.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple, Protocol

import pyarrow as pa

from eau2.catalog import Frame
from eau2.connection import Connection
from eau2.errors import UnknownNameError
from eau2.render import rendered
from eau2.sink import BINARY, Screen, Writable
from eau2.sql.split import is_explain as is_explain
from eau2.types import BIGINT, VARCHAR, SqlType, logical_arrow


class Shown(Protocol):
    """What can be printed: a Result, or an overview."""

    @property
    def types(self) -> tuple[SqlType, ...]:
        """The column types."""

    def to_arrow(self) -> pa.Table:
        """The rows."""


class Overview(NamedTuple):
    """A table made here and not by a query."""

    types: tuple[SqlType, ...]
    table: pa.Table

    def to_arrow(self) -> pa.Table:
        """The rows."""
        return self.table


def write(shown: Shown, form: str, sink: BinaryIO, width: int | None = None) -> None:
    """Write `shown` to `sink` in the format called `form`; nothing when it has no columns.

    width: how many columns a box may take, None for any number. Files and pipes get exactly the
    format; at a terminal, characters that would steer it are escapes.
    """
    to: Writable = Screen(sink) if sink.isatty() and form not in BINARY else sink
    for piece in rendered(form, [shown.to_arrow()], shown.types, width):
        to.write(piece)


def write_lines(shown: Shown, sink: BinaryIO) -> None:
    """Write the first column as plain lines: a plan is read whole, so no box may cut it."""
    write(shown, "lines", sink)


def terminal_width() -> int | None:
    """The terminal's width; None when stdout goes elsewhere, where no column may be cut."""
    return os.get_terminal_size().columns or None if sys.stdout.isatty() else None


def frames(connection: Connection) -> Overview:
    """One row for each frame: its name, rows, columns, chunks and bytes; of a view its name."""
    names = connection.tables()
    found = [_frame(connection, name) for name in names]
    return _overview(
        ("name", VARCHAR, names),
        ("rows", BIGINT, [frame and frame.rows for frame in found]),
        ("columns", BIGINT, [frame and len(frame.schema.columns) for frame in found]),
        ("chunks", BIGINT, [frame and len(frame.chunks) for frame in found]),
        (
            "bytes",
            BIGINT,
            [frame and sum(chunk.bytes for chunk in frame.chunks) for frame in found],
        ),
    )


def _frame(connection: Connection, name: str) -> Frame | None:
    try:
        return connection.describe(name)
    except UnknownNameError:
        return None


def columns(connection: Connection, name: str) -> Overview:
    """One row for each column: its name, type, NULLs and distinct values, about; of a view no more.

    Raises UnknownNameError.
    """
    try:
        frame = connection.describe(name)
    except UnknownNameError:
        if name.casefold() not in map(str.casefold, connection.tables()):
            raise
        return _view_columns(connection, name)
    sketches = [statistics.distinct for statistics in frame.statistics]
    return _overview(
        ("column_name", VARCHAR, [column.name for column in frame.schema.columns]),
        ("column_type", VARCHAR, [str(column.type) for column in frame.schema.columns]),
        ("nulls", BIGINT, [statistics.null_count for statistics in frame.statistics]),
        ("about_distinct", BIGINT, [sketch and sketch.estimate() for sketch in sketches]),
    )


def _view_columns(connection: Connection, name: str) -> Overview:
    """The columns of a view, as those of a frame are listed: of its rows nothing is known."""
    quoted = name.replace('"', '""')
    rows = connection.sql(f'DESCRIBE "{quoted}"').fetchall()
    unknown = [None] * len(rows)
    return _overview(
        ("column_name", VARCHAR, [row[0] for row in rows]),
        ("column_type", VARCHAR, [row[1] for row in rows]),
        ("nulls", BIGINT, unknown),
        ("about_distinct", BIGINT, unknown),
    )


def _overview(*described: tuple[str, SqlType, Sequence[object]]) -> Overview:
    arrays = [pa.array(values, logical_arrow(type_)) for _, type_, values in described]
    table = pa.Table.from_arrays(arrays, names=[name for name, _, _ in described])
    return Overview(tuple(type_ for _, type_, _ in described), table)
