"""A chunk file: an uncompressed Arrow IPC file of one record batch in stored form.

Owns: writing it durably, its checksum, opening it by mapping it into memory.
Comes in: a stored batch or a path; goes out: bytes on disk, or a batch whose buffers are the
mapped file. Does not know: names, manifests, who reads.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

import pyarrow as pa
import xxhash

from eau2.errors import DiskFullError, OperationalError
from eau2.sink import Sink

LOCAL = "local"
"""The node name of a store that has no other nodes."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_SMALL_FILE_BYTES = 1 << 16
"""A smaller file is read or written at once: a mapping takes whole pages and a kernel entry."""
_READ_BYTES = 1 << 22


class DamagedError(Exception):
    """A chunk file is not what was written; the message says in which way."""


class ByteSink(Sink):
    """Where a chunk's bytes go: they are counted, hashed and, with a file, written.

    Arrow calls `write` with each buffer, so nothing is copied.
    """

    def __init__(self, fd: int | None = None) -> None:
        super().__init__()
        self._fd = fd
        self._digest = xxhash.xxh3_128()

    def take(self, view: memoryview) -> None:
        """Hash and write. Raises OSError as the operating system gave it."""
        self._digest.update(view)
        while self._fd is not None and len(view):
            view = view[os.write(self._fd, view) :]

    @property
    def checksum(self) -> str:
        """The xxh3-128 of all bytes so far, in hexadecimal."""
        digest: str = self._digest.hexdigest()
        return digest


def is_full(error: OSError) -> bool:
    """Whether the disk, the quota or the file size limit is used up."""
    return error.errno in _FULL


def disk_error(error: OSError, doing: str) -> OperationalError:
    """The OSError of a write as an error of eau2; `doing` completes "while ..."."""
    reason = error.strerror or str(error)
    if is_full(error):
        return DiskFullError(
            f"no room on the disk while {doing} ({reason}); nothing was changed",
            hint="Free some space, or put the store on another disk.",
        )
    return OperationalError(f"the disk failed while {doing} ({reason}); nothing was changed")


def write_ipc(batch: pa.RecordBatch, sink: ByteSink) -> None:
    """Give the bytes of a chunk file to a sink, large buffers without a copy."""
    if batch.nbytes <= _SMALL_FILE_BYTES:
        whole = pa.BufferOutputStream()
        with pa.ipc.new_file(whole, batch.schema) as writer:
            writer.write_batch(batch)
        sink.write(whole.getvalue())
        return
    with pa.ipc.new_file(pa.PythonFile(sink, mode="w"), batch.schema) as writer:
        writer.write_batch(batch)


def measure(batch: pa.RecordBatch) -> tuple[int, str]:
    """Bytes and checksum of the file that `batch` would be."""
    sink = ByteSink()
    write_ipc(batch, sink)
    return sink.bytes, sink.checksum


def write(batch: pa.RecordBatch, path: Path) -> tuple[int, str]:
    """Make the chunk file `path` durable; gives its bytes and checksum.

    The directory must be synced by the caller, once for all its chunks. Raises OSError; then no
    file is left.
    """
    temporary = path.with_name(path.name + ".tmp")
    fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    try:
        sink = ByteSink(fd)
        write_ipc(batch, sink)
        os.fsync(fd)
        os.rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    return sink.bytes, sink.checksum


def verify(path: Path, bytes_: int, checksum: str) -> None:
    """Compare a file with what its manifest says. Raises DamagedError.

    Reads the file instead of mapping it: a bad sector is then an error and not a dead process.
    """
    digest = xxhash.xxh3_128()
    try:
        with path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size != bytes_:
                raise DamagedError(f"it has {size} bytes instead of {bytes_}")
            buffer = bytearray(min(_READ_BYTES, max(1, size)))
            view = memoryview(buffer)
            while count := file.readinto(buffer):
                digest.update(view[:count])
    except FileNotFoundError as error:
        raise DamagedError("it is missing") from error
    except OSError as error:
        raise DamagedError(f"it cannot be read ({error.strerror})") from error
    if digest.hexdigest() != checksum:
        raise DamagedError("its checksum differs from the one written")


def open_chunk(path: Path) -> pa.RecordBatch:
    """The batch in a verified chunk file. Its buffers are the mapped file, which may be deleted.

    The file descriptor is closed at once: a frame may have more chunks than a process has
    descriptors. Raises DamagedError.
    """
    try:
        if path.stat().st_size <= _SMALL_FILE_BYTES:
            return pa.ipc.open_file(pa.py_buffer(path.read_bytes())).get_batch(0)
        with pa.memory_map(str(path)) as file:
            return pa.ipc.open_file(file).get_batch(0)
    except FileNotFoundError as error:
        raise DamagedError("it is missing") from error
    except (OSError, pa.ArrowException) as error:
        raise DamagedError(f"it cannot be read ({error})") from error


def sync_directory(path: Path) -> None:
    """Make the entries of a directory durable. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
