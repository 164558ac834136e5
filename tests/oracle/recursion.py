"""Random tables of WITH RECURSIVE, each of which comes to an end.

Owns: `recursive`. Every form is bounded: by a counter, by a modulus, or by UNION over values that
the tables hold, of which there are finitely many.
"""

from __future__ import annotations

from random import Random

from tests.oracle.query import Common, Expr, Item
from tests.oracle.tables import Column, Table


def tame_integers(table: Table) -> list[Column]:
    """The columns whose values may be counted up from."""
    return [column for column in table.columns if column.family == "int" and column.tame]


def recursive(random: Random, name: str, tables: tuple[Table, ...]) -> tuple[Common, list[Item]]:
    """A recursive table called `name`, and its columns."""
    number, text = Item(Expr("int", ("r0",)), "r0"), Item(Expr("str", ("r1",)), "r1")
    bound = random.choice((1, 3, 5, 9))
    seeds = [(t, c) for t in tables for c in tame_integers(t)]
    table, column = random.choice(seeds) if seeds else (None, None)
    match random.randrange(6):
        case 0 if table is not None and column is not None:
            # From the rows of a table, each counted up to the bound.
            words = (
                f"{name}(r0, r1) AS (SELECT CAST({column.name} AS BIGINT), 'a' FROM {table.name} "
                f"UNION ALL SELECT r0 + 3, r1 || 'b' FROM {name} WHERE r0 < {bound})"
            )
            return Common(name, None, words), [number, text]
        case 1:
            step, modulus = random.choice((2, 3, 5)), random.choice((5, 7, 8))
            words = (
                f"{name}(r0) AS (SELECT 1 UNION SELECT (r0 * {step}) % {modulus} FROM {name} "
                f"WHERE r0 IS NOT NULL)"
            )
            return Common(name, None, words), [number]
        case 2 | 3:
            # Values that follow each other in a table: what can be reached.
            pairs = [(t, a, b) for t in tables for a, b in same_type(t)]
            if pairs:
                edges, a, b = random.choice(pairs)
                start = random.choice(("", f" WHERE {b.name} IS NOT NULL"))
                words = (
                    f"{name}(r0) AS (SELECT {a.name} FROM {edges.name}{start} UNION "
                    f"SELECT e.{b.name} FROM {name} JOIN {edges.name} AS e ON e.{a.name} = r0)"
                )
                return Common(name, None, words), [Item(Expr(a.family, ("r0",)), "r0")]
        case 4:
            words = (
                f"{name}(r0, r1) AS (SELECT 1, 1 UNION ALL SELECT r0 + 1, "
                f"CASE WHEN r1 % 2 = 0 THEN r1 // 2 ELSE r1 * 3 + 1 END "
                f"FROM {name} WHERE r0 < {bound})"
            )
            return Common(name, None, words), [number, Item(Expr("int", ("r1",)), "r1")]
    words = (
        f"{name}(r0, r1) AS (SELECT 1, 'a' UNION ALL "
        f"SELECT r0 + 1, r1 || 'b' FROM {name} WHERE r0 < {bound})"
    )
    return Common(name, None, words), [number, text]


def same_type(table: Table) -> list[tuple[Column, Column]]:
    """Pairs of columns of one type."""
    columns = table.columns
    return [(a, b) for a in columns for b in columns if a is not b and a.type == b.type]
