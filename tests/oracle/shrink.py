"""Every query one step simpler than another: the steps of minimisation.

Owns: `smaller`. Does not know: whether a simpler query still shows what is looked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.oracle.query import (
    Compound,
    Derived,
    Expr,
    Joined,
    Named,
    Query,
    Series,
    Source,
    Statement,
    Values,
)
from tests.oracle.tables import Family

CONSTANTS: dict[Family, tuple[str, ...]] = {
    "bool": ("true", "NULL::BOOLEAN"),
    "int": ("1", "NULL::INTEGER"),
    "dec": ("1.5", "NULL::DECIMAL(9,2)"),
    "float": ("1e0", "NULL::DOUBLE"),
    "str": ("'a'", "NULL::VARCHAR"),
    "date": ("DATE '2020-01-31'",),
    "ts": ("TIMESTAMP '2020-01-31 10:00:00'",),
}


def smaller_exprs(expr: Expr) -> Iterator[Expr]:
    """Simpler expressions of the same family: a constant, a part, or one part made simpler."""
    if all(isinstance(part, str) for part in expr.parts):
        if len(expr.sql) > 30:
            return
        yield from (
            Expr(expr.family, (text,))
            for text in CONSTANTS[expr.family]
            if len(text) < len(expr.sql)
        )
        return
    for text in CONSTANTS[expr.family]:
        if text != expr.sql:
            yield Expr(expr.family, (text,))
    stack = list(expr.children)
    while stack:
        part = stack.pop(0)
        if part.family == expr.family:
            yield part
        stack.extend(part.children)
    for index, old in enumerate(expr.parts):
        if isinstance(old, str):
            continue
        for new in smaller_exprs(old) if isinstance(old, Expr) else smaller(old):
            yield replace(expr, parts=(*expr.parts[:index], new, *expr.parts[index + 1 :]))


def smaller_sources(source: Source) -> Iterator[Source]:
    """Simpler FROM clauses."""
    match source:
        case Derived():
            yield from (replace(source, query=query) for query in smaller(source.query))
        case Joined():
            yield source.left
            yield source.right
            yield from (replace(source, left=left) for left in smaller_sources(source.left))
            yield from (replace(source, right=right) for right in smaller_sources(source.right))
            if source.on is not None:
                yield from (replace(source, on=on) for on in smaller_exprs(source.on))
            if len(source.using) > 1:
                yield from (replace(source, using=(name,)) for name in source.using)
        case Named() | Series():
            return


def smaller(query: Statement) -> Iterator[Statement]:
    """Every query one step simpler. Some are not valid; both engines then refuse them."""
    yield from smaller_tables(query)
    match query:
        case Compound():
            yield from smaller_compounds(query)
        case Values():
            yield from smaller_values(query)
        case Query():
            yield from smaller_queries(query)


def smaller_values(query: Values) -> Iterator[Statement]:
    """Fewer rows, or simpler ones."""
    for at, row in enumerate(query.rows):
        others = (query.rows[:at], query.rows[at + 1 :])
        if len(query.rows) > 1:
            yield replace(query, rows=others[0] + others[1])
        for index, expr in enumerate(row):
            for new in smaller_exprs(expr):
                changed = (*row[:index], new, *row[index + 1 :])
                yield replace(query, rows=(*others[0], changed, *others[1]))


def smaller_tables(query: Statement) -> Iterator[Statement]:
    """The query without a table of its WITH, or with a simpler one."""
    for index, table in enumerate(query.tables):
        rest = (query.tables[:index], query.tables[index + 1 :])
        yield replace(query, tables=rest[0] + rest[1])
        if table.query is not None:
            yield table.query
            for simpler in smaller(table.query):
                changed = replace(table, query=simpler)
                yield replace(query, tables=(*rest[0], changed, *rest[1]))


def smaller_compounds(query: Compound) -> Iterator[Statement]:
    """One side alone, no order, or simpler sides."""
    yield replace(query.left, tables=query.tables + query.left.tables)
    yield replace(query.right, tables=query.tables + query.right.tables)
    if query.limit is not None:
        yield replace(query, limit=None)
    elif query.order:
        yield replace(query, order=())
    for index in range(len(query.items) if not query.added else 0):
        left, right = without_item(query.left, index), without_item(query.right, index)
        if not query.order and left is not None and right is not None:
            yield replace(query, left=left, right=right)
    yield from (replace(query, left=left) for left in smaller(query.left))
    yield from (replace(query, right=right) for right in smaller(query.right))


def without_item(query: Statement, index: int) -> Statement | None:
    """The query without a result column, if it is a plain one of several."""
    if not isinstance(query, Query) or len(query.items) < 2 or query.order:
        return None
    return replace(query, items=(*query.items[:index], *query.items[index + 1 :]))


def smaller_queries(query: Query) -> Iterator[Statement]:
    """Simpler SELECTs."""
    if isinstance(query.source, Derived):
        yield query.source.query
    if query.written:
        yield replace(query, written="")
    if query.from_first:
        yield replace(query, from_first=False)
    if query.order_all is not None:
        yield replace(query, order_all=None)
    if query.qualify is not None:
        yield replace(query, qualify=None)
        yield from (replace(query, qualify=expr) for expr in smaller_exprs(query.qualify))
    if query.grouping:
        yield replace(query, grouping="")
    if query.distinct_on:
        yield replace(query, distinct_on=())
    for index in range(len(query.items)):
        if len(query.items) > 1 and not query.ordered_prefix and not query.written:
            yield replace(query, items=(*query.items[:index], *query.items[index + 1 :]))
    if query.limit is not None or query.offset is not None:
        yield replace(query, limit=None, offset=None)
        if query.limit is not None and query.offset is not None:
            yield replace(query, offset=None)
    elif query.order:
        yield replace(query, order=())
        for index in range(len(query.order)):
            yield replace(query, order=(*query.order[:index], *query.order[index + 1 :]))
    if query.distinct:
        yield replace(query, distinct=False)
    if query.having is not None:
        yield replace(query, having=None)
        yield from (replace(query, having=having) for having in smaller_exprs(query.having))
    if query.where is not None:
        yield replace(query, where=None)
        yield from (replace(query, where=where) for where in smaller_exprs(query.where))
    for index in range(len(query.group)):
        yield replace(query, group=(*query.group[:index], *query.group[index + 1 :]))
    if query.source is not None:
        yield from (replace(query, source=source) for source in smaller_sources(query.source))
    for index, item in enumerate(query.items if not query.written else ()):
        for expr in smaller_exprs(item.expr):
            new = replace(item, expr=expr)
            yield replace(query, items=(*query.items[:index], new, *query.items[index + 1 :]))
