"""Parts of a result as the formats take them: slices of a fit size, even tables, names for once.

Owns: how many rows are turned to bytes at once. Comes in: Arrow tables in their logical types. Goes
out: Polars frames, Arrow tables. Does not know: any format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import polars as pl
import pyarrow as pa

from eau2.operators.functions.interval_text import intervals_spelled

Piece = bytes | memoryview

SLICE_ROWS: Final = 100_000
"""Rows turned to bytes at once, so that a large result needs no second copy in memory."""


def slices(table: pa.Table) -> Iterator[pl.DataFrame]:
    """Polars frames over slices of `table`, their columns named by position.

    By position, since a result may use one name twice and a Polars frame cannot.
    """
    plain = table.rename_columns([str(index) for index in range(table.num_columns)])
    for start in range(0, table.num_rows, SLICE_ROWS):
        frame = pl.from_arrow(intervals_spelled(plain.slice(start, SLICE_ROWS)))
        assert isinstance(frame, pl.DataFrame)
        yield frame


def lines(frame: pl.DataFrame, line: pl.Expr, end: str = "\n") -> bytes:
    """What `line` makes of each row of `frame`, joined, each with `end` behind it."""
    return f"{frame.select(line.alias('0'))['0'].str.join(end)[0]}{end}".encode()


def even(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of SLICE_ROWS, the last one shorter; one at least."""
    held: list[pa.Table] = []
    rows = given = 0
    for table in tables:
        held.append(table)
        rows += table.num_rows
        while rows >= SLICE_ROWS:
            whole = pa.concat_tables(held)
            yield _compact(whole.slice(0, SLICE_ROWS))
            given += 1
            rows -= SLICE_ROWS
            held = [whole.slice(SLICE_ROWS)]
    if held and (rows or not given):
        yield _compact(pa.concat_tables(held))


def _compact(table: pa.Table) -> pa.Table:
    """The rows in buffers of their own, whose sizes depend on nothing else."""
    # Joining with an empty array makes even a single slice copy only the bytes it refers to.
    columns = [
        pa.concat_arrays([*column.chunks, pa.array([], column.type)]) for column in table.columns
    ]
    return pa.Table.from_arrays(columns, schema=table.schema)


def unique(column_names: Sequence[str]) -> list[str]:
    """The names, numbered where one occurs again."""
    taken: set[str] = set()
    names: list[str] = []
    for name in column_names:
        candidate, number = name, 0
        while candidate in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate)
        names.append(candidate)
    return names
