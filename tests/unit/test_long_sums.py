"""Exact sums of products as parts of 128 bits: pairs of doubles against Python's own integers."""

from __future__ import annotations

import random

import polars as pl
import pytest

from eau2.operators import long_sums

BITS = (0, 1, 20, 39, 40, 41, 42, 43, 59, 60, 61, 80, 90, 124)
EXPONENT = -700


def parts(seed: int, count: int) -> list[tuple[int, int, int]]:
    """Sums near every place where the rounding takes another way."""
    draw = random.Random(seed)

    def one() -> int:
        size = 1 << draw.choice(BITS)
        return draw.choice([0, 1, -1, size, -size, size - 1, draw.randint(-size, size)])

    return [(one(), one(), one()) for _ in range(count)]


@pytest.mark.parametrize("seed", range(4))
def test_pairs_are_the_nearest_doubles(seed: int) -> None:
    sums = parts(seed, 5000)
    columns = [pl.Series(column, dtype=pl.Int128) for column in zip(*sums, strict=True)]
    nearest, low = long_sums.pair(columns[0], columns[1], columns[2], EXPONENT)
    for (a, b, c), high, rest in zip(sums, nearest.to_list(), low.to_list(), strict=True):
        total = (a << 84) + (b << 42) + c
        wanted = float(total), float(total - int(float(total)))
        assert (high, rest) == tuple(value * 2.0**EXPONENT for value in wanted), (a, b, c)


@pytest.mark.parametrize("exponents", [(-20, 8), (0, 31), (-400, -369), (369, 400), (3, 3)])
def test_products_add_up_exactly(exponents: tuple[int, int]) -> None:
    draw = random.Random(7)
    low, high = exponents
    values = [
        draw.choice([-1.0, 1.0]) * draw.uniform(0.5, 1.0) * 2.0 ** draw.randint(low, high)
        for _ in range(500)
    ]
    values += [0.0, -0.0, 0.5 * 2.0**low, -(1 - 2.0**-53) * 2.0**high]
    others = draw.sample(values, len(values))
    frame = pl.DataFrame({"x": values, "y": others})
    assert long_sums.fits(exponents)
    x, y = (long_sums.halves(pl.col(name), exponents) for name in "xy")
    sums = frame.select(
        part.sum().alias(str(place)) for place, part in enumerate(long_sums.product(x, y))
    )
    unit = 2 * (53 - low)
    found = sum(int(sums[str(place)][0]) << bits for place, bits in enumerate((84, 42, 0)))
    xs, ys = ([_integer(value, 53 - low) for value in column] for column in (values, others))
    assert found == sum(a * b for a, b in zip(xs, ys, strict=True))
    assert long_sums.unit(exponents) == -unit


def _integer(value: float, shift: int) -> int:
    numerator, denominator = value.as_integer_ratio()
    moved = numerator << shift if shift >= 0 else numerator >> -shift
    quotient, rest = divmod(moved, denominator)
    assert shift < 0 or rest == 0
    if shift < 0:
        assert numerator % (1 << -shift) == 0
    return quotient


@pytest.mark.parametrize("exponents", [None, (-20, 12), (-401, -380), (390, 401), (5, 4)])
def test_what_does_not_fit(exponents: tuple[int, int] | None) -> None:
    assert not long_sums.fits(exponents)
