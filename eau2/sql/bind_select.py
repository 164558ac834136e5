"""SELECT: its clauses in the order of their meaning.

Owns: which clause is bound when, and what each may refer to. Comes in: ast.Select. Goes out:
`Query`. Does not know: how FROM is bound, how expressions are, what GROUP BY and ORDER BY mean.
"""

from __future__ import annotations

from eau2.errors import ProgrammingError
from eau2.operators.expr import Expr
from eau2.records import replace
from eau2.sql import ast
from eau2.sql.bind_expr import bind_condition
from eau2.sql.bind_from import bind_from
from eau2.sql.bind_window import named_windows, with_windows
from eau2.sql.clauses import BoundPart, Clauses, Selecting, bind_part
from eau2.sql.environment import (
    Aggregates,
    BindQuery,
    Context,
    Environment,
    GroupKeys,
    Query,
    Subqueries,
    Unnests,
    Windows,
)
from eau2.sql.grouping import all_keys, group_keys, grouped
from eau2.sql.logical import Filter, Logical, Unnest
from eau2.sql.naming import expression_name
from eau2.sql.ordering import distinct_keys, finished, order_keys
from eau2.sql.sampling import sampled
from eau2.sql.shapes import Shapes
from eau2.sql.sources import Source
from eau2.sql.spans import as_condition
from eau2.sql.stars import Chosen, conjoined, entries
from eau2.sql.windowing import windowed


def bind_select(
    node: ast.Select, context: Context, bind_query: BindQuery, outer: Environment | None = None
) -> Query:
    """The plan of a SELECT. bind_query binds those inside. Raises statement errors with spans."""
    source = bind_from(node.source, context, bind_query, outer)
    if node.sample is not None:
        # Of what FROM gives: WHERE and all other clauses see the sample alone.
        source = sampled(source, node.sample, context)
    select = _started(node, context, bind_query, outer, source)
    filtering = Subqueries(bind_query)
    plan = _filtered(select, filtering)
    keys, items = _keys_and_items(select)
    having = _having(select, keys)
    clauses = Clauses(
        items, _qualify(select), order_keys(select, node.order_by), distinct_keys(select)
    )
    plan = select.below.over(plan)
    # A subquery becomes a join, whose rows come in no order.
    ordered = source.ordered and not (filtering.joins or select.below.joins)
    if node.group_by or having or select.aggregates.calls:
        plan, clauses = grouped(select, plan, keys, having, clauses)
        ordered = not keys.keys and keys.column is None
    plan = windowed(select, plan, clauses, ordered)
    plan = _qualified(select, plan, clauses)
    plan = select.subqueries.over(plan)
    if select.unnests.items:
        plan = Unnest(plan, tuple((column, lists) for column, lists, _ in select.unnests.items))
    return finished(select, plan, clauses, ordered and not select.subqueries.joins)


def _started(
    node: ast.Select,
    context: Context,
    bind_query: BindQuery,
    outer: Environment | None,
    source: Source,
) -> Selecting:
    named = named_windows(node.windows)
    items = node.items
    if named:
        items = tuple(
            replace(item, expression=with_windows(item.expression, named)) for item in items
        )
    columns, aliases = entries(items, source.scope)
    shapes = Shapes()
    below = Subqueries(bind_query)
    arguments = Subqueries(bind_query, joins=below.joins)
    windows = Subqueries(bind_query, below)
    return Selecting(
        node,
        context,
        outer,
        source,
        columns,
        aliases,
        shapes,
        Aggregates(context, shapes, arguments),
        Windows(context, shapes, named, windows),
        below,
        Subqueries(bind_query, below),
        Subqueries(bind_query, windows),
        Subqueries(bind_query, windows),
        Unnests(context, shapes),
    )


def _filtered(select: Selecting, subqueries: Subqueries) -> Logical:
    where = select.node.where
    plan = select.source.plan
    if where is None:
        return plan
    env = replace(select.environment().inside("WHERE"), subqueries=subqueries)
    condition = bind_condition(conjoined(where, select.source.scope), env)
    return Filter(subqueries.over(plan), condition)


def _keys_and_items(select: Selecting) -> tuple[GroupKeys, tuple[BoundPart, ...]]:
    """The keys of GROUP BY, and the select list, which then has all its names."""
    group_by = select.node.group_by
    every = len(group_by) == 1 and isinstance(group_by[0], ast.EveryColumn)
    if not every:
        select.grouping = group_keys(select)
    items = tuple(
        bind_part(entry.node, select.environment(position))
        for position, entry in enumerate(select.entries)
    )
    select.entries = tuple(
        entry if entry.name else replace(entry, name=_name_of(entry.node, select.source))
        for entry in select.entries
    )
    if every:
        select.grouping = all_keys(select, items)
    assert select.grouping is not None
    return select.grouping, items


def _name_of(node: ast.Expression, source: Source) -> str:
    """A column's name as the table spells it, or the text of an expression."""
    if isinstance(node, Chosen):
        return node.column.name
    if isinstance(node, ast.Name):
        column = node.parts[-1]
        if len(node.parts) == 1:
            found = source.scope.holders(column)
            return found[0][0].name if found else column
        for table in source.scope.tables:
            visible = table.find(column)
            if visible is not None and table.name.casefold() == node.parts[0].casefold():
                return visible.name
    return expression_name(node)


def _having(select: Selecting, grouping: GroupKeys) -> BoundPart | None:
    node = select.node.having
    if node is None:
        return None
    # An alias goes before a column, but for one that is a key.
    scope, shapes = select.source.scope, select.shapes
    keys = {shapes.of(key) for _, key in grouping.keys}
    aliases = {
        name: alias
        for name, alias in select.aliases.items()
        if not any(shapes.of(held.expr) in keys for held, _ in scope.holders(name))
    }
    env = replace(
        select.environment(),
        aliases=aliases,
        aliases_first=True,
        subqueries=select.tests,
        windows=None,
        window_refusal="window functions are not allowed in HAVING",
        unnests=None,
        unnest_refusal="unnest is not allowed in HAVING",
    )
    return _condition(node, env)


def _qualify(select: Selecting) -> BoundPart | None:
    """The condition on windows. It must have one, or the select list must."""
    node = select.node.qualify
    if node is None:
        return None
    env = select.environment()
    env = replace(
        env,
        subqueries=select.filters,
        unnests=None,
        unnest_refusal="unnest is not allowed in QUALIFY",
    )
    found = _condition(node, env)
    if not select.windows.calls:
        raise ProgrammingError(
            "QUALIFY needs a window function, in itself or in the select list",
            span=node.span,
            hint="WHERE filters rows, HAVING groups.",
        )
    return found


def _condition(node: ast.Expression, env: Environment) -> BoundPart:
    bound = bind_part(node, env)
    expr: Expr = as_condition(bound.expr, node.span)
    return replace(bound, expr=expr)


def _qualified(select: Selecting, plan: Logical, clauses: Clauses) -> Logical:
    if clauses.qualify is None:
        return plan
    return Filter(select.filters.over(plan), clauses.qualify.expr)
