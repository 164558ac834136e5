"""Calls of functions that users define: what stands in their place.

Owns: looking such a function up, its arguments by place and by name, and what DISTINCT, FILTER,
ORDER BY and OVER mean to an aggregate of a user's; calls of native functions. Comes in: function
calls and an Environment. Goes out: bound expressions, without a call of a user's function.
Does not know: how functions are defined and kept, what stands in FROM.
"""

from __future__ import annotations

from functools import lru_cache

from eau2.catalog import Function
from eau2.config import LIMITS
from eau2.errors import NotSupportedError, ProgrammingError, StoreError
from eau2.operators import aggregates, windows
from eau2.operators.codec import FragmentError
from eau2.operators.expr import AggregateCall, Call, Case, ColumnRef, Expr, Literal, walk
from eau2.operators.function_form import decode
from eau2.operators.functions.native import NativeFunction, call_of
from eau2.operators.user_functions import (
    Called,
    UserFunction,
    coerced,
    default_of,
    over,
    written_out,
)
from eau2.records import replace
from eau2.sql import ast
from eau2.sql.bind_call import (
    Bind,
    bound_filter,
    bound_order,
    check_aggregate,
    collected,
    inside_aggregate,
    owner_of,
)
from eau2.sql.bind_window import bound_over
from eau2.sql.environment import Context, Environment
from eau2.sql.spans import at
from eau2.types import BOOLEAN


def known(name: str, context: Context) -> UserFunction | None:
    """The function of a user's called `name`, or None. Raises StoreError when it is damaged."""
    folded = name.lower()
    if folded not in context.functions:
        stored = context.catalog.function(name)
        context.functions[folded] = None if stored is None else meaning(stored)
    return context.functions[folded]


def meaning(function: Function) -> UserFunction:
    """What the bytes of a function say. Raises StoreError."""
    try:
        return _decoded(function.form)
    except FragmentError as error:
        raise StoreError(
            f"the function {function.name} cannot be read: {error.message}",
            hint=f"Define it again: CREATE OR REPLACE FUNCTION {function.name}(...).",
        ) from error


@lru_cache(LIMITS.functions_decoded)
def _decoded(form: bytes) -> UserFunction:
    return decode(form)


def bind_user_call(
    function: UserFunction, node: ast.FunctionCall, env: Environment, depth: int, bind: Bind
) -> Expr:
    """What a call stands for. Raises statement errors with spans."""
    node, places = _by_place(function, node)
    if function.is_aggregate:
        if node.over is not None:
            return _windowed(function, node, places, env, depth, bind)
        return _aggregated(function, node, places, env, depth, bind)
    _check_scalar(function.name, node)
    args = tuple(bind(argument, env, depth) for argument in node.arguments)
    return at(node.span, written_out, function, _spread(args, places), env.lambda_level)


def bind_native_call(
    function: NativeFunction, node: ast.FunctionCall, env: Environment, depth: int, bind: Bind
) -> Expr:
    """A call of a native function. Raises statement errors with spans."""
    node, _ = _by_place(function, node)
    _check_scalar(function.name, node)
    args = tuple(bind(argument, env, depth) for argument in node.arguments)
    return call_of(function, at(node.span, coerced, function, args))


def _check_scalar(name: str, node: ast.FunctionCall) -> None:
    """Refuse what only aggregates take."""
    for given, clause in (
        (node.over is not None, "OVER"),
        (node.within_group, "WITHIN GROUP"),
        (node.distinct, "DISTINCT"),
        (node.where is not None, "FILTER"),
        (bool(node.order_by), "ORDER BY"),
        (node.ignore_nulls is not None, "IGNORE NULLS"),
    ):
        if given:
            raise ProgrammingError(
                f"{clause} is for aggregate functions; {name} is none", span=node.span
            )


def _by_place(function: Called, node: ast.FunctionCall) -> tuple[ast.FunctionCall, tuple[int, ...]]:
    """The call with the arguments in the order of the parameters, whichever were named.

    Beside it the numbers of the parameters that they are for: others are left out.
    """
    placed: list[ast.Expression] = []
    named: dict[int, ast.Expression] = {}
    places = {p.name.casefold(): place for place, p in enumerate(function.parameters)}
    for argument in node.arguments:
        if not isinstance(argument, ast.NamedArgument):
            if named:
                raise ProgrammingError(
                    "an argument without a name stands behind one with a name", span=argument.span
                )
            placed.append(argument)
            continue
        place = places.get(argument.name.casefold())
        if place is None or place in named or place < len(placed):
            why = "no parameter" if place is None else "two arguments for"
            raise ProgrammingError(
                f'{function.name} has {why} "{argument.name}"',
                span=argument.span,
                hint=f"It is {function.signature}.",
            )
        named[place] = argument.value
    places_given = [*range(len(placed))]
    for place in range(len(placed), len(function.parameters) if named else 0):
        if place not in named:
            if default_of(function.parameters[place]) is not None:
                continue
            raise ProgrammingError(
                f'the argument "{function.parameters[place].name}" of {function.name} is missing',
                span=node.span,
                hint=f"It is {function.signature}.",
            )
        placed.append(named[place])
        places_given.append(place)
    return replace(node, arguments=tuple(placed)), tuple(places_given)


