"""Open conditions: what is proven not to raise leaves the lets and CASEs of functions.

Owns: simplifying once more what holds a let, or a CASE in a condition. Comes in: any plan. Goes
out: the same rows and columns.
Does not know: how an expression is simplified.
"""

from __future__ import annotations

from eau2.operators.expr import Call, Expr, walk
from eau2.operators.functions.let import LET
from eau2.planner.conditions import is_closed
from eau2.planner.rules.fold_constants import folded
from eau2.sql.logical import Filter, Join, Logical, transform
from eau2.sql.plan_exprs import expressions


def open_conditions(plan: Logical) -> Logical:
    """The rule."""
    return transform(plan, _visit)


def _visit(node: Logical) -> Logical:
    match node:
        case Filter(condition=condition):
            again = is_closed(condition)
        case Join(condition=condition) if condition is not None:
            again = is_closed(condition)
        case _:
            again = any(map(_has_let, expressions(node)))
    return folded(node) if again else node


def _has_let(expr: Expr) -> bool:
    return any(isinstance(node, Call) and node.function == LET for node in walk(expr))
