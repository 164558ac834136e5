"""A connection's work done in this process: a store, its registered frames, an engine over both.

Owns: putting the parts together. Comes in: statements and sources; goes out: results. Does not
know: what a program sees of it (connection.py).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pyarrow as pa

from eau2.answer import Answer
from eau2.catalog import Frame, Function
from eau2.cluster import Cluster
from eau2.engine import Engine
from eau2.errors import UnknownNameError
from eau2.frames import LocalFrames
from eau2.function_statements import keep
from eau2.kernels.host import Cancel, KernelHost
from eau2.kernels.inline import InlineHost
from eau2.kv.store import Store
from eau2.native import NativeModules, load
from eau2.node import Node
from eau2.operators.physical import to_logical
from eau2.parameters import Parameters, check_texts
from eau2.progress import Watch
from eau2.result import Batches, Result
from eau2.settings import Settings
from eau2.sql.function_names import built_in


class EmbeddedBackend:
    """See connection.Backend."""

    def __init__(
        self,
        path: str | None,
        threads: int | None,
        memory_bytes: int | None,
        modules: tuple[str, ...] = (),
    ) -> None:
        """Open the store in folder `path` (None: in memory). modules: of native functions."""
        self._natives = NativeModules(modules)
        load(self._natives, taken=built_in())
        self.frames = LocalFrames(Store.open(path))
        self._wish = Cancel()
        self._threads = threads
        self._memory_bytes = memory_bytes
        self._host: KernelHost = InlineHost(threads, memory_bytes)
        self.cluster = Cluster(Node("local", self.frames, self._host))
        self.engine = Engine(self.frames, self.cluster, Settings(threads=threads))

    def run(self, text: str, parameters: Parameters | None, timeout_s: float | None) -> Result:
        """See Backend."""
        check_texts(parameters)
        answer = self.engine.run(text, parameters, self._begun(timeout_s))
        types = tuple([column.type for column in answer.columns])
        height = answer.rows.height if types else 0
        return Result(answer.names, types, height, lambda: _whole(answer))

    def stream(self, text: str, parameters: Parameters | None, timeout_s: float | None) -> Batches:
        """See Backend."""
        check_texts(parameters)
        answer = self.engine.stream(text, parameters, self._begun(timeout_s))
        types = tuple([column.type for column in answer.columns])
        return Batches(_tables(answer), lambda: types)

    def register(self, name: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        """See Backend."""
        rows = self.engine.settings.chunk_rows
        self.frames.registered.put(name, schema, batches, chunk_rows=rows, replace=True)

    def lend(self, name: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        """See Backend."""
        self.register(name, schema, batches)

    def put(
        self,
        name: str,
        schema: pa.Schema,
        batches: Iterator[pa.RecordBatch],
        replace: bool,
        operation: str,
    ) -> None:
        """See Backend."""
        rows = self.engine.settings.chunk_rows
        self.frames.stored.put(name, schema, batches, chunk_rows=rows, replace=replace)

    def register_function(self, function: Function) -> None:
        """See Backend."""
        keep(self.frames, True, function, True)

    def functions(self) -> tuple[str, ...]:
        """See Backend."""
        return self.frames.functions()

    def drop(self, name: str) -> bool:
        """See Backend."""
        quoted = name.replace('"', '""')
        try:
            self.engine.run(f'DROP TABLE "{quoted}"')
        except UnknownNameError:
            return False
        return True

    def names(self) -> tuple[str, ...]:
        """See Backend."""
        return self.frames.names()

    def frame(self, name: str) -> Frame | None:
        """See Backend."""
        return self.frames.frame(name)

    def watch(self, watch: Watch | None) -> None:
        """See Backend."""
        self.engine.watch = watch

    def interruptible(self) -> None:
        """See Backend. A kernel call inside this process would run to its end.

        Small ones still do, which is soon.
        """
        from eau2.kernels.mixed import MixedHost
        from eau2.kernels.subprocess import SubprocessHost
        from eau2.launch import most_of_memory

        if isinstance(self._host, InlineHost):
            memory_bytes = self._memory_bytes or most_of_memory()
            processes = SubprocessHost(self._threads, memory_bytes, natives=self._natives)
            self._host = MixedHost(self._host, processes)
            indexes = self.cluster.home.indexes
            self.cluster = Cluster(Node("local", self.frames, self._host, indexes))
            self.engine.moved(self.cluster)

    def cancel(self) -> bool:
        """See Backend."""
        self._wish.cancel()
        return True

    def lost(self) -> bool:
        """See Backend. There is no node to lose."""
        return False

    def close(self) -> None:
        """See Backend."""
        self.cluster.home.indexes.close()
        self.frames.close()
        self._host.close()

    def _begun(self, timeout_s: float | None) -> Cancel:
        """The wish that ends the statement that begins now."""
        self._wish = Cancel(timeout_s)
        return self._wish


def _whole(answer: Answer) -> pa.Table:
    return to_logical(answer.rows, answer.columns, answer.names)


def _tables(answer: Answer) -> Generator[pa.Table, None, None]:
    """The answer's batches as users see them; closing this ends the query."""
    try:
        if not answer.columns:
            yield pa.table({})
            return
        for rows in answer.batches:
            yield to_logical(rows, answer.columns, answer.names)
    finally:
        answer.batches.close()
