"""Expressions: names to columns, operators and functions to calls, casts made explicit.

Owns: `bind_expr`. Comes in: ast expressions and an Environment. Goes out: bound expressions.
Aggregate and window calls are collected on the way and replaced by references to the columns they
will be (bind_call.py).
Does not know: clauses and their order, plans.
"""

from __future__ import annotations

from functools import partial

from eau2 import types
from eau2.config import LIMITS
from eau2.errors import (
    NotSupportedError,
    ProgrammingError,
    Span,
    TypeMismatchError,
    UnknownFunctionError,
)
from eau2.operators import aggregates, coercion, windows
from eau2.operators.expr import Call, Case, Expr, InList, Literal
from eau2.operators.functions import native, refused, table
from eau2.sql import ast, intervals, lambdas, literals, macros, type_names, unnesting
from eau2.sql.bind_call import bind_aggregate, bind_grouping
from eau2.sql.bind_name import CLOCK_FUNCTIONS, bind_name, clock
from eau2.sql.bind_window import bind_window
from eau2.sql.depth import check_bound, check_written, too_deep
from eau2.sql.environment import Environment
from eau2.sql.function_names import SCALAR, built_in
from eau2.sql.naming import chain, expression_name, folded_minus
from eau2.sql.quantified import over_list
from eau2.sql.refusals import needs_structs, unsupported
from eau2.sql.row_values import compare_values, items_of
from eau2.sql.scope import nearest
from eau2.sql.spans import as_condition, at
from eau2.sql.spelled_forms import collated, overlay, refused_collation
from eau2.sql.subqueries import bind_any, bind_exists, bind_scalar
from eau2.sql.user_calls import bind_native_call, bind_user_call, known
from eau2.types import BOOLEAN

_COMPARISONS = {
    **{sign: sign for sign in ("=", "<>", "<", "<=", ">", ">=")},
    "is distinct from": "is_distinct",
    "is not distinct from": "is_not_distinct",
}


_SIGNS = {"-": "negate", "~": "bit_not", "@": "abs"}
"""What a sign before an operand calls."""

_comparison_type = partial(coercion.common_type, compared=True)


def bind_root(node: ast.Expression, env: Environment) -> Expr:
    """The bound form of a whole expression of a clause. Raises statement errors with spans."""
    if isinstance(node, ast.Constant):
        # There is nothing to measure, and VALUES may have a hundred thousand of them.
        return literals.constant(node)
    check_written(node)
    return check_bound(bind_expr(node, env), node.span)


def bind_condition(node: ast.Expression, env: Environment) -> Expr:
    """A bound expression of type BOOLEAN."""
    return as_condition(bind_root(node, env), node.span)


def bind_expr(node: ast.Expression, env: Environment, depth: int = 0) -> Expr:
    """The bound form of a part of an expression, `depth` levels below its root."""
    if depth > LIMITS.expression_depth:
        raise too_deep(node.span)
    if env.inside_alias:
        env.context.spent += 1
        if env.context.spent > LIMITS.alias_nodes:
            raise NotSupportedError("the aliases of this statement expand too far", span=node.span)
    match node:
        case ast.Name():
            return bind_name(node, env, depth, bind_expr)
        case ast.Constant():
            return literals.constant(node)
        case ast.Binary(left=ast.Collated()) | ast.Binary(right=ast.Collated()) if (
            node.operator in _COMPARISONS
        ):
            return bind_expr(collated(node), env, depth)
        case ast.In(operand=ast.Collated()) | ast.Between(operand=ast.Collated()):
            return bind_expr(collated(node), env, depth)
        case ast.Binary():
            return _binary(node, env, depth + 1)
        case ast.FunctionCall():
            return _function(node, env, depth + 1)
        case ast.Unary():
            return _unary(node, env, depth + 1)
        case ast.CaseWhen():
            return _case(node, env, depth + 1)
        case ast.In():
            return _in(node, env, depth + 1)
        case ast.CastTo():
            return _cast(node, env, depth + 1)
        case ast.Between() | ast.Like() | ast.IsTest() | ast.Extract():
            return _test(node, env, depth + 1)
        case ast.Exists():
            return bind_exists(node, env)
        case ast.Subquery():
            return bind_scalar(node, env)
        case ast.InQuery(_, operand, query):
            operands = tuple(bind_expr(item, env, depth + 1) for item in items_of(operand))
            return bind_any(node, query, operands, env, compare)
        case ast.Quantified(_, _, operand, _, right) if isinstance(right, ast.Query):
            operands = tuple(bind_expr(item, env, depth + 1) for item in items_of(operand))
            return bind_any(node, right, operands, env, compare)
        case ast.ListOf():
            return _list(node, env, depth + 1)
        case ast.Subscript():
            return _subscript(node, env, depth + 1)
        case ast.Slice():
            return _slice(node, env, depth + 1)
        case ast.Quantified(_, operator, operand, quantifier, right):
            assert isinstance(right, ast.Expression)
            value, lists = (bind_expr(part, env, depth + 1) for part in (operand, right))
            return over_list(operator, quantifier, value, lists, node.span, compare)
        case ast.TypedConstant():
            return _typed_constant(node)
        case ast.Parameter():
            return literals.parameter(node, env.context.parameters)
        case ast.IntervalConstant():
            return _interval(node, env, depth + 1)
        case ast.Star(span):
            raise ProgrammingError("* can only stand in a select list or in count(*)", span=span)
        case ast.Collated():
            raise refused_collation(node)
        case ast.Unsupported(span, what):
            raise NotSupportedError(f"{what} is not supported", span=span)
    raise unsupported(node)


