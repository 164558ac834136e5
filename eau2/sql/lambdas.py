"""Calls with lambdas: list_transform, list_filter, list_reduce, and list comprehensions.

Owns: which functions take lambdas, what their parameters are, and the types of their results. Comes
in: calls and the environment around them. Goes out: bound calls with a Lambda among the arguments.
Does not know: how a lambda is computed (operators/functions/list_lambdas.py).

A lambda reads its parameters and, as anything at its place, the columns around it.
"""

from __future__ import annotations

from collections.abc import Callable

from eau2.errors import ProgrammingError, TypeMismatchError
from eau2.operators import coercion
from eau2.operators.expr import Call, Expr, Lambda, LambdaParameter, Literal
from eau2.operators.functions import table
from eau2.records import replace
from eau2.sql import ast
from eau2.sql.environment import Environment
from eau2.sql.spans import as_condition, at
from eau2.types import BIGINT, NULL, SqlType, list_of

Bind = Callable[[ast.Expression, Environment, int], Expr]

_NAMES = {
    **dict.fromkeys(
        ("apply", "array_apply", "array_transform", "list_apply", "list_transform"),
        "list_transform",
    ),
    **dict.fromkeys(("array_filter", "filter", "list_filter"), "list_filter"),
    **dict.fromkeys(("array_reduce", "list_reduce", "reduce"), "list_reduce"),
    ast.COMPREHENSION: ast.COMPREHENSION,
}


def takes_lambda(name: str) -> bool:
    """Whether `name` is a function with a lambda among its arguments."""
    return name in _NAMES


def names() -> tuple[str, ...]:
    """The names of all functions with a lambda among their arguments."""
    return tuple(_NAMES)


def bind_lambda_call(node: ast.FunctionCall, env: Environment, depth: int, bind: Bind) -> Expr:
    """The call of such a function. Raises statement errors with spans."""
    function = _NAMES.get(node.name)
    if function is None:
        raise TypeMismatchError(f"{node.name} takes no lambda", span=node.span)
    most = 3 if function in ("list_reduce", ast.COMPREHENSION) else 2
    fits = 2 <= len(node.arguments) <= most
    if not fits or not isinstance(node.arguments[1], ast.Lambda):
        initial = "[, initial]" if function == "list_reduce" else ""
        raise TypeMismatchError(
            f"{node.name} takes a list and a lambda",
            span=node.span,
            hint=f"It is written {node.name}(list, lambda x: ...{initial}).",
        )
    first, written, *others = node.arguments
    assert isinstance(written, ast.Lambda)
    lists = bind(first, env, depth)
    if lists.type == NULL:
        lists = Literal(list_of(NULL), None)
    if lists.type.element is None:
        raise TypeMismatchError(f"{node.name} takes a list, not {lists.type}", span=first.span)
    if function == "list_reduce":
        return _reduced(node, lists, written, tuple(others), env, depth, bind)
    parameters = (lists.type.element, BIGINT)
    if function == ast.COMPREHENSION:
        chosen = others[0]
        assert isinstance(chosen, ast.Lambda)
        result = _bound(written, parameters, env, depth, bind)
        condition = _condition(chosen, parameters, env, depth, bind)
        return Call(_lists_of(result, node), "list_transform", (lists, result, condition))
    if function == "list_filter":
        return Call(
            lists.type, function, (lists, _condition(written, parameters, env, depth, bind))
        )
    result = _bound(written, parameters, env, depth, bind)
    return Call(_lists_of(result, node), function, (lists, result))


def _lists_of(result: Lambda, node: ast.FunctionCall) -> SqlType:
    return at(node.span, coercion.list_type, result.type)


def _bound(
    node: ast.Lambda, types: tuple[SqlType, ...], env: Environment, depth: int, bind: Bind
) -> Lambda:
    """The lambda over parameters of these types; the last ones need not be written."""
    if len(node.parameters) > len(types):
        raise ProgrammingError(
            f"this lambda has {len(node.parameters)} parameters; at most {len(types)} are given",
            span=node.span,
        )
    names = [name.casefold() for name in node.parameters]
    if len(set(names)) < len(names):
        raise ProgrammingError("two parameters of a lambda have one name", span=node.span)
    level = env.lambda_level
    parameters = tuple(
        LambdaParameter(type_, level, index)
        for index, (_, type_) in enumerate(zip(names, types, strict=False))
    )
    inner = replace(
        env.inside("a lambda"),
        lambdas={**env.lambdas, **dict(zip(names, parameters, strict=True))},
        lambda_level=level + 1,
        subqueries=None,
    )
    body = bind(node.body, inner, depth)
    return Lambda(body.type, parameters, body)


def _condition(
    node: ast.Lambda, types: tuple[SqlType, ...], env: Environment, depth: int, bind: Bind
) -> Lambda:
    found = _bound(node, types, env, depth, bind)
    condition = as_condition(found.body, node.body.span)
    return Lambda(condition.type, found.parameters, condition)


def _reduced(
    node: ast.FunctionCall,
    lists: Expr,
    written: ast.Lambda,
    others: tuple[ast.Expression, ...],
    env: Environment,
    depth: int,
    bind: Bind,
) -> Expr:
    """What is gathered has the common type of what it begins with and of what the lambda gives."""
    element = lists.type.element
    assert element is not None
    if len(written.parameters) < 2:
        raise ProgrammingError(
            f"the lambda of {node.name} takes what is gathered and an element", span=written.span
        )
    initial = bind(others[0], env, depth) if others else None
    start = element if initial is None or initial.type == NULL else initial.type
    first = _bound(written, (start, element, BIGINT), env, depth, bind)
    type_ = at(
        node.span,
        coercion.common_type,
        (LambdaParameter(start, 0, 0), LambdaParameter(first.type, 0, 0)),
    )
    step = first if type_ == start else _bound(written, (type_, element, BIGINT), env, depth, bind)
    body = at(written.body.span, coercion.cast, step.body, type_)
    step = Lambda(type_, step.parameters, body)
    begin = 0
    if initial is None:
        initial, begin = table.bind("list_extract", (lists, Literal(BIGINT, 1))), 1
    value = at(node.span, coercion.coerce, initial, type_)
    return Call(type_, "list_reduce", (lists, step, value, Literal(BIGINT, begin)))
