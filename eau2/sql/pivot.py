"""PIVOT: the values of columns become columns of aggregates.

Owns: which columns there are and what they are called, and what is grouped by. Comes in:
ast.PivotTable, with its values, and the bound table that it reads. Goes out: `Source`.
Does not know: where values come from that are not written, how a SELECT is bound.

A PIVOT is a SELECT with GROUP BY in which every aggregate stands once for each value, with a
FILTER. Values are compared as texts, as in DuckDB: 2000.0 is no value of an INTEGER.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import product

from eau2.config import LIMITS
from eau2.errors import Error, NotSupportedError, ProgrammingError, Span
from eau2.operators import aggregates, coercion
from eau2.operators.constants import value_of
from eau2.sql import ast, literals
from eau2.sql.bind_expr import bind_root
from eau2.sql.environment import Context, Environment
from eau2.sql.naming import expression_text
from eau2.sql.scope import Scope
from eau2.sql.shapes import Shapes
from eau2.sql.sources import UNNAMED_PIVOT, BoundTable, Place, Source, derived
from eau2.sql.spans import at
from eau2.sql.stars import Chosen
from eau2.sql.syntax_walk import parts, rewritten
from eau2.types import VARCHAR, SqlType

_CANONICAL = re.compile(r"0|-?[1-9][0-9]{0,17}")
"""The texts that CAST gives of integers which are not very long."""


@dataclass(frozen=True, slots=True)
class _Value:
    """One value: what its columns are called, and which rows belong to it."""

    name: str
    condition: ast.Expression


def pivoted(node: ast.PivotTable, source: Source, place: Place) -> Source:
    """The rows of PIVOT: one for each group."""
    calls = node.aggregates or (_count(node.span),)
    for item in calls:
        _check_aggregate(item.expression)
    lists = [_values(on, source.scope, place) for on in node.on]
    _check_number(lists, len(calls), node.span)
    items = [ast.SelectItem(key.span, key, None) for key in _keys(node, source.scope)]
    keys = tuple(item.expression for item in items)
    for chosen in product(*lists):
        name = "_".join(value.name for value in chosen)
        for item in calls:
            called = name
            if item.alias is not None or len(calls) > 1:
                called = f"{name}_{item.alias or expression_text(item.expression)}"
            filtered = _filtered(item.expression, tuple(value.condition for value in chosen))
            items.append(ast.SelectItem(item.span, filtered, called))
    if not items:
        raise ProgrammingError(
            "this PIVOT gives no column: there is no value and nothing to group by",
            span=node.span,
        )
    table = BoundTable(node.span, source)
    select = ast.Select(node.span, tuple(items), table, group_by=keys)
    bound = place.bind_query(select, place.context, place.outer)
    return derived(bound, node.alias, node.column_aliases, node.span, UNNAMED_PIVOT)


def _count(span: Span) -> ast.SelectItem:
    call = ast.FunctionCall(span, "count", (ast.Star(span, None),))
    return ast.SelectItem(span, call, None)


def _check_number(lists: list[list[_Value]], calls: int, span: Span) -> None:
    columns = calls
    for values in lists:
        columns *= len(values)
    if columns > LIMITS.pivot_columns:
        raise NotSupportedError(
            f"PIVOT into more than {LIMITS.pivot_columns} columns is not supported",
            span=span,
            hint="Name the values that are needed: ON column IN (...).",
        )


def _is_aggregate(node: ast.Node) -> bool:
    return isinstance(node, ast.FunctionCall) and (
        aggregates.is_aggregate(node.name) or node.within_group
    )


def _check_aggregate(node: ast.Expression) -> None:
    """Refuse what is not one aggregate, or an expression around one."""
    found = list(parts(node))
    for part in found:
        if isinstance(part, ast.Star) and not _counts(part, found):
            raise ProgrammingError("* cannot stand in an aggregate of PIVOT", span=part.span)
        if isinstance(part, ast.Columns):
            raise NotSupportedError("COLUMNS in PIVOT is not supported", span=part.span)
        if isinstance(part, ast.Query | ast.Exists | ast.Subquery | ast.InQuery):
            raise ProgrammingError("PIVOT cannot hold a subquery", span=part.span)
        if isinstance(part, ast.FunctionCall) and part.over is not None:
            raise ProgrammingError("PIVOT cannot hold a window function", span=part.span)
    count = sum(map(_is_aggregate, found))
    if count != 1:
        raise ProgrammingError(
            f"an entry of PIVOT holds one aggregate function, and this one has {count or 'none'}",
            span=node.span,
        )
    blank = ast.Constant(node.span, "null", "")
    outside = rewritten(node, lambda part: (blank,) if _is_aggregate(part) else None)
    for part in parts(outside):
        if isinstance(part, ast.Name):
            raise ProgrammingError(
                "a column can only stand inside the aggregate of PIVOT", span=part.span
            )


def _counts(star: ast.Star, found: list[ast.Node]) -> bool:
    """Whether the star is the argument of count(*)."""
    return any(
        isinstance(part, ast.FunctionCall) and part.name == "count" and part.arguments == (star,)
        for part in found
    )


def _keys(node: ast.PivotTable, scope: Scope) -> tuple[ast.Expression, ...]:
    """What is grouped by: what is written, else every column that PIVOT does not use."""
    if node.group_by is not None:
        for key in node.group_by:
            if not isinstance(key, ast.Name):
                raise NotSupportedError("PIVOT groups by columns, named one by one", span=key.span)
            if len(key.parts) == 1 and scope.find(key.parts[0], key.span) is None:
                raise scope.unknown(key.parts[0], key.span)
        return node.group_by
    read = [item.expression for item in node.aggregates]
    read += [expression for on in node.on for expression in on.expressions]
    used = {
        part.parts[-1].casefold()
        for expression in read
        for part in parts(expression)
        if isinstance(part, ast.Name)
    }
    return tuple(
        Chosen(node.span, (column.name,), column)
        for column in scope.star()
        if column.name.casefold() not in used
    )


def _values(on: ast.PivotOn, scope: Scope, place: Place) -> list[_Value]:
    """The values of one entry of ON, or of FOR."""
    if on.values is None:
        raise NotSupportedError(
            "PIVOT reads its values from the data, which is not possible here",
            span=on.span,
            hint="Name them: ON column IN (value, ...).",
        )
    for expression in on.expressions:
        if not any(isinstance(part, ast.Name) for part in parts(expression)):
            raise ProgrammingError("PIVOT needs a column here", span=expression.span)
    env = Environment(place.context, scope, outer=place.outer).inside("PIVOT")
    types = [bind_root(expression, env).type for expression in on.expressions]
    found: list[_Value] = []
    seen: set[tuple[object, ...]] = set()
    for item in on.values:
        node = item.expression
        written = node.items if isinstance(node, ast.RowOf) else (node,)
        if len(written) != len(types):
            raise ProgrammingError(
                f"this value of PIVOT has {len(written)} parts, but {len(types)} are needed",
                span=node.span,
            )
        constants = [_constant(part, place.context) for part in written]
        key = tuple((text, type_) for text, type_ in constants)
        if key in seen:
            raise ProgrammingError("this value of PIVOT is there already", span=node.span)
        seen.add(key)
        texts = [text for text, _ in constants]
        name = item.alias or "_".join(map(_name, texts))
        condition = _all(
            [
                _equals(expression, type_, text)
                for expression, type_, text in zip(on.expressions, types, texts, strict=True)
            ]
        )
        found.append(_Value(name, condition))
    return found


def _name(text: str | None) -> str:
    """A value as a part of a column's name."""
    if text is None:
        return "NULL"
    return text or "''"


