"""The rows that a client puts, as payloads: batches joined, in the types that travel, cut to fit.

Owns: how large what is sent at once may be. Comes in: batches. Goes out: tables, and the parts of
them that fit a frame. Does not know: connections, messages.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from eau2.errors import DataError
from eau2.net.arrow import PART_BYTES, encode_table
from eau2.net.frame import Buffer
from eau2.net.header import PAYLOAD_BYTES

_BATCHES_JOINED = 1000
"""Batches that are sent together at most."""


def travelling(type_: pa.DataType) -> pa.DataType:
    """The type in which a column travels: no dictionaries, and strings that can be cut apart."""
    while pa.types.is_dictionary(type_):
        type_ = type_.value_type
    return pa.large_string() if pa.types.is_string_view(type_) else type_


def joined(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """The batches in `schema`, small ones several at once."""
    held: list[pa.Table] = []
    size = 0
    for batch in batches:
        if batch.num_columns != len(schema):
            raise DataError(f"a batch has {batch.num_columns} columns instead of {len(schema)}")
        columns = [_cast(*pair) for pair in zip(batch.columns, schema, strict=True)]
        table = pa.Table.from_arrays(columns, schema=schema)
        held.append(table)
        size += table.nbytes
        if size >= PART_BYTES or len(held) == _BATCHES_JOINED:
            yield _together(held)
            held, size = [], 0
    if held:
        yield _together(held)


def _together(tables: list[pa.Table]) -> pa.Table:
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables).combine_chunks()


def _cast(column: pa.Array, field: pa.Field) -> pa.Array:
    try:
        return column if column.type == field.type else column.cast(field.type)
    except pa.ArrowException as error:
        raise DataError(f'column "{field.name}": {error}') from error


def payloads(table: pa.Table) -> Iterator[tuple[int, list[Buffer]]]:
    """Payloads that fit a frame: where values differ much in size, a part may be too large."""
    payload = encode_table(table)
    if sum(map(len, payload)) <= PAYLOAD_BYTES:
        yield table.num_rows, payload
        return
    if table.num_rows == 1:
        raise DataError(f"a row takes more than {PAYLOAD_BYTES:,} bytes: it cannot be sent")
    half = table.num_rows // 2
    yield from payloads(table.slice(0, half))
    yield from payloads(table.slice(half))
