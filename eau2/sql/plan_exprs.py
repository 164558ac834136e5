"""The expressions of a plan's nodes: all of them, and the same node over changed ones.

Owns: which expressions each kind of node evaluates. Does not know: what a rule does with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_not
from typing import Any

from eau2.operators.expr import Column, Expr, SortKey
from eau2.records import replace
from eau2.sql.logical import (
    Aggregate,
    DependentJoin,
    Expand,
    Filter,
    Join,
    Logical,
    Project,
    Sort,
    Unnest,
    Window,
)


def expressions(node: Logical) -> tuple[Expr, ...]:
    """The expressions that the node itself evaluates, over its inputs' columns."""
    match node:
        case Filter(condition=condition):
            return (condition,)
        case Project(items=items) | Unnest(items=items) | Expand(keys=items):
            return tuple(expr for _, expr in items)
        case Aggregate(keys=keys, aggregates=calls):
            read = (expr for _, call in calls for expr in call.exprs)
            return (*(expr for _, expr in keys), *read)
        case Join(equalities=equalities, condition=condition):
            own = () if condition is None else (condition,)
            return (*(side for pair in equalities for side in pair), *own)
        case DependentJoin(condition=condition):
            return () if condition is None else (condition,)
        case Sort(keys=keys):
            return tuple(key.expr for key in keys)
        case Window(partition=partition, order=order, ties=ties, calls=window_calls):
            read = (expr for _, call in window_calls for expr in call.exprs)
            return (*partition, *(key.expr for key in (*order, *ties)), *read)
    return ()


def mapped(node: Logical, visit: Callable[[Expr], Expr]) -> Logical:
    """The node with `visit` applied to each of its own expressions, which must keep their types.

    The node itself when none of them changes.
    """

    def items(pairs: tuple[tuple[Column, Expr], ...]) -> tuple[tuple[Column, Expr], ...]:
        new = [(column, visit(expr)) for column, expr in pairs]
        return pairs if _same(new, pairs) else tuple(new)

    def keys(sort: tuple[SortKey, ...]) -> tuple[SortKey, ...]:
        new = [visit(key.expr) for key in sort]
        if not any(map(is_not, new, [key.expr for key in sort])):
            return sort
        return tuple([replace(key, expr=expr) for key, expr in zip(sort, new, strict=True)])

    changed: dict[str, Any]
    match node:
        case Filter(condition=condition):
            changed = {"condition": visit(condition)}
        case Project() | Unnest():
            changed = {"items": items(node.items)}
        case Expand():
            changed = {"keys": items(node.keys)}
        case Aggregate():
            calls = [(column, call.mapped(visit)) for column, call in node.aggregates]
            same = _same(calls, node.aggregates)
            changed = {
                "keys": items(node.keys),
                "aggregates": node.aggregates if same else tuple(calls),
            }
        case Join(condition=condition):
            pairs = [(visit(a), visit(b)) for a, b in node.equalities]
            same = _same(pairs, node.equalities)
            changed = {
                "equalities": node.equalities if same else tuple(pairs),
                "condition": None if condition is None else visit(condition),
            }
        case DependentJoin(condition=condition):
            changed = {"condition": None if condition is None else visit(condition)}
        case Sort():
            changed = {"keys": keys(node.keys)}
        case Window():
            changed = {
                "partition": tuple(visit(expr) for expr in node.partition),
                "order": keys(node.order),
                "ties": keys(node.ties),
                "calls": tuple((column, call.mapped(visit)) for column, call in node.calls),
            }
        case _:
            return node
    for name, value in changed.items():
        if getattr(node, name) is not value:
            return replace(node, **changed)
    return node


def _same(new: Sequence[tuple[object, object]], old: Sequence[tuple[object, object]]) -> bool:
    """Whether all pairs are of the very same objects."""
    return all(a is c and b is d for (a, b), (c, d) in zip(new, old, strict=True))
