"""Products, skewness, kurtosis and entropy of groups whose values are at hand.

Owns: the formulas. Comes in: a list for each group, of its values or of how often each occurs.
Goes out: a double for each group. Does not know: groups, partial frames, other aggregates.

No result depends on the order of a list. Sums are those of math.fsum, which rounds once; deviations
are taken from a mean whose own rounding is taken out again. A product is made of sorted factors, as
mantissas and exponents, so that nothing overflows on the way to a result that does not; DuckDB
multiplies in the order of the rows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def finished(function: str, lists: pl.Series) -> pl.Series:
    """The aggregate of each list; NaN where a moment is no finite number."""
    if function == "product":
        return _products(lists)
    if function == "entropy":
        found: list[float | None] = [_entropy(counts) for counts in lists.to_list()]
        return pl.Series(found, dtype=pl.Float64)
    return pl.Series([_moment(function, values.to_numpy()) for values in lists], dtype=pl.Float64)


def _products(lists: pl.Series) -> pl.Series:
    """Neighbours are multiplied, round after round, until each list has one number left."""
    lengths = lists.list.len().to_numpy().astype(np.int64)
    values = lists.filter(lists.list.len() > 0).explode().to_numpy()
    with np.errstate(all="ignore"):
        mantissas, exponents = np.frexp(values)
        exponents = exponents.astype(np.int64)
        left = lengths
        while len(left) and left.max() > 1:
            begin = np.cumsum(left) - left
            place = np.arange(len(mantissas)) - np.repeat(begin, left)
            first = np.flatnonzero(place % 2 == 0)
            paired = place[first] + 1 < np.repeat(left, left)[first]
            second = np.minimum(first + 1, len(mantissas) - 1)
            product = mantissas[first] * np.where(paired, mantissas[second], 1.0)
            total = exponents[first] + np.where(paired, exponents[second], 0)
            mantissas, moved = np.frexp(product)
            exponents = total + moved
            left = (left + 1) // 2
        result = np.ldexp(mantissas, np.clip(exponents, -5000, 5000).astype(np.int32))
    known = lengths > 0
    filled = np.zeros(len(lengths))
    filled[known] = result
    frame = pl.DataFrame({"value": filled, "known": known})
    return frame.select(pl.when(pl.col("known")).then(pl.col("value"))).to_series()


def _entropy(counts: list[int]) -> float:
    """In bits. Values that occur equally often are taken together."""
    rows = sum(counts)
    terms = [
        times * (count / rows * math.log2(rows / count)) for count, times in Counter(counts).items()
    ]
    return math.fsum(terms)


_ROWS = {"skewness": 3, "kurtosis": 4, "kurtosis_pop": 2}
"""Fewer values than these have no such moment."""


def _moment(function: str, values: Doubles) -> float | None:
    n = len(values)
    if n < _ROWS[function]:
        return None
    if not np.isfinite(values).all():
        return math.nan
    try:
        mean = math.fsum(values.tolist()) / n
        with np.errstate(all="ignore"):
            apart = values - mean
            apart = apart - math.fsum(apart.tolist()) / n
            return _shape(function, n, lambda power: _sum(apart**power) / n)
    except (OverflowError, ValueError):
        return math.nan


def _sum(values: Doubles) -> float:
    return math.fsum(values.tolist())


def _shape(function: str, n: int, central: Callable[[int], float]) -> float | None:
    """From the central moments; None where all values are alike."""
    second = central(2)
    if second <= 0:
        return None
    if function == "skewness":
        result = math.sqrt(n * (n - 1)) / (n - 2) * central(3) / (second * math.sqrt(second))
    else:
        ratio = central(4) / (second * second)
        result = ratio - 3
        if function == "kurtosis":
            result = (n - 1) * ((n + 1) * ratio - 3 * (n - 1)) / ((n - 2) * (n - 3))
    return result if math.isfinite(result) else math.nan
