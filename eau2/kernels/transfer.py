"""Kernel frames and stored tables as Arrow IPC streams, exact and without copies where they allow.

Owns: the form in which rows pass between processes. Comes in: a DataFrame in kernel form, or an
Arrow table; goes out: buffers to write one after another, and the reverse: rows whose memory is
the buffer that was read. Does not know: sockets, files, fragments.

Arrow has no 128-bit integer, so Int128 travels as decimal128(38, 0), whose memory is the same; a
kernel frame holds no other decimals. Values of 39 digits, which a decimal refuses, make their
column travel as text under a mark; so do all that lie in lists. Strings travel as views, whose
buffers are not copied, unless these hold much more than the rows use: a filtered frame still refers
to all the text it was taken from, and each of its chunks would carry that along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import polars as pl
import pyarrow as pa

from eau2.errors import InternalError
from eau2.operators.forms import strings
from eau2.operators.physical import holds_wide, inner_of
from eau2.sink import Sink

Buffer = bytes | bytearray | memoryview

_WIDE = pl.Decimal(38, 0)
_MARK = {b"eau2": b"int128"}
_SLACK_BYTES = 1 << 16
"""Unused text up to this size is not worth looking for."""
_BYTES_PER_VIEW = 16
_CHUNK_ROWS = 1 << 16
"""Chunks that are smaller on average are joined: each costs its reader some microseconds."""


def to_ipc(frame: pl.DataFrame) -> list[Buffer]:
    """The frame as the buffers of one Arrow IPC stream."""
    if frame.n_chunks() > max(1, frame.height // _CHUNK_ROWS):
        frame = frame.rechunk()
    arrays, fields = [], []
    for series in frame.get_columns():
        array, field = _exported(strings(series) if isinstance(series.dtype, pl.Enum) else series)
        arrays.append(array)
        fields.append(field)
    return table_to_ipc(pa.Table.from_arrays(arrays, schema=pa.schema(fields)))


def from_ipc(buffer: object) -> pl.DataFrame:
    """The frame in a buffer that `to_ipc` filled; it keeps the buffer alive.

    buffer: anything with the buffer protocol. Raises InternalError for bytes that are no stream.
    """
    table = table_from_ipc(buffer)
    frame = pl.from_arrow(table, rechunk=False)
    assert isinstance(frame, pl.DataFrame)
    columns = [
        _imported(series, field)
        for series, field in zip(frame.get_columns(), table.schema, strict=True)
    ]
    return pl.DataFrame(columns)


def table_to_ipc(table: pa.Table) -> list[Buffer]:
    """An Arrow table as the buffers of one Arrow IPC stream."""
    sink = _Collected()
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), table.schema) as writer:
        writer.write_table(table)
    return sink.buffers


def table_from_ipc(buffer: object) -> pa.Table:
    """The table in a buffer that `table_to_ipc` filled; it keeps the buffer alive.

    Raises InternalError for bytes that are no stream.
    """
    try:
        with pa.ipc.open_stream(pa.py_buffer(buffer)) as reader:
            return reader.read_all()
    except (pa.ArrowException, OSError) as error:
        raise InternalError(f"rows that are no Arrow stream: {error}") from error


def size_of(buffers: Sequence[Buffer]) -> int:
    """The bytes of all buffers together."""
    return sum(len(buffer) for buffer in buffers)


class _Collected(Sink):
    """Keeps the buffers that Arrow writes instead of copying them."""

    def __init__(self) -> None:
        super().__init__()
        self.buffers: list[Buffer] = []

    def take(self, view: memoryview) -> None:
        self.buffers.append(view.obj if isinstance(view.obj, bytes) else view)


def _exported(series: pl.Series) -> tuple[pa.ChunkedArray, pa.Field]:
    """A column as Arrow, and its field."""
    mark = None
    if series.dtype == pl.Int128():
        try:
            series = series.reinterpret(dtype=_WIDE)
        except pl.exceptions.ComputeError:
            series, mark = series.cast(pl.String), _MARK
    elif holds_wide(series.dtype):
        text = _with_text(series.dtype)
        series, mark = series.cast(text), _MARK
    column = _arrow(series, pl.CompatLevel.newest())
    if series.dtype == pl.String() and _is_loose(series, column):
        column = _arrow(series, pl.CompatLevel.oldest())
    return column, pa.field(series.name, column.type, metadata=mark)


def _arrow(series: pl.Series, level: pl.CompatLevel) -> pa.ChunkedArray:
    return series.to_frame().to_arrow(compat_level=level).column(0)


def _is_loose(series: pl.Series, column: pa.ChunkedArray) -> bool:
    """Whether the text buffers hold much that no row uses. Buffers count once for each chunk."""
    held = sum(
        text.size for chunk in column.chunks for text in chunk.buffers()[2:] if text is not None
    )
    if held <= _SLACK_BYTES + _BYTES_PER_VIEW * len(series):
        return False
    used = cast(int, series.str.len_bytes().sum())
    return bool(held > _SLACK_BYTES + 2 * used)


def _with_text(dtype: pl.DataType) -> pl.DataType:
    """The same lists with text in place of what is in the innermost of them."""
    return pl.List(_with_text(inner_of(dtype))) if isinstance(dtype, pl.List) else pl.String()


def _with_wide(dtype: pl.DataType) -> pl.DataType:
    return pl.List(_with_wide(inner_of(dtype))) if isinstance(dtype, pl.List) else pl.Int128()


def _imported(series: pl.Series, field: pa.Field) -> pl.Series:
    if isinstance(series.dtype, pl.Decimal):
        return series.reinterpret(dtype=pl.Int128)
    if field.metadata == _MARK:
        return series.cast(_with_wide(series.dtype))
    return series
