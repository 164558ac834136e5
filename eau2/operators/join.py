"""Join: pairs of rows of two inputs, all SQL kinds, with any condition.

Owns: how each kind of join becomes Polars joins. Comes in: two frames, equalities, a condition
over both. Goes out: pairs in no particular order; outer kinds pad with NULLs.
Does not know: which side is larger, join order, casts (the binder made the keys' types equal).

An outer, semi or anti join with a condition beyond its equalities goes by row numbers: pairs =
inner join and filter over numbered inputs; the rows that are in no pair are the unmatched ones. A
numbered input is cached, since numbers are only good while both its uses see the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal as OneOf

import polars as pl

from eau2.errors import InternalError
from eau2.operators.base import Lowering, Operator
from eau2.operators.exact_sum import canonical
from eau2.operators.expr import Column, ColumnRef, Expr, JoinKind
from eau2.operators.lowering import lower_expr
from eau2.operators.physical import kernel_dtype
from eau2.operators.values import HEIGHT, keep
from eau2.types import Kind, SqlType

_BITS: dict[Kind, pl.DataType] = {Kind.FLOAT: pl.Int32(), Kind.DOUBLE: pl.Int64()}
_LEFT_ROW, _RIGHT_ROW = "left_row", "right_row"


@dataclass(frozen=True, slots=True)
class Join(Operator):
    """Pairs of rows for which all `equalities` hold and `condition` is true.

    equalities: (left expression, right expression) of one type; NULL equals nothing, unless
    `null_safe`; NaN equals NaN. condition: over both sides' columns; None is true. semi and anti
    give left columns only.
    """

    kind: JoinKind
    left: Operator
    right: Operator
    equalities: tuple[tuple[Expr, Expr], ...] = ()
    condition: Expr | None = None
    null_safe: bool = False

    def __post_init__(self) -> None:
        for left, right in self.equalities:
            if left.type != right.type:
                raise ValueError(f"join keys of types {left.type} and {right.type}")

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.left, self.right)

    @property
    def output(self) -> tuple[Column, ...]:
        if self.kind in ("semi", "anti"):
            return self.left.output
        return self.left.output + self.right.output

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        left, right = inputs
        if not self.right.output:
            right = right.rename({HEIGHT: "right_height"})
        # A condition that is written twice, or once in either direction, is one key.
        equalities = tuple(dict.fromkeys(self.equalities))
        left, left_keys = _with_keys(left, [a for a, _ in equalities], "left_key", lowering)
        right, right_keys = _with_keys(right, [b for _, b in equalities], "right_key", lowering)
        pairing = _Pairing(
            tuple(left_keys),
            tuple(right_keys),
            self.null_safe,
            None if self.condition is None else lower_expr(self.condition, lowering.diagnose),
        )
        return keep(self._join(left, right, pairing), self.output)

    def _join(self, left: pl.LazyFrame, right: pl.LazyFrame, pairing: _Pairing) -> pl.LazyFrame:
        match self.kind:
            case "inner" | "cross":
                return pairing.pairs(left, right)
            case "semi" | "anti" if pairing.condition is None and not pairing.left_keys:
                return _if_any(left, right, self.kind)
            case "mark" | "single" | "asof" | "asof_left":
                raise InternalError(f"a {self.kind} join reached the kernels")
            case kind if pairing.condition is None and pairing.left_keys:
                return pairing.equi_join(left, right, kind)
        return self._join_by_row_numbers(left, right, pairing)

    def _join_by_row_numbers(
        self, left: pl.LazyFrame, right: pl.LazyFrame, pairing: _Pairing
    ) -> pl.LazyFrame:
        if self.kind != "right":
            left = left.with_row_index(_LEFT_ROW).cache()
        if self.kind in ("right", "full"):
            right = right.with_row_index(_RIGHT_ROW).cache()
        pairs = pairing.pairs(left, right)
        match self.kind:
            case "semi":
                return left.join(pairs.select(_LEFT_ROW), on=_LEFT_ROW, how="semi")
            case "anti":
                return left.join(pairs.select(_LEFT_ROW), on=_LEFT_ROW, how="anti")
            case "full":
                pairs = pairs.cache()
        parts = [keep(pairs, self.output)]
        if self.kind in ("left", "full"):
            lonely = left.join(pairs.select(_LEFT_ROW), on=_LEFT_ROW, how="anti")
            parts.append(keep(_pad(lonely, self.right.output), self.output))
        if self.kind in ("right", "full"):
            lonely = right.join(pairs.select(_RIGHT_ROW), on=_RIGHT_ROW, how="anti")
            parts.append(keep(_pad(lonely, self.left.output), self.output))
        return pl.concat(parts)


@dataclass(frozen=True, slots=True)
class _Pairing:
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


def _with_keys(
    frame: pl.LazyFrame, keys: Sequence[Expr], prefix: str, lowering: Lowering
) -> tuple[pl.LazyFrame, list[str]]:
    """The frame with a column for each key that is not one already, and the keys' labels."""
    labels: list[str] = []
    computed: list[pl.Expr] = []
    for index, key in enumerate(keys):
        if isinstance(key, ColumnRef) and not key.type.is_float:
            labels.append(key.label)
            continue
        labels.append(f"{prefix}_{index}")
        value = lower_expr(key, lowering.diagnose)
        computed.append((_bits(value, key.type) if key.type.is_float else value).alias(labels[-1]))
    return (frame.with_columns(computed) if computed else frame), labels


def _bits(value: pl.Expr, type_: SqlType) -> pl.Expr:
    """Floats as integers that are equal where the floats are.

    Polars joins sorted keys by merging them, and there NaN would not equal NaN.
    """
    return canonical(value).reinterpret(dtype=_BITS[type_.kind])


def _pad(frame: pl.LazyFrame, columns: Sequence[Column]) -> pl.LazyFrame:
    """The frame with `columns` as NULLs."""
    return frame.with_columns(
        pl.lit(None, dtype=kernel_dtype(column.type)).alias(column.label) for column in columns
    )


def _if_any(left: pl.LazyFrame, right: pl.LazyFrame, kind: JoinKind) -> pl.LazyFrame:
    """All left rows if `right` has a row (semi) or has none (anti), else none."""
    found = right.select((pl.len() > 0).alias("found"))
    wanted = pl.col("found") if kind == "semi" else ~pl.col("found")
    return left.join(found, how="cross").filter(wanted)
