"""Whether a row is in a pair, where the comparison reads columns of one side alone."""

from __future__ import annotations

from itertools import product

import duckdb
import pytest

import eau2


@pytest.mark.parametrize("inner", ["", "(1)", "(NULL)", "(1), (2)"])
def test_conditions_on_the_outer_row_need_a_row_inside(inner: str) -> None:
    """A constant has a least value also where there is no row."""
    with eau2.connect() as connection:
        other = duckdb.connect()
        for each in (connection, other):
            each.execute("CREATE TABLE t (a INTEGER)")
            each.execute("INSERT INTO t VALUES (1), (5), (9), (NULL)")
            each.execute("CREATE TABLE u (k INTEGER)")
            if inner:
                each.execute(f"INSERT INTO u VALUES {inner}")
        for operator, turned, word in product(("<", "<=", ">=", "<>"), (0, 1), ("", "NOT ")):
            condition = f"5 {operator} t.a" if turned else f"t.a {operator} 5"
            exists = f"{word}EXISTS (SELECT 1 FROM u WHERE {condition})"
            for query in (
                f"SELECT a FROM t WHERE {exists} ORDER BY a NULLS LAST",
                f"SELECT a, CASE WHEN {exists} THEN 1 ELSE 2 END FROM t ORDER BY a NULLS LAST",
            ):
                assert connection.sql(query).fetchall() == other.sql(query).fetchall(), query
