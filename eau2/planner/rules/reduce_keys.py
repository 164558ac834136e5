"""Reduce keys: what groups are told apart by is no more than tells them apart.

Owns: keys of aggregates that others determine. Comes in: any plan. Goes out: the same columns, of
which constants and functions of other keys are computed once for each group.
Does not know: how groups are made, which keys determine others by what is stored.

A key determines its functions only where equal values cannot be told apart: 0.0 and -0.0 are one
group, and their inverses two; so it is with intervals. What can raise stays where it is.
"""

from __future__ import annotations

from eau2.operators.expr import Column, ColumnRef, Expr, columns_of, ref, substitute
from eau2.operators.facts import can_raise
from eau2.records import replace
from eau2.sql.logical import Aggregate, Logical, Project, transform
from eau2.types import Kind, SqlType


def reduce_keys(plan: Logical) -> Logical:
    """The rule."""
    return transform(plan, _visit)


def _visit(node: Logical) -> Logical:
    if not isinstance(node, Aggregate) or len(node.keys) < 2:
        return node
    held: dict[int, Expr] = {
        expr.id: ref(column)
        for column, expr in node.keys
        if isinstance(expr, ColumnRef) and _is_told_apart(expr.type)
    }
    derived = {column.id: expr for column, expr in node.keys if _is_determined(expr, held)}
    kept = tuple((column, expr) for column, expr in node.keys if column.id not in derived)
    if not derived or not kept:
        return node
    items: list[tuple[Column, Expr]] = [
        (column, substitute(derived[column.id], held) if column.id in derived else ref(column))
        for column in node.output
    ]
    return Project(replace(node, keys=kept), tuple(items))


def _is_told_apart(type_: SqlType) -> bool:
    """Whether values of the type that are equal are the same."""
    return not (type_.innermost.is_float or type_.innermost.kind is Kind.INTERVAL)


def _is_determined(expr: Expr, held: dict[int, Expr]) -> bool:
    if isinstance(expr, ColumnRef) or can_raise(expr):
        return False
    return columns_of(expr) <= held.keys()
