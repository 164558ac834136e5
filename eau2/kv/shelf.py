"""Where chunks and manifests lie: in a directory, or in memory.

Owns: the `Shelf` protocol and its twins. A shelf has one place a df_id: chunks numbered from zero
and, when the write is complete, its manifest. Does not know: names, registers, who may write.

On disk: `chunks/<df_id>/<number>.arrow` and `chunks/<df_id>/manifest`. Files come to their names
by rename after their content is durable. Beside them lies a ballast file, whose space lets a drop
succeed on a disk that is full.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from eau2.catalog import ChunkKey, ChunkRef, Named
from eau2.errors import OperationalError
from eau2.kv import chunk, manifest
from eau2.kv.lock import Pins, unpinned

MANIFEST = "manifest"
BALLAST = "ballast"
_BALLAST_BYTES = 1 << 18


class Shelf(Protocol):
    """Chunks and manifests by df_id."""

    def begin(self, df_id: str) -> None:
        """Make the place of a new write. Raises OSError."""

    def add(self, key: ChunkKey, batch: pa.RecordBatch) -> tuple[int, str]:
        """Store a chunk durably; its bytes and checksum. Raises OSError."""

    def complete(self, df_id: str, named: Named) -> str:
        """Store the manifest, so that all of the write is durable; its checksum. Raises OSError."""

    def load(self, df_id: str, checksum: str) -> Named:
        """The frame or view of a complete write with that manifest. Raises chunk.DamagedError."""

    def open(self, ref: ChunkRef) -> pa.RecordBatch:
        """A chunk, verified when this process opens it first. Raises chunk.DamagedError."""

    def path(self, key: ChunkKey) -> str:
        """Where the chunk is, for messages."""

    def file(self, key: ChunkKey) -> str | None:
        """The absolute path of a chunk's file; None when it is in memory."""

    def pin(self, df_id: str) -> bool:
        """Keep other processes from deleting a write while this one reads it; False if gone."""

    def unpin(self, df_id: str) -> None:
        """Let go of a write."""

    def remove(self, df_id: str) -> None:
        """Delete a write, unless another process has pinned it: `sweep` will find it later."""

    def trim(self, chunks: Collection[ChunkKey], manifests: Collection[str]) -> None:
        """Delete single chunks, and manifests by df_id, as `remove` deletes writes."""

    def places(self) -> frozenset[str]:
        """The df_ids of which there is something."""

    def sweep(self, keep: Mapping[str, Collection[int] | None]) -> None:
        """Delete all writes but those in `keep`, and of these all but the chunks it gives.

        None: all of a write is kept. Only for the holder of the writer's lock.
        """

    def keep_room(self) -> None:
        """Set a little space aside, so that on a full disk a name can still be dropped."""

    def give_room(self) -> None:
        """Give the space back that was set aside."""

    def close(self) -> None:
        """Give back what it holds."""


class MemoryShelf:
    """Chunks and manifests in this process's memory."""

    def __init__(self) -> None:
        self._chunks: dict[str, dict[int, pa.RecordBatch]] = {}
        self._named: dict[str, Named] = {}

    def begin(self, df_id: str) -> None:
        self._chunks[df_id] = {}

    def add(self, key: ChunkKey, batch: pa.RecordBatch) -> tuple[int, str]:
        self._chunks[key.df_id][key.number] = batch
        return chunk.measure(batch)

    def complete(self, df_id: str, named: Named) -> str:
        self._named[df_id] = named
        return ""

    def load(self, df_id: str, checksum: str) -> Named:
        try:
            return self._named[df_id]
        except KeyError as error:
            raise chunk.DamagedError("it is missing") from error

    def open(self, ref: ChunkRef) -> pa.RecordBatch:
        try:
            return self._chunks[ref.key.df_id][ref.key.number]
        except KeyError as error:
            raise chunk.DamagedError("it is missing") from error

    def path(self, key: ChunkKey) -> str:
        return "memory"

    def file(self, key: ChunkKey) -> str | None:
        return None

    def pin(self, df_id: str) -> bool:
        return df_id in self._named

    def unpin(self, df_id: str) -> None:
        """Nobody else can delete it."""

    def remove(self, df_id: str) -> None:
        self._chunks.pop(df_id, None)
        self._named.pop(df_id, None)

    def trim(self, chunks: Collection[ChunkKey], manifests: Collection[str]) -> None:
        for key in chunks:
            self._chunks.get(key.df_id, {}).pop(key.number, None)
        for df_id in manifests:
            self._named.pop(df_id, None)

    def places(self) -> frozenset[str]:
        return frozenset(self._chunks)

    def sweep(self, keep: Mapping[str, Collection[int] | None]) -> None:
        for df_id in set(self._chunks) - set(keep):
            self.remove(df_id)

    def keep_room(self) -> None:
        """Memory that is full cannot be helped by a file."""

    def give_room(self) -> None:
        """Nothing was set aside."""

    def close(self) -> None:
        self._chunks.clear()
        self._named.clear()


