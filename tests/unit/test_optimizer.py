"""The optimiser as a whole: every rule alone and all together keep the meaning of random plans."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eau2.errors import Error, InternalError
from eau2.operators.expr import Column, Expr, Literal, SortKey, conjuncts, ref
from eau2.operators.facts import can_raise
from eau2.planner import optimizer
from eau2.planner.optimizer import RULES, Rule, optimize
from eau2.planner.rules.split_distinct import split_distinct
from eau2.sql.logical import Filter, Join, Limit, Logical, Project, Sort
from eau2.types import BOOLEAN, INTEGER
from tests.unit.plans import Builder, call, constant, nodes, same_rows, value
from tests.unit.random_plans import plans

FAILURES = (Error, ValueError, pl.exceptions.PolarsError)
QUIET = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def check_same(builder: Builder, plan: Logical, changed: Logical) -> None:
    """The changed plan gives the same rows; it may fail only where the first one does.

    Or in a join key: an equality that alone connects two sides is computed for all their rows. Or
    in a filter where two filters that can fail have met: neither saves the other from its rows.
    """
    try:
        wanted = builder.run(split_distinct(plan))
    except FAILURES:
        return
    try:
        actual = builder.run(split_distinct(changed))
    except FAILURES:
        assert any(can_raise(key) for key in join_keys(changed)) or any(
            sum(can_raise(part) for part in conjuncts(node.condition)) > 1
            for node in nodes(changed, Filter)
            if isinstance(node, Filter)
        )
        return
    assert same_rows(wanted, actual)


def join_keys(plan: Logical) -> list[Expr]:
    joins = [node for node in nodes(plan, Join) if isinstance(node, Join)]
    return [key for join in joins for pair in join.equalities for key in pair]


@QUIET
@given(st.data())
def test_all_rules_keep_the_meaning(data: st.DataObject) -> None:
    builder = Builder()
    plan = data.draw(plans(builder, 4))
    check_same(builder, plan, optimize(plan))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@settings(QUIET, max_examples=25)
@given(st.data())
def test_each_rule_alone_keeps_the_meaning(rule: Rule, data: st.DataObject) -> None:
    builder = Builder()
    plan = data.draw(plans(builder, 3))
    check_same(builder, plan, rule.apply(plan))


@settings(QUIET, max_examples=40)
@given(st.data())
def test_optimising_twice_keeps_the_meaning(data: st.DataObject) -> None:
    builder = Builder()
    plan = data.draw(plans(builder, 3))
    check_same(builder, plan, optimize(optimize(plan)))


def sorted_scan() -> tuple[Builder, Logical]:
    builder = Builder()
    scan = builder.scan("t", a=(INTEGER, [3, 1, 2]))
    positive = call(">", value(scan, "a"), constant(INTEGER, 0))
    true = Filter(Filter(scan, positive), Literal(BOOLEAN, True))
    return builder, Limit(Sort(true, (SortKey(value(scan, "a")),)), 2)


def test_the_observer_sees_each_rule_that_changes_the_plan() -> None:
    _, plan = sorted_scan()
    seen: list[tuple[str, Logical]] = []
    result = optimize(plan, {}, lambda name, changed: seen.append((name, changed)))
    assert [name for name, _ in seen] == ["fold_constants"]
    assert seen[-1][1] == result


def test_rules_can_be_switched_off() -> None:
    _, plan = sorted_scan()
    everything = {f"optimizer.{rule.name}": False for rule in RULES}
    assert optimize(plan, everything) == plan
    assert optimize(plan, {"optimizer.fold_constants": True}) == optimize(plan)
    off = {"optimizer.fold_constants": False, "optimizer.push_filters": False}
    assert optimize(plan, off) == plan


def test_every_rule_has_its_own_name_and_a_reason() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert all(rule.apply.__name__ == rule.name and rule.reason.endswith(".") for rule in RULES)


def test_a_rule_that_changes_the_columns_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    _, plan = sorted_scan()
    other = Column(99, "other", INTEGER)
    bad = Rule("bad", lambda p: Project(p, ((other, ref(p.output[0])),)), "Wrong.")
    monkeypatch.setattr(optimizer, "RULES", (bad,))
    with pytest.raises(InternalError, match="bad"):
        optimize(plan)
