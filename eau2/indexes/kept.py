"""The row lists that a process has: made on a thread of their own, within a budget, dropped freely.

Owns: which lists are there, when a column is worth them, what is thrown out. Comes in: chunks that
can be read, and what is asked of them; goes out: row lists. Does not know: fragments, statements.

They lie in the memory of the process that reads the chunks, and nowhere else: a chunk never
changes, so lists of it hold for as long as there is the chunk, whatever versions of frames share
it; nothing has to be checked, repaired or deleted with the files; and to make them anew takes 25 ms
for a million rows, which is little more than to read and verify them from a disk.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import weakref
from collections import Counter, OrderedDict
from collections.abc import Collection
from contextlib import AbstractContextManager, suppress
from typing import Protocol

import pyarrow as pa

from eau2.catalog import FILE_PREFIX, ChunkKey, ChunkRef
from eau2.config import INDEXES
from eau2.errors import Error
from eau2.indexes.arrays import Arrays
from eau2.indexes.row_lists import RowLists, row_lists
from eau2.launch import whole_memory
from eau2.records import Record, Struct

_log = logging.getLogger("eau2.indexes")
_NICE = 10


class Keeper(Protocol):
    """Where chunks are kept that row lists are made of."""

    def read(self, chunk: ChunkRef, columns: tuple[str, ...]) -> pa.Table:
        """See node.ChunkSource.read."""

    def pinned(self, df_ids: Collection[str]) -> AbstractContextManager[None]:
        """See node.ChunkSource.pinned."""

    def holds(self, key: ChunkKey) -> bool:
        """Whether the chunk is still there."""


Place = tuple[ChunkKey, str]
"""A column of a chunk."""


class _Entry(Struct):
    """named: whether CREATE INDEX has asked for it. vain: look-ups since it was used last."""

    lists: RowLists
    named: bool
    keeper: weakref.ref[Keeper]
    used: int = 0
    vain: int = 0


class _Job(Record, frozen=True):
    chunk: ChunkRef
    keeper: Keeper


class Described(Record, frozen=True):
    """A column of a chunk: "built", "building", "waiting", "no room", "not built" or "small".

    rows: in the lists, or of the chunk. used: how many tasks have taken rows by the lists.
    """

    state: str
    rows: int
    bytes: int
    used: int


class Indexes:
    """Row lists by column and chunk. For any number of threads; `close` ends its own."""

    def __init__(self, memory_bytes: int | None = None) -> None:
        """memory_bytes: what all lists may take; None for a share of the machine's memory.

        What they leave of it is for `arrays`.
        """
        self.arrays = Arrays(lambda: self.memory_bytes - self._bytes)
        self._guard = threading.Lock()
        self._budget = memory_bytes
        self._entries: OrderedDict[Place, _Entry] = OrderedDict()
        self._bytes = 0
        self._asked: Counter[Place] = Counter()
        self._refused: dict[Place, str] = {}
        self._waiting: OrderedDict[Place, tuple[_Job, bool]] = OrderedDict()
        self._building: Place | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def memory_bytes(self) -> int:
        """What all lists may take."""
        if self._budget is None:
            self._budget = int(INDEXES.memory_share * whole_memory())
        return self._budget

    def set_budget(self, most: int | None) -> None:
        """What all lists may take from now on, as in `__init__`."""
        with self._guard:
            self._budget = most
            self._refused.clear()
            self._make_room(0, named=True)
        self.arrays.shrink()

    def lists(self, key: ChunkKey, name: str) -> RowLists | None:
        """The lists of a column of a chunk, if they are there."""
        with self._guard:
            entry = self._entries.get((key, name))
            return None if entry is None else entry.lists

    def used(self, name: str, keys: Collection[ChunkKey]) -> None:
        """Note that a task has taken rows by these lists."""
        with self._guard:
            for key in keys:
                entry = self._entries.get((key, name))
                if entry is not None:
                    entry.used, entry.vain = entry.used + 1, 0
                    self._entries.move_to_end((key, name))

    def in_vain(self, name: str, keys: Collection[ChunkKey]) -> None:
        """Note that these lists were looked up, and too many rows were wanted.

        Those of a column in whose order the rows lie take little memory, and stay: a key of facts
        is asked by many statements, of which few want few of its values.
        """
        with self._guard:
            for key in keys:
                entry = self._entries.get((key, name))
                if entry is None:
                    continue
                entry.vain += 1
                dear = not entry.named and entry.lists.rows is not None
                if dear and entry.vain >= INDEXES.vain_asks and not entry.used:
                    self._remove((key, name))
                    self._refuse((key, name), "not built")

    def ask(self, keeper: Keeper, chunk: ChunkRef, name: str, named: bool) -> None:
        """Have lists made in a while: at once if they are `named`, else at the second wish."""
        place = (chunk.key, name)
        if chunk.key.df_id.startswith(FILE_PREFIX):
            # A file may change, and is then another chunk of the same name.
            return
        with self._guard:
            known = (self._entries, self._waiting, self._refused)
            if self._closed or any(place in places for places in known):
                return
            if not named:
                if len(self._asked) >= INDEXES.remembered:
                    self._asked.clear()
                self._asked[place] += 1
                if self._asked[place] < INDEXES.asks:
                    return
            self._waiting[place] = (_Job(chunk, keeper), named)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True, name="indexes")
                self._thread.start()

    def build(self, keeper: Keeper, chunk: ChunkRef, name: str) -> None:
        """Make lists that CREATE INDEX asks for, now."""
        place = (chunk.key, name)
        with self._guard:
            self._waiting.pop(place, None)
            self._refused.pop(place, None)
            entry = self._entries.get(place)
            if entry is not None:
                entry.named = True
                return
        lists = self._made(place, _Job(chunk, keeper), named=True)
        if lists is not None:
            with self._guard:
                self._keep(place, lists, True, keeper)

    def drop(self, key: ChunkKey, name: str) -> None:
        """Let go of lists, and of the wish for them. Whoever has them in hand keeps them."""
        place = (key, name)
        with self._guard:
            self._waiting.pop(place, None)
            self._refused.pop(place, None)
            self._asked.pop(place, None)
            self._remove(place)

    def sweep(self) -> None:
        """Let go of the lists of chunks that are no longer there."""
        with self._guard:
            entries = list(self._entries.items())
        for place, entry in entries:
            if not _is_there(entry, place[0]):
                self.drop(*place)
        self.arrays.sweep()

    def described(self, chunk: ChunkRef, name: str) -> Described:
        """How a column of a chunk stands."""
        place = (chunk.key, name)
        with self._guard:
            entry = self._entries.get(place)
            if entry is not None:
                return Described("built", chunk.rows, entry.lists.bytes, entry.used)
            state = "small" if chunk.rows < INDEXES.chunk_rows else "not built"
            state = self._refused.get(place, state)
            if place in self._waiting:
                state = "building" if place == self._building else "waiting"
            return Described(state, chunk.rows, 0, 0)

    def wait(self, seconds: float) -> bool:
        """Wait until nothing is being made any more; False when it takes longer."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return self._thread is None

    def close(self) -> None:
        """Let go of all, and end the thread, which finishes what it makes."""
        with self._guard:
            self._closed = True
            self._waiting.clear()
            self._entries.clear()
            self._bytes = 0
            self.arrays.clear()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _work(self) -> None:
        """The thread's life: it ends when there is nothing to do."""
        _step_back()
        self.sweep()
        while True:
            with self._guard:
                self._building = next(iter(self._waiting), None)
                if self._building is None:
                    self._thread = None
                    return
                place = self._building
                job, named = self._waiting[place]
            lists = None
            try:
                lists = self._made(place, job, named)
            except Exception:
                _log.exception("row lists of column %s could not be made", place[1])
                with self._guard:
                    self._refuse(place, "not built")
            with self._guard:
                # Meanwhile the index may have been dropped.
                if self._waiting.pop(place, None) is not None and lists is not None:
                    self._keep(place, lists, named, job.keeper)
            del job

    def _made(self, place: Place, job: _Job, named: bool) -> RowLists | None:
        """Lists that are to be kept; None where there are none, or none that are worth it."""
        key, name = place
        if 4 * job.chunk.rows > self.memory_bytes:
            with self._guard:
                self._refuse(place, "no room")
            return None
        try:
            if not job.keeper.holds(key):
                # A chunk that is fetched for one task is not fetched again for its lists.
                with self._guard:
                    self._refuse(place, "not built")
                return None
            with job.keeper.pinned({key.df_id}):
                lists = row_lists(job.keeper.read(job.chunk, (name,)).column(0))
        except (Error, OSError, MemoryError, pa.ArrowException) as error:
            # Whoever reads the chunk for its rows says what is wrong with it.
            _log.info("row lists of column %s were not made: %s", name, error)
            return None
        if lists is None or not (named or lists.distinct >= INDEXES.rows_per_taken):
            with self._guard:
                self._refuse(place, "not built")
            return None
        if self._bytes + lists.bytes > self.memory_bytes:
            self.sweep()
        return lists

    def _keep(self, place: Place, lists: RowLists, named: bool, keeper: Keeper) -> None:
        """To be called under the guard."""
        if self._closed:
            return
        self._remove(place)
        if not self._make_room(lists.bytes, named):
            self._refuse(place, "no room")
            return
        self._entries[place] = _Entry(lists, named, weakref.ref(keeper))
        self._bytes += lists.bytes
        self.arrays.shrink()

    def _make_room(self, size: int, named: bool) -> bool:
        """Throw out what was used longest ago; what was named only when nothing else is left.

        named: whether the newcomer is. It takes no place from its like.
        """
        budget = self.memory_bytes
        for place in [place for place, entry in self._entries.items() if not entry.named]:
            if self._bytes + size <= budget:
                return True
            self._remove(place)
            self._asked.pop(place, None)
        while named and not size and self._entries and self._bytes > budget:
            self._remove(next(iter(self._entries)))
        return self._bytes + size <= budget

    def _remove(self, place: Place) -> None:
        entry = self._entries.pop(place, None)
        if entry is not None:
            self._bytes -= entry.lists.bytes

    def _refuse(self, place: Place, why: str) -> None:
        if len(self._refused) >= INDEXES.remembered:
            self._refused.clear()
        self._refused[place] = why


def _is_there(entry: _Entry, key: ChunkKey) -> bool:
    keeper = entry.keeper()
    with suppress(Error):
        return keeper is not None and keeper.holds(key)
    return False


def _step_back() -> None:
    """Let all others go first, where a thread can say so."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
