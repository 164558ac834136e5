"""Lets written out and conditions opened: the same rows, no error gained, and chunks pruned."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.operators.expr import (
    Call,
    Case,
    Expr,
    Lambda,
    LambdaParameter,
    Literal,
    conjuncts,
    ref,
    walk,
)
from eau2.operators.facts import can_raise
from eau2.operators.functions.let import result_of
from eau2.operators.functions.table import bind
from eau2.operators.prune import may_match
from eau2.operators.text import expr_text
from eau2.planner.optimizer import optimize
from eau2.planner.ranges import Known, proven
from eau2.planner.simplify import as_filter, simplified
from eau2.records import replace
from eau2.sql.logical import Filter, Logical
from eau2.types import BIGINT, BOOLEAN, list_of
from tests.unit.plans import Builder, nodes
from tests.unit.random_lets import (
    GRID,
    NUMBERS,
    TRUTH,
    X,
    Y,
    branched,
    computed,
    fold,
    kept,
    let,
    values,
)

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
    value = bind("list_extract", (copied, ONE))
    read = let(QUOTIENT, bind("+", (bind("+", (inner_most, inner_most)), FIRST)), level=1)
    made = let(QUOTIENT, bind("+", (bind("+", (FIRST, FIRST)), value)))
    assert simplified(let(value, read)) == made
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


def returns(x: Expr, y: Expr) -> Expr:
    """If x is None: return False; z = y + 1; return x > 3 and z < 10."""
    local = LambdaParameter(BIGINT, 0, 0)
    large = bind(">", (x, Literal(BIGINT, 3)))
    both = case(large, bind("<", (local, Literal(BIGINT, 10))), large)
    return case(bind("is_null", (x,)), NO, let(bind("+", (y, ONE)), both))


def condition_of(plan: Logical) -> Expr:
    (found,) = nodes(plan, Filter)
    assert isinstance(found, Filter)
    return found.condition


def test_a_compiled_filter_prunes_as_the_plain_one_does() -> None:
    """What statistics prove not to overflow is bare; else what comes before it still prunes."""
    builder = Builder()
    scan = builder.scan("t", x=(BIGINT, [1, 2, None]), y=(BIGINT, [5, 6, 7]))
    x, y = (ref(column) for column in scan.columns)
    large = bind(">", (x, Literal(BIGINT, 3)))
    known = condition_of(optimize(Filter(scan, returns(x, y))))
    assert conjuncts(known)[:2] == (bind("is_not_null", (x,)), large)
    assert not any(isinstance(node, Case | Lambda) for node in walk(known))
    assert not can_raise(known)
    wide = builder.scan("w", x=(BIGINT, [1, 2, None]), y=(BIGINT, [5, 2**63 - 1, 7]))
    x, y = (ref(column) for column in wide.columns)
    unknown = condition_of(optimize(Filter(wide, returns(x, y))))
    assert can_raise(unknown)
    early = case(bind("<", (x, Literal(BIGINT, 4))), NO, bind("=", (bind("//", (ONE, y)), x)))
    returned = condition_of(optimize(Filter(wide, early)))
    assert can_raise(returned)
    for found in (known, returned):
        columns = scan.columns if found is known else wide.columns
        read = scan.frame.statistics if found is known else wide.frame.statistics
        assert not may_match(found, columns, (replace(read[0], null_count=0), read[1]), 3)


def test_what_a_result_says_without_its_values_is_outside() -> None:
    local = LambdaParameter(BOOLEAN, 0, 0)
    value = bind("=", (bind("coalesce", (X, Y, ZERO)), bind("coalesce", (Y, X, ONE))))
    either = bind("or", (bind("and", (SAME, local)), bind("and", (TRUTH, bind("not", (local,))))))
    found = as_filter(let(value, bind("and", (bind("and", (POSITIVE, local)), either))))
    parts = conjuncts(found)
    assert parts[:2] == (POSITIVE, bind("or", (SAME, TRUTH)))
    assert parts[2:] == (let(value, bind("and", (local, either))),)
    assert as_filter(found) == found
    open_ended = let(value, bind("or", (bind("and", (SAME, local)), bind("not", (local,)))))
    assert as_filter(open_ended) == open_ended
    twice = bind("or", (local, bind("and", (bind("not", (local,)), RAISING))))
    failing = let(value, bind("and", (POSITIVE, twice)))
    first, rest = conjuncts(as_filter(failing))
    assert first == POSITIVE
    assert isinstance(rest, Call)
    assert conjuncts(result_of(rest))[0] == POSITIVE
    raising = bind("=", (bind("//", (ONE, X)), bind("coalesce", (Y, X))))
    strict = let(raising, bind("and", (POSITIVE, bind("or", (local, SAME)))))
    assert as_filter(strict) == strict


def test_locals_carry_their_ranges() -> None:
    small = Known(intervals={1: (0, 10), 2: (0, 10)})
    square = let(bind("*", (X, Y)), bind("*", (FIRST, FIRST)))
    found, interval = proven(square, small)
    assert interval == (0, 10_000)
    assert not can_raise(found)
    assert not small.locals
    listed = Call(list_of(BIGINT), "list_transform", (NUMBERS, Lambda(
        BIGINT, (FIRST,), bind("*", (FIRST, FIRST)))))  # fmt: skip
    assert can_raise(proven(bind("=", (bind("list_sum", (listed,)), square)), small)[0])


def test_they_are_shown_as_they_are_read() -> None:
    total = let(bind("+", (X, ONE)), bind("*", (FIRST, FIRST)))
    assert expr_text(total, {1: "a"}) == "let(x := a + 1, x * x)"
    nested = let(X, let(FIRST, LambdaParameter(BIGINT, 1, 0), level=1))
    assert expr_text(nested, {1: "a"}) == "let(x := a, let(y := x, y))"
    looped = fold(NUMBERS, (ZERO,), (bind("+", (FIRST, LambdaParameter(BIGINT, 0, 1))),))
    assert expr_text(looped, {3: "l"}) == "fold(l, 0, LAMBDA x, x1, x2: x + x1, 0)"
