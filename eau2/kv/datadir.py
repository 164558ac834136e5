"""A node's data directory: who the node is, who is in the ring, and that one node alone uses it.

Owns: its format, its lock, the files `identity` and `ring`, and where registers and chunks lie.
Comes in: a path; goes out: what is kept there, or a StoreError that says what is wrong with it.
Does not know: how a node comes into a ring, what chunks are.

A directory is *settled* once the node belongs to a store. What belongs to it is durable before:
first the registers (of a voter), then the ring, then the identity that names the store. A crash in
between leaves a directory that is not settled, and keeps its id.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import xxhash
from msgspec import to_builtins

from eau2.errors import DiskFailedError, DiskFullError, OperationalError, StoreError
from eau2.kv.chunk import disk_error, is_full, sync_directory
from eau2.kv.register_store import RegisterStore, SqliteRegisterStore
from eau2.kv.room import Ballast, GuardedRegisters
from eau2.net.ring_message import Member, Ring
from eau2.records import Record
from eau2.world import DiskWatch, SystemIds

T = TypeVar("T")

FORMAT = "eau2 node 2\n"
_FORMAT_FILE = "FORMAT"
_IDENTITY_FILE = "identity"
_RING_FILE = "ring"
_REGISTERS_FILE = "registers.sqlite"
_CHUNKS = "chunks"
_LOCK_FILE = "lock"
_BALLAST_FILE = "ballast"
_OURS = (
    *(_FORMAT_FILE, _IDENTITY_FILE, _RING_FILE, _REGISTERS_FILE),
    *(_CHUNKS, _LOCK_FILE, _BALLAST_FILE),
)
_IDS = SystemIds()
_ID = re.compile(r"[0-9a-f]{32}")


class Identity(Record, frozen=True):
    """id: of the directory, for ever. name and store_id are empty until it is settled."""

    id: str
    name: str = ""
    store_id: str = ""


class DataDirectory:
    """The open directory of one node. `close` it."""

    def __init__(
        self, root: Path, lock: int, identity: Identity, ring: Ring | None, watch: DiskWatch
    ) -> None:
        """Use `open`."""
        self.root = root
        self.identity = identity
        self.ring = ring
        self.ballast = Ballast(root / _BALLAST_FILE)
        self._watch = watch
        self._release = weakref.finalize(self, os.close, lock)
        self._delete: weakref.finalize[Any, Any] | None = None

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] | None,
        new_id: Callable[[], str] = _IDS.new,
        watch: DiskWatch | None = None,
    ) -> DataDirectory:
        """The directory at `path`, made if there is none; None is a temporary one.

        new_id: names a directory that has no id yet. watch: is told when the disk fails. A
        temporary directory is deleted when it is closed. Raises StoreError when it is in use by
        another node, is not a node's, or is damaged.
        """
        root = Path(tempfile.mkdtemp(prefix="eau2-node-") if path is None else path)
        try:
            opened = _open(cls, root, new_id, watch or DiskWatch())
            opened.ballast.take()
        except BaseException:
            if path is None:
                shutil.rmtree(root, ignore_errors=True)
            raise
        if path is None:
            opened._delete = weakref.finalize(opened, shutil.rmtree, root, True)
        return opened

    @property
    def settled(self) -> bool:
        """Whether the node belongs to a store."""
        return bool(self.identity.store_id)

    @property
    def chunks(self) -> Path:
        """Where the node's chunks lie."""
        return self.root / _CHUNKS

    def settle(self, name: str, ring: Ring) -> None:
        """Belong to the ring's store from now on, as the node `name`. Durable when it returns.

        Raises StoreError, DiskFullError, OperationalError.
        """
        self._keep_ring(name, ring)
        identity = Identity(self.identity.id, name, ring.store_id)
        self._keep(_IDENTITY_FILE, to_builtins(identity))
        self.identity = identity

    def keep_ring(self, ring: Ring) -> None:
        """Remember the ring. Durable when it returns.

        A node that becomes a voter by it gets its registers, empty, once for ever. Raises
        StoreError, DiskFullError, OperationalError.
        """
        self._keep_ring(self.identity.name, ring)

    def _keep_ring(self, name: str, ring: Ring) -> None:
        if name in ring.voters and (self.ring is None or name not in self.ring.voters):
            self._registers(make=True).close()
            self._do(lambda: _sync(self.root, self._watch), "storing the registers")
        self._keep(_RING_FILE, to_builtins(ring))
        self.ring = ring

    def registers(self) -> RegisterStore:
        """The registers that this node keeps as a voter; the caller closes them.

        Raises StoreError when they are gone or damaged: a voter that has forgotten something must
        not vote.
        """
        return GuardedRegisters(self._registers(), self.ballast, self._watch)

    def close(self) -> None:
        """Let another node use the directory; a temporary one is deleted."""
        if self._delete is not None:
            self._delete()
        self._release()

    def _registers(self, make: bool = False) -> SqliteRegisterStore:
        try:
            return SqliteRegisterStore(self.root / _REGISTERS_FILE, make=make)
        except DiskFailedError as error:
            self._watch.fail(error.message)
            raise

    def _keep(self, name: str, plain: dict[str, Any]) -> None:
        def work() -> None:
            _write(self.root / name, _encoded(plain), self._watch)

        try:
            self._do(work, f"storing the {name}")
        except DiskFullError:
            if not self.ballast.give():
                raise
            self._do(work, f"storing the {name}")

    def _do(self, work: Callable[[], None], doing: str) -> None:
        try:
            work()
        except OSError as error:
            raise disk_error(error, f"{doing} of the node in {self.root}") from error


