"""Rows as payloads: Arrow IPC streams, written without copying and read with distrust.

Owns: tables and kernel frames as buffers to send, and back; cutting rows into payloads of a fit
size; the checks of a stream that somebody else wrote. Comes in: Arrow tables, DataFrames, payload
bytes; goes out: the same. Does not know: messages, sockets, what the columns mean.

A payload is one Arrow IPC stream (the schema, then record batches), neither compressed nor
dictionary-encoded. Before Arrow reads it, its own framing is walked here: Arrow believes a declared
row count and decompresses as it reads, and a few hundred bytes can declare 2**40 rows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import polars as pl
import pyarrow as pa

from eau2.config import LIMITS
from eau2.errors import ProtocolError
from eau2.net.frame import Buffer
from eau2.operators.forms import strings
from eau2.operators.physical import arrow_lists, holds_wide, inner_of
from eau2.sink import Sink
from eau2.types import Kind, is_arrow_list, logical_arrow, stored_arrow
from eau2.types import SqlType as _SqlType

Payload = tuple[int, list[Buffer]]
"""A number of rows, and the buffers that hold them."""

BATCH_ROWS_MAX = 4 << 20
"""Rows a record batch may declare."""
PART_BYTES = 4 << 20
"""The aim for the size of one payload of many: a quarter of a stream's window."""
_COLUMNS_MAX = 4096
_BATCHES_MAX = 4096
_COALESCED_BYTES = 4096
"""Smaller buffers are joined: each buffer sent costs the kernel a look."""

_WITHOUT_ARROW = (Kind.DECIMAL, Kind.LIST)
"""Kinds that alone say no Arrow type; lists are looked into."""
_PLAIN_TYPES = frozenset(
    {logical_arrow(_SqlType(kind)) for kind in Kind if kind not in _WITHOUT_ARROW}
    | {stored_arrow(_SqlType(kind)) for kind in Kind if kind not in _WITHOUT_ARROW}
    | {pa.large_string()}
)
_FOREIGN_TYPES = frozenset(
    {pa.null(), pa.float16(), pa.date64()}
    | {pa.time32("s"), pa.time32("ms"), pa.time64("ns")}
    | {of(unit) for of in (pa.timestamp, pa.duration) for unit in ("s", "ms", "us", "ns")}
)
"""What data of users may also have; nodes never write these."""
_NULL_CELLS_MAX = BATCH_ROWS_MAX
"""Cells of a payload in columns that are only NULL: no bytes are sent for them that bound them."""
_NULL_BYTES = 4
_WIDE = pa.decimal128(38, 0)
"""The wire's form of a 128-bit integer: its bits. A kernel column is never a true decimal."""


