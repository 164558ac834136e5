"""Lets written out and conditions opened: the same rows, no error gained, and chunks pruned."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.operators.expr import Expr
from eau2.operators.functions.table import bind
from eau2.planner.simplify import as_filter, simplified
from eau2.types import BIGINT, BOOLEAN
from tests.unit.random_lets import GRID, branched, computed, kept, values

ROWS = [GRID.slice(number, 1) for number in range(len(GRID))]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([BIGINT, BOOLEAN]).flatmap(lambda type_: values(type_, 3)))
def test_values_are_the_same_and_no_error_is_gained(expr: Expr) -> None:
    simpler = simplified(expr)
    assert simpler.type == expr.type
    wanted = computed(expr, GRID)
    for part in ROWS if wanted is None else [GRID]:
        wanted = computed(expr, part)
        if wanted is not None:
            assert computed(simpler, part) == wanted


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([BIGINT, BOOLEAN]).flatmap(lambda type_: values(type_, 3, exact=True)))
def test_no_error_is_lost(expr: Expr) -> None:
    simpler = simplified(expr)
    wanted = computed(expr, GRID)
    for part in ROWS if wanted is None else [GRID]:
        assert computed(simpler, part) == computed(expr, part)


@settings(max_examples=400, deadline=None)
@given(branched())
def test_filters_keep_the_same_rows(condition: Expr) -> None:
    opened = as_filter(condition)
    again = as_filter(opened)
    wanted = kept(condition, GRID)
    for part in ROWS if wanted is None else [GRID]:
        wanted = kept(condition, part)
        if wanted is not None:
            assert kept(opened, part) == wanted
            assert kept(again, part) == wanted


@settings(max_examples=200, deadline=None)
@given(branched(), branched(1))
def test_conditions_keep_their_rows_beside_others(one: Expr, other: Expr) -> None:
    """What is opened inside OR and NOT guards as it did."""
    condition = bind("or", (bind("not", (one,)), other))
    opened = as_filter(condition)
    for part in ROWS:
        wanted = kept(condition, part)
        if wanted is not None:
            assert kept(opened, part) == wanted
