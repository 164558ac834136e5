"""SQL types inside Polars: kernel dtypes, constants, and the ways in and out.

Owns: the map from SQL types to kernel dtypes, `from_stored` (chunk form to kernel form), `literal`,
and `to_logical` (kernel form to the Arrow table that users see).
Does not know: expressions, operators, chunk files.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pyarrow as pa

from eau2.errors import OutOfRangeError
from eau2.operators import interval_form
from eau2.operators.expr import Column, Value
from eau2.types import Kind, SqlType, logical_arrow

_LIST_OFFSETS = 1 << 31
"""Arrow's plain lists count their elements in 31 bits."""

_DTYPES: dict[Kind, pl.DataType] = {
    Kind.NULL: pl.Int32(),
    Kind.BOOLEAN: pl.Boolean(),
    Kind.TINYINT: pl.Int8(),
    Kind.SMALLINT: pl.Int16(),
    Kind.INTEGER: pl.Int32(),
    Kind.BIGINT: pl.Int64(),
    Kind.HUGEINT: pl.Int128(),
    Kind.UTINYINT: pl.UInt8(),
    Kind.USMALLINT: pl.UInt16(),
    Kind.UINTEGER: pl.UInt32(),
    Kind.UBIGINT: pl.UInt64(),
    Kind.FLOAT: pl.Float32(),
    Kind.DOUBLE: pl.Float64(),
    Kind.VARCHAR: pl.String(),
    Kind.DATE: pl.Date(),
    Kind.TIMESTAMP: pl.Datetime("us"),
    Kind.TIME: pl.Int64(),
    Kind.INTERVAL: pl.Int128(),
}


def kernel_dtype(type_: SqlType) -> pl.DataType:
    """The Polars dtype of a column of this type inside kernels."""
    if type_.is_decimal:
        return pl.Int128() if type_.is_wide else pl.Int64()
    if type_.element is not None:
        return pl.List(kernel_dtype(type_.element))
    return _DTYPES[type_.kind]


def from_stored(expr: pl.Expr, type_: SqlType) -> pl.Expr:
    """The kernel form of a column read from a chunk."""
    if type_.is_wide:
        return expr.cast(pl.Int128)
    if type_.kind is Kind.VARCHAR:
        return expr.cast(pl.String)
    if type_.kind is Kind.INTERVAL:
        return interval_form.from_struct(expr)
    return expr.cast(kernel_dtype(type_)) if type_.innermost.is_wide else expr


def literal(value: Value, type_: SqlType) -> pl.Expr:
    """A constant in kernel form. `value` is physical, as in `Literal`."""
    dtype = kernel_dtype(type_)
    if value is None:
        return pl.lit(None, dtype)
    if type_.kind is Kind.DATE:
        return pl.lit(value, pl.Int32).cast(pl.Date)
    if type_.kind is Kind.TIMESTAMP:
        return pl.lit(value, pl.Int64).cast(pl.Datetime("us"))
    if type_.is_float:
        return pl.lit(float(value), dtype)
    return pl.lit(value, dtype)


def to_logical(
    frame: pl.DataFrame, columns: tuple[Column, ...], names: tuple[str, ...]
) -> pa.Table:
    """The rows of a kernel result as users see them: one Arrow column per name.

    Raises OutOfRangeError for what has no Arrow form: a HUGEINT of 39 digits, an interval whose
    time is longer than 292 years.
    """
    arrays = [logical_array(frame.get_column(c.label), c.type, c.name) for c in columns]
    fields = [
        pa.field(name, logical_arrow(column.type))
        for name, column in zip(names, columns, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def logical_array(series: pl.Series, type_: SqlType, name: str) -> pa.Array:
    """A kernel column as users see it. name: of the column, for the error's message."""
    target = logical_arrow(type_)
    if type_.is_decimal and not type_.is_wide:
        return _widen_decimal(series.to_arrow(), target)
    if type_.is_wide:
        return _wide_decimal(series, name, target)
    if type_.kind is Kind.INTERVAL:
        return interval_form.to_arrow(series, name)
    if type_.kind is Kind.TIME:
        return series.to_arrow().view(target)
    if type_.element is not None:
        return _logical_lists(series, type_.element, name, target)
    array = series.to_arrow()
    return array if array.type == target else array.cast(target)


def _logical_lists(series: pl.Series, element: SqlType, name: str, target: pa.DataType) -> pa.Array:
    lists = arrow_lists(series, lambda values: logical_array(values, element, name))
    if len(lists.values) >= _LIST_OFFSETS:
        raise OutOfRangeError(f'column "{name}" holds {len(lists.values)} list elements at once')
    return lists.cast(target)


def arrow_lists(series: pl.Series, convert: Callable[[pl.Series], pa.Array]) -> pa.Array:
    """Lists as Arrow's large lists; `convert` makes the array of all their elements."""
    values = convert(series.explode(empty_as_null=False, keep_nulls=False))
    if not len(values):
        # Arrow writes the end of a longer column, as which no elements may come, wrongly.
        values = pa.array([], values.type)
    lengths = series.list.len().fill_null(0).cast(pl.Int64).cum_sum()
    offsets = pl.concat([pl.Series([0], dtype=pl.Int64), lengths]).to_arrow()
    missing = series.is_null().to_arrow() if series.null_count() else None
    return pa.LargeListArray.from_arrays(offsets, values, mask=missing)


def holds_wide(dtype: pl.DataType) -> bool:
    """Whether a kernel column is of lists of 128-bit integers, which have no Arrow form."""
    lists = False
    while isinstance(dtype, pl.List):
        dtype, lists = inner_of(dtype), True
    return lists and dtype == pl.Int128()


def inner_of(dtype: pl.List) -> pl.DataType:
    """The dtype of the elements."""
    inner = dtype.inner
    return inner if isinstance(inner, pl.DataType) else inner()


def _widen_decimal(array: pa.Array, target: pa.DataType) -> pa.Array:
    """A scaled int64 column as decimal128: the same digits under another scale."""
    digits = array.cast(pa.decimal128(19, 0))
    return pa.Array.from_buffers(
        target, len(digits), digits.buffers(), digits.null_count, digits.offset
    )


def _wide_decimal(series: pl.Series, name: str, target: pa.DataType) -> pa.Array:
    """An int128 column as decimal128, through the unscaled decimal of 38 digits."""
    digits = series.cast(pl.Decimal(38, 0), strict=False)
    if digits.null_count() != series.null_count():
        worst = series.filter(digits.is_null() & series.is_not_null()).item(0)
        raise OutOfRangeError(
            f'column "{name}" holds {worst}: a result column has 38 digits at most',
            hint="Cast it to DOUBLE or VARCHAR.",
        )
    array = digits.to_arrow()
    return pa.Array.from_buffers(
        target, len(array), array.buffers(), array.null_count, array.offset
    )
