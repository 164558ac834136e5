"""Statements of extreme size and shape, by name.

Owns: `EXTREMES`, and the texts they are made of. Comes in: nothing. Goes out: for each name a text
and what it gives. Does not know: where it is run.
"""

from __future__ import annotations

from collections.abc import Sequence

Rows = Sequence[tuple[object, ...]]


def nested(opening: str, core: str, closing: str, times: int) -> str:
    """The core between so many openings and closings."""
    return opening * times + core + closing * times


def listed(part: str, count: int, separator: str = ", ") -> str:
    """The part so many times, with the numbers from 0 in place of {i}."""
    return separator.join(part.replace("{i}", str(number)) for number in range(count))


def stacked(first: str, following: str, count: int) -> str:
    """Common tables c0, c1, ...: the first one, and those that read {before} it."""
    tables = [f"c0 AS ({first})"]
    for number in range(1, count):
        body = following.replace("{before}", f"c{number - 1}")
        tables.append(f"c{number} AS ({body})")
    return ", ".join(tables)
