"""Connections that .slt files run on: an engine, and how it is set up.

Owns: `Session` and `SESSIONS`, by name. Comes in: for those on nodes, where these listen. Another
way to run the same files is one more entry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import pyarrow as pa

import eau2


class Session(Protocol):
    """What a file needs of an engine."""

    def register(self, name: str, table: pa.Table) -> None:
        """Make the table known under a name."""

    def run(self, sql: str) -> pa.Table:
        """Run one statement; errors are raised."""

    def close(self) -> None:
        """Let everything go."""


class Embedded:
    """eau2 in this process, in memory."""

    def __init__(self, chunk_rows: int | None = None) -> None:
        self.connection = eau2.connect()
        if chunk_rows is not None:
            self.connection.execute(f"SET chunk_rows = {chunk_rows}")

    def register(self, name: str, table: pa.Table) -> None:
        self.connection.register(name, table)

    def run(self, sql: str) -> pa.Table:
        table: pa.Table = self.connection.sql(sql).to_arrow()
        return table

    def close(self) -> None:
        self.connection.close()


class Spread:
    """Nodes, over which the chunks of each table are spread: one node puts, another one is asked.

    The nodes must hold nothing else; at the end they hold nothing again.
    """

    def __init__(self, urls: Sequence[str], chunk_rows: int | None = None) -> None:
        """urls: where the nodes listen; the last one is asked."""
        self.putting = eau2.connect(urls[0])
        self.connection = eau2.connect(urls[-1])
        if chunk_rows is not None:
            self.putting.execute(f"SET chunk_rows = {chunk_rows}")

    def register(self, name: str, table: pa.Table) -> None:
        self.putting.put(name, table, replace=True)

    def run(self, sql: str) -> pa.Table:
        table: pa.Table = self.connection.sql(sql).to_arrow()
        return table

    def close(self) -> None:
        for name in self.putting.tables():
            kind = "TABLE" if has_frame(self.putting, name) else "VIEW"
            self.putting.execute(f'DROP {kind} "{name}"')
        self.putting.close()
        self.connection.close()


def has_frame(connection: eau2.Connection, name: str) -> bool:
    """Whether a name means a frame, and not a view."""
    try:
        return connection.describe(name) is not None
    except eau2.ProgrammingError:
        return False


SESSIONS: dict[str, Callable[[], Session]] = {
    "embedded": Embedded,
    "embedded, chunks of 2 rows": lambda: Embedded(2),
}
ON_NODES: dict[str, str] = {
    "three nodes in this process": "three_in_process",
    "three processes": "three_processes",
}
"""Kinds of nodes that files run on with chunks of 2 rows, and the fixtures that start them."""