def _call(span: Span, name: str, *args: Expr) -> Expr:
    return at(span, table.bind, name, args)


def _unary(node: ast.Unary, env: Environment, depth: int) -> Expr:
    if node.operator == "not":
        operand = bind_expr(node.operand, env, depth)
        return _call(node.span, "not", as_condition(operand, node.operand.span))
    number = folded_minus(node)
    if isinstance(number, ast.Constant):
        return literals.constant(number)
    interval = intervals.constant(node, env.context.parameters)
    if interval is not None:
        return interval.literal
    operand = bind_expr(node.operand, env, depth)
    if node.operator in _SIGNS:
        return _call(node.span, _SIGNS[node.operator], operand)
    if operand.type.is_numeric or operand.type == types.NULL:
        return operand
    raise TypeMismatchError(f"+ is not defined for {operand.type}", span=node.span)


def _interval(node: ast.IntervalConstant, env: Environment, depth: int) -> Expr:
    """A constant, or so many units of what is computed."""
    interval = intervals.constant(node, env.context.parameters)
    if interval is not None:
        return interval.literal
    amount = bind_expr(node.amount, env, depth)
    return at(node.span, intervals.of_units, amount, node.unit, node.span)


def _binary(node: ast.Binary, env: Environment, depth: int) -> Expr:
    operator, span = node.operator, node.span
    if operator in ("and", "or"):
        parts = [as_condition(bind_expr(part, env, depth), part.span) for part in chain(node)]
        return balanced(operator, parts)
    if operator in ("+", "-", "*") and intervals.is_interval(node):
        interval = intervals.constant(node, env.context.parameters)
        if interval is not None:
            return interval.literal
    if isinstance(node.left, ast.RowOf) and isinstance(node.right, ast.RowOf):
        rows = [
            tuple(bind_expr(item, env, depth) for item in side.items)
            for side in (node.left, node.right)
        ]
        return compare_values(_COMPARISONS.get(operator, operator), rows[0], rows[1], span, compare)
    left = bind_expr(node.left, env, depth)
    right = bind_expr(node.right, env, depth)
    if operator in _COMPARISONS:
        return compare(_COMPARISONS[operator], left, right, span)
    return _call(span, operator, left, right)


def balanced(operator: str, parts: list[Expr]) -> Expr:
    """A chain of AND or OR as a tree of small depth; the order of the parts stays."""
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        joined: list[Expr] = [Call(BOOLEAN, operator, pair) for pair in pairs]
        parts = joined + parts[len(joined) * 2 :]
    return parts[0]


def compare(operator: str, left: Expr, right: Expr, span: Span) -> Expr:
    """A comparison; a string constant beside a date or a timestamp is read at once."""
    call = at(span, coercion.compare, operator, left, right)
    if not any(side.type.is_numeric or side.type == BOOLEAN for side in call.children):
        return call.with_children(tuple(literals.folded(side, span) for side in call.children))
    return call


