"""Calls of aggregate and window functions, with what stands in and behind their brackets.

Owns: FILTER, DISTINCT, ORDER BY and WITHIN GROUP of aggregates, OVER, named windows, GROUPING.
Comes in: function calls, an Environment that collects them, the function that binds arguments.
Goes out: references to the columns that the calls will be.
Does not know: scalar functions, which plan nodes compute the calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eau2.errors import (
    MisplacedCallError,
    NotSupportedError,
    ProgrammingError,
    Span,
    TypeMismatchError,
    UnknownNameError,
)
from eau2.operators import aggregates, windows
from eau2.operators.coercion import LIST_VALUE
from eau2.operators.expr import (
    AggregateCall,
    Call,
    Case,
    Cast,
    Expr,
    FrameBound,
    InList,
    Literal,
    SortKey,
    WindowFrame,
    ref,
)
from eau2.operators.functions import table
from eau2.operators.interval_form import unpacked
from eau2.records import replace
from eau2.sql import ast
from eau2.sql.bind_name import levels
from eau2.sql.depth import check_bound, check_written
from eau2.sql.environment import Environment, Use, Windowed
from eau2.sql.naming import expression_text, folded_minus
from eau2.sql.shapes import Shapes
from eau2.sql.spans import as_condition, at
from eau2.sql.syntax_walk import rewritten
from eau2.types import BIGINT, BOOLEAN, INTERVAL

Bind = Callable[[ast.Expression, Environment, int], Expr]

_WITHIN_GROUP = {
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


def _refused(why: str, span: Span) -> MisplacedCallError:
    return MisplacedCallError(why, span=span, hint=_INSTEAD.get(why))


def sort_key(item: ast.OrderItem, expr: Expr) -> SortKey:
    """The key that an ORDER BY entry means; NULLs stand last unless it says otherwise."""
    nulls_last = True if item.nulls_last is None else item.nulls_last
    return SortKey(expr, item.descending, nulls_last)


def bind_aggregate(node: ast.FunctionCall, env: Environment, depth: int, bind: Bind) -> Expr:
    """The column that holds the result of an aggregate call."""
    if env.aggregates is None and env.outer is None:
        raise _refused(env.refusal, node.span)
    if node.ignore_nulls is not None:
        raise ProgrammingError(
            "IGNORE NULLS and RESPECT NULLS are for window functions",
            span=node.span,
            hint="FILTER (WHERE ... IS NOT NULL) passes over rows.",
        )
    inner = replace(
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
    name, args = _arguments(node, inner, depth, bind)
    where = _filter(node, inner, depth, bind)
    order = _order(node, args, inner, depth, bind)
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
    owner = _owner(call, env)
    if owner.aggregates is None:
        raise _refused(owner.refusal, node.span)
    if call.order:
        call = replace(call, order=_completed(call.order, call.args, owner.aggregates.shapes))
    elif aggregates.is_ordered(name):
        call = replace(call, order=_completed((), call.args, owner.aggregates.shapes))
    for expr in call.exprs:
        check_bound(expr, node.span)
    return ref(owner.aggregates.column(call, expression_text(node)))


def _owner(call: AggregateCall, env: Environment) -> Environment:
    """The query that an aggregate belongs to: the nearest one whose columns it reads."""
    if env.outer is None:
        return env
    read = frozenset(id_ for expr in call.exprs for id_ in Shapes.columns(expr))
    for place in levels(env):
        own = (c.expr for held in place.scope.tables for c in held.columns)
        if any(read & Shapes.columns(expr) for expr in own):
            return place
    return env


def _arguments(
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
        if name not in _WITHIN_GROUP:
            raise ProgrammingError(
                f"{name} has no WITHIN GROUP",
                span=node.span,
                hint=f"These have: {', '.join(_WITHIN_GROUP)}. Others order inside the brackets.",
            )
        if node.distinct:
            raise ProgrammingError("DISTINCT cannot stand with WITHIN GROUP", span=node.span)
        if len(node.order_by) != 1:
            raise ProgrammingError("WITHIN GROUP orders by one expression", span=node.span)
        if len(arguments) != (name != "mode"):
            wanted = "no argument" if name == "mode" else "one argument"
            raise ProgrammingError(f"{name} takes {wanted} before WITHIN GROUP", span=node.span)
        name = _WITHIN_GROUP[name]
    return name, tuple(bind(argument, env, depth) for argument in arguments)


def _filter(node: ast.FunctionCall, env: Environment, depth: int, bind: Bind) -> Expr | None:
    if node.where is None:
        return None
    inner = replace(env, refusal="aggregate functions are not allowed in FILTER")
    return as_condition(bind(node.where, inner, depth), node.where.span)


def _order(
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


def _completed(
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


def named_windows(
    definitions: tuple[tuple[str, ast.WindowSpec], ...],
) -> Mapping[str, ast.WindowSpec]:
    """The windows of a WINDOW clause by case-folded name; each may extend one before it."""
    named: dict[str, ast.WindowSpec] = {}
    for name, spec in definitions:
        if name.casefold() in named:
            raise ProgrammingError(f'the window "{name}" is defined twice', span=spec.span)
        named[name.casefold()] = _extended(spec, named)
    return named


def with_windows(node: ast.Expression, named: Mapping[str, ast.WindowSpec]) -> ast.Expression:
    """The expression with named windows written out, as names of result columns have them."""

    def visit(part: ast.Node) -> tuple[ast.Node, ...] | None:
        if not isinstance(part, ast.FunctionCall) or part.over is None:
            return None
        return (replace(part, over=_window(part, named)),)

    if not named:
        return node
    check_written(node)
    return rewritten(node, visit)


def _window(node: ast.FunctionCall, named: Mapping[str, ast.WindowSpec]) -> ast.WindowSpec:
    if isinstance(node.over, str):
        return _named(node.over, named, node.span)
    assert node.over is not None
    return _extended(node.over, named)


def _extended(spec: ast.WindowSpec, named: Mapping[str, ast.WindowSpec]) -> ast.WindowSpec:
    """The window with what it takes from the one that it is based on."""
    if spec.base is None:
        return spec
    base = _named(spec.base, named, spec.span)
    problem = None
    if base.frame is not None:
        problem = "has a frame, so it cannot be extended"
    elif spec.partition_by:
        problem = "cannot be given another PARTITION BY"
    elif spec.order_by and base.order_by:
        problem = "has an ORDER BY and cannot be given another"
    if problem is not None:
        raise ProgrammingError(f'the window "{spec.base}" {problem}', span=spec.span)
    return replace(
        spec,
        base=None,
        partition_by=base.partition_by,
        order_by=spec.order_by or base.order_by,
    )


def _named(name: str, named: Mapping[str, ast.WindowSpec], span: Span) -> ast.WindowSpec:
    found = named.get(name.casefold())
    if found is None:
        listed = ", ".join(named)
        raise UnknownNameError(
            f'there is no window "{name}"',
            span=span,
            hint=f"Windows here: {listed}." if listed else "Define it in a WINDOW clause.",
        )
    return found


def bind_window(node: ast.FunctionCall, env: Environment, depth: int, bind: Bind) -> Expr:
    """The column that holds the result of a function over its window."""
    if env.windows is None:
        raise _refused(env.window_refusal, node.span)
    if node.within_group:
        raise NotSupportedError("WITHIN GROUP with OVER is not supported", span=node.span)
    collected, span = env.windows, node.span
    spec = _window(node, collected.named)
    uses: list[Use] = []
    inner = replace(
        env,
        windows=None,
        window_refusal="window functions cannot be nested",
        unnests=None,
        unnest_refusal="unnest is not allowed inside window functions",
        uses=uses,
        subqueries=collected.subqueries,
    )
    name, args = _arguments(node, inner, depth, bind)
    where = _filter(node, inner, depth, bind)
    own = _order(node, args, inner, depth, bind)
    partition = tuple(bind(key, inner, depth) for key in spec.partition_by)
    order = tuple(_window_key(item, inner, depth, bind) for item in spec.order_by)
    deciding = tuple(key for key in order if Shapes.columns(key.expr))
    frame = None if spec.frame is None else _frame(spec.frame, order, inner, depth, bind)
    call = at(
        span,
        windows.bind,
        name,
        args,
        frame=frame,
        distinct=node.distinct,
        where=where,
        ignore_nulls=node.ignore_nulls is True,
        ordered=bool(deciding),
        order=own,
    )
    if call.order:
        call = replace(call, order=_completed(call.order, call.args, collected.shapes))
    column = env.context.column(expression_text(node), call.type)
    found = Windowed(
        column,
        call,
        tuple(key for key in partition if Shapes.columns(key)),
        deciding,
        tuple(uses),
        span,
    )
    for expr in found.exprs:
        check_bound(expr, span)
    return ref(collected.column(found))


def _window_key(item: ast.OrderItem, env: Environment, depth: int, bind: Bind) -> SortKey:
    """A key of a window's order. A number is a constant there, no position."""
    if isinstance(item.expression, ast.EveryColumn):
        raise ProgrammingError("a window cannot ORDER BY ALL", span=item.span)
    return sort_key(item, bind(item.expression, env, depth))


