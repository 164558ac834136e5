"""UNPIVOT: columns become rows, each with the name of the column that it comes from.

Owns: which columns are turned into rows and which are kept, their names, the types that they meet
in. Comes in: ast.UnpivotTable and the bound table that it reads. Goes out: `Source`.
Does not know: how FROM is bound, whether the table is computed once.

The plan is a Union with one part for each entry of the list, over one definition of the table.
"""

from __future__ import annotations

from eau2.config import LIMITS
from eau2.errors import (
    NotSupportedError,
    ProgrammingError,
    Span,
    TypeMismatchError,
    UnknownColumnError,
)
from eau2.operators import coercion
from eau2.operators.expr import (
    Column,
    ColumnRef,
    Expr,
    Literal,
    columns_of,
    ref,
    substitute,
)
from eau2.operators.functions import table
from eau2.records import Record
from eau2.sql import ast
from eau2.sql.bind_expr import bind_root
from eau2.sql.environment import Context, Environment, Query
from eau2.sql.logical import Filter, Logical, Project, Union
from eau2.sql.scope import Scope, suggestion
from eau2.sql.sharing import Definition, SharedScan, With
from eau2.sql.sources import UNNAMED_PIVOT, Place, Source, derived
from eau2.sql.spans import at
from eau2.sql.stars import Chosen, star_entries, written_out
from eau2.sql.subqueries import without_order
from eau2.sql.syntax_walk import parts
from eau2.types import NULL, VARCHAR, SqlType


class _Entry(Record, frozen=True):
    """One row for every row of the table: its name, and what its values are made of."""

    name: str
    nodes: tuple[ast.Expression, ...]
    columns: tuple[str, ...]


def unpivoted(node: ast.UnpivotTable, source: Source, place: Place) -> Source:
    """The rows of a table, once for each entry of UNPIVOT."""
    entries = _entries(node, source.scope)
    used = {name.casefold() for entry in entries for name in entry.columns}
    kept = [column for column in source.scope.star() if column.name.casefold() not in used]
    env = Environment(place.context, source.scope).inside("UNPIVOT")
    bound = [tuple(bind_root(item, env) for item in entry.nodes) for entry in entries]
    types = [_common(column, node.span) for column in zip(*bound, strict=True)]
    names = (*(column.name for column in kept), node.name, *node.values)
    if 0 < len(node.column_aliases) < len(names):
        raise NotSupportedError(
            f"UNPIVOT gives {len(names)} columns here: name all of them, or none", span=node.span
        )
    rows = [
        (
            *(column.expr for column in kept),
            Literal(VARCHAR, entry.name),
            *(
                at(item.span, coercion.coerce, expr, type_)
                for item, expr, type_ in zip(entry.nodes, exprs, types, strict=True)
            ),
        )
        for entry, exprs in zip(entries, bound, strict=True)
    ]
    plan = _plan(source.plan, rows, names, node, place.context)
    query = Query(plan, names, False)
    return derived(query, node.alias, node.column_aliases, node.span, UNNAMED_PIVOT)


def _entries(node: ast.UnpivotTable, scope: Scope) -> list[_Entry]:
    """The entries of the list, stars and COLUMNS written out."""
    found: list[_Entry] = []
    for expressions, alias in node.on:
        for nodes in _written_out(expressions, scope):
            columns = tuple(_column(item, scope) for item in nodes)
            if len(nodes) != len(node.values):
                raise ProgrammingError(
                    f"this entry of UNPIVOT has {_counted(len(nodes), 'column')}, "
                    f"but there is a name for {_counted(len(node.values), 'value')}",
                    span=expressions[0].span,
                )
            found.append(_Entry(alias or "_".join(columns), nodes, columns))
    if len(found) > LIMITS.unpivot_columns:
        raise NotSupportedError(
            f"UNPIVOT of more than {LIMITS.unpivot_columns} columns is not supported",
            span=node.span,
        )
    return found


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _written_out(
    expressions: tuple[ast.Expression, ...], scope: Scope
) -> list[tuple[ast.Expression, ...]]:
    """One entry, or as many as its star or COLUMNS has columns."""
    if len(expressions) == 1:
        (only,) = expressions
        if isinstance(only, ast.Star):
            return [(entry.node,) for entry in star_entries(only, scope)]
        copies = written_out(only, scope)
        if copies is not None:
            return [(copy.node,) for copy in copies]
    for item in expressions:
        if isinstance(item, ast.Star) or any(isinstance(p, ast.Columns) for p in parts(item)):
            raise NotSupportedError(
                "* and COLUMNS must stand alone in an entry of UNPIVOT", span=item.span
            )
    return [tuple(map(_as_name, expressions))]


