"""time_bucket, a function that takes constant INTERVALs.

Owns: how its intervals are taken apart. Comes in: calls, an Environment, the function that binds
arguments. Goes out: bound expressions.
Does not know: how buckets are computed (operators/functions/spans.py).
"""

from __future__ import annotations

from collections.abc import Callable

from eau2 import types
from eau2.errors import NotSupportedError, TypeMismatchError
from eau2.operators import coercion
from eau2.operators.expr import Expr, Literal
from eau2.operators.functions import table
from eau2.sql import ast, intervals
from eau2.sql.environment import Environment
from eau2.sql.spans import at

Bind = Callable[[ast.Expression, Environment, int], Expr]


def bind_time_bucket(node: ast.FunctionCall, env: Environment, depth: int, bind: Bind) -> Expr:
    """time_bucket(width, x[, origin or offset])."""
    if len(node.arguments) not in (2, 3):
        raise TypeMismatchError(
            "time_bucket takes two or three arguments",
            span=node.span,
            hint="Write time_bucket(INTERVAL 1 DAY, x).",
        )
    width, moment, *others = node.arguments
    if not intervals.is_interval(width):
        raise NotSupportedError(
            "the width of time_bucket must be a constant INTERVAL", span=width.span
        )
    value = bind(moment, env, depth)
    if others and intervals.is_interval(others[0]):
        return _shifted(node, value, intervals.fold(others[0], env.context.parameters), env)
    origins = tuple(bind(other, env, depth) for other in others)
    return _bucket(node, value, origins, env)


def _bucket(
    node: ast.FunctionCall, value: Expr, origins: tuple[Expr, ...], env: Environment
) -> Expr:
    width = intervals.fold(node.arguments[0], env.context.parameters)
    micros = width.days * intervals.DAY_MICROS + width.micros
    if width.months and (width.days or width.micros):
        raise TypeMismatchError(
            "a bucket of months cannot have days or hours as well", span=node.arguments[0].span
        )
    amounts = (Literal(types.BIGINT, width.months), Literal(types.BIGINT, micros))
    return at(node.span, table.bind, "bucket", (*amounts, value, *origins))


def _shifted(
    node: ast.FunctionCall, value: Expr, offset: intervals.Interval, env: Environment
) -> Expr:
    """The buckets of moments earlier by the offset, later by it."""
    early = _moved(node, value, -offset)
    found = _moved(node, _bucket(node, early, (), env), offset)
    return at(node.span, coercion.cast, found, value.type)


def _moved(node: ast.FunctionCall, value: Expr, by: intervals.Interval) -> Expr:
    amounts = (
        Literal(types.INTEGER, by.months),
        Literal(types.INTEGER, by.days),
        Literal(types.BIGINT, by.micros),
    )
    return at(node.span, table.bind, "add_interval", (value, *amounts))
