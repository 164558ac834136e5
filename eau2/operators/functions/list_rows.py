"""Lists as rows of elements, and rows of elements as lists again.

Owns: the two ways, over columns of one batch. Comes in: Series. Goes out: Series.
Does not know: functions, SQL types.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from eau2.operators.physical import holds_wide
from eau2.records import Record

ROW = "row"
VALUE = "value"


class Elements(Record, frozen=True):
    """The elements of a column of lists, in order: of which row each is, and the elements.

    known: which rows hold a list at all; it is as long as the column.
    """

    rows: pl.Series
    values: pl.Series
    known: pl.Series

    def positions(self) -> pl.Series:
        """Of each element its place in its list, from 1."""
        begins = self.rows.search_sorted(self.rows, side="left").cast(pl.Int64)
        return pl.int_range(1, len(begins) + 1, eager=True) - begins

    def mapped(self, plan: pl.Expr, label: str = "0") -> pl.Series:
        """Lists of what `plan` gives over the elements, which are the column `label`."""
        frame = self.values.to_frame(label).with_columns(plan.alias(VALUE))
        return self.lists(frame.get_column(VALUE))

    def lists(self, values: pl.Series) -> pl.Series:
        """Other values in the places of the elements, as lists of as many rows."""
        return nested(self.rows, values, self.known)


def elements(lists: pl.Series) -> Elements:
    """The elements of every list."""
    frame = pl.DataFrame({ROW: pl.int_range(len(lists), eager=True), VALUE: lists})
    rows = frame.explode(VALUE, empty_as_null=False, keep_nulls=False)
    return Elements(rows.get_column(ROW), rows.get_column(VALUE), lists.is_not_null())


def nested(rows: pl.Series, values: pl.Series, known: pl.Series) -> pl.Series:
    """The lists of values that have the same row; rows ascend.

    known: where there is a list; one of no values is empty, and elsewhere is NULL.
    """
    rows = rows.set_sorted()
    if values.dtype != pl.Int128 and not holds_wide(values.dtype):
        return _cut(rows, values, known)
    frame = pl.DataFrame({ROW: rows, VALUE: values})
    grouped = frame.group_by(ROW, maintain_order=True).agg(VALUE)
    every = pl.DataFrame({ROW: pl.int_range(len(known), eager=True), "known": known})
    joined = every.join(grouped, on=ROW, how="left", maintain_order="left")
    dtype = pl.List(values.dtype)
    filled = pl.col(VALUE).fill_null(pl.lit([], dtype))
    return joined.select(pl.when("known").then(filled).cast(dtype).alias(VALUE)).to_series()


def _cut(rows: pl.Series, values: pl.Series, known: pl.Series) -> pl.Series:
    """The same by Arrow, which has no 128-bit integers: the values stay where they are."""
    every = pl.int_range(0, len(known) + 1, eager=True)
    offsets = rows.search_sorted(every, side="left").cast(pl.Int64).to_arrow()
    # The end of a longer column, as which no values may come, cannot always be exported.
    held = values if len(values) else pl.Series([], dtype=values.dtype)
    elements = held.to_frame(VALUE).to_arrow(compat_level=pl.CompatLevel.newest()).column(0)
    missing = (~known).to_arrow()
    lists = pa.LargeListArray.from_arrays(offsets, elements.combine_chunks(), mask=missing)
    return pl.Series(VALUE, pl.from_arrow(lists))
