"""Random statements of the whole of SELECT: subqueries, WITH, windows, set operations, LATERAL.

Owns: `random_statement`. Comes in: a `random.Random` and the tables. Goes out: a `Statement`.
Does not know: what an engine answers.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tests.oracle.queries import MAX_PAIRS, Queries, Scope
from tests.oracle.query import (
    Common,
    Compound,
    Derived,
    Expr,
    Item,
    Joined,
    Named,
    Order,
    Query,
    Statement,
)
from tests.oracle.subqueries import InExpressions
from tests.oracle.tables import Table
from tests.oracle.windows import window

GROUPINGS = ("ROLLUP ({})", "CUBE ({})", "GROUPING SETS (({}), ())", "ALL")
WORDS = ("UNION", "UNION ALL", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL")


class Analytics(Queries):
    """Draws statements; `common` are the tables of WITH that may be read."""

    def __init__(self, random: Random, tables: tuple[Table, ...], daring: float) -> None:
        super().__init__(random, tables, daring)
        self.common: list[tuple[str, tuple[Item, ...]]] = []
        self.subqueries = InExpressions(self)

    def statement(self) -> Statement:
        """One statement."""
        self.aliases = 0
        self.common = []
        tables: list[Common] = []
        if self.random.random() < 0.25:
            for number in range(self.random.choice((1, 1, 2))):
                tables.append(self.table_of_with(f"w{number}"))
        made = self.compound() if self.random.random() < 0.2 else self.select(nested=0)
        return replace(made, tables=tuple(tables)) if tables else made

    def table_of_with(self, name: str) -> Common:
        """A table for WITH; later statements may read it."""
        if self.random.random() < 0.2:
            bound = self.random.choice((3, 5))
            text = (
                f"{name}(r0, r1) AS (SELECT 1, 'a' UNION ALL "
                f"SELECT r0 + 1, r1 || 'b' FROM {name} WHERE r0 < {bound})"
            )
            items = (Item(Expr("int", ("r0",)), "r0"), Item(Expr("str", ("r1",)), "r1"))
            self.common.append((name, items))
            return Common(name, None, text)
        query = self.compound() if self.random.random() < 0.2 else self.select(nested=1)
        self.common.append((name, query.items))
        return Common(name, query)

    def single(self, nested: int) -> Scope:
        """A table, a derived one, or one of WITH."""
        if self.common and self.random.random() < 0.35:
            name, items = self.random.choice(self.common)
            alias = self.alias()
            return Scope(Named(name, alias), leaves_of(alias, items), 60)
        if nested < 2 and self.random.random() < 0.1:
            query = self.compound()
            alias = self.alias()
            return Scope(Derived(query, alias), leaves_of(alias, query.items), 60)
        return super().single(nested)

    def source(self, nested: int) -> tuple[Scope, list[Expr]]:
        """FROM, sometimes with a lateral subquery or a join that keeps left rows alone."""
        scope, wheres = super().source(nested)
        choice = self.random.random()
        if choice < 0.08 and not scope.comma:
            return self.lateral(scope), wheres
        if choice < 0.14 and not scope.comma:
            right = self.single(2)
            if scope.rows * right.rows <= MAX_PAIRS:
                word = self.random.choice((" SEMI JOIN ", " ANTI JOIN "))
                on = self.equality(scope, right)
                return replace(scope, source=Joined(scope.source, word, right.source, on)), wheres
        return scope, wheres

    def lateral(self, scope: Scope) -> Scope:
        """A subquery in FROM that reads the tables before it."""
        assert isinstance(self.subqueries, InExpressions)
        inner = self.single(2)
        where = self.subqueries.where(inner, scope.leaves)
        column = self.random.choice(inner.leaves)
        if self.random.random() < 0.5:
            word = self.random.choice(("min", "max", "count"))
            family = "int" if word == "count" else column.family
            item = Item(Expr(family, (f"{word}(", column, ")"), tame=column.tame), "v0")
        else:
            item = Item(column, "v0")
        alias = self.alias()
        derived = Derived(Query((item,), inner.source, where), alias, lateral=True)
        word, on = self.random.choice(
            ((" CROSS JOIN ", None), (", ", None), (" LEFT JOIN ", Expr("bool", ("true",))))
        )
        source = Joined(scope.source, word, derived, on)
        leaves = scope.leaves + leaves_of(alias, (item,))
        return Scope(source, leaves, scope.rows * 3, scope.tables, comma=word == ", ")

    def aggregate(self, leaves: tuple[Expr, ...]) -> Expr:
        """As before, sometimes with FILTER, and further functions."""
        draw = self.over(leaves)
        choice = self.random.random()
        texts = [leaf for leaf in leaves if leaf.family == "str" and leaf.exact]
        if choice < 0.12 and texts:
            text = self.random.choice(texts)
            parts: tuple[str | Expr, ...] = ("string_agg(", text, ", '|' ORDER BY ", text, ")")
            return Expr("str", parts, tame=False)
        if choice < 0.18:
            word = self.random.choice(("bool_and(", "bool_or("))
            return Expr("bool", (word, draw.condition(1), ")"))
        if choice < 0.22:
            arg = draw.leaf(self.random.choice(("int", "date", "ts")), tame=True)
            return Expr(arg.family, ("quantile_disc(", arg, ", 0.4)"), tame=arg.tame)
        if choice < 0.26:
            arg = draw.leaf(self.random.choice(("int", "dec")), tame=True)
            exact = arg.family == "dec"
            return Expr("dec" if exact else "float", ("mad(", arg, ")"), exact=exact, tame=False)
        if choice < 0.3:
            arg = draw.leaf(draw.any_family())
            return Expr("float", ("entropy(", arg, ")"), exact=False, tame=False)
        call = super().aggregate(leaves)
        if self.random.random() < 0.15:
            parts = (call, " FILTER (WHERE ", draw.condition(1), ")")
            return replace(call, parts=parts)
        return call

    def plain(self, scope: Scope, where: Expr | None, nested: int) -> Query:
        """A query without aggregates, maybe with windows, QUALIFY or DISTINCT ON."""
        query = super().plain(scope, where, nested)
        star = query.items[0].expr.sql.endswith("*")
        exact = [leaf for leaf in scope.leaves if leaf.exact]
        if star or not exact or query.distinct:
            return query
        choice = self.random.random()
        if choice < 0.3:
            draw = self.over(scope.leaves)
            numbers = range(self.random.choice((1, 1, 2, 3)))
            items = tuple(
                Item(window(self.random, scope.leaves, draw, n == 0), f"w{n}") for n in numbers
            )
            query = replace(query, items=query.items[:3] + items)
            if self.random.random() < 0.25:
                call = window(self.random, scope.leaves, draw, choosing=False)
                if call.family == "int" and call.exact:
                    bound = self.random.choice(("<= 1", "= 1", "> 1", "<> 2"))
                    query = replace(query, qualify=Expr("bool", ("(", call, f" {bound})")))
        elif choice < 0.36 and all(item.expr.exact for item in query.items):
            keys = tuple(self.random.sample(exact, min(len(exact), self.random.choice((1, 2)))))
            rest = [leaf for leaf in exact if leaf not in keys]
            order = tuple(Order(leaf, None, "") for leaf in (*keys, *rest))
            return replace(query, distinct_on=keys, order=order)
        return query

    def grouped(self, scope: Scope, where: Expr | None) -> Query:
        """A query with aggregates, sometimes over grouping sets; subqueries of HAVING read keys."""
        subqueries, self.subqueries = self.subqueries, None
        query = super().grouped(scope, where)
        self.subqueries = subqueries
        if subqueries is not None and query.group and self.random.random() < 0.1:
            columns = {leaf.sql for leaf in scope.leaves}
            keys = [key for key in query.group if key.sql in columns]
            query = replace(query, having=subqueries.predicate(keys) if keys else query.having)
        bare = all(any(key is item.expr for item in query.items) for key in query.group)
        plain = all(key.sql in {leaf.sql for leaf in scope.leaves} for key in query.group)
        if not query.group or not plain or self.random.random() > 0.3:
            return query
        grouping = self.random.choice(GROUPINGS)
        if grouping == "ALL" and not bare:
            return query
        if grouping == "ALL":
            others = [item.expr for item in query.items if item.expr not in query.group]
            plain = query.having is None and all("(" in expr.sql for expr in others)
            return replace(query, grouping="ALL") if plain else query
        if "GROUPING SETS" not in grouping and self.random.random() < 0.4:
            key = self.random.choice(query.group)
            item = Item(Expr("int", ("GROUPING(", key, ")")), "gg")
            query = replace(query, items=(*query.items, item))
        return replace(query, grouping=grouping)

    def ordered(self, query: Query, scope: Scope, nested: int) -> Query:
        """DISTINCT ON has its order already."""
        return query if query.distinct_on else super().ordered(query, scope, nested)

    def compound(self) -> Compound:
        """Two queries of the same families, and a set operation."""
        left_scope, wheres = self.source(nested=2)
        right_scope, more = self.source(nested=2)
        sides = []
        families = [
            self.over(left_scope.leaves).any_family() for _ in range(self.random.randint(1, 3))
        ]
        for scope, parts in ((left_scope, wheres), (right_scope, more)):
            draw = self.over(scope.leaves)
            items = [
                draw.expr(family, self.random.choice((0, 0, 1)), tame=True) for family in families
            ]
            where = draw.condition(1) if self.random.random() < 0.3 else None
            for part in parts:
                where = part if where is None else Expr("bool", ("(", where, " AND ", part, ")"))
            named = tuple(Item(item, f"r{n}") for n, item in enumerate(items))
            sides.append(Query(named, scope.source, where))
        order: tuple[Order, ...] = ()
        limit = None
        if self.random.random() < 0.3:
            order = tuple(
                Order(str(n + 1), n, self.random.choice(("", " DESC")))
                for n in range(len(families))
            )
            limit = self.random.choice((None, 1, 4, 9))
        return Compound(sides[0], self.random.choice(WORDS), sides[1], order, limit)


def leaves_of(alias: str, items: tuple[Item, ...]) -> tuple[Expr, ...]:
    """The columns of a query under an alias."""
    return tuple(
        Expr(
            item.expr.family,
            (f"{alias}.{item.name}",),
            exact=item.expr.exact,
            tame=item.expr.tame,
            narrow=item.expr.family == "int",
        )
        for item in items
    )


def random_statement(random: Random, tables: tuple[Table, ...], daring: float = 0.03) -> Statement:
    """One statement over the tables; `daring` is the share of arithmetic that may overflow."""
    return Analytics(random, tables, daring).statement()
