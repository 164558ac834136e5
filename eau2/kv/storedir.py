"""The directory of a store: made, or checked to be one of this version.

Owns: which files stand in it and what they are called. A directory that is no store is refused
before anything in it is touched. Comes in: a path; goes out: the registry of its names. Does not
know: frames, chunks, who writes.
"""

from __future__ import annotations

import os
from pathlib import Path

from eau2.config import LIMITS
from eau2.errors import StoreError
from eau2.kv import chunk
from eau2.kv.registry import Registry, SqliteRegistry
from eau2.kv.shelf import BALLAST

CHUNKS = "chunks"
LOCK_FILE = "lock"
_FORMAT = "eau2 store 1\n"
_FORMAT_FILE = "FORMAT"
_NAMES_FILE = "names.sqlite"


def prepare(root: Path) -> Registry:
    """Make `root` a store, or check that it is one; its registry. Raises StoreError and OSError.

    The format file is written last, so a crash in between leaves a directory that is taken up. A
    store whose list of names is gone is refused: with an empty list all chunks would be garbage.
    """
    root.mkdir(parents=True, exist_ok=True)
    mark, names = root / _FORMAT_FILE, root / _NAMES_FILE
    found = mark.read_text("utf-8", "replace") if mark.exists() else None
    if found is None:
        _check_new(root)
    elif found.startswith("eau2 node "):
        raise StoreError(
            f"{root} is the data directory of a node, not a store",
            hint="Start the node and connect to it, or name another directory.",
        )
    elif found != _FORMAT:
        raise StoreError(
            f"the store {root} has the format {found.strip()[:40]!r}, which this eau2 cannot read",
            hint="Use the version of eau2 that made it.",
        )
    elif not names.exists():
        raise StoreError(
            f"the store {root} is damaged: {_NAMES_FILE} is missing",
            hint="Restore the directory from a backup.",
        )
    (root / CHUNKS).mkdir(exist_ok=True)
    registry = SqliteRegistry(names, LIMITS.writer_wait_s)
    if found is None:
        temporary = root / f"{_FORMAT_FILE}.{os.getpid()}"
        with temporary.open("w", encoding="utf-8") as file:
            file.write(_FORMAT)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(mark)
        chunk.sync_directory(root)
    return registry


def _check_new(root: Path) -> None:
    """Refuse a directory that holds anything but a store whose making was cut short."""
    ours = (_FORMAT_FILE, _NAMES_FILE, CHUNKS, LOCK_FILE, BALLAST)
    strange = sorted(entry.name for entry in root.iterdir() if not entry.name.startswith(ours))
    if not strange and (root / CHUNKS).is_dir() and not (root / _NAMES_FILE).exists():
        strange = sorted(f"{CHUNKS}/{entry.name}" for entry in (root / CHUNKS).iterdir())
    if strange:
        raise StoreError(
            f"{root} is not a store: it holds {strange[0]!r} and no {_FORMAT_FILE} file",
            hint="Name an empty directory, or one that eau2 made.",
        )
