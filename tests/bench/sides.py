"""The engines side by side: each holds the same tables and gives its answer as Arrow.

Owns: `Side` and those in this process, `Foreign` for one in a process of its own. Comes in:
Parquet files by the name of the table, statements. Goes out: Arrow tables. Does not know: what is
measured, or when.

eau2 forgets parsed texts and plans before each statement, since DuckDB keeps none; what it builds
beside the tables on its own is there before the first.
"""

from __future__ import annotations

import json
import subprocess
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, cast

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

import eau2
from eau2.embedded import EmbeddedBackend
from tests.bench.artefacts import settled
from tests.processes import ROOT

Paths = Mapping[str, Path]


class Side(Protocol):
    """An engine with tables."""

    def load(self, paths: Paths) -> None:
        """Take the tables in, into memory or into the side's own files."""

    def run(self, sql: str) -> object:
        """Answer a statement, the whole of it as Arrow. Raises whatever the engine raises."""

    def answer(self, sql: str) -> pa.Table:
        """The same; the rows come to this process also where the engine is elsewhere."""

    def close(self) -> None:
        """Let go of the tables."""


class Eau2:
    """eau2 with the tables put into a store: in memory, or in a folder."""

    def __init__(self, threads: int, folder: Path | None = None, off: Sequence[str] = ()) -> None:
        self.connection = eau2.connect(folder, threads=threads)
        for rule in off:
            self.connection.execute(f"SET optimizer.{rule} = off")

    def load(self, paths: Paths) -> None:
        for name, path in paths.items():
            self.connection.put(name, path)
        settled(self.connection)

    def forget(self) -> None:
        """Forget parsed texts and plans, so that the next statement is planned anew."""
        engine = cast(EmbeddedBackend, self.connection._open()).engine
        engine._parsed.clear()
        engine._prepared.clear()

    def run(self, sql: str) -> pa.Table:
        self.forget()
        return self.connection.sql(sql).to_arrow()

    answer = run

    def close(self) -> None:
        self.connection.close()


LARGE_ROWS = 10_000
"""From here on DuckDB gives Arrow quicker as a relation; below, what is bound twice shows."""


class DuckDb:
    """DuckDB's own tables: in memory, or in a file; `arrow`: the Parquet files as Arrow tables.

    A relation is bound when it is made and again when it runs, 0.6 ms for a query of TPC-H; a
    cursor's rows are copied once more. Each statement runs the way that is quicker for it.
    """

    def __init__(self, threads: int, file: Path | None = None, arrow: bool = False) -> None:
        self.connection = duckdb.connect(str(file or ":memory:"))
        self.connection.execute(f"SET threads = {threads}")
        self._arrow = arrow
        self._large: set[str] = set()

    def load(self, paths: Paths) -> None:
        for name, path in paths.items():
            if self._arrow:
                self.connection.register(name, pq.read_table(path))
            else:
                source = f"SELECT * FROM read_parquet('{path}')"
                self.connection.execute(f"CREATE TABLE {name} AS {source}")

    def run(self, sql: str) -> pa.Table:
        if sql in self._large:
            return self.connection.sql(sql).to_arrow_table()
        return quickly(self.connection, sql)

    def answer(self, sql: str) -> pa.Table:
        table = self.run(sql)
        if table.num_rows >= LARGE_ROWS:
            self._large.add(sql)
        return table

    def close(self) -> None:
        self.connection.close()


def quickly(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    """DuckDB's answer as Arrow, bound once; the copy that it warns of is a small one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return connection.execute(sql).to_arrow_reader().read_all()


class Polars:
    """Polars through its SQL, streaming, over frames in memory."""

    def __init__(self) -> None:
        self._context = pl.SQLContext()

    def load(self, paths: Paths) -> None:
        for name, path in paths.items():
            self._context.register(name, pl.read_parquet(path))

    def run(self, sql: str) -> pa.Table:
        frame = self._context.execute(sql, eager=False)
        return frame.collect(engine="streaming").to_arrow()

    answer = run

    def close(self) -> None:
        self._context.unregister(self._context.tables())


class ForeignError(Exception):
    """What an engine in another process said instead of an answer."""


class Foreign:
    """An engine in a process of another environment (foreign.py), asked by lines of JSON."""

    def __init__(self, python: Path, engine: str, threads: int, folder: Path) -> None:
        """folder: for answers that come here."""
        script = Path(__file__).with_name("foreign.py")
        self._folder = folder
        with (folder / f"{engine}.log").open("wb") as log:
            self._process = subprocess.Popen(
                [python, script, engine, str(threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT.parent,
                text=True,
            )
        self.version = self._ask({})

    def _ask(self, request: Mapping[str, object]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError as error:
            raise ForeignError("the process has ended") from error
        if not line:
            raise ForeignError("the process has ended")
        reply = json.loads(line)
        if "error" in reply:
            raise ForeignError(reply["error"])
        return str(reply["done"])

    def load(self, paths: Paths) -> None:
        self._ask({"load": {name: str(path) for name, path in paths.items()}})

    def run(self, sql: str) -> None:
        self._ask({"sql": sql})

    def answer(self, sql: str) -> pa.Table:
        path = self._folder / "answer.arrow"
        self._ask({"sql": sql, "into": str(path)})
        with pa.ipc.open_file(path) as reader:
            return reader.read_all()

    def close(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def first_line(error: BaseException) -> str:
    """What an error says, in one line that fits a table."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:120]}"
