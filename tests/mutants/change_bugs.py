"""Planted bugs that show only once tables change: what was known of former rows is believed still.

Owns: `OF_CHANGES`, by name. Each patches the product in memory while it is entered, as in bugs.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

from eau2.catalog import ChunkRef, Frame
from eau2.engine import Engine
from eau2.indexes.kept import Indexes
from eau2.kv import store
from eau2.kv.appending import Joint, appended
from eau2.kv.zones import zones_of
from eau2.node import Node
from eau2.records import replace

Mutant = Callable[[], Any]


def plan_of_former_rows() -> Any:
    """A plan that was kept for a text is used whatever its tables have become."""
    right = Engine._key

    def key(self: Engine, *asked: Any) -> Any:
        found = right(self, *asked)
        return found[:-1] if isinstance(found, tuple) else found

    return patch.object(Engine, "_key", key)


def _believed(*names: str) -> Any:
    """What statistics say under these names of a frame still holds once rows are appended."""

    def believed(place: Joint, df_id: str, new: Sequence[ChunkRef]) -> Frame:
        made = appended(place, df_id, new)
        pairs = zip(place.base.statistics, made.statistics, strict=True)
        kept = [replace(now, **{n: getattr(old, n) for n in names}) for old, now in pairs]
        return replace(made, statistics=tuple(kept)) if place.base.rows else made

    return patch.object(store, "appended", believed)


def bounds_of_former_rows() -> Any:
    """The bounds of a column still hold once rows are appended, and there are no more NULLs."""
    return _believed("minimum", "maximum", "null_count")


def unique_as_before() -> Any:
    """A key that was unique is held to be so once rows are appended."""
    return _believed("order", "distinct")


def lists_of_former_chunks() -> Any:
    """Row lists are found by the number of a chunk, whichever write it is of."""

    def lists(self: Indexes, key: Any, name: str) -> Any:
        found = (
            entry.lists
            for (other, column), entry in self._entries.items()
            if other.number == key.number and column == name
        )
        return next(found, None)

    return patch.object(Indexes, "lists", lists)


def zones_of_former_chunks() -> Any:
    """What is known of the zones of a chunk is kept under its number alone."""

    def zones(self: Any, chunk: ChunkRef, table: Any = None) -> Any:
        known = self._zones
        if chunk.key.number not in known:
            table = self._chunks.read(chunk, ()) if table is None else table
            known[chunk.key.number] = zones_of(table.schema)
        return known[chunk.key.number]

    return patch.object(Node, "_zones_of", zones)


OF_CHANGES: dict[str, Mutant] = {
    mutant.__name__: mutant
    for mutant in (
        plan_of_former_rows,
        bounds_of_former_rows,
        unique_as_before,
        lists_of_former_chunks,
        zones_of_former_chunks,
    )
}
