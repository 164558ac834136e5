"""What our parser understands of a statement is what DuckDB understands.

Each tree is written out again with brackets around everything, and DuckDB's own parser must make
the same tree of that as of the original.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.errors import SqlSyntaxError
from eau2.sql import ast
from eau2.sql.parser import parse_one
from tests.unit.sql_text import select


@cache
def connection() -> Any:
    return duckdb.connect()


IGNORED = ("query_location", "query_location_length", "is_implicit")
"""Where something stands, and whether a cross join was written as a comma."""


def shape(plain: Any) -> Any:
    """DuckDB's tree without what only spells the same thing differently."""
    match plain:
        case list():
            return [shape(one) for one in plain]
        case str():
            return {"^": "**"}.get(plain, plain.lower())
        case {"kind": "INTEGER" | "NUMERIC" | "FLOAT", "text": text}:
            return text.replace("_", "").lower()
        case dict():
            kept = {key: shape(value) for key, value in plain.items() if key not in IGNORED}
            if kept.get("class") == "conjunction":
                kept["children"] = flat(kept)
            return kept
    return plain


def flat(chain: dict[str, Any]) -> list[Any]:
    """The terms of a chain of AND or OR, however it was bracketed."""
    terms: list[Any] = []
    for child in chain["children"]:
        terms += child["children"] if child.get("type") == chain["type"] else [child]
    return terms


def duckdb_tree(text: str) -> Any:
    """What DuckDB's parser makes of a statement; None when it refuses it."""
    [[answer]] = connection().execute("SELECT json_serialize_sql(?)", [text]).fetchall()
    plain = json.loads(answer)
    return None if plain["error"] else shape(plain["statements"])


def assert_same(text: str) -> None:
    expected = duckdb_tree(text)
    assert expected is not None, f"DuckDB does not parse {text}"
    query = parse_one(text)
    assert isinstance(query, ast.Select), query
    assert duckdb_tree(select(query)) == expected, select(query)


EXPRESSIONS = """
a+b*c | -a^b | -a**b | a^b^c | a**b**c | -a::int | a::int::varchar | a||b+c | a+b||c | a||b*c
a||b||c | s like s||s | s||s = s | not a=b | not e is null | not e and f | e or f and e
a+b is null | a=b is null | a is null = e | a is not distinct from b = e | a between b and c and e
a between b and c = e | a = b between c and d | a between b+1 and c+1 | a in (1,2) = e
a = b in (true) | a+1 in (1,2) | not a in (1,2) | a not in (1,2) | s like s = e | e = s like s
s not like s escape 'x' | s ilike s | s not ilike s | a isnull | a notnull | a is null is null
- a + b | -a*b | +a | - - a | a // b | a % b * c | a / b * c | a // b // c | a <= b + c
a is true | a is not unknown | a is distinct from b and e | a is distinct from b is null
a > b is distinct from e | a is distinct from b + c | a is distinct from b = c
not a is distinct from b | not not e | -a between b and c | -a in (1,2) | a <> b | a != b | a == b
e = not f | e = not f = e | e = not f is null | e = not f and e | e = not not f
a = b is null = e | a is not null = e is null | not a is null = e | a in (1) in (true)
a is distinct from b = c is null | a is not null is distinct from e = f | a * - b ^ c | a - -b * c
a not between b and c | a not in (b) is null | a = b not in (true) | a < b not between c and d
case a when 1 then 2 end | case when a = 1 then 2 else 3 end + 1 | case when a then b when c then d end
cast(a as int)::varchar | cast(a as decimal(10,2)) | try_cast(a as int) | a::decimal(10, 2)
cast(a as double precision) | cast(a as character varying) | cast(a as varchar(10))
extract(year from d) | extract('year' from d + 1) | extract("year" from d)
position('a' in s) | position('a' || 'b' in s) | position('a' in (s))
substring(s from 1 for 2) | substring(s from 1) | substring(s, 1, 2) | substring(s for 2)
trim(s) | trim(both from s) | trim(both 'x' from s) | trim(leading 'x' from s) | trim(trailing from s)
trim('x' from s) | trim(s, 'x') | trim(from s) | trim(both 'x', s) | trim(leading 'x' || 'y' from s)
count(*) | count(all *) | count() | count(distinct a) | sum(all a) | left(s, 1) | right(s, 2)
if(e, a, b) | replace(s, 'a', 'b') | year(d) | first(a) | coalesce(a, b) | glob(a, b)
date '2020-01-01' | timestamp '2020-01-01 10:00:00' | int '3' | date '2020-01-01' + interval 1 month
interval '1 month' | interval 3 month | interval 3 months | interval '3' month | interval (a + 1) days
interval 1 day::varchar | - interval 1 day | interval 3 centuries | interval 2 millennia
'a''b' | $$a'b$$ | $x$a$$b$x$ | "a""b" | t.a | "t"."A b" | t . a | t.select | t.from | 1. | .5 | 1e3 | 1.5E-3
1_000 | 1_0.5_0 | true | FALSE | null | $1 + $2 | $x | -1 | - 1.5 | 2 ** - 1 | (a) | ((a + b)) * c
date | year | year + month | name || value | key.type | first.last | row.values | interval + 1 | extract
position * trim | exists is null | nulls | unknown = 1 | a is not null and b is not null or c is null
a /* x /* y */ z */ + 1 | a -- c
"""  # noqa: E501


