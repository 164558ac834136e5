"""Writers: what they ask of names, what they are told, and the rows that a frame must have.

Owns: the content of a frame as a function of its id, the threads that put, replace, append, drop
and read, and their record of each operation. Comes in: addresses of nodes; goes out: histories by
name, and rows that no content has. Does not know: who kills what.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

import eau2
from eau2.errors import (
    DeadlineError,
    Error,
    InterfaceError,
    InternalError,
    NameExistsError,
    OutcomeUnknownError,
    PeerLostError,
    UnknownNameError,
    UnreachableError,
)
from eau2.torture.history import Operation, Result

CHUNK_ROWS = 200
ROWS_MAX = 900
NAME_OPERATIONS = 40
"""After so many operations a name is left as it is, and another one begins: the search for an order
takes longer with each."""
_UNKNOWN = (OutcomeUnknownError, PeerLostError, DeadlineError)


def content(id_: int) -> pa.Table:
    """The rows of the put with that id."""
    rows = 1 + id_ * 2_654_435_761 % ROWS_MAX
    return pa.table(
        {
            "id": pa.array([id_] * rows, pa.int64()),
            "row": pa.array(range(rows), pa.int64()),
            "text": pa.array([f"{id_}: {row * (id_ + 7) % 9973}" for row in range(rows)]),
        }
    )


def appended(id_: int) -> pa.Table:
    """The row of the append with that id."""
    return pa.table(
        {
            "id": pa.array([id_], pa.int64()),
            "row": pa.array([-1], pa.int64()),
            "text": pa.array([f"{id_}: appended"]),
        }
    )


class WrongRowsError(Exception):
    """A frame holds rows that nobody has put there together."""


def read_value(table: pa.Table) -> tuple[int, ...]:
    """The ids of the put and of the appends that made these rows. Raises WrongRowsError."""
    if not table.num_rows:
        raise WrongRowsError("no rows")
    base = content(table["id"][0].as_py())
    rest = table.slice(base.num_rows)
    value = (table["id"][0].as_py(), *rest["id"].to_pylist())
    wanted = pa.concat_tables([base, *(appended(id_) for id_ in value[1:])])
    if not table.cast(wanted.schema).equals(wanted):
        raise WrongRowsError(f"{table.num_rows} rows are not those of {value}")
    return value


@dataclass
class Record:
    """What all writers have seen. For any number of threads."""

    histories: dict[str, list[Operation]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)
    puts: list[tuple[float, float]] = field(default_factory=list)
    """When the puts that succeeded began and ended."""
    wrong: list[str] = field(default_factory=list)
    longest_s: float = 0.0
    _guard: Any = field(default_factory=threading.Lock)

    def add(self, name: str, operation: Operation) -> None:
        with self._guard:
            self.histories[name].append(operation)
            self.counts[f"{operation.kind} {operation.result.name}"] += 1
            self.longest_s = max(self.longest_s, operation.end - operation.start)
            if operation.kind in ("put", "replace") and operation.result is Result.OK:
                self.puts.append((operation.start, operation.end))

    def is_wrong(self, what: str) -> None:
        with self._guard:
            self.wrong.append(what)


class Names:
    """The names that are written now; each is used up after a while."""

    def __init__(self, count: int) -> None:
        self._guard = threading.Lock()
        self._next = count
        self._left = {f"f{number}": NAME_OPERATIONS for number in range(count)}

    def take(self, choices: random.Random) -> str:
        """One of them."""
        with self._guard:
            name = choices.choice(list(self._left))
            self._left[name] -= 1
            if not self._left[name]:
                del self._left[name]
                self._left[f"f{self._next}"] = NAME_OPERATIONS
                self._next += 1
            return name

    def now(self) -> list[str]:
        """Those that are written now."""
        with self._guard:
            return sorted(self._left)


class Ids:
    """Ids that nobody else has."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._last = 0

    def new(self) -> int:
        with self._guard:
            self._last += 1
            return self._last


