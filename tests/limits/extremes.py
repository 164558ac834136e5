"""Statements of extreme size and shape, by name.

Owns: `DEEP`, `LONG` and `REFUSED`, and the pieces they are made of. Comes in: nothing. Goes out:
texts over the tables t (a BIGINT, b VARCHAR) and w (c0, c1, ... c1999), with the rows that they
give or the message that they are refused with. Does not know: where they are run.
"""

from __future__ import annotations

import pyarrow as pa

Rows = list[tuple[object, ...]]

WIDE = 2000
T = pa.table({"a": pa.array([1, 2, 3, None], pa.int64()), "b": ["x", "y", None, "z"]})
W = pa.table({f"c{i}": pa.array([1, 2, i], pa.int64()) for i in range(WIDE)})


def nested(opening: str, core: str, closing: str, times: int) -> str:
    """The core between so many openings and closings."""
    return opening * times + core + closing * times


def listed(part: str, count: int, separator: str = ", ") -> str:
    """The part so many times, with the numbers from 0 in place of {i}."""
    return separator.join(part.replace("{i}", str(number)) for number in range(count))


def stacked(first: str, following: str, count: int, kind: str = "") -> str:
    """WITH c0 AS (first), c1 AS (following), ...: each reads the one {before} it."""
    tables = [f"c0 AS ({first})"]
    for number in range(1, count):
        body = following.replace("{before}", f"c{number - 1}")
        tables.append(f"c{number} AS {kind} ({body})")
    return f"WITH {', '.join(tables)} SELECT * FROM c{count - 1}"


def chained(part: str, count: int) -> str:
    """The part with the numbers from 1 in place of {i}, and {h} for the one before."""
    numbers = range(1, count)
    return " ".join(part.replace("{i}", str(i)).replace("{h}", str(i - 1)) for i in numbers)


def correlated(count: int, outer: str) -> str:
    """EXISTS in EXISTS, each correlated with the table that {outer} says of the one before."""
    opened = "".join(
        f"EXISTS (SELECT 1 FROM t t{i} WHERE t{i}.a = {outer.replace('{h}', str(i - 1))}.a AND "
        for i in range(1, count)
    )
    return f"SELECT a FROM t t0 WHERE {opened} true{')' * (count - 1)}"


ROWS = listed("({i}, 'x{i}')", 50_000)
STRINGS = listed("'s{i}'", 50_000)

SAME: Rows = [(1,), (2,), (3,), (None,)]
PRESENT: Rows = [(1,), (2,), (3,)]

DEEP: dict[str, tuple[str, Rows]] = {
    "brackets": (f"SELECT {nested('(', 'a', ')', 200)} FROM t", SAME),
    "unary minus": (f"SELECT {nested('- ', 'a', '', 200)} FROM t", SAME),
    "NOT": (f"SELECT a FROM t WHERE {nested('NOT ', '(a > 0)', '', 200)}", PRESENT),
    "CASE": (f"SELECT {nested('CASE WHEN a > 1 THEN ', 'a', ' ELSE 1 END', 200)} FROM t", []),
    "CASE in conditions": (
        f"SELECT {nested('CASE WHEN ', 'a > 0', ' THEN true ELSE false END', 200)} FROM t",
        [(True,), (True,), (True,), (False,)],
    ),
    "calls": (f"SELECT {nested('abs(', 'a', ')', 200)} FROM t", SAME),
    "calls of two arguments": (f"SELECT {nested('coalesce(', 'a', ', 1)', 200)} FROM t", []),
    "concat": (f"SELECT length({nested('concat(', 'b', ', 1)', 200)}) FROM t", []),
    "casts to text and back": (
        f"SELECT {nested('CAST(CAST(', 'a', ' AS VARCHAR) AS BIGINT)', 110)} FROM t",
        SAME,
    ),
    "subqueries in FROM": (nested("SELECT a + 1 AS a FROM (", "SELECT -50 AS a", ")", 50), [(0,)]),
    "scalar subqueries": (f"SELECT {nested('(SELECT ', 'max(a) FROM t', ')', 50)}", [(3,)]),
    "EXISTS": (nested("SELECT a FROM t WHERE EXISTS (", "SELECT 1", ")", 50), SAME),
    "IN": (nested("SELECT a FROM t WHERE a IN (", "SELECT 1", ")", 50), [(1,)]),
    "correlated with the one outside": (correlated(50, "t{h}"), PRESENT),
    "correlated with the outermost": (correlated(50, "t0"), PRESENT),
    "UNION in brackets": (nested("(", "SELECT a FROM t", " UNION SELECT 1)", 50), SAME),
    "common tables": (stacked("SELECT 0 AS a", "SELECT a + 1 AS a FROM {before}", 200), [(199,)]),
    "common tables read twice": (
        stacked("FROM t", "SELECT x.a FROM {before} x JOIN {before} y ON x.a = y.a", 200),
        PRESENT,
    ),
    "common tables read twice, written out": (
        stacked(
            "FROM t", "SELECT x.a FROM {before} x, {before} y WHERE x.a = y.a", 8, "MATERIALIZED"
        ),
        PRESENT,
    ),
    "columns read twice": (
        stacked("SELECT 1::BIGINT AS x", "SELECT x + x AS x FROM {before}", 60),
        [(2**59,)],
    ),
    "columns read three times under a filter": (
        stacked(
            "SELECT a AS x FROM t",
            "SELECT CASE WHEN x > 9 THEN x ELSE x + 0 END AS x FROM {before}",
            60,
        )
        + " WHERE x > 2",
        [(3,)],
    ),
}
"""Nested deep: the text and its rows; an empty list where only their number is looked at."""

