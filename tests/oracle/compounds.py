"""Random set operations: of two or three queries, with ALL, and BY NAME.

Owns: `compound`. Comes in: what draws queries. Goes out: a `Compound` whose columns have families.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.oracle.queries import Scope
from tests.oracle.query import Compound, Expr, Item, Order, Query, Statement
from tests.oracle.sources import Sources
from tests.oracle.tables import Family

WORDS = ("UNION", "UNION ALL", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL")
BY_NAME = ("UNION BY NAME", "UNION ALL BY NAME")


def compound(queries: Sources) -> Compound:
    """Two queries of the same families, and a set operation; sometimes with a third one."""
    random = queries.random
    first, wheres = queries.source(nested=2)
    families = [queries.over(first.leaves).any_family() for _ in range(random.randint(1, 3))]
    left = side(queries, first, wheres, families)
    if random.random() < 0.15:
        return by_name(queries, left, families)
    made = Compound(left, random.choice(WORDS), other(queries, families))
    if random.random() < 0.2:
        third = other(queries, families)
        if random.random() < 0.5:
            made = Compound(made, random.choice(WORDS), third)
        else:
            made = Compound(third, random.choice(WORDS), made)
    return ordered(queries, made)


def other(queries: Sources, families: Sequence[Family]) -> Statement:
    """Another side: a query of its own source, or rows of constants."""
    if queries.random.random() < 0.12:
        return queries.values(families, queries.random.choice((1, 2, 3)))
    scope, wheres = queries.source(nested=2)
    return side(queries, scope, wheres, families)


def side(
    queries: Sources, scope: Scope, wheres: Sequence[Expr], families: Sequence[Family]
) -> Query:
    """A query with a column of each family."""
    random = queries.random
    draw = queries.over(scope.leaves)
    items = [draw.expr(family, random.choice((0, 0, 1)), tame=True) for family in families]
    where = draw.condition(1) if random.random() < 0.3 else None
    for part in wheres:
        where = part if where is None else Expr("bool", ("(", where, " AND ", part, ")"))
    named = tuple(Item(item, f"r{n}") for n, item in enumerate(items))
    query = Query(named, scope.source, where, distinct=random.random() < 0.1)
    if random.random() < 0.15 and all(item.exact for item in items):
        suffix = random.choice(("", " DESC"))
        order = tuple(Order(str(n + 1), n, suffix) for n in range(len(items)))
        query = replace(query, order=order, limit=random.choice((1, 3, 8)))
    return query


def by_name(queries: Sources, left: Query, families: Sequence[Family]) -> Compound:
    """Sides that share some names: in another order, some missing, some new."""
    random = queries.random
    kept = random.sample(range(len(families)), random.randint(0, len(families)))
    fresh = [queries.over(()).any_family() for _ in range(random.choice((0, 1)) or not kept)]
    scope, wheres = queries.source(nested=2)
    right = side(queries, scope, wheres, [families[n] for n in kept] + fresh)
    names = [f"r{n}" for n in kept] + [f"q{n}" for n in range(len(fresh))]
    items = [replace(item, alias=name) for item, name in zip(right.items, names, strict=True)]
    right = replace(right, items=tuple(items))
    made = Compound(left, random.choice(BY_NAME), right, added=tuple(items[len(kept) :]))
    return ordered(queries, made)


def ordered(queries: Sources, made: Compound) -> Compound:
    """The compound, sometimes with an order of all its columns and then with a limit."""
    random = queries.random
    exact = all(item.expr.exact for item in made.items)
    if random.random() > 0.3 or not exact:
        return made
    order = tuple(
        Order(str(n + 1), n, random.choice(("", " DESC"))) for n in range(len(made.items))
    )
    return replace(made, order=order, limit=random.choice((None, 1, 4, 9, "50%")))
