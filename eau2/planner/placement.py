"""Stages and chunks to tasks: which chunks are read, in which runs, by which node.

Owns: `Task`, the grouping of chunks into runs, and what a fragment need not do when its input came
from one task. Comes in: a stage. Goes out: its tasks in chunk order. Pure.
Does not know: how a task travels, whether a node lives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby, zip_longest

from eau2.catalog import ChunkRef
from eau2.operators.base import Operator, transform
from eau2.operators.group import FinalAggregate, PartialAggregate
from eau2.operators.prune import may_match
from eau2.operators.scan import StageInput
from eau2.planner.physical import Source, Stage
from eau2.records import Record, replace

Candidates = Callable[[ChunkRef], tuple[str, ...]]
"""The nodes that may hold a chunk, best first: those that are believed to live before others."""


def recorded(chunk: ChunkRef) -> tuple[str, ...]:
    """The candidates that the chunk's manifest lists."""
    return chunk.locations


class Task(Record, frozen=True):
    """Run a stage's fragment on these chunks, taken together, at `node`.

    `number` orders the results of a stage. A task without chunks gives what the fragment makes
    of no rows at all. failed_at: the nodes that have failed it before, in order.
    """

    stage: int
    number: int
    chunks: tuple[ChunkRef, ...]
    rows: int
    node: str
    failed_at: tuple[str, ...] = ()


def tasks(
    stage: Stage, run_rows: int, home: str, candidates: Candidates = recorded
) -> tuple[Task, ...]:
    """The tasks of `stage`: runs of chunks of one node, of at most `run_rows` rows.

    There is at least one. A single chunk may be larger than `run_rows`. Where the order of rows can
    show, the chunks of a run are neighbours. `home` is the node that leads the query; it runs what
    needs no chunk. The first candidate of a chunk is the node that it is taken to be on.
    """
    chunks = () if stage.source is None else surviving(stage.source)
    if not chunks:
        return (Task(stage.id, 0, (), 0, home),)
    placed = [(candidates(chunk)[0], chunk) for chunk in chunks]
    runs = _neighbours(placed, run_rows) if stage.ordered else _together(placed, run_rows)
    return tuple(
        Task(stage.id, number, tuple(run), sum(chunk.rows for chunk in run), node)
        for number, (node, run) in enumerate(runs)
    )


_Run = tuple[str, list[ChunkRef]]


def _neighbours(placed: list[tuple[str, ChunkRef]], run_rows: int) -> list[_Run]:
    """The chunks in their order, cut where the node changes or a run is full."""
    groups = groupby(placed, key=lambda at: at[0])
    return [(node, run) for node, group in groups for run in _runs((c for _, c in group), run_rows)]


def _together(placed: list[tuple[str, ChunkRef]], run_rows: int) -> list[_Run]:
    """The chunks of each node together; the nodes' first runs come before their second ones."""
    of_node: dict[str, list[ChunkRef]] = {}
    for node, chunk in placed:
        of_node.setdefault(node, []).append(chunk)
    runs = ([(node, run) for run in _runs(held, run_rows)] for node, held in of_node.items())
    return [run for turn in zip_longest(*runs) for run in turn if run is not None]


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
