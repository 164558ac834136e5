"""Prove presence: sums and counts of what is never NULL count rows.

Owns: `AggregateCall.present`. Comes in: a plan whose joins stand where they stay. Goes out: the
same plan, whose aggregates need one count of rows in place of one for each argument. Does not
know: what a state is.
"""

from __future__ import annotations

from eau2.operators.expr import AggregateCall
from eau2.planner.nulls import is_never_null, never_null
from eau2.records import replace
from eau2.sql.logical import Aggregate, Logical

_COUNTING = frozenset({"avg", "avg_moment", "count", "count_if", "sum"})


def prove_presence(plan: Logical) -> Logical:
    """The rule."""
    if plan.inputs:
        plan = plan.with_inputs(tuple(map(prove_presence, plan.inputs)))
    if not isinstance(plan, Aggregate):
        return plan
    if not any(_may_profit(call) for _, call in plan.aggregates):
        return plan
    known = never_null(plan.input)
    if not known:
        return plan
    proven = tuple(
        (column, replace(call, present=True))
        if _may_profit(call) and call.arg is not None and is_never_null(call.arg, known)
        else (column, call)
        for column, call in plan.aggregates
    )
    return replace(plan, aggregates=proven)


def _may_profit(call: AggregateCall) -> bool:
    return call.function in _COUNTING and call.arg is not None and not call.present
