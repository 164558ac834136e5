"""Calls of aggregate functions, with what stands in and behind their brackets.

Owns: FILTER, DISTINCT, ORDER BY and WITHIN GROUP of aggregates, GROUPING.
Comes in: function calls, an Environment that collects them, the function that binds arguments.
Goes out: references to the columns that the calls will be.
Does not know: scalar functions, windows, which plan nodes compute the calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from eau2.errors import (
    MisplacedCallError,
    NotSupportedError,
    ProgrammingError,
    Span,
)
from eau2.operators import aggregates
from eau2.operators.coercion import LIST_VALUE
from eau2.operators.expr import (
    AggregateCall,
    Call,
    Case,
    Cast,
    Expr,
    InList,
    Literal,
    SortKey,
    ref,
)
from eau2.operators.functions import table
from eau2.records import replace
from eau2.sql import ast
from eau2.sql.bind_name import levels
from eau2.sql.depth import check_bound
from eau2.sql.environment import Environment
from eau2.sql.naming import expression_text, folded_minus
from eau2.sql.shapes import Shapes
from eau2.sql.spans import as_condition, at
from eau2.types import BIGINT, BOOLEAN

Bind = Callable[[ast.Expression, Environment, int], Expr]

WITHIN_GROUP = {
    "mode": "mode",
    "percentile_cont": "quantile_cont",
    "percentile_disc": "quantile_disc",
}
"""The functions that WITHIN GROUP is for, by what they are called inside."""

_INSTEAD = {
    "aggregate functions are not allowed in WHERE": "HAVING filters groups.",
    "window functions are not allowed in WHERE": "QUALIFY filters by the values of windows.",
}
"""What to write instead, where it is clear."""

_QUANTILES = ("quantile", "quantile_cont", "quantile_disc")


def misplaced(why: str, span: Span) -> MisplacedCallError:
    """The error for a call where none of its kind can stand."""
    return MisplacedCallError(why, span=span, hint=_INSTEAD.get(why))


def sort_key(item: ast.OrderItem, expr: Expr) -> SortKey:
    """The key that an ORDER BY entry means; NULLs stand last unless it says otherwise."""
    nulls_last = True if item.nulls_last is None else item.nulls_last
    return SortKey(expr, item.descending, nulls_last)


def check_aggregate(node: ast.FunctionCall, env: Environment) -> None:
    """Refuse an aggregate call where none can stand, and what none can have."""
    if env.aggregates is None and env.outer is None:
        raise misplaced(env.refusal, node.span)
    if node.ignore_nulls is not None:
        raise ProgrammingError(
            "IGNORE NULLS and RESPECT NULLS are for window functions",
            span=node.span,
            hint="FILTER (WHERE ... IS NOT NULL) passes over rows.",
        )


def inside_aggregate(env: Environment) -> Environment:
    """What the arguments of an aggregate call may refer to."""
    return replace(
        env,
        aggregates=None,
        refusal="aggregate functions cannot be nested",
        windows=None,
        window_refusal="window functions are not allowed inside aggregate functions",
        grouping=None,
        unnests=None,
        unnest_refusal="unnest is not allowed inside aggregate functions",
        aliases={} if env.aliases_first else env.aliases,
        uses=None,
        subqueries=None if env.aggregates is None else env.aggregates.subqueries,
    )


def bind_aggregate(node: ast.FunctionCall, env: Environment, depth: int, bind: Bind) -> Expr:
    """The column that holds the result of an aggregate call."""
    check_aggregate(node, env)
    inner = inside_aggregate(env)
    name, args = bound_arguments(node, inner, depth, bind)
    where = bound_filter(node, inner, depth, bind)
    order = bound_order(node, args, inner, depth, bind)
    if name in _QUANTILES and node.within_group:
        name, args, order = name, (order[0].expr, *args), order if order[0].descending else ()
    elif node.within_group:
        args = (order[0].expr,)
    if name in _QUANTILES and order and order[0].expr != args[0]:
        raise NotSupportedError(
            f"ORDER BY of {name} can only be its first argument", span=node.order_by[0].span
        )
    if order and not aggregates.takes_order(name):
        order = ()
    if name in _QUANTILES and len(args) == 2 and args[1].type.is_list:
        each = (
            _collected(node, env, name, (args[0], fraction), where, order)
            for fraction in _fractions(name, args[1], node.span)
        )
        return _all_or_none(tuple(each))
    return _collected(node, env, name, args, where, order)


def _fractions(name: str, lists: Expr, span: Span) -> tuple[Expr, ...]:
    """The elements of a list that is written out."""
    while isinstance(lists, Cast):
        lists = lists.arg
    if not (isinstance(lists, Call) and lists.function == LIST_VALUE and lists.args):
        raise ProgrammingError(f"the fractions of {name} must be constants", span=span)
    return lists.args


def _all_or_none(values: tuple[Expr, ...]) -> Expr:
    """The list of values; NULL where there were no rows to take them from."""
    made = table.bind(LIST_VALUE, values)
    present = table.bind("is_not_null", values[:1])
    return Case(made.type, ((present, made),), Literal(made.type, None))


def _collected(
    node: ast.FunctionCall,
    env: Environment,
    name: str,
    args: tuple[Expr, ...],
    where: Expr | None,
    order: tuple[SortKey, ...],
) -> Expr:
    """The column of a call, which its owner computes."""
    call = at(node.span, aggregates.bind, name, args, node.distinct, where, order)
    ordered = bool(call.order) or aggregates.is_ordered(name)
    return collected(node, call, owner_of((call,), env), ordered)


def collected(
    node: ast.FunctionCall, call: AggregateCall, owner: Environment, ordered: bool
) -> Expr:
    """The column of an aggregate, which the query that owns it computes.

    ordered: whether it takes rows in an order, which is made total here.
    """
    if owner.aggregates is None:
        raise misplaced(owner.refusal, node.span)
    if ordered and owner.aggregates.complete:
        call = replace(call, order=completed_order(call.order, call.args, owner.aggregates.shapes))
    for expr in call.exprs:
        check_bound(expr, node.span)
    return ref(owner.aggregates.column(call, expression_text(node)))


def owner_of(calls: Iterable[AggregateCall], env: Environment) -> Environment:
    """The query that aggregates belong to: the nearest one whose columns they read."""
    if env.outer is None:
        return env
    exprs = (expr for call in calls for expr in call.exprs)
    read = frozenset(id_ for expr in exprs for id_ in Shapes.columns(expr))
    for place in levels(env):
        own = (c.expr for held in place.scope.tables for c in held.columns)
        if any(read & Shapes.columns(expr) for expr in own):
            return place
    return env


def bound_arguments(
    node: ast.FunctionCall, env: Environment, depth: int, bind: Bind
) -> tuple[str, tuple[Expr, ...]]:
    """The function's own name, and its bound arguments; count(*) has none."""
    arguments = node.arguments
    if any(isinstance(item, ast.Star) for item in arguments):
        if node.name != "count" or len(arguments) != 1 or node.distinct:
            raise ProgrammingError("* can only stand alone in count(*)", span=node.span)
        arguments = ()
    name = node.name
    if node.within_group:
        if name not in WITHIN_GROUP:
            raise ProgrammingError(
                f"{name} has no WITHIN GROUP",
                span=node.span,
                hint=f"These have: {', '.join(WITHIN_GROUP)}. Others order inside the brackets.",
            )
        if node.distinct:
            raise ProgrammingError("DISTINCT cannot stand with WITHIN GROUP", span=node.span)
        if len(node.order_by) != 1:
            raise ProgrammingError("WITHIN GROUP orders by one expression", span=node.span)
        if len(arguments) != (name != "mode"):
            wanted = "no argument" if name == "mode" else "one argument"
            raise ProgrammingError(f"{name} takes {wanted} before WITHIN GROUP", span=node.span)
        name = WITHIN_GROUP[name]
    return name, tuple(bind(argument, env, depth) for argument in arguments)


