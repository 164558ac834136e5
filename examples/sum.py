"""Sums: what aggregate functions in Python gather of all numbers, and of groups of them."""

from __future__ import annotations

import eau2
from eau2.math import count, sqrt, sum

SQL = """
SELECT digit, sum(n) AS total, sqrt(sum(n::DOUBLE * n) / count(n)) AS mean_square
FROM numbers
GROUP BY digit
"""


@eau2.aggregate
def total(n: int) -> int:
    """The sum of all numbers."""
    return sum(n)


@eau2.aggregate
def mean_square(n: float) -> float:
    """The root of the mean of the squares."""
    return sqrt(sum(n * n) / count(n))


@eau2.function
def last_digit(n: int) -> int:
    """Such as 7 of 1007."""
    return n % 10


class Sum(eau2.Application):
    """Stores numbers, and under `sums` what each last digit's numbers come to."""

    def run(self, kv: eau2.KeyValueStore) -> None:
        """Show the sum of all, and the sums."""
        numbers = kv.query("SELECT range AS n FROM range(100000)").with_columns(
            digit=(last_digit, "n")
        )
        numbers = kv.compute("numbers", numbers, replace=True)
        numbers.reduce(total, mean_square).show()
        kv.compute(
            "sums", numbers.group_by("digit").reduce(total, mean_square), replace=True
        ).show()
