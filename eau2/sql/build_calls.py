"""The grammar's rules for calls, brackets, lists and subqueries as actions.

Owns: one function for each action name of what an expression is made of that is neither operator
nor constant: functions and their clauses, windows, forms like EXTRACT, subqueries, rows, stars.
Comes in: a span and the values of the parts. Goes out: ast nodes. Does not know: tokens, states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from typing import Literal as OneOf

from eau2.errors import Span, SqlSyntaxError
from eau2.records import replace
from eau2.sql import ast
from eau2.sql.build_expressions import ACTIONS as ACTIONS
from eau2.sql.build_expressions import action, unquoted
from eau2.sql.build_queries import Tail, tailed_brackets

Expression = ast.Expression
OrderItems = tuple[ast.OrderItem, ...]

_SCHEMAS = frozenset(("main", "memory", "temp", "system", "pg_catalog", "information_schema"))
"""Words that before a point are a schema, not a column on which a function is called."""


class Inside(NamedTuple):
    """What stands in the brackets of a call."""

    distinct: bool | None
    arguments: tuple[Expression, ...] | None
    order_by: OrderItems | None
    ignore_nulls: bool | None


@action
def _arguments(span: Span, *values: Expression) -> tuple[Expression, ...]:
    return values


@action
def _expressions(span: Span, *values: Expression) -> tuple[Expression, ...]:
    return values


@action
def _inside(span: Span, *parts: Any) -> Inside:
    return Inside(*parts)


@action
def _call(span: Span, name: str, inside: Inside) -> Expression:
    name = name.lower()
    arguments = inside.arguments or ()
    if name == "row":
        return ast.RowOf(span, arguments)
    if name == "date" and len(arguments) == 1:
        return ast.CastTo(span, arguments[0], ast.TypeName(span, name), False)
    if name != "count" and any(isinstance(one, ast.Star) for one in arguments):
        return ast.Unsupported(span, f"{name}(*)")
    return ast.FunctionCall(
        span,
        name,
        arguments,
        distinct=bool(inside.distinct),
        order_by=inside.order_by or (),
        ignore_nulls=inside.ignore_nulls,
    )


@action
def _method(span: Span, operand: Expression, name: str, inside: Inside) -> Expression:
    arguments = (operand, *(inside.arguments or ()))
    return _call(span, name, inside._replace(arguments=arguments))


@action
def _method_of_path(span: Span, path: list[str], name: str, inside: Inside) -> Expression:
    if path[0].lower() in _SCHEMAS:
        return ast.Unsupported(span, "A function of a schema")
    start = span.start
    operand = ast.Name(Span(start, start + sum(map(len, path)) + len(path) - 1), tuple(path))
    call = _method(span, operand, name, inside)
    return replace(call, method=True) if isinstance(call, ast.FunctionCall) else call


@action
def _named_argument(span: Span, name: str, value: Expression) -> Expression:
    return ast.NamedArgument(span, name, value)


@action
def _lambda(span: Span, *parts: Any) -> Expression:
    *names, body = parts
    return ast.Lambda(span, tuple(names), body)


def _extended(call: Expression, span: Span, clause: str, **changes: Any) -> Expression:
    """The call with one more clause behind it."""
    match call:
        case ast.Unsupported():
            return call
        case ast.FunctionCall(over=None):
            return replace(call, span=span, **changes)
    raise SqlSyntaxError(f"{clause} can only stand after a function call", span=span)


@action
def _within_group(span: Span, call: Expression, order_by: OrderItems) -> Expression:
    return _extended(call, span, "WITHIN GROUP", order_by=order_by, within_group=True)


@action
def _filter(span: Span, call: Expression, condition: Expression) -> Expression:
    return _extended(call, span, "FILTER", where=condition)


@action
def _over(span: Span, call: Expression, window: ast.WindowSpec | str) -> Expression:
    return _extended(call, span, "OVER", over=window)


@action
def _window(
    span: Span,
    base: str | None,
    partition_by: tuple[Expression, ...] | None,
    order_by: OrderItems | None,
    frame: ast.Frame | None,
) -> ast.WindowSpec:
    return ast.WindowSpec(span, base, partition_by or (), order_by or (), frame)


def word(value: str) -> Callable[[Span], str]:
    """The action of words that are one value."""
    return lambda span: value


Exclude = OneOf["no_others", "current_row", "group", "ties"]


@action
def _frame(span: Span, unit: Any, start: ast.FrameEnd, *more: Any) -> ast.Frame:
    exclude: Exclude = more[-1] or "no_others"
    end = more[0] if len(more) == 2 else ast.FrameEnd(start.span, "current_row")
    if start.kind == "unbounded_following" or end.kind == "unbounded_preceding":
        where = "start" if start.kind == "unbounded_following" else "end"
        bound = "FOLLOWING" if where == "start" else "PRECEDING"
        raise SqlSyntaxError(f"A frame cannot {where} at UNBOUNDED {bound}", span=span)
    if _BOUND_ORDER[start.kind] > _BOUND_ORDER[end.kind]:
        raise SqlSyntaxError("This frame ends before it starts", span=span)
    return ast.Frame(span, unit, start, end, exclude)


_BOUND_ORDER = {
    "unbounded_preceding": 0,
    "preceding": 1,
    "current_row": 2,
    "following": 3,
    "unbounded_following": 4,
}


def _is_unbounded(bound: Expression) -> bool:
    """Whether the bound is the word UNBOUNDED; in quotes it would be longer."""
    match bound:
        case ast.Name(span, (name,)) if name.lower() == "unbounded":
            return span.end - span.start == len(name)
    return False


@action
def _preceding(span: Span, bound: Expression) -> ast.FrameEnd:
    if _is_unbounded(bound):
        return ast.FrameEnd(span, "unbounded_preceding")
    return ast.FrameEnd(span, "preceding", bound)


@action
def _following(span: Span, bound: Expression) -> ast.FrameEnd:
    if _is_unbounded(bound):
        return ast.FrameEnd(span, "unbounded_following")
    return ast.FrameEnd(span, "following", bound)


@action
def _current_row(span: Span) -> ast.FrameEnd:
    return ast.FrameEnd(span, "current_row")


@action
def _overlay(span: Span, name: str, *arguments: Expression) -> Expression:
    if name.lower() != "overlay":
        raise SqlSyntaxError("PLACING can only stand in overlay(...)", span=span)
    return ast.FunctionCall(span, "overlay", arguments)


@action
def _parentheses(span: Span, inner: Expression) -> Expression:
    return inner


@action
def _row_of(span: Span, *items: Expression) -> Expression:
    return ast.RowOf(span, items)


@action
def _subquery(span: Span, query: ast.Query) -> Expression:
    return ast.Subquery(span, query)


@action
def _subquery_tailed(span: Span, left: Expression, tail: Tail) -> Expression:
    return ast.Subquery(span, _query_of(span, left, tail))


def _query_of(span: Span, left: Expression, tail: Tail) -> ast.Query:
    """The query that brackets and what follows them make: only a query can go on so."""
    if isinstance(left, ast.Subquery) and not left.as_list:
        return tailed_brackets(span, left.query, tail)
    raise SqlSyntaxError("These brackets should hold a query", span=left.span)


@action
def _exists(span: Span, query: ast.Query) -> Expression:
    return ast.Exists(span, query)


@action
def _array_of_query(span: Span, query: ast.Query) -> Expression:
    return ast.Subquery(span, query, as_list=True)


Members = tuple[Expression, ...] | ast.Query | Expression
"""What follows IN: expressions in brackets, a query, or an expression that is a list."""


@action
def _in_query(span: Span, query: ast.Query) -> Members:
    return query


@action
def _in_tailed(span: Span, left: Expression, tail: Tail) -> Members:
    return _query_of(span, left, tail)


@action
def _in_list(span: Span, value: Expression) -> Members:
    return value


def _membership(span: Span, operand: Expression, members: Members, negated: bool) -> Expression:
    match members:
        case ast.Query():
            return ast.InQuery(span, operand, members, negated)
        case (ast.Subquery(_, query, False),):
            return ast.InQuery(span, operand, query, negated)
        case tuple():
            return ast.In(span, operand, members, negated)
    contains = ast.FunctionCall(span, "contains", (members, operand))
    return ast.Unary(span, "not", contains) if negated else contains


@action
def _in(span: Span, operand: Expression, members: Members) -> Expression:
    return _membership(span, operand, members, False)


@action
def _not_in(span: Span, operand: Expression, members: Members) -> Expression:
    return _membership(span, operand, members, True)


Quantity = tuple[OneOf["any", "all"], Expression]


@action
def _any(span: Span, right: Expression) -> Quantity:
    return "any", right


@action
def _all(span: Span, right: Expression) -> Quantity:
    return "all", right


_OPERATORS = {"==": "=", "!=": "<>"}


@action
def _quantified(span: Span, left: Expression, sign: str, right: Quantity) -> Expression:
    quantifier, values = right
    operator = _OPERATORS.get(sign, sign)
    if isinstance(values, ast.Subquery) and not values.as_list:
        return ast.Quantified(span, operator, left, quantifier, values.query)
    return ast.Quantified(span, operator, left, quantifier, values)


@action
def _list_of(span: Span, items: tuple[Expression, ...] | None) -> Expression:
    return ast.ListOf(span, items or ())


@action
def _array_of(span: Span, items: tuple[Expression, ...] | None) -> Expression:
    return ast.ListOf(span, items or (), array=True)


@action
def _comprehension(
    span: Span,
    result: Expression,
    names: tuple[str, ...],
    values: Expression,
    condition: Expression | None,
) -> Expression:
    made = ast.Lambda(span, names, result)
    if condition is None:
        return ast.FunctionCall(span, "list_apply", (values, made))
    kept = ast.Lambda(span, names, condition)
    return ast.FunctionCall(span, ast.COMPREHENSION, (values, made, kept))


@action
def _subscript(span: Span, operand: Expression, index: Expression) -> Expression:
    return ast.Subscript(span, operand, index)


@action
def _slice(span: Span, operand: Expression, *bounds: Expression | None) -> Expression:
    return ast.Slice(span, operand, *bounds)


@action
def _slice_by(span: Span, operand: Expression, step: Expression) -> Expression:
    return ast.Slice(span, operand, None, None, step)


@action
def _none(span: Span) -> None:
    return None


@action
def _all_columns(span: Span) -> ast.Star:
    return ast.Star(span, None)


@action
def _all_columns_of(span: Span, path: list[str]) -> Expression:
    if len(path) > 1:
        return ast.Unsupported(span, "A table name with a point")
    return ast.Star(span, path[0])


@action
def _starred(
    span: Span,
    star: Expression,
    exclude: tuple[tuple[str, ...], ...] | None,
    changed: tuple[tuple[Expression, str], ...] | None,
    renamed: tuple[tuple[str, str], ...] | None,
) -> Expression:
    if not isinstance(star, ast.Star):
        return star
    return replace(
        star, span=span, exclude=exclude or (), replace=changed or (), rename=renamed or ()
    )


@action
def _star_like(span: Span, star: Expression, words: str, text: str) -> Expression:
    if not isinstance(star, ast.Star):
        return star
    return replace(star, span=span, like=(words.removesuffix(" to"), unquoted(span, text)))


@action
def _words(span: Span, *words: str) -> str:
    return " ".join(words).lower()


@action
def _exclude(span: Span, *paths: list[str]) -> tuple[tuple[str, ...], ...]:
    return tuple(map(tuple, paths))


@action
def _replace(span: Span, *entries: tuple[Expression, str]) -> tuple[tuple[Expression, str], ...]:
    return entries


@action
def _replacement(span: Span, value: Expression, path: list[str]) -> tuple[Expression, str]:
    return value, path[-1]


@action
def _rename(span: Span, *entries: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return entries


@action
def _renaming(span: Span, path: list[str], name: str) -> tuple[str, str]:
    return path[-1], name


@action
def _columns_of(span: Span, chosen: Expression) -> Expression:
    match chosen:
        case ast.Constant(_, "string", pattern):
            return ast.Columns(span, pattern, None)
        case ast.Star():
            return ast.Columns(span, None, chosen)
        case ast.ListOf(_, items):
            names = [one.text for one in items if isinstance(one, ast.Constant)]
            if items and len(names) == len(items):
                return ast.Columns(span, None, None, tuple(names))
    return ast.Unsupported(chosen.span, "COLUMNS of anything but a string, * or names")


@action
def _unpacked(span: Span, chosen: Expression) -> Expression:
    columns = _columns_of(span, chosen)
    if isinstance(columns, ast.Columns):
        return replace(columns, unpacked=True)
    return columns


@action
def _typed_constant_with_numbers(span: Span, call: Expression, text: str) -> Expression:
    match call:
        case ast.FunctionCall(where, name, arguments, over=None, where=None):
            numbers = [
                int(one.text[:9])
                for one in arguments
                if isinstance(one, ast.Constant) and one.kind == "integer"
            ]
            if arguments and len(numbers) == len(arguments):
                type_name = ast.TypeName(where, name, tuple(numbers))
                return ast.TypedConstant(span, type_name, unquoted(span, text))
    raise SqlSyntaxError("A string cannot stand right after this", span=call.span)


ACTIONS |= {unit: word(unit) for unit in ("rows", "range", "groups")}
ACTIONS |= {excluded: word(excluded) for excluded in ("no_others", "group", "ties")}
ACTIONS["exclude_current_row"] = word("current_row")
