"""Fewer points that look like all of them: extremes of intervals, even samples, bins.

Owns: which points stand for the others. Comes in: arrays of finite numbers. Goes out: positions in
them, edges of bins. Does not know: columns, drawings.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Positions = NDArray[np.int64]


def extremes(x: Numbers, y: Numbers, intervals: int) -> Positions:
    """The points with the least and the greatest y of each of so many equal intervals of x.

    x: ascending. The line through them covers the same pixels as the line through all, when an
    interval is no wider than one. (Source: Jugel et al., M4, VLDB 2014, without the first and last
    points of each interval.)
    """
    span = float(x[-1] - x[0]) or 1.0
    interval = np.minimum(((x - x[0]) / span * intervals).astype(np.int64), intervals - 1)
    starts = np.flatnonzero(np.diff(interval, prepend=-1))
    lengths = np.diff(starts, append=len(x))
    found = []
    for extreme in (np.minimum, np.maximum):
        # Of several points that are as low or as high, the first one.
        hits = np.flatnonzero(y == np.repeat(extreme.reduceat(y, starts), lengths))
        found.append(hits[np.diff(interval[hits], prepend=-1) != 0])
    return np.unique(np.concatenate(found))


def evenly(count: int, kept: int) -> Positions:
    """So many of `count` positions, at equal distances, with the first and the last."""
    return np.unique(np.linspace(0, count - 1, kept).astype(np.int64))


def nice(step: float) -> float:
    """The least of 1, 2 and 5 times a power of ten that is not below `step`."""
    step = max(step, 1e-300)
    power = float(10.0 ** math.floor(math.log10(step)))
    return next(
        (factor * power for factor in (1, 2, 5) if factor * power >= step * (1 - 1e-9)), 10 * power
    )


def bins(values: Numbers, most: int, unit: float) -> Numbers:
    """The edges of at most `most` bins of one width, a round number of units.

    unit: what widths are multiples of, 0 for any. The width follows Freedman and Diaconis (1981),
    or Sturges where half of the values are equal.
    """
    low, high = float(values.min()), float(values.max())
    quarter, three = np.quantile(values, [0.25, 0.75])
    width = 2 * float(three - quarter) / len(values) ** (1 / 3)
    if width <= 0:
        width = (high - low) / (math.log2(len(values)) + 1)
    # Round edges reach out of the values' range, by less than one bin at each end.
    width = max(width, (high - low) / max(1, most - 1))
    least = max(abs(low), abs(high)) * 1e-12
    if width <= least:
        width = unit or max(1.0, least)
    # The nearest round number: rounding up would make bins up to two and a half times as wide.
    step = max(nice(max(width, least) / (unit or 1.0) / 1.5) * (unit or 1.0), unit)
    first = math.floor(low / step)
    while (last := math.floor(high / step)) - first + 1 > most:
        step = nice(step / (unit or 1.0) * 1.5) * (unit or 1.0)
        first = math.floor(low / step)
    return np.arange(first, last + 2, dtype=np.float64) * step
