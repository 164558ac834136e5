"""Random queries over the tables of a set: FROM, grouping, order, limits, derived tables.

Owns: `random_query`. Comes in: a `random.Random` and the tables. Goes out: a `Query`.
Does not know: what an engine answers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from tests.oracle.expressions import Expressions, Subqueries
from tests.oracle.query import Derived, Expr, Item, Joined, Named, Order, Query, Source
from tests.oracle.tables import Column, Family, Table, literal
from tests.oracle.vocabulary import NUMBERS

MAX_PAIRS = 4000
ORDER_SUFFIXES = ("", "", " DESC", " ASC NULLS FIRST", " DESC NULLS LAST", " NULLS FIRST")


@dataclass(frozen=True, slots=True)
class Scope:
    """A source, the columns that may be named in it, and how many rows it has at most.

    After a `comma` come only commas: JOIN binds more tightly, and its ON would not see the left.
    """

    source: Source
    leaves: tuple[Expr, ...]
    rows: int
    tables: tuple[tuple[str, Table], ...] = ()
    comma: bool = False


def column_leaf(column: Column, qualifier: str) -> Expr:
    """A reference to a table's column."""
    name = f"{qualifier}.{column.name}" if qualifier else column.name
    narrow = column.family == "int" and column.type not in ("BIGINT", "INTEGER")
    return Expr(column.family, (name,), tame=column.tame, narrow=narrow)


