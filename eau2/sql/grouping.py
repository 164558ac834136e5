"""GROUP BY: its keys and grouping sets, the Aggregate, and what stands above in terms of it.

Owns: ordinals and aliases as keys, GROUP BY ALL, ROLLUP, CUBE, GROUPING SETS, what is not grouped.
Comes in: a `Selecting` and the plan below. Goes out: `GroupKeys`, then the plan with its Aggregate.
Does not know: how aggregates are computed.

Several grouping sets group one Expand, which has every row once for each set. Over no rows that
gives nothing, where an empty set must give one row: those rows are computed of nothing, and joined.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

from eau2.config import LIMITS
from eau2.errors import NotSupportedError, ProgrammingError, Span
from eau2.operators.expr import Case, Column, Expr, ref
from eau2.operators.functions import table
from eau2.records import replace
from eau2.sql import ast, literals
from eau2.sql.bind_expr import bind_root
from eau2.sql.clauses import BoundPart, Clauses, Selecting, not_grouped
from eau2.sql.environment import Dependent, GroupKeys, Subqueries, Windowed
from eau2.sql.logical import Aggregate, Expand, Filter, Join, Logical, Nothing, Project
from eau2.sql.naming import expression_name, folded_minus
from eau2.sql.shapes import Shapes
from eau2.sql.subqueries import free_columns, replaced, without_order
from eau2.types import BIGINT

Sets = list[tuple[int, ...]]


def ordinal(node: ast.Expression, count: int, clause: str) -> int | None:
    """The position in the select list that an integer constant means."""
    constant = folded_minus(node)
    if isinstance(constant, ast.Parameter):
        raise NotSupportedError(f"a parameter cannot be a key of {clause}", span=node.span)
    if not isinstance(constant, ast.Constant) or constant.kind != "integer":
        return None
    number = literals.integer(constant)
    if not 1 <= number <= count:
        raise ProgrammingError(
            f"{clause} {number} does not name a column of the select list",
            span=node.span,
            hint=f"Its columns are numbered from 1 to {count}.",
        )
    return number - 1


def group_keys(select: Selecting) -> GroupKeys:
    """The keys that GROUP BY names, and the sets of them."""
    keys: list[tuple[str, Expr]] = []
    known: dict[int, int] = {}

    def position(node: ast.Expression) -> int:
        name, expr = _key(select, node)
        return _position(select, name, expr, keys, known)

    sets: Sets = [()]
    for node in select.node.group_by:
        sets = _crossed(sets, _sets(node, position), node.span)
    unique = [tuple(sorted(set(members))) for members in sets]
    unique.sort(key=bool)  # Empty sets come first: see _with_empty_sets.
    several = len(unique) > 1
    column = select.context.column("grouping_set", BIGINT) if several else None
    return GroupKeys(tuple(keys), tuple(unique), column)


def all_keys(select: Selecting, items: tuple[BoundPart, ...]) -> GroupKeys:
    """GROUP BY ALL: what the select list has without aggregates."""
    computed = {column.id for column, _ in select.aggregates.calls}
    over = {call.column.id: call for call in select.windows.calls}
    keys: list[tuple[str, Expr]] = []
    known: dict[int, int] = {}
    for entry, item in zip(select.entries, items, strict=True):
        read = set(Shapes.columns(item.expr))
        windows = [over[id_] for id_ in read & over.keys()]
        read |= {id_ for call in windows for expr in call.exprs for id_ in Shapes.columns(expr)}
        if read & computed:
            continue
        unnested = read & {column.id for column, _, _ in select.unnests.items}
        if unnested:
            raise ProgrammingError("GROUP BY ALL cannot group by unnest", span=item.span)
        if windows:
            raise ProgrammingError(
                "GROUP BY ALL cannot group by a window function", span=windows[0].span
            )
        _position(select, entry.name, item.expr, keys, known)
    _move_below(select, [key for _, key in keys])
    return GroupKeys(tuple(keys), (tuple(range(len(keys))),), None)


def _move_below(select: Selecting, keys: list[Expr]) -> None:
    """A subquery in a key of GROUP BY ALL is joined below the Aggregate."""
    read = {id_ for key in keys for id_ in Shapes.columns(key)}
    above: list[Dependent] = []
    for join in select.subqueries.joins:
        made = join.right.output if join.mark is None else (join.mark,)
        (select.below.joins if any(c.id in read for c in made) else above).append(join)
    select.subqueries.joins[:] = above


def _position(
    select: Selecting,
    name: str,
    expr: Expr,
    keys: list[tuple[str, Expr]],
    known: dict[int, int],
) -> int:
    shape = select.shapes.of(expr)
    if shape not in known:
        known[shape] = len(keys)
        keys.append((name, expr))
    return known[shape]


def _key(select: Selecting, node: ast.Expression) -> tuple[str, Expr]:
    """A key's name and expression."""
    env = replace(select.environment(0).inside("GROUP BY"), subqueries=select.below)
    position = ordinal(node, len(select.entries), "GROUP BY")
    if isinstance(node, ast.Name) and len(node.parts) == 1:
        alias = select.aliases.get(node.parts[0].casefold())
        if alias is not None and not select.source.scope.holders(node.parts[0]):
            position = alias.position
    if position is not None:
        entry = select.entries[position]
        expr = bind_root(entry.node, replace(env, visible=position))
        return entry.name or expression_name(entry.node), expr
    return expression_name(node), bind_root(node, env)


