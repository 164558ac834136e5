"""Planted bugs in what analytic queries need: windows, grouping sets, subqueries, set operations.

Owns: `ANALYTIC`, by name. Each patches the product in memory while it is entered, as in bugs.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl

from eau2.operators import aggregates, whole_aggregates, window_picks, window_rows
from eau2.operators.expand import Expand
from eau2.operators.expr import AggregateCall, Expr
from eau2.operators.join import Join
from eau2.planner.rules import unnest
from eau2.records import replace
from tests.mutants.patches import replaced

Mutant = Callable[[], Any]


def rank_as_row_number() -> Any:
    """Equal rows have different ranks."""
    right = window_picks.number

    def number(function: str, where: Any) -> pl.Series:
        return right("row_number" if function == "rank" else function, where)

    return patch.object(window_picks, "number", number)


def frame_one_row_short() -> Any:
    """A ROWS frame does not hold the row at its end."""
    right = window_rows._by_rows

    def by_rows(end: Any, where: Any, rows: Any, label: Any, after: int) -> Any:
        found = right(end, where, rows, label, after)
        return np.maximum(found - 1, where.first) if after and label is not None else found

    return patch.object(window_rows, "_by_rows", by_rows)


def nulls_not_ignored() -> Any:
    """IGNORE NULLS is overlooked."""
    right = window_picks.nth

    def nth(values: Any, frame: Any, wanted: Any, ignore_nulls: bool) -> pl.Series:
        return right(values, frame, wanted, False)

    return patch.object(window_picks, "nth", nth)


def partitions_run_together() -> Any:
    """A running least value goes on into the next partition."""

    def running(codes: Any, where: Any) -> Any:
        return np.minimum.accumulate(codes) if len(codes) else codes

    return patch.object(window_picks, "_running", running)


def excluded_rows_stay() -> Any:
    """EXCLUDE is overlooked."""
    right = window_rows.segments

    def segments(frame: Any, *rest: Any) -> Any:
        return right(replace(frame, exclude="no_others"), *rest)

    return patch("eau2.operators.window_values.segments", segments)


def total_lost() -> Any:
    """The last of several grouping sets is forgotten: ROLLUP gives no total."""
    right = Expand.lower

    def lower(self: Expand, *rest: Any) -> pl.LazyFrame:
        sets = self.sets[:-1] if len(self.sets) > 1 else self.sets
        return right(replace(self, sets=sets), *rest)

    return patch.object(Expand, "lower", lower)


def filter_overlooked() -> Any:
    """FILTER lets every row through."""

    def where(condition: Expr, arg: Expr) -> Expr:
        return arg

    return replaced(aggregates, "_where", where)


def unordered_texts() -> Any:
    """ORDER BY inside string_agg is turned round."""
    right = whole_aggregates._sorted

    def sorted_(call: AggregateCall, value: pl.Expr, columns: Any) -> pl.Expr:
        return right(call, value, columns).reverse()

    return replaced(whole_aggregates, "_sorted", sorted_)


def semi_as_inner() -> Any:
    """A left row comes once for every partner that EXISTS finds."""
    right = Join.lower

    def lower(self: Join, *rest: Any) -> pl.LazyFrame:
        kept = [column.label for column in self.left.output]
        if self.kind != "semi" or not kept:
            return right(self, *rest)
        return right(replace(self, kind="inner"), *rest).select(kept)

    return patch.object(Join, "lower", lower)


def nothing_is_null() -> Any:
    """NOT IN takes every column for one without NULLs."""

    def never(expr: Expr, columns: Any) -> bool:
        return True

    return patch.object(unnest, "is_never_null", never)


ANALYTIC: dict[str, Mutant] = {
    mutant.__name__: mutant
    for mutant in (
        rank_as_row_number,
        frame_one_row_short,
        nulls_not_ignored,
        partitions_run_together,
        excluded_rows_stay,
        total_lost,
        filter_overlooked,
        unordered_texts,
        semi_as_inner,
        nothing_is_null,
    )
}
