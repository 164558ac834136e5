"""FROM: tables, files, derived tables and joins become a plan and a scope.

Owns: table lookup, join conditions cut into equalities and the rest, USING and NATURAL.
Comes in: ast table expressions. Goes out: `Source`.
Does not know: what is selected; a derived table is bound by the function that it is handed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from eau2.catalog import Frame
from eau2.errors import NotSupportedError, ProgrammingError, Span, UnknownNameError
from eau2.operators import coercion
from eau2.operators.expr import Call, Expr, JoinKind, conjuncts, ref
from eau2.operators.functions import table
from eau2.sql import ast
from eau2.sql.bind_expr import balanced, bind_condition
from eau2.sql.environment import BindQuery, Context, Environment
from eau2.sql.logical import Filter, Join, Logical, OneRow, Project, Scan, Sort
from eau2.sql.scope import MergedColumn, Scope, VisibleColumn, VisibleTable, suggestion
from eau2.sql.shapes import Shapes
from eau2.sql.spans import at


@dataclass(frozen=True, slots=True)
class Source:
    """A bound FROM clause: its plan, what its columns are called, and whether rows are ordered."""

    plan: Logical
    scope: Scope
    ordered: bool


def bind_from(
    node: ast.TableExpression | None,
    context: Context,
    bind_query: BindQuery,
    outer: Environment | None = None,
) -> Source:
    """The source a SELECT reads; without FROM it is one row of no columns."""
    match node:
        case None:
            return Source(OneRow(), Scope(), True)
        case ast.TableName(span, name, alias, columns):
            frame = context.catalog.frame(name)
            if frame is None:
                raise UnknownNameError(
                    f'there is no table "{name}"',
                    span=span,
                    hint=suggestion(name, list(context.catalog.names()), "Tables")
                    or "There are no tables yet.",
                )
            return _scan(frame, alias or name, columns, context, span)
        case ast.TableFile(span, path, alias, columns):
            frame = at(span, context.catalog.file, path)
            return _scan(frame, alias or _stem(path), columns, context, span)
        case ast.DerivedTable(span, query, alias, columns):
            bound = bind_query(query, context, outer)
            names = _unique_names(bound.names)
            visible = _visible(alias or "unnamed_subquery", names, columns, bound.plan, span)
            visible = replace(visible, unnamed=alias is None)
            return Source(bound.plan, Scope((visible,)), bound.ordered)
        case ast.JoinClause():
            return _join(node, context, bind_query, outer)
    raise NotSupportedError("this table expression is not supported", span=node.span)


def without_order(plan: Logical) -> Logical:
    """The plan without sorting that what stands above it does not need."""
    match plan:
        case Sort(below, _, _):
            return without_order(below)
        case Filter(below, condition):
            return Filter(without_order(below), condition)
        case Project(below, items):
            return Project(without_order(below), items)
    return plan


def _scan(
    frame: Frame, name: str, aliases: tuple[str, ...], context: Context, span: Span
) -> Source:
    columns = tuple(context.column(column.name, column.type) for column in frame.schema.columns)
    plan = Scan(frame, columns, tuple(range(len(columns))))
    names = tuple(column.name for column in frame.schema.columns)
    return Source(plan, Scope((_visible(name, names, aliases, plan, span),)), True)


def _visible(
    name: str, names: tuple[str, ...], aliases: tuple[str, ...], plan: Logical, span: Span
) -> VisibleTable:
    """The plan's columns as a table; column aliases rename the first of them."""
    if len(aliases) > len(names):
        raise ProgrammingError(
            f'the table "{name}" has {len(names)} columns, but {len(aliases)} names for them',
            span=span,
        )
    called = (*aliases, *names[len(aliases) :])
    columns = zip(called, plan.output, strict=True)
    return VisibleTable(name, tuple(VisibleColumn(n, ref(column)) for n, column in columns))


def _stem(path: str) -> str:
    """The name by which a file's columns can be qualified: the file's, without its ending.

    The files of a glob have no name in common, so there it is the glob.
    """
    if any(sign in path for sign in "*?["):
        return path
    name = path.replace("\\", "/").rsplit("/", 1)[-1]
    return name.split(".", 1)[0] or name


def _unique_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of a derived table's columns: a second `a` is called `a_1`."""
    seen: set[str] = set()
    result: list[str] = []
    for name in names:
        unique, number = name, 0
        while unique.casefold() in seen:
            number += 1
            unique = f"{name}_{number}"
        seen.add(unique.casefold())
        result.append(unique)
    return tuple(result)


def _join(
    node: ast.JoinClause, context: Context, bind_query: BindQuery, outer: Environment | None
) -> Source:
    chain: list[ast.JoinClause] = []
    below: ast.TableExpression = node
    while isinstance(below, ast.JoinClause):
        chain.append(below)
        below = below.left
    source = bind_from(below, context, bind_query, outer)
    for clause in reversed(chain):
        right = bind_from(clause.right, context, bind_query, outer)
        source = _joined(clause, source, right, context, outer)
    return source


def _joined(
    clause: ast.JoinClause,
    left: Source,
    right: Source,
    context: Context,
    outer: Environment | None,
) -> Source:
    scope = left.scope.beside(right.scope, clause.right.span)
    plans = (without_order(left.plan), without_order(right.plan))
    names = _natural_names(clause, left, right) if clause.natural else clause.using
    if names:
        return _using(clause, names, left, right, scope)
    if clause.condition is None:
        return Source(Join("cross", *plans), scope, False)
    if clause.kind == "positional":
        raise NotSupportedError("POSITIONAL JOIN is not supported", span=clause.span)
    env = Environment(
        context, scope, refusal="aggregate functions are not allowed in ON", outer=outer
    )
    condition = bind_condition(clause.condition, env)
    return Source(_on(clause.kind, *plans, condition), scope, False)


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
    plans = (without_order(left.plan), without_order(right.plan))
    if clause.kind == "positional":
        raise NotSupportedError("POSITIONAL JOIN is not supported", span=clause.span)
    plan = Join(clause.kind, *plans, tuple(equalities))
    return Source(plan, scope.with_merged(tuple(merged)), False)


def _merged(clause: ast.JoinClause, left: Expr, right: Expr) -> Expr:
    """What the merged column means: the side that has a value wherever the join has a row."""
    if clause.kind == "full":
        return at(clause.span, table.bind, "coalesce", (left, right))
    return right if clause.kind == "right" else left


def _shared(scope: Scope, name: str, side: str, span: Span) -> tuple[VisibleColumn, frozenset[int]]:
    found = scope.holders(name)
    if not found:
        raise UnknownNameError(
            f'there is no column "{name}" on the {side} side of this join',
            span=span,
            hint=suggestion(name, [column.name for column in scope.star()], "Columns"),
        )
    if len(found) > 1:
        raise UnknownNameError(
            f'the column name "{name}" is ambiguous on the {side} side of this join', span=span
        )
    return found[0]
