"""User data to stored form: which Arrow array a chunk holds for a column of each SQL type.

Owns: the schema of handed-in data, and the conversion of its batches in two steps. *Staging*
turns each small batch into compact arrays that are cheap to slice (strings have offsets);
*finishing* joins the staged pieces of one chunk into one array a column in stored form.
Does not know: files, names, SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from eau2.catalog import ColumnSchema, FrameSchema, Plain
from eau2.config import LIMITS
from eau2.errors import DataError
from eau2.kv.columns import Columns
from eau2.operators import interval_form
from eau2.types import Kind, SqlType, from_arrow, stored_arrow

_INLINE_BYTES = 12
"""A string view of up to this many bytes holds the string itself."""

_VIEW_BUFFER_BYTES = 1 << 30
"""Strings are joined in runs of at most this size: a view's offset has 32 bits."""

_DAYS = (-96_465_292, 95_026_236)
_DAY_US = 86_400_000_000
_CALENDAR = {
    Kind.DATE: _DAYS,
    Kind.TIMESTAMP: (_DAYS[0] * _DAY_US, (_DAYS[1] + 1) * _DAY_US - 1),
}
"""From the year -262143 to 262142: beyond them Polars has no calendar. As stored values."""


def check_calendar(column: ColumnSchema, low: Plain | None, high: Plain | None) -> None:
    """Refuse dates and timestamps that cannot be computed with, given a column's stored bounds.

    None: there are no values. Raises DataError.
    """
    bounds = _CALENDAR.get(column.type.kind)
    if bounds is None or low is None or high is None:
        return
    if not (bounds[0] <= int(low) and int(high) <= bounds[1]):
        raise DataError(
            f'column "{column.name}": a {column.type} outside of the years -262143 to 262142',
            hint="Infinite and farther dates are not supported; make them NULL, for example.",
        )


def schema_of(schema: pa.Schema | FrameSchema) -> FrameSchema:
    """The frame schema of data whose schema is given in either form. Raises as frame_schema."""
    return schema if isinstance(schema, FrameSchema) else frame_schema(schema)


def frame_schema(schema: pa.Schema) -> FrameSchema:
    """The frame schema of data with the Arrow schema `schema`.

    Raises NotSupportedError for a type eau2 has not, DataError when there are no columns or two
    of the same name (letter case ignored).
    """
    if len(schema) == 0:
        raise DataError("the data has no columns", hint="A frame needs at least one column.")
    _refuse_duplicates(schema)
    return FrameSchema(
        tuple(ColumnSchema(field.name, from_arrow(field.type, field.name)) for field in schema)
    )


def _refuse_duplicates(schema: pa.Schema) -> None:
    seen: dict[str, str] = {}
    for field in schema:
        folded = field.name.casefold()
        if folded in seen:
            raise DataError(
                f'two columns are called "{seen[folded]}" and "{field.name}"',
                hint="Column names must differ by more than letter case; rename one of them.",
            )
        seen[folded] = field.name


def stored_schema(schema: FrameSchema) -> pa.Schema:
    """The Arrow schema of the frame's chunks."""
    return pa.schema([(column.name, stored_arrow(column.type)) for column in schema.columns])


def stage_batches(
    batches: Iterable[pa.RecordBatch], schema: FrameSchema, work: Columns
) -> Iterator[tuple[pa.Array, ...]]:
    """Each batch as staged columns, in pieces of at most LIMITS.ingest_batch_rows rows."""
    for batch in batches:
        if batch.num_columns != len(schema.columns):
            raise DataError(
                f"a batch has {batch.num_columns} columns instead of {len(schema.columns)}"
            )
        for start in range(0, batch.num_rows, LIMITS.ingest_batch_rows):
            piece = batch.slice(start, LIMITS.ingest_batch_rows)
            yield tuple(work.map(piece.num_rows, stage, piece.columns, schema.columns))


