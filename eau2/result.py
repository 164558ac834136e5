"""What a statement gave, as a program holds it: all rows, or batches of them as they come.

Owns: `Result` and `Batches`, and their conversions. Comes in: Arrow tables in the form users see,
or what makes one; goes out: the same, Polars frames, tuples. Does not know: who computed the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from eau2.errors import InterfaceError
from eau2.operators.interval_form import durations, stored_from_arrow
from eau2.render import box
from eau2.types import HUGEINT, INTERVAL, SqlType, decimal, from_arrow, stored_arrow

if TYPE_CHECKING:
    from eau2.chart import Chart

REPR_ROWS = 40


class Result:
    """The rows of a statement. They are all here; converting them does not run anything."""

    def __init__(
        self,
        names: tuple[str, ...],
        types: tuple[SqlType, ...],
        rows: int,
        arrow: pa.Table | Callable[[], pa.Table],
    ) -> None:
        """arrow: the rows, or what makes them when they are first asked for."""
        self._names = names
        self._types = types
        self._rows = rows
        self._arrow = arrow

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order; they may repeat."""
        return self._names

    @property
    def types(self) -> tuple[SqlType, ...]:
        """The columns' SQL types, in order."""
        return self._types

    @property
    def rows(self) -> int:
        """The number of rows; 0 for a statement that gives no table."""
        return self._rows

    def to_arrow(self) -> pa.Table:
        """The rows as an Arrow table."""
        if not isinstance(self._arrow, pa.Table):
            self._arrow = self._arrow()
        return self._arrow

    def to_polars(self) -> pl.DataFrame:
        """The rows as a Polars frame. Raises InterfaceError when two columns have one name.

        Polars has no INTERVAL: such a column is a struct of months, days and micros.
        """
        if len(set(self.names)) < len(self.names):
            raise InterfaceError("Polars needs distinct column names: rename some with AS")
        table = self.to_arrow()
        stored = stored_arrow(INTERVAL)
        for position, type_ in enumerate(self.types):
            if type_ == INTERVAL:
                chunks = [stored_from_arrow(c, stored) for c in table.column(position).chunks]
                column = pa.chunked_array(chunks, stored)
                table = table.set_column(position, self.names[position], column)
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows as tuples of int, float, Decimal, str, bool, None and the types of datetime.

        A timedelta counts 30 days for a month.
        """
        whole = {i for i, type_ in enumerate(self.types) if type_.is_integer}
        columns = []
        for i, column in enumerate(self.to_arrow().columns):
            if self.types[i] == INTERVAL:
                columns.append([span for chunk in column.chunks for span in durations(chunk)])
                continue
            values = column.to_pylist()
            if i in whole and pa.types.is_decimal(column.type):
                values = [None if value is None else int(value) for value in values]
            columns.append(values)
        return list(zip(*columns, strict=True))

    def plot(
        self,
        kind: str | None = None,
        x: str | None = None,
        y: str | Sequence[str] | None = None,
    ) -> Chart:
        """A chart of the rows, which a notebook draws; `save` writes it as SVG.

        kind: bar, line, scatter or histogram; None for what suits the types: bars for texts with
        numbers, lines for dates or numbers with numbers, a histogram for one column of numbers.
        x, y: names of columns, None for the first that fit. Raises UsageError.
        """
        from eau2.chart import Chart

        return Chart(self.to_arrow(), kind, x, y)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The Arrow PyCapsule protocol: pyarrow, Polars, DuckDB and pandas read results by it."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return self.rows

    def __repr__(self) -> str:
        return box(self.to_arrow(), self.types, max_rows=REPR_ROWS)

    def _repr_html_(self) -> str:
        """For notebooks: at most 40 rows, types under the names, and how many rows there are."""
        from eau2.formats.html import page

        return page(self.to_arrow(), self.types)


class Batches:
    """The rows of a statement as record batches, computed while they are taken.

    It is read once: by iteration, or by whatever reads `__arrow_c_stream__`. Closing it, leaving
    its `with` block, or letting go of it ends the query. (A pyarrow reader would not: closing one
    leaves alone what feeds it. Nor do errors keep their class on the way through one.)
    """

    def __init__(
        self,
        tables: Generator[pa.Table, None, None],
        types: Callable[[], tuple[SqlType, ...]] = tuple,
    ) -> None:
        """tables: one at least, all of one schema. The first is taken at once.

        types: gives the columns' types, or nothing while they are not known.
        """
        self._tables = tables
        self._types = types
        first: pa.Table = next(tables)
        self._schema = first.schema
        self._batches = _cut(first, tables)

    @property
    def schema(self) -> pa.Schema:
        """The columns' names and Arrow types."""
        return self._schema

    @property
    def types(self) -> tuple[SqlType, ...]:
        """The columns' SQL types. Before a node's answer has ended, what their Arrow types say.

        Arrow has one type for HUGEINT and DECIMAL(38, 0), which counts as HUGEINT until then.
        """
        known = self._types()
        if len(known) == len(self._schema):
            return known
        said = [from_arrow(field.type, field.name) for field in self._schema]
        return tuple([HUGEINT if type_ == decimal(38, 0) else type_ for type_ in said])

    def read_next_batch(self) -> pa.RecordBatch:
        """The next batch. Raises StopIteration after the last one, and what the query raises."""
        return next(self._batches)

    def read_all(self) -> pa.Table:
        """All rows that are still to come, as a table."""
        return pa.Table.from_batches(list(self), self._schema)

    def close(self) -> None:
        """End the query. May be called again."""
        self._batches.close()
        self._tables.close()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self._batches

    def __next__(self) -> pa.RecordBatch:
        return next(self._batches)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The Arrow PyCapsule protocol."""
        reader = pa.RecordBatchReader.from_batches(self._schema, self._batches)
        return reader.__arrow_c_stream__(requested_schema)

    def __enter__(self) -> Batches:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _cut(
    first: pa.Table, tables: Generator[pa.Table, None, None]
) -> Generator[pa.RecordBatch, None, None]:
    """The batches of all tables. They do not hold the Batches: letting go of that ends them."""
    table: pa.Table | None = first
    del first
    while table is not None:
        yield from table.to_batches()
        table = next(tables, None)
