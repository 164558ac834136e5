"""Share joins: rows of joined frames that a plan reads twice are computed once.

Owns: equal trees of joins in two places of a plan. Comes in: a plan whose joins are ordered. Goes
out: the same rows and columns; what two places compute alike, but for the names of columns, is a
definition that both read. Does not know: where they come from (a subquery repeats its query).

Not where there are many rows: they would be gathered, and what reads them would run in one place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import count

from eau2.operators.expr import ColumnRef
from eau2.planner.estimate import Known, rows
from eau2.sql.copies import Copier, free_columns, highest_id
from eau2.sql.logical import Filter, Join, Logical, Project, Scan
from eau2.sql.sharing import Definition, Recursive, SharedScan, With

ROWS = 100_000.0
"""More rows are computed twice."""
FRACTION = 0.5
"""So few of the rows that are read at least are worth keeping."""

_Shape = tuple[int, ...]


def share_joins(plan: Logical) -> Logical:
    """The rule. New columns and definitions are numbered from the highest id of the plan on."""
    frames: list[int] = []
    if not _scans(plan, frames) or len(frames) == len(set(frames)):
        return plan
    found: dict[_Shape, list[Join]] = defaultdict(list)
    _trees(plan, found)
    known: Known = {}
    ids: Iterator[int] | None = None
    made: list[Definition] = []
    replaced: dict[int, Logical] = {}
    inside: set[int] = set()
    for shape in sorted(found, key=len, reverse=True):
        trees = [tree for tree in found[shape] if id(tree) not in inside]
        if len(trees) < 2 or not _pays(trees[0], known):
            continue
        first = Copier(count()).plan(trees[0])
        alike = [tree for tree in trees[1:] if Copier(count()).plan(tree) == first]
        if not alike:
            continue
        ids = ids or count(highest_id(plan) + 1)
        number = next(ids)
        made.append(Definition(number, "shared joins", Copier(ids).plan(trees[0])))
        positions = tuple(range(len(trees[0].output)))
        for tree in (trees[0], *alike):
            size = rows(tree, known)
            replaced[id(tree)] = SharedScan(number, tree.output, positions, size)
            inside.update(_within(tree))
    if not made:
        return plan
    plan = _with(plan, replaced)
    if isinstance(plan, With):
        return With((*made, *plan.definitions), plan.input)
    return With(tuple(made), plan)


def _scans(plan: Logical, frames: list[int]) -> bool:
    """Add the identities of all frames that are read. False where rows come in rounds."""
    waiting = [plan]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Recursive):
            return False
        if isinstance(node, Scan):
            frames.append(id(node.frame))
        waiting.extend(node.inputs)
    return True


def _trees(plan: Logical, found: dict[_Shape, list[Join]]) -> _Shape | None:
    """Gather all trees of joins by their shape; that of the plan, None if it is no such tree."""
    below = [_trees(part, found) for part in plan.inputs]
    match plan:
        case Scan():
            return (0, id(plan.frame))
        case Filter():
            kind = 1
        case Project() if all(isinstance(expr, ColumnRef) for _, expr in plan.items):
            kind = 2
        case Join(kind="inner"):
            kind = 3
        case Join(kind="semi"):
            kind = 4
        case _:
            return None
    parts = [part for part in below if part is not None]
    if len(parts) < len(below):
        return None
    shape = (kind, *(number for part in parts for number in part))
    if isinstance(plan, Join):
        found[shape].append(plan)
    return shape


def _pays(tree: Join, known: Known) -> bool:
    read = max(float(scan.frame.rows) for scan in _leaves(tree))
    few = rows(tree, known) <= min(ROWS, FRACTION * read)
    return few and not free_columns(tree)


def _leaves(plan: Logical) -> Iterator[Scan]:
    if isinstance(plan, Scan):
        yield plan
    for below in plan.inputs:
        yield from _leaves(below)


def _within(plan: Logical) -> Iterator[int]:
    yield id(plan)
    for below in plan.inputs:
        yield from _within(below)


def _with(plan: Logical, replaced: dict[int, Logical]) -> Logical:
    found = replaced.get(id(plan))
    if found is not None:
        return found
    if not plan.inputs:
        return plan
    return plan.with_inputs(tuple(_with(below, replaced) for below in plan.inputs))
