"""The tables that the binder's tests bind against, in eau2 and, empty, in DuckDB."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pytest

from eau2.catalog import ColumnSchema, Frame, FrameSchema, Function, View
from eau2.errors import InputFileError, StatementError
from eau2.sql import ast
from eau2.sql.binder import Bound, bind
from eau2.sql.check import check
from eau2.sql.parser import parse_one
from eau2.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    FLOAT,
    HUGEINT,
    INTEGER,
    SMALLINT,
    TIMESTAMP,
    TINYINT,
    UBIGINT,
    VARCHAR,
    SqlType,
    decimal,
)

TABLES: dict[str, dict[str, SqlType]] = {
    "t": {
        "a": INTEGER,
        "b": INTEGER,
        "s": VARCHAR,
        "d": DATE,
        "f": DOUBLE,
        "m": decimal(10, 2),
        "p": BOOLEAN,
        "ts": TIMESTAMP,
        "Big Col": INTEGER,
        "x": BIGINT,
        "tiny": TINYINT,
        "small": SMALLINT,
        "h": HUGEINT,
        "u": UBIGINT,
        "r": FLOAT,
        "year": INTEGER,
    },
    "u": {"a": INTEGER, "c": INTEGER, "s": VARCHAR},
    "v": {"a": BIGINT, "k": INTEGER},
}
NOW = datetime(2024, 2, 29, 12, 30, 15, 250)


def frame(name: str, columns: Mapping[str, SqlType]) -> Frame:
    schema = FrameSchema(tuple(ColumnSchema(n, type_) for n, type_ in columns.items()))
    return Frame(name, f"id-{name}", 1, schema, (), ())


@dataclass(frozen=True)
class Tables:
    """A catalog of empty frames; the only file is `dir/file.parquet`, with the columns of u."""

    def frame(self, name: str) -> Frame | None:
        columns = TABLES.get(name.lower())
        return None if columns is None else frame(name.lower(), columns)

    def view(self, name: str) -> View | None:
        return None

    def function(self, name: str) -> Function | None:
        return None

    def functions(self) -> tuple[str, ...]:
        return ()

    def file(self, path: str) -> Frame:
        if path != "dir/file.parquet":
            raise InputFileError(f"there is no file {path}")
        return frame("file", TABLES["u"])

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(TABLES))

    def epoch(self) -> Hashable:
        return 1


def bound(text: str, parameters: Mapping[int | str, object] | None = None) -> Bound:
    """The bound form of a SELECT, checked to be well-formed."""
    statement = parse_one(text)
    assert isinstance(statement, ast.Select)
    result = bind(statement, Tables(), parameters, NOW)
    check(result.plan)
    assert len(result.names) == len(result.plan.output)
    return result


def failure(text: str, parameters: Mapping[int | str, object] | None = None) -> StatementError:
    """The error that binding `text` raises; it must say where."""
    with pytest.raises(StatementError) as caught:
        bound(text, parameters)
    assert caught.value.span is not None, caught.value.message
    return caught.value


def place(text: str, error: StatementError) -> str:
    """The part of the statement that the error points at."""
    assert error.span is not None
    return text[error.span.start : error.span.end]


def empty_duckdb() -> duckdb.DuckDBPyConnection:
    """DuckDB with the same tables."""
    connection = duckdb.connect()
    for name, columns in TABLES.items():
        listed = ", ".join(f'"{column}" {type_}' for column, type_ in columns.items())
        connection.execute(f"CREATE TABLE {name} ({listed})")
    return connection
