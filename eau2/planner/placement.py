"""Stages and chunks to tasks: which chunks are read, in which runs, by which node.

Owns: `Task`, the grouping of chunks into runs, and what a fragment need not do when its input came
from one task. Comes in: a stage. Goes out: its tasks in chunk order. Pure.
Does not know: how a task travels, whether a node lives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby, zip_longest

from eau2.catalog import ChunkRef
from eau2.operators.base import Operator, transform
from eau2.operators.group import FinalAggregate, PartialAggregate
from eau2.operators.scan import StageInput
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
    """The tasks of `stage`: runs of chunks of one node, of at most `run_rows` rows.

    There is at least one. A single chunk may be larger than `run_rows`. Where the order of rows can
    show, the chunks of a run are neighbours. `home` is the node that leads the query; it runs what
    needs no chunk.
    """
    chunks = () if stage.source is None else surviving(stage.source)
    if not chunks:
        return (Task(stage.id, 0, (), 0, home),)
    runs = _neighbours(chunks, run_rows) if stage.ordered else _together(chunks, run_rows)
    return tuple(
        Task(stage.id, number, tuple(run), sum(chunk.rows for chunk in run), run[0].locations[0])
        for number, run in enumerate(runs)
    )


def _neighbours(chunks: tuple[ChunkRef, ...], run_rows: int) -> list[list[ChunkRef]]:
    """The chunks in their order, cut where the node changes or a run is full."""
    groups = groupby(chunks, key=lambda chunk: chunk.locations[0])
    return [run for _, group in groups for run in _runs(group, run_rows)]


def _together(chunks: tuple[ChunkRef, ...], run_rows: int) -> list[list[ChunkRef]]:
    """The chunks of each node together; the nodes' first runs come before their second ones."""
    of_node: dict[str, list[ChunkRef]] = {}
    for chunk in chunks:
        of_node.setdefault(chunk.locations[0], []).append(chunk)
    rounds = zip_longest(*(_runs(held, run_rows) for held in of_node.values()))
    return [run for turn in rounds for run in turn if run is not None]


def _runs(chunks: Iterable[ChunkRef], run_rows: int) -> list[list[ChunkRef]]:
    """The chunks of one node in runs of at most `run_rows` rows, or of a single chunk."""
    runs: list[list[ChunkRef]] = []
    rows = 0
    for chunk in chunks:
        if runs and rows + chunk.rows <= run_rows:
            runs[-1].append(chunk)
            rows += chunk.rows
        else:
            runs.append([chunk])
            rows = chunk.rows
    return runs


def fragment(stage: Stage, placed: Mapping[int, tuple[Task, ...]]) -> Operator:
    """What the tasks of `stage` run, when its inputs come from the tasks in `placed`.

    The groups of a single partial frame are distinct already: they are finished, not merged.
    """

    def finished(node: Operator) -> Operator:
        match node:
            case FinalAggregate(input=PartialAggregate()):
                return replace(node, merged=True)
            case FinalAggregate(input=StageInput(number)) if len(placed.get(number, ())) == 1:
                return replace(node, merged=True)
        return node

    return transform(stage.root, finished)


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
