"""Sort, Limit and TopK: order is made here, and only here.

Owns: the order of values (NaN above every number, -0.0 and 0.0 equal, NULLs where a key says) and
its total form. Comes in: a frame and keys. Goes out: rows in order.
Does not know: how keys are computed, which keys make an order total (the binder does).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from eau2.operators.base import Lowering, Operator
from eau2.operators.exact_sum import canonical
from eau2.operators.expr import Column, ColumnRef, SortKey, columns_of
from eau2.operators.formed import in_forms
from eau2.operators.forms import NO_FORMS, Forms
from eau2.operators.functions.list_keys import comparable, list_key
from eau2.operators.lowering import lower_expr
from eau2.operators.packed_sort import Term, engine_sorted, sorted_rows
from eau2.types import Kind, SqlType

_ROWS_MAX = 2**32 - 1
_FEW_ROWS = 1000
"""So few are sorted within the query."""
_MANY_COLUMNS = 16
_CANDIDATES = 10_000
"""Of more first rows than these it takes time to find the last."""

_ALL_BUT_SIGN = 0x7FFF_FFFF_FFFF_FFFF


def _negative_zero(value: pl.Expr) -> pl.Expr:
    """True for -0.0 alone: what tells rows apart that compare equal."""
    return (value == 0.0) & (1.0 / value < 0.0)


def total_order(value: pl.Expr) -> pl.Expr:
    """Int64 in the order of floats, with -0.0 just before 0.0 and NaN last."""
    bits = value.cast(pl.Float64).fill_nan(float("nan")).reinterpret(dtype=pl.Int64)
    return pl.when(bits < 0).then(bits ^ _ALL_BUT_SIGN).otherwise(bits)


def _distinct(keys: Sequence[SortKey]) -> list[SortKey]:
    """The keys that can matter: no constants, and of equal columns the first."""
    kept: list[SortKey] = []
    seen: set[int] = set()
    for key in keys:
        if isinstance(key.expr, ColumnRef):
            if key.expr.id in seen:
                continue
            seen.add(key.expr.id)
        if columns_of(key.expr):
            kept.append(key)
    return kept


def ordered(
    frame: pl.LazyFrame,
    keys: Sequence[SortKey],
    stable: bool,
    diagnose: bool,
    held: Forms = NO_FORMS,
) -> pl.LazyFrame:
    """The frame in the order of the keys. held: the forms of its columns."""
    terms = order_terms(keys, diagnose, held)
    return engine_sorted(frame, terms, stable) if terms else frame


def order_terms(keys: Sequence[SortKey], diagnose: bool, held: Forms = NO_FORMS) -> list[Term]:
    """What rows are ordered by, over their columns in these forms.

    -0.0 and 0.0 are equal as keys but not as values, so after all keys the negative zeros of each
    float key come first: then the order does not depend on how the rows came. A last key that is a
    float has both in one integer, since a single key sorts several times faster than two. Intervals
    that are equal follow by their own form likewise.
    """
    kept = _distinct(keys)
    if not kept:
        return []
    values = [lower_expr(in_forms(key.expr, held), diagnose) for key in kept]
    by = [comparable(value, key.expr.type) for value, key in zip(values, kept, strict=True)]
    forms = [
        value
        for value, key in zip(values, kept, strict=True)
        if key.expr.type.kind is Kind.INTERVAL
    ]
    floats = [key.expr.type.is_float for key in kept]
    zeros = [~_negative_zero(value) for value, is_float in zip(by, floats, strict=True) if is_float]
    if floats[-1]:
        by[-1] = total_order(by[-1])
        zeros.pop()
    zeros += [
        list_key(value, key.expr.type, exact=True)
        for value, key in zip(values, kept, strict=True)
        if key.expr.type.is_list and key.expr.type.innermost.is_float
    ]
    terms = [
        Term(value, key.descending, key.nulls_last) for value, key in zip(by, kept, strict=True)
    ]
    return terms + [Term(value, False, True) for value in zeros + forms]


def has_short_values(type_: SqlType) -> bool:
    """Whether values of the type are compared as one number of at most 64 bits."""
    exact = type_.is_integer or type_.is_decimal or type_.kind in (Kind.DATE, Kind.TIMESTAMP)
    return type_.is_float or (exact and not type_.is_wide)


def among_first(
    value: pl.Expr, key: SortKey, count: int, partition: Sequence[pl.Expr] = ()
) -> pl.Expr:
    """Whether a row can be among the first `count` of its partition, by one key of short values.

    value: the key's, as `ordinal` has it. False where so many rows come before it by this key
    alone: such a row does not change which the first rows are, whatever decides between peers.
    """
    if key.descending:
        last = value.max() if count == 1 else value.top_k(count).min()
    else:
        last = value.min() if count == 1 else value.bottom_k(count).max()
    last = pl.when(value.count() >= count).then(last)
    if partition:
        last = last.over(partition)
    return not_after(value, last, key)


def ordinal(value: pl.Expr, type_: SqlType) -> pl.Expr:
    """Short values as numbers in their order; those that are equal are the same."""
    return total_order(canonical(value)) if type_.is_float else value


def not_after(value: pl.Expr, last: pl.Expr, key: SortKey) -> pl.Expr:
    """Whether a key does not come after `last`; true of all where that is NULL."""
    kept = value >= last if key.descending else value <= last
    kept = kept.fill_null(False) | last.is_null()
    return kept if key.nulls_last else kept | value.is_null()


def _slice(frame: pl.LazyFrame, offset: int, count: int | None) -> pl.LazyFrame:
    """Rows from `offset` on. Polars has fewer than 2**32 rows, and takes no larger number."""
    return frame.slice(min(offset, _ROWS_MAX), None if count is None else min(count, _ROWS_MAX))


class Sort(Operator, frozen=True):
    """The rows in the order of the keys; rows that are equal in all keys stay as they came.

    With `at_most_rows` the order is only made when there are no more rows than that.
    """

    input: Operator
    keys: tuple[SortKey, ...]
    at_most_rows: int | None = None

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.input.output

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        (frame,) = inputs
        limit = self.at_most_rows
        terms = order_terms(self.keys, lowering.diagnose)
        known = lowering.rows_at_most
        if not terms or (known is not None and known <= _FEW_ROWS):
            return ordered(frame, self.keys, stable=True, diagnose=lowering.diagnose)

        def order(rows: pl.DataFrame) -> pl.DataFrame:
            return rows if limit is not None and rows.height > limit else sorted_rows(rows, terms)

        return frame.map_batches(
            order,
            predicate_pushdown=False,
            projection_pushdown=False,
            slice_pushdown=False,
            validate_output_schema=False,
        )


class Limit(Operator, frozen=True):
    """The first `count` rows (None: all) after `offset` rows, in the input's order."""

    input: Operator
    count: int | None
    offset: int = 0

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
        return _slice(inputs[0], self.offset, self.count)


