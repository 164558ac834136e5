"""The planted bugs: each a context in which one part of the engine is wrong.

Owns: `MUTANTS`, by name. Each patches a function of the product in memory while it is entered; none
of them is in the product. They are of different kinds: NULL order, arithmetic, types' scales, empty
groups, three-valued logic, joins, overflow, merging, top-k, NaN, statistics, guards; and what is
believed of rows that have changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl

from eau2.catalog import ColumnStatistics
from eau2.operators import aggregates, lowering, prune, sort, sum_states
from eau2.operators.expr import AggregateCall, Call, Expr, InList
from eau2.operators.functions import table
from eau2.operators.functions.checks import Scope
from eau2.operators.functions.function import Function
from eau2.operators.group import FinalAggregate
from eau2.operators.join import Join
from eau2.operators.physical import kernel_dtype
from eau2.operators.scan import StageInput
from eau2.operators.sort import TopK
from eau2.planner import physical, placement
from eau2.records import replace
from tests.mutants.analytic_bugs import ANALYTIC
from tests.mutants.change_bugs import OF_CHANGES
from tests.mutants.construct_bugs import OF_CONSTRUCTS
from tests.mutants.patches import replaced

Mutant = Callable[[], Any]
LowerCall = Callable[[Call, Scope], pl.Expr]


@contextmanager
def function_lowered(name: str, wrong: Callable[[LowerCall], LowerCall]) -> Iterator[None]:
    """The scalar function `name` lowers as `wrong` makes of its right lowering."""
    right = table.lookup

    def lookup(wanted: str) -> Function:
        function = right(wanted)
        return replace(function, lower=wrong(function.lower)) if wanted == name else function

    with replaced(lowering, "lookup", lookup):
        yield


def nulls_first() -> Any:
    """NULLs sort to the other end."""
    right = sort.ordered

    def order(frame: pl.LazyFrame, keys: Any, *rest: Any, **named: Any) -> pl.LazyFrame:
        flipped = [replace(key, nulls_last=not key.nulls_last) for key in keys]
        return right(frame, flipped, *rest, **named)

    return replaced(sort, "ordered", order)


def floor_division() -> Any:
    """// rounds down, as Polars does, not towards zero."""

    def wrong(right: LowerCall) -> LowerCall:
        def lower(call: Call, scope: Scope) -> pl.Expr:
            if not call.type.is_integer:
                return right(call, scope)
            a, b = (scope.lower(arg).cast(kernel_dtype(call.type)) for arg in call.args)
            return a // b

        return lower

    return function_lowered("//", wrong)


def sum_of_nothing() -> Any:
    """The sum of no values is 0, as in Polars, not NULL."""
    right = aggregates._result

    def result(call: AggregateCall, *rest: Any) -> pl.Expr:
        value = right(call, *rest)
        return value.fill_null(0) if call.function == "sum" else value

    return replaced(aggregates, "_result", result)


def null_in_list() -> Any:
    """A NULL in an IN list is overlooked: NOT IN then finds rows."""
    right = lowering._lower_in

    def lower_in(expr: InList, scope: Scope) -> pl.Expr:
        return right(replace(expr, has_null=False), scope)

    return replaced(lowering, "_lower_in", lower_in)


def decimal_scale() -> Any:
    """A product of decimals has one digit too few behind the point."""

    def wrong(right: LowerCall) -> LowerCall:
        def lower(call: Call, scope: Scope) -> pl.Expr:
            value = right(call, scope)
            return (value // 10) * 10 if call.type.is_decimal and call.type.scale else value

        return lower

    return function_lowered("*", wrong)


def left_join_as_inner() -> Any:
    """Left rows without a partner are lost."""
    right = Join.lower

    def lower(self: Join, *rest: Any) -> pl.LazyFrame:
        return right(replace(self, kind="inner") if self.kind == "left" else self, *rest)

    return replaced(Join, "lower", lower)


def wrap_around() -> Any:
    """Integer addition wraps, as in Polars, and does not raise."""

    def wrong(right: LowerCall) -> LowerCall:
        def lower(call: Call, scope: Scope) -> pl.Expr:
            if not call.type.is_integer:
                return right(call, scope)
            a, b = (scope.lower(arg).cast(kernel_dtype(call.type)) for arg in call.args)
            return a + b

        return lower

    return function_lowered("+", wrong)


def distinct_lost_at_merge() -> Any:
    """DISTINCT is made for each task, and not again where their rows meet."""
    right = FinalAggregate.lower

    def lower(self: FinalAggregate, inputs: tuple[pl.LazyFrame, ...], *rest: Any) -> pl.LazyFrame:
        if self.keys and not self.aggregates:
            return inputs[0].select(column.label for column in self.keys)
        return right(self, inputs, *rest)

    return replaced(FinalAggregate, "lower", lower)


def top_k_short_at_chunks() -> Any:
    """Each task gives one row too few to a top-k."""

    def top_k(root: Any, keys: Any, count: int, offset: int) -> TopK:
        partial = not isinstance(root, StageInput)
        return TopK(root, keys, count - 1 if partial and count > 1 else count, offset)

    return replaced(physical, "TopK", top_k)


def max_skips_nan() -> Any:
    """The greatest of NaN and numbers is the greatest number, as in Polars."""
    right = aggregates._maximum

    def maximum(arg: Expr, label: str, book: Any) -> pl.Expr:
        right(arg, label, book)
        return pl.col(f"{label}_max")

    return replaced(aggregates, "_maximum", maximum)


def pruned_by_one() -> Any:
    """Chunks are ruled out as if their greatest integer were one less."""
    right = prune.may_match

    def less(known: ColumnStatistics) -> ColumnStatistics:
        high = known.maximum
        if isinstance(high, bool) or not isinstance(high, int):
            return known
        return replace(known, maximum=high - 1)

    def may_match(condition: Expr, columns: Any, statistics: Any, rows: int) -> bool:
        return right(condition, columns, tuple(less(s) for s in statistics), rows)

    return replaced(placement, "may_match", may_match)


def unguarded_case() -> Any:
    """A CASE computes its branches for every row: errors of branches not taken happen."""

    def within(self: Scope, condition: pl.Expr) -> Scope:
        return self

    return replaced(Scope, "within", within)


def count_of_nulls() -> Any:
    """count(x) counts NULLs too."""

    def count(call: AggregateCall, arg: Expr, label: str, book: Any) -> pl.Expr:
        return sum_states.row_count(label, book)

    return replaced(sum_states, "value_count", count)


MUTANTS: dict[str, Mutant] = (
    {
        mutant.__name__: mutant
        for mutant in (
            nulls_first,
            floor_division,
            sum_of_nothing,
            null_in_list,
            decimal_scale,
            left_join_as_inner,
            wrap_around,
            distinct_lost_at_merge,
            top_k_short_at_chunks,
            max_skips_nan,
            pruned_by_one,
            unguarded_case,
            count_of_nulls,
        )
    }
    | ANALYTIC
    | OF_CONSTRUCTS
    | OF_CHANGES
)
