"""One SELECT while it is bound: what it reads, what its clauses have become, what they collected.

Owns: `Selecting`, `Clauses` and their parts. Comes in: from bind_select.py, step by step. Goes out:
to the rooms that make plan nodes of them. Does not know: how a clause is bound, plans.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eau2.errors import NotGroupedError, Span
from eau2.operators.expr import Column, Expr
from eau2.records import Record, Struct, replace
from eau2.sql import ast
from eau2.sql.bind_expr import bind_root
from eau2.sql.environment import (
    Aggregates,
    Alias,
    Context,
    Environment,
    GroupKeys,
    Subqueries,
    Unnests,
    Use,
    Windows,
)
from eau2.sql.shapes import Shapes
from eau2.sql.sources import Source
from eau2.sql.stars import Entry


class BoundPart(Record, frozen=True):
    """A bound expression, and the columns it names, for error messages."""

    expr: Expr
    uses: tuple[Use, ...]
    span: Span


class Key(Record, frozen=True):
    """One ORDER BY key: a position in the select list, or an expression of its own."""

    item: ast.OrderItem
    position: int | None
    bound: BoundPart | None


class Clauses(Record, frozen=True):
    """What stands above the grouping. distinct_on: None where DISTINCT ON is not written."""

    items: tuple[BoundPart, ...]
    qualify: BoundPart | None
    order: tuple[Key, ...]
    distinct_on: tuple[Key, ...] | None

    @property
    def parts(self) -> tuple[BoundPart, ...]:
        """Every expression of them."""
        keys = (*self.order, *(self.distinct_on or ()))
        own = tuple(key.bound for key in keys if key.bound is not None)
        return (*self.items, *(() if self.qualify is None else (self.qualify,)), *own)

    def mapped(self, visit: Callable[[BoundPart], BoundPart]) -> Clauses:
        """The clauses with `visit` applied to each expression."""

        def keys(given: tuple[Key, ...]) -> tuple[Key, ...]:
            return tuple(
                key if key.bound is None else replace(key, bound=visit(key.bound)) for key in given
            )

        return Clauses(
            tuple(visit(item) for item in self.items),
            None if self.qualify is None else visit(self.qualify),
            keys(self.order),
            None if self.distinct_on is None else keys(self.distinct_on),
        )


class Selecting(Struct):
    """A SELECT being bound.

    Subqueries are joined where their clause is computed: `below` are those of GROUP BY and in
    aggregates, `tests` of HAVING, `filters` of QUALIFY, `subqueries` of the select list and ORDER
    BY; windows have their own.
    """

    node: ast.Select
    context: Context
    outer: Environment | None
    source: Source
    entries: tuple[Entry, ...]
    aliases: Mapping[str, Alias]
    shapes: Shapes
    aggregates: Aggregates
    windows: Windows
    below: Subqueries
    tests: Subqueries
    filters: Subqueries
    subqueries: Subqueries
    unnests: Unnests
    grouping: GroupKeys | None = None

    def environment(self, visible: int | None = None) -> Environment:
        """Where columns of the source can be named, and aliases before position `visible`."""
        return Environment(
            self.context,
            self.source.scope,
            self.aliases,
            len(self.entries) if visible is None else visible,
            aggregates=self.aggregates,
            uses=[],
            windows=self.windows,
            grouping=self.grouping,
            subqueries=self.subqueries,
            outer=self.outer,
            unnests=self.unnests,
        )

    def columns(self, items: tuple[BoundPart, ...]) -> list[Column]:
        """A new column for each entry of the select list."""
        return [
            self.context.column(entry.name, item.expr.type)
            for entry, item in zip(self.entries, items, strict=True)
        ]


def bind_part(node: ast.Expression, env: Environment) -> BoundPart:
    """The bound form of an expression, with the columns it names."""
    if env.uses is None:
        env = replace(env, uses=[])
    uses = env.uses
    assert uses is not None
    before = len(uses)
    try:
        expr = bind_root(node, env)
        return BoundPart(expr, tuple(uses[before:]), node.span)
    finally:
        # An environment takes long to copy, so that all parts of a clause share one.
        del uses[before:]


def not_grouped(uses: tuple[Use, ...], span: Span, columns: frozenset[int]) -> NotGroupedError:
    """The error for an expression that reads `columns`, which are no keys of GROUP BY."""
    use = next((use for use in uses if use.columns & columns), None)
    name, span = ("?", span) if use is None else (use.name, use.span)
    return NotGroupedError(
        f'column "{name}" must appear in the GROUP BY clause or be used in an aggregate function',
        span=span,
        hint=f"Add it to GROUP BY, or write any_value({name}) if any of its values will do.",
    )
