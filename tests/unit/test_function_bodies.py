"""A law: a call of a function gives what the function's body gives where it is written itself.

The bodies are what the .slt files select from one of their common tables, and the examples of the
reference of functions; each is made a function of the columns that there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import eau2
from eau2.connection import Connection
from eau2.errors import Error, NotSupportedError
from eau2.operators.functions.table import documentation
from eau2.sql import ast
from eau2.sql.parser import parse
from tests.processes import ROOT
from tests.slt.check import failures
from tests.slt.records import expand
from tests.slt.sessions import Embedded

FILES = sorted((ROOT / "tests" / "slt").glob("*.slt"))
COMMON = FILES[0]
"""Like most files it includes the common tables."""


@pytest.fixture(scope="module")
def session() -> Iterator[Embedded]:
    made = Embedded()
    assert not failures([r for r in expand(COMMON) if r.head[0] == "table"], made)
    yield made
    made.close()


@cache
def selected(path: Path) -> tuple[tuple[str, str], ...]:
    """What the queries of a file select from one table each: (table, expression as written)."""
    found: dict[tuple[str, str], None] = {}
    for record in expand(path):
        try:
            statements = parse(record.sql)
        except Error:
            continue
        for query in statements:
            if not isinstance(query, ast.Select) or not isinstance(query.source, ast.TableName):
                continue
            for item in query.items if query.source.alias is None else ():
                written = item.expression
                if not isinstance(written, ast.Star | ast.Name | ast.Constant):
                    text = record.sql[written.span.start : written.span.end]
                    found[(query.source.name, text)] = None
    return tuple(found)


def answer(connection: Connection, text: str) -> object:
    """The rows of a query, or its error."""
    try:
        return connection.sql(text).fetchall()
    except Error as error:
        return type(error), error.message


def type_of(connection: Connection, query: str) -> str | None:
    """The type of a query's one column; None when the query has no meaning."""
    try:
        type_ = str(connection.sql(f"DESCRIBE {query}").fetchall()[0][1])
    except Error:
        return None
    return type_.replace('"NULL"', "INTEGER")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_selected_is_a_body(path: Path, session: Embedded) -> None:
    connection = session.connection
    for name, text in selected(path):
        columns = answer(connection, f'DESCRIBE "{name}"')
        query = f"SELECT {text} AS v FROM {name}"
        type_ = type_of(connection, query)
        if type_ is None or not isinstance(columns, list):
            continue
        parameters = ", ".join(f"{column} {kind}" for column, kind, *_ in columns)
        arguments = ", ".join(column for column, *_ in columns)
        try:
            connection.sql(
                f"CREATE OR REPLACE FUNCTION it({parameters}) RETURNS {type_} AS ({text})"
            )
        except (NotSupportedError, eau2.ProgrammingError):
            # Subqueries and windows, and names with the table before them.
            continue
        wanted = answer(connection, query)
        found = answer(connection, f"SELECT it({arguments}) AS v FROM {name}")
        assert repr(found) == repr(wanted), text


def test_the_files_have_enough_to_select() -> None:
    assert sum(len(selected(path)) for path in FILES) > 800


def test_every_example_of_the_reference_is_a_body() -> None:
    with eau2.connect() as connection:
        for entry in documentation():
            type_ = type_of(connection, f"SELECT {entry.example}")
            connection.sql(f"CREATE OR REPLACE FUNCTION it() RETURNS {type_} AS ({entry.example})")
            wanted = answer(connection, f"SELECT {entry.example}")
            assert repr(answer(connection, "SELECT it()")) == repr(wanted), entry.example