def _as_name(node: ast.Expression) -> ast.Expression:
    """A string names a column here."""
    if isinstance(node, ast.Constant) and node.kind == "string":
        return ast.Name(node.span, (node.text,))
    return node


def _column(node: ast.Expression, scope: Scope) -> str:
    """The name of the one column that an expression reads."""
    named = [part for part in parts(node) if isinstance(part, ast.Name)]
    if len({part.parts[-1].casefold() for part in named}) > 1:
        raise ProgrammingError(
            "an entry of UNPIVOT can only read one column",
            span=node.span,
            hint="Compute it in a query in brackets: UNPIVOT (SELECT ...) ON ...",
        )
    if not named:
        raise ProgrammingError("an entry of UNPIVOT must name a column", span=node.span)
    name = named[0]
    if isinstance(name, Chosen):
        return name.column.name
    known = [column.name for column in scope.star()]
    spelled = next((n for n in known if n.casefold() == name.parts[-1].casefold()), None)
    if spelled is None:
        raise UnknownColumnError(
            f'there is no column "{name.parts[-1]}" to unpivot',
            span=name.span,
            hint=suggestion(name.parts[-1], known, "Columns"),
        )
    return spelled


def _common(exprs: tuple[Expr, ...], span: Span) -> SqlType:
    """The type of one column of values; text and other types do not meet."""
    columns = tuple(ColumnRef(expr.type, 0) for expr in exprs)
    texts = {column.type == VARCHAR for column in columns if column.type != NULL}
    try:
        if len(texts) < 2:
            return coercion.common_type(columns)
    except TypeMismatchError:
        pass
    types = ", ".join(dict.fromkeys(str(column.type) for column in columns))
    raise TypeMismatchError(
        f"columns of the types {types} cannot be unpivoted into one",
        span=span,
        hint="Cast them: UNPIVOT ... ON a::VARCHAR, b::VARCHAR.",
    )


def _plan(
    below: Logical,
    rows: list[tuple[Expr, ...]],
    names: tuple[str, ...],
    node: ast.UnpivotTable,
    context: Context,
) -> Logical:
    """The union of all entries' rows, without those of which a value is NULL."""
    below = without_order(below)
    columns = tuple(
        context.column(name, expr.type) for name, expr in zip(names, rows[0], strict=True)
    )
    number = next(context.ids)
    scans: list[Logical] = []
    for row in rows:
        read = {id_ for expr in row for id_ in columns_of(expr)}
        places = tuple(i for i, column in enumerate(below.output) if column.id in read)
        olds = tuple(below.output[place] for place in places)
        own = tuple(context.column(old.name, old.type) for old in olds)
        new: dict[int, Expr] = {old.id: ref(c) for old, c in zip(olds, own, strict=True)}
        moved = tuple(substitute(expr, new) for expr in row)
        scans.append(_part(SharedScan(number, own, places), moved, names, node, context))
    definition = Definition(number, "unpivoted", below)
    return With((definition,), Union(tuple(scans), columns))


def _part(
    below: Logical,
    row: tuple[Expr, ...],
    names: tuple[str, ...],
    node: ast.UnpivotTable,
    context: Context,
) -> Logical:
    """The rows of one entry."""
    items: list[tuple[Column, Expr]] = [
        (context.column(name, expr.type), expr) for name, expr in zip(names, row, strict=True)
    ]
    plan: Logical = Project(below, tuple(items))
    if not node.include_nulls:
        for column, _ in items[-len(node.values) :]:
            plan = Filter(plan, table.bind("is_not_null", (ref(column),)))
    return plan
