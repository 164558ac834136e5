"""JOIN: two sides become one source.

Owns: conditions cut into equalities and the rest, USING and NATURAL, LATERAL, subqueries in ON,
POSITIONAL and ASOF joins. Comes in: join clauses, and the function that binds their sides. Goes
out: `Source`. Does not know: which plan computes a join that depends on its left side.
"""

from __future__ import annotations

from eau2.errors import (
    AmbiguousNameError,
    NotSupportedError,
    ProgrammingError,
    Span,
    UnknownColumnError,
)
from eau2.operators import coercion, windows
from eau2.operators.expr import Call, Column, Expr, JoinKind, SortKey, conjuncts, ref
from eau2.operators.functions import table
from eau2.sql import ast
from eau2.sql.bind_expr import balanced, bind_condition
from eau2.sql.environment import Context, Environment, Subqueries
from eau2.sql.logical import DependentJoin, Filter, Join, Logical, Project, Sort, Window
from eau2.sql.scope import MergedColumn, Scope, VisibleColumn, suggestion
from eau2.sql.shapes import Shapes
from eau2.sql.sources import BindTable, Place, Source
from eau2.sql.spans import at
from eau2.sql.subqueries import free_columns, free_of, without_order
from eau2.types import BOOLEAN


def bind_join(node: ast.JoinClause, place: Place, bind: BindTable) -> Source:
    """The source of a chain of joins. A right side may read the columns of what stands before."""
    chain: list[ast.JoinClause] = []
    below: ast.TableExpression = node
    while isinstance(below, ast.JoinClause):
        chain.append(below)
        below = below.left
    source = bind(below, place)
    for clause in reversed(chain):
        right = bind(clause.right, place.beside(source))
        source = _joined(clause, source, right, place)
    return source


def _joined(clause: ast.JoinClause, left: Source, right: Source, place: Place) -> Source:
    scope = left.scope.beside(right.scope, clause.right.span)
    lateral = _lateral_kind(clause, left, right)
    if clause.kind == "positional":
        return _positional(clause, left, right, scope, place.context)
    names = _natural_names(clause, left, right) if clause.natural else clause.using
    if names:
        return _using(clause, names, left, right, scope)
    plans = (without_order(left.plan), without_order(right.plan))
    if clause.condition is None:
        if lateral is not None:
            return Source(DependentJoin(lateral, *plans), scope, False)
        return Source(Join("cross", *plans), scope, False)
    collected = Subqueries(place.bind_query)
    env = Environment(place.context, scope, subqueries=collected, outer=place.outer).inside("ON")
    condition = bind_condition(clause.condition, env)
    if lateral is not None:
        plan = _lateral(clause, lateral, plans, condition, collected)
    else:
        plan = _conditional(clause, plans, condition, collected)
    return Source(plan, left.scope if clause.kind in ("semi", "anti") else scope, False)


def _lateral_kind(clause: ast.JoinClause, left: Source, right: Source) -> JoinKind | None:
    """How a right side that reads the left one's columns is joined; None when it does not."""
    if not free_of(right.plan) & _ids(left.plan):
        return None
    match clause.kind:
        case "cross" | "inner":
            return "inner"
        case "left":
            return "left"
    raise NotSupportedError(
        "only an inner or left join can have a right side that reads columns of the left one",
        span=clause.right.span,
    )


def _lateral(
    clause: ast.JoinClause,
    kind: JoinKind,
    plans: tuple[Logical, Logical],
    condition: Expr,
    collected: Subqueries,
) -> Logical:
    if kind == "inner":
        return Filter(collected.over(DependentJoin(kind, *plans)), condition)
    if collected.joins:
        raise NotSupportedError(
            "a subquery in the ON of a lateral LEFT JOIN is not supported", span=clause.span
        )
    return DependentJoin(kind, *plans, condition)