LONG: dict[str, tuple[str, Rows | int]] = {
    "UNION ALL": (listed("SELECT {i} AS a", 1000, " UNION ALL "), [(i,) for i in range(1000)]),
    "joins": (
        "SELECT count(*) FROM t t0 " + chained("JOIN t t{i} ON t{i}.a = t{h}.a", 200),
        [(3,)],
    ),
    "cross joins": (f"SELECT count(*) FROM {listed('(SELECT {i}) t{i}', 200)}", [(1,)]),
    "AND": (f"SELECT a FROM t WHERE {listed('a <> {i} + 10', 1000, ' AND ')}", PRESENT),
    "OR": (f"SELECT a FROM t WHERE {listed('a = {i}', 1000, ' OR ')}", PRESENT),
    "OR of computations": (f"SELECT a FROM t WHERE {listed('a + {i} = 7', 5000, ' OR ')}", PRESENT),
    "AND in OR": (
        f"SELECT a FROM t WHERE {listed('(a = {i} AND b < {i}::VARCHAR)', 1000, ' OR ')}",
        0,
    ),
    "WHEN": (
        f"SELECT CASE {listed('WHEN a = {i} THEN {i} + 1', 5000, ' ')} END FROM t",
        [(2,), (3,), (4,), (None,)],
    ),
    "WHEN that can fail": (
        f"SELECT CASE {listed('WHEN a = {i} THEN (2 // a)::TINYINT', 100, ' ')} END FROM t",
        [(2,), (1,), (0,), (None,)],
    ),
    "COALESCE": (f"SELECT coalesce({listed('a + {i}', 5000)}) FROM t", SAME),
    "concat_ws": (f"SELECT length(concat_ws('-', {listed('b', 3000)})) FROM t LIMIT 1", [(5999,)]),
    "a string": (f"SELECT length('{'x' * 1_000_000}')", [(1_000_000,)]),
    "a string as a column name": (f"SELECT '{'x' * 1_000_000}'", 1),
    "a string that is made": ("SELECT repeat('xy', 8000000)", [("xy" * 8_000_000,)]),
    "spaces": (f"SELECT{' ' * 1_000_000}1", [(1,)]),
    "comments in comments": (f"SELECT 1 {'/*' * 100_000}{'*/' * 100_000}", [(1,)]),
    "a select list": (f"SELECT {listed('c{i}', WIDE)} FROM w", 3),
    "GROUP BY of many keys": ("SELECT * FROM w GROUP BY ALL", 3),
    "sums": (f"SELECT c0, {listed('sum(c{i})', WIDE)} FROM w GROUP BY c0", 3),
    "ORDER BY ALL": ("SELECT * FROM w ORDER BY ALL", 3),
    "windows": (f"SELECT {listed('row_number() OVER (ORDER BY c{i})', 100)} FROM w", 3),
    "a join of wide tables": ("SELECT * FROM w JOIN w AS x ON w.c0 = x.c0", 3),
    "a natural join of wide tables": ("SELECT * FROM w NATURAL JOIN w AS x", 3),
    "IN": (f"SELECT a FROM t WHERE a IN ({listed('{i}', 50_000)})", PRESENT),
    "IN with NULL": (f"SELECT a FROM t WHERE a IN ({listed('{i}', 50_000)}, NULL)", PRESENT),
    "IN of strings": (f"SELECT b FROM t WHERE b IN ('x', {STRINGS})", [("x",)]),
    "NOT IN": (f"SELECT a FROM t WHERE a + 1 NOT IN ({listed('-{i}', 50_000)})", PRESENT),
    "IN of VALUES": (f"SELECT a FROM t WHERE a IN (VALUES {listed('({i})', 50_000)})", PRESENT),
    "IN of computations": (f"SELECT a FROM t WHERE a IN ({listed('1 + {i}', 3000)})", PRESENT),
    "VALUES": (
        f"SELECT count(*), sum(n), max(s) FROM (VALUES {ROWS}) v(n, s)",
        [(50_000, 1_249_975_000, "x9999")],
    ),
    "columns of VALUES": (f"VALUES ({listed('{i}', 1000)})", 1),
    "GROUPING SETS": (f"SELECT a FROM t GROUP BY GROUPING SETS ({listed('(a), (b)', 50)})", 400),
    "CUBE": (f"SELECT count(*) FROM t GROUP BY CUBE ({listed('a + {i}', 10)})", 4093),
    "scalar subqueries": (f"SELECT {listed('(SELECT max(a) + {i} FROM t)', 100)}", 1),
    "common tables that nobody reads": (
        f"WITH {listed('q{i} AS (SELECT {i} AS a)', 1000)} SELECT * FROM q5",
        [(5,)],
    ),
}
"""Long or wide: the text and its rows, or their number."""

