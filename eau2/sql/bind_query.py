"""Queries of every form: each goes to the room that binds it.

Owns: `bind_query`. Comes in: ast.Query. Goes out: `Query`. Does not know: clauses.
"""

from __future__ import annotations

from eau2.errors import NotSupportedError
from eau2.sql import ast
from eau2.sql.bind_select import bind_select
from eau2.sql.environment import Context, Environment, Query


def bind_query(node: ast.Query, context: Context, outer: Environment | None = None) -> Query:
    """The plan of a query. Raises statement errors with spans."""
    match node:
        case ast.Select():
            return bind_select(node, context, bind_query, outer)
    raise NotSupportedError("this form of query is not supported", span=node.span)