def _constant(node: ast.Expression, context: Context) -> tuple[str | None, SqlType]:
    """The text of a value, and its type. A bare name is a text."""
    if isinstance(node, ast.Name) and len(node.parts) == 1:
        return node.parts[0], VARCHAR
    env = Environment(context, Scope()).inside("PIVOT")
    expr = literals.unpinned(bind_root(node, env))
    if Shapes.columns(expr):
        raise ProgrammingError("a value of PIVOT must be a constant", span=node.span)
    try:
        text = value_of(at(node.span, coercion.cast, expr, VARCHAR))
    except Error as error:
        raise ProgrammingError(error.message, span=node.span) from error
    assert text is None or isinstance(text, str)
    return text, expr.type


def _equals(node: ast.Expression, type_: SqlType, text: str | None) -> ast.Expression:
    """Whether an expression has this text. No text is cast where the values can be compared."""
    span = node.span
    if text is None:
        return ast.IsTest(span, node, "null", False)
    if type_.is_integer and _CANONICAL.fullmatch(text):
        return ast.Binary(span, "=", node, ast.Constant(span, "integer", text))
    if type_ != VARCHAR:
        node = ast.CastTo(span, node, ast.TypeName(span, "varchar"), False)
    return ast.Binary(span, "=", node, ast.Constant(span, "string", text))


def _all(conditions: list[ast.Expression]) -> ast.Expression:
    result = conditions[0]
    for condition in conditions[1:]:
        result = ast.Binary(condition.span, "and", result, condition)
    return result


def _filtered(node: ast.Expression, conditions: tuple[ast.Expression, ...]) -> ast.Expression:
    """The expression with the aggregate in it over the rows of the conditions alone."""

    def visit(part: ast.Node) -> tuple[ast.Node, ...] | None:
        if not isinstance(part, ast.FunctionCall) or not _is_aggregate(part):
            return None
        own = [] if part.where is None else [part.where]
        return (replace(part, where=_all([*conditions, *own])),)

    return rewritten(node, visit) if conditions else node