def _open(
    cls: type[DataDirectory], root: Path, new_id: Callable[[], str], watch: DiskWatch
) -> DataDirectory:
    try:
        root.mkdir(parents=True, exist_ok=True)
        _check_format(root)
        lock = _lock(root)
        try:
            if not _check_format(root):
                _make(root, new_id, watch)
            identity = _kept(root, _IDENTITY_FILE, _identity)
            ring = _kept(root, _RING_FILE, _ring) if identity.store_id else None
            _check_ring(root, identity, ring)
            return cls(root, lock, identity, ring, watch)
        except BaseException:
            os.close(lock)
            raise
    except OSError as error:
        if is_full(error):
            raise disk_error(error, f"making the node's directory {root}") from error
        reason = error.strerror or str(error)
        raise StoreError(f"the node's directory {root} cannot be opened: {reason}") from error


def _check_format(root: Path) -> bool:
    """Whether `root` is a node's directory; False when it is to become one. Raises StoreError."""
    mark = root / _FORMAT_FILE
    found = mark.read_text("utf-8", "replace") if mark.exists() else None
    if found == FORMAT:
        return True
    if found is None:
        strange = sorted(e.name for e in root.iterdir() if not e.name.startswith(_OURS))
        if not strange and (root / _CHUNKS).is_dir():
            strange = sorted(f"{_CHUNKS}/{entry.name}" for entry in (root / _CHUNKS).iterdir())
        if not strange:
            return False
        raise StoreError(
            f"{root} is not a node's directory: it holds {strange[0]!r} and no {_FORMAT_FILE} file",
            hint="Name an empty directory, or one that a node made.",
        )
    if found.startswith("eau2 store "):
        raise StoreError(
            f"{root} is a store for use within one process, not a node's directory",
            hint="Start the node on another directory and load the frames there.",
        )
    if found == "eau2 node 1\n":
        raise StoreError(
            f"{root} was made by an older eau2, whose registers of names this one cannot read",
            hint="Start the older eau2 on it, and load its frames into a new store.",
        )
    raise StoreError(
        f"{root} has the format {found.strip()[:40]!r}, which this eau2 cannot read",
        hint="Use the version of eau2 that made it.",
    )


def _make(root: Path, new_id: Callable[[], str], watch: DiskWatch) -> None:
    """Make a node's directory. Its format is written last, so a crash leaves one to be made."""
    (root / _CHUNKS).mkdir(exist_ok=True)
    if not (root / _IDENTITY_FILE).exists():
        _write(root / _IDENTITY_FILE, _encoded(to_builtins(Identity(new_id()))), watch)
    _write(root / _FORMAT_FILE, FORMAT.encode(), watch)
    _sync(root.parent, watch)


def _lock(root: Path) -> int:
    """Lock the directory for this node, as long as the process lives or until it is closed."""
    fd = os.open(root / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"process {os.getpid()}\n".encode(), 0)
    except BlockingIOError:
        holder = os.pread(fd, 100, 0).decode("utf-8", "replace").strip() or "another process"
        os.close(fd)
        raise StoreError(
            f"another node runs on the directory {root} ({holder})",
            hint="Stop it first, or give this node a directory of its own (--data).",
        ) from None
    except BaseException:
        os.close(fd)
        raise
    return fd


def _check_ring(root: Path, identity: Identity, ring: Ring | None) -> None:
    if ring is None:
        return
    ours = [member.name for member in ring.members if member.id == identity.id]
    if ring.store_id != identity.store_id or ours != [identity.name]:
        raise _damaged(root, f"{_RING_FILE} is not of the store that {_IDENTITY_FILE} names")


def _write(path: Path, data: bytes, watch: DiskWatch) -> None:
    """Make `data` the durable content of a file: all of it, or what was there before."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb", buffering=0) as file:
        with watch.writing(path):
            view = memoryview(data)
            while len(view):
                view = view[file.write(view) :]
        with watch.writing(path, syncing=True):
            os.fsync(file.fileno())
    with watch.writing(path):
        temporary.rename(path)
    _sync(path.parent, watch)


def _sync(folder: Path, watch: DiskWatch) -> None:
    with watch.writing(folder, syncing=True):
        sync_directory(folder)


def _encoded(plain: dict[str, Any]) -> bytes:
    """A line of JSON, and below it its checksum."""
    line = json.dumps(plain)
    return f"{line}\n{xxhash.xxh3_64_hexdigest(line.encode())}\n".encode()


def _kept(root: Path, name: str, read: Callable[[Any], T]) -> T:
    try:
        line, _, digest = (root / name).read_text("utf-8").partition("\n")
        if xxhash.xxh3_64_hexdigest(line.encode()) != digest.strip():
            raise ValueError("its checksum differs from the one written")
        return read(json.loads(line))
    except FileNotFoundError as error:
        raise _damaged(root, f"{name} is missing") from error
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(root, f"{name} cannot be read ({error})") from error


def _identity(plain: dict[str, Any]) -> Identity:
    identity = Identity(**plain)
    if not _ID.fullmatch(identity.id) or bool(identity.name) != bool(identity.store_id):
        raise ValueError("it names no node")
    return identity


def _ring(plain: dict[str, Any]) -> Ring:
    members = tuple(Member(**member) for member in plain["members"])
    voters = tuple(plain["voters"])
    return Ring(plain["store_id"], plain["epoch"], members, voters, plain["voters_wanted"])


def _damaged(root: Path, why: str) -> OperationalError:
    return StoreError(
        f"the node's directory {root} is damaged: {why}",
        hint="Restore it from a backup, or let the node join anew with an empty directory.",
    )
