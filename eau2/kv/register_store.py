"""What a voter keeps of each register: what it has promised, and what it has accepted.

Owns: the `RegisterStore` protocol, and its twins in sqlite and in memory. Comes in: cells by key;
goes out: the same, once they are durable, or an error that says that this voter must not vote.
Does not know: why a cell changes (eau2.kv.acceptor), and what the bytes of a value mean.

A voter that forgets what it has promised or accepted breaks the registers of the whole store. So
whatever is lost or damaged here is found: each row has a checksum, the rows together have one (the
fingerprint), and beside the file lies a mark of how often it was written: when sqlite meets a
damaged page of its log, it takes it for the end of the log, and says nothing.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import struct
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import xxhash

from eau2.errors import DiskFailedError, DiskFullError, OperationalError, StoreError
from eau2.kv.chunk import disk_error, is_full
from eau2.records import Record


class Ballot(NamedTuple):
    """A number that no two proposals share: `proposer` is an id for one life of one process."""

    counter: int
    proposer: str


NEVER = Ballot(0, "")
"""Lower than every ballot that is drawn."""


class Cell(Record, frozen=True):
    """One register of one voter. value: that of `accepted`; b"" if nothing was ever written."""

    promised: Ballot = NEVER
    accepted: Ballot = NEVER
    value: bytes = b""


EMPTY = Cell()

Page = tuple[tuple[tuple[str, Cell], ...], bool]


class RegisterStore(Protocol):
    """Cells by key. For one voter, which changes one batch of cells after the other."""

    def read(self, key: str) -> Cell:
        """The cell of `key` as it is on the disk; EMPTY if there is none."""

    def write(self, cells: Sequence[tuple[str, Cell]]) -> None:
        """Keep all of these cells, or none; durable when it returns."""

    def page(self, after: str, at_most: int) -> Page:
        """Cells in the order of their keys, after `after`, and whether there are more."""

    def fingerprint(self) -> int:
        """A number made of which ballot is accepted for each key. From any thread.

        It is 0 when nothing is accepted. Ballots only rise, so a number that was left never comes
        back, but for a chance of 1 in 2**63.
        """

    def close(self) -> None:
        """Give back what it holds."""


def mark_of(key: str, accepted: Ballot) -> int:
    """What the ballot that is accepted for a key adds to the fingerprint, by exclusive or."""
    if accepted == NEVER:
        return 0
    mark: int = xxhash.xxh3_64_intdigest(f"{accepted[0]} {accepted[1]} {key}".encode())
    return mark >> 1


class MemoryRegisterStore:
    """The cells of a voter without a disk."""

    def __init__(self) -> None:
        self._cells: dict[str, Cell] = {}
        self._fingerprint = 0

    def read(self, key: str) -> Cell:
        return self._cells.get(key, EMPTY)

    def write(self, cells: Sequence[tuple[str, Cell]]) -> None:
        for key, cell in cells:
            before = self._cells.get(key, EMPTY)
            if before.accepted != cell.accepted:
                self._fingerprint ^= mark_of(key, before.accepted) ^ mark_of(key, cell.accepted)
            self._cells[key] = cell

    def page(self, after: str, at_most: int) -> Page:
        keys = sorted(key for key in self._cells if key > after)
        return tuple((key, self._cells[key]) for key in keys[:at_most]), len(keys) > at_most

    def fingerprint(self) -> int:
        return self._fingerprint

    def close(self) -> None:
        """Nothing is held outside of memory."""


_VERSION = 1
_TABLES = (
    "CREATE TABLE cell (key BLOB PRIMARY KEY, promised INTEGER NOT NULL, promiser TEXT NOT NULL,"
    " accepted INTEGER NOT NULL, accepter TEXT NOT NULL, value BLOB NOT NULL,"
    " digest INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE total (writes INTEGER NOT NULL, fingerprint INTEGER NOT NULL)",
    "INSERT INTO total VALUES (0, 0)",
    f"PRAGMA user_version = {_VERSION}",
)
_COLUMNS = "key, promised, promiser, accepted, accepter, value, digest"
_FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""What sqlite's module raises; the second one when a damaged name stands in sqlite's message."""
_Row = tuple[bytes, int, str, int, str, bytes, int]
_MARK = struct.Struct("<QQ")
MARK_SUFFIX = "-mark"
"""The file with the mark is named as that of the registers, with this behind it."""


