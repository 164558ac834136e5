"""Levels of lambdas: what becomes of them when expressions move into lambdas, or out of them.

Owns: the arithmetic of `LambdaParameter.level`. Comes in: bound expressions, and inside how many
lambdas they stand. Goes out: the same expressions for another place.
Does not know: which functions take lambdas, why something moves.

An expression that stands inside `depth` lambdas reads parameters of levels below `depth`, which
others brought, and of levels from `depth` on, which its own lambdas bring. Only the latter change
when it moves.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import is_not

from eau2.operators.expr import ColumnRef, Expr, Lambda, LambdaParameter, transform
from eau2.records import replace

Place = Callable[[Expr, int], Expr | None]
"""What takes the place of a node inside so many lambdas; None leaves it where it is."""


def moved(expr: Expr, depth: int, to: int) -> Expr:
    """`expr`, which stands inside `depth` lambdas, as it is written inside `to` of them."""
    by = to - depth
    if by == 0:
        return expr

    def visit(node: Expr) -> Expr:
        match node:
            case LambdaParameter(level=level) if level >= depth:
                return replace(node, level=level + by)
            case Lambda(parameters=parameters) if parameters:
                raised = tuple([replace(p, level=p.level + by) for p in parameters])
                return replace(node, parameters=raised)
        return node

    return transform(expr, visit)


def placed(expr: Expr, place: Place, depth: int) -> Expr:
    """`expr`, which stands inside `depth` lambdas, with what `place` gives for its largest parts.

    What it gives is taken as it is, and must be written for that depth.
    """
    found = place(expr, depth)
    if found is not None:
        return found
    children = expr.children
    if not children:
        return expr
    inner = depth + isinstance(expr, Lambda)
    new = tuple([placed(child, place, inner) for child in children])
    return expr.with_children(new) if any(map(is_not, new, children)) else expr


def stands_alone(expr: Expr) -> bool:
    """Whether it reads no column, and no parameter of a lambda that is not in it."""
    waiting: list[tuple[Expr, frozenset[LambdaParameter]]] = [(expr, frozenset())]
    while waiting:
        node, known = waiting.pop()
        if isinstance(node, ColumnRef):
            return False
        if isinstance(node, LambdaParameter) and node not in known:
            return False
        if isinstance(node, Lambda):
            known = known.union(node.parameters)
        waiting += [(child, known) for child in node.children]
    return True
