"""Planted bugs in what the further constructs need: ASOF, BY NAME, stars, limits, and the rules.

Owns: `OF_CONSTRUCTS`, by name. Each patches the product in memory while it is entered, as in
bugs.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from eau2.operators import asof, join, whole_aggregates, window_rows
from eau2.operators.expr import AggregateCall, Call, Expr, columns_of
from eau2.planner import conditions
from eau2.planner.rules import push_filters
from eau2.records import replace
from eau2.sql import ordering, set_operations, stars
from tests.mutants.patches import replaced

Mutant = Callable[[], Any]


def equally_near_missed() -> Any:
    """An ASOF JOIN by >= or <= passes over rows that are equal."""
    right = asof.nearest

    def nearest(left: Any, other: Any, pairing: Any, near: Any, *rest: Any) -> Any:
        strict = near._replace(operator=near.operator.rstrip("="))
        return right(left, other, pairing, strict, *rest)

    return patch.object(join, "nearest", nearest)


def by_position() -> Any:
    """BY NAME is overlooked: columns meet by their places."""

    def by_name(left: Any, right: Any, *rest: Any) -> Any:
        return left, right

    return patch.object(set_operations, "_by_name", by_name)


def percentage_halved() -> Any:
    """LIMIT n PERCENT keeps half of what it should."""
    right = ordering._percentage

    def percentage(node: Any, context: Any) -> float | None:
        percent = right(node, context)
        return None if percent is None else percent / 2

    return patch.object(ordering, "_percentage", percentage)


def replacement_lost() -> Any:
    """REPLACE of a star is overlooked."""
    right = stars.star_entries

    def star_entries(star: Any, scope: Any) -> Any:
        return right(replace(star, replace=()), scope)

    return patch.object(stars, "star_entries", star_entries)


def peers_for_ranges() -> Any:
    """A RANGE frame over a distance ends at the row's peers."""
    right = window_rows._by_range

    def by_range(end: Any, *rest: Any) -> Any:
        near = end.kind in ("preceding", "following")
        return right(replace(end, kind="current_row") if near else end, *rest)

    return patch.object(window_rows, "_by_range", by_range)


def first_is_last() -> Any:
    """The first value of an order is its last, also for any_value."""
    right = whole_aggregates._picked

    def picked(call: AggregateCall, value: Any, columns: Any, last: bool) -> Any:
        return right(call, value, columns, True)

    return replaced(whole_aggregates, "_picked", picked)


def filters_below_windows() -> Any:
    """A filter on top of a window moves below it, and so changes what the window sees."""

    def through_partition(plan: Any, parts: Any) -> Any:
        called = {column.id for column, _ in plan.calls}
        through = tuple(p for p in parts if not called & columns_of(p))
        return through, tuple(p for p in parts if p not in through)

    return patch.object(push_filters, "_through_partition", through_partition)


def null_is_not_distinct() -> Any:
    """In a filter, NULL IS DISTINCT FROM a value is not true."""

    def differs(expr: Call) -> Expr:
        return replace(expr, function="<>")

    return patch.object(conditions, "_differs", differs)


OF_CONSTRUCTS: dict[str, Mutant] = {
    mutant.__name__: mutant
    for mutant in (
        equally_near_missed,
        by_position,
        percentage_halved,
        replacement_lost,
        peers_for_ranges,
        first_is_last,
        filters_below_windows,
        null_is_not_distinct,
    )
}
