"""Who may write to a store, and which frames other processes are reading: both by flock.

Owns: the writer's lock file (with a text that says who holds it) and read pins (a shared lock on
a frame's directory). The kernel frees both when a process dies, so there is nothing to expire.
Does not know: what is written or read.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eau2.errors import StoreBusyError, StoreError

_POLL_S = 0.05
_HOLDER_BYTES = 4096


class WriterLock:
    """At most one writer, over all processes and all threads of this one."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._threads = threading.Lock()

    @contextmanager
    def held(self, wait_s: float) -> Iterator[None]:
        """Hold the lock inside the block. Raises StoreBusyError after `wait_s` seconds."""
        deadline = time.monotonic() + wait_s
        if not self._threads.acquire(timeout=wait_s):
            raise StoreBusyError(
                "another thread of this process is writing to the store",
                hint="Try again when it has finished.",
            )
        try:
            if self._path is None:
                yield
                return
            fd = self._acquire(deadline)
            try:
                yield
            finally:
                os.close(fd)
        finally:
            self._threads.release()

    def _acquire(self, deadline: float) -> int:
        assert self._path is not None
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(
                f"the store cannot be written to: {error.strerror} ({self._path})"
            ) from error
        try:
            while not _try_lock(fd, fcntl.LOCK_EX):
                if time.monotonic() >= deadline:
                    raise StoreBusyError(
                        f"the store is being written to by {_holder(fd)}",
                        hint="Try again when it has finished.",
                    )
                time.sleep(_POLL_S)
            _sign(fd)
        except BaseException:
            os.close(fd)
            raise
        return fd


def _holder(fd: int) -> str:
    text = os.pread(fd, _HOLDER_BYTES, 0).decode("utf-8", "replace").strip()
    return text or "another process"


def _sign(fd: int) -> None:
    """Leave who we are in the lock file. It only informs, so a full disk may keep it empty."""
    command = " ".join(sys.orig_argv)[:200]
    text = f"process {os.getpid()} on {socket.gethostname()}: {command}\n"
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, text.encode("utf-8", "replace"), 0)
    except OSError:
        return


def _try_lock(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Pins:
    """The frame directories this process reads: a writer elsewhere leaves them in place."""

    def __init__(self) -> None:
        self._fds: dict[Path, int] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, _close_all, self._fds)

    def take(self, directory: Path) -> bool:
        """Pin a directory; False when it is gone or about to be deleted. Raises StoreError."""
        with self._lock:
            if directory in self._fds:
                return True
            try:
                fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
            except OSError as error:
                if error.errno != errno.EMFILE:
                    raise _unreadable(error, directory) from error
                # Out of descriptors: reading without a pin is right unless it is deleted now.
                return True
            if not _try_lock(fd, fcntl.LOCK_SH):
                os.close(fd)
                return False
            self._fds[directory] = fd
            return True

    def release(self, directory: Path) -> bool:
        """Let go of a directory; whether it was pinned."""
        with self._lock:
            fd = self._fds.pop(directory, None)
        if fd is not None:
            os.close(fd)
        return fd is not None

    def close(self) -> None:
        """Let go of all."""
        with self._lock:
            _close_all(self._fds)


def _close_all(fds: dict[Path, int]) -> None:
    while fds:
        os.close(fds.popitem()[1])


@contextmanager
def unpinned(directory: Path) -> Iterator[bool]:
    """Whether no process has pinned `directory`; inside the block none can begin to.

    Raises StoreError when it cannot be opened.
    """
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    except OSError as error:
        raise _unreadable(error, directory) from error
    try:
        yield _try_lock(fd, fcntl.LOCK_EX)
    finally:
        os.close(fd)


def _unreadable(error: OSError, directory: Path) -> StoreError:
    return StoreError(
        f"the store cannot be read: {error.strerror} ({directory})",
        hint="Check whose the folder is, and what its owner allows.",
    )
