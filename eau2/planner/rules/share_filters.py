"""Share filters: a costly condition that a plan asks of a frame's rows twice is computed once.

Owns: filters of one frame in several places of a plan that have a condition on text in common.
Comes in: a plan whose filters stand at the frames. Goes out: the same rows and columns; the rows
for which the common conditions are true are a definition, which all of these places read.
Does not know: what reads them.

Conditions on numbers cost less than to keep the rows. So do those on text of few values, which are
computed once for each value anyway.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import count

from eau2.operators.expr import (
    Call,
    Column,
    Expr,
    columns_of,
    conjunction,
    conjuncts,
    ref,
    substitute,
    walk,
)
from eau2.operators.facts import COMPARISONS, can_raise
from eau2.planner.estimate import profile, rows
from eau2.records import Record, replace
from eau2.sql.copies import highest_id
from eau2.sql.logical import Filter, Logical, Scan
from eau2.sql.sharing import Definition, Recursive, SharedScan, With
from eau2.types import Kind

LEAST, MOST = 20_000.0, 100_000.0
"""Frames of fewer rows are filtered twice, and so are those of which more are left."""
FRACTION = 0.5
"""So few of a frame's rows are kept that are worth keeping."""
NEARLY = 0.2
"""A place that wants fewer of these rows may read few chunks for them."""
VALUES = 0.1
"""Text of fewer distinct values, for each row, is believed to be looked up."""


class _Read(Record, frozen=True):
    """A filter of a frame's rows; its conditions over the frame's columns by their positions."""

    filter: Filter
    scan: Scan
    parts: dict[Expr, Expr]


def share_filters(plan: Logical) -> Logical:
    """The rule. New columns and definitions are numbered from the highest id of the plan on."""
    found: dict[int, list[_Read]] = defaultdict(list)
    if not _gathered(plan, found) or all(len(reads) < 2 for reads in found.values()):
        return plan
    made: list[Definition] = []
    replaced: dict[int, Logical] = {}
    ids: Iterator[int] | None = None
    for reads in found.values():
        common = _common(reads)
        sharing = [read for read in reads if common and common <= read.parts.keys()]
        if len(sharing) < 2:
            continue
        ids = ids or count(highest_id(plan) + 1)
        _share(sharing, common, made, replaced, ids)
    if not made:
        return plan
    plan = _with(plan, replaced)
    if isinstance(plan, With):
        return With((*made, *plan.definitions), plan.input)
    return With(tuple(made), plan)


def _gathered(plan: Logical, found: dict[int, list[_Read]]) -> bool:
    """Add the filters of all frames. False where rows come in rounds."""
    waiting = [plan]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Recursive):
            return False
        if isinstance(node, Filter) and isinstance(node.input, Scan):
            scan = node.input
            found[id(scan.frame)].append(_Read(node, scan, _parts(node, scan)))
        waiting.extend(reversed(node.inputs))
    return True


def _parts(plan: Filter, scan: Scan) -> dict[Expr, Expr]:
    """The conditions that cannot raise, by what they are over columns that are the frame's."""
    places: dict[int, Expr] = {
        column.id: ref(Column(-1 - position, column.name, column.type))
        for column, position in zip(scan.columns, scan.positions, strict=True)
    }
    return {
        substitute(part, places): part
        for part in conjuncts(plan.condition)
        if columns_of(part) <= places.keys() and not can_raise(part)
    }


def _common(reads: list[_Read]) -> frozenset[Expr]:
    """The conditions of the first places that have a costly one in common."""
    for read in reads:
        for part, own in read.parts.items():
            same = [other for other in reads if part in other.parts]
            if len(same) > 1 and _is_costly(own, read.scan):
                shared = frozenset(same[0].parts)
                for other in same[1:]:
                    shared &= other.parts.keys()
                return shared
    return frozenset()


def _is_costly(part: Expr, scan: Scan) -> bool:
    """Whether it computes something of text that has many values."""
    known = profile(scan)
    total = float(scan.frame.rows)
    if total < LEAST:
        return False
    computing = any(
        isinstance(node, Call)
        and node.function not in COMPARISONS
        and any(arg.type.kind is Kind.VARCHAR for arg in node.args)
        and node.function not in ("is_null", "is_not_null")
        for node in walk(part)
    )
    return computing and any(
        known.columns[id_].distinct > VALUES * total for id_ in columns_of(part)
    )


def _share(
    reads: list[_Read],
    common: frozenset[Expr],
    made: list[Definition],
    replaced: dict[int, Logical],
    ids: Iterator[int],
) -> None:
    """Define the rows that fulfil the common conditions, where they are few."""
    frame = reads[0].scan.frame
    positions = tuple(sorted({p for read in reads for p in read.scan.positions}))
    columns = {}
    for position in positions:
        schema = frame.schema.columns[position]
        columns[position] = Column(next(ids), schema.name, schema.type)
    first = reads[0]
    over: dict[int, Expr] = {
        column.id: ref(columns[position])
        for column, position in zip(first.scan.columns, first.scan.positions, strict=True)
    }
    stated = tuple(substitute(own, over) for part, own in first.parts.items() if part in common)
    scan = Scan(frame, tuple(columns.values()), positions)
    kept = Filter(scan, conjunction(stated))
    size = rows(kept)
    if size > min(MOST, FRACTION * frame.rows):
        return
    if any(rows(read.filter) < NEARLY * size for read in reads):
        return
    number = next(ids)
    made.append(Definition(number, "shared filter", kept))
    for read in reads:
        done = {read.parts[part] for part in common}
        places = tuple(map(positions.index, read.scan.positions))
        given: Logical = SharedScan(number, read.scan.columns, places, size)
        rest = tuple(part for part in conjuncts(read.filter.condition) if part not in done)
        if rest:
            given = replace(read.filter, input=given, condition=conjunction(rest))
        replaced[id(read.filter)] = given


def _with(plan: Logical, replaced: dict[int, Logical]) -> Logical:
    found = replaced.get(id(plan))
    if found is not None:
        return found
    if not plan.inputs:
        return plan
    return plan.with_inputs(tuple(_with(below, replaced) for below in plan.inputs))
