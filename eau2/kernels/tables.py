"""Chunks as one table, and a table as a kernel frame with the forms of its columns.

Owns: bringing chunks together whose columns differ in width or dictionary, and what the forms of
kernels are from stored columns. Comes in: tables in stored form, of one chunk each; goes out: one
table, or a frame. Does not know: files, operators, which columns a type has in general.

A chunk holds whole numbers in as few bits as its own values need, and strings of few values as
codes of a dictionary (kv/compact.py). Dictionaries of one frame mostly begin alike; where one is
not the beginning of another, codes are translated here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
import pyarrow as pa

from eau2.operators.forms import Coded
from eau2.operators.zones import Runs

Scanned = tuple[pl.DataFrame, Mapping[str, pl.DataType | Coded]]
"""Chunks as a frame, and how its columns are held, by name."""


def cut_to(table: pa.Table, runs: Runs | None) -> list[pa.Table]:
    """Row ranges of a table, without a copy, or all of it; one table at least."""
    if runs is None:
        return [table]
    return [table.slice(start, rows) for start, rows in runs] or [table.slice(0, 0)]


def together(tables: Sequence[pa.Table]) -> pa.Table:
    """The rows of all tables, in order. There is one at least, and all have the same columns."""
    first = tables[0]
    if all(table.schema.equals(first.schema) for table in tables[1:]):
        return first if len(tables) == 1 else pa.concat_tables(tables)
    columns = [
        _column([table.column(index) for table in tables]) for index in range(first.num_columns)
    ]
    return pa.Table.from_arrays(columns, names=first.column_names)


def _column(parts: list[pa.ChunkedArray]) -> pa.ChunkedArray:
    """One column of several types."""
    types = {part.type for part in parts}
    if len(types) > 1:
        target = _common(types, parts)
        parts = [part if part.type == target else _converted(part, target) for part in parts]
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type)


def _common(types: set[pa.DataType], parts: list[pa.ChunkedArray]) -> pa.DataType:
    """What all parts become: the widest type, and codes where most rows have them."""
    coded = [type_ for type_ in types if pa.types.is_dictionary(type_)]
    if not coded:
        return max(types, key=lambda type_: type_.bit_width)
    plain = sum(len(part) for part in parts if not pa.types.is_dictionary(part.type))
    if 2 * plain > sum(map(len, parts)):
        return next(type_ for type_ in types if not pa.types.is_dictionary(type_))
    return max(coded, key=lambda type_: type_.index_type.bit_width)


def _converted(part: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    """A column in another of the types that chunks have for it."""
    if not pa.types.is_dictionary(target):
        values = part.cast(part.type.value_type) if pa.types.is_dictionary(part.type) else part
        return _widened(values, target)
    if not pa.types.is_dictionary(part.type):
        part = part.cast(target.value_type).dictionary_encode()
    return _indexed(part, target.index_type)


def _indexed(part: pa.ChunkedArray, index: pa.DataType) -> pa.ChunkedArray:
    """Codes in another width."""
    arrays = [
        pa.DictionaryArray.from_arrays(chunk.indices.cast(index), chunk.dictionary)
        for chunk in part.chunks
    ]
    return pa.chunked_array(arrays, pa.dictionary(index, part.type.value_type))


def _of_one_dictionary(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Codes of the same dictionary in all chunks."""
    if column.num_chunks < 2:
        return column
    try:
        return column.unify_dictionaries()
    except pa.ArrowInvalid:
        # All values together are more than codes of this width can tell apart.
        return _indexed(column, pa.uint32()).unify_dictionaries()


def _widened(values: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_date32(target):
        return values.cast(pa.int32()).cast(target)
    return values.cast(target)


def frame_of(table: pa.Table) -> Scanned:
    """The table's columns without a copy, and how they are held, by name.

    A frame of no columns keeps its height.
    """
    if table.num_columns == 0:
        return pl.DataFrame({"": pl.int_range(table.num_rows, eager=True)}), {}
    # Of no use from here on, and Polars would read it through for each part.
    table = table.replace_schema_metadata(None)
    coded: dict[str, Coded] = {}
    columns = list(table.columns)
    for index, column in enumerate(columns):
        if not pa.types.is_dictionary(column.type):
            continue
        column = _of_one_dictionary(column)
        codes = [chunk.indices for chunk in column.chunks]
        columns[index] = pa.chunked_array(codes, column.type.index_type)
        values = column.chunk(0).dictionary if codes else pa.array([], column.type.value_type)
        name = table.column_names[index]
        coded[name] = Coded(pl.Series(name, pl.from_arrow(values), dtype=pl.String))
    plain = pa.Table.from_arrays(columns, names=table.column_names) if coded else table
    frame = pl.from_arrow(plain, rechunk=False)
    assert isinstance(frame, pl.DataFrame)
    return frame, {**frame.schema, **coded}
