"""Arguments that must be constants: how long a series is, how large a sample, which file.

Owns: their values. Comes in: ast expressions and the wanted type. Goes out: physical values.
Does not know: what the argument is for.
"""

from __future__ import annotations

from eau2.errors import Error, NotSupportedError, ProgrammingError, TypeMismatchError
from eau2.operators import coercion
from eau2.operators.constants import value_of
from eau2.operators.expr import Value
from eau2.sql import ast
from eau2.sql.bind_expr import bind_root
from eau2.sql.environment import Context, Environment
from eau2.sql.scope import Scope
from eau2.sql.shapes import Shapes
from eau2.sql.spans import at
from eau2.types import SqlType


def constant_value(
    node: ast.Expression, context: Context, outer: Environment | None, type_: SqlType
) -> Value:
    """The value of an expression that reads no row, in a type. Raises statement errors."""
    env = Environment(context, Scope(), outer=outer).inside("an argument that must be constant")
    expr = bind_root(node, env)
    if Shapes.columns(expr):
        raise NotSupportedError(
            "this argument must be a constant, and it reads a column", span=node.span
        )
    if coercion.coercion_cost(expr, type_) is None:
        raise TypeMismatchError(f"a {type_} is needed here, not {expr.type}", span=node.span)
    try:
        return value_of(at(node.span, coercion.coerce, expr, type_))
    except Error as error:
        raise ProgrammingError(error.message, span=node.span) from error
