"""Unnesting: random dependent joins against nested loops, and what becomes of each form."""

from __future__ import annotations

import polars as pl
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st

from eau2.errors import Error
from eau2.planner.optimizer import optimize
from eau2.planner.rules.split_distinct import split_distinct
from eau2.planner.rules.unnest import unnest
from eau2.sql.check import check
from eau2.sql.logical import DependentJoin, Logical
from eau2.sql.plan_text import to_text
from tests.unit.plans import Builder, nodes, same_rows
from tests.unit.random_plans import dependent_joins

FAILURES = (Error, ValueError, pl.exceptions.PolarsError)
QUIET = settings(
    max_examples=150,
    deadline=None,
    verbosity=Verbosity.quiet,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SEVERAL = "more than one row"


def difference(
    plan: Logical, changed: Logical, wanted: pl.DataFrame | str, found: pl.DataFrame | str
) -> str:
    return f"\n{to_text(plan)}\n\n{to_text(changed)}\n\n{wanted}\n{found}"


def outcome(builder: Builder, plan: Logical) -> pl.DataFrame | str:
    try:
        return builder.run(split_distinct(plan))
    except FAILURES as error:
        return str(error)


@QUIET
@given(st.data())
def test_unnesting_is_what_nested_loops_give(data: st.DataObject) -> None:
    builder = Builder()
    plan = data.draw(dependent_joins(builder, 3))
    check(plan)
    changed = unnest(plan)
    assert not nodes(changed, DependentJoin)
    check(changed)
    assert changed.output == plan.output
    wanted, found = outcome(builder, plan), outcome(builder, changed)
    if isinstance(wanted, str):
        refused = SEVERAL not in wanted or isinstance(found, str)
        assert refused, difference(plan, changed, wanted, found)
    else:
        same = not isinstance(found, str) and same_rows(wanted, found)
        assert same, difference(plan, changed, wanted, found)


@QUIET
@given(st.data())
def test_all_rules_keep_the_meaning_of_dependent_joins(data: st.DataObject) -> None:
    builder = Builder()
    plan = data.draw(dependent_joins(builder, 3))
    changed = optimize(plan)
    check(changed)
    wanted, found = outcome(builder, plan), outcome(builder, changed)
    if not isinstance(wanted, str):
        same = not isinstance(found, str) and same_rows(wanted, found)
        assert same, difference(plan, changed, wanted, found)
