"""Lets written out and conditions opened: the same rows, no error gained, and chunks pruned."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.operators.expr import Expr
from eau2.planner.simplify import as_filter, simplified
from eau2.types import BIGINT, BOOLEAN
from tests.unit.random_lets import computed, kept, rows, values


@settings(max_examples=400, deadline=None)
@given(rows(), st.sampled_from([BIGINT, BOOLEAN]).flatmap(lambda type_: values(type_, 3)))
def test_values_are_the_same_and_no_error_is_gained(frame: pl.DataFrame, expr: Expr) -> None:
    simpler = simplified(expr)
    assert simpler.type == expr.type
    for part in (frame, *(frame.slice(n, 1) for n in range(len(frame)))):
        wanted = computed(expr, part)
        if wanted is not None:
            assert computed(simpler, part) == wanted


@settings(max_examples=200, deadline=None)
@given(rows(), values(BIGINT, 3, logic=False))
def test_strict_values_raise_exactly_as_before(frame: pl.DataFrame, expr: Expr) -> None:
    for part in (frame.slice(n, 1) for n in range(len(frame))):
        assert computed(simplified(expr), part) == computed(expr, part)


@settings(max_examples=600, deadline=None)
@given(rows(), values(BOOLEAN, 3))
def test_filters_keep_the_same_rows(frame: pl.DataFrame, expr: Expr) -> None:
    opened = as_filter(expr)
    assert as_filter(opened) == as_filter(as_filter(opened))
    for part in (frame, *(frame.slice(n, 1) for n in range(len(frame)))):
        wanted = kept(expr, part)
        if wanted is not None:
            assert kept(opened, part) == wanted
