"""What can be written in FROM.

Owns: the table expressions. Does not know: whether a table exists.
"""

from __future__ import annotations

from typing import Literal as OneOf

from eau2.sql.ast.base import Expression, Node, Query, Sample, SelectItem, TableExpression


class TableName(TableExpression, frozen=True):
    """A frame by name, [AS] alias [(column aliases)]."""

    name: str
    alias: str | None = None
    column_aliases: tuple[str, ...] = ()


class TableFile(TableExpression, frozen=True):
    """A file or glob, FROM 'x.parquet'."""

    path: str
    alias: str | None = None
    column_aliases: tuple[str, ...] = ()


class DerivedTable(TableExpression, frozen=True):
    """[LATERAL] (SELECT ...) [AS] alias [(column aliases)]; also (VALUES ...)."""

    query: Query
    alias: str | None = None
    column_aliases: tuple[str, ...] = ()
    lateral: bool = False


class TableFunction(TableExpression, frozen=True):
    """name(arguments) in FROM: range(10), unnest(xs), read_csv('a.csv', header := true).

    name is lower case. Arguments may be NamedArguments. They may read the tables before it.
    """

    name: str
    arguments: tuple[Expression, ...]
    alias: str | None = None
    column_aliases: tuple[str, ...] = ()
    ordinality: bool = False


class SampledTable(TableExpression, frozen=True):
    """table TABLESAMPLE ...: see Sample."""

    table: TableExpression
    sample: Sample


class PivotOn(Node, frozen=True):
    """ON expression [IN (values)]; values may have aliases. None: those that occur, sorted."""

    expressions: tuple[Expression, ...]
    values: tuple[SelectItem, ...] | None


class PivotTable(TableExpression, frozen=True):
    """table PIVOT (aggregates FOR on ... [GROUP BY ...]); also the statement PIVOT table ON ...

    Each of `on` makes columns of its values. group_by: None when nothing was said: all columns that
    are not used.
    """

    table: TableExpression
    aggregates: tuple[SelectItem, ...]
    on: tuple[PivotOn, ...]
    group_by: tuple[Expression, ...] | None = None
    alias: str | None = None
    column_aliases: tuple[str, ...] = ()


class UnpivotTable(TableExpression, frozen=True):
    """table UNPIVOT [INCLUDE NULLS] (values FOR name IN (columns)), and UNPIVOT table ON ... INTO.

    on: each entry the expressions that make one row (one for each of `values`), and its alias.
    """

    table: TableExpression
    name: str
    values: tuple[str, ...]
    on: tuple[tuple[tuple[Expression, ...], str | None], ...]
    include_nulls: bool = False
    alias: str | None = None
    column_aliases: tuple[str, ...] = ()


class JoinClause(TableExpression, frozen=True):
    """left [NATURAL] kind JOIN right [ON condition | USING (columns)]. A comma is kind 'cross'."""

    kind: OneOf[
        "inner", "left", "right", "full", "cross", "semi", "anti", "asof", "asof_left", "positional"
    ]
    left: TableExpression
    right: TableExpression
    condition: Expression | None = None
    using: tuple[str, ...] = ()
    natural: bool = False
