"""Keep first rows: where a filter keeps the first rows of every partition, the others go early.

Owns: which windows are asked for first rows alone. Comes in: any plan. Goes out: the same plan with
`first` set at such windows: `row_number() <= 2` and the like stand in a filter right above.
Does not know: how the other rows are dropped, and where.

A row's place among those that come before it does not depend on those that come after. So the
window may have no calls but numbers that count what comes before.
"""

from __future__ import annotations

from eau2.operators.expr import Call, ColumnRef, Expr, Literal, conjuncts
from eau2.operators.sort import has_short_values
from eau2.records import replace
from eau2.sql.logical import Filter, Logical, Window, transform
from eau2.types import Kind

_NUMBERS = frozenset({"row_number", "rank", "dense_rank"})
_BOUNDING = frozenset({"row_number", "rank"})
"""Of these no more rows than the bound can be kept, but for peers of the last."""
_MOST_ROWS = 100
"""A partition seldom has many more rows than this, and then nothing would be dropped."""


def keep_first_rows(plan: Logical) -> Logical:
    """The rule."""
    return transform(plan, _visit)


def _visit(node: Logical) -> Logical:
    if not isinstance(node, Filter) or not isinstance(node.input, Window):
        return node
    window = node.input
    if not window.order or not has_short_values(window.order[0].expr.type):
        return node
    if any(_is_long(expr) for expr in window.partition):
        return node
    if any(call.function not in _NUMBERS for _, call in window.calls):
        return node
    numbers = {column.id for column, call in window.calls if call.function in _BOUNDING}
    bounds = [_bound(part, numbers) for part in conjuncts(node.condition)]
    first = min((bound for bound in bounds if bound is not None), default=0)
    if not 1 <= first <= _MOST_ROWS:
        return node
    return replace(node, input=replace(window, first=first))


def _is_long(expr: Expr) -> bool:
    return expr.type.is_list or expr.type.kind is Kind.INTERVAL


def _bound(part: Expr, numbers: set[int]) -> int | None:
    """The highest number that a condition leaves."""
    match part:
        case Call(function=name, args=(ColumnRef(id=id_), Literal(value=int(value)))):
            pass
        case Call(function=name, args=(Literal(value=int(value)), ColumnRef(id=id_))):
            name = {">=": "<=", ">": "<", "=": "="}.get(name, "")
        case _:
            return None
    if id_ not in numbers or name not in ("<=", "<", "="):
        return None
    return value - 1 if name == "<" else value
