"""The chunks on a node's own disk, as its tasks read them.

Owns: that a file is what its manifest says before anybody reads it, the mapped chunks at hand, and
which writes are being read now. Comes in: chunks as manifests list them; goes out: rows in stored
form, or the path of a verified file. Does not know: who stores and deletes the files, names, rings.
"""

from __future__ import annotations

import os
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa

from eau2.catalog import ChunkKey, ChunkRef
from eau2.config import CONTROL, ControlLimits
from eau2.errors import CorruptChunkError, MissingError
from eau2.kv import chunk as files
from eau2.kv.inventory import check_df_id, is_df_id, number_of
from eau2.records import Record

_STRIPES = 16


class _Seen(Record, frozen=True):
    """A file as it was when it was verified, and what it was compared with."""

    inode: int
    mtime_ns: int
    size: int
    bytes: int
    checksum: str


class NodeChunks:
    """Chunk files below one folder, `<df_id>/<number>.arrow`. For any number of threads."""

    def __init__(
        self,
        folder: Path,
        node: str = "this node",
        limits: ControlLimits = CONTROL,
        damaged: Callable[[ChunkKey], None] = lambda key: None,
    ) -> None:
        """node: its name, for messages. damaged: is told of each chunk that is not what its
        manifest says, in the thread that found it.
        """
        self.node = node
        self._folder = folder.absolute()
        self._limits = limits
        self._report = damaged
        self._guard = threading.Lock()
        self._stripes = tuple(threading.Lock() for _ in range(_STRIPES))
        self._verified: OrderedDict[ChunkKey, _Seen] = OrderedDict()
        self._open: OrderedDict[ChunkKey, tuple[_Seen, pa.RecordBatch]] = OrderedDict()
        self._pins: Counter[str] = Counter()

    def holds(self, key: ChunkKey) -> bool:
        """Whether there is a file for a chunk; never for one of a file that is read in place."""
        return is_df_id(key.df_id) and self._path(key).exists()

    def count(self) -> tuple[int, int]:
        """How many chunks there are, and their bytes, whole or not."""
        sizes = []
        for place, _, names in os.walk(self._folder):
            for name in names:
                if number_of(name) is not None:
                    # It may be deleted meanwhile.
                    with suppress(OSError):
                        sizes.append(os.stat(os.path.join(place, name)).st_size)
        return len(sizes), sum(sizes)

    def read(self, chunk: ChunkRef, columns: tuple[str, ...]) -> pa.Table:
        """Columns of a chunk in stored form, mapped from its file.

        Raises MissingError, CorruptChunkError.
        """
        return pa.Table.from_batches([self.batch(chunk).select(list(columns))])

    def batch(self, chunk: ChunkRef) -> pa.RecordBatch:
        """The whole of a chunk in stored form. Raises as `read` does."""
        path, seen = self._verify(chunk)
        with self._guard:
            known = self._open.get(chunk.key)
            if known is not None and known[0] == seen:
                self._open.move_to_end(chunk.key)
                return known[1]
        try:
            batch = files.open_chunk(path)
        except files.DamagedError as error:
            raise self._unreadable(chunk, path, error) from error
        with self._guard:
            self._open[chunk.key] = (seen, batch)
            while len(self._open) > self._limits.open_chunks:
                self._open.popitem(last=False)
        return batch

    def chunk_file(self, chunk: ChunkRef) -> str:
        """The path of a chunk's verified file. Raises as `read` does."""
        return str(self._verify(chunk)[0])

    @contextmanager
    def pinned(self, df_ids: Iterable[str]) -> Iterator[None]:
        """Keep these writes from being deleted inside the block."""
        wanted = set(df_ids)
        with self._guard:
            self._pins.update(wanted)
        try:
            yield
        finally:
            with self._guard:
                self._pins.subtract(wanted)
                for df_id in wanted:
                    if self._pins[df_id] <= 0:
                        del self._pins[df_id]

    def in_use(self, df_id: str) -> bool:
        """Whether somebody here reads a write, which is then not to be deleted."""
        with self._guard:
            return df_id in self._pins

    def forget(self, df_id: str) -> None:
        """Let go of a write that was deleted: a mapped file keeps its room on the disk."""
        with self._guard:
            for kept in (self._open, self._verified):
                for key in [key for key in kept if key.df_id == df_id]:
                    del kept[key]

    def close(self) -> None:
        """Let go of all files. Tables that were read stay valid."""
        with self._guard:
            self._open.clear()
            self._verified.clear()

    def _path(self, key: ChunkKey) -> Path:
        check_df_id(key.df_id)
        return self._folder / key.df_id / f"{key.number:d}.arrow"

    def _verify(self, chunk: ChunkRef) -> tuple[Path, _Seen]:
        """The file of a chunk, compared with its manifest unless nothing changed since it was."""
        path = self._path(chunk.key)
        seen = self._look(chunk, path)
        if self._was_verified(chunk.key, seen):
            return path, seen
        # One thread reads a file through; others that want the same chunk wait for it.
        with self._stripes[hash(chunk.key) % _STRIPES]:
            seen = self._look(chunk, path)
            if self._was_verified(chunk.key, seen):
                return path, seen
            try:
                files.verify(path, chunk.bytes, chunk.checksum)
            except files.DamagedError as error:
                raise self._unreadable(chunk, path, error) from error
            with self._guard:
                self._verified[chunk.key] = seen
                while len(self._verified) > self._limits.verified_chunks:
                    self._verified.popitem(last=False)
        return path, seen

    def _was_verified(self, key: ChunkKey, seen: _Seen) -> bool:
        with self._guard:
            return self._verified.get(key) == seen

    def _look(self, chunk: ChunkRef, path: Path) -> _Seen:
        try:
            status = path.stat()
        except FileNotFoundError as error:
            raise self._missing(chunk.key) from error
        except OSError as error:
            raise self._damaged(chunk.key, path, error.strerror or str(error)) from error
        return _Seen(status.st_ino, status.st_mtime_ns, status.st_size, chunk.bytes, chunk.checksum)

    def _unreadable(
        self, chunk: ChunkRef, path: Path, error: files.DamagedError
    ) -> MissingError | CorruptChunkError:
        if isinstance(error.__cause__, FileNotFoundError):
            return self._missing(chunk.key)
        return self._damaged(chunk.key, path, str(error))

    def _missing(self, key: ChunkKey) -> MissingError:
        return MissingError(
            f"chunk {key.number} of {key.df_id} is not on node {self.node}",
            hint="The frame was dropped or replaced meanwhile; run the statement again.",
        )

    def _damaged(self, key: ChunkKey, path: Path, why: str) -> CorruptChunkError:
        self._report(key)
        return CorruptChunkError(
            f"chunk {key.number} of {key.df_id} is damaged on node {self.node}: {why} ({path})",
            hint="The node gets a whole copy from another one; run the statement again. If no node"
            " has one, as its log says, drop the frame and load it again.",
        )