class Client:
    """One connection after another, to nodes at random, and what is asked over it."""

    def __init__(self, record: Record, ids: Ids, timeout_s: float) -> None:
        self.record = record
        self._ids = ids
        self._timeout_s = timeout_s
        self._connection: eau2.Connection | None = None

    def connect(self, url: str) -> None:
        """Ask this node from now on. Raises Error."""
        self.close()
        self._connection = eau2.connect(url, timeout=self._timeout_s)
        self._connection.execute(f"SET chunk_rows = {CHUNK_ROWS}")

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def do(self, kind: str, name: str) -> Result:
        """One operation and its outcome. What was found out is in the record."""
        connection = self._connection
        assert connection is not None
        id_ = self._ids.new()

        def append() -> None:
            connection.execute(f"INSERT INTO {name} VALUES ({id_}, -1, '{id_}: appended')")

        def drop() -> int:
            connection.drop(name)
            return 1

        work: dict[str, Callable[[], Hashable]] = {
            "put": lambda: connection.put(name, content(id_)),
            "replace": lambda: connection.put(name, content(id_), replace=True),
            "append": append,
            "drop": drop,
            "get": lambda: read_value(connection.sql(f"SELECT * FROM {name}").to_arrow()),
        }
        value: Hashable = {"put": (id_,), "replace": (id_,), "append": id_}.get(kind)
        start = time.monotonic()
        result = Result.OK
        try:
            found = work[kind]()
            value = found if kind in ("get", "drop") else value
        except UnknownNameError:
            # Of a get: nothing is there. Of a drop: it found nothing.
            result = Result.ABSENT if kind == "append" else Result.OK
            value = 0 if kind == "drop" else value
        except NameExistsError:
            result = Result.EXISTS
        except WrongRowsError as error:
            result = Result.FAILED
            self.record.is_wrong(f"{name}: {error}")
        except Error as error:
            result = self._failed(kind, error)
        self.record.add(name, Operation(kind, value, result, start, time.monotonic()))
        return result

    def _failed(self, kind: str, error: Error) -> Result:
        self.record.counts[f"error {type(error).__name__}"] += 1
        if isinstance(error, InternalError):
            self.record.is_wrong(f"{kind}: {error}")
        if isinstance(error, UnreachableError | PeerLostError | InterfaceError):
            self.close()
        return Result.UNKNOWN if isinstance(error, _UNKNOWN) else Result.FAILED


class Writer(threading.Thread):
    """Asks for something, again and again, until told to end."""

    def __init__(
        self,
        number: int,
        seed: int,
        record: Record,
        names: Names,
        ids: Ids,
        urls: Callable[[], Sequence[str]],
        timeout_s: float = 30.0,
    ) -> None:
        """urls: where nodes are that may be asked, not all of which need to be there."""
        super().__init__(name=f"writer {number}", daemon=True)
        self.ended = threading.Event()
        self.resting = threading.Event()
        """Set, the writer begins nothing; `idle` is set when it does nothing any more."""
        self.idle = threading.Event()
        self.failure: BaseException | None = None
        self._choices = random.Random(f"{seed} {number}")
        self._client = Client(record, ids, timeout_s)
        self._names = names
        self._urls = urls

    def run(self) -> None:
        try:
            while not self.ended.is_set():
                if self.resting.is_set():
                    self.idle.set()
                    self.ended.wait(0.02)
                else:
                    self.idle.clear()
                    self._step()
        except BaseException as error:
            self.failure = error
        finally:
            self._client.close()

    def _step(self) -> None:
        choices = self._choices
        if not self._client.connected or choices.random() < 0.05:
            try:
                self._client.connect(choices.choice(self._urls()))
            except (Error, OSError):
                self._client.close()
                self.ended.wait(0.05)
                return
        kinds = ("put", "replace", "append", "drop", "get")
        kind = choices.choices(kinds, (3, 2, 3, 1, 4))[0]
        self._client.do(kind, self._names.take(choices))
