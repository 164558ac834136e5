"""Filters on row numbers: the same rows whether or not the others go early."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import pyarrow as pa
import pytest

import eau2

ORDERS = (
    "f", "f DESC", "f NULLS FIRST", "f DESC NULLS FIRST", "i", "i DESC, f", "d DESC", "t",
    "i + 1 DESC", "m DESC",
)  # fmt: skip
PARTITIONS = (
    "",
    "PARTITION BY s",
    "PARTITION BY f",
    "PARTITION BY i % 2, s",
    "PARTITION BY k // 3",
)


def table() -> pa.Table:
    draw = random.Random(5)
    rows = 400
    floats = [None, math.nan, math.inf, -math.inf, 0.0, -0.0, 1.5, 2.5]
    return pa.table(
        {
            "k": pa.array(range(rows), pa.int64()),
            "s": pa.array([draw.choice([None, "", "a", "b"]) for _ in range(rows)]),
            "f": pa.array([draw.choice([*floats, draw.random()]) for _ in range(rows)]),
            "i": pa.array(
                [draw.choice([None, -1, 0, 1, 2**31 - 2]) for _ in range(rows)], pa.int32()
            ),
            "d": pa.array([draw.choice([None, 1, 2, 300]) for _ in range(rows)], pa.date32()),
            "t": pa.array([draw.choice([None, 5, 6]) for _ in range(rows)], pa.timestamp("us")),
            "m": pa.array([draw.choice([None, 1, 2]) for _ in range(rows)], pa.decimal128(9, 2)),
        }
    )


@pytest.fixture(scope="module")
def whole() -> Iterator[eau2.Connection]:
    """The table as one chunk."""
    with eau2.connect() as con:
        con.put("rows", table())
        yield con


@pytest.fixture(scope="module")
def cut() -> Iterator[eau2.Connection]:
    """The table as ten chunks."""
    with eau2.connect() as con:
        con.execute("SET chunk_rows = 40")
        con.put("rows", table())
        yield con


def answers(con: eau2.Connection, sql: str, rule: bool) -> list[str]:
    con.execute(f"SET optimizer.keep_first_rows = {'on' if rule else 'off'}")
    return sorted(map(repr, con.sql(sql).fetchall()))


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("order", ORDERS)
def test_same_rows(
    partition: str, order: str, whole: eau2.Connection, cut: eau2.Connection
) -> None:
    over = f"OVER ({partition} ORDER BY {order})"
    for number, bound in (
        ("row_number", "<= 2"), ("row_number", "= 1"), ("rank", "< 4"), ("row_number", "= 3"),
        ("row_number", "< 6"),
    ):  # fmt: skip
        sql = f"SELECT *, dense_rank() {over} FROM rows QUALIFY {number}() {over} {bound}"
        wanted = answers(whole, sql, rule=False)
        assert answers(whole, sql, rule=True) == wanted, sql
        assert answers(cut, sql, rule=True) == wanted, sql


def plan(con: eau2.Connection, sql: str) -> str:
    con.execute("SET optimizer.keep_first_rows = on")
    return "\n".join(row[0] for row in con.sql(f"EXPLAIN {sql}").fetchall())


def test_which_windows_are_asked_for_first_rows(whole: eau2.Connection) -> None:
    over = "OVER (PARTITION BY s ORDER BY i)"
    number = f"row_number() {over}"
    for asked in (f"{number} <= 2", f"2 >= {number}", f"i > 0 AND {number} < 3", f"{number} = 2"):
        assert "PartitionTop 2" in plan(whole, f"SELECT * FROM rows QUALIFY {asked}")
    for open_ in (
        f"{number} >= 2", f"{number} <= 0", f"{number} <= 1000", f"{number} <> 1",
        f"dense_rank() {over} <= 2", f"{number} <= 2 OR i = 0", f"{number} <= i",
        f"{number} <= 2 AND sum(i) {over} > 1", f"{number} <= 2 AND lead(i) {over} > 1",
        "row_number() OVER (PARTITION BY s ORDER BY s) <= 2",
        "row_number() OVER (PARTITION BY s) <= 2",
    ):  # fmt: skip
        assert "PartitionTop" not in plan(whole, f"SELECT * FROM rows QUALIFY {open_}"), open_


def test_limits_of_subqueries_are_such_filters(whole: eau2.Connection) -> None:
    sql = (
        "SELECT a.k, b.k FROM (SELECT 1 AS k, 'a' AS s) AS a, "
        "LATERAL (SELECT k FROM rows WHERE rows.s = a.s ORDER BY i, k LIMIT 2) AS b"
    )
    assert "PartitionTop 2" in plan(whole, sql)
    assert answers(whole, sql, rule=True) == answers(whole, sql, rule=False)


@pytest.mark.parametrize("order", ORDERS)
def test_first_of_all_rows(order: str, whole: eau2.Connection, cut: eau2.Connection) -> None:
    """A text among the keys: most rows are dropped by the first key before texts are compared."""
    for con in (whole, cut):
        sql = f"SELECT * FROM rows ORDER BY {order}, s DESC, k"
        rows = list(map(repr, con.sql(sql).fetchall()))
        for count, offset in ((1, 0), (5, 2), (350, 0), (3, 398), (0, 0)):
            found = con.sql(f"{sql} LIMIT {count} OFFSET {offset}").fetchall()
            assert list(map(repr, found)) == rows[offset : offset + count]
