"""Share rows: what is joined with an aggregate over the same frame, by its key, is read once.

Owns: joins of a frame's rows with groups of that frame. Comes in: a plan whose aggregates have been
reduced to the keys that they are asked for. Goes out: the same rows and columns; the rows of these
keys are a definition, which the aggregate and the join read.
Does not know: how the keys were found (reduce_inputs put the semi join there).

A row that belongs to no group that is made is in no pair. So the rows beside the aggregate may be
reduced like those in it: `l.quantity < (SELECT avg(quantity) ... WHERE partkey = l.partkey)` for a
few parts reads the rows of these parts, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from eau2.operators.expr import Column, ColumnRef, Expr, conjunction, ref, substitute
from eau2.planner.estimate import rows
from eau2.planner.frame_rows import FrameRows, frame_rows
from eau2.records import Record, replace
from eau2.sql.copies import free_columns, highest_id
from eau2.sql.logical import Aggregate, Filter, Join, Logical, Project, Scan
from eau2.sql.sharing import Definition, Recursive, SharedScan, With

ROWS = 20_000.0
"""Frames of fewer rows may be read twice."""
FRACTION = 0.2
"""So few of a frame's rows are kept that are worth keeping."""


def share_rows(plan: Logical) -> Logical:
    """The rule. New columns and definitions are numbered from the highest id of the plan on."""
    if not _holds_reduced(plan):
        return plan
    return _scope(plan, count(highest_id(plan) + 1))


def _holds_reduced(plan: Logical) -> bool:
    return _is_reduced(plan) or any(map(_holds_reduced, plan.inputs))


def _is_reduced(plan: Logical) -> bool:
    return (
        isinstance(plan, Aggregate) and isinstance(plan.input, Join) and plan.input.kind == "semi"
    )


def _scope(plan: Logical, ids: Iterator[int]) -> Logical:
    """A plan that may define something at its top."""
    made: list[Definition] = []

    def visit(node: Logical) -> Logical:
        if isinstance(node, Join) and node.kind == "inner" and not node.null_safe:
            return _once(node, made, ids)
        return node

    def within(below: Logical) -> Logical:
        if isinstance(below, Recursive):
            return below.with_inputs(tuple(_scope(part, ids) for part in below.inputs))
        if not below.inputs:
            return below
        return visit(below.with_inputs(tuple(map(within, below.inputs))))

    if isinstance(plan, With):
        for definition in plan.definitions:
            changed = replace(definition, plan=within(definition.plan))
            made.append(changed)
        plan = plan.input
    plan = within(plan)
    return With(tuple(made), plan) if made else plan


class _Groups(Record, frozen=True):
    """An aggregate over rows of a frame that were reduced; its keys by the ids they have above."""

    aggregate: Aggregate
    semi: Join
    rows: FrameRows
    keys: dict[int, int]


def _once(join: Join, made: list[Definition], ids: Iterator[int]) -> Join:
    for own, other in ((join.left, join.right), (join.right, join.left)):
        beside, groups = frame_rows(own), _groups(other)
        if beside is None or groups is None or beside.frame != groups.rows.frame:
            continue
        pairs = join.equalities if own is join.left else tuple((b, a) for a, b in join.equalities)
        same = (
            beside.position(a) == groups.keys[b.id]
            for a, b in pairs
            if isinstance(b, ColumnRef) and b.id in groups.keys
        )
        if not any(same) or not _pays(groups):
            continue
        shared = _shared(beside, groups, made, ids)
        mine = _replaced(own, beside.scan, shared[0])
        input_ = _replaced(groups.semi.left, groups.rows.scan, shared[1])
        theirs = _replaced(other, groups.aggregate, replace(groups.aggregate, input=input_))
        return join.with_inputs((mine, theirs) if own is join.left else (theirs, mine))
    return join


def _pays(groups: _Groups) -> bool:
    total = float(groups.rows.frame.rows)
    return total >= ROWS and rows(groups.semi) <= FRACTION * total


def _groups(plan: Logical) -> _Groups | None:
    """The reduced aggregate in a plan each of whose rows holds a key of one of its groups."""
    match plan:
        case Aggregate(input=Join(kind="semi", condition=None, null_safe=False) as semi):
            read = frame_rows(semi.left)
            if read is None or len(semi.equalities) != 1 or free_columns(semi.right):
                return None
            position = read.position(semi.equalities[0][0])
            if position is None:
                return None
            keys = (c.id for c, expr in plan.keys if read.position(expr) == position)
            return _Groups(plan, semi, read, dict.fromkeys(keys, position))
        case Filter(input=below) | Join(kind="semi" | "anti", left=below):
            return _groups(below)
        case Project(input=below, items=items):
            found = _groups(below)
            if found is None:
                return None
            bare = {c.id: expr.id for c, expr in items if isinstance(expr, ColumnRef)}
            keys_ = {id_: found.keys[old] for id_, old in bare.items() if old in found.keys}
            return replace(found, keys=keys_)
        case Join(kind="inner" | "cross", left=left, right=right):
            return _groups(left) or _groups(right)
    return None


def _shared(
    beside: FrameRows, groups: _Groups, made: list[Definition], ids: Iterator[int]
) -> list[SharedScan]:
    """A definition of the rows that both read, and what stands for the one and the other scan."""
    both = (beside, groups.rows)
    positions = tuple(sorted({p for each in both for p in each.positions.values()}))
    columns = {}
    for position in positions:
        schema = beside.frame.schema.columns[position]
        columns[position] = Column(next(ids), schema.name, schema.type)
    stated = []
    for each in both:
        over: dict[int, Expr] = {id_: ref(columns[p]) for id_, p in each.positions.items()}
        stated.append([substitute(part, over) for part in each.conditions])
    common = tuple(part for part in dict.fromkeys(stated[0]) if part in stated[1])
    rows_: Logical = Scan(beside.frame, tuple(columns.values()), positions)
    if common:
        rows_ = Filter(rows_, conjunction(common))
    _, wanted = groups.semi.equalities[0]
    key = groups.rows.position(groups.semi.equalities[0][0])
    assert key is not None
    semi = Join("semi", rows_, groups.semi.right, ((ref(columns[key]), wanted),))
    number = next(ids)
    made.append(Definition(number, "shared rows", semi))
    size = rows(semi)
    return [
        SharedScan(
            number, each.scan.columns, tuple(map(positions.index, each.scan.positions)), size
        )
        for each in both
    ]


def _replaced(plan: Logical, old: Logical, new: Logical) -> Logical:
    if plan is old:
        return new
    if not plan.inputs:
        return plan
    return plan.with_inputs(tuple(_replaced(below, old, new) for below in plan.inputs))
