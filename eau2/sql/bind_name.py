"""Names in expressions: columns, aliases, and what an enclosing query means by them.

Owns: the order in which a name is looked up, and the names of the clock. Comes in: ast names and an
Environment. Goes out: bound expressions. Does not know: any other expression; what an alias stands
for is bound by the function that it is handed.

A name is looked up among the columns of FROM, then the aliases of the select list, then outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from eau2.errors import NotSupportedError, UnknownColumnError
from eau2.operators.expr import Expr
from eau2.records import replace
from eau2.sql import ast, literals
from eau2.sql.environment import Alias, Environment, Use
from eau2.sql.shapes import Shapes
from eau2.sql.stars import Chosen

_CLOCK_NAMES = ("current_date", "current_timestamp", "localtimestamp")
_CLOCK_DATES = ("current_date", "today")
CLOCK_FUNCTIONS = (*_CLOCK_NAMES, "today", "now", "get_current_timestamp", "transaction_timestamp")

Bind = Callable[[ast.Expression, Environment, int], Expr]


def bind_name(node: ast.Name, env: Environment, depth: int, bind: Bind) -> Expr:
    """What the name means, here or in the nearest enclosing query that knows it."""
    if isinstance(node, Chosen):
        return _used(node, node.column.expr, env)
    if len(node.parts) > 2:
        raise NotSupportedError("names of schemas and databases are not supported", span=node.span)
    parameter = env.lambdas.get(node.parts[0].casefold()) if len(node.parts) == 1 else None
    if parameter is not None:
        return parameter
    for place in levels(env):
        found = _here(node, place, depth, bind)
        if found is not None:
            return found
    if len(node.parts) == 1 and node.parts[0].casefold() in _CLOCK_NAMES:
        return clock(node.parts[0].casefold(), node, env)
    raise _unknown(node, env)


def levels(env: Environment) -> Iterator[Environment]:
    """The place itself and those outside of it, from the nearest on."""
    place: Environment | None = env
    while place is not None:
        yield place
        place = place.outer


def clock(name: str, node: ast.Expression, env: Environment) -> Expr:
    """The time at which the statement was bound, the same everywhere in it."""
    now = env.context.now
    if now is None:
        raise NotSupportedError(
            f"{name} is not known here",
            span=node.span,
            hint="A function can take it as a parameter.",
        )
    if name in _CLOCK_DATES:
        return literals.date_literal(now.date())
    return literals.timestamp_literal(now.replace(tzinfo=None))


def _here(node: ast.Name, env: Environment, depth: int, bind: Bind) -> Expr | None:
    """What the name means at one level, or None."""
    *qualifier, name = node.parts
    if qualifier:
        held = env.scope.called(qualifier[0])
        column = None if held is None else held.find(name)
        return None if column is None else _used(node, column.expr, env)
    alias = env.aliases.get(name.casefold())
    if alias is not None and alias.position >= env.visible:
        alias = None
    if alias is not None and env.aliases_first:
        return _alias(alias, env, depth, bind)
    found = env.scope.find(name, node.span)
    if found is not None:
        return _used(node, found.expr, env)
    return None if alias is None else _alias(alias, env, depth, bind)


def _used(node: ast.Name, expr: Expr, env: Environment) -> Expr:
    if env.uses is not None:
        env.uses.append(Use(".".join(node.parts), node.span, Shapes.columns(expr)))
    return expr


def _alias(alias: Alias, env: Environment, depth: int, bind: Bind) -> Expr:
    """What the alias names, bound at this place. It sees the aliases before its own."""
    inner = replace(env, visible=alias.position, aliases_first=False, inside_alias=True, lambdas={})
    return bind(alias.expression, inner, depth + 1)


def _unknown(node: ast.Name, env: Environment) -> Exception:
    """The error for a name that means nothing at any level."""
    *qualifier, name = node.parts
    if qualifier:
        holders = (p for p in levels(env) if p.scope.called(qualifier[0]) is not None)
        place = next(holders, next((p for p in levels(env) if p.scope.tables), env))
        return place.scope.unknown_column(qualifier[0], name, node.span)
    if name.casefold() in env.aliases:
        return UnknownColumnError(
            f'the alias "{name}" cannot be used here, before or within what it names',
            span=node.span,
        )
    tables = [table for place in levels(env) for table in place.scope.tables]
    if any(table.name.casefold() == name.casefold() for table in tables):
        return NotSupportedError(
            f'"{name}" is a table; a whole row as a value is not supported',
            span=node.span,
            hint=f"Write the columns, or {name}.* in the select list.",
        )
    outside = [c.name for table in tables[len(env.scope.tables) :] for c in table.columns]
    aliases = [alias.name for alias in env.aliases.values()]
    return env.scope.unknown(name, node.span, (*aliases, *outside))
