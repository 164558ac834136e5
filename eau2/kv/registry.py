"""Which frame a name means: one compare-and-set register a name.

Owns: the `Registry` protocol, what a register holds, and its twins in sqlite and in memory.
A register goes from absent to PENDING (a put has begun) to LIVE (it is visible) to DROPPED (its
chunks are about to be deleted), or from PENDING to ABORTED; a LIVE one may carry the pending df_id
of its successor. A df_id is never used twice, so a register that has left a state never returns
to it.
Does not know: chunks, files, who may write.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import weakref
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import xxhash

from eau2.catalog import Function, View, function_of_register
from eau2.errors import (
    DiskFailedError,
    DiskFullError,
    NameExistsError,
    OperationalError,
    StoreBusyError,
    StoreError,
    UsageError,
)
from eau2.records import Record, replace

OPEN_AGAIN = (
    "Look at the disk, then open the store again: it takes up what is there, with or without the"
    " change that failed."
)

_NAME = re.compile(r"[A-Za-z0-9_./-]{1,200}")
_FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a frame. Raises UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:80]!r} cannot be the name of a frame",
            hint="A name has 1 to 200 of the characters A-Z a-z 0-9 _ . / -",
        )


def check_kept(named: View | Function) -> None:
    """Refuse a name that a view or a function cannot have. Raises UsageError."""
    if isinstance(named, View):
        check_name(named.name)
    else:
        check_function_name(named.name)


def check_function_name(name: str) -> None:
    """Refuse what cannot be the name of a function. Raises UsageError."""
    if not _FUNCTION_NAME.fullmatch(name):
        raise UsageError(
            f"{name[:80]!r} cannot be the name of a function",
            hint="A name has 1 to 128 of the characters A-Z a-z 0-9 _ and begins with no digit.",
        )


def described(register: str) -> str:
    """What a register is about, as messages say it."""
    function = function_of_register(register)
    return f'frame "{register}"' if function is None else f'function "{function}"'


def taken(register: str) -> NameExistsError:
    """The error for a name that means something already."""
    function = function_of_register(register)
    if function is not None:
        return NameExistsError(
            f'a function called "{function}" exists already',
            hint="Choose another name, drop it first, or replace it (CREATE OR REPLACE).",
        )
    return NameExistsError(
        f'a frame called "{register}" exists already',
        hint="Choose another name, drop it first, or replace it (--replace).",
    )


class State(StrEnum):
    """Where a name's register is on its way."""

    PENDING = "PENDING"
    LIVE = "LIVE"
    ABORTED = "ABORTED"
    DROPPED = "DROPPED"


class Entry(Record, frozen=True):
    """What a register holds. `name` is as it was put; registers ignore letter case.

    manifest: the checksum of the manifest of `df_id`, empty until LIVE. pending: the df_id of the
    put that will replace a LIVE frame, or None. revision: rises with every change made over the
    wire, so that a message that comes late never finds what it expects; 0 within one process.
    op: the operation that made what is LIVE or PENDING, as whoever asked for it calls it, so that
    it can ask again; pending_op: that of `pending`. Both empty if it has no name for it.
    """

    name: str
    state: State
    df_id: str
    version: int
    manifest: str = ""
    pending: str | None = None
    revision: int = 0
    op: str = ""
    pending_op: str = ""


class Registry(Protocol):
    """Compare-and-set registers by name. Every call is atomic; `cas` is durable when it returns."""

    def read(self, name: str) -> Entry | None:
        """What the register of `name` holds (letter case ignored), or None."""

    def cas(self, name: str, expect: Entry | None, value: Entry | None) -> bool:
        """Write `value` if the register holds exactly `expect`; says whether it did."""

    def list(self) -> tuple[Entry, ...]:
        """All registers that hold something, in the order of their folded names."""

    def epoch(self) -> int:
        """A number that changes whenever the LIVE frame of any name changes."""

    def close(self) -> None:
        """Give back what it holds."""


def _live(entry: Entry | None) -> str | None:
    return entry.df_id if entry is not None and entry.state is State.LIVE else None


