"""Pairing: which rows of two frames belong together, by keys and by a condition over both.

Owns: how keys become columns that join as SQL compares, the pairs themselves, and which left rows
cannot be in one. Comes in: two frames, expressions. Goes out: joined frames. Does not know: what
kind of join is made of the pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal as OneOf

import polars as pl

from eau2.config import LIMITS
from eau2.operators.addressing import member, sparse
from eau2.operators.base import Lowering
from eau2.operators.exact_sum import canonical
from eau2.operators.expr import Column, ColumnRef, Expr
from eau2.operators.formed import in_forms
from eau2.operators.forms import Narrow
from eau2.operators.functions.list_keys import comparable
from eau2.operators.lowering import lower_expr
from eau2.operators.physical import kernel_dtype
from eau2.records import Record
from eau2.types import Kind, SqlType

_FEW = 4
"""Of so many rows that are read at most one may be a key, for a membership test to pay."""

_BITS: dict[Kind, pl.DataType] = {Kind.FLOAT: pl.Int32(), Kind.DOUBLE: pl.Int64()}


class Pairing(Record, frozen=True):
    """When a left and a right row belong together: equal keys, and a condition over both."""

    left_keys: tuple[str, ...]
    right_keys: tuple[str, ...]
    null_safe: bool
    condition: pl.Expr | None

    def equi_join(
        self,
        left: pl.LazyFrame,
        right: pl.LazyFrame,
        how: OneOf["inner", "left", "right", "full", "cross", "semi", "anti"],
    ) -> pl.LazyFrame:
        return left.join(
            right,
            left_on=list(self.left_keys),
            right_on=list(self.right_keys),
            how=how,
            nulls_equal=self.null_safe,
            coalesce=None if how in ("semi", "anti") else False,
        )

    def pairs(self, left: pl.LazyFrame, right: pl.LazyFrame) -> pl.LazyFrame:
        if self.left_keys:
            joined = self.equi_join(left, right, "inner")
        else:
            joined = left.join(right, how="cross")
        return joined if self.condition is None else joined.filter(self.condition)

    def reduced(self, left: pl.LazyFrame, right: pl.LazyFrame, rows: int) -> pl.LazyFrame:
        """The left rows, without most of those that are in no pair. `right` is rows at hand.

        A membership test costs a tenth of a join's probe, and nothing is copied for rows that fail
        it. It is made where it may pay: `rows` are read in all, far more than `right` has, and the
        right keys do not fill their range, as those of a whole dimension would.
        """
        if self.null_safe or rows <= LIMITS.in_memory_engine_rows:
            return left
        schema = right.collect_schema()
        for mine, other in dict(zip(self.left_keys, self.right_keys, strict=True)).items():
            if not (schema[other].is_integer() and schema[other] != pl.Int128()):
                continue
            keys = right.select(other).collect().to_series()
            if keys.len() * _FEW <= rows and sparse(keys):
                first, exact = member(mine, keys, rows)
                left = left.filter(exact if first is None else first)
        return left

    def members(
        self, left: pl.LazyFrame, right: pl.LazyFrame, how: OneOf["semi", "anti"]
    ) -> pl.LazyFrame:
        """A semi or anti join by one key, the right side being rows at hand: a membership test."""
        (mine,), (other,) = self.left_keys, self.right_keys
        keys = right.select(other).collect().to_series()
        found = pl.col(mine).is_in(keys.implode()).fill_null(False)
        return left.filter(found if how == "semi" else ~found)


def with_key_pairs(
    left: pl.LazyFrame,
    right: pl.LazyFrame,
    equalities: Sequence[tuple[Expr, Expr]],
    null_safe: bool,
    lowering: Lowering,
) -> tuple[pl.LazyFrame, pl.LazyFrame, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Both frames with columns for the keys, and their labels; keys of a pair have one dtype.

    A bare right key stays in its form, and the left one takes it: what does not fit is no key.
    """
    made: list[pl.Expr] = []
    narrow: dict[int, tuple[str, str]] = {}
    for index, (a, b) in enumerate(equalities):
        form = lowering.forms.get(b.label) if isinstance(b, ColumnRef) else None
        if null_safe or not isinstance(b, ColumnRef) or not isinstance(form, Narrow):
            continue
        own = lowering.forms.get(a.label) if isinstance(a, ColumnRef) else None
        if isinstance(a, ColumnRef) and own == form:
            narrow[index] = (a.label, b.label)
            continue
        lowered = lower_expr(in_forms(a, lowering.forms), lowering.diagnose)
        value = lowered.to_physical() if a.type.is_temporal else lowered
        narrow[index] = (f"narrow_key_{index}", b.label)
        made.append(value.cast(form.dtype, strict=False).alias(narrow[index][0]))
    if made:
        left = left.with_columns(made)
    others = [pair for index, pair in enumerate(equalities) if index not in narrow]
    left, left_keys = with_keys(left, [a for a, _ in others], "left_key", lowering)
    right, right_keys = with_keys(right, [b for _, b in others], "right_key", lowering)
    plain = iter(zip(left_keys, right_keys, strict=True))
    pairs = [narrow[n] if n in narrow else next(plain) for n in range(len(equalities))]
    return left, right, (tuple(a for a, _ in pairs), tuple(b for _, b in pairs))


def with_keys(
    frame: pl.LazyFrame, keys: Sequence[Expr], prefix: str, lowering: Lowering
) -> tuple[pl.LazyFrame, list[str]]:
    """The frame with a column for each key that is not one already, and the keys' labels."""
    labels: list[str] = []
    computed: list[pl.Expr] = []
    for index, key in enumerate(keys):
        as_is = isinstance(key, ColumnRef) and key.label not in lowering.forms
        if isinstance(key, ColumnRef) and as_is and not _compares_otherwise(key.type):
            labels.append(key.label)
            continue
        labels.append(f"{prefix}_{index}")
        lowered = lower_expr(in_forms(key, lowering.forms), lowering.diagnose)
        value = comparable(lowered, key.type)
        computed.append((_bits(value, key.type) if key.type.is_float else value).alias(labels[-1]))
    return (frame.with_columns(computed) if computed else frame), labels


def _compares_otherwise(type_: SqlType) -> bool:
    """Whether values of a type may be equal and not the same."""
    return type_.has_equal_forms or type_.is_list


def _bits(value: pl.Expr, type_: SqlType) -> pl.Expr:
    """Floats as integers that are equal where the floats are.

    Polars joins sorted keys by merging them, and there NaN would not equal NaN.
    """
    return canonical(value).reinterpret(dtype=_BITS[type_.kind])


def pad(frame: pl.LazyFrame, columns: Sequence[Column]) -> pl.LazyFrame:
    """The frame with `columns` as NULLs."""
    return frame.with_columns(
        pl.lit(None, dtype=kernel_dtype(column.type)).alias(column.label) for column in columns
    )
