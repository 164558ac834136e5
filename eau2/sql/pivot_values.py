"""The values of a PIVOT that names none: which query finds them, and the statement with them.

Owns: finding such a PIVOT in a statement, and what its query sees. Comes in: statements; goes out:
queries to run first, then statements in which the values are written. Does not know: how a query
is run.

As in DuckDB the values are the distinct texts that occur, without NULL, in order. Where several
columns are pivoted, each has its own values, and columns are made of all combinations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from eau2.config import LIMITS
from eau2.errors import NotSupportedError
from eau2.records import Record, names, replace
from eau2.sql import ast, nodes

Path = tuple[tuple[Any, Any], ...]
"""From a statement down to a node: each step a node and a field, or a tuple and a position."""

Layers = tuple[ast.WithQuery, ...]
"""The WITHs around a node, from outside, each with the tables that are defined there."""


class Unvalued(Record, frozen=True):
    """A PIVOT without values in a statement, and the query that finds those of its first column."""

    statement: ast.Statement
    query: ast.Query
    on: ast.PivotOn
    path: Path

    def valued(self, texts: Sequence[str]) -> ast.Statement:
        """The statement with these values in the place of those that were not named."""
        span = self.on.span
        if len(texts) > LIMITS.pivot_columns:
            raise NotSupportedError(
                f"PIVOT found more than {LIMITS.pivot_columns} values",
                span=span,
                hint="Name the values that are needed: ON column IN (...).",
            )
        items = tuple(
            ast.SelectItem(span, ast.Constant(span, "string", text), None) for text in texts
        )
        value: Any = replace(self.on, values=items)
        for holder, place in reversed(self.path):
            if isinstance(holder, tuple):
                value = (*holder[:place], value, *holder[place + 1 :])
            else:
                value = replace(holder, **{place: value})
        assert isinstance(value, ast.Statement)
        return value


def unvalued(statement: ast.Statement) -> Unvalued | None:
    """The first PIVOT without values whose query holds none itself; None when there is none."""
    for on, table, layers, path in _found(statement):
        query = _query(on, table, layers)
        if not any(map(_lacks_values, nodes.every(query))):
            return Unvalued(statement, query, on, path)
    return None


def _lacks_values(node: ast.Node) -> bool:
    return isinstance(node, ast.PivotOn) and node.values is None


def _found(
    statement: ast.Statement,
) -> Iterator[tuple[ast.PivotOn, ast.TableExpression, Layers, Path]]:
    """Every entry of ON without values, with the table that it is about."""
    waiting: list[tuple[Any, Layers, Path, ast.TableExpression | None]] = [
        (statement, (), (), None)
    ]
    while waiting:
        part, layers, path, table = waiting.pop()
        if isinstance(part, ast.PivotOn) and part.values is None and table is not None:
            yield part, table, layers, path
        if isinstance(part, tuple):
            steps: list[tuple[Any, Any]] = list(enumerate(part))
        elif isinstance(part, ast.Node):
            steps = [(name, getattr(part, name)) for name in names(type(part))]
        else:
            continue
        if isinstance(part, ast.PivotTable):
            table = part.table
        for place, child in reversed(steps):
            inside = layers
            if isinstance(part, ast.WithQuery):
                if place == "tables":
                    waiting.extend(reversed(list(_definitions(part, layers, path))))
                    continue
                inside = (*layers, part)
            waiting.append((child, inside, (*path, (part, place)), table))


def _definitions(
    node: ast.WithQuery, layers: Layers, path: Path
) -> Iterator[tuple[Any, Layers, Path, None]]:
    """The queries of WITH, each of which sees those before it."""
    for position, table in enumerate(node.tables):
        seen = (*layers, replace(node, tables=node.tables[:position]))
        if node.recursive and any(map(_lacks_values, nodes.every(table.query))):
            raise NotSupportedError(
                "PIVOT inside WITH RECURSIVE needs values: ON column IN (...)",
                span=table.query.span,
            )
        down = ((node, "tables"), (node.tables, position), (table, "query"))
        yield table.query, seen, (*path, *down), None


def _query(on: ast.PivotOn, table: ast.TableExpression, layers: Layers) -> ast.Query:
    """SELECT DISTINCT the texts of the column, in order, within the WITHs around it."""
    span = on.span
    if len(on.expressions) != 1 or isinstance(on.expressions[0], ast.Star | ast.Columns):
        raise NotSupportedError(
            "this PIVOT needs values: ON (a, b) IN ((1, 2), ...)",
            span=span,
            hint="ON a, b makes columns of all combinations of their values.",
        )
    text = ast.CastTo(span, on.expressions[0], ast.TypeName(span, "varchar"), False)
    query: ast.Query = ast.Select(
        span,
        (ast.SelectItem(span, text, None),),
        table,
        where=ast.IsTest(span, text, "null", True),
        order_by=(ast.OrderItem(span, ast.Constant(span, "integer", "1"), False, None),),
        limit=ast.Constant(span, "integer", str(LIMITS.pivot_columns + 1)),
        distinct=True,
    )
    for layer in reversed(layers):
        if layer.tables:
            query = replace(layer, query=query)
    return query
