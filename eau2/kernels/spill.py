"""Where kernel processes spill: a directory of one host, gone with it.

Owns: making the directory, deleting what a killed process left in it, and the directories of hosts
that died. Comes in: a place; goes out: a path. Does not know: when and what kernels spill.

A living host holds a lock on its directory, which the operating system frees however it dies.
Polars makes a directory by its process id in the one that it is given.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_PREFIX = "eau2-spill-"


class SpillDirectory:
    """A new directory in `place` (None: the system's for temporary files), locked."""

    def __init__(self, place: str | None = None) -> None:
        """Make it, and delete those of hosts that died. Raises OSError."""
        root = Path(tempfile.gettempdir() if place is None else place)
        _sweep(root)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
            self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            with suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Another host's sweep may have come between making it and locking it.
                if self.path.exists():
                    return
            os.close(self._lock)

    def forget(self, pid: int) -> None:
        """Delete what the dead process `pid` left."""
        shutil.rmtree(self.path / str(pid), ignore_errors=True)

    def close(self) -> None:
        """Delete the directory."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _sweep(root: Path) -> None:
    for left in root.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)
