"""PIVOT: the values of columns become columns of aggregates.

Owns: which columns there are and what they are called, and what is grouped by. Comes in:
ast.PivotTable, with its values, and the bound table that it reads. Goes out: `Source`.
Does not know: where values come from that are not written, how a SELECT is bound.

A PIVOT is a SELECT with GROUP BY in which every aggregate stands once for each value, with a
FILTER. Values are compared as texts, as in DuckDB: 2000.0 is no value of an INTEGER. Where there
are many of them, rows are grouped by the values first, and what is picked is picked from these.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from itertools import product
from math import prod
from typing import Literal as OneOf

from eau2.config import LIMITS
from eau2.errors import Error, NotSupportedError, ProgrammingError, Span
from eau2.operators import aggregates, coercion
from eau2.operators.constants import value_of
from eau2.records import Record, replace
from eau2.sql import ast, literals
from eau2.sql.bind_expr import bind_root
from eau2.sql.environment import Context, Environment
from eau2.sql.function_names import built_in
from eau2.sql.naming import expression_text
from eau2.sql.scope import Scope
from eau2.sql.shapes import Shapes
from eau2.sql.sources import UNNAMED_PIVOT, BoundTable, Place, Source, derived
from eau2.sql.spans import at
from eau2.sql.stars import Chosen
from eau2.sql.syntax_walk import parts, rewritten
from eau2.sql.user_calls import known
from eau2.types import VARCHAR, SqlType

_CANONICAL = re.compile(r"0|-?[1-9][0-9]{0,17}")
"""The texts that CAST gives of integers which are not very long."""


IsAggregate = Callable[[ast.Node], bool]

_ONE_OF_EACH = frozenset({"any_value", "arbitrary", "avg", "count", "max", "mean", "min", "sum"})
"""Aggregates whose value for one group can be picked; count is 0 of no rows, the others NULL."""


class _Value(Record, frozen=True):
    """One value: what its columns are called, and the text of each expression, None for NULL."""

    name: str
    texts: tuple[str | None, ...]


class _Axis(Record, frozen=True):
    """An entry of ON, or of FOR: expressions of these types, and the values they may have."""

    expressions: tuple[ast.Expression, ...]
    types: tuple[SqlType, ...]
    values: tuple[_Value, ...]

    def texts(self) -> _Axis:
        """The axis over its texts; integers stay what they are."""
        expressions = zip(self.expressions, self.types, strict=True)
        return replace(
            self,
            expressions=tuple(e if type_.is_integer else _text(e) for e, type_ in expressions),
            types=tuple(type_ if type_.is_integer else VARCHAR for type_ in self.types),
        )

    def condition(self, value: _Value) -> list[ast.Expression]:
        """What the rows of a value meet."""
        return [
            _equals(expression, type_, text)
            for expression, type_, text in zip(
                self.expressions, self.types, value.texts, strict=True
            )
        ]


def pivoted(node: ast.PivotTable, source: Source, place: Place) -> Source:
    """The rows of PIVOT: one for each group."""
    calls = node.aggregates or (_count(node.span),)
    is_aggregate = partial(_is_aggregate, place.context)
    for item in calls:
        _check_aggregate(item.expression, is_aggregate)
    axes = [_axis(on, source.scope, place) for on in node.on]
    columns = len(calls) * prod(len(axis.values) for axis in axes)
    _check_number(columns, node.span)
    table: ast.TableExpression = BoundTable(node.span, source)
    keys = _keys(node, source.scope)
    names = [key.parts[-1] for key in keys]
    written = tuple(item.expression for item in calls)
    if columns > LIMITS.pivot_columns_at_once and all(
        _can_be_picked(expression, is_aggregate) for expression in written
    ):
        table, keys, axes, picked = _grouped(node, table, keys, axes, written, is_aggregate)
    else:
        picked = written
    items = [ast.SelectItem(key.span, key, name) for key, name in zip(keys, names, strict=True)]
    for chosen in product(*(axis.values for axis in axes)):
        pairs = zip(axes, chosen, strict=True)
        conditions = [test for axis, value in pairs for test in axis.condition(value)]
        for item, expression in zip(calls, picked, strict=True):
            first, *others = [value.name for value in chosen] or [""]
            called = "_".join([first or "''", *others])
            if item.alias is not None or len(calls) > 1:
                called = f"{called}_{item.alias or expression_text(item.expression)}"
            items.append(
                ast.SelectItem(item.span, _filtered(expression, conditions, is_aggregate), called)
            )
    if not items:
        raise ProgrammingError(
            "this PIVOT gives no column: there is no value and nothing to group by",
            span=node.span,
        )
    select = ast.Select(node.span, tuple(items), table, group_by=keys)
    bound = place.bind_query(select, place.context, place.outer)
    return derived(bound, node.alias, node.column_aliases, node.span, UNNAMED_PIVOT)


def _can_be_picked(node: ast.Expression, is_aggregate: IsAggregate) -> bool:
    (call,) = (part for part in parts(node) if is_aggregate(part))
    return isinstance(call, ast.FunctionCall) and call.name in _ONE_OF_EACH


def _grouped(
    node: ast.PivotTable,
    table: ast.TableExpression,
    keys: tuple[ast.Name, ...],
    axes: list[_Axis],
    written: tuple[ast.Expression, ...],
    is_aggregate: IsAggregate,
) -> tuple[ast.TableExpression, tuple[ast.Name, ...], list[_Axis], tuple[ast.Expression, ...]]:
    """The table grouped by keys and values; these, and the expressions, over its columns."""
    span = node.span
    axes = [axis.texts() for axis in axes]
    items = [ast.SelectItem(span, key, f"key{n}") for n, key in enumerate(keys)]
    above: list[_Axis] = []
    for number, axis in enumerate(axes):
        named = [(e, f"value{number}_{n}") for n, e in enumerate(axis.expressions)]
        items += [ast.SelectItem(span, e, name) for e, name in named]
        above.append(replace(axis, expressions=tuple(ast.Name(span, (n,)) for _, n in named)))
    group_by = tuple(item.expression for item in items)
    wanted = [test for axis in axes for test in _listed(axis)]
    picked: list[ast.Expression] = []
    for number, expression in enumerate(written):
        (call,) = (
            part
            for part in parts(expression)
            if isinstance(part, ast.FunctionCall) and is_aggregate(part)
        )
        name = f"aggregate{number}"
        simple = all(isinstance(a, ast.Name | ast.Star) for a in call.arguments)
        # What cannot be computed for a row is no error where no column needs the row.
        own = call if simple and call.where is None else _filtered(call, wanted, is_aggregate)
        items.append(ast.SelectItem(call.span, own, name))
        picked.append(rewritten(expression, partial(_pick, name, is_aggregate)))
    inner = ast.Select(span, tuple(items), table, group_by=group_by)
    names = tuple(ast.Name(span, (f"key{n}",)) for n in range(len(keys)))
    return ast.DerivedTable(span, inner, "pivoted"), names, above, tuple(picked)


def _pick(name: str, is_aggregate: IsAggregate, part: ast.Node) -> tuple[ast.Node, ...] | None:
    """The value of the one group, in the place of the aggregate itself."""
    if not isinstance(part, ast.FunctionCall) or not is_aggregate(part):
        return None
    span = part.span
    call = ast.FunctionCall(span, "any_value", (ast.Name(span, (name,)),))
    if part.name != "count":
        return (call,)
    return (ast.FunctionCall(span, "coalesce", (call, ast.Constant(span, "integer", "0"))),)


def _listed(axis: _Axis) -> list[ast.Expression]:
    """That the expressions of an axis, which are texts or integers, have one of its values."""
    found: list[ast.Expression] = []
    for position, (node, type_) in enumerate(zip(axis.expressions, axis.types, strict=True)):
        texts = dict.fromkeys(value.texts[position] for value in axis.values)
        known = [text for text in texts if text is not None]
        if type_.is_integer and not all(map(_CANONICAL.fullmatch, known)):
            continue
        kind: OneOf["integer", "string"] = "integer" if type_.is_integer else "string"
        constants = tuple(ast.Constant(node.span, kind, text) for text in known)
        test: ast.Expression = ast.In(node.span, node, constants, False)
        if None in texts:
            null = ast.IsTest(node.span, node, "null", False)
            test = ast.Binary(node.span, "or", test, null) if constants else null
        if texts:
            found.append(test)
    return found


def _count(span: Span) -> ast.SelectItem:
    call = ast.FunctionCall(span, "count", (ast.Star(span, None),))
    return ast.SelectItem(span, call, None)


def _check_number(columns: int, span: Span) -> None:
    if columns > LIMITS.pivot_columns:
        raise NotSupportedError(
            f"PIVOT into more than {LIMITS.pivot_columns} columns is not supported",
            span=span,
            hint="Name the values that are needed: ON column IN (...).",
        )


def _is_aggregate(context: Context, node: ast.Node) -> bool:
    if not isinstance(node, ast.FunctionCall):
        return False
    if node.name in built_in():
        return aggregates.is_aggregate(node.name) or node.within_group
    user = known(node.name, context)
    return user is not None and user.is_aggregate


def _check_aggregate(node: ast.Expression, is_aggregate: IsAggregate) -> None:
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
    count = sum(map(is_aggregate, found))
    if count != 1:
        raise ProgrammingError(
            f"an entry of PIVOT holds one aggregate function, and this one has {count or 'none'}",
            span=node.span,
        )
    blank = ast.Constant(node.span, "null", "")
    outside = rewritten(node, lambda part: (blank,) if is_aggregate(part) else None)
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


def _keys(node: ast.PivotTable, scope: Scope) -> tuple[ast.Name, ...]:
    """What is grouped by: what is written, else every column that PIVOT does not use."""
    if node.group_by is not None:
        return tuple(_key(key, scope) for key in node.group_by)
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


def _key(node: ast.Expression, scope: Scope) -> ast.Name:
    """A column of GROUP BY, as the table spells it."""
    if not isinstance(node, ast.Name):
        raise NotSupportedError("PIVOT groups by columns, named one by one", span=node.span)
    if len(node.parts) > 1:
        return node
    column = scope.find(node.parts[0], node.span)
    if column is None:
        raise scope.unknown(node.parts[0], node.span)
    return Chosen(node.span, (column.name,), column)


def _axis(on: ast.PivotOn, scope: Scope, place: Place) -> _Axis:
    """One entry of ON, or of FOR, with its values."""
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
    types = tuple(bind_root(expression, env).type for expression in on.expressions)
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
        texts = tuple(text for text, _ in constants)
        found.append(_Value(item.alias or "_".join(map(_name, texts)), texts))
    return _Axis(on.expressions, types, tuple(found))


def _name(text: str | None) -> str:
    """A value as a part of a column's name."""
    return "NULL" if text is None else text


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
        node = _text(node)
    return ast.Binary(span, "=", node, ast.Constant(span, "string", text))


def _text(node: ast.Expression) -> ast.Expression:
    return ast.CastTo(node.span, node, ast.TypeName(node.span, "varchar"), False)


def _all(conditions: list[ast.Expression]) -> ast.Expression:
    result = conditions[0]
    for condition in conditions[1:]:
        result = ast.Binary(condition.span, "and", result, condition)
    return result


def _filtered(
    node: ast.Expression, conditions: list[ast.Expression], is_aggregate: IsAggregate
) -> ast.Expression:
    """The expression with the aggregate in it over the rows of the conditions alone."""

    def visit(part: ast.Node) -> tuple[ast.Node, ...] | None:
        if not isinstance(part, ast.FunctionCall) or not is_aggregate(part):
            return None
        own = [] if part.where is None else [part.where]
        return (replace(part, where=_all([*conditions, *own])),)

    return rewritten(node, visit) if conditions else node
