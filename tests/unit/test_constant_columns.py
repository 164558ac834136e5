"""Constants that no rule has folded are columns: of as many rows as there are, also of none."""

from __future__ import annotations

import pytest

import eau2

CONSTANTS = (
    "1.5 IN (.5, 1.5, 2.5, 3.5)",
    "'a' NOT IN ('a', 'b', 'c', NULL)",
    "DATE '2020-01-01' IN (DATE '2020-01-01', DATE '2020-01-02', '2020-01-03', '2020-01-04')",
    "CASE WHEN 7 IN (1, 2, 3, 4) THEN 1 ELSE 2 END",
    "'a' LIKE '%b' OR upper('x') = 'X'",
)


@pytest.mark.parametrize("constant", CONSTANTS)
def test_beside_columns(constant: str) -> None:
    connection = eau2.connect()
    connection.execute("SET optimizer.fold_constants = off")
    connection.execute("CREATE TABLE none (a INTEGER)")
    connection.execute("CREATE TABLE two (a INTEGER)")
    connection.execute("INSERT INTO two VALUES (1), (2)")
    ((value,),) = connection.sql(f"SELECT {constant}").fetchall()
    sql = "SELECT {} AS x, a FROM {} ORDER BY a"
    assert connection.sql(sql.format(constant, "none")).fetchall() == []
    assert connection.sql(sql.format(constant, "two")).fetchall() == [(value, 1), (value, 2)]
    counted = f"SELECT count({constant}), count(a) FROM none"
    assert connection.sql(counted).fetchall() == [(0, 0)]
    connection.close()