@pytest.mark.parametrize(
    "text", [one.strip() for line in EXPRESSIONS.splitlines() for one in line.split(" | ") if one]
)
def test_expression_is_duckdbs(text: str) -> None:
    assert_same(f"SELECT {text}\nFROM t")


QUERIES = """
SELECT a, b AS x, c y, d "z z", e AS 'q', f AS select FROM t
SELECT DISTINCT a FROM t
SELECT ALL a FROM t
SELECT *, t.*, count(*) FROM t
SELECT 1
SELECT 1 WHERE true ORDER BY 1 LIMIT 1
SELECT a FROM t WHERE a > 1 GROUP BY a, 2, a + 1 HAVING count(*) > 1 ORDER BY a DESC LIMIT 3 OFFSET 1
SELECT a FROM t OFFSET 1 LIMIT 2
SELECT a FROM t OFFSET 2 ROWS
SELECT a FROM t LIMIT 1 + 1
SELECT a FROM t ORDER BY a NULLS FIRST, b DESC NULLS LAST, c DESC NULLS FIRST, d NULLS LAST
SELECT 1 FROM t, u, w
SELECT 1 FROM t JOIN u ON t.a = u.a
SELECT 1 FROM t INNER JOIN u USING (a, b)
SELECT 1 FROM t LEFT JOIN u ON true LEFT OUTER JOIN w ON false
SELECT 1 FROM t RIGHT JOIN u ON true RIGHT OUTER JOIN w USING (a)
SELECT 1 FROM t FULL JOIN u ON true FULL OUTER JOIN w USING (a)
SELECT 1 FROM t CROSS JOIN u JOIN w ON true
SELECT 1 FROM t NATURAL JOIN u NATURAL LEFT JOIN w NATURAL INNER JOIN x
SELECT 1 FROM t JOIN u JOIN w ON true ON false
SELECT 1 FROM t JOIN u CROSS JOIN w ON true
SELECT 1 FROM t, u JOIN w ON true, x
SELECT 1 FROM (t JOIN u ON true) JOIN w ON false
SELECT 1 FROM t JOIN (u JOIN w ON true) ON false
SELECT 1 FROM t AS x(p, q), u y(p), u z
SELECT 1 FROM (SELECT a FROM t) x, (SELECT b FROM u) AS y(c), (SELECT 1)
SELECT 1 FROM ((SELECT a FROM t)) x
SELECT 1 FROM ((SELECT a FROM t) x JOIN u ON true)
SELECT 1 FROM (SELECT 1 FROM (SELECT 1 FROM t) x ORDER BY 1 LIMIT 1) y
SELECT 1 FROM 'x.parquet', 'a/*.csv' AS f
SELECT 1 FROM "T t" year, date last
SELECT year, month.day, set FROM values filter
SELECT x: a, y : b + 1 FROM t
"""  # noqa: E501