def _sets(node: ast.Expression, position: Callable[[ast.Expression], int]) -> Sets:
    """The grouping sets that one element of GROUP BY stands for."""
    match node:
        case ast.RowOf(_, items):
            return [_together(items, position)]
        case ast.GroupingSet(_, "sets", elements):
            sets: Sets = []
            for element in elements:
                if isinstance(element, ast.GroupingSet):
                    sets += _sets(element, position)
                else:
                    sets.append(_together(element, position))
            _check_number(len(sets), node.span)
            return sets
        case ast.GroupingSet(_, kind, elements):
            steps = [
                _together(element, position) for element in elements if isinstance(element, tuple)
            ]
            if len(steps) != len(elements):
                raise ProgrammingError(
                    f"{kind.upper()} cannot hold other grouping sets", span=node.span
                )
            if kind == "rollup":
                return [_flat(steps[:count]) for count in range(len(steps), -1, -1)]
            _check_number(1 << min(len(steps), 64), node.span)
            counts = range(len(steps), -1, -1)
            return [_flat(chosen) for count in counts for chosen in combinations(steps, count)]
        case ast.EveryColumn(span):
            raise ProgrammingError("ALL must stand alone in GROUP BY", span=span)
    return [(position(node),)]


def _together(
    nodes: tuple[ast.Expression, ...], position: Callable[[ast.Expression], int]
) -> tuple[int, ...]:
    """One set: rows of expressions, as in ((a, b), c), are no deeper than the others."""
    found: list[int] = []
    for node in nodes:
        if isinstance(node, ast.RowOf):
            found += _together(node.items, position)
        else:
            found.append(position(node))
    return tuple(found)


