"""Application: a program over a store, which `eau2 run` gives its key-value store.

Owns: what a program derives from, and the few operations by keys. Comes in: a connection. Goes out:
pipelines, results. Does not know: how a program is loaded (programs.py), how anything is computed.

The program itself runs where it was started. What runs on the nodes is what it asks for: queries
made of pipelines, and functions that were compiled when they were defined.
"""

from __future__ import annotations

from collections.abc import Sequence

from eau2.connection import Connection
from eau2.errors import UsageError
from eau2.parameters import Parameters
from eau2.pipelines.pipeline import Pipeline
from eau2.pipelines.workplace import TEMPORARY
from eau2.result import Result


class KeyValueStore:
    """Frames by their keys, which are the names that SQL calls them by."""

    def __init__(self, connection: Connection) -> None:
        """connection: to a store, or to a node of one."""
        self.connection = connection

    def put(
        self,
        key: str,
        source: object,
        *,
        replace: bool = False,
        order_by: str | Sequence[str] = (),
    ) -> Pipeline:
        """Store `source` under a key; all its rows. See Connection.put for what it may be.

        Raises NameExistsError (not with `replace`), InputFileError, DiskFullError, StoreBusyError,
        UnknownColumnError.
        """
        self.connection.put(key, source, replace=replace, order_by=order_by)
        return self.get(key)

    def get(self, key: str) -> Pipeline:
        """The rows under a key, as the beginning of a pipeline. Raises UnknownTableError."""
        return self.connection.frame(key)

    def query(self, text: str) -> Pipeline:
        """The rows of a query in SQL, as a pipeline begins with them. See Connection.query."""
        return self.connection.query(text)

    def compute(self, key: str, computation: Pipeline | str, *, replace: bool = False) -> Pipeline:
        """Run a pipeline, or a query in SQL, and store its rows under a key; all of them.

        The rows go from node to node, not by way of the program. Raises NameTakenError (not with
        `replace`), UsageError for anything else, and what the query raises.
        """
        if isinstance(computation, str):
            computation = self.query(computation)
        if not isinstance(computation, Pipeline):
            raise UsageError(
                f"a computation is a pipeline or a query, not {type(computation).__name__}",
                hint="What is there already is stored by put(key, source).",
            )
        return computation.put(key, replace=replace)

    def sql(self, text: str, params: Parameters | Sequence[object] | None = None) -> Result:
        """Run statements in SQL; the last one's result. See Connection.sql."""
        return self.connection.sql(text, params)

    def keys(self) -> tuple[str, ...]:
        """All keys, sorted: of frames and views, and not what pipelines keep for a while."""
        names = self.connection.tables()
        return tuple(name for name in names if not name.startswith(TEMPORARY))

    def drop(self, key: str) -> None:
        """Drop the frame under a key. Raises UnknownTableError."""
        self.connection.drop(key)


class Application:
    """A program: derive from it, write `run`, and start it with `eau2 run FILE`.

    arguments: what stands behind `--` on the command line.
    """

    arguments: tuple[str, ...] = ()

    def run(self, kv: KeyValueStore) -> None:
        """Do what the program is for."""
        raise NotImplementedError(f"{type(self).__name__} has no method run(self, kv)")
