"""What the store knows of a column's values, measured when its chunk is made.

Owns: the measuring. Comes in: a stored array and its SQL type; goes out: ColumnStatistics.
Merged over chunks they are equal however the rows were cut. Does not know: files, frames.
"""

from __future__ import annotations

import math

import polars as pl
import pyarrow as pa

from eau2.catalog import NO_EXPONENTS, ColumnStatistics, DistinctSketch, Plain
from eau2.types import Kind, SqlType

SKETCH_HASHES = 256
"""k of the distinct sketch: the estimate's standard error is about 1/sqrt(k), six per cent."""

HASHING = f"polars-{pl.__version__}"
"""Polars promises equal hashes within one version only."""

BOUND_CHARACTERS = 32
"""Longer strings are bounded by their first characters: statistics stay small."""

_SEED = 7
_SAMPLE_ROWS = 65_536


def column_statistics(array: pa.Array, type_: SqlType) -> ColumnStatistics:
    """The statistics of one column of one chunk. `array` is in stored form."""
    nulls = array.null_count
    if nulls == len(array):
        return ColumnStatistics(nulls)
    series = pl.Series("", pl.from_arrow(array))
    if series.dtype.is_decimal():
        series = series.cast(pl.Int128)
    if nulls:
        series = series.drop_nulls()
    sketch = distinct_sketch(series)
    if type_.is_float:
        low, high = _float_bounds(series)
        return ColumnStatistics(nulls, low, high, sketch, _exponents(series))
    if type_.kind is Kind.VARCHAR:
        least: str = series.min()  # type: ignore[assignment]
        most: str = series.max()  # type: ignore[assignment]
        return ColumnStatistics(nulls, lower_bound(least), upper_bound(most), sketch)
    if type_.is_temporal:
        series = series.to_physical()
    return ColumnStatistics(nulls, series.min(), series.max(), sketch)  # type: ignore[arg-type]


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


def _float_bounds(series: pl.Series) -> tuple[Plain, Plain | None]:
    """Smallest and largest; the largest is unknown with NaN, which SQL orders above infinity.

    Polars' min leaves NaN out; of NaN alone infinity is a bound, and the neutral one. Adding zero
    turns -0.0 into 0.0, so that the bound does not depend on which zero came first.
    """
    has_nan = bool(series.is_nan().any())
    low: float = series.min()  # type: ignore[assignment]
    low = math.inf if math.isnan(low) else low + 0.0
    if has_nan:
        return low, None
    return low, series.max() + 0.0  # type: ignore[operator]


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
