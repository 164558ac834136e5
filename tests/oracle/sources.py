"""Random sources of FROM beside tables and plain joins: VALUES, series, LATERAL, ASOF and others.

Owns: `Sources`, a `Queries` whose FROM may have them. A new kind of table is one more entry of
`SINGLES`, a new kind of join one more of `JOINS`. Does not know: what is selected from a source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from tests.oracle.queries import MAX_PAIRS, Queries, Scope
from tests.oracle.query import (
    Compound,
    Derived,
    Expr,
    Item,
    Joined,
    Named,
    Order,
    Query,
    Series,
    Values,
)
from tests.oracle.subqueries import InExpressions
from tests.oracle.tables import Family

SERIES = (
    *("range(4)", "range(1, 9, 3)", "range(5, 0, -2)", "range(0)", "generate_series(3)"),
    *("generate_series(-1, 1)", "generate_series(2, 1)", "range($i1, 6)", "unnest([1, 2, NULL])"),
)
DAYS = (
    "range(DATE '2019-12-30', DATE '2020-01-03', INTERVAL 1 DAY)",
    "generate_series(TIMESTAMP '2020-01-31', TIMESTAMP '2020-05-01', INTERVAL 1 MONTH)",
    "range(TIMESTAMP '2020-01-02', TIMESTAMP '2020-01-01', INTERVAL '-7 hours')",
)
INEQUALITIES = (" < ", " <= ", " > ", " >= ", " <> ")


class Sources(Queries):
    """Draws queries whose FROM has every kind of source."""

    SINGLES: ClassVar[Sequence[str]] = ("listed", "series", "counted_days")
    JOINS: ClassVar[Sequence[str]] = (
        *("lateral", "lateral", "lateral", "filtering", "filtering", "nearest", "nearest"),
        *("beside", "unequal", "unequal"),
    )

    def single(self, nested: int) -> Scope:
        """A table or a derived one, as before, or one of `SINGLES`."""
        if self.random.random() < 0.1:
            found: Scope = getattr(self, self.random.choice(self.SINGLES))()
            return found
        return super().single(nested)

    def source(self, nested: int) -> tuple[Scope, list[Expr]]:
        """FROM as before, sometimes with one of `JOINS` behind it."""
        scope, wheres = super().source(nested)
        if self.random.random() < 0.22 and not scope.comma:
            joined: Scope | None = getattr(self, self.random.choice(self.JOINS))(scope)
            return joined or scope, wheres
        return scope, wheres

    def values(self, families: Sequence[Family], rows: int) -> Values:
        """Rows of constants; the columns of a family have one type each."""
        draw = self.over(())
        return Values(
            tuple(tuple(draw.constant(family) for family in families) for _ in range(rows))
        )

    def listed(self) -> Scope:
        """VALUES in FROM."""
        families = [self.over(()).any_family() for _ in range(self.random.randint(1, 3))]
        families += [self.random.choice([c.family for t in self.tables for c in t.columns])]
        values = self.values(families, self.random.choice((1, 2, 4)))
        alias = self.alias()
        names = tuple(f"v{n}" for n in range(len(families)))
        leaves = tuple(
            Expr(family, (f"{alias}.{name}",), narrow=family == "int")
            for name, family in zip(names, families, strict=True)
        )
        return Scope(Derived(values, alias, columns=names), leaves, 4)

    def series(self) -> Scope:
        """A series of integers."""
        alias = self.alias()
        leaf = Expr("int", (f"{alias}.i",))
        return Scope(Series(self.random.choice(SERIES), alias, "i"), (leaf,), 6)

    def counted_days(self) -> Scope:
        """A series of dates and times."""
        alias = self.alias()
        leaf = Expr("ts", (f"{alias}.i",))
        return Scope(Series(self.random.choice(DAYS), alias, "i"), (leaf,), 6)

    def filtering(self, scope: Scope) -> Scope | None:
        """SEMI and ANTI JOIN: left rows alone, with an equality, another condition or USING."""
        right = self.single(2)
        if scope.rows * right.rows > MAX_PAIRS:
            return None
        word = self.random.choice((" SEMI JOIN ", " ANTI JOIN "))
        shared = self.shared_columns(scope, right)
        if shared and self.random.random() < 0.3:
            return replace(scope, source=Joined(scope.source, word, right.source, using=("k",)))
        on = self.equality(scope, right)
        if self.random.random() < 0.4:
            more = self.over((*scope.leaves, *right.leaves)).condition(1)
            on = Expr("bool", ("(", on, self.random.choice((" AND ", " AND ", " OR ")), more, ")"))
        return replace(scope, source=Joined(scope.source, word, right.source, on))

    def unequal(self, scope: Scope) -> Scope | None:
        """A join by one or two inequalities."""
        right = self.single(2)
        if scope.rows * right.rows > MAX_PAIRS:
            return None
        kind = self.random.choice(
            (" JOIN ", " JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ")
        )
        parts = [
            Expr("bool", ("(", a, self.random.choice(INEQUALITIES), b, ")"))
            for a, b in self.pairs(scope, right, self.random.choice((1, 2)))
        ]
        if not parts:
            return None
        on = parts[0] if len(parts) == 1 else Expr("bool", (parts[0], " AND ", parts[1]))
        leaves = scope.leaves + right.leaves
        if any("." not in leaf.sql for leaf in leaves):
            return None
        rows = scope.rows * max(right.rows, 1)
        return Scope(Joined(scope.source, kind, right.source, on), leaves, rows)

    def pairs(self, left: Scope, right: Scope, count: int) -> list[tuple[Expr, Expr]]:
        """Columns of both sides that compare."""
        found = [
            (a, b)
            for a in left.leaves
            for b in right.leaves
            if a.family == b.family and a.exact and b.exact and a.family != "bool"
        ]
        return self.random.sample(found, min(count, len(found)))

    def nearest(self, scope: Scope) -> Scope | None:
        """ASOF JOIN. Its right side has each key once: which of two equal rows it takes is open."""
        inner = self.single(2)
        keys = self.pairs(scope, inner, 2)
        if not keys or any("." not in leaf.sql for leaf in scope.leaves):
            return None
        word = self.random.choice(("min", "max"))
        value = self.random.choice([leaf for leaf in inner.leaves if leaf.exact])
        items = [Item(b, f"n{n}") for n, (_, b) in enumerate(keys)]
        items.append(Item(Expr(value.family, (f"{word}(", value, ")"), tame=value.tame), "nv"))
        group = tuple(b for _, b in keys)
        alias = self.alias()
        derived = Derived(Query(tuple(items), inner.source, group=group), alias)
        leaves = tuple(Expr(i.expr.family, (f"{alias}.{i.name}",), narrow=True) for i in items)
        by = self.random.choice((" >= ", " >= ", " > ", " <= ", " < "))
        on = Expr("bool", ("(", keys[0][0], by, leaves[0], ")"))
        if len(keys) > 1:
            on = Expr("bool", ("(", keys[1][0], " = ", leaves[1], ") AND ", on))
        kind = self.random.choice((" ASOF JOIN ", " ASOF LEFT JOIN "))
        return Scope(Joined(scope.source, kind, derived, on), scope.leaves + leaves, scope.rows)

    def beside(self, scope: Scope) -> Scope | None:
        """POSITIONAL JOIN of two tables, whose rows have an order."""
        right = Queries.single(self, 2)
        if not isinstance(scope.source, Named) or not isinstance(right.source, Named):
            return None
        if not scope.tables or not right.tables:
            return None
        source = Joined(scope.source, " POSITIONAL JOIN ", right.source)
        return Scope(source, scope.leaves + right.leaves, max(scope.rows, right.rows))

    def lateral(self, scope: Scope) -> Scope:
        """A subquery in FROM that reads the tables before it."""
        subqueries = self.subqueries
        assert isinstance(subqueries, InExpressions)
        inner = self.single(2)
        where = subqueries.where(inner, scope.leaves)
        made = self.lateral_query(scope, inner, where)
        alias = self.alias()
        derived = Derived(made, alias, lateral=True)
        word, on = self.random.choice(
            ((" CROSS JOIN ", None), (", ", None), (" LEFT JOIN ", Expr("bool", ("true",))))
        )
        source = Joined(scope.source, word, derived, on)
        leaves = scope.leaves + leaves_of(alias, made.items)
        return Scope(source, leaves, scope.rows * 3, scope.tables, comma=word == ", ")

    def lateral_query(self, scope: Scope, inner: Scope, where: Expr | None) -> Query | Compound:
        """A value, an aggregate, the first rows, ranked rows, or rows beside an outer one."""
        column = self.random.choice(inner.leaves)
        value = Item(column, "v0")
        exact = [leaf for leaf in inner.leaves if leaf.exact]
        match self.random.randrange(6):
            case 0 | 1:
                word = self.random.choice(("min", "max", "count"))
                family = "int" if word == "count" else column.family
                call = Expr(family, (f"{word}(", column, ")"), tame=column.tame)
                return Query((Item(call, "v0"),), inner.source, where)
            case 2 if exact:
                items = tuple(Item(leaf, f"v{n}") for n, leaf in enumerate(exact[:3]))
                suffix = self.random.choice(("", " DESC", " NULLS FIRST"))
                order = tuple(Order(str(n + 1), n, suffix) for n in range(len(items)))
                limit = self.random.choice((1, 2))
                return Query(items, inner.source, where, order=order, limit=limit)
            case 3 if column.exact:
                rank = Expr("int", ("dense_rank() OVER (ORDER BY ", column, ")"))
                return Query((value, Item(rank, "v1")), inner.source, where)
            case 4 if column.exact:
                outer = [leaf for leaf in scope.leaves if leaf.family == column.family]
                outer = [leaf for leaf in outer if leaf.exact]
                if outer:
                    other = Query((Item(self.random.choice(outer), "v0"),), None)
                    word = self.random.choice(("UNION", "UNION ALL", "EXCEPT", "INTERSECT"))
                    return Compound(Query((value,), inner.source, where), word, other)
            case 5 if column.exact:
                key = self.random.choice(exact)
                call = Expr("int", ("count(", column, ")"))
                items = (Item(key, "v0"), Item(call, "v1"))
                return Query(items, inner.source, where, group=(key,))
        return Query((value,), inner.source, where)


def leaves_of(alias: str, items: Sequence[Item]) -> tuple[Expr, ...]:
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