def _conditional(
    clause: ast.JoinClause,
    plans: tuple[Logical, Logical],
    condition: Expr,
    collected: Subqueries,
) -> Logical:
    """A join with ON. Its subqueries stand above an inner join, else below the side they read."""
    assert clause.kind != "positional"
    if clause.kind not in ("inner", "cross"):
        plans = _with_subqueries(clause, plans, collected)
        if clause.kind in ("asof", "asof_left"):
            return _asof(clause, plans, condition)
        return _on(clause.kind, *plans, condition)
    made = {c.id for join in collected.joins for c in join.right.output}
    made |= {join.mark.id for join in collected.joins if join.mark is not None}
    parts = conjuncts(condition)
    above = [part for part in parts if Shapes.columns(part) & made]
    own = [part for part in parts if not Shapes.columns(part) & made]
    plan: Logical = Join("cross", *plans)
    if own:
        plan = _on("inner", *plans, balanced("and", own))
    return Filter(collected.over(plan), balanced("and", above)) if above else plan


def _with_subqueries(
    clause: ast.JoinClause, plans: tuple[Logical, Logical], collected: Subqueries
) -> tuple[Logical, Logical]:
    left, right = plans
    sides = (_ids(left), _ids(right))
    for join in collected.joins:
        read = free_columns(join)
        one = Subqueries(collected.bind_query, joins=[join])
        if not read & sides[0]:
            right = one.over(right)
        elif not read & sides[1]:
            left = one.over(left)
        else:
            raise NotSupportedError(
                f"a subquery in the ON of a {clause.kind.upper()} JOIN can read one side only",
                span=clause.span,
            )
    return left, right


def _asof(clause: ast.JoinClause, plans: tuple[Logical, Logical], condition: Expr) -> Logical:
    """The join with the nearest row: one inequality, and equalities."""
    kind: JoinKind = "asof" if clause.kind == "asof" else "asof_left"
    keyed = _on(kind, *plans, condition)
    rest = () if keyed.condition is None else conjuncts(keyed.condition)
    sides = (_ids(plans[0]), _ids(plans[1]))
    signs = ("<", "<=", ">", ">=")
    found = [p for p in rest if any(_between_sides(p, sign, *sides) for sign in signs)]
    if len(rest) != 1 or len(found) != 1 or keyed.null_safe:
        raise ProgrammingError(
            "the ON of an ASOF JOIN is one inequality between the sides, and equalities",
            span=clause.span,
            hint="Filter the rest in WHERE.",
        )
    if any(side.type.is_list for side in found[0].children):
        raise NotSupportedError("an ASOF JOIN by lists is not supported", span=clause.span)
    return keyed


def _positional(
    clause: ast.JoinClause, left: Source, right: Source, scope: Scope, context: Context
) -> Source:
    """Rows side by side in their order; the shorter side is padded."""
    if not (left.ordered and right.ordered):
        raise NotSupportedError(
            "a POSITIONAL JOIN needs sides whose rows are in an order",
            span=clause.span,
            hint="Order them: (SELECT ... ORDER BY ...).",
        )
    one, first = _numbered(left.plan, context)
    other, second = _numbered(right.plan, context)
    both = Join("full", one, other, ((ref(first), ref(second)),))
    place = table.bind("coalesce", (ref(first), ref(second)))
    number = context.column("row", place.type)
    kept = (*left.plan.output, *right.plan.output)
    items: list[tuple[Column, Expr]] = [(column, ref(column)) for column in kept]
    numbered = Project(both, (*items, (number, place)))
    ordered = Sort(numbered, (SortKey(ref(number)),))
    return Source(Project(ordered, tuple(items)), scope, True)


def _numbered(plan: Logical, context: Context) -> tuple[Logical, Column]:
    call = windows.bind("row_number", (), frame=None, ordered=False)
    number = context.column("row", call.type)
    return Window(plan, (), (), (), ((number, call),)), number


def _on(kind: JoinKind, left: Logical, right: Logical, condition: Expr) -> Join:
    """The join on `condition`, with its equalities between the sides taken out.

    IS NOT DISTINCT FROM becomes an equality of a null-safe join, if there is no other.
    """
    sides = (_ids(left), _ids(right))
    parts = conjuncts(condition)
    null_safe = False
    pairs = [_between_sides(part, "=", *sides) for part in parts]
    if not any(pairs):
        pairs = [_between_sides(part, "is_not_distinct", *sides) for part in parts]
        null_safe = any(pairs)
    rest = [part for part, pair in zip(parts, pairs, strict=True) if pair is None]
    equalities = tuple(pair for pair in pairs if pair is not None)
    remaining = balanced("and", rest) if rest else None
    return Join(kind, left, right, equalities, remaining, null_safe)