def stage(array: pa.Array, column: ColumnSchema) -> pa.Array:
    """A column of a batch as stored values, except that strings are `string` arrays.

    Raises DataError naming the column when a value does not fit (a timestamp out of range).
    """
    try:
        if column.type.is_list:
            return _stage_lists(array, column)
        if column.type.kind is Kind.VARCHAR:
            return _stage_strings(array)
        if column.type.is_decimal:
            return _stage_decimals(array, column.type)
        if pa.types.is_dictionary(array.type):
            array = array.cast(array.type.value_type)
            return stage(array, column)
        if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
            return _floored(array)
        target = stored_arrow(column.type)
        if column.type.kind is Kind.TIME and array.type != target:
            return _times(array)
        if column.type.kind is Kind.INTERVAL and array.type != target:
            return interval_form.stored_from_arrow(array, target)
        return array if array.type == target else array.cast(target)
    except pa.ArrowException as error:
        raise DataError(f'column "{column.name}": {error}') from error


def _stage_lists(array: pa.Array, column: ColumnSchema) -> pa.Array:
    """Lists whose elements are staged by themselves, all in one column."""
    assert column.type.element is not None
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    large = pa.large_list(array.type.value_type)
    lists = array if array.type == large else array.cast(large)
    element = ColumnSchema(column.name, column.type.element)
    elements = lists.flatten()
    # Arrow writes the end of a longer column, as which no elements may come, wrongly.
    values = stage(elements if len(elements) else pa.array([], elements.type), element)
    if element.type.is_temporal and len(values) > values.null_count:
        bits = pl.Series(values.view(pa.int32() if pa.types.is_date(values.type) else pa.int64()))
        check_calendar(element, bits.min(), bits.max())  # type: ignore[arg-type]
    if element.type.kind is Kind.VARCHAR:
        values = values.cast(pa.large_string())
    lengths = pl.Series(pc.fill_null(pc.list_value_length(lists), 0), dtype=pl.Int64)
    offsets = pl.concat([pl.Series([0], dtype=pl.Int64), lengths.cum_sum()]).to_arrow()
    missing = lists.is_null() if lists.null_count else None
    staged = pa.LargeListArray.from_arrays(offsets, values, mask=missing)
    return staged.cast(stored_arrow(column.type))


def _floored(nanoseconds: pa.Array) -> pa.Array:
    """Timestamps in whole microseconds, rounded down, as DuckDB reads them."""
    counts = pl.Series(nanoseconds.view(pa.int64())) // 1000
    return counts.to_arrow().cast(pa.int64()).view(pa.timestamp("us"))


