"""Connection and Result: what a program that embeds eau2 holds.

Owns: the Python API. Comes in: statements, tables, paths. Goes out: results.
Does not know: how a statement is computed (engine.py), how a table is drawn (render.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import polars as pl
import pyarrow as pa

from eau2.catalog import Frame
from eau2.cluster import Cluster
from eau2.config import byte_count
from eau2.dbapi import Cursor
from eau2.engine import Answer, Engine, Parameters
from eau2.errors import InterfaceError, NotSupportedError, UnknownNameError, UsageError
from eau2.frames import LocalFrames, source_of
from eau2.kernels.inline import InlineHost
from eau2.kv.store import Store
from eau2.node import Node
from eau2.operators.physical import to_logical
from eau2.render import box
from eau2.settings import Settings
from eau2.types import SqlType

REPR_ROWS = 40


class Result:
    """The rows of a statement. They are all here; converting them does not run anything."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._arrow: pa.Table | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order; they may repeat."""
        return self._answer.names

    @property
    def types(self) -> tuple[SqlType, ...]:
        """The columns' SQL types, in order."""
        return tuple(column.type for column in self._answer.columns)

    @property
    def rows(self) -> int:
        """The number of rows; 0 for a statement that gives no table."""
        return self._answer.rows.height if self.names else 0

    def to_arrow(self) -> pa.Table:
        """The rows as an Arrow table."""
        if self._arrow is None:
            self._arrow = to_logical(self._answer.rows, self._answer.columns, self.names)
        return self._arrow

    def to_polars(self) -> pl.DataFrame:
        """The rows as a Polars frame. Raises InterfaceError when two columns have one name."""
        if len(set(self.names)) < len(self.names):
            raise InterfaceError("Polars needs distinct column names: rename some with AS")
        frame = pl.from_arrow(self.to_arrow())
        assert isinstance(frame, pl.DataFrame)
        return frame

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows as tuples of int, float, Decimal, str, bool, date, datetime and None."""
        whole = {i for i, type_ in enumerate(self.types) if type_.is_integer}
        columns = []
        for i, column in enumerate(self.to_arrow().columns):
            values = column.to_pylist()
            if i in whole and pa.types.is_decimal(column.type):
                values = [None if value is None else int(value) for value in values]
            columns.append(values)
        return list(zip(*columns, strict=True))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The Arrow PyCapsule protocol: pyarrow, Polars, DuckDB and pandas read results by it."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return self.rows

    def __repr__(self) -> str:
        return box(self.to_arrow(), self.types, max_rows=REPR_ROWS)


class Connection:
    """A store, its registered frames and an engine over both. Not for several threads at once."""

    def __init__(
        self, path: str | None = None, threads: int | None = None, memory_bytes: int | None = None
    ) -> None:
        """Open the store in folder `path` (None: in memory). See eau2.connect."""
        self._frames = LocalFrames(Store.open(path))
        node = Node("local", self._frames, InlineHost(threads, memory_bytes))
        settings = Settings(threads=threads)
        self._engine: Engine | None = Engine(self._frames, Cluster(node), settings)

    def sql(self, text: str, params: Parameters | Sequence[object] | None = None) -> Result:
        """Run the statements in `text`; the last one's result.

        params: a sequence for `?` and `$1`, a mapping for `$name` and `:name`.
        """
        return Result(self._open().run(text, _parameters(params)))

    execute = sql

    def explain(self, text: str) -> str:
        """How a query would run: its stages, as text."""
        rows = self.sql(f"EXPLAIN {text}").fetchall()
        return "\n".join(line for (line,) in rows)

    def register(self, name: str, table: object) -> None:
        """Put `table` under `name` in memory, for this connection; a name may be registered anew.

        table: a pyarrow Table, RecordBatch or reader, or anything with `__arrow_c_stream__`.
        """
        engine = self._open()
        schema, batches = source_of(table)
        rows = engine.settings.chunk_rows
        self._frames.registered.put(name, schema, batches, chunk_rows=rows, replace=True)

    def put(self, name: str, source: object, *, replace: bool = False) -> None:
        """Store `source` under `name`: all of it, or after any failure none of it.

        source: a path, or several of one schema, a pyarrow Table or reader, or anything with
        `__arrow_c_stream__`. Raises NameExistsError (not with `replace`), InputFileError,
        DiskFullError, StoreBusyError.
        """
        engine = self._open()
        schema, batches = source_of(source)
        rows = engine.settings.chunk_rows
        self._frames.stored.put(name, schema, batches, chunk_rows=rows, replace=replace)

    def get(self, name: str) -> Result:
        """The whole frame under `name`. Raises UnknownNameError."""
        self._frame(name)
        return self.sql(f"SELECT * FROM {_quoted(name)}")

    def drop(self, name: str) -> None:
        """Drop the frame under `name`. Raises UnknownNameError."""
        self._open()
        if not self._frames.drop(name):
            raise self._unknown(name)

    def tables(self) -> tuple[str, ...]:
        """The names of all frames, sorted."""
        self._open()
        return self._frames.names()

    def describe(self, name: str) -> Frame:
        """The frame under `name`: its schema, chunks and statistics. Raises UnknownNameError."""
        return self._frame(name)

    def cursor(self) -> Cursor:
        """A PEP 249 cursor over this connection."""
        self._open()
        return Cursor(self)

    def commit(self) -> None:
        """Do nothing: every put and drop is final when it returns."""
        self._open()

    def rollback(self) -> None:
        """Refuse: there are no transactions."""
        raise NotSupportedError("there are no transactions: a put or drop cannot be taken back")

    def close(self) -> None:
        """Close the store. Using the connection afterwards raises InterfaceError."""
        if self._engine is not None:
            self._engine = None
            self._frames.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self) -> Engine:
        if self._engine is None:
            raise InterfaceError("the connection is closed")
        return self._engine

    def _frame(self, name: str) -> Frame:
        self._open()
        frame = self._frames.frame(name)
        if frame is None:
            raise self._unknown(name)
        return frame

    def _unknown(self, name: str) -> UnknownNameError:
        known = ", ".join(self._frames.names()) or "none"
        return UnknownNameError(f'there is no table "{name}"', hint=f"Tables: {known}.")


def connect(
    path: str | os.PathLike[str] | None = None,
    *,
    threads: int | None = None,
    memory: int | str | None = None,
) -> Connection:
    """Open a store and an engine over it, in this process.

    path: the folder of the store, made when it is not there; None keeps all in memory. threads: of
    the kernels, fixed by their first use in the process; None takes all cores. memory: bytes (or
    "512MB") beyond which the kernels spill to disk. Raises StoreError, InterfaceError.
    """
    memory_bytes = byte_count(memory) if isinstance(memory, str) else memory
    for name, value in (("threads", threads), ("memory", memory_bytes)):
        if value is not None and value < 1:
            raise UsageError(f"{name} must be at least 1, not {value}")
    return Connection(None if path is None else os.fspath(path), threads, memory_bytes)


def _parameters(params: Parameters | Sequence[object] | None) -> Parameters | None:
    """Positions are numbered from 1, as in `$1`."""
    if params is None or isinstance(params, Mapping):
        return params
    if isinstance(params, str):
        raise InterfaceError("parameters are a sequence or a mapping, not a string")
    return dict(enumerate(params, start=1))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
