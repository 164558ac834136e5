"""Windows of a SELECT as plan nodes: one for each partitioning and order.

Owns: which calls share a node, and the ties that make a choice between peers repeatable. Comes in:
the calls that were collected, in terms of the plan's columns. Goes out: the plan with Window nodes.
Does not know: how OVER is bound, how a window is computed.
"""

from __future__ import annotations

from eau2.operators.expr import ColumnRef, Expr, SortKey, WindowCall, ref
from eau2.operators.windows import needs_ties
from eau2.sql.clauses import Clauses, Selecting
from eau2.sql.environment import Windowed
from eau2.sql.logical import Logical, Window
from eau2.sql.shapes import Shapes
from eau2.sql.subqueries import free_columns


def windowed(select: Selecting, plan: Logical, clauses: Clauses, ordered: bool) -> Logical:
    """The plan with a column for each window call. ordered: whether its rows are in an order."""
    calls = select.windows.calls
    if not calls:
        return plan
    plan = select.windows.subqueries.over(plan)
    ties = () if ordered else row_ties(select, plan, clauses)
    shared: dict[tuple[object, ...], list[Windowed]] = {}
    for found in calls:
        partition = tuple(select.shapes.of(expr) for expr in found.partition)
        order = tuple(
            (select.shapes.of(key.expr), key.descending, key.nulls_last) for key in found.order
        )
        shared.setdefault((partition, order), []).append(found)
    for group in shared.values():
        first = group[0]
        plan = Window(
            plan,
            first.partition,
            first.order,
            deciding(ties, first.order, tuple(found.call for found in group)),
            tuple((found.column, found.call) for found in group),
        )
    return plan


def row_ties(select: Selecting, plan: Logical, clauses: Clauses) -> tuple[SortKey, ...]:
    """Keys that tell rows apart as far as the statement can: every column that it reads."""
    read: set[int] = set()
    for part in clauses.parts:
        read |= Shapes.columns(part.expr)
    for found in select.windows.calls:
        for expr in found.exprs:
            read |= Shapes.columns(expr)
    for _, lists, _ in select.unnests.items:
        read |= Shapes.columns(lists)
    for subqueries in (select.filters, select.subqueries):
        for join in subqueries.joins:
            read |= free_columns(join)
    return tuple(SortKey(ref(column)) for column in plan.output if column.id in read)


def deciding(
    ties: tuple[SortKey, ...], order: tuple[SortKey, ...], calls: tuple[WindowCall, ...]
) -> tuple[SortKey, ...]:
    """The ties that one window needs: none for calls that treat peers alike."""
    if not any(needs_ties(call) for call in calls):
        return ()
    given = {key.expr.id for key in order if isinstance(key.expr, ColumnRef)}
    return tuple(key for key in ties if _id(key.expr) not in given)


def _id(expr: Expr) -> int | None:
    return expr.id if isinstance(expr, ColumnRef) else None
