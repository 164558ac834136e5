"""Statements that are no queries.

Owns: their nodes. Does not know: what running them does.
"""

from __future__ import annotations

from dataclasses import dataclass

from eau2.sql.ast.base import Expression, Node, Query, Statement, TableExpression, TypeName
from eau2.sql.ast.expressions import Constant


@dataclass(frozen=True, slots=True)
class Explain(Statement):
    """EXPLAIN [ANALYZE] query."""

    query: Query
    analyze: bool = False


@dataclass(frozen=True, slots=True)
class SetStatement(Statement):
    """SET name = value (a constant, or the word as a string); RESET name has value None."""

    name: str
    value: Constant | None


@dataclass(frozen=True, slots=True)
class ShowTables(Statement):
    """SHOW TABLES."""


@dataclass(frozen=True, slots=True)
class ShowNodes(Statement):
    """SHOW NODES."""


@dataclass(frozen=True, slots=True)
class ShowChunks(Statement):
    """SHOW CHUNKS [FROM table]; name is None for those of all tables."""

    name: str | None


@dataclass(frozen=True, slots=True)
class ShowSetting(Statement):
    """SHOW name: one setting; SHOW ALL is 'all'."""

    name: str


@dataclass(frozen=True, slots=True)
class Describe(Statement):
    """DESCRIBE table | DESCRIBE 'file' | DESCRIBE SELECT ... (also DESC)."""

    target: TableExpression | Query


@dataclass(frozen=True, slots=True)
class ColumnDefinition(Node):
    """name type [NOT NULL] in CREATE TABLE; other constraints are refused."""

    name: str
    type: TypeName
    not_null: bool = False


@dataclass(frozen=True, slots=True)
class CreateTable(Statement):
    """CREATE [OR REPLACE] [TEMP] TABLE [IF NOT EXISTS] name (columns) | AS query [WITH NO DATA]."""

    name: str
    columns: tuple[ColumnDefinition, ...]
    query: Query | None = None
    column_names: tuple[str, ...] = ()
    replace: bool = False
    if_not_exists: bool = False
    temporary: bool = False
    with_data: bool = True


@dataclass(frozen=True, slots=True)
class CreateView(Statement):
    """CREATE [OR REPLACE] [TEMP] VIEW [IF NOT EXISTS] name [(columns)] AS query.

    text: the query as it was written, which is what is stored.
    """

    name: str
    column_names: tuple[str, ...]
    query: Query
    text: str
    replace: bool = False
    if_not_exists: bool = False
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class Insert(Statement):
    """INSERT INTO name [(columns)] [BY NAME] query. query None: DEFAULT VALUES.

    The word DEFAULT among the values is a DefaultValue.
    """

    name: str
    columns: tuple[str, ...]
    query: Query | None
    by_name: bool = False


@dataclass(frozen=True, slots=True)
class Prepare(Statement):
    """PREPARE name AS statement."""

    name: str
    statement: Statement
    text: str


@dataclass(frozen=True, slots=True)
class Execute(Statement):
    """EXECUTE name [(arguments)]; arguments may be NamedArguments."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Deallocate(Statement):
    """DEALLOCATE [PREPARE] name | ALL (name is None)."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Drop(Statement):
    """DROP TABLE | VIEW [IF EXISTS] name."""

    name: str
    if_exists: bool
    view: bool = False


@dataclass(frozen=True, slots=True)
class CreateIndex(Statement):
    """CREATE INDEX [IF NOT EXISTS] name ON table (columns)."""

    name: str
    table: str
    columns: tuple[str, ...]
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropIndex(Statement):
    """DROP INDEX [IF EXISTS] name."""

    name: str
    if_exists: bool


@dataclass(frozen=True, slots=True)
class ShowIndexes(Statement):
    """SHOW INDEXES [FROM table]."""

    name: str | None


@dataclass(frozen=True, slots=True)
class UnsupportedStatement(Statement):
    """A statement that the grammar knows and eau2 refuses: UPDATE, DELETE, ALTER, ..."""

    what: str
    hint: str | None = None
