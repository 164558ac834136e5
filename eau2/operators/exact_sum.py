"""Float sums that are exact before their one rounding, whatever the order and the chunking.

Owns: how doubles become integers that can be added without error, and how such sums become the
nearest double. Comes in: Polars expressions over a Float64 column. Goes out: expressions for
partial states, and `combine`, which finishes them. Does not know: aggregates, groups, SQL.

A double is an integer of 53 bits times a power of two. Doubles of nearby exponents are integers
over one common power, and 128-bit integers add without rounding and in any order. Two forms:

fixed: where statistics bound the exponents, all values share one power of two (`fits`).

binned: otherwise rows are grouped additionally by `bin_of`, the upper six bits of the exponent: 64
bins of 32 powers of two. Within a bin a value takes 53 + 31 bits, which leaves room for 2**43 rows.
At the end the bins of a group are digits in base 2**32; `combine` carries, takes the leading 65
bits or more, keeps "something was below" as a sticky bit, and rounds once, to nearest even.

NaN and infinities are no part of these integers: `special` adds them up as floats, where order does
not matter (NaN wins, infinities of both signs make NaN). Source of the idea: U. Kulisch,
"Computer Arithmetic and Validity"; binning as in Demmel and Nguyen, "Parallel Reproducible
Summation", IEEE Trans. Computers 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import polars as pl

_FRACTION_BITS = 52
_BIN_SHIFT = 57
_BIN_MASK = 63 << _BIN_SHIFT
_EXPONENT_MASK = 0x7FF << _FRACTION_BITS
_BIAS = 1075
"""A double with exponent field e > 0 is its 53-bit significand times 2**(e - 1075)."""
_DIGIT_BITS = 32
_DIGIT = 1 << _DIGIT_BITS
_EXACT_BITS = 126
_ROW_BITS = 42
SIGNIFICAND_BITS = 53
_ZERO = pl.lit(0, dtype=pl.Int128)
_ONE = pl.lit(1, dtype=pl.Int128)
_MINUS = pl.lit(-1, dtype=pl.Int128)


def fits(exponents: tuple[int, int] | None) -> bool:
    """Whether values of these binary exponents (as math.frexp gives them) can use the fixed form.

    True when a sum of 2**42 such values fits 126 bits.
    """
    if exponents is None:
        return False
    low, high = exponents
    return low <= high and SIGNIFICAND_BITS + high - low + _ROW_BITS <= _EXACT_BITS


def scaled_fixed(value: pl.Expr, exponents: tuple[int, int]) -> pl.Expr:
    """`value` (Float64) as an Int128 count of 2**(low - 53); NULL for NaN and infinities."""
    shift = SIGNIFICAND_BITS - exponents[0]
    return scale(value, shift).cast(pl.Int128, strict=False)


def finish_fixed(total: pl.Expr, exponents: tuple[int, int]) -> pl.Expr:
    """The nearest Float64 of a fixed sum of finite values."""
    return scale(total.cast(pl.Float64), exponents[0] - SIGNIFICAND_BITS)


def with_special(total: pl.Expr, special: pl.Expr) -> pl.Expr:
    """NaN or an infinity where the summands held one, else the sum of the finite ones."""
    return pl.when(special != 0.0).then(special.fill_nan(float("nan"))).otherwise(total)


def canonical(value: pl.Expr) -> pl.Expr:
    """Floats such that equal ones have equal bits: no -0.0, one NaN.

    Not by adding 0.0, which Polars' optimiser takes away.
    """
    return pl.when(value == 0.0).then(0.0).otherwise(value.fill_nan(float("nan")))


def special(value: pl.Expr) -> pl.Expr:
    """The sum of the values that are NaN or infinite; 0.0 when all are finite. An aggregation."""
    return pl.when(~value.is_finite()).then(value).sum()


def bin_of(value: pl.Expr) -> pl.Expr:
    """The bin of each value: Int64, the upper six exponent bits in place. NULLs are in bin 0."""
    return (value.reinterpret(dtype=pl.Int64) & _BIN_MASK).fill_null(0)


def scaled_in_bin(value: pl.Expr) -> pl.Expr:
    """`value` (Float64) as an Int128 count of 2**(32 * bin - 1075); any count for NaN and infinity.

    Setting the bin's bits to those of 2**0 scaled by the bias multiplies by the right power of two
    without a multiplication. Zero and subnormal numbers have no leading one, and are multiplied.
    """
    bits = value.reinterpret(dtype=pl.Int64)
    moved = (bits & ~_BIN_MASK) + (_BIAS << _FRACTION_BITS)
    small = (bits & _EXPONENT_MASK) == 0
    scaled = pl.when(small).then(scale(value, _BIAS)).otherwise(moved.reinterpret(dtype=pl.Float64))
    return scaled.cast(pl.Int128)


def bins_in(column: pl.Series) -> list[int]:
    """The bin numbers (0 to 63) that occur in a column of `bin_of`, ascending."""
    return sorted(value >> _BIN_SHIFT for value in column.unique().drop_nulls().to_list())


def in_bin(column: pl.Expr, number: int) -> pl.Expr:
    """Whether a value of `bin_of` is the bin of this number."""
    return column == number << _BIN_SHIFT


def combine(sums: pl.DataFrame, bins: Sequence[int]) -> pl.Series:
    """The nearest double of each row's exact sum.

    sums: one Int128 column (no NULLs) for each of `bins`, which ascend; column i counts
    2**(32 * bins[i] - 1075). Gives one Float64 for each row, rounded to nearest even; what exceeds
    the doubles is infinite.
    """
    digits = sums.rename(dict(zip(sums.columns, map(_name, bins), strict=True)))
    if len(bins) == 1:
        return _as_double(digits.to_series(), bins[0])
    sign = _carry(digits, bins).select(pl.when(pl.col("carry") < 0).then(_MINUS).otherwise(_ONE))
    absolute = digits.with_columns(sign.to_series().alias("sign")).select(
        pl.all().exclude("sign") * pl.col("sign")
    )
    total = _round(_carry(absolute, bins), bins)
    return total * sign.to_series().cast(pl.Float64)


def added(
    parts: Sequence[tuple[pl.DataFrame, Sequence[int]]],
) -> tuple[pl.DataFrame, list[int]]:
    """Several sums as one, still exact: its digits, and their bins."""
    bins = sorted({number for _, numbers in parts for number in numbers})
    if len(parts) == 1:
        return parts[0][0], bins
    columns = [
        reduce(
            add,
            [digits.to_series(list(own).index(number)) for digits, own in parts if number in own],
        )
        for number in bins
    ]
    return pl.DataFrame([c.alias(_name(n)) for c, n in zip(columns, bins, strict=True)]), bins


def remainder(sums: pl.DataFrame, bins: Sequence[int], nearest: pl.Series) -> pl.Series:
    """What the rounding to `nearest` (by `combine`, of the same sums) has left out, rounded once.

    0.0 where the sum was infinite.
    """
    held = pl.when(nearest.is_finite()).then(nearest).otherwise(0.0).alias("v")
    taken = pl.select(held).select(
        bin_of(pl.col("v")).alias("bin"), scaled_in_bin(pl.col("v")).alias("scaled")
    )
    positions = sorted({*bins, *bins_in(taken.get_column("bin"))})
    named = dict(zip(bins, sums.columns, strict=True))
    table = sums.hstack(taken)
    left = [
        (pl.col(named[p]) if p in named else _ZERO)
        - pl.when(in_bin(pl.col("bin"), p)).then(pl.col("scaled")).otherwise(_ZERO)
        for p in positions
    ]
    parts = table.select(part.alias(_name(p)) for p, part in zip(positions, left, strict=True))
    rest = combine(parts, positions)
    return pl.select(pl.when(nearest.is_finite()).then(rest).otherwise(0.0)).to_series()


def _name(position: int) -> str:
    return f"digit_{position}"


def _carry(digits: pl.DataFrame, bins: Sequence[int]) -> pl.DataFrame:
    """Digits of 0 to 2**32 - 1 for all positions from the first bin to the last, by carrying.

    What is above the last goes to the column "carry", which alone may be negative.
    """
    frame = digits.with_columns(_ZERO.alias("carry"))
    for position in range(bins[0], bins[-1] + 1):
        total = pl.col("carry")
        if position in bins:
            total = total + pl.col(_name(position))
        digit = total & (_DIGIT - 1)
        frame = frame.with_columns(
            digit.alias(_name(position)), ((total - digit) // _DIGIT).alias("carry")
        )
    return frame


def _round(digits: pl.DataFrame, bins: Sequence[int]) -> pl.Series:
    """The double nearest to each row of `_carry`, all digits being >= 0.

    Digits are taken from the top until 65 bits or more are held; any that are left only matter as
    "not zero", which the lowest held bit says from then on.
    """
    first, last = bins[0], bins[-1]
    held, lowest, below = pl.col("carry"), pl.col("lowest"), pl.col("below")
    frame = digits.with_columns(
        pl.lit(last + 1, dtype=pl.Int64).alias("lowest"), _ZERO.alias("below")
    )
    for position in range(last, first - 1, -1):
        digit = pl.col(_name(position))
        room = held < 1 << 64
        frame = frame.with_columns(
            pl.when(room).then(held * _DIGIT + digit).otherwise(held).alias("carry"),
            pl.when(room).then(position).otherwise(lowest).alias("lowest"),
            pl.when(room).then(below).otherwise(below | digit).alias("below"),
        )
    bits = frame.select(held | pl.when(below != 0).then(_ONE).otherwise(_ZERO)).to_series()
    levels = frame.get_column("lowest")
    result = levels.cast(pl.Float64)
    for position in levels.unique().to_list():
        result = _as_double(bits, position).zip_with(levels == position, result)
    return result


def _as_double(total: pl.Series, position: int) -> pl.Series:
    """Give total * 2**(32 * position - 1075), rounded once.

    The cast rounds to nearest even. The scaling is exact: a sum of doubles is a multiple of the
    smallest one, so a result among the subnormal numbers had few bits to begin with.
    """
    frame = total.to_frame("total")
    exponent = _DIGIT_BITS * position - _BIAS
    return frame.select(scale(pl.col("total").cast(pl.Float64), exponent)).to_series()


def scale(value: pl.Expr, exponent: int) -> pl.Expr:
    """Give value * 2**exponent, by factors that are doubles."""
    while exponent:
        step = max(-1000, min(1000, exponent))
        value = value * 2.0**step
        exponent -= step
    return value
