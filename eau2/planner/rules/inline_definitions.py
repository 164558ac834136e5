"""Inline definitions: what is read once, or is cheap to read again, is written out there.

Owns: which definitions are kept. Comes in: plans with definitions at the top, or at the top of a
Recursive's inputs. Goes out: the same rows; a definition that is kept is computed once.
Does not know: correlated definitions (unnest has written them out).

MATERIALIZED and NOT MATERIALIZED are obeyed. What a round of a recursive query reads is read again
in every round, and counts as read often.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from eau2.operators.expr import ref
from eau2.planner.estimate import rows
from eau2.records import replace
from eau2.sql.copies import Copier, highest_id
from eau2.sql.logical import Filter, Logical, Nothing, OneRow, Project, Rows, Scan, transform
from eau2.sql.sharing import Definition, Recursive, SharedScan, With


def inline_definitions(plan: Logical) -> Logical:
    """The rule. New columns are numbered from the highest id of the plan on."""
    return _inlined(plan, count(highest_id(plan) + 1)) if _holds_with(plan) else plan


def _holds_with(plan: Logical) -> bool:
    return isinstance(plan, With) or any(map(_holds_with, plan.inputs))


def _inlined(plan: Logical, ids: Iterator[int]) -> Logical:
    if plan.inputs:
        plan = plan.with_inputs(tuple(_inlined(below, ids) for below in plan.inputs))
    return _kept(plan, ids) if isinstance(plan, With) else plan


def _kept(plan: With, ids: Iterator[int]) -> Logical:
    """The plan with the definitions that are worth computing once."""
    definitions, below = list(plan.definitions), plan.input
    kept: list[Definition] = []
    # From the last on: what reads a definition comes after it, and may be gone by then.
    while definitions:
        definition = definitions.pop()
        number = definition.number
        reads = _reads(below, number) + sum(_reads(later.plan, number) for later in kept)
        if not reads:
            continue
        if not _worth_writing_out(definition, reads):
            size = rows(definition.plan)
            kept = [replace(d, plan=_sized(d.plan, number, size)) for d in kept]
            below = _sized(below, number, size)
            kept.insert(0, definition)
            continue
        out = _WritingOut(definition, ids)
        kept = [replace(later, plan=out.into(later.plan)) for later in kept]
        below = out.into(below)
    return With(tuple(kept), below) if kept else below


def _sized(plan: Logical, number: int, size: float) -> Logical:
    """The plan whose reads of a definition know how many rows it has, about."""

    def visit(node: Logical) -> Logical:
        mine = isinstance(node, SharedScan) and node.definition == number
        return replace(node, rows=size) if isinstance(node, SharedScan) and mine else node

    return transform(plan, visit)


def _worth_writing_out(definition: Definition, reads: int) -> bool:
    if definition.materialized is not None:
        return not definition.materialized
    return reads == 1 or is_cheap(definition.plan)


def is_cheap(plan: Logical) -> bool:
    """Whether reading the plan again costs little more than keeping its rows."""
    match plan:
        case Scan() | OneRow() | Nothing() | Rows() | SharedScan():
            return True
        case Filter(input=below) | Project(input=below):
            return is_cheap(below)
    return False


def _reads(plan: Logical, number: int) -> int:
    """How often a definition is read; in each round of a recursive query counts as twice."""
    if isinstance(plan, SharedScan):
        return int(plan.definition == number)
    if isinstance(plan, Recursive):
        return _reads(plan.base, number) + 2 * _reads(plan.step, number)
    return sum(_reads(below, number) for below in plan.inputs)


class _WritingOut:
    """Writes one definition out wherever it is read; the first time without a copy."""

    def __init__(self, definition: Definition, ids: Iterator[int]) -> None:
        self._definition = definition
        self._ids = ids
        self._used = False

    def into(self, plan: Logical) -> Logical:
        """The plan with the definition in the place of its reads."""
        if isinstance(plan, SharedScan) and plan.definition == self._definition.number:
            return self._once(plan)
        if not plan.inputs:
            return plan
        new = tuple(map(self.into, plan.inputs))
        same = all(a is b for a, b in zip(plan.inputs, new, strict=True))
        return plan if same else plan.with_inputs(new)

    def _once(self, scan: SharedScan) -> Logical:
        original = self._definition.plan
        copier = Copier(self._ids)
        plan = copier.plan(original) if self._used else original
        self._used = True
        given = (plan.output[position] for position in scan.positions)
        items = tuple((c, ref(old)) for c, old in zip(scan.columns, given, strict=True))
        return Project(plan, items)