def _flat(steps: list[tuple[int, ...]] | tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    return tuple(position for step in steps for position in step)


def _crossed(left: Sets, right: Sets, span: Span) -> Sets:
    """Every set of one with every set of the other: what elements beside one another mean."""
    _check_number(len(left) * len(right), span)
    return [one + other for one in left for other in right]


def _check_number(count: int, span: Span) -> None:
    if count > LIMITS.grouping_sets:
        raise NotSupportedError(
            f"more than {LIMITS.grouping_sets} grouping sets are not supported", span=span
        )


def grouped(
    select: Selecting,
    plan: Logical,
    grouping: GroupKeys,
    having: BoundPart | None,
    clauses: Clauses,
) -> tuple[Logical, Clauses]:
    """The plan with its Aggregate and HAVING, and the clauses in terms of the Aggregate's columns.

    What the windows and subqueries above it read is put in its terms as well.
    """
    hidden = frozenset(column.id for column in plan.output)
    keys = tuple((select.context.column(name, key.type), key) for name, key in grouping.keys)
    known: dict[int, Expr] = {select.shapes.of(key): ref(column) for column, key in keys}

    def visible(expr: Expr) -> Expr:
        return select.shapes.replace(expr, known)

    def lifted(part: BoundPart) -> BoundPart:
        expr = visible(part.expr)
        if Shapes.columns(expr) & hidden:
            raise not_grouped(part.uses, part.span, Shapes.columns(expr) & hidden)
        return BoundPart(expr, part.uses, part.span)

    parts = (*clauses.parts, *(() if having is None else (having,)))
    for subqueries in (select.tests, select.filters, select.subqueries, select.windows.subqueries):
        _lift_joins(subqueries, visible, hidden, parts)
    select.windows.calls[:] = [_lifted(call, visible, hidden) for call in select.windows.calls]
    _lift_unnests(select, visible, hidden)
    clauses = clauses.mapped(lifted)
    above = _aggregate(select, without_order(plan), keys, grouping)
    if having is None:
        return above, clauses
    return Filter(select.tests.over(above), lifted(having).expr), clauses


def _lift_joins(
    subqueries: Subqueries,
    visible: Callable[[Expr], Expr],
    hidden: frozenset[int],
    parts: tuple[BoundPart, ...],
) -> None:
    """Subqueries read the Aggregate's columns in place of what they name of the source."""
    subqueries.joins[:] = [replaced(join, visible) for join in subqueries.joins]
    for join in subqueries.joins:
        inside = free_columns(join) & hidden
        if inside:
            named = (part for part in parts if any(use.columns & inside for use in part.uses))
            part = next(named, parts[0])
            raise not_grouped(part.uses, part.span, inside)


def _lift_unnests(
    select: Selecting, visible: Callable[[Expr], Expr], hidden: frozenset[int]
) -> None:
    """The lists that become rows in terms of the Aggregate's columns."""
    items = select.unnests.items
    for place, (column, lists, uses) in enumerate(items):
        above = visible(lists)
        read = Shapes.columns(above) & hidden
        if read:
            raise not_grouped(uses, uses[0].span, read)
        items[place] = (column, above, uses)


def _lifted(found: Windowed, visible: Callable[[Expr], Expr], hidden: frozenset[int]) -> Windowed:
    lifted = replace(
        found,
        call=found.call.mapped(visible),
        partition=tuple(visible(expr) for expr in found.partition),
        order=tuple(replace(key, expr=visible(key.expr)) for key in found.order),
    )
    for expr in lifted.exprs:
        if Shapes.columns(expr) & hidden:
            raise not_grouped(found.uses, found.span, Shapes.columns(expr) & hidden)
    return lifted


def _aggregate(
    select: Selecting,
    plan: Logical,
    keys: tuple[tuple[Column, Expr], ...],
    grouping: GroupKeys,
) -> Logical:
    calls = tuple(select.aggregates.calls)
    if grouping.column is None:
        return Aggregate(plan, keys, calls)
    fresh = select.context.column
    expanded = tuple((fresh(column.name, column.type), key) for column, key in keys)
    number = fresh("grouping_set", BIGINT)
    expand = Expand(plan, expanded, grouping.sets, number)
    copied = tuple((column, ref(new)) for (column, _), (new, _) in zip(keys, expanded, strict=True))
    above = Aggregate(expand, (*copied, (grouping.column, ref(number))), calls)
    empty = sum(not members for members in grouping.sets)
    return _with_empty_sets(select, above, plan, grouping.column, empty) if empty else above


def _with_empty_sets(
    select: Selecting, above: Aggregate, plan: Logical, number: Column, empty: int
) -> Logical:
    """The groups, and a row for each of the first `empty` sets even if there are no rows at all.

    What the aggregates are over no rows comes from the same calls over nothing.
    """
    fresh = select.context.column
    inner = tuple(fresh(column.name, column.type) for column in above.output)
    width = len(above.keys)
    renamed = replace(
        above,
        keys=tuple((new, expr) for new, (_, expr) in zip(inner, above.keys, strict=False)),
        aggregates=tuple(
            (new, call) for new, (_, call) in zip(inner[width:], above.aggregates, strict=True)
        ),
    )
    calls = tuple((fresh(column.name, column.type), call) for column, call in above.aggregates)
    own = fresh(number.name, BIGINT)
    alone = Expand(Aggregate(Nothing(plan.output), (), calls), (), ((),) * empty, own)
    there = inner[width - 1]
    missing = table.bind("is_null", (ref(there),))
    items: list[tuple[Column, Expr]] = []
    for position, (column, new) in enumerate(zip(above.output, inner, strict=True)):
        expr: Expr = ref(new)
        if column == number:
            expr = table.bind("coalesce", (ref(new), ref(own)))
        elif position >= width:
            absent = ref(calls[position - width][0])
            expr = Case(column.type, ((missing, absent),), ref(new))
        items.append((column, expr))
    both = Join("full", renamed, alone, ((ref(there), ref(own)),))
    return Project(both, tuple(items))
