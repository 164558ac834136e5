"""The statistics of Parquet row groups as ColumnStatistics, as far as they can be trusted.

Owns: the conversion of what Parquet metadata says into stored values. Whatever is missing,
deprecated, inexact or of a type whose order differs from SQL's stays unknown.
Does not know: files, frames.
"""

from __future__ import annotations

import datetime
import decimal
import math
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from eau2.catalog import ColumnStatistics, FrameSchema, Plain, merge_statistics
from eau2.types import Kind, SqlType

_EPOCH_DAY = datetime.date(1970, 1, 1)
_EPOCH = datetime.datetime(1970, 1, 1)
_MICROSECOND = datetime.timedelta(microseconds=1)
_BOUND_CHARACTERS = 32


def row_groups_statistics(
    groups: list[pq.RowGroupMetaData], schema: FrameSchema, arrow: pa.Schema
) -> tuple[ColumnStatistics, ...]:
    """The statistics of each column over `groups`, which are one chunk."""
    rows = sum(group.num_rows for group in groups)
    if not groups:
        return tuple(ColumnStatistics(0) for _ in schema.columns)
    positions = {
        groups[0].column(index).path_in_schema: index for index in range(groups[0].num_columns)
    }
    result = []
    for column, field in zip(schema.columns, arrow, strict=True):
        parts = [_column(group, positions.get(field.name), column.type) for group in groups]
        result.append(_joined(parts, rows))
    return tuple(result)


def _joined(parts: list[tuple[int, ColumnStatistics | None]], rows: int) -> ColumnStatistics:
    """Row groups that hold only NULLs have no bounds and do not make the others unknown."""
    if any(part is None for _, part in parts):
        # An unknown null count may not read as "no NULLs" nor as "all NULL".
        return ColumnStatistics(rows - 1) if rows > 1 else ColumnStatistics(0)
    total: ColumnStatistics | None = None
    nulls = 0
    for count, part in parts:
        assert part is not None
        if part.null_count == count:
            nulls += count
        else:
            total = part if total is None else merge_statistics(total, part)
    if total is None:
        return ColumnStatistics(nulls)
    return ColumnStatistics(total.null_count + nulls, total.minimum, total.maximum)


def _column(
    group: pq.RowGroupMetaData, position: int | None, type_: SqlType
) -> tuple[int, ColumnStatistics | None]:
    if position is None:
        return group.num_rows, None
    found = group.column(position).statistics
    if found is None or not found.has_null_count:
        return group.num_rows, None
    low = high = None
    if found.has_min_max:
        low, high = _stored(found.min, type_), _stored(found.max, type_)
        if type_.kind is Kind.VARCHAR:
            low, high = _string_bounds(low, high)
        if low is None or high is None:
            low = high = None
    return group.num_rows, ColumnStatistics(found.null_count, low, high)


def _stored(value: Any, type_: SqlType) -> Plain | None:
    """A value of Parquet statistics as a stored value, None when it is not exact or not known."""
    match value:
        case bool() if type_.kind is Kind.BOOLEAN:
            return value
        case int() if type_.is_integer:
            return value
        case decimal.Decimal() if type_.is_decimal:
            scaled = value.scaleb(type_.scale, decimal.Context(prec=60))
            return int(scaled) if scaled == scaled.to_integral_value() else None
        case datetime.datetime() if type_.kind is Kind.TIMESTAMP and value.tzinfo is None:
            return (value - _EPOCH) // _MICROSECOND
        case datetime.date() if type_.kind is Kind.DATE:
            return (value - _EPOCH_DAY).days
        case str() if type_.kind is Kind.VARCHAR:
            return value
        case _:
            return None


def _string_bounds(low: Plain | None, high: Plain | None) -> tuple[Plain | None, Plain | None]:
    return low, high
