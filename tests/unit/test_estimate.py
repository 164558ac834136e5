"""Estimates: about right where statistics say so, and the same however rows were cut."""

from __future__ import annotations

import math

import pytest

from eau2.planner.estimate import Profile, profile, rows
from eau2.sql.logical import Aggregate, Filter, Limit, Logical, Nothing, OneRow, Sort
from eau2.types import DOUBLE, INTEGER, VARCHAR
from tests.unit.plans import Builder, call, constant, value
from tests.unit.star_schema import SIZES, optimized


def top(sql: str) -> Logical:
    """What the last node below the count reads."""
    plan = optimized(f"SELECT count(*) FROM {sql}")
    while plan.inputs and not isinstance(plan, Aggregate):
        (plan,) = plan.inputs
    return plan.inputs[0]


@pytest.mark.parametrize(
    ("sql", "fraction"),
    [
        ("fact WHERE f_mode = 'air'", 1 / 4),
        ("fact WHERE f_mode IN ('air', 'ship')", 1 / 2),
        ("fact WHERE f_mode <> 'air'", 3 / 4),
        ("fact WHERE f_rate = 0.03", 1 / 11),
        ("fact WHERE f_day < DATE '1995-01-01'", (9131 - 8000) / 2500),
        ("fact WHERE f_day >= DATE '1994-01-01' AND f_day < DATE '1995-01-01'", 365 / 2500),
        ("fact WHERE f_day < DATE '1960-01-01'", 0.0),
        ("fact WHERE f_mode IS NULL", 0.0),
        ("fact WHERE f_mode = 'air' OR f_mode = 'ship'", 1 / 2),
    ],
)
def test_selectivity(sql: str, fraction: float) -> None:
    expected = SIZES["fact"] * fraction
    assert rows(top(sql)) == pytest.approx(expected, rel=0.15, abs=SIZES["fact"] * 0.002)


def test_a_foreign_key_join_keeps_the_rows_of_the_fact() -> None:
    assert rows(top("fact, big WHERE f_big = b_key")) == pytest.approx(SIZES["fact"], rel=0.1)
    filtered = "fact, big WHERE f_big = b_key AND b_day < DATE '1992-10-01'"
    share = (8309 - 8000) / 2500
    assert rows(top(filtered)) == pytest.approx(SIZES["fact"] * share, rel=0.2)


def test_outer_joins_keep_their_side() -> None:
    assert rows(top("big LEFT JOIN tiny ON b_key = t_key")) >= SIZES["big"] * 0.99
    assert rows(top("big FULL JOIN tiny ON b_key = t_key")) >= SIZES["big"] * 0.99


def test_groups() -> None:
    plan = optimized("SELECT f_mode, f_rate, count(*) FROM fact GROUP BY 1, 2")
    assert rows(plan) == pytest.approx(44)
    assert rows(optimized("SELECT sum(f_rate) FROM fact")) == 1
    assert rows(optimized("SELECT DISTINCT f_mode FROM fact")) == pytest.approx(4)


def test_leaves_and_limits() -> None:
    scan = Builder().scan("t", a=(INTEGER, list(range(100))))
    assert rows(scan) == 100
    assert rows(OneRow()) == 1
    assert rows(Nothing(scan.columns)) == 0
    assert rows(Limit(scan, 10, 95)) == 5
    assert rows(Sort(scan, ())) == 100
    impossible = Filter(scan, call("=", value(scan, "a"), constant(INTEGER, 1000)))
    assert rows(impossible) < 0.01


def test_estimates_are_finite_whatever_the_statistics() -> None:
    builder = Builder()
    scan = builder.scan(
        "t",
        f=(DOUBLE, [math.nan, math.inf, None]),
        g=(DOUBLE, [-math.inf, 1.0, 2.0]),
        n=(INTEGER, [None, None, None]),
        s=(VARCHAR, ["", "a", None]),
    )
    for name, literal in (
        ("f", constant(DOUBLE, math.inf)),
        ("g", constant(DOUBLE, math.nan)),
        ("n", constant(INTEGER, 1)),
        ("s", constant(VARCHAR, "a")),
    ):
        for operator in ("=", "<", ">=", "<>"):
            estimate = rows(Filter(scan, call(operator, value(scan, name), literal)))
            assert 0 <= estimate <= 3
    empty = builder.scan("e", a=(INTEGER, []))
    assert rows(Filter(empty, call("=", value(empty, "a"), constant(INTEGER, 1)))) == 0
    assert isinstance(profile(empty), Profile)
