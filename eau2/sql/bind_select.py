"""SELECT: its clauses in the order of their meaning, and the order of its rows.

Owns: what each clause may refer to, grouping, DISTINCT, ORDER BY, LIMIT, and the sort keys that
make every order total. Comes in: ast.Select. Goes out: `Query`.
Does not know: how FROM is bound, how expressions are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from eau2.errors import NotSupportedError, ProgrammingError, Span
from eau2.operators.expr import Column, ColumnRef, Expr, SortKey, ref
from eau2.sql import ast, literals
from eau2.sql.bind_expr import as_condition, bind_condition, bind_root
from eau2.sql.bind_from import BindQuery, Query, Source, bind_from, without_order
from eau2.sql.environment import Aggregates, Alias, Context, Environment, Use
from eau2.sql.logical import Aggregate, Filter, Limit, Logical, Project, Sort
from eau2.sql.naming import expression_name, folded_minus
from eau2.sql.scope import VisibleColumn
from eau2.sql.shapes import Shapes
from eau2.types import INTEGER_RANGES, Kind

_LARGEST_LIMIT = INTEGER_RANGES[Kind.BIGINT][1]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One column of the select list: its name and what was written; a star stands for several.

    A name that has to be made from the expression is made when the expression has been bound,
    and is empty until then.
    """

    name: str
    node: ast.Expression
    star: Expr | None