class TopK(Operator, frozen=True):
    """The rows from `offset` to `offset + count` in the order of the keys, without a full sort.

    The keys must make the order total up to equal rows, else which of them are kept is open.
    """

    input: Operator
    keys: tuple[SortKey, ...]
    count: int
    offset: int = 0

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.input.output

    @property
    def takes_forms(self) -> bool:
        return True

    @property
    def _takes_candidates(self) -> bool:
        """Whether most rows are better dropped by the first key before the others are compared."""
        key, rows = self.keys[0].expr, self.count + self.offset
        if not isinstance(key, ColumnRef) or not has_short_values(key.type):
            return False
        long = any(not has_short_values(other.expr.type) for other in self.keys)
        return (long or len(self.output) > _MANY_COLUMNS) and 0 < rows <= _CANDIDATES

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        (rows,) = inputs
        if self._takes_candidates:
            key = self.keys[0]
            value = lower_expr(in_forms(key.expr, lowering.forms), lowering.diagnose)
            value = ordinal(value, key.expr.type)
            rows = rows.filter(among_first(value, key, self.count + self.offset))
        # The engine turns a sort that is followed by a slice into a bounded heap.
        rows = ordered(rows, self.keys, False, lowering.diagnose, lowering.forms)
        return _slice(rows, self.offset, self.count)
