"""Trim sorts: orders that nobody sees are not made, and keys that decide nothing are not compared.

Owns: which sorts there are and their keys. Comes in: any plan. Goes out: the same rows in an order
that differs from before only where no order was promised.
Does not know: how rows are sorted.

An order is seen at the root, by limits, and by windows that have no keys to tell peers apart.
Aggregates, joins and total sorts do not see it, apart from aggregates outside `UNORDERED`. After
keys that determine the row, others decide nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from eau2.operators.expr import ColumnRef, Expr, SortKey, columns_of
from eau2.operators.windows import needs_ties
from eau2.planner.unique_keys import determined, unique_keys
from eau2.records import replace
from eau2.sql.logical import (
    Aggregate,
    Join,
    Limit,
    Logical,
    Sample,
    Sort,
    Window,
)

UNORDERED = frozenset(
    {"any_value", "avg", "bool_and", "bool_or", "count", "count_if", "count_star"}
    | {"max", "min", "sum"}
)
"""Aggregates to which the order of rows makes no difference."""


def trim_sorts(plan: Logical) -> Logical:
    """The rule."""
    return _trim(plan, seen=True)


def _trim(plan: Logical, seen: bool) -> Logical:
    match plan:
        case Sort(input=below, keys=keys):
            if not seen:
                return _trim(below, seen=False)
            total = {c.id for c in plan.output} <= _bare(key.expr for key in keys)
            below = _trim(below, seen=not total)
            keys = _deciding(keys, below)
            return replace(plan, input=below, keys=keys) if keys else below
        case Aggregate(input=below, aggregates=aggregates):
            blind = all(call.function in UNORDERED for _, call in aggregates)
            return replace(plan, input=_trim(below, seen=not blind))
        case Join(left=left, right=right):
            return replace(plan, left=_trim(left, False), right=_trim(right, False))
        case Window(input=below, ties=ties, calls=calls):
            chosen = not ties and any(needs_ties(call) for _, call in calls)
            return replace(plan, input=_trim(below, seen or chosen))
        case Limit(input=below) | Sample(input=below):
            return replace(plan, input=_trim(below, seen=True))
    if plan.inputs:
        return plan.with_inputs(tuple(_trim(below, seen) for below in plan.inputs))
    return plan


def _bare(exprs: Iterable[Expr]) -> set[int]:
    return {expr.id for expr in exprs if isinstance(expr, ColumnRef)}


def _deciding(keys: tuple[SortKey, ...], below: Logical) -> tuple[SortKey, ...]:
    """The keys up to where they determine the row, without constants and repetitions."""
    kept: dict[Expr, SortKey] = {}
    unique = unique_keys(below)
    for key in keys:
        if determined(unique, kept):
            break
        if columns_of(key.expr) and key.expr not in kept:
            kept[key.expr] = key
    return tuple(kept.values())
