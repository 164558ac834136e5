"""DISTINCT, ORDER BY and LIMIT: which rows of a select list remain, and in which order.

Owns: order keys, the sort keys that make every order total, DISTINCT [ON], numbers of rows and
percentages. Comes in: a `Selecting`, its bound clauses, the plan below. Goes out: `Query`.
Does not know: grouping, how expressions are bound.
"""

from __future__ import annotations

from eau2.errors import Error, ProgrammingError, UnknownNameError
from eau2.operators import coercion, windows
from eau2.operators.constants import value_of
from eau2.operators.expr import Call, Column, ColumnRef, Expr, Literal, SortKey, conjunction, ref
from eau2.operators.functions import table
from eau2.records import replace
from eau2.sql import ast, intervals
from eau2.sql.bind_call import sort_key
from eau2.sql.bind_expr import bind_root
from eau2.sql.clauses import BoundPart, Clauses, Key, Selecting, bind_part
from eau2.sql.environment import Context, Environment, Query
from eau2.sql.grouping import ordinal
from eau2.sql.logical import Aggregate, Filter, Limit, Logical, Project, Sort, Window
from eau2.sql.naming import folded_minus
from eau2.sql.scope import Scope
from eau2.sql.shapes import Shapes
from eau2.sql.spelled_forms import comparable
from eau2.sql.stars import each
from eau2.sql.subqueries import without_order
from eau2.sql.windowing import deciding, row_ties
from eau2.types import BIGINT, BOOLEAN, DOUBLE, SqlType


def order_keys(select: Selecting, items: tuple[ast.OrderItem, ...]) -> tuple[Key, ...]:
    """The keys of ORDER BY; ALL and COLUMNS stand for several."""
    result: list[Key] = []
    for item in each(items, select.source.scope):
        if isinstance(item.expression, ast.EveryColumn):
            result += [Key(item, position, None) for position in range(len(select.entries))]
        else:
            item = replace(item, expression=comparable(item.expression))
            result.append(_order_key(select, item, "ORDER BY"))
    return tuple(result)


def distinct_keys(select: Selecting) -> tuple[Key, ...] | None:
    """The keys of DISTINCT ON; None where it is not written."""
    written = tuple(ast.OrderItem(node.span, node, False, None) for node in select.node.distinct_on)
    if not written:
        return None
    items = each(written, select.source.scope)
    return tuple(_order_key(select, item, "DISTINCT ON") for item in items)


def _order_key(select: Selecting, item: ast.OrderItem, clause: str) -> Key:
    node = item.expression
    position = ordinal(node, len(select.entries), clause)
    if position is None and isinstance(folded_minus(node), ast.Constant):
        raise ProgrammingError(
            f"{clause} a constant that is no integer has no effect", span=node.span
        )
    if isinstance(node, ast.Name) and len(node.parts) == 1:
        alias = select.aliases.get(node.parts[0].casefold())
        if alias is not None:
            position = alias.position
    if position is not None:
        return Key(item, position, None)
    return Key(item, None, bind_part(node, select.environment()))


def finished(select: Selecting, plan: Logical, clauses: Clauses, ordered: bool) -> Query:
    """The select list over the plan, with DISTINCT, ORDER BY and LIMIT."""
    if clauses.distinct_on is not None:
        partition = tuple(_key_expr(key, clauses) for key in clauses.distinct_on)
        plan = _first_rows(select, plan, partition, clauses, clauses.order, ordered)
    elif select.node.distinct:
        known = {select.shapes.of(item.expr) for item in clauses.items}
        if all(key.bound is None or _follows(select, key.bound, known) for key in clauses.order):
            return _distinct(select, plan, clauses)
        # The keys are no function of the distinct rows: the first row of each decides.
        partition = tuple(item.expr for item in clauses.items)
        plan = _first_rows(select, plan, partition, clauses, (), ordered)
    return _projected(select, plan, clauses, ordered)


def _key_expr(key: Key, clauses: Clauses) -> Expr:
    if key.position is not None:
        return clauses.items[key.position].expr
    assert key.bound is not None
    return key.bound.expr


