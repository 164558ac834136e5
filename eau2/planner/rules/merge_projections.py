"""Merge projections: neighbours become one, and those that do nothing go.

Owns: projections that only rename, reorder or feed one another. Comes in: any plan. Goes out: the
same output columns, computed in fewer steps.
Does not know: which columns are needed (prune_columns does).

An expression is written into the place that uses it when it is a column, a constant, or used once;
what is used several times stays computed once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from eau2.operators.expr import (
    Column,
    ColumnRef,
    Expr,
    Literal,
    substitute,
    walk,
)
from eau2.sql.logical import Aggregate, Logical, Project, transform


def merge_projections(plan: Logical) -> Logical:
    """The rule."""
    return transform(plan, _visit)


def _visit(node: Logical) -> Logical:
    match node:
        case Project(input=below, items=items) if _is_identity(items, below.output):
            return below
        case Project(input=Project() as inner, items=items):
            mapping = _inlined(inner, [expr for _, expr in items])
            if mapping is None:
                return node
            merged = tuple((column, substitute(expr, mapping)) for column, expr in items)
            return _visit(Project(inner.input, merged))
        case Aggregate(input=Project() as inner):
            return _into_aggregate(node, inner)
    return node


def _into_aggregate(node: Aggregate, inner: Project) -> Logical:
    exprs = [expr for _, expr in node.keys]
    exprs += [expr for _, call in node.aggregates for expr in call.exprs]
    mapping = _inlined(inner, exprs)
    if mapping is None:
        return node
    keys = tuple((column, substitute(expr, mapping)) for column, expr in node.keys)
    aggregates = tuple(
        (column, call.mapped(lambda expr: substitute(expr, mapping)))
        for column, call in node.aggregates
    )
    return _visit(Aggregate(inner.input, keys, aggregates))


def _is_identity(items: tuple[tuple[Column, Expr], ...], columns: tuple[Column, ...]) -> bool:
    return len(items) == len(columns) and all(
        isinstance(expr, ColumnRef) and expr.id == column.id == below.id
        for (column, expr), below in zip(items, columns, strict=True)
    )


def _inlined(inner: Project, users: Iterable[Expr]) -> dict[int, Expr] | None:
    """The inner expressions by column id; None when merging would compute one several times."""
    uses = Counter(id_ for expr in users for id_ in _references(expr))
    for column, expr in inner.items:
        if not isinstance(expr, ColumnRef | Literal) and uses[column.id] > 1:
            return None
    return {column.id: expr for column, expr in inner.items}


def _references(expr: Expr) -> Iterator[int]:
    return (node.id for node in walk(expr) if isinstance(node, ColumnRef))
