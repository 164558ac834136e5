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
from dataclasses import replace

from eau2.operators.expr import ColumnRef, Expr, SortKey, columns_of
from eau2.operators.windows import needs_ties
from eau2.sql.logical import (
    Aggregate,
    Filter,
    Join,
    Limit,
    Logical,
    OneRow,
    Project,
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
    unique = row_keys(below)
    kept: dict[Expr, SortKey] = {}
    open_ = None if unique is None else set(unique)
    for key in keys:
        if open_ is not None and not open_:
            break
        if columns_of(key.expr) and key.expr not in kept:
            kept[key.expr] = key
            if open_ is not None and isinstance(key.expr, ColumnRef):
                open_.discard(key.expr.id)
    return tuple(kept.values())


def row_keys(plan: Logical) -> frozenset[int] | None:
    """Columns of the output that together determine a row: empty for at most one row; or None."""
    match plan:
        case OneRow():
            return frozenset()
        case Aggregate(keys=keys):
            return frozenset(column.id for column, _ in keys)
        case Filter(input=below) | Sort(input=below) | Limit(input=below) | Window(input=below):
            return row_keys(below)
        case Project(input=below, items=items):
            inner = row_keys(below)
            given = {expr.id: c.id for c, expr in items if isinstance(expr, ColumnRef)}
            if inner is not None and inner <= given.keys():
                return frozenset(given[id_] for id_ in inner)
        case Join(kind="semi" | "anti" | "mark" | "single" | "asof" | "asof_left", left=left):
            return row_keys(left)
        case Join(kind="inner" | "cross" | "left", left=left, right=right):
            first, second = row_keys(left), row_keys(right)
            if first is not None and second is not None:
                found = second <= _bare(b for _, b in plan.equalities)
                return first if found else first | second
    return None
