"""PartitionTop: the rows that can be among the first of their partition.

Owns: the operator. Comes in: rows, all of them or those of one task. Goes out: fewer rows, in the
same order. Does not know: windows, which number the rows that are left.

A row is dropped when as many rows of its partition as are wanted come before it by the first key
alone. So whatever else decides between peers, the first rows of every partition are all there, and
a row's number among them is that among all.
"""

from __future__ import annotations

import polars as pl

from eau2.operators.base import Lowering, Operator
from eau2.operators.exact_sum import canonical
from eau2.operators.expr import Column, ColumnRef, Expr, SortKey
from eau2.operators.formed import in_forms
from eau2.operators.lowering import lower_expr
from eau2.operators.sort import among_first, not_after, ordinal

_STEPS = 3
"""So many first rows are found by one extreme after the other, more by a heap per partition."""
_KEY, _LAST, _PART = "top_key", "top_last", "top_part_"


class PartitionTop(Operator, frozen=True):
    """Of each partition at least the first `count` rows by the key.

    The key has short values (see sort.py); no partition key is a list or an interval. Without
    partition keys all rows are one partition.
    """

    input: Operator
    partition: tuple[Expr, ...]
    key: SortKey
    count: int

    def __post_init__(self) -> None:
        assert self.count > 0

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.input.output

    @property
    def takes_forms(self) -> bool:
        return True

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        value = lower_expr(in_forms(self.key.expr, lowering.forms), lowering.diagnose)
        rows = inputs[0].with_columns(
            ordinal(value, self.key.expr.type).alias(_KEY),
            *(
                self._partition(expr, lowering).alias(f"{_PART}{number}")
                for number, expr in enumerate(self.partition)
            ),
        )
        parts = [pl.col(f"{_PART}{number}") for number in range(len(self.partition))]
        if self.count <= _STEPS:
            kept = self._by_steps(rows, parts)
        else:
            kept = rows.filter(among_first(pl.col(_KEY), self.key, self.count, parts))
        return kept.drop(_KEY, *(f"{_PART}{number}" for number in range(len(parts))))

    def _by_steps(self, rows: pl.LazyFrame, parts: list[pl.Expr]) -> pl.LazyFrame:
        """The rows up to the last of as many different values: extremes are quickly found."""
        value, last = pl.col(_KEY), pl.col(_LAST)
        behind = value < last if self.key.descending else value > last
        left = [value, *[pl.when(behind).then(value)] * (self.count - 1)]
        for candidates in left:
            best = candidates.max() if self.key.descending else candidates.min()
            rows = rows.with_columns((best.over(parts) if parts else best).alias(_LAST))
        return rows.filter(not_after(value, last, self.key)).drop(_LAST)

    def _partition(self, expr: Expr, lowering: Lowering) -> pl.Expr:
        """What is equal where the key is: of a bare column any form will do."""
        if isinstance(expr, ColumnRef) and not expr.type.is_float:
            return pl.col(expr.label)
        value = lower_expr(in_forms(expr, lowering.forms), lowering.diagnose)
        return canonical(value) if expr.type.is_float else value