@dataclass(frozen=True, slots=True)
class _Bound:
    """A bound expression, and the columns it names, for error messages."""

    expr: Expr
    uses: tuple[Use, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class _Key:
    """One ORDER BY key: a position in the select list, or an expression of its own."""

    item: ast.OrderItem
    position: int | None
    bound: _Bound | None


@dataclass(slots=True)
class _Select:
    """The SELECT being bound: its source, its select list, and what has been collected."""

    node: ast.Select
    context: Context
    source: Source
    entries: tuple[_Entry, ...]
    aliases: Mapping[str, Alias]
    shapes: Shapes
    aggregates: Aggregates


def bind_select(node: ast.Select, context: Context, bind_query: BindQuery) -> Query:
    """The plan of a SELECT. bind_query binds those inside. Raises statement errors with spans."""
    source = bind_from(node.source, context, bind_query)
    entries, aliases = _entries(node, source)
    shapes = Shapes()
    select = _Select(node, context, source, entries, aliases, shapes, Aggregates(context, shapes))
    plan = _filtered(select)
    keys = [_group_key(select, item) for item in node.group_by]
    items = [_item(select, position) for position in range(len(entries))]
    select.entries = tuple(
        entry if entry.name else replace(entry, name=_name_of(entry.node, source))
        for entry in entries
    )
    having = _having(select, keys)
    order = [_order_key(select, item) for item in node.order_by]
    grouped = bool(keys or having or select.aggregates.calls)
    if grouped:
        plan, items, order = _grouped(select, plan, keys, items, having, order)
    ordered = source.ordered if not grouped else not keys
    if node.distinct:
        query = _distinct(select, plan, items, order)
    else:
        query = _projected(select, plan, items, order, ordered)
    return query


def _entries(node: ast.Select, source: Source) -> tuple[tuple[_Entry, ...], dict[str, Alias]]:
    """The result's columns, stars expanded, and the aliases; of equal ones the last counts."""
    entries: list[_Entry] = []
    aliases: dict[str, Alias] = {}
    for item in node.items:
        if isinstance(item.expression, ast.Star):
            columns = _expanded(item.expression, source)
            entries += [_Entry(c.name, item.expression, c.expr) for c in columns]
            continue
        if item.alias is not None:
            alias = Alias(len(entries), item.alias, item.expression)
            aliases[item.alias.casefold()] = alias
        entries.append(_Entry(item.alias or "", item.expression, None))
    return tuple(entries), aliases


def _expanded(star: ast.Star, source: Source) -> tuple[VisibleColumn, ...]:
    if star.qualifier is not None:
        return source.scope.table(star.qualifier, star.span).columns
    if not source.scope.tables:
        raise ProgrammingError("* needs a FROM clause", span=star.span)
    return source.scope.star()


def _name_of(node: ast.Expression, source: Source) -> str:
    """A column's name as the table spells it, or the text of an expression."""
    if isinstance(node, ast.Name):
        column = node.parts[-1]
        if len(node.parts) == 1:
            found = source.scope.holders(column)
            return found[0][0].name if found else column
        for table in source.scope.tables:
            visible = table.find(column)
            if visible is not None and table.name.casefold() == node.parts[0].casefold():
                return visible.name
    return expression_name(node)


def _environment(select: _Select, visible: int) -> Environment:
    """Where columns of the source can be named, and aliases before position `visible`."""
    return Environment(select.context, select.source.scope, select.aliases, visible)


def _bind(node: ast.Expression, env: Environment) -> _Bound:
    uses: list[Use] = []
    expr = bind_root(node, replace(env, uses=uses))
    return _Bound(expr, tuple(uses), node.span)


def _filtered(select: _Select) -> Logical:
    where = select.node.where
    plan = select.source.plan
    if where is None:
        return plan
    env = replace(
        _environment(select, len(select.entries)),
        refusal="aggregate functions are not allowed in WHERE",
    )
    return Filter(plan, bind_condition(where, env))


def _item(select: _Select, position: int) -> _Bound:
    entry = select.entries[position]
    if entry.star is not None:
        use = Use(entry.name, entry.node.span, Shapes.columns(entry.star))
        return _Bound(entry.star, (use,), entry.node.span)
    env = replace(_environment(select, position), aggregates=select.aggregates)
    return _bind(entry.node, env)


def _group_key(select: _Select, node: ast.Expression) -> tuple[str, Expr]:
    """A key's name and expression."""
    env = replace(
        _environment(select, 0), refusal="aggregate functions are not allowed in GROUP BY"
    )
    position = _ordinal(node, len(select.entries), "GROUP BY")
    if isinstance(node, ast.Name) and len(node.parts) == 1:
        alias = select.aliases.get(node.parts[0].casefold())
        if alias is not None and not select.source.scope.holders(node.parts[0]):
            position = alias.position
    if position is not None:
        entry = select.entries[position]
        if entry.star is not None:
            return entry.name, entry.star
        node, env = entry.node, replace(env, visible=position)
    expr = bind_root(node, env)
    return expression_name(node), expr


def _ordinal(node: ast.Expression, count: int, clause: str) -> int | None:
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


def _having(select: _Select, keys: list[tuple[str, Expr]]) -> _Bound | None:
    node = select.node.having
    if node is None:
        return None
    # An alias goes before a column, but for one that is a key.
    scope, shapes = select.source.scope, select.shapes
    grouped = {shapes.of(key) for _, key in keys}
    aliases = {
        name: alias
        for name, alias in select.aliases.items()
        if not any(shapes.of(held.expr) in grouped for held, _ in scope.holders(name))
    }
    env = replace(
        _environment(select, len(select.entries)),
        aliases=aliases,
        aliases_first=True,
        aggregates=select.aggregates,
    )
    bound = _bind(node, env)
    return replace(bound, expr=as_condition(bound.expr, node.span))


def _order_key(select: _Select, item: ast.OrderItem) -> _Key:
    node = item.expression
    position = _ordinal(node, len(select.entries), "ORDER BY")
    if position is None and isinstance(folded_minus(node), ast.Constant):
        raise ProgrammingError(
            "ORDER BY a constant that is no integer has no effect", span=node.span
        )
    if isinstance(node, ast.Name) and len(node.parts) == 1:
        alias = select.aliases.get(node.parts[0].casefold())
        if alias is not None:
            position = alias.position
    if position is not None:
        return _Key(item, position, None)
    env = replace(_environment(select, len(select.entries)), aggregates=select.aggregates)
    return _Key(item, None, _bind(node, env))


def _grouped(
    select: _Select,
    plan: Logical,
    keys: list[tuple[str, Expr]],
    items: list[_Bound],
    having: _Bound | None,
    order: list[_Key],
) -> tuple[Logical, list[_Bound], list[_Key]]:
    """The plan with its Aggregate, and everything above it in terms of the Aggregate's columns."""
    known: dict[int, Expr] = {}
    key_columns: list[tuple[Column, Expr]] = []
    for name, key in keys:
        shape = select.shapes.of(key)
        if shape not in known:
            column = select.context.column(name, key.type)
            key_columns.append((column, key))
            known[shape] = ref(column)
    calls = tuple(select.aggregates.calls)
    above = Aggregate(without_order(plan), tuple(key_columns), calls)
    columns = frozenset(column.id for column in above.output)

    def lifted(bound: _Bound) -> _Bound:
        expr = select.shapes.replace(bound.expr, known)
        if not Shapes.columns(expr) <= columns:
            raise _not_grouped(bound, Shapes.columns(expr) - columns)
        return replace(bound, expr=expr)

    items = [lifted(item) for item in items]
    order = [replace(key, bound=None if key.bound is None else lifted(key.bound)) for key in order]
    if having is None:
        return above, items, order
    return Filter(above, lifted(having).expr), items, order


def _not_grouped(bound: _Bound, columns: frozenset[int]) -> ProgrammingError:
    use = next((use for use in bound.uses if use.columns & columns), None)
    name, span = ("?", bound.span) if use is None else (use.name, use.span)
    return ProgrammingError(
        f'column "{name}" must appear in the GROUP BY clause or be used in an aggregate function',
        span=span,
        hint=f"Add it to GROUP BY, or write any_value({name}) if any of its values will do.",
    )


def _distinct(select: _Select, plan: Logical, items: list[_Bound], order: list[_Key]) -> Query:
    """DISTINCT is grouping by all columns; ORDER BY may only use what is left then."""
    written = _columns(select, items)
    projected = Project(
        without_order(plan),
        tuple((column, item.expr) for column, item in zip(written, items, strict=True)),
    )
    kept = _columns(select, items)
    pairs = zip(kept, written, strict=True)
    result = Aggregate(projected, tuple((column, ref(below)) for column, below in pairs), ())
    known: dict[int, Expr] = {}
    for column, item in zip(kept, items, strict=True):
        known.setdefault(select.shapes.of(item.expr), ref(column))
    visible = frozenset(column.id for column in kept)
    lifted: list[_Key] = []
    for key in order:
        if key.bound is not None:
            expr = select.shapes.replace(key.bound.expr, known)
            if not Shapes.columns(expr) <= visible:
                raise NotSupportedError(
                    "ORDER BY of a SELECT DISTINCT can only use the selected columns",
                    span=key.bound.span,
                )
            key = replace(key, bound=replace(key.bound, expr=expr))
        lifted.append(key)
    outputs = [_Bound(ref(column), (), select.node.span) for column in kept]
    return _projected(select, result, outputs, lifted, False)


def _columns(select: _Select, items: list[_Bound]) -> list[Column]:
    return [
        select.context.column(entry.name, item.expr.type)
        for entry, item in zip(select.entries, items, strict=True)
    ]


def _projected(
    select: _Select, plan: Logical, items: list[_Bound], order: list[_Key], ordered: bool
) -> Query:
    """The select list, then ORDER BY and LIMIT over it; sort keys of their own are hidden."""
    columns = _columns(select, items)
    known: dict[int, Column] = {}
    if any(key.bound is not None for key in order):
        for column, item in zip(columns, items, strict=True):
            known.setdefault(select.shapes.of(item.expr), column)
    hidden: list[tuple[Column, Expr]] = []
    keys: list[SortKey] = []
    for key in order:
        key_column = _key_column(select, key, columns, known, hidden)
        if key_column is not None:
            keys.append(_sort_key(key.item, key_column))
    if order:
        plan = without_order(plan)
    visible = [(column, item.expr) for column, item in zip(columns, items, strict=True)]
    plan = Project(plan, (*visible, *hidden))
    count, offset = _limits(select)
    limited = count is not None or offset > 0
    if order or (limited and not ordered):
        plan = Sort(plan, total_order(tuple(keys), tuple(columns)))
    if limited:
        plan = Limit(plan, count, offset)
    if hidden:
        plan = Project(plan, tuple((column, ref(column)) for column in columns))
    names = tuple(entry.name for entry in select.entries)
    return Query(plan, names, ordered or bool(order) or limited)


def _key_column(
    select: _Select,
    key: _Key,
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


def _sort_key(item: ast.OrderItem, column: Column) -> SortKey:
    nulls_last = True if item.nulls_last is None else item.nulls_last
    return SortKey(ref(column), item.descending, nulls_last)


def total_order(keys: tuple[SortKey, ...], columns: tuple[Column, ...]) -> tuple[SortKey, ...]:
    """The keys, without repetitions, and then all columns ascending, NULLs last."""
    seen: set[int] = set()
    result: list[SortKey] = []
    for key in (*keys, *(SortKey(ref(column)) for column in columns)):
        if isinstance(key.expr, ColumnRef) and key.expr.id not in seen:
            seen.add(key.expr.id)
            result.append(key)
    return tuple(result)


def _limits(select: _Select) -> tuple[int | None, int]:
    count = _limit(select.node.limit, "LIMIT", select.context)
    offset = _limit(select.node.offset, "OFFSET", select.context)
    return count, offset or 0


def _limit(node: ast.Expression | None, clause: str, context: Context) -> int | None:
    """A constant number of rows; NULL means no bound."""
    if node is None:
        return None
    if isinstance(node, ast.Unsupported):
        raise NotSupportedError(f"{node.what} is not supported", span=node.span)
    value = literals.number(node, context.parameters)
    if value is None:
        return None
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = _LARGEST_LIMIT + 1 if value.adjusted() > 20 else int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ProgrammingError(f"{clause} needs a whole number", span=node.span)
    if value < 0:
        raise ProgrammingError(f"{clause} must not be negative", span=node.span)
    if value > _LARGEST_LIMIT:
        raise ProgrammingError(f"{clause} is too large", span=node.span)
    return value
