"""Joins by lookup: each left row has at most one right row, and its number is known.

Owns: how the kinds of join are made of row numbers. Comes in: the left frame, right rows at hand,
where they are found. Goes out: pairs, or left rows. Does not know: how a row is found, hashing.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from eau2.operators.addressing import RowTable, fetched, member, row_table, unique_member
from eau2.operators.base import Lowering
from eau2.operators.expr import Column, Expr, JoinKind
from eau2.operators.formed import in_forms
from eau2.operators.lowering import lower_expr
from eau2.operators.origins import Origin
from eau2.operators.physical import kernel_dtype
from eau2.operators.row_arrays import ROW
from eau2.operators.spans import has_numbers
from eau2.types import SqlType

_KINDS = ("inner", "left", "single", "semi", "anti", "mark")
_HELD = "held_by_a_pair"


def by_number(type_: SqlType) -> bool:
    """Whether rows can be found by keys of this type."""
    return has_numbers(kernel_dtype(type_))


def lookup_join(
    kind: JoinKind,
    left: pl.LazyFrame,
    right: pl.DataFrame,
    keys: tuple[Sequence[str], Sequence[str]],
    condition: Expr | None,
    columns: Sequence[Column],
    mark: str,
    lowering: Lowering,
    origin: Origin | None = None,
) -> pl.LazyFrame | None:
    """The join, with more columns than it gives; None where it needs hashing.

    keys: labels of the left and of the right keys; NULL equals nothing. columns: those of the
    right side that are given. mark: the label of a mark join's column. origin: where the right
    rows come from.
    """
    names, labels = keys
    if kind not in _KINDS or not labels:
        return None
    members = kind in ("semi", "anti", "mark") and condition is None
    values = [right.get_column(label) for label in labels]
    if members and len(labels) == 1:
        first, held = member(names[0], values[0], lowering.rows)
        if kind == "semi" and first is not None:
            return left.filter(first).with_columns(held.alias(_HELD)).filter(_HELD)
        return chosen(kind, left, held, mark)
    if any(value.dtype.is_nested() for value in values):
        return None
    inner = kind in ("inner", "semi")
    # What equals a left key is not fetched.
    same = dict(zip(labels, names, strict=True)) if kind == "inner" else {}
    others = [column.label for column in columns if column.label not in same]
    exists = None
    if len(names) == 1 and kind == "inner" and not others:
        exists = unique_member(names[0], values[0], lowering.rows)
    found = None
    if exists is not None:
        left = left.filter(exists)
    else:
        kept = None if origin is None else origin.of(values)
        table = row_table(names, values, lowering.rows, members, kept)
        if table is None:
            return None
        found = table.found
        left = _located(left, table, names, values, inner)
        if members:
            return left if inner else chosen(kind, left, found, mark)
    given = [fetched(right.get_column(label)) for label in others]
    given += [
        pl.col(same[column.label]).cast(right.schema[column.label]).alias(column.label)
        for column in columns
        if column.label in same
    ]
    left = left.with_columns(given)
    if condition is None:
        return left
    condition = in_forms(condition, lowering.forms)
    if inner or found is None:
        return left.filter(lower_expr(condition, lowering.diagnose))
    # A row that has no pair may hold what the condition cannot be computed of.
    there = found.fill_null(False)
    held = there & lower_expr(condition, lowering.diagnose, there).fill_null(False)
    if kind in ("anti", "mark"):
        return chosen(kind, left, held, mark)
    return left.with_columns(held.alias(_HELD)).with_columns(
        pl.when(_HELD).then(pl.col(column.label)).alias(column.label) for column in columns
    )


def chosen(kind: JoinKind, left: pl.LazyFrame, held: pl.Expr, mark: str) -> pl.LazyFrame:
    """A semi, anti or mark join by whether a pair holds the row; NULL says no."""
    if kind == "semi":
        return left.filter(held)
    held = held.fill_null(False)
    return left.filter(~held) if kind == "anti" else left.with_columns(held.alias(mark))


def _located(
    left: pl.LazyFrame,
    table: RowTable,
    names: Sequence[str],
    values: Sequence[pl.Series],
    inner: bool,
) -> pl.LazyFrame:
    """The left rows with ROW; with `inner` only those for which a row was found."""
    if inner and table.filter is not None:
        left = left.filter(table.filter)
    for column, condition in table.steps:
        left = left.with_columns(column)
        if inner and condition is not None:
            left = left.filter(condition)
    equal = [pl.col(names[n]) == fetched(values[n]) for n in table.rest]
    if not equal:
        return left
    if inner:
        return left.filter(pl.all_horizontal(equal))
    return left.with_columns(pl.when(pl.all_horizontal(equal)).then(pl.col(ROW)).alias(ROW))