def _function(node: ast.FunctionCall, env: Environment, depth: int) -> Expr:
    name, span = node.name, node.span
    if name not in built_in() and (user := known(name, env.context)) is not None:
        return bind_user_call(user, node, env, depth, bind_expr)
    if name not in built_in() and (found := native.known(name)) is not None:
        return bind_native_call(found, node, env, depth, bind_expr)
    if node.over is not None:
        return bind_window(node, env, depth, bind_expr)
    if name in CLOCK_FUNCTIONS and not node.arguments:
        return clock(name, node, env)
    if aggregates.is_aggregate(name) or node.within_group:
        return bind_aggregate(node, env, depth, bind_expr)
    if name in ("grouping", "grouping_id"):
        return bind_grouping(node, env, depth, bind_expr)
    if windows.is_window_function(name):
        raise ProgrammingError(
            f"{name} is a window function: it needs OVER",
            span=span,
            hint=f"Write {name}(...) OVER (ORDER BY ...).",
        )
    for given, clause in (
        (node.distinct, "DISTINCT"),
        (node.where is not None, "FILTER"),
        (bool(node.order_by), "ORDER BY"),
        (node.ignore_nulls is not None, "IGNORE NULLS"),
    ):
        if given:
            raise ProgrammingError(
                f"{clause} is for aggregate functions; {name} is none", span=span
            )
    if lambdas.takes_lambda(name) or any(isinstance(arg, ast.Lambda) for arg in node.arguments):
        return lambdas.bind_lambda_call(node, env, depth, bind_expr)
    if name in unnesting.NAMES:
        return unnesting.bind_unnest(node, env, depth, bind_expr)
    if name == "typeof" and len(node.arguments) == 1:
        type_ = bind_expr(node.arguments[0], env, depth).type
        return Literal(types.VARCHAR, types.described(type_))
    if name == "overlay":
        return bind_expr(overlay(node), env, depth)
    if name in macros.NAMES:
        return bind_expr(macros.expanded(node), env, depth)
    if name == "alias" and len(node.arguments) == 1:
        return Literal(types.VARCHAR, expression_name(node.arguments[0]))
    if name in refused.REASONS:
        reason, hint = refused.REASONS[name], refused.HINTS.get(name)
        raise NotSupportedError(f"{name} is not supported: {reason}", span=node.span, hint=hint)
    if name == "age" and len(node.arguments) == 1:
        moment = bind_expr(node.arguments[0], env, depth)
        return _call(span, name, clock("current_date", node, env), moment)
    if name not in SCALAR and needs_structs(name):
        raise NotSupportedError(
            f"{name} needs a struct or a map, which are not supported", span=span
        )
    if name not in SCALAR:
        users = (*env.context.catalog.functions(), *native.names())
        near = nearest(name, [*SCALAR, *aggregates.names(), *windows.names(), *users])
        hint = None if near is None else f'Did you mean "{near}"?'
        raise UnknownFunctionError(f'there is no function "{name}"', span=span, hint=hint)
    args = tuple(bind_expr(argument, env, depth) for argument in node.arguments)
    return at(span, table.bind, name, args)


def _case(node: ast.CaseWhen, env: Environment, depth: int) -> Expr:
    operand = None if node.operand is None else bind_expr(node.operand, env, depth)
    tests: list[Expr] = []
    for when, _ in node.branches:
        test = bind_expr(when, env, depth)
        if operand is None:
            tests.append(as_condition(test, when.span))
        else:
            tests.append(compare("=", operand, test, when.span))
    results = [bind_expr(then, env, depth) for _, then in node.branches]
    if node.otherwise is None:
        results.append(Literal(types.NULL, None))
    else:
        results.append(bind_expr(node.otherwise, env, depth))
    # As in DuckDB the type starts from ELSE, which is NULL when there is none.
    type_ = at(node.span, coercion.common_type, (results[-1], *results[:-1]))
    results = [
        literals.folded(at(node.span, coercion.coerce, result, type_), node.span)
        for result in results
    ]
    return Case(type_, tuple(zip(tests, results, strict=False)), results[-1])


def _cast(node: ast.CastTo, env: Environment, depth: int) -> Expr:
    type_ = type_names.resolve(node.type)
    operand = bind_expr(node.operand, env, depth)
    result = at(node.span, partial(coercion.cast, safe=node.safe), operand, type_)
    return literals.pinned(literals.folded(result, node.span))


def _typed_constant(node: ast.TypedConstant) -> Expr:
    type_ = type_names.resolve(node.type)
    if type_ == types.INTERVAL:
        return literals.interval(node.text, node.span)
    if type_ == types.TIME:
        return literals.time_of_day(node.text, node.span)
    if type_.is_temporal:
        return literals.temporal(node.text, type_, node.span)
    text = Literal(types.VARCHAR, node.text)
    return literals.pinned(at(node.span, coercion.cast, text, type_))


def _list(node: ast.ListOf, env: Environment, depth: int) -> Expr:
    items = tuple(bind_expr(item, env, depth) for item in node.items)
    return literals.folded_list(_call(node.span, coercion.LIST_VALUE, *items), node.span)


def _subscript(node: ast.Subscript, env: Environment, depth: int) -> Expr:
    """An element of a list, or a character of a text."""
    operand, index = (bind_expr(part, env, depth) for part in (node.operand, node.index))
    if operand.type == types.VARCHAR:
        return _call(node.span, "substring", operand, index, Literal(types.BIGINT, 1))
    return _call(node.span, "list_extract", operand, index)


