"""Fold constants: expressions are simplified, and what can have no rows becomes Nothing.

Owns: applying simplify.py to every expression of a plan, and the consequences for nodes.
Comes in: any plan. Goes out: the same rows and columns.
Does not know: how an expression is simplified.
"""

from __future__ import annotations

from eau2.operators.expr import Expr, Literal, ref
from eau2.planner.simplify import FALSE, TRUE, as_filter, as_join_condition, simplified
from eau2.records import replace
from eau2.sql.logical import (
    Aggregate,
    Expand,
    Filter,
    Join,
    Limit,
    Logical,
    Nothing,
    Project,
    Sample,
    Sort,
    Union,
    Unnest,
    Window,
    transform,
)
from eau2.sql.plan_exprs import mapped


def fold_constants(plan: Logical) -> Logical:
    """The rule."""
    return transform(plan, folded)


def folded(node: Logical) -> Logical:
    """One node over inputs that are folded already."""
    node = _expressions(node)
    match node:
        case Filter(input=below, condition=condition):
            if condition == TRUE:
                return below
            if condition == FALSE or isinstance(below, Nothing):
                return Nothing(node.output)
        case (
            Project(input=Nothing())
            | Sort(input=Nothing())
            | Limit(input=Nothing())
            | Window(input=Nothing())
        ):
            return Nothing(node.output)
        case Expand(input=Nothing()) | Unnest(input=Nothing()):
            return Nothing(node.output)
        case Union(parts=parts) if any(isinstance(part, Nothing) for part in parts):
            return _union(node, tuple(p for p in parts if not isinstance(p, Nothing)))
        case Sample(input=Nothing()):
            return Nothing(node.output)
        case Limit(count=0):
            return Nothing(node.output)
        case Aggregate(input=Nothing(), keys=keys) if keys:
            return Nothing(node.output)
        case Join():
            return _join(node)
    return node


def _union(node: Union, parts: tuple[Logical, ...]) -> Logical:
    """A union without the inputs that have no rows."""
    if not parts:
        return Nothing(node.output)
    if len(parts) > 1:
        return node.with_inputs(parts)
    pairs = zip(node.columns, parts[0].output, strict=True)
    return Project(parts[0], tuple((column, ref(given)) for column, given in pairs))


def _expressions(node: Logical) -> Logical:
    """The node over simplified expressions."""
    match node:
        case Filter(condition=condition):
            return replace(node, condition=as_filter(condition))
        case Join(kind="asof" | "asof_left"):
            return node
        case Join(equalities=equalities, condition=condition):
            return replace(
                node,
                equalities=tuple((simplified(a), simplified(b)) for a, b in equalities),
                condition=_unless_true(condition),
            )
    return mapped(node, simplified)


def _unless_true(condition: Expr | None) -> Expr | None:
    if condition is None:
        return None
    simpler = as_join_condition(condition)
    return None if simpler == TRUE else simpler


def _join(node: Join) -> Logical:
    """A join without one of its inputs, or without any pair."""
    apart = node.condition == FALSE
    no_left, no_right = isinstance(node.left, Nothing), isinstance(node.right, Nothing)
    if not (apart or no_left or no_right):
        return node
    match node.kind:
        case "inner" | "cross" | "semi" | "asof":
            return Nothing(node.output)
        case "left" | "single" | "asof_left":
            return Nothing(node.output) if no_left else _padded(node, node.left)
        case "right":
            return Nothing(node.output) if no_right else _padded(node, node.right)
        case "anti":
            return Nothing(node.output) if no_left else node.left
        case "mark" if node.mark is not None:
            kept = tuple((column, ref(column)) for column in node.left.output)
            marked = Project(node.left, (*kept, (node.mark, FALSE)))
            return Nothing(node.output) if no_left else marked
    if no_left and no_right:
        return Nothing(node.output)
    if no_left or no_right:
        return _padded(node, node.right if no_left else node.left)
    return node


def _padded(node: Join, kept: Logical) -> Logical:
    """One side's rows, with NULLs for the other's columns."""
    ids = {column.id for column in kept.output}
    return Project(
        kept,
        tuple((c, ref(c) if c.id in ids else Literal(c.type, None)) for c in node.output),
    )
