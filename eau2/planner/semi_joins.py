"""Semi joins over trees of joins, and the same over the one relation that they read.

Owns: `over_relation`. Comes in: a semi or anti join. Goes out: the same rows and columns from a
plan in which it stands below the joins. Does not know: which of the two costs less.
"""

from __future__ import annotations

from eau2.operators.expr import ColumnRef, Expr, columns_of, substitute
from eau2.operators.facts import can_raise
from eau2.records import replace
from eau2.sql.logical import Filter, Join, Logical, Project
from eau2.sql.plan_exprs import expressions, mapped


def over_relation(join: Join) -> tuple[Join, Logical] | None:
    """The join over the one relation that it reads, and the plan with it there; None if none is."""
    if any(map(can_raise, expressions(join))):
        return None
    found = _pushed(join.left, join) if filters_tree(join.left) else None
    return None if found is None or found[0].left is join.left else found


def filters_tree(plan: Logical) -> bool:
    """Whether the plan is a tree of inner joins, perhaps under filters and semi joins."""
    match plan:
        case Filter(input=below):
            return filters_tree(below)
        case Project(input=below, items=items):
            return all(isinstance(expr, ColumnRef) for _, expr in items) and filters_tree(below)
        case Join(kind="semi" | "anti", left=left):
            return filters_tree(left)
    return isinstance(plan, Join) and plan.kind in ("inner", "cross")


def _pushed(plan: Logical, join: Join) -> tuple[Join, Logical] | None:
    """The semi join over the one relation that it reads, and the tree with it in that place."""
    wanted = _read(join) & {column.id for column in plan.output}
    match plan:
        case Filter(input=below) if filters_tree(plan):
            return _around(plan, _pushed(below, join))
        case Project(input=below, items=items) if filters_tree(plan):
            mapping: dict[int, Expr] = {column.id: expr for column, expr in items}
            renamed = mapped(join, lambda expr: substitute(expr, mapping))
            assert isinstance(renamed, Join)
            return _around(plan, _pushed(below, renamed))
        case Join(kind="semi" | "anti", left=left, right=right) if filters_tree(plan):
            found = _pushed(left, join)
            return None if found is None else (found[0], plan.with_inputs((found[1], right)))
        case Join(left=left, right=right) if filters_tree(plan):
            for side, other in ((left, right), (right, left)):
                if not wanted <= {column.id for column in side.output}:
                    continue
                found = _pushed(side, join)
                if found is None:
                    return None
                sides = (found[1], other) if side is left else (other, found[1])
                return found[0], plan.with_inputs(sides)
            return None
    moved = replace(join, left=plan)
    return moved, moved


def _around(plan: Logical, found: tuple[Join, Logical] | None) -> tuple[Join, Logical] | None:
    return None if found is None else (found[0], plan.with_inputs((found[1],)))


def _read(join: Join) -> set[int]:
    read = {id_ for a, _ in join.equalities for id_ in columns_of(a)}
    return read if join.condition is None else read | columns_of(join.condition)
