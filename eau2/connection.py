"""Connection: what a program that embeds eau2, or talks to a node, holds.

Owns: the Python API. Comes in: statements, tables, paths. Goes out: results. Does not know: how or
where a statement is computed. That is a `Backend`: embedded.py in this process, remote.py at a
node. Each is loaded when it is connected to.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from eau2.catalog import Frame, Function
from eau2.config import byte_count
from eau2.dbapi import Cursor
from eau2.errors import (
    InterfaceError,
    NotSupportedError,
    UnknownTableError,
    UsageError,
)
from eau2.frames import source_of
from eau2.net.address import SCHEME, parse_addresses
from eau2.operators.function_form import as_kept
from eau2.operators.user_functions import UserFunction
from eau2.parameters import Parameters, numbered
from eau2.progress import Watch
from eau2.result import Batches
from eau2.result import Result as Result
from eau2.sql.split import split

if TYPE_CHECKING:
    from eau2.pipelines.pipeline import Pipeline
    from eau2.pipelines.workplace import Workplace


class Backend(Protocol):
    """Where a connection's work is done. timeout_s: after it, DeadlineError; None: no bound."""

    def run(self, text: str, parameters: Parameters | None, timeout_s: float | None) -> Result:
        """Run the statements in `text`; the last one's result."""

    def stream(self, text: str, parameters: Parameters | None, timeout_s: float | None) -> Batches:
        """The same, but the last statement runs while its rows are taken."""

    def register(self, name: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        """Keep a frame in memory for this connection, in place of what has that name."""

    def lend(self, name: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        """The same for the next statement only: what comes after does not depend on it."""

    def put(
        self,
        name: str,
        schema: pa.Schema,
        batches: Iterator[pa.RecordBatch],
        replace: bool,
        operation: str,
    ) -> None:
        """Store a frame: all of it or, after any failure, none."""

    def register_function(self, function: Function) -> None:
        """Keep a function for this connection, in place of what has that name."""

    def functions(self) -> tuple[str, ...]:
        """The names of all functions of users, sorted."""

    def drop(self, name: str) -> bool:
        """Drop a frame; False when there is none of that name."""

    def names(self) -> tuple[str, ...]:
        """The names of all frames and views, sorted."""

    def frame(self, name: str) -> Frame | None:
        """The frame of that name, or None."""

    def watch(self, watch: Watch | None) -> None:
        """Tell `watch` how far later statements are; None tells nobody."""

    def interruptible(self) -> None:
        """See to it that a kernel's work can be ended in its middle."""

    def cancel(self) -> bool:
        """Have the statement that runs end. Thread-safe.

        Gives whether it will; else an exception in the caller's thread is the way to end it.
        """

    def lost(self) -> bool:
        """Whether a node is lost and what the connection had there with it: every call fails."""

    def close(self) -> None:
        """Let go of everything."""


class Connection:
    """Frames by their names, and statements over them. Not for several threads at once."""

    def __init__(self, backend: Backend, timeout_s: float | None = None) -> None:
        """timeout_s: of statements that are given none of their own. See eau2.connect."""
        self._backend: Backend | None = backend
        self._timeout_s = timeout_s
        self._workplace: Workplace | None = None

    def sql(
        self,
        text: str,
        params: Parameters | Sequence[object] | None = None,
        *,
        timeout: float | None = None,
    ) -> Result:
        """Run the statements in `text`; the last one's result.

        params: a sequence for `?` and `$1`, a mapping for `$name` and `:name`. timeout: seconds
        after which the statement is given up; DeadlineError then.
        """
        return self._open().run(text, numbered(params), self._seconds(timeout))

    execute = sql

    def stream(
        self,
        text: str,
        params: Parameters | Sequence[object] | None = None,
        *,
        timeout: float | None = None,
    ) -> Batches:
        """As `sql`, but the rows come in batches, computed while they are taken.

        So a result may be larger than memory. At a node, read or close the batches before the
        connection is asked for anything else.
        """
        return self._open().stream(text, numbered(params), self._seconds(timeout))

    def explain(self, text: str) -> str:
        """How a query would run: its stages, as text. Raises UsageError for several statements."""
        statements, rest = split(text)
        if len(statements) + bool(rest.strip()) > 1:
            # EXPLAIN would be of the first one, and the others would run.
            raise UsageError("one statement is explained at a time", hint="Explain each by itself.")
        rows = self.sql(f"EXPLAIN {text}").fetchall()
        return "\n".join(line for (line,) in rows)

    def register(self, name: str, table: object) -> None:
        """Put `table` under `name` in memory, for this connection; a name may be registered anew.

        table: a pyarrow Table, RecordBatch or reader, or anything with `__arrow_c_stream__`.
        """
        backend = self._open()
        schema, batches = source_of(table)
        backend.register(name, schema, batches)

    def register_function(self, function: object) -> None:
        """Let statements of this connection call `function` by its name; it may be registered anew.

        function: what `eau2.function`, `eau2.aggregate` or `eau2.table_function` gives, or a
        definition. CREATE FUNCTION stores one for everybody. Raises ProgrammingError for the name
        of a function that eau2 has, UsageError, NotSupportedError.
        """
        definition = getattr(function, "definition", function)
        if not isinstance(definition, UserFunction):
            raise UsageError(
                f"{type(function).__name__} is no compiled function",
                hint="Decorate it with @eau2.function; a table is for register.",
            )
        source = str(getattr(function, "source", ""))
        self._open().register_function(as_kept(definition, source))

    def functions(self) -> tuple[str, ...]:
        """The names of all functions that users have defined, sorted."""
        return self._open().functions()

    def lend(self, name: str, table: object) -> None:
        """As `register`, but for the next statement only: later ones do not depend on it.

        So they can be asked at another node when this one is lost.
        """
        backend = self._open()
        schema, batches = source_of(table)
        backend.lend(name, schema, batches)

    def put(
        self,
        name: str,
        source: object,
        *,
        replace: bool = False,
        operation: str = "",
        order_by: str | Sequence[str] = (),
    ) -> None:
        """Store `source` under `name`: all of it, or after any failure none of it.

        source: a path, or several of one schema, a pyarrow Table or reader, or anything with
        `__arrow_c_stream__`. Files are read here, also for a node. operation: what you call this
        put, such as a uuid, so that you can ask for it again after an OutcomeUnknownError, at any
        node: if it was done, and nothing was written to the name since, it is not done twice. A
        store of this process knows every outcome, and looks at no operation. order_by: a column, or
        several, by which the rows are put in order first, in memory here: ascending, NULL last,
        equal ones as they come. Raises NameExistsError (not with `replace`), InputFileError,
        DiskFullError, StoreBusyError, UnknownColumnError.
        """
        backend = self._open()
        schema, batches = source_of(source)
        if order_by:
            from eau2.kv.ingest.sorting import in_order

            names = [order_by] if isinstance(order_by, str) else list(order_by)
            batches = in_order(schema, batches, names)
        backend.put(name, schema, batches, replace, operation)

    def get(self, name: str) -> Result:
        """The whole frame or view under `name`. Raises UnknownNameError."""
        backend = self._open()
        if backend.frame(name) is None and not _means_view(backend, name):
            raise _unknown(backend, name)
        return self.sql(f"SELECT * FROM {_quoted(name)}")

    def frame(self, name: str) -> Pipeline:
        """A pipeline that begins with all rows of a frame or view. Raises UnknownTableError."""
        backend = self._open()
        found = backend.frame(name)
        if found is not None:
            return self._pipeline(name, tuple(column.name for column in found.schema.columns))
        if not _means_view(backend, name):
            raise _unknown(backend, name)
        return self.query(f"SELECT * FROM {_quoted(name)}")

    def query(self, text: str) -> Pipeline:
        """A pipeline that begins with the rows of a query. Raises what is wrong with the query.

        Raises UsageError for several statements.
        """
        statements, rest = split(text)
        if len(statements) + bool(rest.strip()) != 1:
            raise UsageError("a pipeline begins with one query", hint="Run the others before it.")
        written = (statements[0] if statements else rest).strip().rstrip(";")
        described = self.sql(f"DESCRIBE SELECT * FROM ({written}\n)").fetchall()
        return self._pipeline(written, tuple(str(row[0]) for row in described), text=True)

    def drop(self, name: str) -> None:
        """Drop the frame under `name`. Raises UnknownNameError; a view is dropped by DROP VIEW."""
        backend = self._open()
        if not backend.drop(name):
            raise _unknown(backend, name)

    def tables(self) -> tuple[str, ...]:
        """The names of all frames and views, sorted."""
        return self._open().names()

    def describe(self, name: str) -> Frame:
        """The frame under `name`: its schema, chunks and statistics. Raises UnknownNameError."""
        backend = self._open()
        frame = backend.frame(name)
        if frame is None and _means_view(backend, name):
            raise UnknownTableError(
                f'"{name}" is a view, not a frame',
                hint=f"DESCRIBE {_quoted(name)} shows its columns.",
            )
        if frame is None:
            raise _unknown(backend, name)
        return frame

    def watch(self, watch: Watch | None) -> None:
        """Have `watch` told how far each statement is that runs from now on; None ends that.

        It is given a StageTally for each stage of the plan: chunks done of all, and their rows. It
        is called while the statement runs, by whichever thread, and should return at once.
        """
        self._open().watch(watch)

    def interruptible(self) -> None:
        """From now on, a statement can be ended in the middle of a kernel call.

        In this process, kernels over many rows then run in a process of their own, which is killed
        when it is to end. At a node it is always so.
        """
        self._open().interruptible()

    def cancel(self) -> bool:
        """Have the statement that runs end with CancelledError. Other threads may call this.

        Gives whether it will: without `interruptible`, what a kernel has begun runs to its end. At
        a node an exception in the caller's thread, like Ctrl-C, is the way: then it is False.
        """
        return self._open().cancel()

    @property
    def lost(self) -> bool:
        """Whether a node is lost, and settings, prepared statements or frames with it.

        Every statement fails then, and what helps is another connection.
        """
        return self._open().lost()

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
        """Close the store, or the way to the node. Using it afterwards raises InterfaceError."""
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self) -> Backend:
        if self._backend is None:
            raise InterfaceError("the connection is closed")
        return self._backend

    def _pipeline(self, source: str, columns: tuple[str, ...], *, text: bool = False) -> Pipeline:
        from eau2.pipelines.pipeline import Pipeline
        from eau2.pipelines.queries import of_name, of_text
        from eau2.pipelines.workplace import Workplace

        if self._workplace is None:
            self._workplace = Workplace(self)
        return Pipeline(self._workplace, (of_text if text else of_name)(source, columns))

    def _seconds(self, timeout: float | None) -> float | None:
        return self._timeout_s if timeout is None else _positive(timeout)


def connect(
    path: str | os.PathLike[str] | None = None,
    *,
    threads: int | None = None,
    memory: int | str | None = None,
    timeout: float | None = None,
    native_functions: str | Sequence[str] = (),
) -> Connection:
    """Open a store and an engine over it in this process, or connect to a node.

    path: the folder of the store, made when it is not there; None keeps all in memory;
    "eau2://host:port" is a node. Of "eau2://host:port,host:port" the first that can be reached is
    taken, and the next (or the only one again) when it is lost, unless settings, prepared
    statements or registered frames are lost with it; a statement that changes nothing and has given
    no row is asked again at the next.
    threads: of the kernels, fixed by their first use in the process; None takes all cores. memory:
    bytes (or "512MB") beyond which the kernels spill to disk. Both are not for nodes, which have
    their own. timeout: seconds after which a statement is given up, if it says nothing else.
    native_functions: modules of native functions, which statements of this process may call from
    then on; they run in it, with all its rights. Raises UsageError, StoreError,
    InterfaceError; UnreachableError, HandshakeError.
    """
    timeout_s = None if timeout is None else _positive(timeout)
    memory_bytes = byte_count(memory) if isinstance(memory, str) else memory
    for name, value in (("threads", threads), ("memory", memory_bytes)):
        if value is not None and value < 1:
            raise UsageError(f"{name} must be at least 1, not {value}")
    if isinstance(path, str) and path.startswith(SCHEME):
        if threads is not None or memory is not None:
            raise UsageError(
                "threads and memory are the node's own",
                hint="Give them to the node: eau2 node --threads N --memory SIZE.",
            )
        if native_functions:
            raise UsageError(
                "native functions are the node's own",
                hint="Give it the module: eau2 node --allow-native-functions MODULE.",
            )
        from eau2.remote import RemoteBackend

        return Connection(RemoteBackend(parse_addresses(path)), timeout_s)
    from eau2.embedded import EmbeddedBackend
    from eau2.native import modules_of

    folder = None if path is None else os.fspath(path)
    modules = modules_of(native_functions)
    return Connection(EmbeddedBackend(folder, threads, memory_bytes, modules), timeout_s)


def _positive(timeout: float) -> float:
    if not timeout > 0 or math.isinf(timeout):
        raise UsageError(f"a timeout is a number of seconds above 0, not {timeout}")
    return float(timeout)


def _means_view(backend: Backend, name: str) -> bool:
    """Whether a name that means no frame means a view."""
    return any(known.lower() == name.lower() for known in backend.names())


def _unknown(backend: Backend, name: str) -> UnknownTableError:
    known = ", ".join(backend.names()) or "none"
    return UnknownTableError(f'there is no table "{name}"', hint=f"Tables: {known}.")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
