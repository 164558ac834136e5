"""What a statement gives.

Owns: `Answer`, and the small answers that are made without a query. Comes in: rows in kernel form;
goes out: the same, with what their columns are. Does not know: who computes, who shows it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

import polars as pl

from eau2.operators.expr import Column
from eau2.operators.forms import joined
from eau2.types import BIGINT, BOOLEAN, DOUBLE, VARCHAR, SqlType

_KERNEL: Mapping[SqlType, pl.DataType] = {
    BIGINT: pl.Int64(),
    BOOLEAN: pl.Boolean(),
    DOUBLE: pl.Float64(),
    VARCHAR: pl.String(),
}


class Answer:
    """Rows in kernel form as they come, and what their columns are.

    batches: at least one when there are columns; closing them ends the query.
    """

    def __init__(
        self,
        batches: Generator[pl.DataFrame, None, None],
        columns: tuple[Column, ...],
        names: tuple[str, ...],
    ) -> None:
        self.batches = batches
        self.columns = columns
        self.names = names
        self._rows: pl.DataFrame | None = None

    @property
    def rows(self) -> pl.DataFrame:
        """All rows. Raises what running the statement raises."""
        if self._rows is None:
            self._rows = joined(list(self.batches))
        return self._rows


def table(columns: Mapping[str, Sequence[str | None]]) -> Answer:
    """Text columns as an answer."""
    return typed([(name, VARCHAR, values) for name, values in columns.items()])


def typed(columns: Sequence[tuple[str, SqlType, Sequence[str | int | float | None]]]) -> Answer:
    """Columns as an answer: each its name, its type (one of those in _KERNEL) and its values."""
    described = tuple(Column(i, name, type_) for i, (name, type_, _) in enumerate(columns))
    data = {column.label: values for column, (_, _, values) in zip(described, columns, strict=True)}
    schema = {column.label: _KERNEL[column.type] for column in described}
    return _at_once(pl.DataFrame(data, schema=schema), described)


def nothing() -> Answer:
    """The answer of a statement that gives no rows."""
    return table({})


def counted(rows: int) -> Answer:
    """How many rows a statement has written."""
    column = Column(0, "Count", BIGINT)
    return _at_once(pl.DataFrame([pl.Series(column.label, [rows], pl.Int64)]), (column,))


def _at_once(rows: pl.DataFrame, columns: tuple[Column, ...]) -> Answer:
    names = tuple(column.name for column in columns)
    return Answer((frame for frame in [rows]), columns, names)
