"""What the store knows of a column's values, measured when its chunk is made.

Owns: the measuring. Comes in: a stored array and its SQL type; goes out: ColumnStatistics.
Merged over chunks they are equal however the rows were cut. Of lists NULLs alone are counted.
Does not know: files, frames.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import polars as pl
import pyarrow as pa

from eau2.catalog import (
    NO_EXPONENTS,
    ColumnSchema,
    ColumnStatistics,
    DistinctSketch,
    FrameSchema,
    Order,
    Plain,
)
from eau2.kv.columns import Columns
from eau2.types import Kind, SqlType

SKETCH_HASHES = 256
"""k of the distinct sketch: the estimate's standard error is about 1/sqrt(k), six per cent."""

HASHING = f"polars-{pl.__version__}"
"""Polars promises equal hashes within one version only."""

BOUND_CHARACTERS = 32
"""Longer strings are bounded by their first characters: statistics stay small."""

_UNKNOWN = frozenset({Kind.INTERVAL})
"""Of these only NULLs are counted."""

_SEED = 7
_SAMPLE_ROWS = 65_536
_FEW_ROWS = 16


def batch_statistics(
    batch: pa.RecordBatch, schema: FrameSchema, chunk_rows: int, work: Columns
) -> list[tuple[ColumnStatistics, ...]]:
    """The statistics of each column, for each of the chunks of `chunk_rows` rows in `batch`.

    The batch is in stored form; an empty one is one chunk.
    """

    def measured(array: pa.Array, column: ColumnSchema) -> list[ColumnStatistics]:
        return _column_of_chunks(_physical(array), column.type, chunk_rows)

    columns = work.map(batch.num_rows, measured, batch.columns, schema.columns)
    return list(zip(*columns, strict=True))


def _column_of_chunks(array: pa.Array, type_: SqlType, chunk_rows: int) -> list[ColumnStatistics]:
    few = min(chunk_rows, len(array)) <= _FEW_ROWS and type_.kind not in _UNKNOWN
    if few and len(array) > 0:
        return _few_rows_statistics(array, type_, chunk_rows)
    starts = range(0, max(len(array), 1), chunk_rows)
    return [column_statistics(array.slice(start, chunk_rows), type_) for start in starts]


def _physical(array: pa.Array) -> pa.Array:
    """Dates and timestamps as the integers they are."""
    if pa.types.is_date(array.type):
        return array.view(pa.int32())
    return array.view(pa.int64()) if pa.types.is_timestamp(array.type) else array


def column_statistics(array: pa.Array, type_: SqlType) -> ColumnStatistics:
    """The statistics of one column of one chunk; dates and timestamps are given as integers."""
    nulls = array.null_count
    if nulls == len(array) or type_.kind in _UNKNOWN or type_.is_list:
        return ColumnStatistics(nulls)
    series = pl.Series("", pl.from_arrow(array))
    if series.dtype.is_decimal():
        series = series.cast(pl.Int128)
    if nulls:
        series = series.drop_nulls()
    if type_.kind is Kind.VARCHAR and _repeats(series):
        # Their least, their greatest and their hashes are those of all.
        series = series.unique()
    sketch = distinct_sketch(series)
    if type_.is_float:
        has_nan = bool(series.is_nan().any())
        bounds = _float_bounds(series.min(), series.max(), has_nan)  # type: ignore[arg-type]
        return ColumnStatistics(nulls, *bounds, sketch, _exponents(series))
    low, high = series.min(), series.max()
    if isinstance(low, str) and isinstance(high, str):
        return ColumnStatistics(nulls, lower_bound(low), upper_bound(high), sketch)
    order = "" if nulls or series.dtype == pl.Boolean() else _order(series)
    return ColumnStatistics(nulls, low, high, sketch, order=order)  # type: ignore[arg-type]


