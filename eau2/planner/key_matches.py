"""Key matches: of how many pairs of rows one has equal keys.

Owns: `matching`. Comes in: distinct values of keys, rows. Goes out: a divisor of the number of
pairs. Does not know: plans.
"""

from __future__ import annotations


def matching(values: list[tuple[float, float]], left: float, right: float) -> float:
    """Of how many pairs of rows one has equal keys, by the distinct values of each key.

    Several keys are not independent where together they would have more values than a side has
    rows. Of the key with most values each is then believed to come with as many combinations of
    the others as on the side where it comes with fewer.
    """
    independent = ours = theirs = 1.0
    for a, b in values:
        independent *= max(a, b, 1.0)
        ours *= a
        theirs *= b
    if len(values) < 2:
        return independent
    first, second = max(values, key=max)
    each = min(min(ours, left) / max(first, 1.0), min(theirs, right) / max(second, 1.0))
    return min(independent, max(first, second, 1.0) * max(1.0, each))