def _times(array: pa.Array) -> pa.Array:
    """Times of day as microseconds, rounded down."""
    if array.type.unit == "ns":
        return (pl.Series(array.view(pa.int64()), dtype=pl.Int64) // 1000).to_arrow()
    return array.cast(pa.time64("us")).view(pa.int64())


def _stage_strings(array: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_large_string(array.type):
        array = array.cast(pa.string_view())
    return array if pa.types.is_string(array.type) else array.cast(pa.string())


def _stage_decimals(array: pa.Array, type_: SqlType) -> pa.Array:
    """Unscaled values: int64, or decimal128(38, 0) for wide ones, without any arithmetic.

    A decimal128 of scale s holds the scaled integer, so the same buffers read with scale zero are
    the unscaled values, and the cast to int64 only narrows.
    """
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if not pa.types.is_decimal128(array.type):
        array = array.cast(pa.decimal128(type_.precision, type_.scale))
    unscaled = pa.Array.from_buffers(
        pa.decimal128(38, 0), len(array), array.buffers(), array.null_count, array.offset
    )
    return unscaled if type_.is_wide else unscaled.cast(pa.int64())


def finish(pieces: list[pa.Array], type_: SqlType) -> pa.Array:
    """The staged pieces of one column as one stored array, which holds no bytes but its own."""
    if type_.kind is Kind.VARCHAR:
        return _string_view(pieces)
    if not pieces:
        return pa.array([], stored_arrow(type_))
    return pieces[0] if len(pieces) == 1 else pa.concat_arrays(pieces)


def _string_view(pieces: list[pa.Array]) -> pa.Array:
    runs: list[pa.Array] = []
    run: list[pa.Array] = []
    size = 0
    for piece in pieces:
        if size + piece.nbytes > _VIEW_BUFFER_BYTES and run:
            runs.append(_view_of(run))
            run, size = [], 0
        run.append(piece)
        size += piece.nbytes
    runs.append(_view_of(run))
    return runs[0] if len(runs) == 1 else pa.concat_arrays(runs)


def _view_of(run: list[pa.Array]) -> pa.Array:
    # Joining with an empty array makes even a single slice copy only the bytes it refers to.
    joined = pa.concat_arrays([*run, pa.array([], pa.string())])
    view = joined.cast(pa.string_view())
    if _longest(joined) <= _INLINE_BYTES:
        return pa.Array.from_buffers(
            pa.string_view(), len(view), view.buffers()[:2], view.null_count, view.offset
        )
    return view


def _longest(texts: pa.Array) -> int:
    """The bytes of the longest text of a `string` array; what stands for NULL counts too."""
    if not len(texts):
        return 0
    offsets = np.frombuffer(texts.buffers()[1], np.int32, texts.offset + len(texts) + 1)
    return int(np.diff(offsets[texts.offset :]).max())


def chunked(
    staged: Iterable[tuple[pa.Array, ...]], schema: FrameSchema, chunk_rows: int, work: Columns
) -> Iterator[pa.RecordBatch]:
    """Staged columns cut into stored batches of exactly `chunk_rows` rows, the last one shorter.

    No rows at all give one empty batch, so that every frame has a chunk that shows its schema.
    """
    pending: list[list[pa.Array]] = [[] for _ in schema.columns]
    arrow = stored_schema(schema)
    held = 0
    made = 0
    for columns in staged:
        rows = len(columns[0])
        start = 0
        while start < rows:
            take = min(rows - start, chunk_rows - held)
            for pieces, array in zip(pending, columns, strict=True):
                pieces.append(array.slice(start, take))
            start += take
            held += take
            if held == chunk_rows:
                yield _finish_all(pending, schema, arrow, work)
                held, made = 0, made + 1
    if held or not made:
        yield _finish_all(pending, schema, arrow, work)


def _finish_all(
    pending: list[list[pa.Array]], schema: FrameSchema, arrow: pa.Schema, work: Columns
) -> pa.RecordBatch:
    def finished(pieces: list[pa.Array], column: ColumnSchema) -> pa.Array:
        array = finish(pieces, column.type)
        pieces.clear()
        if len(array) >= LIMITS.ingest_batch_rows:
            # Else the allocator keeps the pieces' memory, and a put takes half as much again.
            pa.default_memory_pool().release_unused()
        return array

    rows = sum(map(len, pending[0]))
    arrays = work.map(rows, finished, pending, schema.columns)
    return pa.RecordBatch.from_arrays(arrays, schema=arrow)


def cut(batch: pa.RecordBatch, rows: int) -> Iterator[pa.RecordBatch]:
    """A stored batch in slices of `rows` rows, of which each holds no bytes but its own."""
    if batch.num_rows <= rows:
        yield batch
        return
    # Strings that are out of line become arrays with offsets first, which are cheap to slice.
    columns = [
        array.cast(pa.string()) if len(array.buffers()) > 2 and _is_view(array) else array
        for array in batch.columns
    ]
    for start in range(0, batch.num_rows, rows):
        pieces = [column.slice(start, rows) for column in columns]
        arrays = [_view_of([p]) if pa.types.is_string(p.type) else p for p in pieces]
        yield pa.RecordBatch.from_arrays(arrays, schema=batch.schema)


def joined(batches: Sequence[pa.RecordBatch], schema: FrameSchema) -> pa.RecordBatch:
    """Stored batches as one, which holds no bytes but its own."""
    arrays = []
    for index, column in enumerate(schema.columns):
        pieces = [batch.column(index) for batch in batches]
        if column.type.kind is Kind.VARCHAR:
            pieces = [piece.cast(pa.string()) for piece in pieces]
        arrays.append(finish(pieces, column.type))
    return pa.RecordBatch.from_arrays(arrays, schema=stored_schema(schema))


def _is_view(array: pa.Array) -> bool:
    return bool(pa.types.is_string_view(array.type))
