"""The rows of a result that are shown where not all are: the first and the last ones.

Owns: which rows, and holding no others. Comes in: the parts of a result, one by one. Goes out:
their cells as texts. Does not know: how they are drawn.
"""

from __future__ import annotations

from collections import deque

import pyarrow as pa

from eau2.formats.parts import slices
from eau2.operators.cells import text_cell

Cells = list[list[str | None]]
"""By column; None for NULL."""


class Sample:
    """All rows of a result, or the first and the last ones when there are more than `max_rows`."""

    def __init__(self, max_rows: int) -> None:
        self.schema: pa.Schema = pa.schema([])
        self.rows = 0
        self._max_rows = max_rows
        self._head: Cells = []
        self._tail: deque[pa.Table] = deque()

    @property
    def shown(self) -> int:
        """How many rows are shown."""
        return min(self.rows, self._max_rows)

    @property
    def gap(self) -> int | None:
        """Behind how many of the rows shown some are left out; None when all are shown."""
        return None if self.shown == self.rows else self._max_rows - self._max_rows // 2

    def add(self, table: pa.Table) -> None:
        """Take the next part. What is not needed of it is not kept."""
        if not self._head:
            self.schema = table.schema
            self._head = [[] for _ in table.schema]
        self.rows += table.num_rows
        room = self._max_rows - (len(self._head[0]) if self._head else 0)
        if room > 0:
            for column, cells in zip(self._head, _cells(table.slice(0, room)), strict=True):
                column += cells
        self._tail.append(table)
        held = sum(part.num_rows for part in self._tail)
        while held - self._tail[0].num_rows >= self._max_rows // 2 and len(self._tail) > 1:
            held -= self._tail.popleft().num_rows

    def cells(self) -> Cells:
        """The cells of the rows to show."""
        if self.gap is None:
            return self._head
        end = pa.concat_tables(self._tail)
        last = _cells(end.slice(end.num_rows - self._max_rows // 2))
        return [[*h[: self.gap], *t] for h, t in zip(self._head, last, strict=True)]


def _cells(table: pa.Table) -> Cells:
    if table.num_rows == 0:
        return [[] for _ in range(table.num_columns)]
    (frame,) = slices(table)
    texts = frame.select(text_cell(name, type_) for name, type_ in frame.schema.items())
    return [column.to_list() for column in texts.iter_columns()]
