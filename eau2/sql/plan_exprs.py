"""The expressions of a plan's nodes: all of them, and the same node over changed ones.

Owns: which expressions each kind of node evaluates. Does not know: what a rule does with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from eau2.operators.expr import Column, Expr, SortKey
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
    """The node with `visit` applied to each of its own expressions, which must keep their types."""

    def items(pairs: tuple[tuple[Column, Expr], ...]) -> tuple[tuple[Column, Expr], ...]:
        return tuple((column, visit(expr)) for column, expr in pairs)

    def keys(sort: tuple[SortKey, ...]) -> tuple[SortKey, ...]:
        return tuple(replace(key, expr=visit(key.expr)) for key in sort)

    match node:
        case Filter(condition=condition):
            return replace(node, condition=visit(condition))
        case Project() | Unnest():
            return replace(node, items=items(node.items))
        case Expand():
            return replace(node, keys=items(node.keys))
        case Aggregate():
            calls = tuple((column, call.mapped(visit)) for column, call in node.aggregates)
            return replace(node, keys=items(node.keys), aggregates=calls)
        case Join(condition=condition):
            pairs = tuple((visit(a), visit(b)) for a, b in node.equalities)
            own = None if condition is None else visit(condition)
            return replace(node, equalities=pairs, condition=own)
        case DependentJoin(condition=condition):
            return node if condition is None else replace(node, condition=visit(condition))
        case Sort():
            return replace(node, keys=keys(node.keys))
        case Window():
            window_calls = tuple((column, call.mapped(visit)) for column, call in node.calls)
            return replace(
                node,
                partition=tuple(visit(expr) for expr in node.partition),
                order=keys(node.order),
                ties=keys(node.ties),
                calls=window_calls,
            )
    return node