class _Parts(Sink):
    """Where Arrow writes a stream: large buffers are kept as they are, small ones joined."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[Buffer] = []
        self._small = bytearray()

    def take(self, view: memoryview) -> None:
        if len(view) < _COALESCED_BYTES:
            self._small += view
        else:
            self.cut()
            self.parts.append(view)

    def cut(self) -> None:
        """What is joined so far becomes a part."""
        if self._small:
            self.parts.append(self._small)
            self._small = bytearray()


def encode_table(table: pa.Table | pa.RecordBatch) -> list[Buffer]:
    """The rows as the buffers of one payload; the columns' memory is not copied.

    A batch of more than BATCH_ROWS_MAX rows is cut. The caller keeps the size in mind: `parts`
    gives tables that fit.
    """
    sink = _Parts()
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), table.schema) as writer:
        writer.write(table) if isinstance(table, pa.RecordBatch) else writer.write_table(
            table, max_chunksize=BATCH_ROWS_MAX
        )
    sink.cut()
    return sink.parts


def encode_frame(frame: pl.DataFrame) -> list[Buffer]:
    """A frame in kernel form as the buffers of one payload."""
    return encode_table(kernel_table(frame))


def payloads(frame: pl.DataFrame) -> Iterator[Payload]:
    """A frame in kernel form as payloads of a fit size; one at least."""
    for part in parts(kernel_table(frame)):
        yield part.num_rows, encode_table(part)


def kernel_table(frame: pl.DataFrame) -> pa.Table:
    """A frame in kernel form as an Arrow table: strings compact, 128-bit integers as bits.

    Coded columns travel as strings: a payload has no dictionary.
    """
    coded = [n for n, dtype in frame.schema.items() if isinstance(dtype, pl.Enum)]
    if coded:
        frame = frame.with_columns(strings(frame.get_column(name)) for name in coded)
    wide = [n for n, dtype in frame.schema.items() if dtype == pl.Int128() or holds_wide(dtype)]
    if not wide:
        return frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    arrays = []
    for series in frame.get_columns():
        if series.name in wide:
            arrays.append(_wide_array(series))
        else:
            arrays.append(series.to_arrow(compat_level=pl.CompatLevel.oldest()))
    return pa.Table.from_arrays(arrays, names=frame.columns)


def parts(table: pa.Table, part_bytes: int = PART_BYTES) -> Iterator[pa.Table]:
    """The table cut into runs of rows of about `part_bytes` each; one at least.

    A run's strings are its own: a slice of string views would send the whole frame's bytes.
    """
    rows = table.num_rows
    nulls = sum(pa.types.is_null(field.type) for field in table.schema)
    size = table.nbytes + _NULL_BYTES * rows * nulls
    if size <= part_bytes and rows <= BATCH_ROWS_MAX:
        yield table
        return
    per_part = min(BATCH_ROWS_MAX, max(1, rows * part_bytes // max(1, size)))
    views = [i for i, f in enumerate(table.schema) if pa.types.is_string_view(f.type)]
    for start in range(0, rows, per_part):
        part = table.slice(start, per_part)
        for index in views:
            strings = part.column(index).cast(pa.large_string())
            part = part.set_column(index, table.schema.field(index).name, strings)
        yield part


def decode_table(payload: Buffer, trusted: bool) -> pa.Table:
    """The table in a payload, whose memory it shares. Raises ProtocolError.

    trusted: a node wrote it, so its structure alone is checked; otherwise every value is, and it
    may have the further types that users' data has.
    """
    try:
        declared = _walk(memoryview(payload))
        with pa.ipc.open_stream(pa.BufferReader(pa.py_buffer(payload))) as reader:
            _check_schema(reader.schema, trusted)
            nulls = sum(pa.types.is_null(field.type) for field in reader.schema)
            if nulls * declared > _NULL_CELLS_MAX:
                raise ProtocolError(f"{nulls} columns of {declared} rows without any value")
            batches = []
            for batch in reader:
                if batch.num_rows > BATCH_ROWS_MAX:
                    raise ProtocolError(f"a batch of {batch.num_rows} rows")
                batch.validate(full=not trusted)
                batches.append(batch)
            return pa.Table.from_batches(batches, reader.schema)
    except ProtocolError:
        raise
    except Exception as error:
        # Arrow's own exceptions are not all: a value's conversion raises what it likes.
        raise ProtocolError(f"rows that Arrow cannot read: {str(error)[:200]}") from error


def decode_frame(payload: Buffer, trusted: bool = True) -> pl.DataFrame:
    """The frame in kernel form that `encode_frame` made into `payload`. Raises ProtocolError."""
    table = decode_table(payload, trusted)
    try:
        frame = pl.from_arrow(table, rechunk=False)
        assert isinstance(frame, pl.DataFrame)
        return frame.with_columns(
            _widened(pl.col(name), dtype)
            for name, dtype in frame.schema.items()
            if isinstance(dtype, pl.Decimal | pl.List)
        )
    except Exception as error:
        raise ProtocolError(f"rows that are no frame: {str(error)[:200]}") from error


def _widened(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """128-bit integers as they were, also those in lists."""
    if isinstance(dtype, pl.List):
        return value.list.eval(_widened(pl.element(), inner_of(dtype)))
    return value.reinterpret(dtype=pl.Int128) if isinstance(dtype, pl.Decimal) else value


def _wide_array(series: pl.Series) -> pa.Array:
    """128-bit integers as decimal128(38, 0) of the same bits, also those of 39 digits.

    In lists too, whose elements are converted together.
    """
    if isinstance(series.dtype, pl.List):
        return arrow_lists(series, _wide_array)
    try:
        return series.reinterpret(dtype=pl.Decimal(38, 0)).to_arrow()
    except pl.exceptions.ComputeError:
        halves = series.to_frame("x").select(_halves(pl.col("x").fill_null(0)).alias("x"))
        bits = _unsliced(halves.get_column("x").to_arrow().flatten())
        valid = _unsliced(series.is_not_null().to_arrow())
        return pa.Array.from_buffers(_WIDE, len(series), [valid.buffers()[1], bits.buffers()[1]])


def _unsliced(array: pa.Array) -> pa.Array:
    """The values in buffers of their own: a slice's buffers begin before its first value."""
    return pa.concat_arrays([array, array.slice(0, 0)])


