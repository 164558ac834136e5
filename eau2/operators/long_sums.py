"""Exact sums of products of doubles whose exponents are bounded, as three 128-bit integers.

Owns: how such a product is cut, and how the sums of its parts become a pair of doubles. Comes in:
Polars expressions over Float64 columns; sums. Goes out: expressions; pairs of doubles. Does not
know: aggregates, groups, which products are wanted.

A double that exact_sum.py holds in its fixed form is an integer of at most 84 bits times a power of
two. Cut into a high part and a low one of 42 bits, the product of two of them has three parts:
high times high, both mixed products, low times low. Each part has at most 85 bits, so that sums of
2**42 of them fit an Int128; at the end they are digits in base 2**42.
"""

from __future__ import annotations

import polars as pl

from eau2.operators import exact_sum

Parts = tuple[pl.Expr, pl.Expr, pl.Expr]
"""From the highest to the lowest, Int128: counts of 2**84, 2**42 and 1."""

BITS = 42
_EXPONENT_MAX = 400
_STICKY_BITS = 24
_EXACT_BELOW = 1 << 40
_SHIFTED_BELOW = 1 << 60


def fits(exponents: tuple[int, int] | None) -> bool:
    """Whether products of values with these binary exponents can be added up so.

    Those that can are far from overflow and from the subnormal numbers.
    """
    if exponents is None or not exact_sum.fits(exponents):
        return False
    return max(abs(exponents[0]), abs(exponents[1])) <= _EXPONENT_MAX


def unit(exponents: tuple[int, int]) -> int:
    """The power of two that a product's lowest part counts."""
    return 2 * (exponents[0] - exact_sum.SIGNIFICAND_BITS)


def halves(value: pl.Expr, exponents: tuple[int, int]) -> tuple[pl.Expr, pl.Expr]:
    """The high and the low part of a Float64, Int64; NULL for NaN and infinities."""
    scaled = exact_sum.scale(value, exact_sum.SIGNIFICAND_BITS - exponents[0])
    high = (scaled * 2.0**-BITS).floor()
    low = scaled - high * 2.0**BITS
    return high.cast(pl.Int64, strict=False), low.cast(pl.Int64, strict=False)


def product(a: tuple[pl.Expr, pl.Expr], b: tuple[pl.Expr, pl.Expr]) -> Parts:
    """The parts of a product, from those of the factors, as they are or as Int128."""
    (a_high, a_low), (b_high, b_low) = (
        (high.cast(pl.Int128), low.cast(pl.Int128)) for high, low in (a, b)
    )
    return a_high * b_high, a_high * b_low + a_low * b_high, a_low * b_low


def joined(parts: tuple[pl.Expr, pl.Expr]) -> pl.Expr:
    """Both parts as one Int128."""
    high, low = (part.cast(pl.Int128) for part in parts)
    return high * _integer(1 << BITS) + low


def pair(
    top: pl.Series, middle: pl.Series, low: pl.Series, exponent: int
) -> tuple[pl.Series, pl.Series]:
    """The nearest double of each sum, and what that leaves out, rounded once.

    top, middle, low: sums of the parts, Int128. exponent: of the power of two that `low` counts.
    Step by step, since as one expression it would repeat itself beyond all measure.
    """
    frame = pl.DataFrame({"top": top, "middle": middle, "low": low})
    for part, above in (("low", "middle"), ("middle", "top")):
        digit = pl.col(part) & _integer((1 << BITS) - 1)
        frame = frame.with_columns(digit.alias("digit"))
        carry = (pl.col(part) - pl.col("digit")) // _integer(1 << BITS)
        frame = frame.with_columns(pl.col("digit").alias(part), pl.col(above) + carry)
    rest = pl.col("middle") * _integer(1 << BITS) + pl.col("low")
    frame = frame.select("top", rest.alias("rest"))
    nearest = _nearest(frame)
    taken = (nearest * 2.0 ** (-2 * BITS)).cast(pl.Int128)
    under = (nearest - taken.cast(pl.Float64) * 2.0 ** (2 * BITS)).cast(pl.Int128)
    left = frame.select(pl.col("top") - taken, (pl.col("rest") - under).alias("left"))
    left = left.with_columns((pl.col("left") & _integer((1 << 2 * BITS) - 1)).alias("rest"))
    borrowed = (pl.col("left") - pl.col("rest")) // _integer(1 << 2 * BITS)
    remainder = _nearest(left.select(pl.col("top") + borrowed, "rest"))
    found = pl.DataFrame({"nearest": nearest, "remainder": remainder}).select(
        exact_sum.scale(pl.all(), exponent)
    )
    return found.get_column("nearest"), found.get_column("remainder")


def pair_of_integer(total: pl.Expr, exponent: int = 0) -> tuple[pl.Expr, pl.Expr]:
    """The same of an Int128, which counts 2**exponent."""
    nearest = total.cast(pl.Float64)
    remainder = (total - nearest.cast(pl.Int128)).cast(pl.Float64)
    return exact_sum.scale(nearest, exponent), exact_sum.scale(remainder, exponent)


def _integer(value: int) -> pl.Expr:
    return pl.lit(value, dtype=pl.Int128)


def _nearest(sums: pl.DataFrame) -> pl.Series:
    """The double nearest to top * 2**84 + rest, where 0 <= rest < 2**84.

    What does not fit 128 bits any more only matters as "not zero", which the lowest bit says from
    then on: it is far below those that a double has.
    """
    top, rest = pl.col("top"), pl.col("rest")
    exact = (top * _integer(1 << 2 * BITS) + rest).cast(pl.Float64)
    size = sums.select(top.abs()).to_series()
    if (size < _EXACT_BELOW).all():
        return sums.select(exact.alias("nearest")).to_series()
    below = rest & _integer((1 << _STICKY_BITS) - 1)
    above = (rest - below) // _integer(1 << _STICKY_BITS)
    kept = 2 * BITS - _STICKY_BITS
    shifted = (top * _integer(1 << kept) + above) | (below != 0).cast(pl.Int128)
    large = top | (rest != 0).cast(pl.Int128)
    return sums.select(
        pl.when(size < _EXACT_BELOW)
        .then(exact)
        .when(size < _SHIFTED_BELOW)
        .then(shifted.cast(pl.Float64) * 2.0**_STICKY_BITS)
        .otherwise(large.cast(pl.Float64) * 2.0 ** (2 * BITS))
        .alias("nearest")
    ).to_series()
