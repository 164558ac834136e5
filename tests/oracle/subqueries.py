"""Random subqueries: values, EXISTS, IN, ANY and ALL, correlated or not.

Owns: `InExpressions`. Comes in: the columns that are visible around a subquery. Goes out:
expressions that hold a query, and which both engines must answer alike: a value comes from an
aggregate, or is the first in a total order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.oracle.queries import Queries, Scope
from tests.oracle.query import Expr, Item, Order, Query
from tests.oracle.tables import Family

DEEPEST = 2
COMPARISONS = ("=", "=", "<>", "<", "<=", ">", ">=")


class InExpressions:
    """Draws subqueries over the tables of `queries`, at most `DEEPEST` inside each other."""

    def __init__(self, queries: Queries) -> None:
        self.queries = queries
        self.random = queries.random
        self.depth = 0

    def predicate(self, outer: Sequence[Expr]) -> Expr | None:
        """A subquery that is a condition."""
        if self.depth >= DEEPEST:
            return None
        self.depth += 1
        try:
            return self.drawn_predicate(outer)
        finally:
            self.depth -= 1

    def scalar(self, family: Family, outer: Sequence[Expr]) -> Expr | None:
        """A subquery of one row that is a value."""
        if self.depth >= DEEPEST:
            return None
        self.depth += 1
        try:
            return self.drawn_scalar(family, outer)
        finally:
            self.depth -= 1

    def drawn_predicate(self, outer: Sequence[Expr]) -> Expr:
        scope = self.queries.single(nested=2)
        where = self.where(scope, outer)
        negation = self.random.choice(("", "", "NOT "))
        if self.random.random() < 0.12:
            row = self.row(scope, where, outer, negation)
            if row is not None:
                return row
        if self.random.random() < 0.4:
            items = (Item(Expr("int", ("1",)), "e"),)
            return Expr("bool", (f"({negation}EXISTS (", Query(items, scope.source, where), "))"))
        draw = self.queries.over(outer)
        subject = draw.leaf(draw.any_family())
        inner = self.column(scope, subject.family, outer)
        query = Query((Item(inner, "e"),), scope.source, where)
        if self.random.random() < 0.2:
            query = self.grouped(scope, where, inner)
        if self.random.random() < 0.6:
            return Expr("bool", ("(", subject, f" {negation}IN (", query, "))"))
        word = f" {self.random.choice(COMPARISONS)} {self.random.choice(('ANY', 'ALL', 'SOME'))} ("
        return Expr("bool", ("(", subject, word, query, "))"))

    def row(
        self, scope: Scope, where: Expr | None, outer: Sequence[Expr], negation: str
    ) -> Expr | None:
        """Two columns beside each row of a subquery, or beside the only one."""
        mine = [leaf for leaf in outer if leaf.exact]
        pairs = [
            (a, self.random.choice(fitting))
            for a in self.random.sample(mine, min(2, len(mine)))
            if (fitting := [b for b in scope.leaves if b.exact and b.family == a.family])
        ]
        if len(pairs) < 2:
            return None
        (a, inner), (b, other) = pairs
        # DuckDB compares rows with a correlated subquery only where it has one column.
        where = None if self.random.random() < 0.7 else where
        query = Query((Item(inner, "e"), Item(other, "f")), scope.source, where)
        if self.random.random() < 0.2:
            parts = ("((", a, ", ", b, f") {negation}IN ((", a, ", ", b, "), (", b, ", ", a, ")))")
            return Expr("bool", parts) if a.family == b.family else None
        return Expr("bool", ("((", a, ", ", b, f") {negation}IN (", query, "))"))

    def drawn_scalar(self, family: Family, outer: Sequence[Expr]) -> Expr:
        scope = self.queries.single(nested=2)
        where = self.where(scope, outer)
        inner = self.column(scope, family, outer)
        choice = self.random.random()
        if family == "int" and choice < 0.3:
            call = Expr("int", (self.random.choice(("count(*)", "count(")),), tame=True)
            if call.sql == "count(":
                call = Expr("int", ("count(", self.own(scope, inner), ")"))
            return Expr("int", ("(", Query((Item(call, "e"),), scope.source, where), ")"))
        if choice < 0.8 or family == "float":
            word = self.random.choice(("min", "max"))
            arg = self.own(scope, inner)
            call = Expr(family, (f"{word}(", arg, ")"), tame=arg.tame, narrow=arg.narrow)
            query = Query((Item(call, "e"),), scope.source, where)
        else:
            order = (Order("1", 0, self.random.choice(("", " DESC", " NULLS FIRST"))),)
            offset = self.random.choice((None, None, 1))
            query = Query(
                (Item(inner, "e"),), scope.source, where, order=order, limit=1, offset=offset
            )
        return Expr(family, ("(", query, ")"), tame=inner.tame, narrow=True)

    def grouped(self, scope: Scope, where: Expr | None, inner: Expr) -> Query:
        """An aggregate of the column for each value of another one."""
        key = self.random.choice(scope.leaves)
        word = self.random.choice(("min", "max"))
        call = Expr(inner.family, (f"{word}(", self.own(scope, inner), ")"))
        having = None
        if self.random.random() < 0.4:
            having = Expr("bool", (f"(count(*) > {self.random.choice((0, 1, 2))})",))
        return Query((Item(call, "e"),), scope.source, where, group=(key,), having=having)

    def column(self, scope: Scope, family: Family, outer: Sequence[Expr]) -> Expr:
        """What the subquery gives: mostly a column of its own."""
        fitting = [leaf for leaf in scope.leaves if leaf.family == family and leaf.exact]
        if fitting and self.random.random() < 0.7:
            return self.random.choice(fitting)
        leaves = (*scope.leaves, *outer) if self.random.random() < 0.2 else scope.leaves
        return self.queries.over(leaves).expr(family, 1, tame=True)

    def own(self, scope: Scope, expr: Expr) -> Expr:
        """The expression if it reads the subquery's columns alone, as its aggregates must."""
        names = {leaf.sql.partition(".")[0] for leaf in scope.leaves}
        read = set(re.findall(r"\bx\d+(?=\.)", expr.sql))
        if read and read <= names:
            return expr
        fitting = [leaf for leaf in scope.leaves if leaf.family == expr.family]
        if fitting:
            return self.random.choice(fitting)
        any_leaf = self.random.choice(scope.leaves)
        constant = self.queries.over(()).constant(expr.family)
        return Expr(expr.family, ("CASE WHEN ", any_leaf, " IS NOT NULL THEN ", constant, " END"))

    def where(self, scope: Scope, outer: Sequence[Expr]) -> Expr | None:
        """Which rows of the subquery: mostly by a comparison with the outer row."""
        choice = self.random.random()
        if choice < 0.1 or not outer:
            return None
        if choice < 0.25:
            return self.queries.over(scope.leaves).condition(1)
        parts = []
        pairs = [
            (a, b)
            for a in scope.leaves
            for b in outer
            if a.family == b.family and a.exact and b.exact
        ]
        keys = [(a, b) for a, b in pairs if a.sql.endswith(".k") and b.sql.endswith(".k")]
        if pairs and choice < 0.85:
            a, b = self.random.choice(keys if keys and self.random.random() < 0.6 else pairs)
            word = self.random.choices(
                ("=", "<", ">=", "<>", "IS NOT DISTINCT FROM"), (70, 8, 8, 8, 6)
            )[0]
            parts.append(Expr("bool", ("(", a, f" {word} ", b, ")")))
        if not parts or self.random.random() < 0.4:
            parts.append(self.queries.over((*scope.leaves, *outer)).condition(1))
        if len(parts) == 1:
            return parts[0]
        return Expr(
            "bool", ("(", parts[0], self.random.choice((" AND ", " AND ", " OR ")), parts[1], ")")
        )
