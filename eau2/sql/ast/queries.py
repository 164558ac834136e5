"""Statements that give rows and can stand in brackets.

Owns: SELECT, VALUES, set operations, WITH. Does not know: what else a statement can be.
"""

from __future__ import annotations

from typing import Literal as OneOf

from eau2.sql.ast.base import (
    Expression,
    Node,
    OrderItem,
    Query,
    Sample,
    SelectItem,
    TableExpression,
)
from eau2.sql.ast.expressions import WindowSpec


class Select(Query, frozen=True):
    """A SELECT with all its clauses. FROM before SELECT is the same; FROM alone selects *."""

    items: tuple[SelectItem, ...]
    source: TableExpression | None = None
    where: Expression | None = None
    group_by: tuple[Expression, ...] = ()
    having: Expression | None = None
    order_by: tuple[OrderItem, ...] = ()
    limit: Expression | None = None
    offset: Expression | None = None
    distinct: bool = False
    distinct_on: tuple[Expression, ...] = ()
    windows: tuple[tuple[str, WindowSpec], ...] = ()
    qualify: Expression | None = None
    sample: Sample | None = None
    limit_percent: bool = False


class Values(Query, frozen=True):
    """VALUES (a, b), (c, d): the columns are col0, col1, ..."""

    rows: tuple[tuple[Expression, ...], ...]


class SetOperation(Query, frozen=True):
    """left UNION | INTERSECT | EXCEPT [ALL] [BY NAME] right."""

    operator: OneOf["union", "intersect", "except"]
    all: bool
    by_name: bool
    left: Query
    right: Query


class Ordered(Query, frozen=True):
    """ORDER BY, LIMIT and OFFSET of a query that is no Select or has brackets around it."""

    query: Query
    order_by: tuple[OrderItem, ...] = ()
    limit: Expression | None = None
    offset: Expression | None = None
    limit_percent: bool = False


class CommonTable(Node, frozen=True):
    """name [(columns)] AS [[NOT] MATERIALIZED] (query), in WITH."""

    name: str
    query: Query
    column_aliases: tuple[str, ...] = ()
    materialized: bool | None = None
    using_key: tuple[str, ...] = ()


class WithQuery(Query, frozen=True):
    """WITH [RECURSIVE] tables query."""

    tables: tuple[CommonTable, ...]
    recursive: bool
    query: Query


class Summarize(Query, frozen=True):
    """SUMMARIZE query: a row for each column of the query."""

    query: Query
