"""Handed-in rows in the order of some of their columns.

Owns: which columns can order rows, and the order: ascending, NULL after all, NaN before it; rows of
equal keys stay as they came. Comes in: a schema, batches, names; goes out: the same rows in
batches. Does not know: files, stores.

All rows are held in memory once, and a column of them a second time for a moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl
import pyarrow as pa

from eau2.config import LIMITS
from eau2.errors import OperationalError, UnknownColumnError, UsageError
from eau2.kv.encoding import frame_schema, stage
from eau2.types import Kind


def in_order(
    schema: pa.Schema, batches: Iterator[pa.RecordBatch], names: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """The rows by the columns `names`, the first of them first; letter case does not count.

    Raises UnknownColumnError and UsageError (a type without an order) at once; OperationalError
    when memory does not suffice, and whatever `batches` raises, with the first batch.
    """
    positions = [_position(schema, name) for name in names]
    return _sorted(schema, batches, positions)


def _position(schema: pa.Schema, name: str) -> int:
    folded = [known.casefold() for known in schema.names]
    if name.casefold() not in folded:
        raise UnknownColumnError(
            f'there is no column "{name}" to put the rows in order by',
            hint=f"The columns are: {', '.join(schema.names)}.",
        )
    position = folded.index(name.casefold())
    type_ = frame_schema(schema).columns[position].type
    if type_.is_list or type_.kind is Kind.INTERVAL:
        raise UsageError(f'rows cannot be put in order by "{name}", which is of the type {type_}')
    return position


def _sorted(
    schema: pa.Schema, batches: Iterator[pa.RecordBatch], positions: Sequence[int]
) -> Iterator[pa.RecordBatch]:
    try:
        columns = _gathered(schema, batches)
        order = _order(schema, columns, positions)
    except (MemoryError, pa.ArrowMemoryError) as error:
        raise OperationalError(
            "the rows do not fit into memory, where they are put in order",
            hint="Load them as they come, or in parts; files that are in order already need none.",
        ) from error
    for start in range(0, len(order), LIMITS.ingest_batch_rows):
        some = order.slice(start, LIMITS.ingest_batch_rows)
        arrays = [
            column.take(some).cast(field.type) if field.type != column.type else column.take(some)
            for column, field in zip(columns, schema, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _gathered(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> list[pa.Array]:
    """All rows, each column as one array: else each piece that is taken would join them."""
    table = pa.Table.from_batches(batches, schema)
    parts = [table.column(index) for index in range(table.num_columns)]
    del table
    columns = []
    while parts:
        part = parts.pop(0)
        if pa.types.is_string_view(part.type) or pa.types.is_string(part.type):
            # There may be more text than offsets of 32 bits reach.
            part = part.cast(pa.large_string())
        whole = part.combine_chunks()
        if isinstance(whole, pa.ChunkedArray):
            whole = pa.concat_arrays(whole.chunks)
        columns.append(whole)
    return columns


def _order(schema: pa.Schema, columns: Sequence[pa.Array], positions: Sequence[int]) -> pa.Array:
    """Where the rows are, in their new order."""
    known = frame_schema(schema).columns
    keys = pl.DataFrame(
        {
            str(number): pl.Series(pl.from_arrow(stage(columns[position], known[position])))
            for number, position in enumerate(positions)
        }
    ).with_row_index("row")
    by = [str(number) for number in range(len(positions))]
    return keys.sort(by, nulls_last=True, maintain_order=True).get_column("row").to_arrow()
