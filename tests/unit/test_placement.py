"""Placement: what a fragment need not do when its input came from one task."""

from __future__ import annotations

from eau2 import types
from eau2.operators import aggregates
from eau2.operators.expr import AggregateCall, Column, Expr, ref
from eau2.operators.group import FinalAggregate, PartialAggregate
from eau2.operators.scan import ScanChunks, StageInput
from eau2.planner.physical import Stage
from eau2.planner.placement import Task, fragment

K, X, TOTAL = (Column(n, name, types.BIGINT) for n, name in enumerate(("k", "x", "total"), 1))
KEYS: tuple[tuple[Column, Expr], ...] = ((K, ref(K)),)
CALLS: tuple[tuple[Column, AggregateCall], ...] = ((TOTAL, aggregates.bind("sum", (ref(X),))),)
PARTIAL = PartialAggregate(ScanChunks((K, X), ("k", "x")), KEYS, CALLS)


def merges(root: object, tasks: int) -> bool:
    """Whether the final aggregate still merges when stage 0 has so many tasks."""
    placed = {0: tuple(Task(0, number, (), 0, "n1") for number in range(tasks))}
    assert isinstance(root, FinalAggregate)
    made = fragment(Stage(1, root, None, (0,)), placed)
    assert isinstance(made, FinalAggregate)
    return not made.merged


def test_groups_of_a_single_partial_frame_are_not_merged() -> None:
    gathered = FinalAggregate(StageInput(0, (K,)), (K,), CALLS)
    assert not merges(gathered, 1)
    assert merges(gathered, 2)
    assert merges(FinalAggregate(StageInput(9, (K,)), (K,), CALLS), 1), "another stage's rows"


def test_groups_made_in_the_same_fragment_are_not_merged() -> None:
    assert not merges(FinalAggregate(PARTIAL, (K,), CALLS), 3)
