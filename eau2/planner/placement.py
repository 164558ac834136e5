"""Stages and chunks to tasks: which chunks are read, in which runs, by which node.

Owns: `Task` and the grouping of chunks into runs. Comes in: a stage. Goes out: its tasks in chunk
order. Pure. Does not know: how a task travels, whether a node lives.
"""

from __future__ import annotations

from dataclasses import dataclass

from eau2.catalog import ChunkRef
from eau2.planner.physical import Source, Stage
from eau2.planner.prune import may_match


@dataclass(frozen=True, slots=True)
class Task:
    """Run a stage's fragment on these chunks, taken together, at `node`.

    `number` orders the results of a stage. A task without chunks gives what the fragment makes
    of no rows at all.
    """

    stage: int
    number: int
    chunks: tuple[ChunkRef, ...]
    rows: int
    node: str


def tasks(stage: Stage, run_rows: int, home: str) -> tuple[Task, ...]:
    """The tasks of `stage`: runs of at most `run_rows` rows of neighbouring chunks of one node.

    There is at least one. A single chunk may be larger than `run_rows`. `home` is the node that
    leads the query; it runs what needs no chunk.
    """
    if stage.source is None:
        return (Task(stage.id, 0, (), 0, home),)
    runs: list[list[ChunkRef]] = []
    rows = 0
    for chunk in surviving(stage.source):
        node = chunk.locations[0]
        fits = runs and runs[-1][0].locations[0] == node and rows + chunk.rows <= run_rows
        if fits:
            runs[-1].append(chunk)
            rows += chunk.rows
        else:
            runs.append([chunk])
            rows = chunk.rows
    if not runs:
        return (Task(stage.id, 0, (), 0, home),)
    return tuple(
        Task(
            stage.id,
            number,
            tuple(run),
            sum(chunk.rows for chunk in run),
            run[0].locations[0],
        )
        for number, run in enumerate(runs)
    )


def surviving(source: Source) -> tuple[ChunkRef, ...]:
    """The chunks that may hold a row the stage's filters let through, by their statistics."""
    chunks = tuple(chunk for chunk in source.frame.chunks if chunk.rows)
    if source.condition is None:
        return chunks
    condition = source.condition
    return tuple(
        chunk
        for chunk in chunks
        if may_match(
            condition,
            source.columns,
            tuple(chunk.statistics[position] for position in source.positions),
            chunk.rows,
        )
    )
