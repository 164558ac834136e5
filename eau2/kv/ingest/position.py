"""How far the files of a source are read.

Owns: the count. Comes in: what readers say while they read; goes out: bytes of all files, as they
lie on the disk. Does not know: formats, who asks.
"""

from __future__ import annotations

import os


class Position:
    """Bytes of the files that are read already. One thread reads them; any may ask."""

    def __init__(self) -> None:
        self._done = 0
        self._inside = 0

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return self._done + self._inside

    def at(self, offset: float) -> None:
        """So many bytes of the file under way are read."""
        self._inside = int(offset)

    def end(self, path: str) -> None:
        """The file under way, which is this one, is read to its end."""
        self._done += os.path.getsize(path)
        self._inside = 0
