"""Pushing filters: where each condition ends up, and where it must not go."""

from __future__ import annotations

import pytest

from eau2.operators.aggregates import bind as bind_aggregate
from eau2.operators.expr import Cast, Column, Expr, conjuncts, ref
from eau2.operators.facts import always_null, can_raise, never_true
from eau2.planner.disjunction import disjunction, disjuncts, factor, implied
from eau2.planner.rules.push_filters import push_filters
from eau2.sql.logical import Aggregate, Filter, Join, Logical, Scan
from eau2.types import BIGINT, BOOLEAN, INTEGER, VARCHAR
from tests.unit.plans import Builder, both, call, constant, nodes, value
from tests.unit.star_schema import bound, text

A, B, C, D = (ref(Column(n, name, BOOLEAN)) for n, name in enumerate("abcd"))
NUMBER, OTHER, WORD = (
    ref(Column(n, name, type_))
    for n, name, type_ in ((4, "n", INTEGER), (5, "o", INTEGER), (6, "w", VARCHAR))
)


def pushed(sql: str) -> str:
    return text(sql, "fold_constants", "push_filters")


def test_equalities_over_comma_joins_become_keys() -> None:
    plan = pushed(
        "SELECT count(*) FROM big, middle, small WHERE b_middle = m_key AND s_key = m_small"
    )
    assert "Join cross" not in plan
    assert "Filter" not in plan
    assert "Join inner on b_middle = m_key" in plan
    assert "Join inner on m_small = s_key" in plan


def test_conditions_reach_the_scans_of_both_sides() -> None:
    plan = pushed(
        "SELECT count(*) FROM big JOIN middle ON b_middle = m_key WHERE b_key > 7 AND m_small = 3"
    )
    assert "      Filter b_key > 7\n        Scan big" in plan
    assert "      Filter m_small = 3\n        Scan middle" in plan


def test_a_condition_on_one_key_holds_for_the_other() -> None:
    plan = pushed("SELECT count(*) FROM big JOIN middle ON b_middle = m_key WHERE m_key < 9")
    assert "Filter b_middle < 9\n        Scan big" in plan
    assert "Filter m_key < 9\n        Scan middle" in plan


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ("m_small = 3", "inner"),
        ("m_small IS NULL", "left"),
        ("m_small IS NOT NULL", "inner"),
        ("m_small = 3 OR b_key = 1", "left"),
        ("m_small = 3 OR m_key = 1", "inner"),
        ("coalesce(m_small, 3) = 3", "left"),
        ("NOT (m_small = 3)", "inner"),
        ("m_small IS DISTINCT FROM 3", "left"),
        ("m_small + b_key > 3", "inner"),
        ("CASE WHEN m_small = 3 THEN true ELSE false END", "inner"),
        ("m_small IN (1, 2)", "inner"),
        ("m_name LIKE 'a%'", "inner"),
    ],
)
def test_an_outer_join_is_inner_when_no_padded_row_can_pass(condition: str, kind: str) -> None:
    plan = pushed(
        f"SELECT count(*) FROM big LEFT JOIN middle ON b_middle = m_key WHERE {condition}"
    )
    assert f"Join {kind} on" in plan


def test_a_full_join_loses_the_sides_that_cannot_pass() -> None:
    source = "SELECT count(*) FROM big FULL JOIN middle ON b_middle = m_key"
    assert "Join full" in pushed(source)
    assert "Join left on b_middle = m_key" in pushed(f"{source} WHERE b_key = 1")
    assert "Join left on m_key = b_middle" in pushed(f"{source} WHERE m_small = 1")
    assert "Join inner" in pushed(f"{source} WHERE b_key = 1 AND m_small = 1")


def test_the_condition_of_a_left_join_only_goes_to_the_padded_side() -> None:
    plan = pushed(
        "SELECT count(*) FROM big"
        " LEFT JOIN middle ON b_middle = m_key AND m_small = 3 AND b_key = 1"
    )
    assert "Join left on b_middle = m_key and b_key = 1" in plan
    assert "Filter m_small = 3\n        Scan middle" in plan
    assert "Filter b_key" not in plan


def test_a_filter_on_group_keys_goes_below_the_groups() -> None:
    plan = pushed(
        "SELECT * FROM (SELECT m_small AS k, count(*) AS n FROM middle GROUP BY 1) x"
        " WHERE k = 3 AND n > 5"
    )
    assert "Filter m_small = 3\n" in plan
    above, below = plan.split("Aggregate")
    assert "> 5" in above
    assert "> 5" not in below


def test_nothing_passes_a_limit_or_a_global_aggregate() -> None:
    plan = pushed("SELECT * FROM (SELECT t_key AS k FROM tiny LIMIT 2) x WHERE k = 3")
    assert plan.index("Filter") < plan.index("Limit")
    plan = pushed("SELECT count(*) AS n FROM tiny HAVING count(*) > 9")
    assert plan.index("Filter") < plan.index("Aggregate")


