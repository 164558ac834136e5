"""Number keys: which relations of a join graph are likely to be found by a unique whole number.

Owns: `number_keys`. Comes in: profiles of relations, and what equals what. Goes out:
guesses that only decide which side of a join is built. Does not know: orders, costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from eau2.operators.expr import ColumnRef, Expr
from eau2.planner.estimate import Profile

SPREAD = 32.0
"""So many numbers may lie between the lowest and the highest key, for each row."""
NEARLY = 0.9
"""The estimated share of distinct values from which keys seem to be unique."""

NumberKey = tuple[int, int, float]
"""The bit of a relation, the bits of those from which it is found, and how many rows it has."""


def number_keys(
    profiles: Sequence[Profile], classes: Iterable[Mapping[int, Expr]]
) -> list[NumberKey]:
    """The relations with such a key. classes: equal expressions, by the number of their relation.

    Several keys are likely to be unique together in the smaller of the two tables that share them.
    """
    found: list[NumberKey] = []
    shared: dict[tuple[int, int], float] = {}
    several: set[tuple[int, int]] = set()
    for members in classes:
        everyone = sum(1 << number for number in members)
        for number, member in members.items():
            profile = profiles[number]
            if not _is_near(profile, member):
                continue
            distinct = profile.distinct(member)
            if distinct >= NEARLY * profile.rows:
                found.append((1 << number, everyone & ~(1 << number), profile.rows))
            for other in members:
                if other != number and profiles[other].rows > profile.rows:
                    pair = number, other
                    if pair in shared:
                        several.add(pair)
                    shared[pair] = shared.get(pair, 1.0) * distinct
    for number, other in sorted(several):
        rows = profiles[number].rows
        if shared[number, other] >= rows:
            found.append((1 << number, 1 << other, rows))
    return found


def _is_near(profile: Profile, expr: Expr) -> bool:
    """Whether an expression is a column of whole numbers that lie close together."""
    if not isinstance(expr, ColumnRef) or not expr.type.is_integer:
        return False
    column = profile.columns.get(expr.id)
    if column is None or column.low is None or column.high is None:
        return False
    return column.high - column.low <= SPREAD * profile.rows