def _halves(wide: pl.Expr) -> pl.Expr:
    """The low and the high 64 bits, side by side as they lie in memory."""
    low = (wide & pl.lit((1 << 64) - 1, pl.Int128)).cast(pl.UInt64).reinterpret(signed=True)
    high = wide.floordiv(pl.lit(1 << 64, pl.Int128)).cast(pl.Int64)
    return pl.concat_arr(low, high)


def _check_schema(schema: pa.Schema, trusted: bool) -> None:
    if len(schema) > _COLUMNS_MAX:
        raise ProtocolError(f"rows of {len(schema)} columns; at most {_COLUMNS_MAX} are allowed")
    for field in schema:
        type_, levels = field.type, 0
        while is_arrow_list(type_) and levels < LIMITS.list_levels:
            type_, levels = type_.value_type, levels + 1
        allowed = type_ in _PLAIN_TYPES or pa.types.is_decimal128(type_)
        if not trusted and not allowed:
            allowed = type_ in _FOREIGN_TYPES or pa.types.is_decimal(type_)
            # Nothing but its own word would bound how many elements a list of NULLs has.
            allowed = allowed and not (levels and pa.types.is_null(type_))
        if not allowed:
            raise ProtocolError(f"a column of the type {str(field.type)[:100]}, which eau2 has not")


_SCHEMA, _RECORD_BATCH = 1, 3
"""MessageHeader of Arrow's Message.fbs; DictionaryBatch is 2, tensors are 4 and 5."""


def _walk(payload: memoryview) -> int:
    """Check the framing of an IPC stream: sizes, kinds of messages, row counts, compression.

    Gives how many rows its batches declare.
    """
    position, messages, rows, ended = 0, 0, 0, False
    while position < len(payload):
        marker, size = struct.unpack_from("<Ii", payload, position)
        position += 8
        if marker != 0xFFFFFFFF or size < 0 or size > len(payload) - position:
            raise ProtocolError("rows whose framing is not that of an Arrow stream")
        if size == 0:
            ended = True
            break
        kind, header, body = _message(payload[position : position + size])
        if kind != (_RECORD_BATCH if messages else _SCHEMA):
            raise ProtocolError(f"rows with an Arrow message of kind {kind} in place {messages}")
        if kind == _RECORD_BATCH:
            rows += _check_batch(payload[position : position + size], header)
        messages += 1
        position += size
        if not 0 <= body <= len(payload) - position or messages > _BATCHES_MAX:
            raise ProtocolError("rows that are longer than their payload, or in too many batches")
        position += body
    if not messages or not ended or position != len(payload):
        raise ProtocolError("rows that end before or after their payload")
    return rows


def _message(metadata: memoryview) -> tuple[int, int, int]:
    """Kind, place of the header table, and bytes of the body, from a Message flatbuffer."""
    root = struct.unpack_from("<I", metadata)[0]
    kind = _field(metadata, root, 1, "<B", 0)
    place = _place(metadata, root, 2)
    body = _field(metadata, root, 3, "<q", 0)
    if not place:
        raise ProtocolError("rows with an empty Arrow message")
    return kind, place + int(struct.unpack_from("<I", metadata, place)[0]), body


def _check_batch(metadata: memoryview, table: int) -> int:
    rows = _field(metadata, table, 0, "<q", 0)
    if not 0 <= rows <= BATCH_ROWS_MAX:
        raise ProtocolError(f"a batch of {rows} rows; at most {BATCH_ROWS_MAX} are allowed")
    if _place(metadata, table, 3):
        raise ProtocolError("rows in compressed buffers, which are not accepted")
    return rows


def _field(metadata: memoryview, table: int, index: int, form: str, default: int) -> int:
    place = _place(metadata, table, index)
    return int(struct.unpack_from(form, metadata, place)[0]) if place else default


def _place(metadata: memoryview, table: int, index: int) -> int:
    """Where field `index` of a flatbuffer table lies; 0 when it is absent.

    Source: the FlatBuffers binary format ("Internals"). struct raises for what lies outside, and
    negative places, which it would count from the end, are refused here.
    """
    vtable = table - int(struct.unpack_from("<i", metadata, table)[0])
    if vtable < 0:
        raise ProtocolError("rows whose framing is not that of an Arrow stream")
    slot = 4 + 2 * index
    if slot >= int(struct.unpack_from("<H", metadata, vtable)[0]):
        return 0
    offset = int(struct.unpack_from("<H", metadata, vtable + slot)[0])
    return table + offset if offset else 0