def _slice(node: ast.Slice, env: Environment, depth: int) -> Expr:
    """A part of a list; what is left out is its beginning or its end, as the step goes."""
    operand = bind_expr(node.operand, env, depth)
    if operand.type == types.VARCHAR:
        raise NotSupportedError(
            "a slice of a text is not supported",
            span=node.span,
            hint="substring(text, begin, length) gives a part of a text.",
        )
    step = None if node.step is None else bind_expr(node.step, env, depth)
    ends = [Literal(types.BIGINT, 1), Literal(types.BIGINT, -1)]
    if step is not None and (node.start is None or node.stop is None):
        bare = literals.unpinned(step)
        if not isinstance(bare, Literal) or not isinstance(bare.value, int):
            raise NotSupportedError(
                "a slice by a step that is no constant needs both of its ends", span=node.span
            )
        ends = ends[::-1] if bare.value < 0 else ends
    bounds = (
        end if part is None else bind_expr(part, env, depth)
        for part, end in zip((node.start, node.stop), ends, strict=True)
    )
    return _call(node.span, "list_slice", operand, *bounds, *(() if step is None else (step,)))


def _in(node: ast.In, env: Environment, depth: int) -> Expr:
    if isinstance(node.operand, ast.RowOf):
        return _row_in(node, node.operand, env, depth)
    operand = bind_expr(node.operand, env, depth)
    items = [
        literals.constant(item) if isinstance(item, ast.Constant) else bind_expr(item, env, depth)
        for item in node.items
    ]
    type_ = at(node.span, _comparison_type, (operand, *items))
    arg = at(node.span, coercion.coerce, operand, type_)
    values: list[bool | int | float | str] = []
    others: list[Expr] = []
    has_null = False
    for item, written in zip(items, node.items, strict=True):
        coerced = literals.folded(at(written.span, coercion.coerce, item, type_), written.span)
        bare = literals.unpinned(coerced)
        if not isinstance(bare, Literal):
            others.append(at(written.span, coercion.compare, "=", arg, coerced))
        elif bare.value is None:
            has_null = True
        else:
            values.append(bare.value)
    parts = others
    if values:
        parts = [InList(BOOLEAN, arg, tuple(values), has_null), *others]
    elif has_null:
        parts = [Literal(BOOLEAN, None), *others]
    found = balanced("or", parts)
    return _call(node.span, "not", found) if node.negated else found


def _row_in(node: ast.In, operand: ast.RowOf, env: Environment, depth: int) -> Expr:
    one = tuple(bind_expr(item, env, depth) for item in operand.items)
    parts: list[Expr] = []
    for row in node.items:
        if not isinstance(row, ast.RowOf):
            raise TypeMismatchError("a row is compared with rows here", span=row.span)
        other = tuple(bind_expr(item, env, depth) for item in row.items)
        parts.append(compare_values("=", one, other, row.span, compare))
    found = balanced("or", parts)
    return _call(node.span, "not", found) if node.negated else found


def _test(
    node: ast.Between | ast.Like | ast.IsTest | ast.Extract, env: Environment, depth: int
) -> Expr:
    span = node.span
    operand = bind_expr(node.operand, env, depth)
    match node:
        case ast.Between(_, _, low, high, negated):
            bounds = (bind_expr(low, env, depth), bind_expr(high, env, depth))
            result = _between(operand, bounds, span)
        case ast.Like(_, _, pattern, escape, ignore_case, negated):
            args = [operand, bind_expr(pattern, env, depth)]
            if escape is not None:
                args.append(bind_expr(escape, env, depth))
            result = _call(span, "ilike" if ignore_case else "like", *args)
        case ast.IsTest(_, _, "null" | "unknown", negated):
            return _call(span, "is_not_null" if negated else "is_null", operand)
        case ast.IsTest(_, _, what, negated):
            operator = "is_distinct" if negated else "is_not_distinct"
            truth = Literal(BOOLEAN, what == "true")
            return compare(operator, as_condition(operand, span), truth, span)
        case ast.Extract(_, part, _):
            return _call(span, "date_part", Literal(types.VARCHAR, part), operand)
    return _call(span, "not", result) if negated else result


def _between(operand: Expr, bounds: tuple[Expr, Expr], span: Span) -> Expr:
    """`operand >= low AND operand <= high`, all three in their common type."""
    type_ = at(span, _comparison_type, (operand, *bounds))
    if type_ == types.NULL:
        return Literal(BOOLEAN, None)
    arg, low, high = (
        literals.folded(at(span, coercion.coerce, expr, type_), span) for expr in (operand, *bounds)
    )
    return balanced("and", [compare(">=", arg, low, span), compare("<=", arg, high, span)])
