"""Connections that .slt files run on: an engine, and how it is set up.

Owns: `Session` and `SESSIONS`, by name. Another way to run the same files (several nodes, real
processes) is one more entry.
"""

from __future__ import annotations

from collections.abc import Callable
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


SESSIONS: dict[str, Callable[[], Session]] = {
    "embedded": Embedded,
    "embedded, chunks of 2 rows": lambda: Embedded(2),
}
