"""Group before joins: rows are grouped by a foreign key before they fetch what it determines.

Owns: aggregates over joins whose partners only name the groups. Comes in: plans whose filters have
been pushed. Goes out: the same rows and columns; fewer rows are joined, and grouped by shorter
keys. Does not know: the order of the other joins.

`GROUP BY customer.name` over orders joined with customers groups orders by customer first, then
joins the groups with customers and groups these by name. With duplicate partners that is right as
well: each gets the partial results of its groups. Where the partner is proven to be unique and is
itself part of the keys, the groups are final, and the second aggregate is left out. The same holds
for a left join whose right side alone is aggregated. (Yan and Larson, "Eager aggregation and lazy
aggregation", VLDB 1995.)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from eau2.operators.expr import (
    AggregateCall,
    Call,
    Column,
    ColumnRef,
    Expr,
    Literal,
    columns_of,
    ref,
    substitute,
)
from eau2.operators.facts import always_null, can_raise
from eau2.planner.estimate import Known, rows
from eau2.planner.inner_joins import pair_between, put_together, taken_apart
from eau2.planner.unique_keys import determined, seems_unique, unique_keys
from eau2.records import Record
from eau2.sql.copies import free_columns, highest_id
from eau2.sql.logical import Aggregate, Filter, Join, Logical, Project, Scan, transform
from eau2.types import BIGINT, Kind, SqlType

ROWS = 20_000.0
"""Fewer rows are grouped where they are."""
FEWER = 8.0
"""Groups that are grouped again must be so many times fewer than their rows."""
FEWER_OUTER = 3.0
"""And so many times before a left join, which costs more for each row that it saves."""
DIGITS = 28
"""A sum of 10**10 decimals of so many digits has no more than 38."""

Pairs = tuple[tuple[Expr, Expr], ...]
Keys = tuple[tuple[Column, Expr], ...]
Calls = tuple[tuple[Column, AggregateCall], ...]


def group_before_joins(plan: Logical) -> Logical:
    """The rule. New columns are numbered from the highest id of the plan on."""
    if not _holds_any(plan):
        return plan
    ids = count(highest_id(plan) + 1)
    known: Known = {}

    def visit(node: Logical) -> Logical:
        if isinstance(node, Aggregate) and node.keys and node.aggregates:
            return _before(node, ids, known) or node
        return node

    return transform(plan, visit)


def _holds_any(plan: Logical) -> bool:
    return isinstance(plan, Aggregate) or any(map(_holds_any, plan.inputs))


def _before(plan: Aggregate, ids: Iterator[int], known: Known) -> Logical | None:
    below, keys, calls = plan.input, plan.keys, plan.aggregates
    if not all(_merges(call) for _, call in calls):
        return None
    while isinstance(below, Project):
        mapping = {column.id: expr for column, expr in below.items}
        keys, calls = _over(mapping, keys, calls)
        below = below.input
    exprs = [expr for _, expr in keys] + [arg for _, call in calls for arg in call.args]
    if any(map(can_raise, exprs)):
        return None
    match below:
        case Join(kind="left", condition=None, null_safe=False):
            return _before_left(below, keys, calls, ids, known)
        case Join(kind="inner" | "cross") | Filter():
            return _before_inner(below, keys, calls, ids, known)
    return None


def _over(mapping: dict[int, Expr], keys: Keys, calls: Calls) -> tuple[Keys, Calls]:
    """Keys and calls over what the columns in `mapping` are made of."""
    new = tuple((column, substitute(expr, mapping)) for column, expr in keys)
    return new, tuple((c, call.mapped(lambda e: substitute(e, mapping))) for c, call in calls)


def _merges(call: AggregateCall) -> bool:
    """Whether results for parts of a group give the result for the whole, to the last bit."""
    if call.distinct or call.where is not None or call.order:
        return False
    types = [arg.type for arg in call.args]
    if any(type_.is_list or type_.kind is Kind.INTERVAL for type_ in types):
        return False
    match call.function:
        case "count" | "count_star" | "min" | "max":
            return True
        case "sum":
            return all(map(_sums_surely, types))
    return False


def _sums_surely(type_: SqlType) -> bool:
    """Whether a sum is exact and cannot overflow, even of rows that a join would have dropped."""
    if type_.is_decimal:
        return type_.precision <= DIGITS
    return type_.is_integer and not type_.is_wide


def _merging(call: AggregateCall, partial: Expr) -> AggregateCall:
    """The aggregate over the partial results."""
    if call.function in ("min", "max"):
        return AggregateCall(call.function, (partial,), call.type)
    return AggregateCall("sum", (partial,), call.type, wide=call.function == "sum")


class _Partner(Record, frozen=True):
    """A relation that is joined after grouping. pairs: (what it must equal, its own column)."""

    relation: Logical
    pairs: Pairs


class _Waiting(Record, frozen=True):
    """Partners that wait, in the order they were taken away, and what is left without them."""

    partners: tuple[_Partner, ...]
    relations: tuple[Logical, ...]
    conditions: tuple[Expr, ...]


def _before_inner(
    below: Logical, keys: Keys, calls: Calls, ids: Iterator[int], known: Known
) -> Logical | None:
    joins = taken_apart(below)
    if len(joins.relations) < 2 or any(map(can_raise, joins.conditions)):
        return None
    keys, calls = _over(joins.renamed, keys, calls)
    for waiting in reversed(_partners(joins.relations, joins.conditions, keys, calls)):
        found = _with_partners(waiting, keys, calls, ids, known)
        if found is not None:
            return found
    return None


def _with_partners(
    waiting: _Waiting, keys: Keys, calls: Calls, ids: Iterator[int], known: Known
) -> Logical | None:
    """Groups of what is left, joined with the partners, if that is less work."""
    partners = waiting.partners
    inner = put_together(list(waiting.relations), list(waiting.conditions))
    if inner is None or free_columns(inner) or rows(inner, known) < ROWS:
        return None
    ours = {column.id for column in inner.output}
    own = [expr for _, expr in keys if columns_of(expr) <= ours]
    if any(columns_of(expr) & ours for _, expr in keys if expr not in own):
        return None
    foreign = [a for partner in partners for a, _ in partner.pairs if columns_of(a) <= ours]
    made = {expr: _column(expr, ids) for expr in (*own, *foreign) if columns_of(expr)}
    partial = tuple((Column(next(ids), c.name, call.type), call) for c, call in calls)
    grouped = Aggregate(inner, tuple((c, expr) for expr, c in made.items()), partial)
    final = _final(partners, keys, foreign)
    if not final and rows(grouped, known) * FEWER > rows(inner, known):
        return None
    over: dict[Expr, Expr] = {expr: ref(column) for expr, column in made.items()}
    result: Logical = grouped
    for partner in reversed(partners):
        pairs = tuple((over.get(a, a), b) for a, b in partner.pairs)
        result = Join("inner", result, partner.relation, pairs)
    renamed = tuple((column, over.get(expr, expr)) for column, expr in keys)
    given = tuple((c, call, ref(p)) for (c, call), (p, _) in zip(calls, partial, strict=True))
    return _finished(result, renamed, given, final)


def _finished(
    plan: Logical,
    keys: Keys,
    given: tuple[tuple[Column, AggregateCall, Expr], ...],
    final: bool,
) -> Logical:
    if final:
        return Project(plan, (*keys, *((column, partial) for column, _, partial in given)))
    again = tuple((column, _merging(call, partial)) for column, call, partial in given)
    return Aggregate(plan, keys, again)


def _column(expr: Expr, ids: Iterator[int]) -> Column:
    return Column(next(ids), "key", expr.type)


def _partners(
    relations: list[Logical], conditions: list[Expr], keys: Keys, calls: Calls
) -> list[_Waiting]:
    """What can wait: one partner first, the one of fewest rows, then one more each time."""
    found: list[_Waiting] = []
    state = _Waiting((), tuple(relations), tuple(conditions))
    used = {id_ for _, call in calls for arg in call.args for id_ in columns_of(arg)}
    named = {id_ for _, expr in keys for id_ in columns_of(expr)}
    able: list[Logical] = []
    for relation in relations:
        theirs = {column.id for column in relation.output}
        if theirs & named and not theirs & used and _is_bare(relation):
            able.append(relation)
    able.sort(key=_frame_rows)
    while able:
        for relation in able:
            partner = _partner(relation, state.relations, state.conditions)
            if partner is None:
                continue
            theirs = {column.id for column in relation.output}
            left = tuple(other for other in state.relations if other is not relation)
            rest = tuple(part for part in state.conditions if not columns_of(part) & theirs)
            if put_together(list(left), list(rest)) is None:
                continue
            state = _Waiting((*state.partners, partner), left, rest)
            found.append(state)
            able.remove(relation)
            break
        else:
            break
    return found


def _partner(
    relation: Logical, relations: tuple[Logical, ...], conditions: tuple[Expr, ...]
) -> _Partner | None:
    """The relation as a partner of one other, if it seems to have a row for each of its keys."""
    theirs = {column.id for column in relation.output}
    pairs: list[tuple[Expr, Expr]] = []
    touching = [part for part in conditions if columns_of(part) & theirs]
    for other in relations:
        ours = {column.id for column in other.output}
        if other is relation or not any(columns_of(part) & ours for part in touching):
            continue
        if pairs:
            return None
        for part in touching:
            pair = pair_between(part, ours, theirs)
            if pair is None or not isinstance(pair[1], ColumnRef):
                return None
            pairs.append(pair)
    if not pairs or not _seems_determined(relation, pairs):
        return None
    return _Partner(relation, tuple(pairs))


def _frame_rows(plan: Logical) -> int:
    """How many rows a bare relation has."""
    while not isinstance(plan, Scan):
        (plan,) = plan.inputs
    return plan.frame.rows


def _is_bare(plan: Logical) -> bool:
    """Whether it is all of a frame's rows: joining them takes away few rows of the other side."""
    if isinstance(plan, Project):
        return all(isinstance(e, ColumnRef) for _, e in plan.items) and _is_bare(plan.input)
    return isinstance(plan, Scan)


