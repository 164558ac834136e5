"""VALUES: rows of constants, or of any expressions, in the common types of their columns.

Owns: the types down the columns, and which plan gives the rows. Comes in: ast.Values. Goes out:
`Query`. Does not know: what the rows are for.
"""

from __future__ import annotations

from eau2.errors import ProgrammingError
from eau2.operators import coercion
from eau2.operators.expr import Column, Expr, Literal, Value
from eau2.sql import ast, literals
from eau2.sql.bind_expr import bind_root
from eau2.sql.environment import BindQuery, Context, Environment, Query, Subqueries
from eau2.sql.logical import Logical, OneRow, Project, Rows, Union
from eau2.sql.scope import Scope
from eau2.sql.spans import at
from eau2.types import SqlType


def bind_values(
    node: ast.Values, context: Context, bind_query: BindQuery, outer: Environment | None
) -> Query:
    """The rows in the order in which they are written; the columns are col0, col1, ..."""
    width = len(node.rows[0])
    names = tuple(f"col{position}" for position in range(width))
    bound: list[tuple[Subqueries, tuple[Expr, ...]]] = []
    for row in node.rows:
        if len(row) != width:
            raise ProgrammingError(
                f"the first row of these VALUES has {width} values, this one {len(row)}",
                span=row[0].span,
            )
        collected = Subqueries(bind_query)
        env = Environment(context, Scope(), subqueries=collected, outer=outer).inside("VALUES")
        bound.append((collected, tuple(bind_root(item, env) for item in row)))
    types = _types(node, tuple(exprs for _, exprs in bound))
    rows = [_in_types(row, exprs, types) for row, (_, exprs) in zip(node.rows, bound, strict=True)]
    constants = [_constants(row) for row in rows]
    columns = _fresh(names, types, context)
    if all(row is not None for row in constants):
        return Query(Rows(columns, tuple(r for r in constants if r is not None)), names, True)
    parts: list[Logical] = []
    for exprs, (collected, _) in zip(rows, bound, strict=True):
        items = zip(_fresh(names, types, context), exprs, strict=True)
        parts.append(Project(collected.over(OneRow()), tuple(items)))
    return Query(parts[0] if len(parts) == 1 else Union(tuple(parts), columns), names, True)


def _fresh(
    names: tuple[str, ...], types: tuple[SqlType, ...], context: Context
) -> tuple[Column, ...]:
    return tuple(context.column(name, type_) for name, type_ in zip(names, types, strict=True))


def _types(node: ast.Values, rows: tuple[tuple[Expr, ...], ...]) -> tuple[SqlType, ...]:
    columns = zip(*rows, strict=True)
    return tuple(at(node.span, coercion.common_type, tuple(column)) for column in columns)


def _in_types(
    written: tuple[ast.Expression, ...], exprs: tuple[Expr, ...], types: tuple[SqlType, ...]
) -> tuple[Expr, ...]:
    return tuple(
        literals.folded(at(item.span, coercion.coerce, expr, type_), item.span)
        for item, expr, type_ in zip(written, exprs, types, strict=True)
    )


def _constants(row: tuple[Expr, ...]) -> tuple[Value, ...] | None:
    """The values of a row that holds nothing but constants."""
    values: list[Value] = []
    for expr in row:
        bare = literals.unpinned(expr)
        if not isinstance(bare, Literal):
            return None
        values.append(bare.value)
    return tuple(values)
