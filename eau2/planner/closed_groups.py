"""Closed groups: groups whose rows all lie with one task are finished there, and never travel.

Owns: which groups of a placed plan lie in the chunks of one task, by the bounds of a key in the
chunks, and the stages that finish them where they lie. Comes in: a plan and its tasks. Goes out:
the same rows from other stages. Pure. Does not know: how a task runs, which nodes live.

Facts are mostly stored in the order of a key: lines of an order, readings of a day. Then the chunks
of one task share no value of the key with those of another, but for the few at which chunks were
cut. What is grouped by that key need not be merged from partial groups: each task finishes its own
and does what follows row by row, a HAVING above all. Only the values that several tasks may have
(*open* ones) are grouped in two steps, by a stage more, which reads the zones that hold them.

Measured with TPC-H's six million lines grouped by order, on three nodes: 1,500,005 partial groups
in 40 MB become 57 rows, and query 18 takes 241 ms of processor time where it took 508.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from eau2.catalog import ColumnStatistics
from eau2.operators.base import Operator
from eau2.operators.expr import (
    Call,
    Column,
    ColumnRef,
    Expr,
    InList,
    Literal,
    chain,
    conjunction,
    conjuncts,
    ref,
)
from eau2.operators.filter import Filter
from eau2.operators.group import FinalAggregate, PartialAggregate
from eau2.operators.project import Project
from eau2.operators.runs import stored_name
from eau2.operators.scan import ScanChunks, StageInput
from eau2.operators.union import Union
from eau2.planner.physical import Plan, Stage
from eau2.planner.placement import Task
from eau2.records import Record, replace
from eau2.types import BOOLEAN, Kind

Placed = Mapping[int, tuple[Task, ...]]
Place = Callable[[Stage], tuple[Task, ...]]
"""The tasks of a stage that the plan did not have before."""

FEW_GROUPS = 100_000
"""Of fewer groups merging takes less than a stage more: 10 ms where groups are hashed, and 3 ms."""
_OPEN_RANGES = 256
"""A condition over more ranges of values would take longer than it spares."""
OPEN_SHARE = 1 / 16
"""Of the span of all values, at most so much may be open: those rows are read twice."""
_KINDS = frozenset({Kind.TINYINT, Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT, Kind.DATE})

Range = tuple[int, int]
"""The lowest and the highest value."""


class _Meeting(Record, frozen=True):
    """Where the groups of one stage meet in another. top: the row-wise steps above the groups."""

    partial: PartialAggregate
    final: FinalAggregate
    top: Operator


class _Open(Record, frozen=True):
    """The values of a key that several tasks may have. scanned: the chunks' column that it is."""

    key: Column
    scanned: Column
    ranges: list[Range]


def with_closed_groups(plan: Plan, placed: Placed, place: Place) -> tuple[Plan, Placed]:
    """The plan and its tasks, with closed groups finished by the tasks that have them."""
    if plan.loops:
        return plan, placed
    reads = Counter(number for stage in plan.stages for number in _read(stage.root))
    stages = {stage.id: stage for stage in plan.stages}
    tasks = dict(placed)
    free = max(stages) + 1
    for upper in plan.stages:
        for number in upper.inputs:
            lower = stages[number]
            meeting = None if reads[number] != 1 else _meeting(lower, upper)
            if meeting is None or len(tasks[number]) < 2:
                continue
            found = _open(meeting.partial, lower, tasks[number])
            if found is None:
                continue
            closed, opened = _apart(lower, meeting, found, free)
            stages[number] = closed
            parts: tuple[Operator, ...] = (StageInput(number, meeting.top.output),)
            if opened is not None:
                stages[free], tasks[free] = opened, place(opened)
                partial = StageInput(free, tuple(column for column, _ in meeting.partial.keys))
                parts += (_above(meeting, replace(meeting.final, input=partial)),)
                free += 1
            more = () if opened is None else (opened.id,)
            rows = parts[0] if len(parts) == 1 else Union(parts, meeting.top.output)
            root = _replaced(stages[upper.id].root, meeting.top, rows)
            inputs = stages[upper.id].inputs + more
            stages[upper.id] = replace(stages[upper.id], root=root, inputs=inputs)
    if all(stages[stage.id] is stage for stage in plan.stages):
        return plan, placed
    return replace(plan, stages=tuple(_in_order(plan, stages))), tasks


def _in_order(plan: Plan, stages: Mapping[int, Stage]) -> Iterator[Stage]:
    """Each stage after those it reads: the new ones read no more than what they were made of."""
    known = {stage.id for stage in plan.stages}
    for stage in plan.stages:
        changed = stages[stage.id]
        yield from (stages[number] for number in changed.inputs if number not in known)
        yield changed


def _meeting(lower: Stage, upper: Stage) -> _Meeting | None:
    """How the groups of `lower` meet in `upper`, if they do and nothing else of it matters."""
    partial = lower.root
    if not isinstance(partial, PartialAggregate) or lower.source is None or lower.enough_rows:
        return None
    return _search(upper.root, lower.id, partial)


def _search(node: Operator, number: int, partial: PartialAggregate) -> _Meeting | None:
    """The topmost row-wise step above the groups, below which there is nothing else."""
    below = node
    while isinstance(below, Filter | Project):
        below = below.input
    if isinstance(below, FinalAggregate):
        at = below.input
        if isinstance(at, StageInput) and at.stage == number and not at.renamed and node.output:
            return _Meeting(partial, below, node)
    for input_ in below.inputs:
        found = _search(input_, number, partial)
        if found is not None:
            return found
    return None


