"""The coordinator's hands: does what the schedule says, and reports back.

Owns: the results of running stages. Comes in: a prepared plan. Goes out: the result's rows.
Does not know: SQL, what a fragment computes. Here every task runs on the one node of this process,
through the same encoded message that will go over the wire.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from eau2.config import LIMITS
from eau2.errors import InternalError
from eau2.net.message import encode_fragment
from eau2.node import Node
from eau2.planner.physical import Plan, Stage
from eau2.planner.placement import Task, tasks
from eau2.planner.schedule import (
    Event,
    Failed,
    Finished,
    Instruction,
    RunTask,
    Schedule,
    StageComplete,
    TaskDone,
    TaskFailed,
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan ready to run again and again: its tasks placed, its fragments encoded."""

    plan: Plan
    tasks: Mapping[int, tuple[Task, ...]]
    fragments: Mapping[int, bytes]


@dataclass(slots=True)
class _Run:
    """What has come of one query so far."""

    parts: dict[int, dict[int, pl.DataFrame]] = field(default_factory=dict)
    results: dict[int, pl.DataFrame] = field(default_factory=dict)


class LocalCluster:
    """A cluster of one node, in this process."""

    def __init__(self, node: Node, run_rows: int = LIMITS.kernel_call_rows) -> None:
        self._node = node
        self._run_rows = run_rows

    def prepare(self, plan: Plan) -> Prepared:
        """Place the plan's tasks and encode its fragments."""
        placed = {stage.id: tasks(stage, self._run_rows, self._node.name) for stage in plan.stages}
        return Prepared(plan, placed, {s.id: encode_fragment(s.root) for s in plan.stages})

    def run(self, prepared: Prepared) -> pl.DataFrame:
        """All rows of the result, tasks joined in order. Raises what the failing task raised."""
        run = _Run()
        stages = {stage.id: stage for stage in prepared.plan.stages}
        schedule = Schedule(prepared.plan, prepared.tasks)
        instructions: deque[Instruction] = deque(schedule.start())
        while instructions:
            match instructions.popleft():
                case RunTask(task):
                    event = self._run_task(task, stages[task.stage], prepared, run)
                    instructions.extend(schedule.handle(event))
                case StageComplete(stage, count):
                    run.results[stage] = _joined(run.parts.pop(stage), count)
                    _forget(run, stages, stage)
                case Finished(stage):
                    return run.results[stage]
                case Failed(error):
                    raise error
        raise InternalError("the schedule ended without a result")

    def _run_task(self, task: Task, stage: Stage, prepared: Prepared, run: _Run) -> Event:
        inputs = {number: run.results[number] for number in stage.inputs}
        try:
            part = self._node.run(prepared.fragments[stage.id], task.chunks, inputs)
        except Exception as error:
            return TaskFailed(task, error)
        run.parts.setdefault(stage.id, {})[task.number] = part
        return TaskDone(task, part.height)


def _joined(parts: Mapping[int, pl.DataFrame], count: int) -> pl.DataFrame:
    """The first `count` tasks' rows, in the order of the tasks."""
    if count == 1:
        return parts[0]
    return pl.concat([parts[number] for number in range(count)], rechunk=False)


def _forget(run: _Run, stages: Mapping[int, Stage], done: int) -> None:
    """Drop results that no stage still to come reads."""
    needed = {
        number
        for stage in stages.values()
        if stage.id not in run.results
        for number in stage.inputs
    }
    for number in [n for n in run.results if n not in needed and n != done]:
        del run.results[number]
