"""Unique keys: which columns of a plan tell its rows apart.

Owns: `unique_keys`, `is_unique` and `seems_unique`. Comes in: plans, statistics. Goes out: sets of
columns of which no two rows have the same values, NULL counted as a value. Does not know: who asks.

What is unique is certain: it follows from grouping, or a frame's statistics have verified it for
this version. What seems unique may only decide between plans that give the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable

from eau2.catalog import NOT_STORED, ColumnStatistics
from eau2.operators.expr import ColumnRef, Expr
from eau2.sql.logical import (
    Aggregate,
    Filter,
    Join,
    Limit,
    Logical,
    OneRow,
    Project,
    Sample,
    Scan,
    Sort,
    Window,
)

MOST = 8
"""So many keys of a plan are followed; joins of several tables have many."""
NEARLY = 0.9
"""A sketch may count so much less than all the values that there are."""

Keys = tuple[frozenset[int], ...]


def is_unique(statistics: ColumnStatistics, rows: int) -> bool:
    """Whether it is certain that all values of a column differ, and none is NULL.

    A sketch that is not full proves it: as many hashes as rows belong to as many values.
    """
    if statistics.null_count or isinstance(statistics.minimum, float | None):
        return False
    if rows <= 1 or bool(getattr(statistics, "unique", False)):
        return True
    sketch = statistics.distinct
    return sketch is not None and len(sketch.hashes) < sketch.k and len(sketch.hashes) == rows


def seems_unique(statistics: ColumnStatistics, rows: int) -> bool:
    """Whether a column of integers has about as many values as rows."""
    if is_unique(statistics, rows):
        return True
    if statistics.distinct is None or not isinstance(statistics.minimum, int):
        return False
    return statistics.distinct.estimate() >= NEARLY * (rows - statistics.null_count)


def unique_keys(plan: Logical) -> Keys:
    """Sets of columns of the output, each of which determines a row; empty for at most one row."""
    match plan:
        case OneRow():
            return (frozenset(),)
        case Scan(frame=frame, columns=columns, positions=positions):
            if frame.version == NOT_STORED:
                return ()
            known = frame.statistics
            pairs = zip(columns, positions, strict=True)
            found = (c for c, p in pairs if p < len(known) and is_unique(known[p], frame.rows))
            return tuple(frozenset((column.id,)) for column in found)
        case Aggregate(input=below, keys=keys):
            bare = {expr.id: c.id for c, expr in keys if isinstance(expr, ColumnRef)}
            inner = (key for key in unique_keys(below) if key <= bare.keys())
            renamed = (frozenset(bare[id_] for id_ in key) for key in inner)
            return _least((*renamed, frozenset(column.id for column, _ in keys)))
        case Filter(input=below) | Sort(input=below) | Window(input=below) | Sample(input=below):
            return unique_keys(below)
        case Limit(input=below, count=count):
            return (frozenset(),) if count in (0, 1) else unique_keys(below)
        case Project(input=below, items=items):
            given = {expr.id: c.id for c, expr in items if isinstance(expr, ColumnRef)}
            passed = (key for key in unique_keys(below) if key <= given.keys())
            return tuple(frozenset(given[id_] for id_ in key) for key in passed)
        case Join():
            return _of_join(plan)
    return ()


def _of_join(join: Join) -> Keys:
    left = unique_keys(join.left)
    match join.kind:
        case "semi" | "anti" | "mark" | "single" | "asof" | "asof_left":
            return left
        case "inner" | "cross" | "left":
            right = unique_keys(join.right)
            one_right = determined(right, (b for _, b in join.equalities))
            one_left = determined(left, (a for a, _ in join.equalities))
            if join.kind == "left":
                # A padded row has no right values of its own.
                one_left = False
            found = (left if one_right else ()) + (right if one_left else ())
            return _least(found or tuple(a | b for a in left for b in right))
    return ()


def determined(keys: Keys, exprs: Iterable[Expr]) -> bool:
    """Whether values of the expressions belong to at most one row of a plan with these keys."""
    bare = {expr.id for expr in exprs if isinstance(expr, ColumnRef)}
    return any(key <= bare for key in keys)


def _least(keys: Keys) -> Keys:
    """The keys without those that hold another one, the smallest first."""
    kept: list[frozenset[int]] = []
    for key in sorted(dict.fromkeys(keys), key=len):
        if not any(smaller <= key for smaller in kept):
            kept.append(key)
    return tuple(kept[:MOST])