class Queries:
    """Draws queries over `tables`."""

    def __init__(self, random: Random, tables: tuple[Table, ...], daring: float) -> None:
        self.random = random
        self.tables = tables
        self.aliases = 0
        self.samples = samples(tables)
        self.daring = daring
        self.subqueries: Subqueries | None = None

    def over(self, leaves: Sequence[Expr]) -> Expressions:
        """Expressions over these leaves."""
        return Expressions(self.random, leaves, self.samples, self.daring, self.subqueries)

    def query(self) -> Query:
        """One query."""
        self.aliases = 0
        return self.select(nested=0)

    def alias(self) -> str:
        """A source alias that this query has not used yet."""
        self.aliases += 1
        return f"x{self.aliases}"

    def single(self, nested: int) -> Scope:
        """A table or a derived table."""
        if nested < 2 and self.random.random() < 0.15:
            query = self.select(nested + 1)
            alias = self.alias()
            leaves = tuple(
                Expr(
                    item.expr.family,
                    (f"{alias}.{item.name}",),
                    exact=item.expr.exact,
                    tame=item.expr.tame,
                    narrow=item.expr.family == "int",
                )
                for item in query.items
            )
            return Scope(Derived(query, alias), leaves, 60)
        table = self.random.choice(self.tables)
        alias = self.alias()
        leaves = tuple(column_leaf(column, alias) for column in table.columns)
        return Scope(Named(table.name, alias), leaves, len(table.rows), ((alias, table),))

    def source(self, nested: int) -> tuple[Scope, list[Expr]]:
        """FROM, and the equalities that a comma join wants in WHERE."""
        scope = self.single(nested)
        wheres: list[Expr] = []
        count = self.random.choices((1, 2, 3), (50, 38, 12 if nested == 0 else 0))[0]
        for _ in range(count - 1):
            right = self.single(nested)
            if scope.rows * right.rows > MAX_PAIRS:
                break
            scope, where = self.join(scope, right)
            if where is not None:
                wheres.append(where)
        return scope, wheres

    def join(self, left: Scope, right: Scope) -> tuple[Scope, Expr | None]:
        """Two scopes joined in one of the ways SQL has."""
        shared = self.shared_columns(left, right)
        style = self.random.choices(
            ("on", "comma", "cross", "using", "natural"), (55, 15, 6, 14, 10)
        )[0]
        if left.comma:
            style = "comma"
        named = tuple(leaf for leaf in left.leaves + right.leaves if "." in leaf.sql)
        leaves = named or left.leaves
        tables = left.tables + right.tables
        rows = max(left.rows, right.rows) * 3
        kind = self.random.choice(
            ("JOIN", "INNER JOIN", "LEFT JOIN", "LEFT OUTER JOIN", "RIGHT JOIN", "FULL JOIN")
        )
        if style in ("using", "natural") and shared:
            names = shared if style == "natural" else shared[: self.random.randint(1, len(shared))]
            merged = tuple(
                column_leaf(column, "")
                for column in left.tables[0][1].columns
                if column.name in names
            )
            word = f" NATURAL {kind} " if style == "natural" else f" {kind} "
            using = () if style == "natural" else tuple(names)
            source = Joined(left.source, word, right.source, using=using)
            return Scope(source, merged + merged + leaves, rows), None
        if style == "cross":
            return Scope(
                Joined(left.source, " CROSS JOIN ", right.source), leaves, rows, tables
            ), None
        if style == "comma":
            where = self.equality(left, right) if self.random.random() < 0.9 else None
            source = Joined(left.source, ", ", right.source)
            return Scope(source, leaves, rows, tables, comma=True), where
        on = self.equality(left, right)
        if self.random.random() < 0.3:
            other = self.over(leaves).condition(1)
            on = Expr("bool", ("(", on, " AND ", other, ")"))
        elif self.random.random() < 0.08:
            on = self.over(leaves).condition(2)
        return Scope(
            Joined(left.source, f" {kind} ", right.source, on=on), leaves, rows, tables
        ), None

    def shared_columns(self, left: Scope, right: Scope) -> list[str]:
        """The names that two plain tables have in common; NATURAL joins on all of them."""
        if not isinstance(left.source, Named) or not isinstance(right.source, Named):
            return []
        if not left.tables or not right.tables:
            return []
        right_names = {column.name for column in right.tables[0][1].columns}
        names = [column.name for column in left.tables[0][1].columns]
        return [name for name in names if name in right_names][:2]

    def equality(self, left: Scope, right: Scope) -> Expr:
        """A join condition that some pairs meet, if the scopes have columns of one family."""
        keys = [leaf for leaf in left.leaves if leaf.exact and leaf.sql.endswith(".k")]
        pool = keys if keys and self.random.random() < 0.7 else list(left.leaves)
        pool = [leaf for leaf in pool if leaf.exact] or [Expr("int", ("1",))]
        a = self.random.choice(pool)
        fitting = [leaf for leaf in right.leaves if leaf.exact and leaf.family == a.family]
        named = [leaf for leaf in fitting if leaf.sql.endswith(".k")]
        if named and self.random.random() < 0.7:
            fitting = named
        b = self.random.choice(fitting or [self.over(()).constant(a.family)])
        word = self.random.choices(("=", "IS NOT DISTINCT FROM", "<="), (90, 6, 4))[0]
        return Expr("bool", ("(", a, f" {word} ", b, ")"))

    def aggregate(self, leaves: tuple[Expr, ...]) -> Expr:
        """A call of an aggregate function over columns or expressions."""
        draw = self.over(leaves)
        distinct = "DISTINCT " if self.random.random() < 0.2 else ""
        match self.random.randrange(10):
            case 0:
                return Expr("int", ("count(*)",), tame=False)
            case 1:
                arg = self.random.choice(leaves) if leaves else draw.constant("int")
                return Expr("int", (f"count({distinct if arg.exact else ''}", arg, ")"), tame=False)
            case 2 | 3 | 4:
                family = draw.pick("int", "int", "dec", "float")
                if family == "float":
                    arg = self.dyadic(leaves)
                    return Expr("float", (f"sum({distinct}", arg, ")"), exact=False, tame=False)
                arg = draw.expr(family, 1, tame=True)
                return Expr(family, (f"sum({distinct}", arg, ")"), tame=False)
            case 5 | 6:
                family = draw.pick("int", "dec", "float")
                arg = self.dyadic(leaves) if family == "float" else draw.expr(family, 1, tame=True)
                return Expr("float", (f"avg({distinct}", arg, ")"), exact=False, tame=False)
            case _:
                floats = [leaf for leaf in draw.exact if leaf.family == "float"]
                arg = draw.expr(draw.any_family(), 1)
                if floats and self.random.random() < 0.3:
                    arg = self.random.choice(floats)
                word = self.random.choice(("min", "max"))
                return Expr(
                    arg.family, (f"{word}({distinct}", arg, ")"), tame=arg.tame, narrow=arg.narrow
                )

    def rounded(self, draw: Expressions) -> Expr:
        """A function whose last digits an engine may choose."""
        word = self.random.choice(
            ("exp(", "ln(1 + abs(", "power(1.5e0, ", "sin(", "log10(1 + abs(")
        )
        arg = draw.leaf(draw.pick(*NUMBERS), tame=True)
        closing = "))" if "abs" in word else ")"
        return Expr("float", (word, arg, closing), exact=False, tame=False)

    def dyadic(self, leaves: tuple[Expr, ...]) -> Expr:
        """A float whose sums DuckDB gets right in any order: small multiples of a power of two."""
        fitting = [leaf for leaf in leaves if leaf.family == "float" and leaf.exact and leaf.tame]
        if not fitting:
            return Expr("float", (self.random.choice(("1e0", "0.5e0", "-2.25e0")),))
        leaf = self.random.choice(fitting)
        match self.random.randrange(4):
            case 0:
                return Expr("float", ("(", leaf, " * ", self.random.choice(fitting), ")"))
            case 1:
                return Expr("float", ("(", leaf, " + 0.5e0)"))
            case _:
                return leaf

    def select(self, nested: int) -> Query:
        """A whole SELECT."""
        if self.random.random() < 0.02:
            draw = self.over(())
            items = [Item(draw.expr(draw.any_family(), 2), f"r{n}") for n in range(2)]
            return Query(tuple(items), None)
        scope, wheres = self.source(nested)
        draw = self.over(scope.leaves)
        if self.random.random() < 0.45:
            wheres.append(draw.condition(self.random.choice((1, 1, 2, 3))))
        where = None
        for part in wheres:
            where = part if where is None else Expr("bool", ("(", where, " AND ", part, ")"))
        if self.random.random() < 0.38:
            query = self.grouped(scope, where)
        else:
            query = self.plain(scope, where, nested)
        return self.ordered(query, scope, nested)

    def plain(self, scope: Scope, where: Expr | None, nested: int) -> Query:
        """A query without aggregates."""
        draw = self.over(scope.leaves)
        items: list[Item] = []
        if self.random.random() < 0.06 and not nested:
            qualifier = self.random.choice(scope.tables)[0] + "." if scope.tables else ""
            star = Expr("int", (f"{self.random.choice((qualifier, ''))}*",))
            distinct = self.random.random() < 0.2
            exact = all(leaf.exact for leaf in scope.leaves)
            if exact:
                return Query((Item(star, ""),), scope.source, where=where, distinct=distinct)
        for number in range(self.random.randint(1, 5)):
            if self.random.random() < 0.02:
                items.append(Item(draw.risky(), f"r{number}"))
            elif self.random.random() < 0.4:
                leaf = self.random.choice(scope.leaves)
                # A name like r1 would be that of a later item too.
                free = not re.fullmatch(r"[rv]\d", leaf.name)
                free &= leaf.name not in [i.name for i in items]
                bare = self.random.random() < 0.3 and free
                items.append(Item(leaf, "" if bare else f"r{number}"))
            else:
                depth = self.random.choice((1, 2, 2, 3))
                items.append(Item(draw.expr(draw.any_family(), depth), f"r{number}"))
            if self.random.random() < 0.02:
                items.append(Item(self.rounded(draw), f"z{number}"))
        distinct = self.random.random() < 0.15 and all(item.expr.exact for item in items)
        return Query(tuple(items), scope.source, where=where, distinct=distinct)

    def grouped(self, scope: Scope, where: Expr | None) -> Query:
        """A query with GROUP BY, aggregates, or both."""
        draw = self.over(scope.leaves)
        keys: list[Expr] = []
        for _ in range(self.random.choice((0, 1, 1, 1, 2, 2, 3))):
            depth = self.random.choice((0, 0, 0, 1))
            key = draw.expr(draw.any_family(), depth)
            if key.sql not in [k.sql for k in keys] and any(
                leaf.sql in key.sql for leaf in draw.exact
            ):
                keys.append(key)
        calls = [self.aggregate(scope.leaves) for _ in range(self.random.randint(1, 3))]
        items = [Item(key, f"g{n}") for n, key in enumerate(keys) if self.random.random() < 0.85]
        over = self.over([*keys, *calls])
        for number, call in enumerate(calls):
            if call.exact and self.random.random() < 0.2:
                call = over.expr(call.family, 2)
            items.append(Item(call, f"a{number}"))
        having = None
        if self.random.random() < 0.25:
            having = over.condition(2)
        if self.random.random() < 0.15:
            items.append(Item(self.rounded(over), "z"))
        group = list(keys)
        for number, key in enumerate(keys):
            at = next((i for i, item in enumerate(items) if item.expr is key), None)
            if at is not None and self.random.random() < 0.15:
                group[number] = Expr(key.family, (str(at + 1),))
        return Query(tuple(items), scope.source, where=where, group=tuple(group), having=having)

    def ordered(self, query: Query, scope: Scope, nested: int) -> Query:
        """The query, maybe with ORDER BY, and then maybe with LIMIT and OFFSET."""
        if self.random.random() > (0.5 if nested == 0 else 0.15):
            return query
        if query.items[0].expr.sql.endswith("*") and query.items[0].alias == "":
            return query
        keys: list[Order] = []
        exact = [n for n, item in enumerate(query.items) if item.expr.exact]
        if not exact:
            return query
        for position in self.random.sample(exact, self.random.randint(1, min(3, len(exact)))):
            item = query.items[position]
            text = item.alias if item.alias and self.random.random() < 0.6 else str(position + 1)
            keys.append(Order(text, position, self.random.choice(ORDER_SUFFIXES)))
        computed = any("(" in item.expr.sql for item in query.items)
        if not (query.distinct or query.group or computed) and self.random.random() < 0.2:
            draw = self.over(scope.leaves)
            key = draw.expr(draw.any_family(), 1)
            if key.children:
                suffix = self.random.choice(ORDER_SUFFIXES)
                keys.insert(self.random.randint(0, len(keys)), Order(key, None, suffix))
        if len(exact) == len(query.items) and self.random.random() < (0.5 if nested == 0 else 1):
            keys += [Order(str(n + 1), n, "") for n in exact if n not in [k.position for k in keys]]
            limit = self.random.choice((0, 1, 2, 3, 5, 8, 13, 100, None))
            offset = self.random.choice((None, None, None, 0, 1, 2, 7, 30))
            return replace(query, order=tuple(keys), limit=limit, offset=offset)
        return replace(query, order=tuple(keys))


def samples(tables: tuple[Table, ...]) -> dict[Family, list[str]]:
    """A few constants of each family that occur in the tables."""
    found: dict[Family, list[str]] = {}
    for table in tables:
        for row in table.rows[:4]:
            for value, column in zip(row, table.columns, strict=True):
                if value is not None and column.tame:
                    text = literal(value, column)
                    found.setdefault(column.family, []).append(text)
    return found


def random_query(random: Random, tables: tuple[Table, ...], daring: float = 0.03) -> Query:
    """One query over the tables; `daring` is the share of arithmetic that may overflow."""
    return Queries(random, tables, daring).query()