def _repeats(texts: pl.Series) -> bool:
    """Whether texts are many times the same, as far as the first of them tell."""
    sample = texts.head(_SAMPLE_ROWS // 64)
    return len(texts) > _SAMPLE_ROWS and sample.n_unique() * _FEW_ROWS <= len(sample)


def _order(series: pl.Series) -> Order:
    """How the values follow one another; a look at the first ones says mostly that they do not."""
    for length in (_SAMPLE_ROWS // 64, len(series)):
        before, after = series.head(length)[:-1], series.head(length)[1:]
        if not (after >= before).all():
            return ""
    return "increasing" if (after > before).all() else "ascending"


def _few_rows_statistics(
    array: pa.Array, type_: SqlType, chunk_rows: int
) -> list[ColumnStatistics]:
    """The same for chunks of very few rows, where a call of Polars costs more than its work."""
    if type_.is_list:
        starts = range(0, len(array), chunk_rows)
        return [ColumnStatistics(array.slice(start, chunk_rows).null_count) for start in starts]
    series = pl.Series("", pl.from_arrow(array))
    if series.dtype.is_decimal():
        series = series.cast(pl.Int128)
    pairs = list(zip(series.to_list(), series.hash(_SEED).to_list(), strict=True))
    return [
        _few_values_statistics(pairs[start : start + chunk_rows], type_)
        for start in range(0, len(pairs), chunk_rows)
    ]


def _few_values_statistics(pairs: list[tuple[Any, int]], type_: SqlType) -> ColumnStatistics:
    values = [value for value, _ in pairs if value is not None]
    nulls = len(pairs) - len(values)
    if not values:
        return ColumnStatistics(nulls)
    smallest = sorted({digest for value, digest in pairs if value is not None})
    sketch = DistinctSketch(HASHING, SKETCH_HASHES, tuple(smallest))
    if type_.kind is Kind.VARCHAR:
        return ColumnStatistics(nulls, lower_bound(min(values)), upper_bound(max(values)), sketch)
    if not type_.is_float:
        order: Order = "" if nulls or type_.kind is Kind.BOOLEAN else "increasing"
        for before, after in pairwise(values if order else ()):
            if after <= before:
                order = "ascending" if after == before else ""
            if not order:
                break
        return ColumnStatistics(nulls, min(values), max(values), sketch, order=order)
    numbers = [value for value in values if not math.isnan(value)] or [math.nan]
    bounds = _float_bounds(min(numbers), max(numbers), len(numbers) < len(values))
    sizes = [math.frexp(value)[1] for value in numbers if value and math.isfinite(value)]
    exponents = (min(sizes), max(sizes)) if sizes else NO_EXPONENTS
    return ColumnStatistics(nulls, *bounds, sketch, exponents)


def distinct_sketch(series: pl.Series) -> DistinctSketch:
    """The k smallest hashes of the distinct values of `series`, which has no NULLs.

    The k-th smallest hash of a sample bounds the k-th smallest of all from above, so one
    comparison drops nearly every row of a column with many values before the costly `unique`.
    """
    hashes = series.hash(_SEED)
    if len(hashes) > 2 * _SAMPLE_ROWS:
        sample = hashes.head(_SAMPLE_ROWS).unique().sort()
        if len(sample) >= SKETCH_HASHES:
            hashes = hashes.filter(hashes <= sample[SKETCH_HASHES - 1])
    smallest = hashes.unique().sort().head(SKETCH_HASHES)
    return DistinctSketch(HASHING, SKETCH_HASHES, tuple(smallest.to_list()))


def _float_bounds(low: float, high: float, has_nan: bool) -> tuple[Plain, Plain | None]:
    """The bounds, given those of all values but NaN; NaN itself when there are no others.

    SQL orders NaN above infinity, so with NaN the largest is unknown, and of NaN alone infinity
    is a lower bound, the neutral one. Adding zero turns -0.0 into 0.0, so that the bound does not
    depend on which zero came first.
    """
    if math.isnan(low):
        return math.inf, None
    return low + 0.0, None if has_nan else high + 0.0


def _exponents(series: pl.Series) -> tuple[int, int]:
    """The frexp exponents of the smallest and largest finite magnitudes that are not zero."""
    sizes = series.abs()
    sizes = sizes.filter((sizes > 0) & sizes.is_finite())
    if not len(sizes):
        return NO_EXPONENTS
    low: float = sizes.min()  # type: ignore[assignment]
    high: float = sizes.max()  # type: ignore[assignment]
    return math.frexp(low)[1], math.frexp(high)[1]


def lower_bound(text: str) -> str:
    """`text`, cut: a prefix sorts before what it is a prefix of."""
    return text[:BOUND_CHARACTERS]


def upper_bound(text: str) -> str | None:
    """The least string of at most BOUND_CHARACTERS that is not below `text`, None without one.

    It is monotone in `text`, so the largest bound of chunks is the bound of all their rows.
    """
    if len(text) <= BOUND_CHARACTERS:
        return text
    prefix = text[:BOUND_CHARACTERS].rstrip("\U0010ffff")
    if not prefix:
        return None
    code = ord(prefix[-1]) + 1
    # Code points from D800 to DFFF are surrogates, which no string holds.
    return prefix[:-1] + chr(0xE000 if 0xD800 <= code <= 0xDFFF else code)
