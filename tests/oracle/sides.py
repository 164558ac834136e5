"""The two engines behind one face: tables in, SQL in, an answer or an error out.

Owns: `DuckSide`, `EauSide`, `Answer`, `Refusal`. An error is `refused` (a statement eau2 says it
does not support), `statement` (names, types, syntax), `data` (overflow, a failing cast), or `bug`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import duckdb
import pyarrow as pa

import eau2
from tests.oracle.tables import Table

Fault = Literal["refused", "statement", "data", "bug"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An engine raised."""

    fault: Fault
    message: str


Answer: TypeAlias = "pa.Table | Refusal"


class Side(Protocol):
    """An engine that holds some tables."""

    def run(self, sql: str) -> Answer:
        """The answer to a query."""

    def close(self) -> None:
        """Let everything go."""


class DuckSide:
    """DuckDB over native tables of its own, on one thread."""

    def __init__(self, tables: Iterable[Table], optimizer: bool = True) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("SET threads = 1")
        if not optimizer:
            self.connection.execute("PRAGMA disable_optimizer")
        for table in tables:
            self.connection.register("arrow_source", table.arrow())
            self.connection.execute(f"CREATE TABLE {table.name} AS SELECT * FROM arrow_source")
            self.connection.unregister("arrow_source")

    def run(self, sql: str) -> Answer:
        try:
            table: pa.Table = self.connection.sql(sql).to_arrow_table()
            return table
        except (
            duckdb.OutOfRangeException,
            duckdb.ConversionException,
            duckdb.InvalidInputException,
        ) as error:
            return Refusal("data", str(error))
        except duckdb.InternalException as error:
            return Refusal("bug", str(error))
        except duckdb.Error as error:
            return Refusal("statement", str(error))

    def close(self) -> None:
        self.connection.close()


class EauSide:
    """eau2, embedded, in memory unless a store is given."""

    def __init__(
        self,
        tables: Iterable[Table],
        chunk_rows: int | None = None,
        store: str | None = None,
        settings: Iterable[str] = (),
    ) -> None:
        self.connection = eau2.connect(store) if store is not None else eau2.connect()
        if chunk_rows is not None:
            self.connection.execute(f"SET chunk_rows = {chunk_rows}")
        for setting in settings:
            self.connection.execute(setting)
        for table in tables:
            if store is None:
                self.connection.register(table.name, table.arrow())
            else:
                self.connection.put(table.name, table.arrow(), replace=True)

    def run(self, sql: str) -> Answer:
        try:
            table: pa.Table = self.connection.sql(sql).to_arrow()
            return table
        except eau2.NotSupportedError as error:
            return Refusal("refused", str(error))
        except eau2.ProgrammingError as error:
            unknown_function = "unction" in error.message and "nown" in error.message
            return Refusal("refused" if unknown_function else "statement", str(error))
        except eau2.DataError as error:
            return Refusal("data", str(error))
        except Exception as error:  # Whatever else comes out is what the fuzzer is here to find.
            return Refusal("bug", f"{type(error).__name__}: {error}")

    def close(self) -> None:
        self.connection.close()