def test_a_contradiction_leaves_no_row_of_a_global_aggregate() -> None:
    builder = Builder()
    scan = builder.scan("t", a=(INTEGER, [1, 2]))
    counted = Aggregate(scan, (), ((builder.column("n", BIGINT), bind_aggregate("count", ())),))
    plan = push_filters(Filter(counted, constant(BOOLEAN, False)))
    assert builder.run(plan).height == 0


def test_a_condition_that_padded_rows_can_pass_stays_above() -> None:
    plan = pushed(
        "SELECT count(*) FROM big LEFT JOIN middle ON b_middle = m_key WHERE m_small IS NULL"
    )
    assert plan.index("Filter") < plan.index("Join left")
    assert plan.count("Filter") == 1


def test_what_can_raise_does_not_pass_a_join() -> None:
    plan = pushed(
        "SELECT count(*) FROM middle, small WHERE m_small = s_key AND CAST(m_name AS INTEGER) > 3"
    )
    assert plan.index("Filter CAST") < plan.index("Join inner")
    plan = pushed(
        "SELECT count(*) FROM middle LEFT JOIN small ON m_small = s_key"
        " WHERE s_name IS NULL AND CAST(m_name AS INTEGER) > 3"
    )
    assert plan.index("Filter s_name IS NULL AND CAST") < plan.index("Join left")


def test_what_can_raise_comes_after_what_protects_it() -> None:
    plan = push_filters(bound("SELECT * FROM middle WHERE m_name::INT > 3 AND m_small = 1"))
    (filter_,) = nodes(plan, Filter)
    assert isinstance(filter_, Filter)
    safe, failing = conjuncts(filter_.condition)
    assert not can_raise(safe)
    assert can_raise(failing)


def test_a_disjunction_gives_its_common_part_and_one_for_each_side() -> None:
    plan = pushed(
        "SELECT count(*) FROM big, middle WHERE"
        " (b_middle = m_key AND m_small = 1 AND b_key < 10)"
        " OR (b_middle = m_key AND m_small = 2 AND b_key < 20)"
    )
    assert "Join inner on b_middle = m_key and " in plan
    assert "Filter b_key < 10 OR b_key < 20\n        Scan big" in plan
    assert "Filter m_small IN (1, 2)\n        Scan middle" in plan or (
        "Filter m_small = 1 OR m_small = 2\n        Scan middle" in plan
    )


def test_pushing_again_changes_nothing() -> None:
    once = push_filters(
        bound(
            "SELECT count(*) FROM big, middle, small WHERE m_small = s_key AND b_key = 1 AND"
            " ((b_middle = m_key AND m_small = 1) OR (b_middle = m_key AND s_key = 2))"
        )
    )
    assert push_filters(once) == once


def test_factoring() -> None:
    assert factor(disjunction((both(A, B), both(A, C)))) == (A, call("or", B, C))
    assert factor(disjunction((both(A, B), A))) == (A,)
    assert factor(call("or", A, B)) == (call("or", A, B),)
    assert disjuncts(disjunction((A, B, C))) == (A, B, C)


def test_what_a_disjunction_implies_for_one_side() -> None:
    expr = disjunction((both(A, B), both(C, D)))
    assert implied(expr, frozenset({0, 2})) == (call("or", A, C),)
    assert implied(expr, frozenset({0})) == ()
    assert implied(both(A, B), frozenset({0})) == ()


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (call("<", NUMBER, constant(INTEGER, 3)), False),
        (call("+", NUMBER, OTHER), True),
        (call("//", NUMBER, constant(INTEGER, 2)), False),
        (call("//", NUMBER, OTHER), True),
        (Cast(INTEGER, WORD), True),
        (Cast(INTEGER, WORD, True), False),
        (Cast(BIGINT, NUMBER), False),
        (Cast(VARCHAR, NUMBER), False),
        (call("is_null", Cast(INTEGER, WORD)), True),
    ],
)
def test_what_can_raise(expr: Expr, expected: bool) -> None:
    assert can_raise(expr) is expected


def test_what_is_never_true_of_padded_rows() -> None:
    padded = frozenset({4})
    assert always_null(call("+", NUMBER, OTHER), padded)
    assert not always_null(call("coalesce", NUMBER, OTHER), padded)
    assert never_true(call("and", A, call("=", NUMBER, OTHER)), padded)
    assert not never_true(call("or", A, call("=", NUMBER, OTHER)), padded)
    assert not never_true(call("is_null", NUMBER), padded)
    assert not never_true(call("not", call("is_not_null", NUMBER)), padded)


def test_a_right_join_keeps_its_columns_in_order() -> None:
    builder = Builder()
    left = builder.scan("l", a=(INTEGER, [1, 2]))
    right = builder.scan("r", b=(INTEGER, [2, 3]))
    joined: Logical = Join("right", left, right, ((value(left, "a"), value(right, "b")),))
    pushed_plan = push_filters(Filter(joined, call(">", value(joined, "b"), constant(INTEGER, 0))))
    assert pushed_plan.output == joined.output
    assert sorted(builder.run(pushed_plan).rows(), key=str) == [(2, 2), (None, 3)]
    assert nodes(pushed_plan, Scan)
    assert not nodes(pushed_plan, Aggregate)
