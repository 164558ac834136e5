"""The grammar's rules for queries as actions: SELECT and its clauses, set operations, WITH, VALUES.

Owns: one function for each action name of the sections on queries and select lists. Comes in: a
span and the values of the parts. Goes out: queries. Does not know: tokens, states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from typing import Literal as OneOf

from eau2.errors import Span, SqlSyntaxError
from eau2.records import replace
from eau2.sql import ast
from eau2.sql.build_expressions import ACTIONS, LEVEL_CHAIN, action, chain_depth, unquoted

Expression = ast.Expression
Operator = tuple[OneOf["union", "intersect", "except"], bool, bool]
"""A set operator, whether it says ALL, whether BY NAME."""


class Bound(NamedTuple):
    """LIMIT or OFFSET."""

    clause: OneOf["limit", "offset"]
    amount: Expression | None
    percent: bool = False


class Tail(NamedTuple):
    """What follows a query: set operators with their right sides, ORDER BY, LIMIT and OFFSET."""

    parts: tuple[tuple[Operator, ast.Query], ...]
    order_by: tuple[ast.OrderItem, ...]
    bounds: tuple[Bound, ...]


@action
def _true(span: Span, *parts: object) -> bool:
    return True


@action
def _false(span: Span) -> bool:
    return False


@action
def _first(span: Span, value: Any = None, *more: object) -> Any:
    return value


@action
def _selected(
    span: Span, quantifier: bool | tuple[Expression, ...] | None, items: tuple[ast.SelectItem, ...]
) -> ast.Select:
    if isinstance(quantifier, tuple):
        return ast.Select(span, items, distinct_on=quantifier)
    return ast.Select(span, items, distinct=bool(quantifier))


@action
def _distinct_on(span: Span, keys: tuple[Expression, ...]) -> tuple[Expression, ...]:
    return keys


@action
def _select_list(span: Span, *items: ast.SelectItem) -> tuple[ast.SelectItem, ...]:
    return items


@action
def _select_item(span: Span, expression: Expression, alias: str | None = None) -> ast.SelectItem:
    return ast.SelectItem(span, expression, alias)


@action
def _select_item_string(span: Span, expression: Expression, text: str) -> ast.SelectItem:
    if text.startswith(("e", "E")):
        raise SqlSyntaxError("A string with escapes cannot be an alias", span=span)
    return ast.SelectItem(span, expression, unquoted(span, text))


@action
def _select_item_prefixed(span: Span, alias: str, expression: Expression) -> ast.SelectItem:
    return ast.SelectItem(span, expression, alias)


@action
def _from_clause(span: Span, query: ast.Select, source: ast.TableExpression) -> ast.Select:
    return replace(query, span=span, source=source)


@action
def _from_first(span: Span, source: ast.TableExpression, query: ast.Select) -> ast.Select:
    return replace(query, span=span, source=source)


def all_of_table(span: Span, source: ast.TableExpression) -> ast.Select:
    """SELECT * FROM source, for what says so in fewer words."""
    return ast.Select(span, (ast.SelectItem(span, ast.Star(span, None), None),), source)


@action
def _from_alone(span: Span, source: ast.TableExpression) -> ast.Select:
    return all_of_table(span, source)


@action
def _table_query(span: Span, name: str) -> ast.Select:
    return all_of_table(span, ast.TableName(span, name))


@action
def _where_clause(span: Span, query: ast.Select, condition: Expression) -> ast.Select:
    return replace(query, span=span, where=condition)


@action
def _group_by_clause(span: Span, query: ast.Select, keys: tuple[Expression, ...]) -> ast.Select:
    flat: list[Expression] = []
    for key in keys:
        match key:
            case ast.RowOf(where, ()):
                flat.append(ast.GroupingSet(where, "sets", ((),)))
            case ast.RowOf(_, items):
                flat += items
            case _:
                flat.append(key)
    return replace(query, span=span, group_by=tuple(flat))


@action
def _groupings(span: Span, *keys: Expression) -> tuple[Expression, ...]:
    return tuple(map(_grouping, keys))


def _grouping(key: Expression) -> Expression:
    """ROLLUP and CUBE look like calls; they are not functions."""
    match key:
        case ast.FunctionCall(span, "rollup", arguments):
            return ast.GroupingSet(span, "rollup", tuple(map(_step, arguments)))
        case ast.FunctionCall(span, "cube", arguments):
            return ast.GroupingSet(span, "cube", tuple(map(_step, arguments)))
    return key


def _step(key: Expression) -> tuple[Expression, ...]:
    return key.items if isinstance(key, ast.RowOf) else (key,)


@action
def _grouping_sets(span: Span, keys: tuple[Expression, ...]) -> Expression:
    sets = tuple(key if isinstance(key, ast.GroupingSet) else _step(key) for key in keys)
    return ast.GroupingSet(span, "sets", sets)


@action
def _no_columns(span: Span) -> Expression:
    return ast.RowOf(span, ())


@action
def _every_column(span: Span) -> Expression:
    return ast.EveryColumn(span)


@action
def _having_clause(span: Span, query: ast.Select, condition: Expression) -> ast.Select:
    return replace(query, span=span, having=condition)


@action
def _window_clause(
    span: Span, query: ast.Select, *windows: tuple[str, ast.WindowSpec]
) -> ast.Select:
    return replace(query, span=span, windows=windows)


@action
def _window_definition(span: Span, name: str, window: ast.WindowSpec) -> tuple[str, ast.WindowSpec]:
    return name, window


@action
def _qualify_clause(span: Span, query: ast.Select, condition: Expression) -> ast.Select:
    return replace(query, span=span, qualify=condition)


@action
def _sample_clause(span: Span, query: ast.Select, sample: ast.Sample) -> ast.Select:
    return replace(query, span=span, sample=sample)


@action
def _order_items(span: Span, *items: ast.OrderItem) -> tuple[ast.OrderItem, ...]:
    return items


@action
def _order_item(
    span: Span, key: Expression, descending: bool | None, nulls_last: bool | None
) -> ast.OrderItem:
    return ast.OrderItem(span, key, bool(descending), nulls_last)


@action
def _limit(span: Span, count: Expression) -> Bound:
    return Bound("limit", count)


@action
def _limit_percent(span: Span, count: Expression) -> Bound:
    return Bound("limit", count, percent=True)


@action
def _no_limit(span: Span) -> Bound:
    return Bound("limit", None)


@action
def _fetch(span: Span, count: Expression | None) -> Bound:
    return Bound("limit", count or ast.Constant(span, "integer", "1"))


@action
def _offset(span: Span, count: Expression) -> Bound:
    return Bound("offset", count)


@action
def _bounds(span: Span, *bounds: Bound) -> tuple[Bound, ...]:
    return bounds


@action
def _tail(span: Span, *parts: Any) -> Tail:
    *operands, order_by, bounds = parts
    return Tail(tuple(operands), order_by or (), bounds or ())


@action
def _tail_order(
    span: Span, order_by: tuple[ast.OrderItem, ...], bounds: tuple[Bound, ...] | None
) -> Tail:
    return Tail((), order_by, bounds or ())


@action
def _tail_bounds(span: Span, bounds: tuple[Bound, ...]) -> Tail:
    return Tail((), (), bounds)


@action
def _set_part(span: Span, operator: Operator, right: ast.Query) -> tuple[Operator, ast.Query]:
    return operator, right


def set_operator(name: OneOf["union", "intersect", "except"]) -> Callable[..., Operator]:
    """The action of a set operator."""
    return lambda span, quantity, by_name=None: (name, bool(quantity), bool(by_name))


@action
def _tailed(span: Span, query: ast.Query, tail: Tail) -> ast.Query:
    if not isinstance(query, ast.Select) or tail.parts:
        return tailed_brackets(span, query, tail)
    return replace(query, span=span, order_by=tail.order_by, **_limits(tail))


@action
def tailed_brackets(span: Span, query: ast.Query, tail: Tail) -> ast.Query:
    """The query with its tail. INTERSECT binds tighter than UNION and EXCEPT."""
    combined = _combined([(None, query), *tail.parts])
    if tail.order_by or tail.bounds:
        return ast.Ordered(span, combined, tail.order_by, **_limits(tail))
    return replace(combined, span=span)


def _limits(tail: Tail) -> dict[str, Any]:
    given = {bound.clause: bound for bound in tail.bounds}
    limit, offset = given.get("limit"), given.get("offset")
    return {
        "limit": None if limit is None else limit.amount,
        "offset": None if offset is None else offset.amount,
        "limit_percent": limit is not None and limit.percent,
    }


def _combined(parts: list[tuple[Operator | None, ast.Query]]) -> ast.Query:
    """The operands in one tree, from the left, intersections first."""
    terms: list[tuple[Operator | None, ast.Query]] = []
    for operator, query in parts:
        if operator is not None and operator[0] == "intersect":
            before, left = terms[-1]
            terms[-1] = before, _set_operation(operator, left, query)
        else:
            terms.append((operator, query))
    runs: list[tuple[Operator | None, list[ast.Query]]] = []
    for operator, query in terms:
        if runs and len(runs[-1][1]) > 1 and runs[-1][0] == operator:
            runs[-1][1].append(query)
        elif runs and operator is not None:
            runs = [(operator, [_joined(*runs[-1]), query])]
        else:
            runs.append((operator, [query]))
    return _joined(*runs[-1])


def _joined(operator: Operator | None, queries: list[ast.Query]) -> ast.Query:
    """Queries with the same operator between them: a long chain of UNION becomes a low tree."""
    if operator is None:
        return queries[0]
    if len(queries) <= LEVEL_CHAIN or operator[0] != "union":
        tree = queries[0]
        for query in queries[1:]:
            tree = _set_operation(operator, tree, query)
        return tree
    half = (len(queries) + 1) // 2
    left, right = (
        _joined(operator if len(side) > 1 else None, side)
        for side in (queries[:half], queries[half:])
    )
    return _set_operation(operator, left, right)


def _set_operation(operator: Operator, left: ast.Query, right: ast.Query) -> ast.Query:
    span = Span(left.span.start, right.span.end)
    return ast.SetOperation(span, *operator, left, right)


def tail_levels(parts: Sequence[Any]) -> int:
    """How many levels a tail with these parts adds to the tree."""
    operators = [part[0] for part in parts[:-2] if part is not None]
    if len(set(operators)) == 1 and operators[0][0] == "union":
        return chain_depth(len(operators) + 1)
    return len(operators)


@action
def _with(span: Span, *tables: ast.CommonTable) -> tuple[bool, tuple[ast.CommonTable, ...]]:
    return False, tables


@action
def _with_recursive(
    span: Span, *tables: ast.CommonTable
) -> tuple[bool, tuple[ast.CommonTable, ...]]:
    return True, tables


@action
def _with_query(
    span: Span, given: tuple[bool, tuple[ast.CommonTable, ...]], query: ast.Query
) -> ast.Query:
    recursive, tables = given
    return ast.WithQuery(span, tables, recursive, query)


@action
def _common_table(
    span: Span,
    name: str,
    columns: tuple[str, ...] | None,
    key: tuple[str, ...] | None,
    materialized: bool | None,
    query: ast.Query,
) -> ast.CommonTable:
    return ast.CommonTable(span, name, query, columns or (), materialized, key or ())


@action
def _values(span: Span, *rows: tuple[Expression, ...]) -> ast.Query:
    width = len(rows[0])
    for row in rows:
        if len(row) != width:
            at = Span(row[0].span.start, row[-1].span.end)
            raise SqlSyntaxError(
                f"This row of VALUES has {len(row)} values, the first has {width}", span=at
            )
    return ast.Values(span, rows)


@action
def _row(span: Span, *values: Expression) -> tuple[Expression, ...]:
    return values


@action
def _default(span: Span) -> Expression:
    return ast.DefaultValue(span)


ACTIONS |= {
    "union": set_operator("union"),
    "intersect": set_operator("intersect"),
    "except": set_operator("except"),
}
