"""UNION, INTERSECT and EXCEPT: sides in common types, then plan nodes that every rule knows.

Owns: the types that columns of both sides meet in, BY NAME, ALL. Comes in: bound sides. Goes out:
`Query`. Does not know: how a side is bound, ORDER BY and LIMIT over the result.

INTERSECT and EXCEPT are null-safe semi and anti joins of distinct rows; with ALL equal rows are
numbered on both sides, and the numbers compared as well.
"""

from __future__ import annotations

from eau2.errors import NotSupportedError, ProgrammingError, Span
from eau2.operators import coercion, windows
from eau2.operators.expr import Column, ColumnRef, Expr, Literal, ref
from eau2.sql import ast
from eau2.sql.environment import BindQuery, Context, Environment, Query
from eau2.sql.logical import Aggregate, Join, Logical, Project, Union, Window
from eau2.sql.spans import at
from eau2.sql.subqueries import without_order
from eau2.types import VARCHAR, SqlType


def bind_set_operation(
    node: ast.SetOperation, context: Context, bind_query: BindQuery, outer: Environment | None
) -> Query:
    """The plan of a chain of set operations; its columns are called as the first side's."""
    chain: list[ast.SetOperation] = []
    below: ast.Query = node
    while isinstance(below, ast.SetOperation):
        chain.append(below)
        below = below.left
    result = bind_query(below, context, outer)
    for operation in reversed(chain):
        right = bind_query(operation.right, context, outer)
        result = combined(operation, result, right, context)
    return result


def combined(node: ast.SetOperation, left: Query, right: Query, context: Context) -> Query:
    """One operation over two bound sides."""
    if node.by_name:
        if node.operator != "union":
            raise NotSupportedError(
                f"{node.operator.upper()} BY NAME is not supported", span=node.span
            )
        left, right = _by_name(left, right, context, node.span)
    if len(left.names) != len(right.names):
        raise ProgrammingError(
            f"the left side of this {node.operator.upper()} has {_columns(left)}, "
            f"the right side {_columns(right)}",
            span=node.right.span,
        )
    pairs = zip(left.plan.output, right.plan.output, strict=True)
    types = tuple(at(node.span, union_type, one.type, other.type) for one, other in pairs)
    one = in_types(left.plan, left.names, types, context, node.left.span)
    other = in_types(right.plan, left.names, types, context, node.right.span)
    if node.operator == "union":
        return _union(node, left, right, (one, other), context)
    kind = "semi" if node.operator == "intersect" else "anti"
    one, other = without_order(one), without_order(other)
    if not node.all:
        join = _joined(kind, distinct(one, context), distinct(other, context))
        return Query(join, left.names, False)
    kept = one.output
    join = _joined(kind, _numbered(one, context), _numbered(other, context))
    return Query(
        Project(join, tuple((_renewed(c, context), ref(c)) for c in kept)), left.names, False
    )


def union_type(one: SqlType, other: SqlType) -> SqlType:
    """The type in which two columns meet: beside a VARCHAR everything becomes text."""
    if VARCHAR in (one, other):
        return VARCHAR
    return coercion.common_type((ColumnRef(one, 0), ColumnRef(other, 0)))


def in_types(
    plan: Logical,
    names: tuple[str, ...],
    types: tuple[SqlType, ...],
    context: Context,
    span: Span,
) -> Logical:
    """The plan with its columns cast to these types; the plan itself if they have them."""
    if tuple(column.type for column in plan.output) == types:
        return plan
    items: list[tuple[Column, Expr]] = []
    for column, name, type_ in zip(plan.output, names, types, strict=True):
        expr = at(span, coercion.cast, ref(column), type_)
        items.append((context.column(name, type_), expr))
    return Project(plan, tuple(items))


def distinct(plan: Logical, context: Context) -> Aggregate:
    """The rows of the plan, each once."""
    keys = tuple((_renewed(column, context), ref(column)) for column in plan.output)
    return Aggregate(without_order(plan), keys, ())


def _union(
    node: ast.SetOperation,
    left: Query,
    right: Query,
    parts: tuple[Logical, ...],
    context: Context,
) -> Query:
    if node.all:
        parts = tuple(p for part in parts for p in _flat(part, left))
    else:
        parts = tuple(without_order(part) for part in parts)
    first = parts[0].output
    columns = tuple(context.column(name, c.type) for name, c in zip(left.names, first, strict=True))
    plan: Logical = Union(parts, columns)
    if node.all:
        return Query(plan, left.names, left.ordered and right.ordered)
    return Query(distinct(plan, context), left.names, False)


def _flat(part: Logical, left: Query) -> tuple[Logical, ...]:
    """A UNION ALL within a UNION ALL gives its own parts."""
    return part.parts if isinstance(part, Union) else (part,)


def _columns(query: Query) -> str:
    count = len(query.names)
    return f"{count} column{'' if count == 1 else 's'}"


def _renewed(column: Column, context: Context) -> Column:
    return context.column(column.name, column.type)


def _joined(kind: str, left: Logical, right: Logical) -> Join:
    equalities = tuple((ref(a), ref(b)) for a, b in zip(left.output, right.output, strict=True))
    return Join("semi" if kind == "semi" else "anti", left, right, equalities, null_safe=True)


def _numbered(plan: Logical, context: Context) -> Window:
    """Equal rows with numbers from 1."""
    call = windows.bind("row_number", (), frame=None, ordered=False)
    number = context.column("copy", call.type)
    partition = tuple(ref(column) for column in plan.output)
    return Window(plan, partition, (), (), ((number, call),))


def _by_name(left: Query, right: Query, context: Context, span: Span) -> tuple[Query, Query]:
    """Both sides with all columns of either, the left side's first; what is missing is NULL."""
    _check_names(left, span)
    _check_names(right, span)
    wanted = {name.casefold(): name for name in (*right.names, *left.names)}
    order = dict.fromkeys(name.casefold() for name in (*left.names, *right.names))
    types = {
        name.casefold(): column.type
        for query in (left, right)
        for name, column in zip(query.names, query.plan.output, strict=True)
    }
    names = tuple(wanted[name] for name in order)

    def side(query: Query) -> Query:
        held = dict(zip((n.casefold() for n in query.names), query.plan.output, strict=True))
        items: list[tuple[Column, Expr]] = []
        for name in order:
            column = held.get(name)
            expr: Expr = Literal(types[name], None) if column is None else ref(column)
            items.append((context.column(wanted[name], expr.type), expr))
        return Query(Project(query.plan, tuple(items)), names, query.ordered)

    return side(left), side(right)


def _check_names(query: Query, span: Span) -> None:
    seen: set[str] = set()
    for name in query.names:
        if name.casefold() in seen:
            raise ProgrammingError(
                f'BY NAME needs names that differ, and "{name}" occurs twice', span=span
            )
        seen.add(name.casefold())


def second_names(node: ast.Query) -> tuple[tuple[str, int], ...]:
    """The aliases by which other sides than the first call their columns, with their positions."""
    found: list[tuple[str, int]] = []
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.SetOperation):
            if not part.by_name:
                waiting += (part.left, part.right)
        elif isinstance(part, ast.Select):
            for position, item in enumerate(part.items):
                if isinstance(item.expression, ast.Star | ast.Columns):
                    break
                name = item.alias
                if name is None and isinstance(item.expression, ast.Name):
                    name = item.expression.parts[-1]
                if name is not None:
                    found.append((name.casefold(), position))
    return tuple(found)
