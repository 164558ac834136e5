"""What a process has at hand of a shelf: the frames and views it knows, and the chunks it has open.

Owns: which chunks can be read, who reads them, and that what was replaced is deleted only when
nobody does. Comes in: what names have come to mean; goes out: chunks as batches. Does not know:
registers, how something is written.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

import pyarrow as pa

from eau2.catalog import ChunkKey, ChunkRef, Named, function_of_register, register_of
from eau2.errors import CorruptChunkError, OperationalError
from eau2.kv.chunk import DamagedError
from eau2.kv.replaced import Replaced, chunks_of, replaced, writes_of
from eau2.kv.shelf import Shelf

_OPEN_CHUNKS = 1024
"""Chunks kept open: each is a mapping, of which a process may have some ten thousands."""


class AtHand:
    """Frames and views by df_id, and their chunks. For any number of threads."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._guard = threading.RLock()
        self._named: dict[str, Named] = {}
        self._names: dict[ChunkKey, str] = {}
        self._readers: Counter[str] = Counter()
        self._replaced: list[Replaced] = []
        self._open: OrderedDict[ChunkKey, pa.RecordBatch] = OrderedDict()
        self._closed = False

    def known(self, df_id: str) -> Named | None:
        """What the write `df_id` made, if it is at hand."""
        return self._named.get(df_id)

    def holds(self, key: ChunkKey) -> bool:
        """Whether a chunk can be read here."""
        return key in self._names

    def batch(self, ref: ChunkRef) -> pa.RecordBatch:
        """A chunk in stored form. Raises OperationalError, CorruptChunkError."""
        with self._guard:
            batch = self._open.get(ref.key)
            if batch is None:
                batch = self._open[ref.key] = self._opened(ref)
                if len(self._open) > _OPEN_CHUNKS:
                    self._open.popitem(last=False)
            else:
                self._open.move_to_end(ref.key)
        return batch

    @contextmanager
    def pinned(self, df_ids: Collection[str]) -> Iterator[None]:
        """Keep the chunks of these writes inside the block, also those that are replaced in it."""
        with self._guard:
            self._readers.update(df_ids)
        try:
            yield
        finally:
            with self._guard:
                self._readers.subtract(df_ids)
                self._readers = +self._readers
                self._clear_away()

    def remember(self, df_id: str, named: Named) -> None:
        """Keep it at hand, and let go of what its name meant before."""
        with self._guard:
            for write in writes_of(df_id, named):
                self._shelf.pin(write)
            folded = register_of(named).lower()
            before = [one for one in self._named.items() if register_of(one[1]).lower() == folded]
            self._named[df_id] = named
            for key in chunks_of(named):
                self._names[key] = named.name
            for known, old in before:
                self.replace(replaced(known, old, df_id, named, False))

    def replace(self, gone: Replaced) -> None:
        """Let go of what nothing lists any more, and delete it if that is asked, once unread."""
        with self._guard:
            for df_id in gone.writes | gone.manifests:
                self._named.pop(df_id, None)
            self._replaced.append(gone)
            self._clear_away()

    def unpin(self, df_ids: Iterable[str]) -> None:
        """Let go of writes that were pinned for something that is no longer there."""
        with self._guard:
            known = {key.df_id for key in self._names} | self._named.keys()
            for df_id in df_ids:
                if df_id not in known:
                    self._shelf.unpin(df_id)

    def close(self) -> None:
        """Let go of all. Batches that were read stay valid."""
        with self._guard:
            self._closed = True
            self._open.clear()

    def _opened(self, ref: ChunkRef) -> pa.RecordBatch:
        key = ref.key
        name = self._names.get(key)
        if name is None:
            raise OperationalError(
                f"chunk {key.number} of the frame with the id {key.df_id} is not here",
                hint="The frame was dropped or replaced meanwhile; run the statement again.",
            )
        try:
            return self._shelf.open(ref)
        except DamagedError as error:
            what, where = f"chunk {key.number}", self._shelf.path(key)
            raise damaged(name, what, where, str(error)) from error

    def _clear_away(self) -> None:
        """Do what `replace` was asked for, as far as nobody reads it."""
        if self._closed:
            return
        waiting = []
        for gone in self._replaced:
            if not self._readers.keys().isdisjoint(gone.df_ids):
                waiting.append(gone)
                continue
            for key in gone.chunks:
                self._names.pop(key, None)
                self._open.pop(key, None)
            for df_id in gone.writes:
                if gone.delete:
                    self._shelf.remove(df_id)
                else:
                    self._shelf.unpin(df_id)
            if gone.delete:
                self._shelf.trim(gone.single, gone.manifests)
        self._replaced = waiting


def damaged(name: str, what: str, where: str, why: str) -> CorruptChunkError:
    """The error for a file that is not what was written."""
    function = function_of_register(name)
    if function is not None:
        return CorruptChunkError(
            f'the {what} of function "{function}" is damaged: {why} ({where})',
            hint=f"DROP FUNCTION {function} and define it again; others are not affected.",
        )
    return CorruptChunkError(
        f'the {what} of frame "{name}" is damaged: {why} ({where})',
        hint=f'Drop "{name}" and load it again; other frames are not affected.',
    )
