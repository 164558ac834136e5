"""Random select lists that are written with stars: *, t.*, EXCLUDE, REPLACE, RENAME, COLUMNS.

Owns: `starred`. The query that comes out knows its columns all the same, so that it can be ordered,
limited and nested. Does not know: merged columns of USING, whose place in a star is another.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tests.oracle.expressions import Expressions
from tests.oracle.query import Expr, Item, Query


def starred(random: Random, query: Query, leaves: tuple[Expr, ...], draw: Expressions) -> Query:
    """The query with a list that a star writes, where its columns allow one."""
    plain = [leaf for leaf in leaves if "." in leaf.sql]
    if not plain or len(plain) != len(leaves):
        return query
    qualifier = random.choice(plain).sql.partition(".")[0] if random.random() < 0.6 else ""
    chosen = [leaf for leaf in plain if not qualifier or leaf.sql.startswith(f"{qualifier}.")]
    names = [leaf.name for leaf in chosen]
    if len(set(names)) < len(names) or len(names) > 12:
        return query
    star = f"{qualifier}.*" if qualifier else "*"
    items, written = form(random, star, chosen, draw)
    if not items or (query.distinct and not all(item.expr.exact for item in items)):
        return query
    return replace(query, items=tuple(items), written=written)


def form(
    random: Random, star: str, chosen: list[Expr], draw: Expressions
) -> tuple[list[Item], str]:
    """The items of one form of a star, and how it is written."""
    items = [Item(leaf, "") for leaf in chosen]
    some = random.sample(chosen, random.randint(1, min(2, len(chosen))))
    rest = [item for item in items if item.expr not in some]
    match random.randrange(8):
        case 0 | 1:
            return items, star
        case 2 if rest:
            names = ", ".join(leaf.name for leaf in some)
            return rest, f"{star} EXCLUDE ({names})"
        case 3:
            leaf = some[0]
            new = draw.expr(leaf.family, 2)
            items[chosen.index(leaf)] = Item(new, leaf.name)
            return items, f"{star} REPLACE ({new.sql} AS {leaf.name})"
        case 4:
            leaf = some[0]
            items[chosen.index(leaf)] = Item(leaf, "renamed")
            return items, f"{star} RENAME ({leaf.name} AS renamed)"
        case 5:
            # A pattern finds its columns wherever they stand in the source, in their order.
            letter = random.choice("kabc")
            found = [item for item in items if letter in item.name]
            columns = f"'{letter}'" if star == "*" else f"{star} LIKE '%{letter}%'"
            return found, f"COLUMNS({columns})" if star == "*" else columns
        case 6:
            return items, f"COLUMNS({star})"
        case _ if rest:
            leaf = random.choice(rest).expr
            names = ", ".join(one.name for one in some)
            at = rest.index(Item(leaf, ""))
            new = draw.expr(leaf.family, 1)
            rest[at] = Item(new, leaf.name)
            return rest, f"{star} EXCLUDE ({names}) REPLACE ({new.sql} AS {leaf.name})"
        case _:
            return items, star


def counted(random: Random, query: Query, leaves: tuple[Expr, ...]) -> Query:
    """An aggregate over COLUMNS: one result for each column that it finds."""
    plain = [leaf for leaf in leaves if "." in leaf.sql]
    qualifier = random.choice(plain).sql.partition(".")[0] if plain else ""
    chosen = [leaf for leaf in plain if leaf.sql.startswith(f"{qualifier}.") and leaf.exact]
    if not chosen or query.group or query.having is not None:
        return query
    if len(chosen) < len([leaf for leaf in plain if leaf.sql.startswith(f"{qualifier}.")]):
        return query
    word = random.choice(("min", "max", "count"))
    items = []
    for leaf in chosen:
        family = "int" if word == "count" else leaf.family
        items.append(Item(Expr(family, (f"{word}(", leaf, ")"), tame=leaf.tame), ""))
    written = f"{word}(COLUMNS({qualifier}.*))"
    return replace(query, items=tuple(items), written=written)