def _follows(select: Selecting, part: BoundPart, known: set[int]) -> bool:
    """Whether an expression is computed from expressions of these shapes alone."""
    nothing = {shape: Literal(BOOLEAN, None) for shape in known}
    return not Shapes.columns(select.shapes.replace(part.expr, nothing))


def _first_rows(
    select: Selecting,
    plan: Logical,
    partition: tuple[Expr, ...],
    clauses: Clauses,
    keys: tuple[Key, ...],
    ordered: bool,
) -> Logical:
    """The first row of each partition, in the order of the keys."""
    order = tuple(
        sort_key(key.item, expr)
        for key in keys
        for expr in (_key_expr(key, clauses),)
        if Shapes.columns(expr)
    )
    ties = () if ordered else row_ties(select, plan, clauses)
    call = windows.bind("row_number", (), frame=None, ordered=bool(order))
    number = select.context.column("row_number", call.type)
    varying = tuple(expr for expr in partition if Shapes.columns(expr))
    plan = Window(plan, varying, order, deciding(ties, order, (call,)), ((number, call),))
    return Filter(plan, Call(BOOLEAN, "=", (ref(number), Literal(BIGINT, 1))))


def _distinct(select: Selecting, plan: Logical, clauses: Clauses) -> Query:
    """DISTINCT is grouping by all columns."""
    items = clauses.items
    written = select.columns(items)
    projected = Project(
        without_order(plan),
        tuple((column, item.expr) for column, item in zip(written, items, strict=True)),
    )
    kept = select.columns(items)
    pairs = zip(kept, written, strict=True)
    result = Aggregate(projected, tuple((column, ref(below)) for column, below in pairs), ())
    known: dict[int, Expr] = {}
    for column, item in zip(kept, items, strict=True):
        known.setdefault(select.shapes.of(item.expr), ref(column))
    lifted = clauses.mapped(
        lambda part: BoundPart(select.shapes.replace(part.expr, known), part.uses, part.span)
    )
    outputs = tuple(BoundPart(ref(column), (), select.node.span) for column in kept)
    return _projected(select, result, Clauses(outputs, None, lifted.order, None), False)


def _projected(select: Selecting, plan: Logical, clauses: Clauses, ordered: bool) -> Query:
    """The select list, then ORDER BY and LIMIT over it; sort keys of their own are hidden."""
    items, order = clauses.items, clauses.order
    columns = select.columns(items)
    known: dict[int, Column] = {}
    if any(key.bound is not None for key in order):
        for column, item in zip(columns, items, strict=True):
            known.setdefault(select.shapes.of(item.expr), column)
    hidden: list[tuple[Column, Expr]] = []
    keys: list[SortKey] = []
    for key in order:
        key_column = _key_column(select, key, columns, known, hidden)
        if key_column is not None:
            keys.append(sort_key(key.item, ref(key_column)))
    if order:
        plan = without_order(plan)
    visible = [(column, item.expr) for column, item in zip(columns, items, strict=True)]
    plan = Project(plan, (*visible, *hidden))
    query = Query(plan, tuple(entry.name for entry in select.entries), ordered)
    return arranged(select.node, select.context, query, tuple(keys), tuple(columns))


def arranged(
    node: ast.Select | ast.Ordered,
    context: Context,
    query: Query,
    keys: tuple[SortKey, ...],
    columns: tuple[Column, ...],
) -> Query:
    """The query's rows in the order of the node's ORDER BY, as many as its LIMIT keeps.

    keys: over the columns of the query's plan. columns: those of the result, among them.
    """
    count, offset = _limits(node, context)
    limited = count is not None or offset > 0
    plan, total = query.plan, total_order(keys, columns)
    if isinstance(count, float):
        order = total if node.order_by or not query.ordered else ()
        plan = _share(context, plan, order, count, offset)
    if node.order_by or (limited and not query.ordered):
        plan = Sort(plan, total)
    if limited and not isinstance(count, float):
        plan = Limit(plan, count, offset)
    if plan.output != columns:
        plan = Project(plan, tuple((column, ref(column)) for column in columns))
    return Query(plan, query.names, query.ordered or bool(node.order_by) or limited)


