"""Prune columns: nothing is read, computed or carried that nobody asks for.

Owns: which columns each node gives. Comes in: any plan. Goes out: the same output columns; the
number of rows never changes, so a node of which nobody needs a column keeps its cheapest.
Does not know: what columns cost to store.

Where rows are gathered (the inputs of joins and sorts) a projection drops columns that only a
filter or join below needed.
"""

from __future__ import annotations

from collections.abc import Iterable

from eau2.operators.expr import Column, ColumnRef, Expr, Literal, columns_of, ref
from eau2.operators.windows import needs_ties
from eau2.records import replace
from eau2.sql.logical import (
    Aggregate,
    Expand,
    Filter,
    Join,
    Limit,
    Logical,
    Nothing,
    Project,
    Rows,
    Sample,
    Scan,
    Sort,
    Union,
    Unnest,
    Window,
    transform,
)
from eau2.sql.plan_exprs import expressions
from eau2.sql.sharing import SharedScan, With
from eau2.types import Kind

Ids = frozenset[int]

_WIDTHS = {
    Kind.BOOLEAN: 1,
    Kind.TINYINT: 1,
    Kind.UTINYINT: 1,
    Kind.SMALLINT: 2,
    Kind.USMALLINT: 2,
    Kind.INTEGER: 4,
    Kind.UINTEGER: 4,
    Kind.FLOAT: 4,
    Kind.DATE: 4,
    Kind.HUGEINT: 16,
    Kind.VARCHAR: 20,
}


_LIST_WIDTH = 64


def prune_columns(plan: Logical) -> Logical:
    """The rule."""
    return _prune(plan, frozenset(column.id for column in plan.output))


def _prune(plan: Logical, needed: Ids) -> Logical:
    """`plan` giving at least the needed columns, and few others."""
    match plan:
        case (
            Scan(columns=columns, positions=positions)
            | SharedScan(columns=columns, positions=positions)
        ):
            kept = _kept(columns, needed)
            pairs = [p for p in zip(columns, positions, strict=True) if p[0].id in kept]
            return replace(
                plan, columns=tuple(c for c, _ in pairs), positions=tuple(p for _, p in pairs)
            )
        case Rows(columns=columns, rows=rows):
            kept = _kept(columns, needed)
            places = [place for place, column in enumerate(columns) if column.id in kept]
            values = tuple(tuple(row[place] for place in places) for row in rows)
            return Rows(tuple(columns[place] for place in places), values)
        case Union():
            return _prune_union(plan, needed)
        case Nothing(columns=columns):
            kept = _kept(columns, needed)
            return replace(plan, columns=tuple(c for c in columns if c.id in kept))
        case Filter(input=below, condition=condition):
            return replace(plan, input=_prune(below, needed | columns_of(condition)))
        case Project():
            return _prune_project(plan, needed)
        case Expand():
            return _prune_expand(plan, needed)
        case Unnest():
            return _prune_unnest(plan, needed)
        case Aggregate():
            return _prune_aggregate(plan, needed)
        case Join():
            return _prune_join(plan, needed)
        case Sort(input=below, keys=keys):
            wanted = needed | _read(key.expr for key in keys)
            return replace(plan, input=_narrow(_prune(below, wanted), wanted))
        case Window():
            return _prune_window(plan, needed)
        case Limit(input=below) | Sample(input=below):
            return replace(plan, input=_prune(below, needed))
        case With():
            return _prune_with(plan, needed)
    if plan.inputs:
        inputs = tuple(_prune(i, frozenset(c.id for c in i.output)) for i in plan.inputs)
        return plan.with_inputs(inputs)
    return plan


def _prune_with(plan: With, needed: Ids) -> Logical:
    """Definitions give what any of their readers needs; the last ones are pruned first."""
    readers: list[Logical] = [_prune(plan.input, needed)]
    for definition in reversed(plan.definitions):
        columns = definition.plan.output
        read = sorted({p for reader in readers for p in _positions(reader, definition.number)})
        wanted = frozenset(columns[position].id for position in read)
        pruned = _narrow(_prune(definition.plan, wanted), wanted)
        now = {column.id: position for position, column in enumerate(pruned.output)}
        moved = {p: now[columns[p].id] for p in read}
        readers = [_repositioned(reader, definition.number, moved) for reader in readers]
        readers.append(pruned)
    return plan.with_inputs(tuple(reversed(readers)))


def _positions(plan: Logical, number: int) -> Ids:
    """Which columns of a definition the plan reads."""
    if isinstance(plan, SharedScan):
        return frozenset(plan.positions if plan.definition == number else ())
    return frozenset(p for below in plan.inputs for p in _positions(below, number))


def _repositioned(plan: Logical, number: int, moved: dict[int, int]) -> Logical:
    """The plan with its reads of a definition's columns where they are now."""

    def visit(node: Logical) -> Logical:
        if isinstance(node, SharedScan) and node.definition == number:
            return replace(node, positions=tuple(moved[p] for p in node.positions))
        return node

    return transform(plan, visit)


