"""What an expression may refer to at its place, and what is collected while binding it.

Owns: `Context` (of a statement), `Environment` (of a place in it), `Aggregates`.
Comes in: the catalog, parameters, a scope, the aliases of a select list.
Does not know: how an expression is bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from eau2.catalog import Catalog
from eau2.errors import Span
from eau2.operators.expr import AggregateCall, Column
from eau2.sql import ast
from eau2.sql.scope import Scope
from eau2.sql.shapes import Shapes
from eau2.types import SqlType


@dataclass(slots=True)
class Context:
    """What holds for a whole statement. `spent` counts the nodes bound for the sake of aliases."""

    catalog: Catalog
    parameters: Mapping[int | str, object]
    now: datetime | None
    ids: Iterator[int]
    spent: int = 0

    def column(self, name: str, type_: SqlType) -> Column:
        """A new column of the plan."""
        return Column(next(self.ids), name, type_)


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that a select list gives, with what it names and where it stands in the list."""

    position: int
    name: str
    expression: ast.Expression


@dataclass(slots=True)
class Aggregates:
    """The aggregate calls met so far and the columns they will be; equal calls share one."""

    context: Context
    shapes: Shapes
    calls: list[tuple[Column, AggregateCall]] = field(default_factory=list)
    known: dict[tuple[object, ...], Column] = field(default_factory=dict)

    def column(self, call: AggregateCall, name: str) -> Column:
        """The column that holds the result of `call`."""
        shapes = tuple(self.shapes.of(expr) for expr in call.exprs)
        order = tuple((key.descending, key.nulls_last) for key in call.order)
        key = (call.function, call.distinct, call.where is None, len(call.args), order, shapes)
        column = self.known.get(key)
        if column is None:
            column = self.context.column(name, call.type)
            self.known[key] = column
            self.calls.append((column, call))
        return column


@dataclass(frozen=True, slots=True)
class Use:
    """A column that was named, and where."""

    name: str
    span: Span
    columns: frozenset[int]


@dataclass(frozen=True, slots=True)
class Environment:
    """What an expression may refer to.

    aliases: of the select list, by case-folded name, those before position `visible`. With
    `aliases_first` they go before columns. aggregates collects aggregate calls; when it is None
    they are an error, worded by `refusal`. uses collects the columns that were named.
    """

    context: Context
    scope: Scope
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    visible: int = 0
    aliases_first: bool = False
    aggregates: Aggregates | None = None
    refusal: str = "aggregate functions are not allowed here"
    uses: list[Use] | None = None
    inside_alias: bool = False
