"""The statistics of Parquet row groups as ColumnStatistics, as far as they can be trusted.

Owns: the conversion of what Parquet metadata says into stored values. Whatever is missing,
inexact or of a type whose order differs from SQL's (floats: NaN) stays unknown; NULLs are counted
by reading where the metadata does not say.
Does not know: files, frames.
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from eau2.catalog import ColumnStatistics, FrameSchema, Plain, merge_statistics
from eau2.kv.statistics import lower_bound, upper_bound
from eau2.types import INTEGER_RANGES, Kind, SqlType

_EPOCH_DAY = datetime.date(1970, 1, 1)
_EPOCH = datetime.datetime(1970, 1, 1)
_MICROSECOND = datetime.timedelta(microseconds=1)


CountNulls = Callable[[int, str], int]
"""Counts the NULLs of a column in a row group by reading it: (group number, column name)."""


def run_statistics(
    metadata: pq.FileMetaData,
    run: tuple[int, ...],
    schema: FrameSchema,
    count_nulls: CountNulls,
) -> tuple[ColumnStatistics, ...]:
    """The statistics of each column over the row groups in `run`, which are one chunk."""
    if not run:
        return tuple(ColumnStatistics(0) for _ in schema.columns)
    first = metadata.row_group(run[0])
    positions = {first.column(i).path_in_schema: i for i in range(first.num_columns)}
    result = []
    for column in schema.columns:
        parts = []
        for number in run:
            group = metadata.row_group(number)
            part = None
            # What a file says of a list is about its elements.
            if not column.type.is_list:
                found = group.column(positions[column.name]).statistics
                part = _group_statistics(found, column.type)
            if part is None:
                part = ColumnStatistics(count_nulls(number, column.name))
            parts.append((group.num_rows, part))
        result.append(_joined(parts))
    return tuple(result)


def _joined(parts: list[tuple[int, ColumnStatistics]]) -> ColumnStatistics:
    """Row groups that hold only NULLs have no bounds and do not make the others' unknown."""
    nulls = sum(part.null_count for rows, part in parts if part.null_count == rows)
    others = [part for rows, part in parts if part.null_count != rows]
    if not others:
        return ColumnStatistics(nulls)
    total = merge_statistics(others)
    return ColumnStatistics(total.null_count + nulls, total.minimum, total.maximum)


def _group_statistics(found: pq.Statistics | None, type_: SqlType) -> ColumnStatistics | None:
    """The statistics of a row group, None when it does not even count NULLs."""
    if found is None or not found.has_null_count:
        return None
    if not found.has_min_max:
        return ColumnStatistics(found.null_count)
    try:
        low, high = _stored(found.min, type_), _stored(found.max, type_)
    except (ValueError, OverflowError, ArithmeticError, pa.ArrowException):
        # A bound that Python has no value for, like a date after the year 9999.
        return ColumnStatistics(found.null_count)
    if low is None or high is None:
        return ColumnStatistics(found.null_count)
    if isinstance(low, str) and isinstance(high, str):
        return ColumnStatistics(found.null_count, lower_bound(low), upper_bound(high))
    return ColumnStatistics(found.null_count, low, high)


def _stored(value: Any, type_: SqlType) -> Plain | None:
    """A value of Parquet statistics as a stored value, None when it is not exact or not known."""
    match value:
        case bool() if type_.kind is Kind.BOOLEAN:
            return value
        case int() if type_.is_integer:
            low, high = INTEGER_RANGES[type_.kind]
            return value if low <= value <= high else None
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
