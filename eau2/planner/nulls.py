"""Which columns and expressions are certainly never NULL.

Owns: `never_null` of plans and `is_never_null` of expressions. Comes in: logical plans. Goes out:
cautious answers. Does not know: who asks.
"""

from __future__ import annotations

from collections.abc import Iterable

from eau2.catalog import NOT_STORED
from eau2.operators.expr import (
    Call,
    Case,
    Cast,
    ColumnRef,
    Expr,
    InList,
    Literal,
    columns_of,
    conjuncts,
)
from eau2.operators.facts import COMPARISONS, never_true
from eau2.sql.logical import (
    Aggregate,
    DependentJoin,
    Expand,
    Filter,
    Join,
    Limit,
    Logical,
    Project,
    Sample,
    Scan,
    Sort,
    Unnest,
    Window,
)

Ids = frozenset[int]

COUNTS = frozenset({"count", "count_star"})
"""Aggregates that are 0 over no rows, and never NULL. (count_if is a sum, as in DuckDB.)"""


def never_null(plan: Logical) -> Ids:
    """The output columns that hold no NULL, whatever the rows."""
    match plan:
        case Scan(frame=frame, columns=columns, positions=positions):
            if frame.version == NOT_STORED:
                return frozenset()
            known = frame.statistics
            return frozenset(
                column.id
                for column, position in zip(columns, positions, strict=True)
                if position < len(known) and known[position].null_count == 0
            )
        case Filter(input=below, condition=condition):
            present = never_null(below)
            return present | _required(below, conjuncts(condition), present)
        case Project(input=below, items=items):
            inner = never_null(below)
            return frozenset(column.id for column, expr in items if is_never_null(expr, inner))
        case Aggregate(input=below, keys=keys, aggregates=aggregates):
            inner = never_null(below)
            found = {column.id for column, expr in keys if is_never_null(expr, inner)}
            found |= {column.id for column, call in aggregates if call.function in COUNTS}
            return frozenset(found)
        case Join() | DependentJoin():
            return _join(plan)
        case Window(input=below) | Sort(input=below) | Limit(input=below):
            return never_null(below)
        case Expand(input=below) | Unnest(input=below) | Sample(input=below):
            return never_null(below)
    return frozenset()


def _required(plan: Logical, parts: Iterable[Expr], known: Ids) -> Ids:
    """The columns without which one of the parts is not true, less those that are known."""
    tested = [(part, columns_of(part)) for part in parts]
    return frozenset(
        c.id
        for c in plan.output
        if c.id not in known
        and any(c.id in read and never_true(part, frozenset({c.id})) for part, read in tested)
    )


def _join(plan: Join | DependentJoin) -> Ids:
    left = never_null(plan.left)
    match plan.kind:
        case "inner" | "cross" | "asof":
            found = left | never_null(plan.right)
            if isinstance(plan, Join) and not plan.null_safe:
                keys = (side for pair in plan.equalities for side in pair)
                found |= {key.id for key in keys if isinstance(key, ColumnRef)}
            if plan.condition is not None:
                parts = conjuncts(plan.condition)
                found |= _required(plan.left, parts, found) | _required(plan.right, parts, found)
            return frozenset(found)
        case "mark" if isinstance(plan, Join) and plan.mark is not None:
            return left | {plan.mark.id}
        case "left" | "single" | "asof_left" | "semi" | "anti" | "mark":
            return left
        case "right":
            return never_null(plan.right)
    return frozenset()


def is_never_null(expr: Expr, columns: Ids) -> bool:
    """Whether `expr` is not NULL on any row, if `columns` hold no NULL."""
    match expr:
        case ColumnRef(id=id_):
            return id_ in columns
        case Literal(value=value):
            return value is not None
        case Cast(arg=arg, safe=safe):
            return not safe and is_never_null(arg, columns)
        case Case(branches=branches, otherwise=otherwise):
            results = [*(result for _, result in branches), otherwise]
            return all(is_never_null(result, columns) for result in results)
        case InList(arg=arg, has_null=has_null):
            return not has_null and is_never_null(arg, columns)
        case Call(function="is_null" | "is_not_null" | "is_distinct" | "is_not_distinct"):
            return True
        case Call(function="coalesce", args=args):
            return any(is_never_null(arg, columns) for arg in args)
        case Call(function="+" | "-" | "*", args=args, type=type_) if type_.is_numeric:
            return all(arg.type.is_numeric and is_never_null(arg, columns) for arg in args)
        case Call(function=name, args=args) if name in COMPARISONS | {"and", "or", "not"}:
            return all(is_never_null(arg, columns) for arg in args)
    return False
