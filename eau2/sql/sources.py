"""What FROM gives to the clauses above it, and how its parts become visible tables.

Owns: `Source`, `Place`, the names of a table's columns. Comes in: plans with column names. Goes
out: plans with scopes. Does not know: which syntax asked.
"""

from __future__ import annotations

from collections.abc import Callable

from eau2.errors import ProgrammingError, Span
from eau2.operators.expr import ref
from eau2.records import Record, replace
from eau2.sql import ast
from eau2.sql.environment import BindQuery, Context, Environment, Query
from eau2.sql.logical import Logical
from eau2.sql.scope import Scope, VisibleColumn, VisibleTable

UNNAMED_PIVOT = "__unnamed_pivot"
"""What a table made by PIVOT or UNPIVOT is called without an alias."""


class Source(Record, frozen=True):
    """A bound FROM clause: its plan, what its columns are called, and whether rows are ordered."""

    plan: Logical
    scope: Scope
    ordered: bool


class BoundTable(ast.TableExpression, frozen=True):
    """A table of a syntax tree that was bound already, for queries that the binder writes."""

    source: Source


class Place(Record, frozen=True):
    """Where a table expression stands: its statement, how queries in it are bound, what is outside.

    outer is what a query in FROM sees: the tables before it, then the enclosing queries.
    """

    context: Context
    bind_query: BindQuery
    outer: Environment | None

    def beside(self, left: Source) -> Place:
        """The place to the right of `left`, whose columns can be read there (LATERAL)."""
        env = Environment(self.context, left.scope, outer=self.outer)
        return replace(self, outer=env.inside("FROM"))


BindTable = Callable[[ast.TableExpression, Place], Source]
"""Binds a table expression at its place."""


def visible(
    name: str, names: tuple[str, ...], aliases: tuple[str, ...], plan: Logical, span: Span
) -> VisibleTable:
    """The plan's columns as a table; column aliases rename the first of them."""
    if len(aliases) > len(names):
        raise ProgrammingError(
            f'the table "{name}" has {len(names)} columns, but {len(aliases)} names for them',
            span=span,
        )
    called = (*aliases, *names[len(aliases) :])
    columns = zip(called, plan.output, strict=True)
    return VisibleTable(name, tuple(VisibleColumn(n, ref(column)) for n, column in columns))


def derived(
    bound: Query, alias: str | None, aliases: tuple[str, ...], span: Span, called: str
) -> Source:
    """A bound query as a table; without an alias it is called `called`, which gives way."""
    names = unique_names(bound.names)
    table = visible(alias or called, names, aliases, bound.plan, span)
    table = replace(table, unnamed=alias is None)
    return Source(bound.plan, Scope((table,)), bound.ordered)


def unique_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of a derived table's columns: a second `a` is called `a_1`."""
    seen: set[str] = set()
    result: list[str] = []
    for name in names:
        unique, number = name, 0
        while unique.casefold() in seen:
            number += 1
            unique = f"{name}_{number}"
        seen.add(unique.casefold())
        result.append(unique)
    return tuple(result)