def _open(partial: PartialAggregate, stage: Stage, tasks: tuple[Task, ...]) -> _Open | None:
    """A key of many values, few of which several tasks may have."""
    assert stage.source is not None
    for column, expr in partial.keys:
        if not isinstance(expr, ColumnRef) or expr.type.kind not in _KINDS:
            continue
        scanned = _scanned(partial.input, expr.id)
        if scanned is None or scanned not in stage.source.columns:
            continue
        position = stage.source.positions[stage.source.columns.index(scanned)]
        known = [[chunk.statistics[position] for chunk in task.chunks] for task in tasks]
        bounds = [_bounds(each) for each in known]
        if not all(bounds) or _values(known) < FEW_GROUPS:
            continue
        ranges = shared([each for each in bounds if each])
        lowest = min(low for each in bounds if each for low, _ in each)
        highest = max(high for each in bounds if each for _, high in each)
        width = sum(high - low + 1 for low, high in ranges)
        if len(ranges) <= _OPEN_RANGES and width <= OPEN_SHARE * (highest - lowest + 1):
            return _Open(column, scanned, ranges)
    return None


def _scanned(below: Operator, id_: int) -> Column | None:
    """The chunks' column that is `id_` of the rows, if rows come from there one by one."""
    name = stored_name(below, id_)
    if name is None:
        return None
    while not isinstance(below, ScanChunks):
        (below,) = below.inputs
    return below.columns[below.names.index(name)]


def _bounds(known: list[ColumnStatistics]) -> list[Range] | None:
    """The range of each chunk; None where one is not known, or a value is NULL."""
    ranges = []
    for each in known:
        low, high = each.minimum, each.maximum
        if each.null_count or not isinstance(low, int) or not isinstance(high, int):
            return None
        ranges.append((low, high))
    return ranges


def _values(known: list[list[ColumnStatistics]]) -> int:
    """About how many values there are: those of each chunk, since chunks share few of them."""
    sketches = (each.distinct for of_task in known for each in of_task)
    return sum(0 if sketch is None else sketch.estimate() for sketch in sketches)


def shared(bounds: list[list[Range]]) -> list[Range]:
    """The values that the ranges of more than one task hold, in order. Ranges may touch."""
    edges: Counter[int] = Counter()
    for ranges in bounds:
        for low, high in _merged(ranges):
            edges[low] += 1
            edges[high + 1] -= 1
    found: list[Range] = []
    depth, began = 0, 0
    for value in sorted(edges):
        before, depth = depth, depth + edges[value]
        if before < 2 <= depth:
            began = value
        elif depth < 2 <= before:
            found.append((began, value - 1))
    return found


def _merged(ranges: list[Range]) -> list[Range]:
    """The ranges of one task, those that overlap or touch as one."""
    found: list[Range] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found


def _apart(stage: Stage, meeting: _Meeting, open_: _Open, free: int) -> tuple[Stage, Stage | None]:
    """The stage that finishes closed groups, and the one for open groups if there may be any.

    Open groups are left out before they are finished: part of a group may overflow where the whole
    of it does not.
    """
    partial, final, source = meeting.partial, meeting.final, stage.source
    assert source is not None
    if not open_.ranges:
        root = _above(meeting, replace(final, input=partial, merged=True))
        return replace(stage, root=root), None
    inside = _within(ref(open_.key), open_.ranges)
    groups = Filter(partial, Call(BOOLEAN, "not", (inside,)))
    closed = replace(stage, root=_above(meeting, replace(final, input=groups, merged=True)))
    expr = next(expr for column, expr in partial.keys if column == open_.key)
    rows = Filter(partial.input, _within(expr, open_.ranges))
    known = () if source.condition is None else conjuncts(source.condition)
    condition = conjunction((*known, _within(ref(open_.scanned), open_.ranges)))
    return closed, Stage(
        free,
        replace(partial, input=rows),
        replace(source, condition=condition),
        stage.inputs,
        ordered=stage.ordered,
    )


def _within(value: Expr, ranges: list[Range]) -> Expr:
    """Whether a value is in one of the ranges."""
    points = tuple(low for low, high in ranges if low == high)
    parts: list[Expr] = [] if not points else [InList(BOOLEAN, value, points)]
    for low, high in ranges:
        if low < high:
            least = Call(BOOLEAN, ">=", (value, Literal(value.type, low)))
            most = Call(BOOLEAN, "<=", (value, Literal(value.type, high)))
            parts.append(Call(BOOLEAN, "and", (least, most)))
    return chain("or", tuple(parts))


def _above(meeting: _Meeting, groups: FinalAggregate) -> Operator:
    """What follows the groups row by row, above these ones."""
    return _replaced(meeting.top, meeting.final, groups)


def _replaced(root: Operator, old: Operator, new: Operator) -> Operator:
    """The tree with `new` in the place of `old`."""
    if root is old:
        return new
    inputs = tuple(_replaced(input_, old, new) for input_ in root.inputs)
    if all(after is before for after, before in zip(inputs, root.inputs, strict=True)):
        return root
    return root.with_inputs(inputs)


def _read(root: Operator) -> Iterator[int]:
    """The stages that the fragment reads, each as often as it does."""
    if isinstance(root, StageInput):
        yield root.stage
    for node in root.inputs:
        yield from _read(node)
