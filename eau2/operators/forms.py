"""Forms: how a kernel column holds its values, where that is not the plain way.

Owns: what forms there are, and the way back to plain columns. Comes in: labels and types; goes out:
Polars expressions. Does not know: bound expressions (formed.py), chunks, operators.

Whole numbers of a small range are held in few bits; strings of few values are codes: positions in a
dictionary.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import polars as pl

from eau2.operators.expr import Column
from eau2.operators.physical import kernel_dtype
from eau2.records import Record
from eau2.types import Kind, SqlType


class Narrow(Record, frozen=True):
    """Whole numbers (or scaled decimals, or days) in fewer bits than the type's kernel dtype."""

    dtype: pl.DataType


class Coded(Record, frozen=True, eq=False):
    """Positions in a dictionary of strings, each of which is there once; NULL is NULL."""

    values: pl.Series


Form = Narrow | Coded
Forms = Mapping[str, Form]
_BYTE_VALUES = 255
"""Polars holds a category out of so many in a byte."""

_WIDTHS: tuple[pl.DataType, ...] = (
    pl.Int8(),
    pl.UInt8(),
    pl.Int16(),
    pl.UInt16(),
    pl.Int32(),
    pl.UInt32(),
    pl.Int64(),
    pl.UInt64(),
    pl.Int128(),
)
"""Of two of these that a column can have, the later one holds all values."""

NO_FORMS: Forms = MappingProxyType({})


def plain(label: str, form: Form, type_: SqlType) -> pl.Expr:
    """The column's values in the type's kernel dtype."""
    if isinstance(form, Coded):
        return pl.lit(form.values).gather(pl.col(label))
    if type_.kind is Kind.DATE:
        return pl.col(label).cast(pl.Int32).cast(pl.Date)
    return pl.col(label).cast(kernel_dtype(type_))


def all_kept(frame: pl.LazyFrame, columns: Sequence[Column], forms: Forms) -> pl.LazyFrame:
    """The frame as the result of a stage: its dtypes say by themselves which forms there are."""
    made = []
    for column in columns:
        form = forms.get(column.label)
        if isinstance(form, Coded):
            physical = pl.UInt8 if len(form.values) <= _BYTE_VALUES else pl.UInt16
            codes = pl.col(column.label).cast(physical)
            made.append(codes.cat.to(pl.Enum(form.values)))
    return frame.with_columns(made) if made else frame


def opened(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Coded]]:
    """The result of a stage with codes in place of coded columns, and what these are."""
    coded: dict[str, Coded] = {}
    for label, dtype in frame.schema.items():
        if isinstance(dtype, pl.Enum):
            coded[label] = Coded(dtype.categories)
    if not coded:
        return frame, coded
    return frame.with_columns(frame.get_column(label).to_physical() for label in coded), coded


def form_of(type_: SqlType, held: pl.DataType | Coded | None) -> Form | None:
    """The form of a column that is held so; None for a plain one."""
    if held is None or isinstance(held, Coded):
        return held
    return Narrow(held) if held.is_integer() and held != kernel_dtype(type_) else None


def plain_result(frame: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    """The result of a stage with all columns plain."""
    frame, coded = opened(frame)
    forms: dict[str, Form] = {**coded}
    for column in columns:
        form = form_of(column.type, coded.get(column.label, frame.schema[column.label]))
        if form is not None:
            forms[column.label] = form
    if not forms:
        return frame
    return all_plain(frame.lazy(), columns, forms).collect(engine="in-memory")


def one_dtype(dtypes: Collection[pl.DataType]) -> pl.DataType:
    """The dtype that parts of one column take together, which differ only in their forms."""
    if len(dtypes) == 1:
        return next(iter(dtypes))
    if any(isinstance(dtype, pl.Enum) for dtype in dtypes):
        return pl.String()
    plain = [dtype for dtype in dtypes if not dtype.is_integer()]
    return plain[0] if plain else max(dtypes, key=lambda dtype: _WIDTHS.index(dtype))


def in_dtypes(frame: pl.DataFrame, common: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """A result of a stage with its columns in these dtypes, which `one_dtype` has found."""
    changed = []
    for series in frame.get_columns():
        dtype = common[series.name]
        if series.dtype == dtype:
            continue
        if isinstance(series.dtype, pl.Enum):
            changed.append(strings(series))
        elif dtype == pl.Date():
            changed.append(series.cast(pl.Int32).cast(dtype))
        else:
            changed.append(series.cast(dtype))
    return frame.with_columns(changed)


def joined(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The rows of all frames in order, without a copy where they have the same dtypes.

    There is at least one frame. Narrow columns take the widest form that one of them has, and those
    of several dictionaries become strings.
    """
    if len(frames) == 1:
        return frames[0]
    first = frames[0].schema
    if all(frame.schema == first for frame in frames[1:]):
        return pl.concat(frames, rechunk=False)
    common = {name: one_dtype({frame.schema[name] for frame in frames}) for name in first}
    return pl.concat([in_dtypes(frame, common) for frame in frames], rechunk=False)


def strings(series: pl.Series) -> pl.Series:
    """A coded column of a stage's result as strings."""
    assert isinstance(series.dtype, pl.Enum)
    codes = series.to_physical()
    return series.dtype.categories.gather(codes).alias(series.name)


def all_plain(frame: pl.LazyFrame, columns: Sequence[Column], forms: Forms) -> pl.LazyFrame:
    """The frame, with those of `columns` that have a form as plain ones."""
    made = [
        plain(column.label, forms[column.label], column.type).alias(column.label)
        for column in columns
        if column.label in forms
    ]
    return frame.with_columns(made) if made else frame
