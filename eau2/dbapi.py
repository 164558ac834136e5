"""PEP 249 cursors: execute a statement, fetch its rows as tuples.

Owns: `Cursor`, and the type objects and constructors that PEP 249 asks for. Comes in: something
that executes statements (a Connection). Goes out: rows as Python tuples. Does not know: how a
statement is run. A cursor knows the protocol `Executes` and not the Connection, so that the
Connection may hand cursors out and imports stay downward.
"""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Protocol, Self

from eau2.errors import InterfaceError, NotSupportedError
from eau2.types import INTEGER_RANGES, Kind, SqlType

Parameters = Sequence[object] | Mapping[str, object] | None
Column = tuple[str, SqlType, None, None, int | None, int | None, None]
"""PEP 249's seven: name, type_code, display_size, internal_size, precision, scale, null_ok."""


_WRITES: Final = re.compile(r"\s*(insert|create)\b", re.IGNORECASE)
"""Statements whose only row, if there is one, is the number of rows that they wrote."""


class Rows(Protocol):
    """What a cursor needs of a result."""

    @property
    def names(self) -> tuple[str, ...]:
        """The column names."""

    @property
    def types(self) -> tuple[SqlType, ...]:
        """The column types."""

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""


class Executes(Protocol):
    """What a cursor needs of a connection."""

    def execute(self, text: str, params: Any = None) -> Rows:
        """Run one statement."""


class TypeObject:
    """A PEP 249 type object: equal to every SqlType of its kinds, in `description` or elsewhere."""

    def __init__(self, name: str, *kinds: Kind) -> None:
        self.name = name
        self.kinds = frozenset(kinds)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SqlType):
            return other.kind in self.kinds
        return self is other

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"eau2.{self.name}"


STRING: Final = TypeObject("STRING", Kind.VARCHAR)
BINARY: Final = TypeObject("BINARY")
NUMBER: Final = TypeObject("NUMBER", *INTEGER_RANGES, Kind.FLOAT, Kind.DOUBLE, Kind.DECIMAL)
DATETIME: Final = TypeObject("DATETIME", Kind.DATE, Kind.TIMESTAMP, Kind.TIME, Kind.INTERVAL)
ROWID: Final = TypeObject("ROWID")

Date = datetime.date
Time = datetime.time
Timestamp = datetime.datetime
Binary = bytes


def DateFromTicks(ticks: float) -> datetime.date:  # noqa: N802 - the name is PEP 249's
    """The local date `ticks` seconds after 1970-01-01 00:00 UTC."""
    return datetime.date(*time.localtime(ticks)[:3])


def TimeFromTicks(ticks: float) -> datetime.time:  # noqa: N802 - the name is PEP 249's
    """The local time of day `ticks` seconds after 1970-01-01 00:00 UTC."""
    return datetime.time(*time.localtime(ticks)[3:6])


def TimestampFromTicks(ticks: float) -> datetime.datetime:  # noqa: N802 - the name is PEP 249's
    """The local time `ticks` seconds after 1970-01-01 00:00 UTC."""
    return datetime.datetime(*time.localtime(ticks)[:6])


class Cursor:
    """One statement at a time and a place in its rows. Made by `Connection.cursor()`."""

    def __init__(self, connection: Executes) -> None:
        self.arraysize = 1
        self._connection = connection
        self._result: Rows | None = None
        self._rows: list[tuple[Any, ...]] = []
        self._position = 0
        self._closed = False
        self._written: int | None = None

    @property
    def connection(self) -> Executes:
        """The connection that made this cursor."""
        return self._connection

    @property
    def description(self) -> list[Column] | None:
        """One 7-tuple for each column; None before a statement ran and when it had no columns.

        The type code is the column's SqlType, which equals the PEP 249 type object of its family.
        """
        if self._result is None or not self._result.names:
            return None
        return [
            (name, type_, None, None, type_.precision or None, _scale(type_), None)
            for name, type_ in zip(self._result.names, self._result.types, strict=True)
        ]

    @property
    def rowcount(self) -> int:
        """The number of rows that the last statement wrote, or gave; -1 when there are none."""
        if self._written is not None:
            return self._written
        return -1 if self._result is None or not self._result.names else len(self._rows)

    @property
    def rownumber(self) -> int | None:
        """The index of the row that is fetched next, None before a statement ran."""
        return None if self._result is None else self._position

    def execute(self, operation: str, parameters: Parameters = None) -> Self:
        """Run `operation`, its `?` filled from `parameters`. Returns the cursor itself.

        Raises the errors of Connection.execute.
        """
        self._check_open()
        self._result, self._rows, self._position, self._written = None, [], 0, None
        result = self._connection.execute(operation, parameters)
        self._rows = result.fetchall() if result.names else []
        self._result = result
        if _WRITES.match(operation) and tuple(result.names) == ("Count",):
            self._written = self._rows[0][0]
        return self

    def executemany(self, operation: str, seq_of_parameters: Iterable[Parameters]) -> None:
        """Run an INSERT once for each of the parameters; `rowcount` is then the sum.

        Each run is final when the next one begins. Many rows come faster by Connection.put, or as
        one INSERT. Raises NotSupportedError for statements that do not insert.
        """
        self._check_open()
        if not _WRITES.match(operation):
            raise NotSupportedError(
                "executemany is for INSERT", hint="Run a query with execute, once for each."
            )
        written = 0
        for parameters in seq_of_parameters:
            self.execute(operation, parameters)
            written += self.rowcount
        self._result, self._rows, self._position, self._written = None, [], 0, written

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row, or None after the last one."""
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next `size` rows (`arraysize` when not given), fewer at the end."""
        self._check_rows()
        count = self.arraysize if size is None else size
        if count < 0:
            raise InterfaceError(f"fetchmany needs a number of rows of at least 0, not {count}")
        rows = self._rows[self._position : self._position + count]
        self._position += len(rows)
        return rows

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that were not fetched yet."""
        self._check_rows()
        return self.fetchmany(len(self._rows) - self._position)

    def close(self) -> None:
        """Let the rows go. The cursor cannot be used afterwards; closing again does nothing."""
        self._closed = True
        self._result, self._rows = None, []

    def setinputsizes(self, sizes: Sequence[object]) -> None:
        """Does nothing, as PEP 249 allows."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Does nothing, as PEP 249 allows."""

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self

    def __next__(self) -> tuple[Any, ...]:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise InterfaceError("the cursor is closed")

    def _check_rows(self) -> None:
        self._check_open()
        if self._result is None or not self._result.names:
            raise InterfaceError("there are no rows to fetch: execute a query first")


def _scale(type_: SqlType) -> int | None:
    return type_.scale if type_.is_decimal else None