class DiskShelf:
    """Chunks and manifests as files under the directory `root`, which exists."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._pins = Pins()
        self._verified: dict[ChunkKey, tuple[int, int, int]] = {}

    def _place(self, df_id: str) -> Path:
        return self._root / df_id

    def _file(self, key: ChunkKey) -> Path:
        return self._root / key.df_id / f"{key.number}.arrow"

    def begin(self, df_id: str) -> None:
        self._place(df_id).mkdir()
        chunk.sync_directory(self._root)

    def add(self, key: ChunkKey, batch: pa.RecordBatch) -> tuple[int, str]:
        return chunk.write(batch, self._file(key))

    def complete(self, df_id: str, named: Named) -> str:
        encoded = manifest.encode(named)
        place = self._place(df_id)
        temporary = place / f"{MANIFEST}.tmp"
        with temporary.open("xb", buffering=0) as file:
            view = memoryview(encoded)
            while len(view):
                view = view[os.write(file.fileno(), view) :]
            os.fsync(file.fileno())
        temporary.rename(place / MANIFEST)
        chunk.sync_directory(place)
        return manifest.checksum(encoded)

    def load(self, df_id: str, checksum: str) -> Named:
        try:
            encoded = (self._place(df_id) / MANIFEST).read_bytes()
            named = manifest.decode(encoded)
        except OSError as error:
            raise chunk.DamagedError(f"it cannot be read ({error.strerror})") from error
        except manifest.ManifestError as error:
            raise chunk.DamagedError(str(error)) from error
        if manifest.checksum(encoded) != checksum:
            raise chunk.DamagedError("it is not the one that was written")
        return named

    def open(self, ref: ChunkRef) -> pa.RecordBatch:
        path = self._file(ref.key)
        try:
            status = path.stat()
        except OSError as error:
            raise chunk.DamagedError(f"it cannot be read ({error.strerror})") from error
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if self._verified.get(ref.key) != seen:
            chunk.verify(path, ref.bytes, ref.checksum)
            self._verified[ref.key] = seen
        return chunk.open_chunk(path)

    def path(self, key: ChunkKey) -> str:
        return str(self._file(key))

    def file(self, key: ChunkKey) -> str | None:
        return os.path.abspath(self._file(key))

    def pin(self, df_id: str) -> bool:
        return self._pins.take(self._place(df_id))

    def unpin(self, df_id: str) -> None:
        self._pins.release(self._place(df_id))

    def remove(self, df_id: str) -> None:
        self._pins.release(self._place(df_id))
        place = self._place(df_id)
        with unpinned(place) as free:
            if free:
                shutil.rmtree(place, ignore_errors=True)

    def trim(self, chunks: Collection[ChunkKey], manifests: Collection[str]) -> None:
        for df_id in sorted({*(key.df_id for key in chunks), *manifests}):
            names = [self._file(key).name for key in chunks if key.df_id == df_id]
            self._delete_files(df_id, names + [MANIFEST] * (df_id in manifests))

    def _delete_files(self, df_id: str, names: Iterable[str]) -> None:
        """Delete files of a write of which others are kept, unless another process reads it."""
        place = self._place(df_id)
        pinned = self._pins.release(place)
        with unpinned(place) as free:
            for name in names if free else ():
                with suppress(OSError):
                    (place / name).unlink(missing_ok=True)
        if pinned:
            self._pins.take(place)

    def places(self) -> frozenset[str]:
        with suppress(OSError):
            return frozenset(entry.name for entry in os.scandir(self._root))
        return frozenset()

    def sweep(self, keep: Mapping[str, Collection[int] | None]) -> None:
        try:
            for entry in list(os.scandir(self._root)):
                if entry.is_dir(follow_symlinks=False):
                    numbers = keep.get(entry.name, ())
                    if entry.name not in keep:
                        self.remove(entry.name)
                    elif numbers is not None:
                        listed = {f"{number}.arrow" for number in numbers}
                        present = {file.name for file in os.scandir(entry.path)}
                        self._delete_files(entry.name, present - listed)
                else:
                    Path(entry.path).unlink(missing_ok=True)
        except OSError as error:
            raise OperationalError(
                f"left-over files of the store cannot be deleted ({error})"
            ) from error

    def keep_room(self) -> None:
        path = self._root.parent / BALLAST
        try:
            if not path.exists() or path.stat().st_size < _BALLAST_BYTES:
                path.write_bytes(os.urandom(_BALLAST_BYTES))
        except OSError:
            # Without room for it now, a later start tries again.
            return

    def give_room(self) -> None:
        with suppress(OSError):
            (self._root.parent / BALLAST).unlink(missing_ok=True)

    def close(self) -> None:
        self._pins.close()
