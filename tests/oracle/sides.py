"""The two engines behind one face: tables in, SQL in, an answer or an error out.

Owns: `DuckSide`, `EauSide`, `NodesSide`, `Answer`, `Refusal`. An error is `refused` (a statement
eau2 says it does not support), `statement` (names, types, syntax), `data` (overflow, a failing
cast), or `bug`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from random import Random
from typing import Literal, Protocol, TypeAlias
from unittest.mock import patch

import duckdb
import pyarrow as pa

import eau2
from eau2 import node
from eau2.cluster import Cluster
from eau2.config import INDEXES, LIMITS
from eau2.indexes import kept, picking
from eau2.kernels import runner
from eau2.kv import appending, compact, zones
from eau2.operators import (
    addressing,
    dense,
    few_groups,
    few_groups_shape,
    merging,
    packed_sort,
    pairing,
    row_arrays,
    runs,
    sort,
    window_values,
)
from eau2.planner import closed_groups, fusion
from eau2.planner.placement import recorded
from eau2.records import replace
from tests.oracle.eager import eager
from tests.oracle.vocabulary import parameters_of

Fault = Literal["refused", "statement", "data", "bug"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An engine raised."""

    fault: Fault
    message: str


Answer: TypeAlias = "pa.Table | Refusal"


class Rows(Protocol):
    """A table."""

    @property
    def name(self) -> str:
        """What it is called."""

    def arrow(self) -> pa.Table:
        """Its rows."""


class Side(Protocol):
    """An engine that holds some tables."""

    def run(self, sql: str) -> Answer:
        """The answer to a query."""

    def close(self) -> None:
        """Let everything go."""


class DuckSide:
    """DuckDB over native tables of its own, on one thread."""

    def __init__(self, tables: Iterable[Rows], optimizer: bool = True) -> None:
        self.tables = tuple(tables)
        self.optimizer = optimizer
        self.connection = self.filled()

    def filled(self) -> duckdb.DuckDBPyConnection:
        """A database with the tables in it."""
        connection = duckdb.connect()
        connection.execute("SET threads = 1")
        if not self.optimizer:
            connection.execute("PRAGMA disable_optimizer")
        for table in self.tables:
            connection.register("arrow_source", table.arrow())
            connection.execute(f"CREATE TABLE {table.name} AS SELECT * FROM arrow_source")
            connection.unregister("arrow_source")
        return connection

    def run(self, sql: str) -> Answer:
        try:
            values = parameters_of(sql) or None
            table: pa.Table = self.connection.sql(sql, params=values).to_arrow_table()
            return table
        except (
            duckdb.OutOfRangeException,
            duckdb.ConversionException,
            duckdb.InvalidInputException,
        ) as error:
            return Refusal("data", str(error))
        except (duckdb.InternalException, duckdb.FatalException) as error:
            # The database takes no statement any more.
            self.connection.close()
            self.connection = self.filled()
            return Refusal("bug", str(error))
        except duckdb.NotImplementedException as error:
            return Refusal("refused", str(error))
        except duckdb.Error as error:
            return Refusal("statement", str(error))

    def close(self) -> None:
        self.connection.close()


@contextmanager
def zones_of_rows(rows: int | None) -> Iterator[None]:
    """Inside, zones have so many rows: where chunks are written, and where they are read."""
    if rows is None:
        yield
        return
    small = replace(LIMITS, zone_rows=rows)
    with (
        patch.object(zones, "LIMITS", small),
        patch.object(zones, "_NARROW", 2.0),
        patch.object(zones, "_NARROW_TEXTS", 2.0),
        patch.object(node, "LIMITS", small),
    ):
        yield


@contextmanager
def directly() -> Iterator[None]:
    """Inside, kernels do over few rows what otherwise only pays over many."""
    thresholds = (
        *((module, "LIMITS", STREAMING) for module in (runner, merging, addressing, pairing)),
        *((module, "LIMITS", STREAMING) for module in (fusion, window_values)),
        *((module, "FEW_ROWS", 0) for module in (runs, dense)),
        (dense, "ROWS_PER_NUMBER", 1),
        (runs, "_LOOK_ROWS", 2),
        (addressing, "_FEW", 2),
        (addressing, "_DENSE", 3),
        (addressing, "_NARROW", 4),
        (pairing, "_FEW", 1),
        (packed_sort, "_FEW_ROWS", 0),
        (sort, "_FEW_ROWS", 0),
        (closed_groups, "FEW_GROUPS", 0),
        (few_groups_shape, "FEW_ROWS", 0),
        (few_groups_shape, "may_pay", lambda *_: True),
        (few_groups_shape, "pays", lambda *_: True),
        (few_groups, "_SAMPLE_ROWS", 2),
        (row_arrays, "BLOCKS_FROM", (1, 1)),
        (closed_groups, "OPEN_SHARE", 1),
    )
    with ExitStack() as stack:
        for module, name, value in thresholds:
            stack.enter_context(patch.object(module, name, value))
        yield


