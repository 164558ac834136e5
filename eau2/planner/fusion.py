"""Stages that need not be stages of their own: one task's rows that only the next stage reads.

Owns: which stages of a placed plan are written into the ones that read them. Comes in: a plan and
its tasks. Goes out: the same rows from fewer stages. Pure. Does not know: how a task runs.

A plan is cut where rows of several tasks may meet. Where a single task of the leading node gives
them all, nothing has to meet: its fragment goes on with what the next stage does, in one call of
the kernels. Not where the order of rows shows, which only the end of a stage keeps; nor at the
right side of a join, whose rows are wanted at hand. And of many rows only what no join follows:
a join that is known to read few rows does not reduce them first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from eau2.config import LIMITS
from eau2.operators.base import Operator, transform
from eau2.operators.join import Join
from eau2.operators.project import Project
from eau2.operators.scan import StageInput
from eau2.operators.sort import TopK
from eau2.planner.physical import Plan, Stage
from eau2.planner.placement import Task
from eau2.records import replace

Placed = Mapping[int, tuple[Task, ...]]


def fused(plan: Plan, placed: Placed, here: Collection[str]) -> tuple[Plan, Placed]:
    """The plan and its tasks, less the stages that are written into others.

    here: the names of the node that leads the query.
    """
    reads = Counter(number for stage in plan.stages for number in _read(stage.root))
    kept = {number for loop in plan.loops for number in (loop.base, *loop.body)}
    stages: dict[int, Stage] = {}
    tasks = dict(placed)
    for stage in plan.stages:
        while stage.source is None and stage.id not in kept:
            number = _driver(stage.root)
            below = None if number is None or number in kept else stages.get(number)
            if below is None or below.ordered or reads[below.id] != 1:
                break
            only = tasks[below.id]
            if len(only) != 1 or only[0].node not in here:
                break
            if only[0].rows > LIMITS.in_memory_engine_rows and _joins(stage.root):
                break
            stage = _written_out(stage, below)
            tasks[stage.id] = (replace(only[0], stage=stage.id),)
            del stages[below.id], tasks[below.id]
        stages[stage.id] = stage
    if len(stages) == len(plan.stages):
        return plan, placed
    return replace(plan, stages=tuple(stages.values())), tasks


def _written_out(stage: Stage, below: Stage) -> Stage:
    """The stage with what `below` does in place of reading its rows."""

    def visit(node: Operator) -> Operator:
        match node:
            case StageInput(number, renamed=old) if number == below.id:
                return Project(below.root, node.items) if old else below.root
            case TopK(TopK(input_, keys, rows, 0), same, count, offset):
                if keys == same and rows >= count + offset:
                    return TopK(input_, same, count, offset)
        return node

    others = tuple(number for number in stage.inputs if number != below.id)
    return replace(
        stage,
        root=transform(stage.root, visit),
        source=below.source,
        inputs=tuple(dict.fromkeys(below.inputs + others)),
    )


def _driver(root: Operator) -> int | None:
    """The stage whose rows the fragment goes through, if it is one."""
    while not isinstance(root, StageInput):
        if not isinstance(root, Join) and len(root.inputs) != 1:
            return None
        root = root.inputs[0]
    return root.stage


def _joins(root: Operator) -> bool:
    """Whether those rows go through a join."""
    while root.inputs:
        if isinstance(root, Join):
            return True
        root = root.inputs[0]
    return False


def _read(root: Operator) -> Iterator[int]:
    """The stages that the fragment reads, each as often as it does."""
    if isinstance(root, StageInput):
        yield root.stage
    for node in root.inputs:
        yield from _read(node)
