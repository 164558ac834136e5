"""Statements that are no queries.

Owns: their nodes. Does not know: what running them does.
"""

from __future__ import annotations

from eau2.sql.ast.base import Expression, Node, Query, Statement, TableExpression, TypeName
from eau2.sql.ast.expressions import Constant


class Explain(Statement, frozen=True):
    """EXPLAIN [ANALYZE] query."""

    query: Query
    analyze: bool = False


class SetStatement(Statement, frozen=True):
    """SET name = value (a constant, or the word as a string); RESET name has value None."""

    name: str
    value: Constant | None


class ShowTables(Statement, frozen=True):
    """SHOW TABLES."""


class ShowNodes(Statement, frozen=True):
    """SHOW NODES."""


class ShowChunks(Statement, frozen=True):
    """SHOW CHUNKS [FROM table]; name is None for those of all tables."""

    name: str | None


class ShowSetting(Statement, frozen=True):
    """SHOW name: one setting; SHOW ALL is 'all'."""

    name: str


class Describe(Statement, frozen=True):
    """DESCRIBE table | DESCRIBE 'file' | DESCRIBE SELECT ... (also DESC)."""

    target: TableExpression | Query


class ColumnDefinition(Node, frozen=True):
    """name type [NOT NULL] in CREATE TABLE; other constraints are refused."""

    name: str
    type: TypeName
    not_null: bool = False


class CreateTable(Statement, frozen=True):
    """CREATE [OR REPLACE] [TEMP] TABLE [IF NOT EXISTS] name (columns) | AS query [WITH NO DATA]."""

    name: str
    columns: tuple[ColumnDefinition, ...]
    query: Query | None = None
    column_names: tuple[str, ...] = ()
    replace: bool = False
    if_not_exists: bool = False
    temporary: bool = False
    with_data: bool = True


class CreateView(Statement, frozen=True):
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


class Insert(Statement, frozen=True):
    """INSERT INTO name [(columns)] [BY NAME] query. query None: DEFAULT VALUES.

    The word DEFAULT among the values is a DefaultValue.
    """

    name: str
    columns: tuple[str, ...]
    query: Query | None
    by_name: bool = False


class Prepare(Statement, frozen=True):
    """PREPARE name AS statement."""

    name: str
    statement: Statement
    text: str


class Execute(Statement, frozen=True):
    """EXECUTE name [(arguments)]; arguments may be NamedArguments."""

    name: str
    arguments: tuple[Expression, ...]


class Deallocate(Statement, frozen=True):
    """DEALLOCATE [PREPARE] name | ALL (name is None)."""

    name: str | None


class Drop(Statement, frozen=True):
    """DROP TABLE | VIEW [IF EXISTS] name."""

    name: str
    if_exists: bool
    view: bool = False


class CreateIndex(Statement, frozen=True):
    """CREATE INDEX [IF NOT EXISTS] name ON table (columns)."""

    name: str
    table: str
    columns: tuple[str, ...]
    if_not_exists: bool = False


class DropIndex(Statement, frozen=True):
    """DROP INDEX [IF EXISTS] name."""

    name: str
    if_exists: bool


class ShowIndexes(Statement, frozen=True):
    """SHOW INDEXES [FROM table]."""

    name: str | None


class FunctionParameter(Node, frozen=True):
    """name type, of a function."""

    name: str
    type: TypeName


class CreateFunction(Statement, frozen=True):
    """CREATE [OR REPLACE] [TEMP] FUNCTION [IF NOT EXISTS] name(a type) RETURNS type AS body.

    language: "sql", or another one, in which the body is a string. text: the body as written.
    """

    name: str
    parameters: tuple[FunctionParameter, ...]
    result: TypeName
    language: str
    body: Expression
    text: str
    replace: bool = False
    if_not_exists: bool = False
    temporary: bool = False


class DropFunction(Statement, frozen=True):
    """DROP FUNCTION [IF EXISTS] name (also DROP MACRO)."""

    name: str
    if_exists: bool


class ShowFunctions(Statement, frozen=True):
    """SHOW FUNCTIONS: those that users have defined."""


class UnsupportedStatement(Statement, frozen=True):
    """A statement that the grammar knows and eau2 refuses: UPDATE, DELETE, ALTER, ..."""

    what: str
    hint: str | None = None
