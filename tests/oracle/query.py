"""Queries as trees of typed text, their SQL, and every smaller query next to one.

Owns: `Expr`, `Source`, `Query`, how they are written, and `smaller`, the steps of minimisation.
Does not know: how queries are drawn or answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.oracle.tables import Family


@dataclass(frozen=True, slots=True)
class Expr:
    """An expression: text with sub-expressions in it.

    exact: both engines must give the same bits (false for float sums and logarithms). tame: its
    values are small, so that arithmetic over it seldom overflows. narrow: it may have a type that
    small numbers overflow, or that has no sign.
    """

    family: Family
    parts: tuple[str | Expr, ...]
    exact: bool = True
    tame: bool = True
    narrow: bool = False

    @property
    def sql(self) -> str:
        """The expression as SQL."""
        return "".join(part if isinstance(part, str) else part.sql for part in self.parts)

    @property
    def name(self) -> str:
        """What a bare column is called in a result: its text without the qualifier."""
        return self.sql.rpartition(".")[2]

    @property
    def children(self) -> tuple[Expr, ...]:
        """The direct sub-expressions."""
        return tuple(part for part in self.parts if isinstance(part, Expr))


@dataclass(frozen=True, slots=True)
class Item:
    """An entry of a select list; without an alias a bare column keeps its name."""

    expr: Expr
    alias: str

    @property
    def sql(self) -> str:
        """The entry as SQL."""
        return f"{self.expr.sql} AS {self.alias}" if self.alias else self.expr.sql

    @property
    def name(self) -> str:
        """The result column's name."""
        return self.alias or self.expr.name


@dataclass(frozen=True, slots=True)
class Order:
    """An ORDER BY key. `position` is the select item (from 0) that it is, where it is one."""

    text: str | Expr
    position: int | None
    suffix: str

    @property
    def sql(self) -> str:
        """The key as SQL."""
        return (self.text if isinstance(self.text, str) else self.text.sql) + self.suffix


@dataclass(frozen=True, slots=True)
class Named:
    """A table under an alias."""

    table: str
    alias: str

    @property
    def sql(self) -> str:
        """The source as SQL."""
        return f"{self.table} AS {self.alias}"


@dataclass(frozen=True, slots=True)
class Derived:
    """A query in FROM."""

    query: Query
    alias: str

    @property
    def sql(self) -> str:
        """The source as SQL."""
        return f"({self.query.sql}) AS {self.alias}"


@dataclass(frozen=True, slots=True)
class Joined:
    """Two sources joined. `word` is the text between them; ON or USING follow."""

    left: Source
    word: str
    right: Source
    on: Expr | None = None
    using: tuple[str, ...] = ()

    @property
    def sql(self) -> str:
        """The source as SQL."""
        text = f"{self.left.sql}{self.word}{self.right.sql}"
        if self.on is not None:
            text += f" ON {self.on.sql}"
        if self.using:
            text += f" USING ({', '.join(self.using)})"
        return text


Source = Named | Derived | Joined


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT."""

    items: tuple[Item, ...]
    source: Source | None
    where: Expr | None = None
    group: tuple[Expr, ...] = ()
    having: Expr | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int | None = None
    distinct: bool = False

    @property
    def sql(self) -> str:
        """The query as SQL."""
        text = "SELECT " + ("DISTINCT " if self.distinct else "")
        text += ", ".join(item.sql for item in self.items)
        if self.source is not None:
            text += f" FROM {self.source.sql}"
        if self.where is not None:
            text += f" WHERE {self.where.sql}"
        if self.group:
            text += " GROUP BY " + ", ".join(key.sql for key in self.group)
        if self.having is not None:
            text += f" HAVING {self.having.sql}"
        if self.order:
            text += " ORDER BY " + ", ".join(key.sql for key in self.order)
        if self.limit is not None:
            text += f" LIMIT {self.limit}"
        if self.offset is not None:
            text += f" OFFSET {self.offset}"
        return text

    def expressions(self) -> Iterator[Expr]:
        """All expressions of the query and of the queries in its FROM."""
        yield from (item.expr for item in self.items)
        yield from (expr for expr in (self.where, self.having) if expr is not None)
        yield from self.group
        sources = [self.source]
        while sources:
            match sources.pop():
                case Joined(left, _, right, on):
                    sources += [left, right]
                    if on is not None:
                        yield on
                case Derived(query):
                    yield from query.expressions()

    @property
    def ordered_prefix(self) -> tuple[int, ...]:
        """The select items that are the first ORDER BY keys: the order both must agree on."""
        prefix = []
        for key in self.order:
            if key.position is None:
                break
            prefix.append(key.position)
        return tuple(prefix)


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
    if not expr.children:
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
        if isinstance(old, Expr):
            for new in smaller_exprs(old):
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
        case Named():
            return


def smaller(query: Query) -> Iterator[Query]:
    """Every query one step simpler. Some are not valid; both engines then refuse them."""
    if isinstance(query.source, Derived):
        yield query.source.query
    for index in range(len(query.items)):
        if len(query.items) > 1 and not query.ordered_prefix:
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
    for index, item in enumerate(query.items):
        for expr in smaller_exprs(item.expr):
            new = replace(item, expr=expr)
            yield replace(query, items=(*query.items[:index], new, *query.items[index + 1 :]))