def _frame(
    frame: ast.Frame, order: tuple[SortKey, ...], env: Environment, depth: int, bind: Bind
) -> WindowFrame:
    def end(written: ast.FrameEnd) -> FrameBound:
        offset = written.offset
        if offset is None:
            return FrameBound(written.kind)
        expr = bind(offset, env, depth)
        if expr.type == INTERVAL and frame.unit != "range":
            raise TypeMismatchError(
                f"{frame.unit.upper()} frames count rows; an INTERVAL is for RANGE",
                span=offset.span,
            )
        if expr.type == INTERVAL and isinstance(expr, Literal) and isinstance(expr.value, int):
            if any(part < 0 for part in unpacked(expr.value)):
                raise ProgrammingError(
                    "the offset of a frame must not be negative", span=offset.span
                )
            return at(offset.span, windows.bound, frame.unit, written.kind, expr, order)
        if isinstance(expr, Literal) and isinstance(expr.value, int | float) and expr.value < 0:
            raise ProgrammingError("the offset of a frame must not be negative", span=offset.span)
        if isinstance(expr, Literal) and expr.value is None:
            raise ProgrammingError("the offset of a frame cannot be NULL", span=offset.span)
        return at(offset.span, windows.bound, frame.unit, written.kind, expr, order)

    return WindowFrame(frame.unit, end(frame.start), end(frame.end), frame.exclude)
