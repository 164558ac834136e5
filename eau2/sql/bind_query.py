"""Queries of every form: each goes to the room that binds it.

Owns: `bind_query`, and ORDER BY and LIMIT over what is no SELECT. Comes in: ast.Query. Goes out:
`Query`. Does not know: clauses.
"""

from __future__ import annotations

from eau2.config import LIMITS
from eau2.errors import NotSupportedError
from eau2.records import replace
from eau2.sql import ast
from eau2.sql.bind_select import bind_select
from eau2.sql.bind_values import bind_values
from eau2.sql.common_tables import bind_with
from eau2.sql.environment import Context, Environment, Query
from eau2.sql.set_operations import bind_set_operation, second_names
from eau2.sql.summarize import bind_summary


def bind_query(node: ast.Query, context: Context, outer: Environment | None = None) -> Query:
    """The plan of a query. Raises statement errors with spans."""
    context.depth += 1
    if context.depth > LIMITS.query_depth:
        raise NotSupportedError(
            f"queries are nested more than {LIMITS.query_depth} levels deep", span=node.span
        )
    try:
        return _bound(node, context, outer)
    finally:
        context.depth -= 1


def _bound(node: ast.Query, context: Context, outer: Environment | None) -> Query:
    match node:
        case ast.Select():
            return bind_select(node, context, bind_query, outer)
        case ast.SetOperation():
            return bind_set_operation(node, context, bind_query, outer)
        case ast.Values():
            return bind_values(node, context, bind_query, outer)
        case ast.WithQuery():
            return bind_with(node, context, bind_query, outer)
        case ast.Summarize():
            return bind_summary(node, context, bind_query, outer)
        case ast.Ordered():
            return _ordered(node, context, outer)
    raise NotSupportedError("this form of query is not supported", span=node.span)


def _ordered(node: ast.Ordered, context: Context, outer: Environment | None) -> Query:
    """SELECT * FROM (query) ORDER BY ... LIMIT ..., but that the columns keep their names."""
    below = bind_query(node.query, context, outer)
    names = {name.casefold() for name in below.names}
    others = {n: place for n, place in reversed(second_names(node.query)) if n not in names}

    def key(item: ast.OrderItem) -> ast.OrderItem:
        named = item.expression
        if isinstance(named, ast.Name) and len(named.parts) == 1:
            place = others.get(named.parts[0].casefold())
            if place is not None:
                ordinal = ast.Constant(named.span, "integer", str(place + 1))
                return replace(item, expression=ordinal)
        return item

    def bind_inner(inner: ast.Query, place: Context, around: Environment | None) -> Query:
        return below if inner is node.query else bind_query(inner, place, around)

    every = ast.SelectItem(node.span, ast.Star(node.span, None), None)
    select = ast.Select(
        node.span,
        (every,),
        ast.DerivedTable(node.span, node.query),
        order_by=tuple(key(item) for item in node.order_by),
        limit=node.limit,
        offset=node.offset,
        limit_percent=node.limit_percent,
    )
    return replace(bind_select(select, context, bind_inner, outer), names=below.names)
