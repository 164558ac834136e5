"""Split DISTINCT aggregates: count(DISTINCT x) becomes count(x) over the distinct (keys, x).

Owns: getting rid of AggregateCall.distinct. Comes in: any plan. Goes out: the same rows from plain
aggregates, each of which is (partial, merge, final). Several distinct arguments, or distinct beside
plain aggregates, are computed apart over the same input and joined on the keys, NULLs equal.
Does not know: that equal inputs may be computed once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from eau2.operators.expr import AggregateCall, Column, Expr, ref
from eau2.records import replace
from eau2.sql.logical import Aggregate, Join, Logical, Project, transform

Item = tuple[Column, AggregateCall]

INSENSITIVE = frozenset({"min", "max", "bool_and", "bool_or", "any_value"})
"""Aggregates that give the same with and without DISTINCT."""


def split_distinct(plan: Logical) -> Logical:
    """The rule. New columns are numbered from the highest id of the plan on."""
    ids = count(highest_id(plan) + 1)

    def visit(node: Logical) -> Logical:
        if isinstance(node, Aggregate) and any(call.distinct for _, call in node.aggregates):
            return _split(node, ids)
        return node

    return transform(plan, visit)


def highest_id(plan: Logical) -> int:
    """The highest column id that any node of the plan gives."""
    own = max((column.id for column in plan.output), default=0)
    return max([own, *(highest_id(below) for below in plan.inputs)])


def _split(node: Aggregate, ids: Iterator[int]) -> Logical:
    plain: list[Item] = []
    by_values: dict[tuple[Expr, ...], list[Item]] = {}
    for column, call in node.aggregates:
        bare = replace(call, distinct=False)
        if call.distinct and call.arg is not None and call.function not in INSENSITIVE:
            where = () if call.where is None else (call.where,)
            ordering = (key.expr for key in call.order)
            values = tuple(dict.fromkeys((call.arg, *ordering, *where)))
            by_values.setdefault(values, []).append((column, bare))
        else:
            plain.append((column, bare))
    parts: list[Aggregate] = []
    if plain:
        parts.append(replace(node, aggregates=tuple(plain)))
    for values, items in by_values.items():
        parts.append(_over_distinct(node, values, items, ids))
    result: Logical = parts[0]
    for part in parts[1:]:
        keys = tuple(_fresh(column, ids) for column, _ in part.keys)
        renamed = replace(
            part, keys=tuple((new, expr) for new, (_, expr) in zip(keys, part.keys, strict=True))
        )
        pairs = tuple((ref(a), ref(b)) for (a, _), b in zip(node.keys, keys, strict=True))
        if pairs:
            result = Join("inner", result, renamed, pairs, null_safe=True)
        else:
            result = Join("cross", result, renamed)
    if result.output == node.output:
        return result
    return Project(result, tuple((column, ref(column)) for column in node.output))


def _over_distinct(
    node: Aggregate, values: tuple[Expr, ...], items: list[Item], ids: Iterator[int]
) -> Aggregate:
    """The aggregates over the distinct values in each group: of the argument, then of keys.

    Keys of an order are functions of the argument, so they split no value in two. A filter splits
    it into those that it keeps and those that it drops.
    """
    keys = tuple((_fresh(column, ids), expr) for column, expr in node.keys)
    made = [(Column(next(ids), "distinct", value.type), value) for value in values]
    distinct = Aggregate(node.input, (*keys, *made), ())
    known = {value: ref(column) for column, value in made}
    return Aggregate(
        distinct,
        tuple((column, ref(new)) for (column, _), (new, _) in zip(node.keys, keys, strict=True)),
        tuple((column, call.mapped(lambda expr: known.get(expr, expr))) for column, call in items),
    )


def _fresh(column: Column, ids: Iterator[int]) -> Column:
    return replace(column, id=next(ids))