class SqliteRegisterStore:
    """The cells of a voter in one sqlite file, for one process at a time.

    Write-ahead log, synchronous=FULL: what was written survives the loss of power. All errors are
    OperationalError: DiskFullError when nothing was changed and reading goes on; StoreError when
    the file is damaged, DiskFailedError when the disk failed; every later call raises it again.
    """

    def __init__(self, path: Path, *, make: bool = False) -> None:
        """Open the file, all of which is checked; `make`: it may be missing or without tables."""
        self._path = path
        self._lock = threading.Lock()
        self._failure: OperationalError | None = None
        self._mark = -1
        if not make and not path.exists():
            raise self._damaged("it is missing")
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            # Also closed when nobody closed it and the last user is gone.
            weakref.finalize(self, self._db.close)
            try:
                self._open(make)
            except BaseException:
                self._db.close()
                raise
        except _FAILURES as error:
            raise self._translated(error) from error
        except OSError as error:
            if error.errno == errno.EIO:
                raise self._disk_failed(str(error)) from error
            if is_full(error):
                raise disk_error(error, f"making the registers {path}") from error
            raise self._damaged(str(error)) from error

    def _open(self, make: bool) -> None:
        # Exclusive: there is no index of the log in shared memory that could be damaged too.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        mark = Path(f"{self._path}{MARK_SUFFIX}")
        if found == 0 and make:
            with mark.open("wb") as file:
                file.write(_marked(0))
                file.flush()
                os.fsync(file.fileno())
            self._make_tables()
        elif found != _VERSION:
            raise self._damaged(f"its version is {found}, not {_VERSION}")
        self._mark = os.open(mark, os.O_RDWR | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._mark)
        self._writes, self._fingerprint = self._check()

    def _make_tables(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        for statement in _TABLES:
            self._db.execute(statement)
        self._db.execute("COMMIT")

    def _check(self) -> tuple[int, int]:
        """Look at every page and row; how often it was written, and the fingerprint."""
        said = self._db.execute("PRAGMA integrity_check").fetchall()
        if said != [("ok",)]:
            raise self._damaged(str(said[0][0]))
        fingerprint = 0
        for row in self._db.execute(f"SELECT {_COLUMNS} FROM cell"):
            key, cell = self._cell(row)
            fingerprint ^= mark_of(key, cell.accepted)
        totals = self._db.execute("SELECT writes, fingerprint FROM total").fetchall()
        if len(totals) != 1 or totals[0][1] != fingerprint:
            raise self._damaged("its rows are not those that were written")
        writes: int = totals[0][0]
        mark = os.pread(self._mark, 100, 0)
        at_least = int.from_bytes(mark[:8], "little")
        if mark != _marked(at_least):
            raise self._damaged(f"its mark ({self._path.name}{MARK_SUFFIX}) cannot be read")
        if writes < at_least:
            raise self._damaged(f"the last {at_least - writes} of its writes are missing")
        return writes, fingerprint

    def read(self, key: str) -> Cell:
        with self._lock:
            return self._read(key)

    def _read(self, key: str) -> Cell:
        rows = self._rows("WHERE key = ?", (key.encode(),))
        return self._cell(rows[0])[1] if rows else EMPTY

    def write(self, cells: Sequence[tuple[str, Cell]]) -> None:
        with self._lock:
            fingerprint = self._fingerprint
            for key, cell in dict(cells).items():
                fingerprint ^= mark_of(key, self._read(key).accepted)
                fingerprint ^= mark_of(key, cell.accepted)
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    self._db.executemany(
                        "INSERT OR REPLACE INTO cell VALUES (?, ?, ?, ?, ?, ?, ?)",
                        [_row(key, cell) for key, cell in cells],
                    )
                    self._db.execute(
                        "UPDATE total SET writes = ?, fingerprint = ?",
                        (self._writes + 1, fingerprint),
                    )
                    self._db.execute("COMMIT")
                finally:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                self._writes += 1
                self._fingerprint = fingerprint
                self._write_mark()
            except _FAILURES as error:
                raise self._translated(error) from error

    def _write_mark(self) -> None:
        try:
            os.pwrite(self._mark, _marked(self._writes), 0)
        except OSError as error:
            # A mark that is too low says less, and nothing wrong.
            if not is_full(error):
                raise self._disk_failed(f"its mark cannot be written: {error}") from error

    def page(self, after: str, at_most: int) -> Page:
        with self._lock:
            where = "WHERE key > ? ORDER BY key LIMIT ?"
            rows = self._rows(where, (after.encode(), at_most + 1))
            return tuple(self._cell(row) for row in rows[:at_most]), len(rows) > at_most

    def fingerprint(self) -> int:
        if self._failure is not None:
            raise self._failure
        return self._fingerprint

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _rows(self, where: str, values: tuple[bytes | int, ...]) -> list[_Row]:
        if self._failure is not None:
            raise self._failure
        try:
            return self._db.execute(f"SELECT {_COLUMNS} FROM cell {where}", values).fetchall()
        except _FAILURES as error:
            raise self._translated(error) from error

    def _cell(self, row: _Row) -> tuple[str, Cell]:
        key, promised, promiser, accepted, accepter, value, digest = row
        if digest != _digest(row[:-1]):
            raise self._damaged("a row is not as it was written")
        return key.decode(), Cell(Ballot(promised, promiser), Ballot(accepted, accepter), value)

    def _damaged(self, why: str) -> OperationalError:
        return self._failed(f"they are damaged: {why}")

    def _failed(self, why: str) -> OperationalError:
        """What is raised now and by every later call: nothing here can be relied on any more."""
        self._failure = StoreError(
            f"the registers in {self._path} cannot be used; {why}",
            hint="This node must not vote with them. Restore the very last state of the directory,"
            " or replace this voter by a node with an empty directory.",
        )
        return self._failure

    def _translated(self, error: sqlite3.Error | UnicodeDecodeError) -> OperationalError:
        if isinstance(error, UnicodeDecodeError):
            return self._damaged(f"sqlite speaks of what is no text ({error.object!r})")
        code = getattr(error, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_FULL:
            return DiskFullError("no room on the disk for the registers; nothing was changed")
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return self._damaged(str(error))
        if code is not None and code & 0xFF == sqlite3.SQLITE_IOERR:
            return self._disk_failed(str(error))
        return self._failed(f"the disk failed: {error}")

    def _disk_failed(self, why: str) -> OperationalError:
        """Whether the last write is on the disk is known when the file is opened anew."""
        self._failure = DiskFailedError(
            f"the registers in {self._path} cannot be used; the disk failed: {why}",
            hint="Look at the disk, then start the node again.",
        )
        return self._failure


def _row(key: str, cell: Cell) -> _Row:
    row = (key.encode(), *cell.promised, *cell.accepted, cell.value)
    return (*row, _digest(row))


def _digest(row: tuple[bytes, int, str, int, str, bytes]) -> int:
    """Guards a row against bits that flip in the file, which sqlite does not notice."""
    digest: int = xxhash.xxh3_64_intdigest(repr(row).encode())
    return digest >> 1


def _marked(writes: int) -> bytes:
    return _MARK.pack(writes, xxhash.xxh3_64_intdigest(writes.to_bytes(8, "little")))