def _seems_determined(plan: Logical, pairs: list[tuple[Expr, Expr]]) -> bool:
    joined = {b.id for _, b in pairs if isinstance(b, ColumnRef)}
    if any(key <= joined for key in unique_keys(plan)):
        return True
    while isinstance(plan, Project):
        items = plan.items
        joined = {e.id for c, e in items if isinstance(e, ColumnRef) and c.id in joined}
        plan = plan.input
    assert isinstance(plan, Scan)
    known, total = plan.frame.statistics, plan.frame.rows
    return any(
        column.id in joined and position < len(known) and seems_unique(known[position], total)
        for column, position in zip(plan.columns, plan.positions, strict=True)
    )


def _final(partners: tuple[_Partner, ...], keys: Keys, foreign: list[Expr]) -> bool:
    """Whether each group meets at most one partner, and no two of them have the same keys."""
    for partner in partners:
        if not determined(unique_keys(partner.relation), (b for _, b in partner.pairs)):
            return False
    named = {expr for _, expr in keys}
    same = {a for partner in partners for a, b in partner.pairs if b in named}
    return all(expr in named or expr in same for expr in foreign)


def _before_left(
    join: Join, keys: Keys, calls: Calls, ids: Iterator[int], known: Known
) -> Logical | None:
    left, right = join.left, join.right
    ours = {column.id for column in left.output}
    theirs = frozenset(column.id for column in right.output)
    if not join.equalities or free_columns(left) or free_columns(right):
        return None
    if not all(columns_of(expr) <= ours for _, expr in keys):
        return None
    args = [arg for _, call in calls for arg in call.args]
    if not all(columns_of(arg) <= theirs and always_null(arg, theirs) for arg in args):
        return None
    if (
        any(can_raise(side) for pair in join.equalities for side in pair)
        or rows(right, known) < ROWS
    ):
        return None
    made = tuple((_column(b, ids), b) for _, b in join.equalities)
    partial = tuple((Column(next(ids), c.name, call.type), call) for c, call in calls)
    grouped = Aggregate(right, made, partial)
    if rows(grouped, known) * FEWER_OUTER > rows(right, known):
        return None
    pairs = tuple(
        (a, ref(column)) for (a, _), (column, _) in zip(join.equalities, made, strict=True)
    )
    joined = Join("left", left, grouped, pairs)
    given = tuple(
        (column, call, _present(call, ref(p)))
        for (column, call), (p, _) in zip(calls, partial, strict=True)
    )
    final = determined(unique_keys(left), (expr for _, expr in keys))
    return _finished(joined, keys, given, final)


def _present(call: AggregateCall, partial: Expr) -> Expr:
    """The partial result, also of a left row without partners: one row of NULLs."""
    if not call.args:
        return Call(BIGINT, "coalesce", (partial, Literal(BIGINT, 1)))
    if call.function == "count":
        return Call(BIGINT, "coalesce", (partial, Literal(BIGINT, 0)))
    return partial
