"""Lists as rows of elements, and rows of elements as lists again.

Owns: the two ways, over columns of one batch. Comes in: Series. Goes out: Series.
Does not know: functions, SQL types.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

ROW = "row"
VALUE = "value"


@dataclass(frozen=True, slots=True)
class Elements:
    """The elements of a column of lists, in order: of which row each is, and the elements.

    known: which rows hold a list at all; it is as long as the column.
    """

    rows: pl.Series
    values: pl.Series
    known: pl.Series

    def positions(self) -> pl.Series:
        """Of each element its place in its list, from 1."""
        counted = self.rows.to_frame(ROW).select(pl.int_range(1, pl.len() + 1).over(ROW))
        return counted.to_series()

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
    frame = pl.DataFrame({ROW: rows.set_sorted(), VALUE: values})
    grouped = frame.group_by(ROW, maintain_order=True).agg(VALUE)
    every = pl.DataFrame({ROW: pl.int_range(len(known), eager=True), "known": known})
    joined = every.join(grouped, on=ROW, how="left", maintain_order="left")
    dtype = pl.List(values.dtype)
    filled = pl.col(VALUE).fill_null(pl.lit([], dtype))
    return joined.select(pl.when("known").then(filled).cast(dtype).alias(VALUE)).to_series()
