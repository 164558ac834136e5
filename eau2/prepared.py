"""PREPARE, EXECUTE and DEALLOCATE: statements that are kept by name, for one connection.

Owns: the statements, and which values EXECUTE gives to their parameters. Comes in: ast statements;
goes out: texts with values, which run like any other. Does not know: how a statement is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import count

from eau2.catalog import Catalog
from eau2.errors import NotSupportedError, ProgrammingError, UnknownNameError
from eau2.operators.coercion import LIST_VALUE
from eau2.operators.expr import Call, Expr, Literal
from eau2.parameters import Parameters
from eau2.planner.simplify import computed
from eau2.records import Record
from eau2.sql import ast, literals, nodes
from eau2.sql.bind_expr import bind_root
from eau2.sql.environment import Context, Environment
from eau2.sql.scope import Scope, suggestion


class Kept(Record, frozen=True):
    """A prepared statement: its text, and the names of its parameters."""

    text: str
    parameters: tuple[int | str, ...]


class PreparedStatements:
    """The prepared statements of a connection. Their names ignore letter case."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    def prepare(self, node: ast.Prepare) -> None:
        """Keep a statement, in place of what has that name."""
        inner = node.statement
        if isinstance(inner, ast.UnsupportedStatement):
            raise NotSupportedError(f"{inner.what} is not supported", span=inner.span)
        if not isinstance(inner, ast.Query | ast.Insert):
            raise ProgrammingError("only queries and INSERT can be prepared", span=node.span)
        self._kept[node.name.lower()] = Kept(node.text, nodes.parameters(inner))

    def call(
        self, node: ast.Execute, catalog: Catalog, outer: Parameters | None
    ) -> tuple[str, Parameters]:
        """The text that EXECUTE runs, and the values of its parameters."""
        kept = self._kept.get(node.name.lower())
        if kept is None:
            raise UnknownNameError(
                f'there is no prepared statement "{node.name}"',
                span=node.span,
                hint=suggestion(node.name, sorted(self._kept), "Prepared statements"),
            )
        given: dict[int | str, object] = {}
        for position, argument in enumerate(node.arguments, 1):
            name: int | str = position
            if isinstance(argument, ast.NamedArgument):
                name, argument = argument.name, argument.value
            if name in given:
                raise ProgrammingError(f"the parameter ${name} has two values", span=argument.span)
            given[name] = _value(argument, catalog, outer or {})
        _check(node, kept, given)
        return kept.text, given

    def deallocate(self, node: ast.Deallocate) -> None:
        """Forget a statement, or all. One that is not there is no error."""
        if node.name is None:
            self._kept.clear()
        else:
            self._kept.pop(node.name.lower(), None)


def _check(node: ast.Execute, kept: Kept, given: Mapping[int | str, object]) -> None:
    missing = [f"${name}" for name in kept.parameters if name not in given]
    if missing:
        raise ProgrammingError(
            f"EXECUTE {node.name} gives no value for {', '.join(missing)}", span=node.span
        )
    excess = [f"${name}" for name in given if name not in kept.parameters]
    if excess:
        raise ProgrammingError(
            f'the prepared statement "{node.name}" has no parameter {", ".join(excess)}',
            span=node.span,
        )


def _value(argument: ast.Expression, catalog: Catalog, outer: Parameters) -> object:
    """The value of an argument, which is a constant of whatever form."""
    if any(isinstance(node, ast.Query) for node in nodes.every(argument)):
        raise NotSupportedError("EXECUTE takes constants, no queries", span=argument.span)
    context = Context(catalog, outer, datetime.now(), count(1))
    env = Environment(context, Scope()).inside("EXECUTE")
    return _constant(bind_root(argument, env), argument)


def _constant(expr: Expr, argument: ast.Expression) -> object:
    """A literal, or a list of what its elements are."""
    value = computed(literals.unpinned(expr))
    if isinstance(value, Call) and value.function == LIST_VALUE:
        return [_constant(element, argument) for element in value.args]
    if not isinstance(value, Literal):
        raise ProgrammingError("this argument has no constant value", span=argument.span)
    return value