def bound_filter(node: ast.FunctionCall, env: Environment, depth: int, bind: Bind) -> Expr | None:
    """The condition of FILTER, if there is one."""
    if node.where is None:
        return None
    inner = replace(env, refusal="aggregate functions are not allowed in FILTER")
    return as_condition(bind(node.where, inner, depth), node.where.span)


def bound_order(
    node: ast.FunctionCall, args: tuple[Expr, ...], env: Environment, depth: int, bind: Bind
) -> tuple[SortKey, ...]:
    """The keys of ORDER BY inside the brackets. Of DISTINCT values only arguments can be keys."""
    keys: list[SortKey] = []
    for item in node.order_by:
        constant = folded_minus(item.expression)
        if isinstance(constant, ast.Constant) and not node.within_group:
            if constant.kind != "integer":
                raise ProgrammingError(
                    "ORDER BY a constant that is no integer has no effect", span=item.span
                )
            continue
        if isinstance(constant, ast.EveryColumn):
            raise NotSupportedError(
                "ORDER BY ALL inside an aggregate is not supported", span=item.span
            )
        expr = bind(item.expression, env, depth)
        if node.distinct and expr not in args:
            raise ProgrammingError(
                "in a DISTINCT aggregate ORDER BY can only use the arguments", span=item.span
            )
        keys.append(sort_key(item, expr))
    return tuple(keys)


