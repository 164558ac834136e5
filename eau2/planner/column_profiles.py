"""What is believed of the columns of a plan's rows, worked out for those that somebody asks about.

Owns: `ColumnProfile`, and `Columns`: those of several inputs together, of fewer rows, or with some
of them known better. Comes in: what is believed of inputs; goes out: a mapping by column id. Does
not know: plans, conditions.

Every join and every filter changes what is believed of all columns below it, and a choice asks
about a few of them. So a change is written down, and made when a column is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar, overload

from eau2.records import Record

T = TypeVar("T")


class ColumnProfile(Record, frozen=True):
    """What is believed of a column: distinct values, bounds as numbers, fraction of NULLs."""

    distinct: float
    low: float | None = None
    high: float | None = None
    nulls: float = 0.0


class Columns(Mapping[int, ColumnProfile]):
    """The columns of `parts` together; of those with one id the last one's.

    before, after: how many rows they had, and how many are left of these: each column keeps the
    distinct values still drawn. better: what is known better of some of the columns after that.
    """

    __slots__ = ("_after", "_before", "_found", "_parts")

    def __init__(
        self,
        parts: tuple[Mapping[int, ColumnProfile], ...],
        before: float = 0.0,
        after: float = 0.0,
        better: Mapping[int, ColumnProfile] | None = None,
    ) -> None:
        self._parts = parts
        self._before = before
        self._after = after
        self._found: dict[int, ColumnProfile | None] = {} if better is None else dict(better)

    def _find(self, id_: int) -> ColumnProfile | None:
        if id_ in self._found:
            return self._found[id_]
        column = None
        for part in reversed(self._parts):
            column = part._find(id_) if isinstance(part, Columns) else part.get(id_)
            if column is not None:
                break
        if column is not None and self._after < self._before:
            column = _drawn(column, self._before, self._after)
        self._found[id_] = column
        return column

    def __getitem__(self, id_: int) -> ColumnProfile:
        found = self._find(id_)
        if found is None:
            raise KeyError(id_)
        return found

    @overload
    def get(self, id_: int, /) -> ColumnProfile | None: ...
    @overload
    def get(self, id_: int, default: ColumnProfile | T, /) -> ColumnProfile | T: ...
    def get(self, id_: int, default: object = None, /) -> object:
        """As for any mapping; quicker than the one that catches a KeyError."""
        found = self._find(id_)
        return default if found is None else found

    def __contains__(self, id_: object) -> bool:
        return isinstance(id_, int) and self._find(id_) is not None

    def __iter__(self) -> Iterator[int]:
        return iter({id_: None for part in self._parts for id_ in part})

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return any(self._parts)


def _drawn(column: ColumnProfile, before: float, after: float) -> ColumnProfile:
    """The column when `after` of `before` rows remain."""
    kept = after / before
    each = before / column.distinct
    left = column.distinct * (1.0 - (1.0 - kept) ** each)
    distinct = max(1.0, min(left, max(1.0, after)))
    return ColumnProfile(distinct, column.low, column.high, column.nulls)
