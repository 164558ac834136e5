"""Variances, covariances and what is made of them, from exact sums.

Owns: which sums each of these aggregates needs, and the formulas that finish them. Comes in: for
each group the number of rows and sums as pairs of doubles (a value and what its rounding left out).
Goes out: doubles. Does not know: groups, partial frames, how sums become exact.

The sums of x, y, x*x, x*y and y*y are exact before they are rounded to a pair of doubles, about 106
bits. So n * sum(x*x) - sum(x)**2 keeps its leading digits even where both parts are nearly equal,
and the result never depends on the order of rows. The arithmetic of pairs is that of Dekker, "A
floating-point technique for extending the available precision", Numerische Mathematik 1971.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Pair = tuple[Doubles, Doubles]

_SPLIT = 134_217_729.0
_QUOTIENTS = frozenset({"corr", "regr_intercept", "regr_r2", "regr_slope"})
"""What divides one moment by another: of two that are too large nothing can be said."""


def finished(function: str, table: Mapping[str, pl.Series]) -> pl.Series:
    """The aggregate of each group.

    table: "n" rows; for each of the sums "x", "y", "xx", "xy", "yy" that it needs the columns
    "x" and "x_low"; where such values can be also "bad", where one is NaN or infinite, and "over",
    where a product is too large.
    """
    n = table["n"].to_numpy().astype(np.float64)
    with np.errstate(all="ignore"):
        values, known = _result(function, n, _Sums(n, table))
        if "over" in table:
            over = table["over"].to_numpy().astype(np.bool_)
            values = np.where(over, np.nan if function in _QUOTIENTS else np.inf, values)
            known = known | over
        if "bad" in table:
            values = np.where(table["bad"].to_numpy().astype(np.bool_), np.nan, values)
    frame = pl.DataFrame({"v": values, "known": known})
    return frame.select(pl.when(pl.col("known")).then(pl.col("v"))).to_series()


class _Sums:
    """Means and central moments of each group; each is worked out when it is asked for."""

    def __init__(self, n: Doubles, table: Mapping[str, pl.Series]) -> None:
        self.n = np.maximum(n, 1.0)
        self._table = table

    def pair(self, name: str) -> Pair:
        """A sum."""
        return self._column(name), self._column(f"{name}_low")

    def _column(self, name: str) -> Doubles:
        values: Doubles = self._table[name].fill_null(0.0).to_numpy().astype(np.float64)
        return values

    def mean(self, name: str) -> Doubles:
        """The mean of x or y."""
        result: Doubles = _over(self.pair(name), self.n)[0]
        return result

    def central(self, a: str, b: str) -> Doubles:
        """The sum of products of deviations from the means; of squares it is never negative."""
        product = _over(_times(self.pair(a), self.pair(b)), self.n)
        high, low = _less(self.pair("".join(sorted((a, b)))), product)
        result: Doubles = np.maximum(high + low, 0.0) if a == b else high + low
        return result


def _result(function: str, n: Doubles, sums: _Sums) -> tuple[Doubles, NDArray[np.bool_]]:
    """(value, whether it is not NULL) of each group."""
    some, several = n > 0, n > 1
    match function:
        case "var_pop":
            return sums.central("x", "x") / n, some
        case "var_samp":
            return sums.central("x", "x") / (n - 1), several
        case "stddev_pop":
            return np.sqrt(sums.central("x", "x") / n), some
        case "stddev_samp":
            return np.sqrt(sums.central("x", "x") / (n - 1)), several
        case "sem":
            return np.sqrt(sums.central("x", "x") / n) / np.sqrt(n), some
        case "covar_pop":
            return sums.central("x", "y") / n, some
        case "covar_samp":
            return sums.central("x", "y") / (n - 1), several
        case "regr_avgx":
            return sums.mean("x"), some
        case "regr_avgy":
            return sums.mean("y"), some
        case "regr_sxx":
            return sums.central("x", "x"), some
        case "regr_syy":
            return sums.central("y", "y"), some
        case "regr_sxy":
            return sums.central("x", "y"), some
    xx, xy = sums.central("x", "x"), sums.central("x", "y")
    if function == "regr_slope":
        return xy / xx, some
    if function == "regr_intercept":
        return sums.mean("y") - xy / xx * sums.mean("x"), some & (xx > 0)
    yy = sums.central("y", "y")
    correlation = np.clip(xy / (np.sqrt(xx) * np.sqrt(yy)), -1.0, 1.0)
    if function == "corr":
        return correlation, some
    return np.where(yy > 0, correlation * correlation, 1.0), some & (xx > 0)


def _two_sum(a: Doubles, b: Doubles) -> Pair:
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _halves(a: Doubles) -> Pair:
    scaled = a * _SPLIT
    high = scaled - (scaled - a)
    return high, a - high


def _two_product(a: Doubles, b: Doubles) -> Pair:
    product = a * b
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    rest = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, np.where(np.isfinite(rest), rest, 0.0)


def _times(a: Pair, b: Pair) -> Pair:
    high, low = _two_product(a[0], b[0])
    return _two_sum(high, low + (a[0] * b[1] + a[1] * b[0]))


def _less(a: Pair, b: Pair) -> Pair:
    high, low = _two_sum(a[0], -b[0])
    return _two_sum(high, low + (a[1] - b[1]))


def _over(a: Pair, n: Doubles) -> Pair:
    first = a[0] / n
    high, low = _two_product(first, n)
    rest = _less(a, (high, low))
    return _two_sum(first, (rest[0] + rest[1]) / n)
