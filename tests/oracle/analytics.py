"""Random statements of the whole of SELECT: subqueries, WITH, windows, set operations, LATERAL.

Owns: `random_statement`. Comes in: a `random.Random` and the tables. Goes out: a `Statement`.
Does not know: what an engine answers.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tests.oracle.aggregates import further_aggregate
from tests.oracle.compounds import compound
from tests.oracle.queries import Scope
from tests.oracle.query import Common, Derived, Expr, Item, Named, Order, Query, Statement
from tests.oracle.recursion import recursive
from tests.oracle.sources import Sources, leaves_of
from tests.oracle.stars import counted, starred
from tests.oracle.subqueries import InExpressions
from tests.oracle.tables import Table
from tests.oracle.windows import named_window, over_groups, window

GROUPINGS = (
    *("ROLLUP ({})", "CUBE ({})", "GROUPING SETS (({}), ())", "ALL"),
    *(
        "{first}, ROLLUP ({rest})",
        "GROUPING SETS (ROLLUP ({}), ({first}))",
        "{first}, CUBE ({rest})",
    ),
    *("GROUPING SETS (({first}), ({rest}), ({first}))", "ROLLUP ({first}), CUBE ({rest})"),
)
HINTS = ("", "", "", "MATERIALIZED ", "NOT MATERIALIZED ")


class Analytics(Sources):
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
            recursion = self.random.random() < 0.35
            for number in range(self.random.choice((1, 1, 2))):
                tables.append(self.table_of_with(f"w{number}", recursion))
        made: Statement
        choice = self.random.random()
        if choice < 0.01:
            made = self.values([self.over(()).any_family() for _ in range(2)], 3)
        elif choice < 0.2:
            made = compound(self)
        else:
            made = self.select(nested=0)
        return replace(made, tables=tuple(tables)) if tables else made

    def table_of_with(self, name: str, recursion: bool) -> Common:
        """A table for WITH; later statements may read it."""
        if recursion and self.random.random() < 0.6:
            table, items = recursive(self.random, name, self.tables)
            self.common.append((name, tuple(items)))
            return table
        query: Statement
        if self.random.random() < 0.25:
            query = compound(self)
            if recursion:
                # Beside RECURSIVE DuckDB takes every UNION for a recursive one, without an order.
                query = replace(query, order=(), limit=None)
        else:
            query = self.select(nested=1)
        self.common.append((name, query.items))
        return Common(name, query, hint=self.random.choice(HINTS))

    def single(self, nested: int) -> Scope:
        """A table, a derived one, or one of WITH."""
        if self.common and self.random.random() < 0.35:
            name, items = self.random.choice(self.common)
            alias = self.alias()
            return Scope(Named(name, alias), leaves_of(alias, items), 60)
        if nested < 2 and self.random.random() < 0.1:
            query = compound(self)
            alias = self.alias()
            return Scope(Derived(query, alias), leaves_of(alias, query.items), 60)
        return super().single(nested)

    def aggregate(self, leaves: tuple[Expr, ...]) -> Expr:
        """As before, sometimes with FILTER, and further functions."""
        draw = self.over(leaves)
        if self.random.random() < 0.35:
            further = further_aggregate(draw)
            if further is not None:
                return further
        call = super().aggregate(leaves)
        if self.random.random() < 0.15:
            parts = (call, " FILTER (WHERE ", draw.condition(1), ")")
            return replace(call, parts=parts)
        return call

    def plain(self, scope: Scope, where: Expr | None, nested: int) -> Query:
        """A query without aggregates, maybe with stars, windows, QUALIFY or DISTINCT ON."""
        query = super().plain(scope, where, nested)
        if self.random.random() < 0.08:
            query = replace(query, from_first=True)
        star = query.items[0].expr.sql.endswith("*")
        exact = [leaf for leaf in scope.leaves if leaf.exact]
        if star or not exact:
            return query
        draw = self.over(scope.leaves)
        choice = self.random.random()
        if choice > 0.86:
            return starred(self.random, query, scope.leaves, draw)
        if query.distinct:
            return query
        if choice < 0.3:
            return self.windowed(query, scope)
        if choice < 0.36 and all(item.expr.exact for item in query.items):
            keys = tuple(self.random.sample(exact, min(len(exact), self.random.choice((1, 2)))))
            rest = [leaf for leaf in exact if leaf not in keys]
            order = tuple(Order(leaf, None, "") for leaf in (*keys, *rest))
            return replace(query, distinct_on=keys, order=order)
        return query

    def windowed(self, query: Query, scope: Scope) -> Query:
        """The query with windows in its list, and maybe QUALIFY."""
        draw = self.over(scope.leaves)
        numbers = range(self.random.choice((1, 1, 2, 3)))
        items = [Item(window(self.random, scope.leaves, draw, n == 0), f"w{n}") for n in numbers]
        if self.random.random() < 0.15:
            definition, calls = named_window(self.random, scope.leaves)
            items = [Item(call, f"w{n}") for n, call in enumerate(calls)]
            query = replace(query, windows=definition)
        query = replace(query, items=(*query.items[:3], *items))
        if self.random.random() < 0.25:
            call = window(self.random, scope.leaves, draw, choosing=False)
            free = items[-1].alias not in [leaf.name for leaf in scope.leaves]
            whole = items[-1].expr.family == "int" and items[-1].expr.exact
            if whole and free and len(items) == 1:
                call = Expr("int", (items[-1].alias,))
            if call.family == "int" and call.exact:
                bound = self.random.choice(("<= 1", "= 1", "> 1", "<> 2"))
                query = replace(query, qualify=Expr("bool", ("(", call, f" {bound})")))
        return query

    def grouped(self, scope: Scope, where: Expr | None) -> Query:
        """A query with aggregates, sometimes over grouping sets; subqueries of HAVING read keys."""
        subqueries, self.subqueries = self.subqueries, None
        query = super().grouped(scope, where)
        self.subqueries = subqueries
        if not query.group and self.random.random() < 0.2:
            return counted(self.random, query, scope.leaves)
        if subqueries is not None and query.group and self.random.random() < 0.1:
            columns = {leaf.sql for leaf in scope.leaves}
            keys = [key for key in query.group if key.sql in columns]
            query = replace(query, having=subqueries.predicate(keys) if keys else query.having)
        if query.having is None and query.group and self.random.random() < 0.12:
            calls = [item.expr for item in query.items if item.alias.startswith("a")]
            calls = [call for call in calls if call.exact and "(" in call.sql]
            keys = [item.expr for item in query.items if item.alias.startswith("g")]
            if calls and keys:
                made = over_groups(self.random, keys, calls)
                query = replace(query, items=(*query.items, Item(made, "wg")))
        return self.over_sets(query, scope)

    def over_sets(self, query: Query, scope: Scope) -> Query:
        """The query, maybe grouped by several sets of its keys."""
        bare = all(any(key is item.expr for item in query.items) for key in query.group)
        plain = all(key.sql in {leaf.sql for leaf in scope.leaves} for key in query.group)
        # DuckDB takes x1.a and a for two keys here, and shows one of them.
        columns = {key.sql.rpartition(".")[2] for key in query.group}
        plain = plain and len(columns) == len(query.group)
        if not query.group or not plain or self.random.random() > 0.55:
            return query
        grouping = self.random.choice(GROUPINGS)
        if grouping == "ALL" and not bare:
            return query
        if grouping == "ALL":
            others = [item.expr for item in query.items if item.expr not in query.group]
            plain = query.having is None and all("(" in expr.sql for expr in others)
            # DuckDB does not bind a window over aggregates beside GROUP BY ALL.
            plain = plain and not any(" OVER " in expr.sql for expr in others)
            return replace(query, grouping="ALL") if plain else query
        if "{first}" in grouping:
            if len(query.group) < 2:
                return query
            names = [key.sql for key in query.group]
            grouping = grouping.replace("{first}", names[0])
            grouping = grouping.replace("{rest}", ", ".join(names[1:]))
        if self.random.random() < 0.4:
            keys = self.random.sample(query.group, self.random.randint(1, len(query.group)))
            parts: list[str | Expr] = []
            for key in keys:
                parts += [", " if parts else "GROUPING(", key]
            query = replace(query, items=(*query.items, Item(Expr("int", (*parts, ")")), "gg")))
        return replace(query, grouping=grouping)

    def ordered(self, query: Query, scope: Scope, nested: int) -> Query:
        """As before; a percentage for a limit, ALL for an order. DISTINCT ON has its order."""
        if query.distinct_on:
            return query
        made = super().ordered(query, scope, nested)
        everything = {key.position for key in made.order} == set(range(len(made.items)))
        exact = all(item.expr.exact for item in made.items)
        if not made.order or not everything or not exact:
            return made
        if self.random.random() < 0.2:
            suffix = self.random.choice(("", "", " DESC", " NULLS FIRST", " DESC NULLS LAST"))
            keys = tuple(Order(str(n + 1), n, suffix) for n in range(len(made.items)))
            made = replace(made, order=keys, order_all=suffix)
        if made.limit is not None and self.random.random() < 0.2:
            percent = self.random.choice(("0%", "10%", "33.3%", "50%", "70 PERCENT", "100%"))
            made = replace(made, limit=percent)
        return made


def random_statement(random: Random, tables: tuple[Table, ...], daring: float = 0.03) -> Statement:
    """One statement over the tables; `daring` is the share of arithmetic that may overflow."""
    return Analytics(random, tables, daring).statement()
