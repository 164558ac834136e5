"""INSERT: which row goes into which column of the table, in the table's types.

Owns: the column list, BY NAME, DEFAULT, and the casts into the table's types. Comes in: ast.Insert,
the table's columns, the catalog. Goes out: a plan that gives the table's columns, in their order;
of nothing but constants it is `Rows`. Does not know: how rows are kept, NOT NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import count

from eau2.catalog import Catalog, ColumnSchema, FrameSchema
from eau2.config import LIMITS
from eau2.errors import ProgrammingError, Span, UnknownColumnError
from eau2.operators import coercion
from eau2.operators.expr import Cast, Column, Expr, Literal, Value, ref
from eau2.sql import ast, literals
from eau2.sql.bind_expr import bind_root
from eau2.sql.bind_query import bind_query
from eau2.sql.environment import Context, Environment, Subqueries
from eau2.sql.logical import Logical, OneRow, Project, Rows, Sort, Union
from eau2.sql.ordering import total_order
from eau2.sql.scope import Scope, suggestion
from eau2.sql.spans import at, of_name

_COMPUTED_ROWS = 16
"""In as few rows constant expressions are computed one by one, since a plan costs more."""

Compute = Callable[[Expr], Expr]
"""The value of a constant expression, or the expression itself when it has none."""


def bind_insert(
    node: ast.Insert,
    schema: FrameSchema,
    catalog: Catalog,
    parameters: Mapping[int | str, object] | None = None,
    *,
    now: datetime | None = None,
    compute: Compute = lambda expr: expr,
    text: str = "",
) -> Logical:
    """The rows to insert. text: what the statement is part of, for places in its column list.

    Raises StatementError (with spans), InputFileError.
    """
    context = Context(catalog, {} if parameters is None else parameters, now, count(1))
    if node.query is None:
        if node.columns:
            raise ProgrammingError("DEFAULT VALUES takes no column list", span=node.span)
        nothing = tuple(None for _ in schema.columns)
        return Rows(_columns(schema, context), (nothing,))
    if isinstance(node.query, ast.Values):
        if node.by_name:
            raise ProgrammingError(
                "INSERT BY NAME takes a SELECT: VALUES have no column names", span=node.span
            )
        return _values(node, node.query, schema, context, compute, text)
    bound = bind_query(node.query, context)
    if node.by_name:
        places = _places(node.columns or bound.names, node, schema, text)
    else:
        places = _places(node.columns, node, schema, text)
    _check_width(len(bound.names), len(places), node, node.query.span)
    given = dict(zip(places, bound.plan.output, strict=True))
    items = tuple(
        (column, _assigned(given.get(place), schema.columns[place], node.query.span))
        for place, column in enumerate(_columns(schema, context))
    )
    plan: Logical = Project(bound.plan, items)
    if not bound.ordered:
        plan = Sort(plan, total_order((), plan.output), LIMITS.unordered_result_rows)
    return plan


def _columns(schema: FrameSchema, context: Context) -> tuple[Column, ...]:
    return tuple(context.column(column.name, column.type) for column in schema.columns)


def _places(
    names: tuple[str, ...], node: ast.Insert, schema: FrameSchema, text: str
) -> tuple[int, ...]:
    """The positions of the named columns; of all columns when none are named."""
    if not names:
        return tuple(range(len(schema.columns)))
    places: list[int] = []
    for name in names:
        place = schema.position(name)
        if place is None:
            raise UnknownColumnError(
                f'the table "{node.name}" has no column "{name}"',
                span=of_name(text, node.span, name),
                hint=suggestion(name, [column.name for column in schema.columns], "Columns"),
            )
        if place in places:
            raise ProgrammingError(
                f'the column "{name}" is named twice in this INSERT',
                span=of_name(text, node.span, name),
            )
        places.append(place)
    return tuple(places)


def _check_width(found: int, wanted: int, node: ast.Insert, span: Span) -> None:
    if found == wanted:
        return
    values = "1 value is" if found == 1 else f"{found} values are"
    columns = "1 column" if wanted == 1 else f"{wanted} columns"
    takes = (
        f"the column list names {columns}"
        if node.columns
        else (f'the table "{node.name}" has {columns}')
    )
    raise ProgrammingError(f"{takes}, but {values} given", span=span)


def _assigned(given: Column | None, target: ColumnSchema, span: Span) -> Expr:
    if given is None:
        return Literal(target.type, None)
    return _cast(ref(given), target, span)


def _cast(expr: Expr, target: ColumnSchema, span: Span) -> Expr:
    """The value as the column takes it: as CAST gives it, constants at once."""
    bare = literals.unpinned(expr)
    if isinstance(bare, Literal):
        bare = at(span, coercion.coerce, bare, target.type)
        # A text that is no date fails where it is cast, with the words of a cast.
        with suppress(ProgrammingError):
            bare = literals.folded(bare, span)
        if isinstance(bare, Literal):
            return bare
    return at(span, coercion.cast, expr, target.type)


def _values(
    node: ast.Insert,
    values: ast.Values,
    schema: FrameSchema,
    context: Context,
    compute: Compute,
    text: str,
) -> Logical:
    places = _places(node.columns, node, schema, text)
    rows: list[tuple[Subqueries, list[Expr]]] = []
    for written in values.rows:
        _check_width(len(written), len(places), node, written[0].span)
        collected = Subqueries(bind_query)
        env = Environment(context, Scope(), subqueries=collected).inside("VALUES")
        row: list[Expr] = [Literal(column.type, None) for column in schema.columns]
        for place, item in zip(places, written, strict=True):
            row[place] = _item(item, schema.columns[place], env)
        if not collected.joins and len(values.rows) <= _COMPUTED_ROWS:
            row = [compute(expr) for expr in row]
        rows.append((collected, row))
    columns = _columns(schema, context)
    constant = _constant(columns, [row for _, row in rows])
    if constant is not None:
        return constant
    if not any(collected.joins for collected, _ in rows):
        cast = _cast_in_columns([row for _, row in rows], columns, context)
        if cast is not None:
            return cast
        rows = [(collected, [compute(expr) for expr in row]) for collected, row in rows]
        constant = _constant(columns, [row for _, row in rows])
        if constant is not None:
            return constant
    parts: list[Logical] = []
    for collected, row in rows:
        items = tuple(zip(_columns(schema, context), row, strict=True))
        parts.append(Project(collected.over(OneRow()), items))
    return parts[0] if len(parts) == 1 else Union(tuple(parts), columns)


def _item(item: ast.Expression, target: ColumnSchema, env: Environment) -> Expr:
    if isinstance(item, ast.DefaultValue):
        return Literal(target.type, None)
    return _cast(bind_root(item, env), target, item.span)


def _constant(columns: tuple[Column, ...], rows: list[list[Expr]]) -> Rows | None:
    """The rows, if they hold nothing but constants."""
    values = [tuple(expr.value for expr in row if isinstance(expr, Literal)) for row in rows]
    if any(len(row) != len(columns) for row in values):
        return None
    return Rows(columns, tuple(values))


def _cast_in_columns(
    rows: list[list[Expr]], columns: tuple[Column, ...], context: Context
) -> Logical | None:
    """Constants under one cast for all of a column; None where a column's constants differ."""
    given: list[Column] = []
    items: list[tuple[Column, Expr]] = []
    values: list[list[Value]] = []
    for column, exprs in zip(columns, zip(*rows, strict=True), strict=True):
        bare = [literals.unpinned(e.arg) if isinstance(e, Cast) else e for e in exprs]
        constants = [expr for expr in bare if isinstance(expr, Literal)]
        kinds = {expr.type for expr in constants if expr.value is not None}
        casts = {expr.safe for expr in exprs if isinstance(expr, Cast)}
        if len(constants) < len(exprs) or len(kinds) > 1 or True in casts:
            return None
        raw = context.column(column.name, next(iter(kinds), column.type))
        given.append(raw)
        items.append((column, coercion.cast(ref(raw), column.type)))
        values.append([expr.value for expr in constants])
    return Project(Rows(tuple(given), tuple(zip(*values, strict=True))), tuple(items))