class MemoryRegistry:
    """The registers of a store without a disk."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._epoch = 0
        self._lock = threading.Lock()

    def read(self, name: str) -> Entry | None:
        return self._entries.get(name.lower())

    def cas(self, name: str, expect: Entry | None, value: Entry | None) -> bool:
        with self._lock:
            if self._entries.get(name.lower()) != expect:
                return False
            if value is None:
                self._entries.pop(name.lower(), None)
            else:
                self._entries[name.lower()] = value
            if _live(expect) != _live(value):
                self._epoch += 1
            return True

    def list(self) -> tuple[Entry, ...]:
        with self._lock:
            return tuple(self._entries[name] for name in sorted(self._entries))

    def epoch(self) -> int:
        return self._epoch

    def close(self) -> None:
        """Nothing is held outside of memory."""


_TABLES = (
    "CREATE TABLE register (folded TEXT PRIMARY KEY, name TEXT NOT NULL, state TEXT NOT NULL,"
    " df_id TEXT NOT NULL, version INTEGER NOT NULL, manifest TEXT NOT NULL, pending TEXT,"
    " digest TEXT NOT NULL, revision INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID",
    "CREATE TABLE counter (epoch INTEGER NOT NULL)",
    "INSERT INTO counter VALUES (0)",
    "PRAGMA user_version = 2",
)
_FROM_VERSION_1 = (
    "ALTER TABLE register ADD COLUMN revision INTEGER NOT NULL DEFAULT 0",
    "PRAGMA user_version = 2",
)
_COLUMNS = "name, state, df_id, version, manifest, pending, digest, revision"
_Row = tuple[str, str, str, int, str, str | None, str, int]


class SqliteRegistry:
    """The registers in one sqlite file, shared by all processes that open the store.

    Write-ahead log, so that readers never wait for the writer; synchronous=FULL, so that a
    register that was written survives the loss of power.
    """

    def __init__(self, path: Path, wait_s: float) -> None:
        try:
            self._db = sqlite3.connect(
                path, timeout=wait_s, isolation_level=None, check_same_thread=False
            )
            # Also closed when nobody closed it and the last user is gone.
            weakref.finalize(self, self._db.close)
            self._lock = threading.Lock()
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._make_tables()
        except sqlite3.Error as error:
            raise _translated(error) from error

    def _make_tables(self) -> None:
        if self._db.execute("PRAGMA user_version").fetchone()[0] == 2:
            return
        self._db.execute("BEGIN IMMEDIATE")
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        for statement in {0: _TABLES, 1: _FROM_VERSION_1}.get(found, ()):
            self._db.execute(statement)
        self._db.execute("COMMIT")

    def read(self, name: str) -> Entry | None:
        try:
            with self._lock:
                return self._read(name)
        except sqlite3.Error as error:
            raise _translated(error) from error

    def _read(self, name: str) -> Entry | None:
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM register WHERE folded = ?", (name.lower(),)
        ).fetchall()
        return _entry(rows[0]) if rows else None

    def cas(self, name: str, expect: Entry | None, value: Entry | None) -> bool:
        try:
            with self._lock:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    done = self._swap(name, expect, value)
                    self._db.execute("COMMIT" if done else "ROLLBACK")
                finally:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                return done
        except sqlite3.Error as error:
            raise _translated(error) from error

    def _swap(self, name: str, expect: Entry | None, value: Entry | None) -> bool:
        if self._read(name) != expect:
            return False
        if value is None:
            self._db.execute("DELETE FROM register WHERE folded = ?", (name.lower(),))
        else:
            self._db.execute(
                "INSERT OR REPLACE INTO register VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (name.lower(), *_row(value)),
            )
        if _live(expect) != _live(value):
            self._db.execute("UPDATE counter SET epoch = epoch + 1")
        return True

    def list(self) -> tuple[Entry, ...]:
        try:
            with self._lock:
                rows = self._db.execute(
                    f"SELECT {_COLUMNS} FROM register ORDER BY folded"
                ).fetchall()
        except sqlite3.Error as error:
            raise _translated(error) from error
        return tuple(_entry(row) for row in rows)

    def epoch(self) -> int:
        try:
            with self._lock:
                number: int = self._db.execute("SELECT epoch FROM counter").fetchone()[0]
        except sqlite3.Error as error:
            raise _translated(error) from error
        return number

    def close(self) -> None:
        with self._lock:
            self._db.close()


def _row(entry: Entry) -> _Row:
    return (
        entry.name,
        entry.state.value,
        entry.df_id,
        entry.version,
        entry.manifest,
        entry.pending,
        _digest(entry),
        entry.revision,
    )


def _digest(entry: Entry) -> str:
    """Guards a row against bits that flip in the file, which sqlite does not notice."""
    parts = [entry.name, entry.state, entry.df_id, entry.version, entry.manifest, entry.pending]
    if entry.revision:
        parts.append(entry.revision)
    digest: str = xxhash.xxh3_64_hexdigest(repr(tuple(map(str, parts))).encode())
    return digest


def _entry(row: _Row) -> Entry:
    name, state, df_id, version, manifest, pending, digest, revision = row
    try:
        entry = Entry(name, State(state), df_id, version, manifest, pending, revision)
    except ValueError:
        entry = None
    if entry is None or _digest(entry) != digest:
        raise StoreError(
            f"the store's entry for the frame {name!r} is damaged",
            hint="Restore the store directory from a backup.",
        )
    return entry


def _translated(error: sqlite3.Error) -> OperationalError:
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_FULL:
        return DiskFullError("no room on the disk for the store's names; nothing was changed")
    if code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusyError(
            "another process is writing the store's list of names",
            hint="Try again when it has finished.",
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreError(
            f"the store's list of names is damaged ({error})",
            hint="Restore the store directory from a backup, or load its frames again.",
        )
    if code is not None and code & 0xFF in (
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    ):
        return StoreError(f"the store's list of names cannot be opened ({error})")
    if code is not None and code & 0xFF == sqlite3.SQLITE_IOERR:
        return DiskFailedError(
            f"the disk failed under the store's list of names ({error})", hint=OPEN_AGAIN
        )
    return OperationalError(f"the store's list of names failed ({error})")


def next_version(before: Entry | None) -> int:
    """The version that comes after what an entry says."""
    return 1 if before is None or before.state is not State.LIVE else before.version + 1


def reserved_for(name: str, before: Entry | None, df_id: str) -> Entry:
    """The register while the put `df_id` is under way; a LIVE frame stays visible meanwhile."""
    if before is not None and before.state is State.LIVE:
        return replace(before, pending=df_id)
    return Entry(name, State.PENDING, df_id, 1)