REFUSED: dict[str, tuple[str, str]] = {
    "brackets": (f"SELECT {nested('(', '1', ')', 10_000)}", "nests deeper than 250"),
    "unary minus": (f"SELECT {nested('- ', 'a', '', 10_000)} FROM t", "nests deeper than 250"),
    "calls": (f"SELECT {nested('abs(', 'a', ')', 10_000)} FROM t", "nests deeper than 250"),
    "queries": (nested("SELECT * FROM (", "SELECT 1", ")", 10_000), "nests deeper than 250"),
    "EXISTS": (nested("SELECT 1 WHERE EXISTS (", "SELECT 1", ")", 10_000), "nests deeper"),
    "EXISTS below the parser's bound": (
        nested("SELECT a FROM t WHERE EXISTS (", "SELECT 1", ")", 200),
        "nested too deep",
    ),
    "lists": (f"SELECT {nested('[', '1', ']', 10_000)}", "nests deeper than 250"),
    "types": (f"SELECT CAST(1 AS INT{'[]' * 10_000})", "nests deeper than 250"),
    "sums": (f"SELECT {listed('a', 5000, ' + ')} FROM t", "nests deeper than 250"),
    "joins": (
        "SELECT count(*) FROM t t0 " + chained("JOIN t t{i} ON t{i}.a = t{h}.a", 501),
        "nests deeper than 250",
    ),
    "a text": ("SELECT " + "a, " * 400_000 + "a FROM t", "the limit is 1,048,576"),
    "signs": ("SELECT 1 " + "+ " * 500_000, "expected an expression"),
    "an open comment": ("SELECT 1 " + "/*" * 300_000, "has no end"),
    "a number": (f"SELECT {'9' * 1_000_000}", "more than 128 bits"),
    "a name": (f"SELECT {'x' * 10_000} FROM t", "at most 200 characters"),
    "a quoted name": (f'SELECT a AS "{"x" * 10_000}" FROM t', "at most 200 characters"),
    "CUBE": (f"SELECT 1 FROM t GROUP BY CUBE ({listed('a + {i}', 20)})", "more than 4096"),
    "aliases": (
        "SELECT c0 AS x0, "
        + ", ".join(f"x{i - 1} + x{i - 1} AS x{i}" for i in range(1, 60))
        + " FROM w",
        "expand too far",
    ),
    "NULLIF": (f"SELECT {nested('nullif(', 'a', ', 9)', 200)} FROM t", "more than 200,000 parts"),
    "repeat": ("SELECT repeat(b, 4294967295) FROM t", "more than 16,777,216 characters"),
    "lpad": ("SELECT lpad('x', 2000000000, b) FROM t", "more than 16,777,216 characters"),
    "endless recursion": (
        "WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL SELECT 1 FROM r, (VALUES (1), (2))) FROM r",
        "did not end within",
    ),
}
"""Refused: the text, and what the message says."""
