"""Join: pairs of rows of two inputs, all SQL kinds, with any condition.

Owns: how each kind of join becomes Polars joins. Comes in: two frames, equalities, a condition
over both. Goes out: pairs in no particular order; outer kinds pad with NULLs.
Does not know: which side is larger, join order, casts (the binder made the keys' types equal).

An outer, semi, anti, mark or single join with a condition beyond its equalities goes by row
numbers: pairs = inner join and filter over numbered inputs; the rows that are in no pair are the
unmatched ones. A numbered input is cached, since numbers are only good while both its uses see the
same rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from eau2.errors import DataError
from eau2.operators.asof import nearest, sides_of
from eau2.operators.base import Lowering, Operator, plain_columns
from eau2.operators.existence import comparison_of, with_ends
from eau2.operators.expr import Column, Expr, JoinKind
from eau2.operators.formed import in_forms
from eau2.operators.functions.checks import batchwise
from eau2.operators.lookup_join import by_number, chosen, lookup_join
from eau2.operators.lowering import lower_expr
from eau2.operators.origins import Origin
from eau2.operators.pairing import Pairing, pad, with_key_pairs
from eau2.operators.physical import kernel_dtype
from eau2.operators.scan import StageInput
from eau2.operators.values import HEIGHT, keep

_KEEPING = frozenset({"inner", "cross", "semi", "anti", "mark", "single"})
_LEFT_ROW, _RIGHT_ROW, _COUNT = "left_row", "right_row", "pairs_of_row"


class Join(Operator, frozen=True):
    """Pairs of rows for which all `equalities` hold and `condition` is true.

    equalities: (left expression, right expression) of one type; NULL equals nothing, unless
    `null_safe`; NaN equals NaN. condition: over both sides' columns; None is true. semi and anti
    give left columns only, mark also the column `mark`: whether the row is in a pair. single is
    left, but no left row may be in two pairs. asof and asof_left pair a left row with the nearest
    right one by `condition`, an inequality; of several equally near ones with the first by its
    columns, in their order. lookups: whether rows may be found by arrays over whole-number keys
    where that is quicker than hashing.
    """

    kind: JoinKind
    left: Operator
    right: Operator
    equalities: tuple[tuple[Expr, Expr], ...] = ()
    condition: Expr | None = None
    null_safe: bool = False
    mark: Column | None = None
    lookups: bool = True

    def __post_init__(self) -> None:
        if (self.kind == "mark") != (self.mark is not None):
            raise ValueError("a mark column belongs to a mark join")
        if self.kind in ("asof", "asof_left"):
            sides_of(self.condition, self.left.output, self.right.output)
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
        if self.mark is not None:
            return (*self.left.output, self.mark)
        return self.left.output + self.right.output

    @property
    def takes_forms(self) -> bool:
        """Not where rows without a partner are made, and put below those that have one."""
        by_keys = self.condition is None and bool(self.equalities)
        return self.kind in _KEEPING or (self.kind == "left" and by_keys)

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        left, right = inputs
        if self.kind == "single":
            right = plain_columns(right, self.right.output, lowering)
        if not self.right.output:
            right = right.rename({HEIGHT: "right_height"})
        # A condition that is written twice, or once in either direction, is one key.
        equalities = tuple(dict.fromkeys(self.equalities))
        left, right, keys = with_key_pairs(left, right, equalities, self.null_safe, lowering)
        if self.kind in ("asof", "asof_left"):
            pairing = Pairing(*keys, self.null_safe, None)
            order = sides_of(self.condition, self.left.output, self.right.output)
            outer, labels = self.kind == "asof_left", self.right.output
            return keep(nearest(left, right, pairing, order, labels, outer, lowering), self.output)
        condition = self.condition
        rows = self._at_hand(right, keys[1], lowering)
        if rows is not None:
            mark = "" if self.mark is None else self.mark.label
            columns = self.right.output
            found = lookup_join(
                self.kind,
                left,
                rows,
                keys,
                condition,
                columns,
                mark,
                lowering,
                self._origin(lowering),
            )
            if found is not None:
                return keep(found, self.output)
        lowered = (
            None
            if condition is None
            else lower_expr(in_forms(condition, lowering.forms), lowering.diagnose)
        )
        pairing = Pairing(*keys, self.null_safe, lowered)
        if isinstance(self.right, StageInput):
            by_one_key = len(keys[1]) == 1 and not self.null_safe and condition is None
            if by_one_key and self.kind in ("semi", "anti"):
                how = self.kind
                return keep(pairing.members(left, right, how), self.output)
            if self.kind in ("inner", "semi"):
                left = pairing.reduced(left, right, lowering.rows)
        if self.kind in ("semi", "anti", "mark"):
            near = comparison_of(condition, self.left.output, self.right.output)
            if near is not None:
                label = "" if self.mark is None else self.mark.label
                left, held = with_ends(left, right, pairing, near, self.kind, lowering, rows)
                return keep(chosen(self.kind, left, held, label), self.output)
        return keep(self._join(left, right, pairing), self.output)

    def _at_hand(
        self, right: pl.LazyFrame, keys: tuple[str, ...], lowering: Lowering
    ) -> pl.DataFrame | None:
        """The right rows with their keys, where rows may be found among them by whole numbers."""
        if not isinstance(self.right, StageInput) or not self.lookups or self.null_safe:
            return None
        if not self.right.output or not any(by_number(a.type) for a, _ in self.equalities):
            return None
        rows = self.right.at_hand(lowering)
        made_plain = not self.takes_forms or self.kind == "single"
        if rows is None or made_plain or not set(keys).issubset(rows.columns):
            rows = right.collect()
        return None if rows.is_empty() else rows

    def _origin(self, lowering: Lowering) -> Origin | None:
        """Where the right rows come from, if that is known."""
        return self.right.origin(lowering) if isinstance(self.right, StageInput) else None

    def _join(self, left: pl.LazyFrame, right: pl.LazyFrame, pairing: Pairing) -> pl.LazyFrame:
        by_keys = pairing.condition is None and bool(pairing.left_keys)
        match self.kind:
            case "inner" | "cross":
                return pairing.pairs(left, right)
            case "semi" | "anti" if pairing.condition is None and not by_keys:
                return _if_any(left, right, self.kind)
            case "mark" if self.mark is not None:
                return _marked(left, right, pairing, self.mark.label, by_keys)
            case "single":
                return self._single(left, right, pairing, by_keys)
            case "left" | "right" | "full" | "semi" | "anti" if by_keys:
                return pairing.equi_join(left, right, self.kind)
        return self._join_by_row_numbers(left, right, pairing)

    def _single(
        self, left: pl.LazyFrame, right: pl.LazyFrame, pairing: Pairing, by_keys: bool
    ) -> pl.LazyFrame:
        """A left join in which every left row stays one row."""
        count = pl.len().alias(_COUNT)
        if by_keys:
            counted = right.with_columns(count.over(list(dict.fromkeys(pairing.right_keys))))
            return _refusing_several(pairing.equi_join(left, counted, "left"), self.right.output)
        left = left.with_row_index(_LEFT_ROW).cache()
        pairs = pairing.pairs(left, right)
        taken = [_LEFT_ROW, *(column.label for column in self.right.output)]
        counted = pairs.select(taken).with_columns(count.over(_LEFT_ROW))
        joined = left.join(counted, on=_LEFT_ROW, how="left")
        return _refusing_several(joined, self.right.output)

    def _join_by_row_numbers(
        self, left: pl.LazyFrame, right: pl.LazyFrame, pairing: Pairing
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
            parts.append(keep(pad(lonely, self.right.output), self.output))
        if self.kind in ("right", "full"):
            lonely = right.join(pairs.select(_RIGHT_ROW), on=_RIGHT_ROW, how="anti")
            parts.append(keep(pad(lonely, self.left.output), self.output))
        return pl.concat(parts)


def _marked(
    left: pl.LazyFrame, right: pl.LazyFrame, pairing: Pairing, mark: str, by_keys: bool
) -> pl.LazyFrame:
    """The left rows in their order, each with whether a pair holds it."""
    if by_keys:
        keys = list(pairing.right_keys)
        found = (
            right.select(list(dict.fromkeys(keys))).unique().with_columns(pl.lit(True).alias(mark))
        )
        marked = left.join(
            found,
            left_on=list(pairing.left_keys),
            right_on=keys,
            how="left",
            nulls_equal=pairing.null_safe,
            maintain_order="left",
        )
    elif pairing.condition is None:
        return left.join(right.select((pl.len() > 0).alias(mark)), how="cross")
    else:
        left = left.with_row_index(_LEFT_ROW).cache()
        rows = pairing.pairs(left, right).select(_LEFT_ROW).unique()
        found = rows.with_columns(pl.lit(True).alias(mark))
        marked = left.join(found, on=_LEFT_ROW, how="left", maintain_order="left")
    return marked.with_columns(pl.col(mark).fill_null(False))


def _refusing_several(joined: pl.LazyFrame, columns: Sequence[Column]) -> pl.LazyFrame:
    """The rows as they are; an error where a left row is in several pairs."""

    def check(frame: pl.DataFrame) -> pl.Series:
        if (frame.get_column("1") > 1).any():
            raise DataError(
                "more than one row returned by a subquery used as an expression",
                hint="Let it give one row: with an aggregate, LIMIT 1, or a narrower condition.",
            )
        return frame.get_column("0")

    return joined.with_columns(
        batchwise(kernel_dtype(column.type), check, pl.col(column.label), pl.col(_COUNT)).alias(
            column.label
        )
        for column in columns
    )


def _if_any(left: pl.LazyFrame, right: pl.LazyFrame, kind: JoinKind) -> pl.LazyFrame:
    """All left rows if `right` has a row (semi) or has none (anti), else none."""
    found = right.select((pl.len() > 0).alias("found"))
    wanted = pl.col("found") if kind == "semi" else ~pl.col("found")
    return left.join(found, how="cross").filter(wanted)