@dataclass(frozen=True, slots=True)
class Setup:
    """How eau2 is to run a case.

    chunk_rows: None is the default. task_rows: chunks of at most so many rows go to one task, so
    that small tables have several tasks. streaming: kernels do what otherwise only larger inputs
    see: the streaming engine, joins by number, groups as they lie, groups finished by their
    tasks. without: rules of the optimiser that are switched off. coded: strings are held as codes
    of a dictionary, which otherwise only larger chunks are.
    indexed: some columns have an index, which is used however many rows are wanted.
    zone_rows: rows of a zone, so that small chunks have several; None is the default.
    eager: rules of the optimiser fire however little they save. apart: few rows that are appended
    stay chunks of their own, beside those of earlier versions.
    """

    chunk_rows: int | None = None
    task_rows: int | None = None
    streaming: bool = False
    without: tuple[str, ...] = ()
    coded: bool = False
    indexed: bool = False
    zone_rows: int | None = None
    eager: bool = False
    apart: bool = False

    @property
    def settings(self) -> list[str]:
        """The statements that set a connection up."""
        chunks = [] if self.chunk_rows is None else [f"SET chunk_rows = {self.chunk_rows}"]
        if self.indexed:
            chunks.append("SET auto_index = off")
        return chunks + [f"SET optimizer.{rule} = off" for rule in self.without]

    @contextmanager
    def compacting(self) -> Iterator[None]:
        """Inside, tables are put as the setup says."""
        with ExitStack() as stack:
            stack.enter_context(zones_of_rows(self.zone_rows))
            if self.coded:
                stack.enter_context(patch.object(compact, "DICTIONARY_ROWS", 1))
                stack.enter_context(patch.object(compact, "ROWS_PER_VALUE", 1))
            if self.apart:
                stack.enter_context(patch.object(appending, "FEW_ROWS", 0))
            yield

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inside, statements run as the setup says."""
        with ExitStack() as stack:
            stack.enter_context(self.indexing())
            stack.enter_context(zones_of_rows(self.zone_rows))
            if self.eager:
                stack.enter_context(eager())
            if self.streaming:
                stack.enter_context(directly())
            yield

    @contextmanager
    def indexing(self) -> Iterator[None]:
        """Inside, row lists are used where otherwise only larger tables would have any."""
        with ExitStack() as stack:
            for module in (picking, kept, node) if self.indexed else ():
                stack.enter_context(patch.object(module, "INDEXES", EAGER))
            yield

    def index(self, connection: eau2.Connection, table: Rows) -> None:
        """Make indexes on some columns of a table."""
        random = Random(table.name)
        for number, column in enumerate(table.arrow().column_names if self.indexed else ()):
            if random.random() < INDEXED:
                quoted = column.replace('"', '""')
                with suppress(eau2.NotSupportedError), self.indexing():
                    connection.execute(
                        f'CREATE INDEX {table.name}_{number} ON {table.name} ("{quoted}")'
                    )


EAGER = replace(INDEXES, rows=0, chunk_rows=0, rows_per_taken=1, array_rows=0)
INDEXED = 0.7
STREAMING = replace(LIMITS, in_memory_engine_rows=-1)


class EauSide:
    """eau2, embedded, in memory unless a store is given."""

    def __init__(
        self,
        tables: Iterable[Rows],
        setup: Setup,
        store: str | None = None,
    ) -> None:
        self.setup = setup
        self.connection = self.connected(store)
        for setting in setup.settings:
            self.connection.execute(setting)
        with setup.compacting():
            for table in tables:
                if store is None:
                    self.connection.register(table.name, table.arrow())
                else:
                    self.connection.put(table.name, table.arrow(), replace=True)
                setup.index(self.connection, table)

    def connected(self, to: str | None) -> eau2.Connection:
        """A connection whose tasks are as large as the setup says."""
        if self.setup.task_rows is None:
            return eau2.connect(to)
        # What runs statements at a node is made when the first one comes.
        defaults = (None, self.setup.task_rows, recorded)
        with patch.object(Cluster.__init__, "__defaults__", defaults):
            connection = eau2.connect(to)
            connection.execute("SHOW TABLES")
            return connection

    def run(self, sql: str) -> Answer:
        with self.setup.running():
            return self.answer(sql)

    def answer(self, sql: str) -> Answer:
        """Run a query as things are set."""
        try:
            table: pa.Table = self.connection.sql(sql, parameters_of(sql) or None).to_arrow()
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


class NodesSide(EauSide):
    """eau2 on nodes of this process: one of them puts the tables, another one is asked.

    The nodes hold the tables of one such side at a time.
    """

    def __init__(self, tables: Iterable[Rows], setup: Setup, urls: Sequence[str]) -> None:
        """urls: where the nodes listen; the last one is asked."""
        super().__init__((), setup, urls[-1])
        self.names: list[str] = []
        self.putting = eau2.connect(urls[0])
        for setting in setup.settings:
            self.putting.execute(setting)
        with setup.compacting():
            for table in tables:
                self.putting.put(table.name, table.arrow(), replace=True)
                self.names.append(table.name)
                setup.index(self.putting, table)

    def close(self) -> None:
        for name in self.names:
            self.putting.drop(name)
        self.putting.close()
        super().close()