def _ids(plan: Logical) -> frozenset[int]:
    return frozenset(column.id for column in plan.output)


def _between_sides(
    part: Expr, function: str, left: frozenset[int], right: frozenset[int]
) -> tuple[Expr, Expr] | None:
    """(left expression, right expression) if `part` compares one with the other."""
    if not isinstance(part, Call) or part.function != function:
        return None
    one, other = part.args
    reads, other_reads = Shapes.columns(one), Shapes.columns(other)
    if not reads or not other_reads:
        return None
    if reads <= left and other_reads <= right:
        return one, other
    if reads <= right and other_reads <= left:
        return other, one
    return None


def _natural_names(clause: ast.JoinClause, left: Source, right: Source) -> tuple[str, ...]:
    """The names that occur on both sides, in the left side's order."""
    names = {column.name.casefold() for column in right.scope.star()}
    shared = dict.fromkeys(
        column.name for column in left.scope.star() if column.name.casefold() in names
    )
    if not shared:
        raise ProgrammingError(
            "the sides of this NATURAL JOIN have no column name in common",
            span=clause.span,
            hint="Write CROSS JOIN to pair every row with every other.",
        )
    return tuple(shared)


def _using(
    clause: ast.JoinClause, names: tuple[str, ...], left: Source, right: Source, scope: Scope
) -> Source:
    shift = len(left.scope.tables)
    merged: list[MergedColumn] = []
    equalities: list[tuple[Expr, Expr]] = []
    for name in dict.fromkeys(name.casefold() for name in names):
        written = next(n for n in names if n.casefold() == name)
        one, tables = _shared(left.scope, written, "left", clause.span)
        other, right_tables = _shared(right.scope, written, "right", clause.span)
        equal = at(clause.span, coercion.compare, "=", one.expr, other.expr)
        pair = equal.children
        equalities.append((pair[0], pair[1]))
        covered = tables | frozenset(index + shift for index in right_tables)
        merged.append(MergedColumn(one.name, _merged(clause, one.expr, other.expr), covered))
    plan = _keyed(clause, left, right, equalities)
    if clause.kind in ("semi", "anti"):
        return Source(plan, left.scope, False)
    return Source(plan, scope.with_merged(tuple(merged)), False)


def _keyed(
    clause: ast.JoinClause, left: Source, right: Source, pairs: list[tuple[Expr, Expr]]
) -> Logical:
    """The join on equal columns; the last ones of an ASOF join say what is nearest."""
    plans = (without_order(left.plan), without_order(right.plan))
    nearest = None
    if clause.kind in ("asof", "asof_left"):
        *pairs, last = pairs
        nearest = Call(BOOLEAN, ">=", last)
    lateral = _lateral_kind(clause, left, right)
    if lateral is not None:
        equal: list[Expr] = [Call(BOOLEAN, "=", pair) for pair in pairs]
        return DependentJoin(lateral, *plans, balanced("and", equal))
    assert clause.kind != "positional"
    return Join(clause.kind, *plans, tuple(pairs), nearest)


def _merged(clause: ast.JoinClause, left: Expr, right: Expr) -> Expr:
    """What the merged column means: the side that has a value wherever the join has a row."""
    if clause.kind == "full":
        return at(clause.span, table.bind, "coalesce", (left, right))
    return right if clause.kind == "right" else left


def _shared(scope: Scope, name: str, side: str, span: Span) -> tuple[VisibleColumn, frozenset[int]]:
    found = scope.holders(name)
    if not found:
        raise UnknownColumnError(
            f'there is no column "{name}" on the {side} side of this join',
            span=span,
            hint=suggestion(name, [column.name for column in scope.star()], "Columns"),
        )
    if len(found) > 1:
        raise AmbiguousNameError(
            f'the column name "{name}" is ambiguous on the {side} side of this join', span=span
        )
    return found[0]
