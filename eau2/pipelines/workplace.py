"""What a connection keeps for pipelines: the functions that it was told, and temporary frames.

Owns: running queries over it, and when a temporary frame is dropped. Comes in: queries. Goes out:
results. Does not know: what a query computes, where it runs.

A temporary frame is held by the queries that read it. When the last of them is let go of, it is
dropped before the next query runs: not at once, since collecting garbage may be any thread's work,
and a connection is not for several threads.
"""

from __future__ import annotations

import uuid
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from eau2.errors import Error
from eau2.pipelines.calls import Named, quoted
from eau2.pipelines.queries import Query, of_name
from eau2.records import replace
from eau2.result import Batches, Result

TEMPORARY = "eau2.temporary."
"""What the names of temporary frames begin with."""


class Runs(Protocol):
    """What runs queries: a connection."""

    def sql(self, text: str) -> Result:
        """Run a statement."""

    def stream(self, text: str) -> Batches:
        """Run a statement while its rows are taken."""

    def register_function(self, function: Named) -> None:
        """Have statements know a function."""


class _Held:
    """What holds a temporary frame, as long as something holds it."""

    def __init__(self, name: str, dropped: deque[str]) -> None:
        weakref.finalize(self, dropped.append, name).atexit = False


class Workplace:
    """A connection as pipelines use it."""

    def __init__(self, connection: Runs) -> None:
        self._connection = connection
        self._told: set[str] = set()
        self._dropped: deque[str] = deque()

    def run(self, query: Query) -> Result:
        """All rows of a query. Raises what the statement raises."""
        return self._asked("", query)

    def stream(self, query: Query) -> Batches:
        """The rows of a query as they are computed."""
        self._prepare(query)
        with _named(query):
            return self._connection.stream(query.text)

    def explain(self, query: Query, *, analyze: bool) -> str:
        """How a query would run; or, run by `analyze`, how it did."""
        before = "EXPLAIN ANALYZE " if analyze else "EXPLAIN "
        return "\n".join(line for (line,) in self._asked(before, query).fetchall())

    def types(self, query: Query) -> dict[str, str]:
        """The columns' types by their names, as SQL writes them."""
        rows = self._asked("DESCRIBE ", query).fetchall()
        return {str(row[0]): str(row[1]) for row in rows}

    def put(self, query: Query, name: str, *, instead: bool) -> Query:
        """Compute a query and store its rows; all rows of what is stored.

        instead: in place of a frame of that name.
        """
        verb = "CREATE OR REPLACE TABLE" if instead else "CREATE TABLE"
        self._asked(f"{verb} {quoted(name)} AS ", query)
        return of_name(name, query.columns)

    def kept(self, query: Query) -> Query:
        """Compute a query and keep its rows for as long as a query reads them."""
        name = TEMPORARY + uuid.uuid4().hex
        self._asked(f"CREATE TEMP TABLE {quoted(name)} AS ", query)
        return replace(of_name(name, query.columns), held=(_Held(name, self._dropped),))

    def _asked(self, before: str, query: Query) -> Result:
        """What a statement gives whose end is the query."""
        self._prepare(query)
        with _named(query):
            return self._connection.sql(before + query.text)

    def _prepare(self, query: Query) -> None:
        while self._dropped:
            self._connection.sql(f"DROP TABLE IF EXISTS {quoted(self._dropped.popleft())}")
        for function in query.functions:
            if function.definition.name not in self._told:
                self._connection.register_function(function)
                self._told.add(function.definition.name)


@contextmanager
def _named(query: Query) -> Iterator[None]:
    """See to it that errors call functions as the program does."""
    try:
        yield
    except Error as error:
        for function in query.functions:
            unique = function.definition.name
            error.message = error.message.replace(unique, function.name)
            error.hint = error.hint and error.hint.replace(unique, function.name)
        raise