def completed_order(
    keys: tuple[SortKey, ...], args: tuple[Expr, ...], shapes: Shapes
) -> tuple[SortKey, ...]:
    """The keys, then the arguments that read columns: rows equal in all of them are alike."""
    seen: set[int] = set()
    result: list[SortKey] = []
    for key in (*keys, *(SortKey(arg) for arg in args if Shapes.columns(arg))):
        shape = shapes.of(key.expr)
        if shape not in seen:
            seen.add(shape)
            result.append(key)
    return tuple(result)


def bind_grouping(node: ast.FunctionCall, env: Environment, depth: int, bind: Bind) -> Expr:
    """GROUPING(a, b): a bit for each argument, 1 where the row's grouping set is without it."""
    grouping = env.grouping
    if env.aggregates is None or grouping is None:
        raise ProgrammingError("GROUPING is not allowed here", span=node.span)
    if not grouping.keys:
        raise ProgrammingError("GROUPING needs GROUP BY keys", span=node.span)
    shapes = env.aggregates.shapes
    positions = {shapes.of(key): position for position, (_, key) in enumerate(grouping.keys)}
    asked: list[int] = []
    for argument in node.arguments:
        inner = replace(env, aggregates=None, windows=None, grouping=None, uses=None)
        position = positions.get(shapes.of(bind(argument, inner, depth)))
        if position is None:
            raise ProgrammingError(
                f"{expression_text(argument)} is no key of GROUP BY",
                span=argument.span,
                hint="The arguments of GROUPING must be keys, written in the same way.",
            )
        asked.append(position)
    if len(asked) > 63:
        raise NotSupportedError("GROUPING of more than 63 keys is not supported", span=node.span)
    masks: dict[int, list[int]] = {}
    for number, members in enumerate(grouping.sets):
        bits = (position not in members for position in asked)
        mask = 0
        for bit in bits:
            mask = mask * 2 + bit
        masks.setdefault(mask, []).append(number)
    (last, _), *others = reversed(masks.items())
    if grouping.column is None or not others:
        return Literal(BIGINT, last)
    branches: list[tuple[Expr, Expr]] = []
    for mask, numbers in others:
        test = InList(BOOLEAN, ref(grouping.column), tuple(numbers))
        branches.append((test, Literal(BIGINT, mask)))
    return Case(BIGINT, tuple(branches), Literal(BIGINT, last))
