"""Chunks in few bytes: whole numbers in few bits, strings of few values as codes of a dictionary.

Owns: which form a column of a chunk gets, and the way back. Comes in: chunks in stored form with
their statistics, in row order; goes out: the same rows, in columns of narrower Arrow types. Does
not know: files, how kernels use the forms.

A chunk says by its Arrow types what it holds, so chunks of one frame may differ. The dictionary of
a column grows from chunk to chunk and what it held keeps its place: so codes mean the same in all
chunks of one write. The first values of it are in order.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from eau2.catalog import ColumnSchema, ColumnStatistics, FrameSchema
from eau2.kv.columns import Columns
from eau2.kv.zones import zone_metadata
from eau2.types import Kind, SqlType, stored_arrow

DICTIONARY_VALUES = (1 << 16) - 1
"""A dictionary of more values is not kept: codes would take more than two bytes."""
ROWS_PER_VALUE = 4
"""On average a value of a dictionary must occur in so many rows at least."""
DICTIONARY_ROWS = 1024
"""Chunks of fewer rows have no dictionary: it would be most of them."""

_WIDTHS = (
    (pa.int8(), 1 << 7),
    (pa.int16(), 1 << 15),
    (pa.int32(), 1 << 31),
    (pa.int64(), 1 << 63),
)
_WHOLE = frozenset(
    {
        Kind.SMALLINT,
        Kind.INTEGER,
        Kind.BIGINT,
        Kind.HUGEINT,
        Kind.USMALLINT,
        Kind.UINTEGER,
        Kind.UBIGINT,
        Kind.DATE,
        Kind.DECIMAL,
    }
)


class Compactor:
    """Makes the chunks of one write compact, one after another."""

    def __init__(self, schema: FrameSchema, work: Columns) -> None:
        self._schema = schema
        self._work = work
        self._dictionaries: dict[int, pl.Series] = {}
        self._given_up: set[int] = set()

    def compact(
        self, batch: pa.RecordBatch, statistics: Sequence[ColumnStatistics]
    ) -> pa.RecordBatch:
        """The next chunk, given in stored form; what is known of its zones comes with it."""

        def made_compact(
            index: int, array: pa.Array, column: ColumnSchema, known: ColumnStatistics
        ) -> pa.Array:
            if column.type.kind is Kind.VARCHAR:
                return self._coded(index, array, known)
            return _narrowed(array, column.type, known)

        columns = (range(batch.num_columns), batch.columns, self._schema.columns, statistics)
        arrays = self._work.map(batch.num_rows, made_compact, *columns)
        made = pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)
        metadata = zone_metadata(made, self._schema, self._work)
        return made if metadata is None else made.replace_schema_metadata(metadata)

    def _coded(self, index: int, array: pa.Array, known: ColumnStatistics) -> pa.Array:
        """Strings as codes, where the column has few values."""
        if index in self._given_up or known.distinct is None:
            return array
        dictionary = self._dictionaries.get(index)
        rows = len(array)
        most = min(DICTIONARY_VALUES, rows // ROWS_PER_VALUE)
        if dictionary is None and (rows < DICTIONARY_ROWS or known.distinct.estimate() > most):
            return array
        strings = pl.Series("", pl.from_arrow(array), dtype=pl.String)
        if dictionary is None:
            dictionary = strings.drop_nulls().unique().sort()
        codes = strings.cast(pl.Enum(dictionary), strict=False)
        if codes.null_count() != strings.null_count():
            new = strings.filter(codes.is_null()).drop_nulls().unique().sort()
            dictionary = pl.concat([dictionary, new])
            codes = strings.cast(pl.Enum(dictionary.head(DICTIONARY_VALUES)), strict=False)
        if len(dictionary) > DICTIONARY_VALUES:
            self._given_up.add(index)
            return array
        self._dictionaries[index] = dictionary
        # No narrower than it must be later: chunks of one type need no conversion.
        wide = pl.UInt8 if len(dictionary) <= 1 << 8 else pl.UInt16
        indices = codes.to_physical().cast(wide).to_arrow()
        values = dictionary.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.string())
        return pa.DictionaryArray.from_arrays(indices, values)


def _narrowed(array: pa.Array, type_: SqlType, known: ColumnStatistics) -> pa.Array:
    """Whole numbers in as few bits as the bounds of their values need."""
    low, high = known.minimum, known.maximum
    if known.null_count == len(array):
        low = high = 0
    if type_.kind not in _WHOLE or not isinstance(low, int) or not isinstance(high, int):
        return array
    for narrow, limit in _WIDTHS:
        if -limit <= low and high < limit:
            if narrow.bit_width >= array.type.bit_width:
                return array
            whole = array.view(pa.int32()) if pa.types.is_date(array.type) else array
            return whole.cast(narrow, safe=False)
    return array


def expanded(batch: pa.RecordBatch, schema: FrameSchema) -> pa.RecordBatch:
    """A compact chunk in stored form."""
    arrays = [
        _expanded(array, stored_arrow(column.type))
        for array, column in zip(batch.columns, schema.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _expanded(array: pa.Array, target: pa.DataType) -> pa.Array:
    if array.type == target:
        return array
    if pa.types.is_dictionary(array.type):
        return array.cast(array.type.value_type).cast(target)
    if pa.types.is_date32(target):
        return array.cast(pa.int32()).view(target)
    return array.cast(target)
