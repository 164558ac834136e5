"""Queries as trees of typed text.

Owns: `Expr`, `Source`, `Query`, `Compound`, `Values`, how they are written. Does not know: how
queries are drawn, made smaller or answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.oracle.tables import Family


@dataclass(frozen=True, slots=True)
class Expr:
    """An expression: text with sub-expressions and subqueries in it.

    exact: both engines must give the same bits (false for float sums and logarithms). tame: its
    values are small, so that arithmetic over it seldom overflows. narrow: it may have a type that
    small numbers overflow, or that has no sign.
    """

    family: Family
    parts: tuple[str | Expr | Statement, ...]
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

    query: Statement
    alias: str
    lateral: bool = False
    columns: tuple[str, ...] = ()

    @property
    def sql(self) -> str:
        """The source as SQL."""
        names = f"({', '.join(self.columns)})" if self.columns else ""
        return f"{'LATERAL ' if self.lateral else ''}({self.query.sql}) AS {self.alias}{names}"


@dataclass(frozen=True, slots=True)
class Series:
    """A table function that gives one column."""

    call: str
    alias: str
    column: str

    @property
    def sql(self) -> str:
        """The source as SQL."""
        return f"{self.call} AS {self.alias}({self.column})"


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


Source = Named | Derived | Joined | Series


@dataclass(frozen=True, slots=True)
class Common:
    """A table of WITH. A recursive one is written out whole in `text`; `hint` is MATERIALIZED."""

    name: str
    query: Statement | None
    text: str = ""
    hint: str = ""

    @property
    def sql(self) -> str:
        """The definition as SQL."""
        return self.text if self.query is None else f"{self.name} AS {self.hint}({self.query.sql})"


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT.

    written: what stands in place of the items, which it means: a star, COLUMNS. grouping: how the
    keys are grouped by, with an {} for them. limit: a number, or a percentage as text. order_all:
    what follows ORDER BY ALL, where that stands; `order` then says the same in full. windows: what
    WINDOW says.
    """

    items: tuple[Item, ...]
    source: Source | None
    where: Expr | None = None
    group: tuple[Expr, ...] = ()
    having: Expr | None = None
    order: tuple[Order, ...] = ()
    limit: int | str | None = None
    offset: int | None = None
    distinct: bool = False
    distinct_on: tuple[Expr, ...] = ()
    grouping: str = ""
    qualify: Expr | None = None
    tables: tuple[Common, ...] = ()
    written: str = ""
    order_all: str | None = None
    from_first: bool = False
    windows: str = ""

    @property
    def selected(self) -> str:
        """SELECT and its list."""
        text = "SELECT " + ("DISTINCT " if self.distinct else "")
        if self.distinct_on:
            text += f"DISTINCT ON ({', '.join(expr.sql for expr in self.distinct_on)}) "
        return text + (self.written or ", ".join(item.sql for item in self.items))

    @property
    def sql(self) -> str:
        """The query as SQL."""
        text = with_clause(self.tables)
        if self.source is None:
            text += self.selected
        elif not self.from_first:
            text += f"{self.selected} FROM {self.source.sql}"
        elif self.written == "*" and not self.distinct and not self.distinct_on:
            text += f"FROM {self.source.sql}"
        else:
            text += f"FROM {self.source.sql} {self.selected}"
        if self.where is not None:
            text += f" WHERE {self.where.sql}"
        if self.group:
            keys = ", ".join(key.sql for key in self.group)
            text += " GROUP BY " + (self.grouping.format(keys) if self.grouping else keys)
        if self.having is not None:
            text += f" HAVING {self.having.sql}"
        if self.windows:
            text += f" WINDOW {self.windows}"
        if self.qualify is not None:
            text += f" QUALIFY {self.qualify.sql}"
        if self.order_all is not None:
            text += f" ORDER BY ALL{self.order_all}"
        elif self.order:
            text += " ORDER BY " + ", ".join(key.sql for key in self.order)
        if self.limit is not None:
            text += f" LIMIT {self.limit}"
        if self.offset is not None:
            text += f" OFFSET {self.offset}"
        return text

    def expressions(self) -> Iterator[Expr]:
        """All expressions of the query and of the queries in its FROM."""
        yield from (item.expr for item in self.items)
        conditions = (self.where, self.having, self.qualify)
        yield from (expr for expr in conditions if expr is not None)
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


@dataclass(frozen=True, slots=True)
class Compound:
    """Two queries and what stands between them: UNION ALL, EXCEPT, ...

    added: the columns that only the right side has, for BY NAME.
    """

    left: Statement
    word: str
    right: Statement
    order: tuple[Order, ...] = ()
    limit: int | str | None = None
    tables: tuple[Common, ...] = ()
    added: tuple[Item, ...] = ()

    @property
    def sql(self) -> str:
        """The query as SQL."""
        text = f"{with_clause(self.tables)}({self.left.sql}) {self.word} ({self.right.sql})"
        if self.order:
            text += " ORDER BY " + ", ".join(key.sql for key in self.order)
        return text if self.limit is None else f"{text} LIMIT {self.limit}"

    @property
    def items(self) -> tuple[Item, ...]:
        """The result's columns: named by the left side."""
        return self.left.items + self.added

    @property
    def ordered_prefix(self) -> tuple[int, ...]:
        """The result's columns that are the first ORDER BY keys."""
        return tuple(key.position for key in self.order if key.position is not None)

    def expressions(self) -> Iterator[Expr]:
        """All expressions of both sides."""
        yield from self.left.expressions()
        yield from self.right.expressions()


@dataclass(frozen=True, slots=True)
class Values:
    """VALUES: rows of expressions. Its columns are called col0, col1, ..."""

    rows: tuple[tuple[Expr, ...], ...]
    tables: tuple[Common, ...] = ()

    @property
    def sql(self) -> str:
        """The query as SQL."""
        rows = (f"({', '.join(expr.sql for expr in row)})" for row in self.rows)
        return f"{with_clause(self.tables)}VALUES {', '.join(rows)}"

    @property
    def items(self) -> tuple[Item, ...]:
        """The result's columns: as the first row has them."""
        return tuple(Item(expr, f"col{n}") for n, expr in enumerate(self.rows[0]))

    @property
    def ordered_prefix(self) -> tuple[int, ...]:
        """It has no ORDER BY."""
        return ()

    def expressions(self) -> Iterator[Expr]:
        """All expressions of all rows."""
        for row in self.rows:
            yield from row


Statement = Query | Compound | Values


def with_clause(tables: tuple[Common, ...]) -> str:
    """WITH and its tables, in front of a query."""
    if not tables:
        return ""
    recursive = "RECURSIVE " if any(table.query is None for table in tables) else ""
    return f"WITH {recursive}{', '.join(table.sql for table in tables)} "