def _spread(args: tuple[Expr, ...], places: tuple[int, ...]) -> tuple[Expr | None, ...]:
    """The arguments at the places of their parameters, None at those that are left out."""
    found = dict(zip(places, args, strict=True))
    return tuple(found.get(place) for place in range(max(places, default=-1) + 1))


def _aggregated(
    function: UserFunction,
    node: ast.FunctionCall,
    places: tuple[int, ...],
    env: Environment,
    depth: int,
    bind: Bind,
) -> Expr:
    """The body of an aggregate over the columns that its aggregates will be."""
    if node.within_group:
        raise ProgrammingError(f"{function.name} has no WITHIN GROUP", span=node.span)
    check_aggregate(node, env)
    inner = inside_aggregate(env)
    given = tuple(bind(argument, inner, depth) for argument in node.arguments)
    args = at(node.span, coerced, function, _spread(given, places))
    where = bound_filter(node, inner, depth, bind)
    order = bound_order(node, args, inner, depth, bind)
    _check_clauses(function, node)
    calls = [
        at(node.span, aggregates.narrowed, _over(call, args, env), node.distinct, where, order)
        for call in function.aggregates
    ]
    owner = owner_of(calls, env)
    results: list[Expr] = []
    for call in calls:
        ordered = bool(call.order) or aggregates.is_ordered(call.function)
        results.append(collected(node, call, owner, ordered))
    if _reads_parameters(function):
        # Beside an aggregate a column must be a key of GROUP BY, as anywhere.
        beside = tuple(bind(argument, env, depth) for argument in node.arguments)
        args = at(node.span, coerced, function, _spread(beside, places))
    return over(function.body, (*args, *results), env.lambda_level)


def _windowed(
    function: UserFunction,
    node: ast.FunctionCall,
    places: tuple[int, ...],
    env: Environment,
    depth: int,
    bind: Bind,
) -> Expr:
    """The body of an aggregate over its aggregates, each of them over the window."""
    if node.ignore_nulls is not None:
        raise ProgrammingError(
            f"IGNORE NULLS is not applicable to the aggregate {function.name}",
            span=node.span,
            hint="Write FILTER (WHERE ... IS NOT NULL).",
        )
    window = bound_over(node, env, depth, bind)
    _check_clauses(function, node)
    args = at(node.span, coerced, function, _spread(window.args, places))
    results: list[Expr] = []
    for call in function.aggregates:
        call = _over(call, args, env)
        call = at(node.span, aggregates.narrowed, call, node.distinct, None, window.own)
        where = _both(call.where, window.where)
        if call.function in windows.names():
            # What is a window function too means that, and takes less.
            made = window.call(call.function, call.args, call.distinct, where, call.order)
        else:
            order = bool(window.order)
            given = (call, function.name, window.frame, where, order, call.order)
            made = at(node.span, windows.of_aggregate, *given)
        results.append(window.column(made))
    return over(function.body, (*args, *results), env.lambda_level)


def _both(first: Expr | None, second: Expr | None) -> Expr | None:
    if first is None or second is None:
        return second if first is None else first
    return Call(BOOLEAN, "and", (first, second))


def _over(call: AggregateCall, args: tuple[Expr, ...], env: Environment) -> AggregateCall:
    """An aggregate of a definition over the arguments of a call.

    What statistics prove of other arguments, a definition cannot know.
    """
    bare = replace(call, wide=True, exponents=None, present=False, finite=False)
    return bare.mapped(lambda expr: over(expr, args, env.lambda_level))


def _check_clauses(function: UserFunction, node: ast.FunctionCall) -> None:
    """Refuse DISTINCT and ORDER BY where the aggregates inside cannot do them one by one."""
    if node.distinct and not all(_takes_distinct(call, function) for call in function.aggregates):
        raise NotSupportedError(
            f"DISTINCT of {function.name} is not supported: it gathers more than its arguments",
            span=node.span,
            hint=f"Write {function.name}(...) over a query that is SELECT DISTINCT.",
        )
    if node.order_by and not all(map(_takes_order, function.aggregates)):
        raise NotSupportedError(
            f"{function.name} does not take rows in an order", span=node.order_by[0].span
        )


def _takes_order(call: AggregateCall) -> bool:
    return aggregates.takes_order(call.function)


def _takes_distinct(call: AggregateCall, function: UserFunction) -> bool:
    """Whether distinct arguments of the function are distinct arguments of this aggregate.

    They are not the same for sum(abs(x)), nor for count(x) of a function of x and y.
    """
    if not aggregates.minds_duplicates(call.function):
        return True
    read = [_filtered(arg) for arg in call.args if not isinstance(arg, Literal)]
    ids = {arg.id for arg in read if isinstance(arg, ColumnRef)}
    return len(ids) == len(read) == len(function.parameters)


def _filtered(arg: Expr) -> Expr:
    """What an argument is where it is not NULL, under a FILTER of the definition."""
    match arg:
        case Case(branches=((_, value),), otherwise=Literal(value=None)):
            return value
    return arg


def _reads_parameters(function: UserFunction) -> bool:
    """Whether the body reads an argument beside the aggregates."""
    count = len(function.parameters)
    return any(isinstance(node, ColumnRef) and node.id < count for node in walk(function.body))
