"""Arrays that joins have made of whole chunks, kept for the next ones: within a budget.

Owns: which there are, which goes first when room is short. Comes in: arrays made of all rows of
some columns of chunks; goes out: the same, while there is room and the chunks are there. Does not
know: what an array is for, row lists, fragments.

They are a by-product: nothing is made for them alone. A chunk never changes, so what was made of
it holds for as long as it is there, whatever frames share it. Row lists, which are dearer to make,
go before them: arrays have what those leave of the budget.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import suppress
from typing import Protocol

from eau2.catalog import ChunkKey
from eau2.errors import Error
from eau2.records import Record, Struct

_ENTRIES_MAX = 1024
_ENTRY_BYTES = 256
"""Of each, beside what it holds."""


class Holder(Protocol):
    """Where chunks are kept."""

    def holds(self, key: ChunkKey) -> bool:
        """Whether the chunk is still there."""


class _Place(Record, frozen=True):
    chunks: tuple[ChunkKey, ...]
    names: tuple[str, ...]
    what: Hashable


class _Entry(Struct):
    """used: how often it was found."""

    made: object
    bytes: int
    holders: tuple[weakref.ref[Holder], ...]
    used: int = 0


class Kind(Record, frozen=True):
    """What is kept of columns of chunks: their names, bytes in all, how often it was used."""

    names: tuple[str, ...]
    chunks: tuple[ChunkKey, ...]
    bytes: int
    used: int


class Arrays:
    """Arrays by columns and chunks. For any number of threads."""

    def __init__(self, room: Callable[[], int]) -> None:
        """room: how many bytes there are for all of them."""
        self._guard = threading.Lock()
        self._room = room
        self._entries: OrderedDict[_Place, _Entry] = OrderedDict()
        self._bytes = 0

    def of(self, chunks: tuple[ChunkKey, ...], holders: Sequence[Holder]) -> OfChunks:
        """What is kept of these chunks together. holders: where they are, one by one."""
        return OfChunks(self, chunks, tuple(weakref.ref(holder) for holder in holders))

    def found(self, place: _Place) -> object | None:
        """What is kept there."""
        with self._guard:
            entry = self._entries.get(place)
            if entry is None:
                return None
            entry.used += 1
            self._entries.move_to_end(place)
            return entry.made

    def keep(self, place: _Place, entry: _Entry) -> None:
        """Keep it, if it fits; what is of use no more, or was used longest ago, makes room."""
        self.sweep()
        room = self._room()
        with self._guard:
            if entry.bytes > room:
                return
            self._remove(place)
            self._shrink(room - entry.bytes, _ENTRIES_MAX - 1)
            self._entries[place] = entry
            self._bytes += entry.bytes

    def shrink(self) -> None:
        """Let go of what there is no room for any more."""
        room = self._room()
        with self._guard:
            self._shrink(room, _ENTRIES_MAX)

    def sweep(self) -> None:
        """Let go of arrays of chunks that are no longer there."""
        with self._guard:
            entries = list(self._entries.items())
        gone = [place for place, entry in entries if not _are_there(place, entry)]
        with self._guard:
            for place in gone:
                self._remove(place)

    def clear(self) -> None:
        """Let go of all."""
        with self._guard:
            self._entries.clear()
            self._bytes = 0

    def kinds(self, chunks: Sequence[ChunkKey]) -> Iterator[Kind]:
        """What is kept of any of these chunks."""
        asked = set(chunks)
        with self._guard:
            entries = list(self._entries.items())
        for place, entry in entries:
            if not asked.isdisjoint(place.chunks):
                yield Kind(place.names, place.chunks, entry.bytes, entry.used)

    def _shrink(self, room: int, most: int) -> None:
        while self._entries and (self._bytes > room or len(self._entries) > most):
            self._remove(next(iter(self._entries)))

    def _remove(self, place: _Place) -> None:
        entry = self._entries.pop(place, None)
        if entry is not None:
            self._bytes -= entry.bytes


class OfChunks(Record, frozen=True):
    """What is kept of some chunks together: operators.origins.Keeping."""

    arrays: Arrays
    chunks: tuple[ChunkKey, ...]
    holders: tuple[weakref.ref[Holder], ...]

    def found(self, names: tuple[str, ...], what: Hashable) -> object | None:
        """What was kept of these stored columns, or None."""
        return self.arrays.found(_Place(self.chunks, names, what))

    def keep(self, names: tuple[str, ...], what: Hashable, made: object, size_bytes: int) -> None:
        """Keep it, if there is room."""
        place = _Place(self.chunks, names, what)
        self.arrays.keep(place, _Entry(made, size_bytes + _ENTRY_BYTES, self.holders))


def _are_there(place: _Place, entry: _Entry) -> bool:
    with suppress(Error):
        for key, known in zip(place.chunks, entry.holders, strict=True):
            holder = known()
            if holder is None or not holder.holds(key):
                return False
        return True
    return False