def _key_column(
    select: Selecting,
    key: Key,
    columns: list[Column],
    known: dict[int, Column],
    hidden: list[tuple[Column, Expr]],
) -> Column | None:
    """The column that holds a sort key's value, a new hidden one if need be; None for constants."""
    if key.position is not None:
        return columns[key.position]
    assert key.bound is not None
    expr = key.bound.expr
    if not Shapes.columns(expr):
        return None
    shape = select.shapes.of(expr)
    if shape not in known:
        column = select.context.column(f"order{len(hidden) + 1}", expr.type)
        hidden.append((column, expr))
        known[shape] = column
    return known[shape]


def total_order(keys: tuple[SortKey, ...], columns: tuple[Column, ...]) -> tuple[SortKey, ...]:
    """The keys, without repetitions, and then all columns ascending, NULLs last."""
    seen: set[int] = set()
    result: list[SortKey] = []
    for key in (*keys, *(SortKey(ref(column)) for column in columns)):
        if isinstance(key.expr, ColumnRef) and key.expr.id not in seen:
            seen.add(key.expr.id)
            result.append(key)
    return tuple(result)


def _limits(node: ast.Select | ast.Ordered, context: Context) -> tuple[int | float | None, int]:
    """How many rows, a float for a percentage of them, and after how many."""
    offset = _row_count(node.offset, "OFFSET", context) or 0
    if node.limit_percent and node.limit is not None:
        return _percentage(node.limit, context), offset
    return _row_count(node.limit, "LIMIT", context), offset


def _row_count(node: ast.Expression | None, clause: str, context: Context) -> int | None:
    """A constant number of rows; NULL means no bound."""
    value = None if node is None else _constant(node, clause, context, BIGINT)
    if node is not None and isinstance(value, int) and value < 0:
        raise ProgrammingError(f"{clause} must not be negative", span=node.span)
    return None if value is None else int(value)


def _percentage(node: ast.Expression, context: Context) -> float | None:
    """The constant before % in LIMIT; NULL means no bound."""
    value = _constant(node, "LIMIT", context, DOUBLE)
    if value is None:
        return None
    if not 0 <= value <= 100:
        raise ProgrammingError("LIMIT takes from 0 to 100 percent", span=node.span)
    return float(value)


def _constant(
    node: ast.Expression, clause: str, context: Context, type_: SqlType
) -> int | float | None:
    """The value of an expression that reads no row, as a number."""
    if intervals.is_interval(node):
        raise ProgrammingError(f"{clause} needs a number", span=node.span)
    env = Environment(context, Scope()).inside(clause)
    try:
        expr = bind_root(node, env)
    except UnknownNameError as error:
        raise ProgrammingError(
            f"only a constant can stand here: {error.message}", span=error.span
        ) from error
    try:
        value = value_of(coercion.cast(expr, type_))
    except Error as error:
        raise ProgrammingError(f"{clause}: {error.message}", span=node.span) from error
    assert value is None or isinstance(value, int | float)
    return value


def _share(
    context: Context, plan: Logical, order: tuple[SortKey, ...], percent: float, offset: int
) -> Logical:
    """The rows within a percentage of all, counted in this order, after `offset` rows."""
    place = windows.bind("row_number", (), frame=None, ordered=bool(order))
    number = context.column("row_number", place.type)
    every = windows.bind("count", (), frame=None, ordered=False)
    total = context.column("rows", every.type)
    plan = Window(plan, (), order, (), ((number, place),))
    plan = Window(plan, (), (), (), ((total, every),))
    counted = coercion.cast(table.bind("-", (ref(number), Literal(BIGINT, offset))), DOUBLE)
    allowed = table.bind("*", (Literal(DOUBLE, percent / 100), coercion.cast(ref(total), DOUBLE)))
    after = Call(BOOLEAN, ">", (ref(number), Literal(BIGINT, offset)))
    return Filter(plan, conjunction((after, Call(BOOLEAN, "<=", (counted, allowed)))))
