"""Lets written out and conditions opened: the same rows, no error gained, and chunks pruned."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.operators.expr import Call, Case, Expr, Lambda, LambdaParameter, Literal, walk
from eau2.operators.functions.table import bind
from eau2.planner.simplify import as_filter, simplified
from eau2.types import BIGINT, BOOLEAN, list_of
from tests.unit.random_lets import GRID, NUMBERS, TRUTH, X, Y, branched, computed, kept, let, values

ROWS = [GRID.slice(number, 1) for number in range(len(GRID))]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([BIGINT, BOOLEAN]).flatmap(lambda type_: values(type_, 3)))
def test_values_are_the_same_and_no_error_is_gained(expr: Expr) -> None:
    simpler = simplified(expr)
    assert simpler.type == expr.type
    wanted = computed(expr, GRID)
    for part in ROWS if wanted is None else [GRID]:
        wanted = computed(expr, part)
        if wanted is not None:
            assert computed(simpler, part) == wanted


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([BIGINT, BOOLEAN]).flatmap(lambda type_: values(type_, 3, exact=True)))
def test_no_error_is_lost(expr: Expr) -> None:
    simpler = simplified(expr)
    wanted = computed(expr, GRID)
    for part in ROWS if wanted is None else [GRID]:
        assert computed(simpler, part) == computed(expr, part)


@settings(max_examples=150, deadline=None)
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


@settings(max_examples=60, deadline=None)
@given(branched(), branched(1))
def test_conditions_keep_their_rows_beside_others(one: Expr, other: Expr) -> None:
    """What is opened inside OR and NOT guards as it did."""
    condition = bind("or", (bind("not", (one,)), other))
    opened = as_filter(condition)
    for part in ROWS:
        wanted = kept(condition, part)
        if wanted is not None:
            assert kept(opened, part) == wanted


ONE, ZERO = Literal(BIGINT, 1), Literal(BIGINT, 0)
NO, YES = Literal(BOOLEAN, False), Literal(BOOLEAN, True)
FIRST = LambdaParameter(BIGINT, 0, 0)
QUOTIENT = bind("//", (ONE, X))
POSITIVE, SAME = bind(">", (X, ZERO)), bind("=", (Y, ONE))
RAISING = bind("=", (QUOTIENT, Y))


def case(*parts: Expr) -> Expr:
    """Conditions and results in turn, and the ELSE."""
    pairs = zip(parts[:-1:2], parts[1::2], strict=True)
    return Case(parts[-1].type, tuple(pairs), parts[-1])


def lets_in(expr: Expr) -> int:
    return sum(isinstance(node, Call) and node.function == "let" for node in walk(expr))


def test_what_can_raise_is_written_out_only_where_every_row_computes_it() -> None:
    anywhere = case(TRUTH, FIRST, Y)
    assert simplified(let(QUOTIENT, anywhere)) == let(QUOTIENT, anywhere)
    assert simplified(let(bind("is_null", (X,)), Y)) == Y
    assert lets_in(simplified(let(QUOTIENT, Y))) == 1
    both = bind("and", (bind(">", (FIRST, ZERO)), TRUTH))
    assert lets_in(simplified(let(QUOTIENT, both))) == 1
    assert simplified(let(QUOTIENT, bind("+", (FIRST, Y)))) == bind("+", (QUOTIENT, Y))
    twice = bind("+", (FIRST, FIRST))
    assert lets_in(simplified(let(QUOTIENT, twice))) == 1
    assert simplified(let(X, twice)) == bind("+", (X, X))
    assert simplified(let(Literal(BIGINT, 21), twice)) == Literal(BIGINT, 42)
    nested = let(QUOTIENT, let(FIRST, bind("+", (LambdaParameter(BIGINT, 1, 0), Y)), level=1))
    assert simplified(nested) == bind("+", (QUOTIENT, Y))


def test_a_let_without_values_takes_nobody_elses_level_away() -> None:
    inner = LambdaParameter(BIGINT, 1, 0)
    total = bind("+", (bind("+", (inner, inner)), bind("+", (FIRST, FIRST))))
    expr = let(QUOTIENT, let(bind("//", (X, Y)), let(total, level=2), level=1))
    bare = let(QUOTIENT, let(bind("//", (X, Y)), total, level=1))
    assert simplified(expr) == bare


def test_a_long_chain_of_values_is_cut() -> None:
    values: list[Expr] = [X]
    for number in range(400):
        values.append(bind("+", (LambdaParameter(BIGINT, 0, number), Y)))
    made = simplified(let(*values, LambdaParameter(BIGINT, 0, 400)))
    assert 5 < sum(len(node.args) for node in walk(made) if isinstance(node, Call)) < 2_000
    assert computed(made, GRID) == computed(let(*values, LambdaParameter(BIGINT, 0, 400)), GRID)


def test_levels_follow_what_moves() -> None:
    """A value with a lambda of its own, read inside of other lambdas; and lets that vanish."""
    doubled = Lambda(
        BIGINT,
        (LambdaParameter(BIGINT, 1, 0),),
        bind("+", (LambdaParameter(BIGINT, 1, 0), FIRST)),
    )
    lists = list_of(BIGINT)
    moved = let(X, Call(lists, "list_transform", (NUMBERS, doubled)))
    made = simplified(moved)
    assert made == Call(
        lists, "list_transform", (NUMBERS, Lambda(BIGINT, (FIRST,), bind("+", (FIRST, X))))
    )
    inner = let(LambdaParameter(BIGINT, 0, 0), QUOTIENT, bind("+", (
        LambdaParameter(BIGINT, 1, 0), LambdaParameter(BIGINT, 1, 0))), level=1)  # fmt: skip
    outer = let(bind("coalesce", (X, Y)), bind("+", (inner, FIRST)))
    rows = GRID.filter(c1=1)
    assert computed(simplified(outer), rows) == computed(outer, rows) == [3] * 9
    inner_most = LambdaParameter(BIGINT, 1, 0)
    copied = Call(lists, "list_transform", (NUMBERS, Lambda(BIGINT, (inner_most,), inner_most)))
    local = let(bind("list_extract", (copied, ONE)), inner_most, level=1)
    looped = Lambda(BIGINT, (FIRST,), bind("+", (FIRST, local)))
    deep = Call(lists, "list_transform", (NUMBERS, looped))
    assert computed(simplified(deep), GRID) == computed(deep, GRID)


@pytest.mark.parametrize(
    ("condition", "opened"),
    [
        (case(POSITIVE, YES, NO), POSITIVE),
        (case(POSITIVE, SAME, POSITIVE), bind("and", (POSITIVE, SAME))),
        (case(POSITIVE, POSITIVE, SAME), bind("or", (POSITIVE, SAME))),
        (case(bind("is_null", (X,)), NO, SAME), bind("and", (bind("is_not_null", (X,)), SAME))),
        (case(TRUTH, NO, bind("is_null", (Y,)), SAME, NO),
         bind("and", (bind("and", (bind("not", (bind("coalesce", (TRUTH, NO)),)),
                                   bind("is_null", (Y,)))), SAME))),
        (case(POSITIVE, RAISING, NO), bind("and", (POSITIVE, case(POSITIVE, RAISING, NO)))),
        (case(bind("is_null", (Y,)), RAISING, NO), bind("and", (bind("is_null", (Y,)), RAISING))),
        (case(RAISING, SAME, NO), case(RAISING, SAME, NO)),
        (bind("is_not_distinct", (X, ONE)), bind("=", (X, ONE))),
        (bind("is_not_distinct", (X, Y)), bind("is_not_distinct", (X, Y))),
        (bind("not", (bind("coalesce", (POSITIVE, NO)),)),
         bind("or", (bind("<=", (X, ZERO)), bind("is_null", (X,))))),
        (let(POSITIVE, case(LambdaParameter(BOOLEAN, 0, 0), SAME, LambdaParameter(BOOLEAN, 0, 0))),
         bind("and", (POSITIVE, SAME))),
    ],
)  # fmt: skip
def test_conditions_become_bare(condition: Expr, opened: Expr) -> None:
    assert as_filter(condition) == opened


def test_guards_that_may_be_null_stay_guards_inside_others() -> None:
    """Beside OR, where X IS NOT DISTINCT FROM 1 is false its equality is NULL, and guards less."""
    guarded = bind("and", (bind("is_not_distinct", (Y, ONE)), bind("=", (QUOTIENT, ONE))))
    condition = bind("or", (guarded, bind("=", (X, ZERO))))
    rows = GRID.filter(c1=0).filter(GRID.filter(c1=0).get_column("c2").is_null())
    assert kept(condition, rows) == [0, 1, 2]
    assert kept(as_filter(condition), rows) == [0, 1, 2]
    assert as_filter(guarded) == bind("and", (SAME, bind("=", (QUOTIENT, ONE))))


def test_a_truth_that_cannot_be_null_is_the_condition() -> None:
    missing = bind("is_null", (X,))
    assert simplified(case(missing, YES, NO)) == missing
    assert simplified(case(missing, NO, YES)) == bind("is_not_null", (X,))
    assert simplified(case(POSITIVE, YES, NO)) == case(POSITIVE, YES, NO)
