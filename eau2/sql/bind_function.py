"""CREATE FUNCTION with a body in SQL: what the function computes.

Owns: the signature of a function of any language, and how an expression over the parameters becomes
a definition. Comes in: a parsed statement and the catalog. Goes out: `UserFunction`.
Does not know: where functions are kept, other languages.

Functions of users that the body calls are written out here and now: what becomes of them later
does not change this one.
"""

from __future__ import annotations

from itertools import count

from eau2.catalog import Catalog
from eau2.config import LIMITS
from eau2.errors import NotSupportedError, ProgrammingError, Span
from eau2.operators import coercion
from eau2.operators.expr import Column, Expr, Literal, ref
from eau2.operators.user_functions import Parameter, UserFunction
from eau2.sql import ast, literals
from eau2.sql.bind_expr import bind_root
from eau2.sql.environment import Aggregates, Context, Environment
from eau2.sql.function_names import built_in
from eau2.sql.scope import Scope, VisibleColumn, VisibleTable
from eau2.sql.shapes import Shapes
from eau2.sql.spans import at
from eau2.sql.type_names import resolve
from eau2.types import SqlType


def signature(node: ast.CreateFunction) -> tuple[tuple[Parameter, ...], SqlType]:
    """The parameters and the result's type. Raises statement errors with spans."""
    if len(node.parameters) > LIMITS.function_parameters:
        raise NotSupportedError(
            f"a function of more than {LIMITS.function_parameters} parameters is not supported",
            span=node.span,
        )
    parameters: list[Parameter] = []
    seen: set[str] = set()
    for written in node.parameters:
        if written.name.casefold() in seen:
            raise ProgrammingError(
                f'a parameter called "{written.name}" is declared already', span=written.span
            )
        seen.add(written.name.casefold())
        parameters.append(Parameter(written.name, resolve(written.type)))
    return tuple(parameters), resolve(node.result)


def check_free(name: str, span: Span | None = None) -> None:
    """Refuse a name that means a function of eau2's own. Raises ProgrammingError."""
    if name.lower() in built_in():
        raise ProgrammingError(
            f'"{name}" is a function that eau2 has: it cannot be defined anew',
            span=span,
            hint="Choose another name.",
        )


def bind_function(node: ast.CreateFunction, catalog: Catalog) -> UserFunction:
    """What a function with a body in SQL means. Raises statement errors with spans."""
    parameters, type_ = signature(node)
    columns = tuple(Column(i, p.name, p.type) for i, p in enumerate(parameters))
    context = Context(catalog, {}, None, count(len(columns)))
    visible = tuple(VisibleColumn(column.name, ref(column)) for column in columns)
    collected = Aggregates(context, Shapes(), complete=False)
    env = Environment(
        context,
        Scope((VisibleTable(node.name, visible),)),
        aggregates=collected,
        window_refusal="window functions are not allowed in a function",
        unnest_refusal="unnest is not allowed in a function",
    )
    body = _returned(bind_root(node.body, env), type_, node.body)
    calls = tuple(call for _, call in collected.calls)
    return UserFunction(node.name, parameters, type_, body, calls)


def _returned(expr: Expr, type_: SqlType, node: ast.Expression) -> Expr:
    """The result in the type that is declared, as INSERT brings a value into a column's."""
    bare = literals.unpinned(expr)
    if isinstance(bare, Literal):
        return literals.folded(at(node.span, coercion.cast, bare, type_), node.span)
    # What is of no type but NULL is cast as well: it may be there for the error that it raises.
    return at(node.span, coercion.cast, expr, type_)
