"""Inner joins taken apart: the relations of a tree of joins, and the conditions between them.

Owns: `taken_apart`, `put_together`, and which joins may change their places. Comes in: plans. Goes
out: relations with conditions, and the reverse, without a choice of order. Does not know: costs;
which rule asks.
"""

from __future__ import annotations

from eau2.operators.expr import (
    Call,
    ColumnRef,
    Expr,
    columns_of,
    conjunction,
    conjuncts,
    substitute,
)
from eau2.records import Struct, field
from eau2.sql.logical import Filter, Join, Logical, Project
from eau2.types import BOOLEAN


class InnerJoins(Struct):
    """A tree of inner and cross joins: pairs of rows of all relations with all conditions true.

    renamed: what columns of renaming projections are, over the relations.
    """

    relations: list[Logical] = field(default_factory=list)
    conditions: list[Expr] = field(default_factory=list)
    renamed: dict[int, Expr] = field(default_factory=dict)

    def _take(self, plan: Logical) -> None:
        match plan:
            case Join() if is_inner(plan):
                self._take(plan.left)
                self._take(plan.right)
                for a, b in plan.equalities:
                    self._add(Call(BOOLEAN, "=", (a, b)))
                if plan.condition is not None:
                    self._add(plan.condition)
            case Filter(input=below, condition=condition) if _holds_inner(below):
                self._take(below)
                self._add(condition)
            case Project(input=below, items=items) if _holds_inner(plan):
                self._take(below)
                self.renamed |= {c.id: substitute(e, self.renamed) for c, e in items}
            case _:
                self.relations.append(plan)

    def _add(self, condition: Expr) -> None:
        self.conditions.extend(substitute(part, self.renamed) for part in conjuncts(condition))


def taken_apart(plan: Logical) -> InnerJoins:
    """The relations and conditions of a plan; one that is no join is its own relation."""
    found = InnerJoins()
    found._take(plan)
    return found


def is_inner(plan: Logical) -> bool:
    """Whether a plan is a join whose place in a tree of joins may change."""
    return isinstance(plan, Join) and plan.kind in ("inner", "cross") and not plan.null_safe


def _holds_inner(plan: Logical) -> bool:
    """Whether under filters and renaming projections there is an inner join."""
    while True:
        match plan:
            case Filter(input=below):
                plan = below
            case Project(input=below, items=items) if all(
                isinstance(expr, ColumnRef) for _, expr in items
            ):
                plan = below
            case _:
                return is_inner(plan)


def put_together(relations: list[Logical], conditions: list[Expr]) -> Logical | None:
    """Joins of the relations, as they come; None if equalities do not connect them all."""
    waiting = list(relations[1:])
    plan, open_ = relations[0], list(conditions)
    while waiting:
        ours = {column.id for column in plan.output}
        for right in waiting:
            theirs = {column.id for column in right.output}
            found = [(part, pair_between(part, ours, theirs)) for part in open_]
            pairs = tuple(pair for _, pair in found if pair is not None)
            if pairs:
                break
        else:
            return None
        plan = Join("inner", plan, right, pairs)
        waiting.remove(right)
        open_ = [part for part, pair in found if pair is None]
    return Filter(plan, conjunction(tuple(open_))) if open_ else plan


def pair_between(part: Expr, ours: set[int], theirs: set[int]) -> tuple[Expr, Expr] | None:
    """The sides of an equality between columns of ours and theirs, in this order."""
    match part:
        case Call(function="=", args=(a, b)):
            for first, second in ((a, b), (b, a)):
                left, right = columns_of(first), columns_of(second)
                if left and right and left <= ours and right <= theirs:
                    return first, second
    return None