@pytest.mark.parametrize("text", QUERIES.strip().splitlines())
def test_query_is_duckdbs(text: str) -> None:
    assert_same(text)


BINARY = """
+ - * / // % ^ ** || = <> < <= > >= AND OR
"""
BETWEEN_OPERANDS = st.one_of(
    st.sampled_from(BINARY.split()).map(lambda sign: f" {sign} "),
    st.sampled_from(["::int + ", " IS NULL = ", " IS NOT TRUE AND ", " IS DISTINCT FROM "]),
    st.sampled_from([" LIKE ", " NOT ILIKE ", " BETWEEN b AND ", " NOT BETWEEN 1 + 2 AND "]),
    st.sampled_from([" IN (1, 2) AND ", " NOT IN (a) = ", " IS NOT DISTINCT FROM ", " = NOT "]),
)
OPERAND = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "", "", "-", "- -", "NOT ", "+"]),
        st.sampled_from(["a", "b", "1", "2.5", "'x'", "f(a)", "t.a", "(a OR b)", "NULL"]),
        st.sampled_from(["", "", "", "::int", " IS NULL", " ISNULL", " IN (3)"]),
    ),
)


TEST_IN_ARITHMETIC = re.compile(r"(NULL|TRUE|\)) ?(::|\|\||[-+*/%^]|(NOT )?(BETWEEN|I?LIKE|IN) )")
"""A test as an operand, `a IS NULL + 1`: DuckDB reads it, and no type makes sense of it."""


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(OPERAND, BETWEEN_OPERANDS), max_size=5), OPERAND)
def test_any_mix_of_operators_has_duckdbs_shape(pairs: list[tuple[str, str]], last: str) -> None:
    text = f"SELECT {''.join(map(''.join, pairs))}{last} FROM t"
    if duckdb_tree(text) is not None and not TEST_IN_ARITHMETIC.search(text):
        assert_same(text)


def words() -> list[str]:
    rows = connection().execute("SELECT DISTINCT keyword_name FROM duckdb_keywords()").fetchall()
    return sorted(word for (word,) in rows)


PLACES_OF_WORDS = (
    "SELECT {} FROM t",
    "SELECT a {} FROM t",
    "SELECT a AS {} FROM t",
    "SELECT 1 FROM {}",
    "SELECT 1 FROM t {}",
    "SELECT 1 FROM t AS {}",
    "SELECT {}(a, b, c) FROM t",
    "SELECT t.{} FROM t",
    "SELECT {}.a FROM t",
    "SELECT {}: a FROM t",
    "SELECT 1 FROM t JOIN u USING ({})",
    "SELECT 1 FROM t AS x({})",
)
NOT_OURS = {"between", "columns", "default", "except", "false", "intersect", "map", "null"}
NOT_OURS |= {"struct", "true", "try_cast", "union"}
"""Words that DuckDB takes for names where our grammar, or DuckDB itself, has a form of its own."""


@pytest.mark.parametrize("place", PLACES_OF_WORDS)
def test_words_are_names_where_duckdb_says_so(place: str) -> None:
    refused = []
    for word in words():
        text = place.format(word)
        expected = duckdb_tree(text)
        if expected is None or word in NOT_OURS:
            continue
        try:
            query = parse_one(text)
        except SqlSyntaxError:
            refused.append(word)
            continue
        if isinstance(query, ast.Select) and "Unsupported" not in repr(query):
            assert duckdb_tree(select(query)) == expected, text
    assert refused == []
