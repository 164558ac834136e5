"""Chunk files by path: mapped once, kept at hand, given as tables.

Owns: what a process that is handed paths has mapped. Comes in: paths; goes out: a table whose
buffers are the mapped files. Does not know: stores, names, checksums: whoever names a path has
verified the file.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from eau2.config import KERNELS
from eau2.errors import OperationalError
from eau2.kernels.tables import cut_to, together
from eau2.operators.zones import Runs

_SMALL_FILE_BYTES = 1 << 16
"""A smaller file is read at once: a mapping takes whole pages and a kernel entry."""

_Identity = tuple[int, int, int]


class MappedFiles:
    """The chunk files that were read last. Not for several threads at once."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, tuple[_Identity, pa.RecordBatch]] = OrderedDict()

    def table(
        self, paths: Sequence[str], columns: Sequence[str], runs: Sequence[Runs | None] = ()
    ) -> pa.Table:
        """Columns of the files, in order: all rows, or of each file these row ranges.

        Raises OperationalError when a file cannot be read.
        """
        tables = [
            pa.Table.from_batches([self._batch(path).select(list(columns))]) for path in paths
        ]
        if not runs:
            return together(tables)
        cut = zip(tables, runs, strict=True)
        return together([part for table, some in cut for part in cut_to(table, some)])

    def sweep(self) -> None:
        """Let go of files that were deleted: a mapping keeps their space on the disk."""
        for path in [path for path in self._open if not os.path.exists(path)]:
            del self._open[path]

    def _batch(self, path: str) -> pa.RecordBatch:
        try:
            status = os.stat(path)
            identity = (status.st_ino, status.st_mtime_ns, status.st_size)
            known = self._open.get(path)
            if known is not None and known[0] == identity:
                self._open.move_to_end(path)
                return known[1]
            batch = _read(path, status.st_size)
        except (OSError, pa.ArrowException) as error:
            raise OperationalError(
                f"the chunk file {path} cannot be read: {error}",
                hint="If its frame was dropped or replaced meanwhile, run the statement again.",
            ) from error
        self._open[path] = (identity, batch)
        if len(self._open) > KERNELS.open_chunks:
            self._open.popitem(last=False)
        return batch


def _read(path: str, size: int) -> pa.RecordBatch:
    if size <= _SMALL_FILE_BYTES:
        return pa.ipc.open_file(pa.py_buffer(Path(path).read_bytes())).get_batch(0)
    with pa.memory_map(path) as file:
        return pa.ipc.open_file(file).get_batch(0)
