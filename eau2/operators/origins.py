"""Origins: of which stored columns the result of a stage is all rows, as they lie.

Owns: what is noted of a result that only passes rows of chunks on, for as long as it is there.
Comes in: results from whoever ran the stage, with what keeps things beside those chunks; goes out:
the same, to joins whose arrays hang on nothing else than the chunks. Does not know: chunks, what
is kept, where.

Other large results keep what was made of them themselves, for the other tasks of the stage that
reads them: a task has so many rows at most, and the arrays of fifteen million orders took half a
second in each of eight.

A note is about one object. Whatever is made of a result, a selection or a concatenation, has none,
and nor has a result that came from another process.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import Protocol

import polars as pl

from eau2.records import Record


class Keeping(Protocol):
    """Keeps what was made of all rows of some chunks, within a budget, and drops it freely."""

    def found(self, names: tuple[str, ...], what: Hashable) -> object | None:
        """What was kept of these stored columns, or None."""

    def keep(self, names: tuple[str, ...], what: Hashable, made: object, size_bytes: int) -> None:
        """Keep it, if there is room."""


class Kept(Record, frozen=True):
    """What is kept of some columns in their order. dtypes: how their values are held."""

    keeping: Keeping
    names: tuple[str, ...]
    dtypes: tuple[pl.DataType, ...]

    def found(self, kind: str, detail: Hashable) -> object | None:
        """What is kept under these words, or None."""
        return self.keeping.found(self.names, (kind, detail, self.dtypes))

    def keep(self, kind: str, detail: Hashable, made: object, size_bytes: int) -> None:
        """Keep it, if there is room. It must hang on nothing but the columns and these words."""
        self.keeping.keep(self.names, (kind, detail, self.dtypes), made, size_bytes)


class Origin(Record, frozen=True):
    """Rows of a stage that are all rows of some chunks. names: the stored one of each label.

    Of a result that keeps things itself, they are its own labels.
    """

    names: Mapping[str, str]
    keeping: Keeping

    def of(self, columns: Sequence[pl.Series]) -> Kept | None:
        """What is kept of these columns; None where one of them was computed."""
        names = [self.names.get(column.name) for column in columns]
        stored = tuple(name for name in names if name is not None)
        if len(stored) < len(names):
            return None
        return Kept(self.keeping, stored, tuple(column.dtype for column in columns))


_LARGE_ROWS = 65_536
"""What is made of fewer rows takes no time worth a thought."""


class _OfResult:
    """What was made of a result, for as long as it is there."""

    def __init__(self) -> None:
        self._made: dict[tuple[tuple[str, ...], Hashable], object] = {}

    def found(self, names: tuple[str, ...], what: Hashable) -> object | None:
        """See Keeping."""
        return self._made.get((names, what))

    def keep(self, names: tuple[str, ...], what: Hashable, made: object, size_bytes: int) -> None:
        """See Keeping. There is always room: it was there when this was made."""
        self._made[names, what] = made


_Notes = dict[int, tuple[weakref.ref[pl.DataFrame], Origin]]
_notes: _Notes = {}


def _forget(key: int, _: object, notes: _Notes = _notes) -> None:
    """Let go of a note. The default is there also when the process ends and modules are gone."""
    notes.pop(key, None)


def note(result: pl.DataFrame, origin: Origin) -> None:
    """Remember where the rows of a result come from."""
    _notes[id(result)] = (weakref.ref(result, partial(_forget, id(result))), origin)


def origins_of(results: Mapping[int, pl.DataFrame]) -> dict[int, Origin]:
    """Where the rows of results come from, of those for which that was noted, and of large ones."""
    found = {}
    for stage, result in results.items():
        known = _notes.get(id(result))
        if known is not None and known[0]() is result:
            found[stage] = known[1]
        elif result.height >= _LARGE_ROWS:
            found[stage] = Origin({label: label for label in result.columns}, _OfResult())
            note(result, found[stage])
    return found
