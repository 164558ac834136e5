"""Subqueries in expressions: joins on top of a clause's plan.

Owns: which columns a subquery reads from outside, and rewriting all of its expressions. Comes in:
the joins that were collected. Goes out: the same joins. Does not know: how a query is bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from eau2.operators.expr import Expr
from eau2.sql.environment import Dependent
from eau2.sql.logical import Logical, transform
from eau2.sql.plan_exprs import expressions, mapped
from eau2.sql.shapes import Shapes


def free_columns(join: Dependent) -> frozenset[int]:
    """The ids of the columns that the join's right side and condition read from outside of it."""
    condition = frozenset[int]() if join.condition is None else Shapes.columns(join.condition)
    return (condition | free_of(join.right)) - {column.id for column in join.right.output}


def free_of(plan: Logical) -> frozenset[int]:
    """The ids of the columns that a plan reads and does not make."""
    read: set[int] = set()
    made: set[int] = set()
    waiting = [plan]
    while waiting:
        node = waiting.pop()
        made.update(column.id for column in node.output)
        for expr in expressions(node):
            read |= Shapes.columns(expr)
        waiting.extend(node.inputs)
    return frozenset(read - made)


def replaced(join: Dependent, visit: Callable[[Expr], Expr]) -> Dependent:
    """The join with every expression in it, at any depth, rewritten."""
    condition = None if join.condition is None else visit(join.condition)
    right = transform(join.right, lambda node: mapped(node, visit))
    return replace(join, right=right, condition=condition)
