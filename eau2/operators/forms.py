"""Forms: how a kernel column holds its values, where that is not the plain way.

Owns: what forms there are, and the way back to plain columns. Comes in: labels and types; goes out:
Polars expressions. Does not know: bound expressions (formed.py), chunks, operators.

Whole numbers of a small range are held in few bits; strings of few values are codes: positions in a
dictionary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import polars as pl

from eau2.operators.expr import Column
from eau2.operators.physical import kernel_dtype
from eau2.types import Kind, SqlType


@dataclass(frozen=True, slots=True)
class Narrow:
    """Whole numbers (or scaled decimals, or days) in fewer bits than the type's kernel dtype."""

    dtype: pl.DataType


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """Positions in a dictionary of strings, each of which is there once; NULL is NULL."""

    values: pl.Series


Form = Narrow | Coded
Forms = Mapping[str, Form]
NO_FORMS: Forms = MappingProxyType({})


def plain(label: str, form: Form, type_: SqlType) -> pl.Expr:
    """The column's values in the type's kernel dtype."""
    if isinstance(form, Coded):
        return pl.lit(form.values).gather(pl.col(label))
    if type_.kind is Kind.DATE:
        return pl.col(label).cast(pl.Int32).cast(pl.Date)
    return pl.col(label).cast(kernel_dtype(type_))


def all_plain(frame: pl.LazyFrame, columns: Sequence[Column], forms: Forms) -> pl.LazyFrame:
    """The frame, with those of `columns` that have a form as plain ones."""
    made = [
        plain(column.label, forms[column.label], column.type).alias(column.label)
        for column in columns
        if column.label in forms
    ]
    return frame.with_columns(made) if made else frame
