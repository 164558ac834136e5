"""Reduce inputs: groups and rows that a join will drop are not made and not gathered.

Owns: semi joins put into the inputs of aggregates, and below the right sides of semi joins. Comes
in: a plan whose joins are ordered. Goes out: the same rows and columns.
Does not know: that a subquery was the reason (unnest makes such plans).

Where an aggregate by a key is joined on that key with much fewer rows, its input is first reduced
to the keys of these rows, which are computed once for both reads. So is a large right side of a
semi, anti or mark join: it would be gathered whole, to tell something about few left rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from eau2.operators.expr import ColumnRef, Expr
from eau2.planner.estimate import Known, profile, rows
from eau2.planner.rules.inline_definitions import is_cheap
from eau2.planner.rules.order_joins import order_joins
from eau2.records import Record, field, replace
from eau2.sql.copies import Copier, free_columns, highest_id
from eau2.sql.logical import Aggregate, Filter, Join, Logical, Project
from eau2.sql.sharing import Definition, Recursive, SharedScan, With

ROWS = 20_000.0
"""Aggregates over fewer rows, and smaller sides of joins, are not worth it."""
FRACTION = 0.2
"""The rows on the other side are at most so many, for each row that is aggregated or gathered."""
KEYS = 0.5
"""A side is reduced when the other one has at most so many of its distinct keys."""


def reduce_inputs(plan: Logical) -> Logical:
    """The rule. New columns and definitions are numbered from the highest id of the plan on."""
    return _scope(plan, _Under(count(highest_id(plan) + 1), {}))


class _Under(Record, frozen=True):
    """A plan under way: new ids, what is known of its parts, and what it defines at its top."""

    ids: Iterator[int]
    known: Known
    made: list[Definition] = field(default_factory=list)


def _scope(plan: Logical, outer: _Under) -> Logical:
    """A plan that may define something at its top."""
    under = _Under(outer.ids, outer.known)
    for definition in plan.definitions if isinstance(plan, With) else ():
        changed = _reduced(definition.plan, under)
        under.made.append(replace(definition, plan=changed))
    below = _reduced(plan.input if isinstance(plan, With) else plan, under)
    return With(tuple(under.made), below) if under.made else below


def _reduced(plan: Logical, under: _Under) -> Logical:
    if isinstance(plan, Recursive):
        return plan.with_inputs(tuple(_scope(below, under) for below in plan.inputs))
    if plan.inputs:
        plan = plan.with_inputs(tuple(_reduced(below, under) for below in plan.inputs))
    return _join(plan, under) if isinstance(plan, Join) else plan


def _join(join: Join, under: _Under) -> Join:
    if join.kind in ("inner", "left", "single", "semi", "mark", "anti"):
        found = _keyed(join.right, tuple((b, a) for a, b in join.equalities))
        if found is not None and _pays(*found, join.left, under.known):
            other, reduced = _with_fewer(join.right, *found, join.left, join.null_safe, under)
            return join if reduced is None else join.with_inputs((other, reduced))
    if join.kind == "inner":
        found = _keyed(join.left, join.equalities)
        if found is not None and _pays(*found, join.right, under.known):
            other, reduced = _with_fewer(join.left, *found, join.right, join.null_safe, under)
            return join if reduced is None else join.with_inputs((reduced, other))
    if join.kind in ("semi", "anti", "mark") and _gathers_much(join, under.known):
        keys = tuple((b, a) for a, b in join.equalities)
        left, again = _twice(join.left, keys, under)
        semi = order_joins(Join("semi", join.right, again[0], again[1], None, join.null_safe))
        return join.with_inputs((left, semi))
    return join


Pairs = tuple[tuple[Expr, Expr], ...]


def _gathers_much(join: Join, known: Known) -> bool:
    """Whether the right side has many rows, most of them of keys that the left side has not."""
    left, right = profile(join.left, known), profile(join.right, known)
    if right.rows < ROWS or left.rows > FRACTION * right.rows:
        return False
    if free_columns(join.left) or free_columns(join.right):
        return False
    return any(left.distinct(a) <= KEYS * right.distinct(b) for a, b in join.equalities)


def _pays(aggregate: Aggregate, keys: Pairs, other: Logical, known: Known) -> bool:
    """Whether there are few rows beside those that are grouped, and few of the groups' keys."""
    grouped, beside = profile(aggregate.input, known), profile(other, known)
    if grouped.rows < ROWS or beside.rows > FRACTION * grouped.rows:
        return False
    return any(beside.distinct(b) <= KEYS * grouped.distinct(a) for a, b in keys)


def _keyed(plan: Logical, pairs: Pairs) -> tuple[Aggregate, Pairs] | None:
    """The aggregate that gives the plan's rows, and its key expressions with what they must equal.

    pairs: (expression over the plan, expression over the other side of the join).
    """
    bare = {a.id: b for a, b in pairs if isinstance(a, ColumnRef)}
    while True:
        match plan:
            case Filter(input=below):
                plan = below
            case Project(input=below, items=items):
                renamed = ((c.id, expr) for c, expr in items if isinstance(expr, ColumnRef))
                bare = {expr.id: bare[id_] for id_, expr in renamed if id_ in bare}
                plan = below
            case Aggregate(keys=keys) if keys and plan.aggregates:
                own = tuple((expr, bare[c.id]) for c, expr in keys if c.id in bare)
                return (plan, own) if own else None
            case _:
                return None


def _with_fewer(
    plan: Logical,
    aggregate: Aggregate,
    keys: Pairs,
    other: Logical,
    null_safe: bool,
    under: _Under,
) -> tuple[Logical, Logical | None]:
    """The other side, perhaps defined for two reads; and the plan, reduced to its keys."""
    if free_columns(other) or free_columns(aggregate):
        return other, None
    other, (again, pairs) = _twice(other, keys, under)
    semi = order_joins(Join("semi", aggregate.input, again, pairs, None, null_safe))
    return other, _replaced(plan, aggregate, semi)


def _twice(plan: Logical, keys: Pairs, under: _Under) -> tuple[Logical, tuple[Logical, Pairs]]:
    """A plan for two reads, perhaps defined for both: as it is, and once more with other columns.

    keys: (any expression, expression over the plan); they come back over the second read.
    """
    copier = Copier(under.ids)
    copy = copier.plan(plan)
    if is_cheap(plan) and rows(plan, under.known) > ROWS:
        again = copy
    else:
        number = next(under.ids)
        size = rows(plan, under.known)
        positions = tuple(range(len(plan.output)))
        under.made.append(Definition(number, "reduced to", copy))
        plan = SharedScan(number, plan.output, positions, size)
        copier = Copier(under.ids)
        again = SharedScan(number, tuple(copier.column(c) for c in plan.columns), positions, size)
    return plan, (again, tuple((expr, copier.expr(wanted)) for expr, wanted in keys))


def _replaced(plan: Logical, aggregate: Aggregate, below: Logical) -> Logical:
    if plan is aggregate:
        return aggregate.with_inputs((below,))
    return plan.with_inputs((_replaced(plan.inputs[0], aggregate, below),))