def _prune_project(plan: Project, needed: Ids) -> Logical:
    items = tuple(item for item in plan.items if item[0].id in needed)
    if not items:
        items = (min(plan.items, key=lambda item: (_rank(item[1]), _width(item[0]))),)
    wanted = _read(expr for _, expr in items)
    return replace(plan, input=_prune(plan.input, wanted), items=items)


def _prune_union(plan: Union, needed: Ids) -> Logical:
    """Every input gives exactly the columns that are left, in their order."""
    kept = _kept(plan.columns, needed)
    places = [place for place, column in enumerate(plan.columns) if column.id in kept]
    parts: list[Logical] = []
    for below in plan.parts:
        wanted = [below.output[place] for place in places]
        pruned = _prune(below, frozenset(column.id for column in wanted))
        if pruned.output != tuple(wanted):
            pruned = Project(pruned, tuple((column, ref(column)) for column in wanted))
        parts.append(pruned)
    return Union(tuple(parts), tuple(plan.columns[place] for place in places))


def _prune_expand(plan: Expand, needed: Ids) -> Logical:
    """Keys that nobody reads are not computed; the sets stay, each with what is left of it."""
    kept = [n for n, (column, _) in enumerate(plan.keys) if column.id in needed]
    places = {position: place for place, position in enumerate(kept)}
    sets = tuple(tuple(places[n] for n in members if n in places) for members in plan.sets)
    keys = tuple(plan.keys[n] for n in kept)
    wanted = needed.intersection(column.id for column in plan.input.output)
    wanted |= _read(expr for _, expr in keys)
    below = _narrow(_prune(plan.input, wanted), wanted)
    return replace(plan, input=below, keys=keys, sets=sets)


def _prune_unnest(plan: Unnest, needed: Ids) -> Logical:
    """The lists decide how many rows there are and stay; a number that nobody reads goes."""
    wanted = needed.intersection(column.id for column in plan.input.output)
    wanted |= _read(expr for _, expr in plan.items)
    numbered = plan.ordinality is not None and plan.ordinality.id in needed
    below = _narrow(_prune(plan.input, wanted), wanted)
    return replace(plan, input=below, ordinality=plan.ordinality if numbered else None)


def _prune_aggregate(plan: Aggregate, needed: Ids) -> Logical:
    """Keys decide the rows and stay; without keys some aggregate has to."""
    aggregates = tuple(item for item in plan.aggregates if item[0].id in needed)
    if not aggregates and not plan.keys:
        aggregates = plan.aggregates[:1]
    wanted = _read(expr for _, expr in plan.keys)
    wanted |= _read(expr for _, call in aggregates for expr in call.exprs)
    return replace(plan, input=_prune(plan.input, wanted), aggregates=aggregates)


def _prune_window(plan: Window, needed: Ids) -> Logical:
    """Calls that nobody reads go, and with them the order's last keys if they served them alone."""
    calls = tuple(item for item in plan.calls if item[0].id in needed)
    if not calls:
        return _prune(plan.input, needed)
    ties = plan.ties if any(needs_ties(call) for _, call in calls) else ()
    plan = replace(plan, calls=calls, ties=ties)
    wanted = needed.intersection(column.id for column in plan.input.output)
    wanted |= _read(expressions(plan))
    return replace(plan, input=_narrow(_prune(plan.input, wanted), wanted))


def _prune_join(plan: Join, needed: Ids) -> Logical:
    wanted = needed | _read(expr for pair in plan.equalities for expr in pair)
    if plan.kind == "asof" or plan.kind == "asof_left":
        # All columns of the right side decide which of equally near rows is taken.
        wanted |= {column.id for column in plan.right.output}
    if plan.condition is not None:
        wanted |= columns_of(plan.condition)
    return replace(
        plan,
        left=_narrow(_prune(plan.left, wanted), wanted),
        right=_narrow(_prune(plan.right, wanted), wanted),
    )


def _narrow(plan: Logical, wanted: Ids) -> Logical:
    """`plan` without columns that are not wanted, but with at least one."""
    kept = _kept(plan.output, wanted)
    if len(kept) == len(plan.output):
        return plan
    return Project(plan, tuple((c, ref(c)) for c in plan.output if c.id in kept))


def _kept(columns: tuple[Column, ...], needed: Ids) -> Ids:
    """The needed ones of `columns`; the narrowest when none is."""
    kept = frozenset(c.id for c in columns if c.id in needed)
    if kept or not columns:
        return kept
    return frozenset({min(columns, key=_width).id})


def _width(column: Column) -> int:
    if column.type.is_list:
        return _LIST_WIDTH
    return 16 if column.type.is_wide else _WIDTHS.get(column.type.kind, 8)


def _rank(expr: Expr) -> int:
    return 0 if isinstance(expr, Literal) else 1 if isinstance(expr, ColumnRef) else 2


def _read(exprs: Iterable[Expr]) -> Ids:
    return frozenset(id_ for expr in exprs for id_ in columns_of(expr))
