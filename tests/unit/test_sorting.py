"""Rows put in order before they are stored: by load, by put, by a query."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eau2
from eau2.errors import UnknownColumnError, UsageError
from tests.oracle.sides import zones_of_rows

KEYS = st.none() | st.sampled_from([-math.inf, -1.0, -0.0, 0.0, 2.5, math.inf, math.nan])
TEXTS = st.none() | st.sampled_from(["", "a", "ab", "b", "é", "z" * 40])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(KEYS, TEXTS), max_size=20), st.booleans(), st.booleans())
def test_rows_are_in_order_and_equal_ones_as_they_came(
    rows: list[tuple[float | None, str | None]], several: bool, coded: bool
) -> None:
    texts = pa.array([text for _, text in rows], pa.string())
    table = pa.table(
        {
            "F": pa.array([key for key, _ in rows], pa.float64()),
            "s": texts.dictionary_encode() if coded else texts.cast(pa.string_view()),
            "row": range(len(rows)),
        }
    )
    with eau2.connect() as connection:
        connection.execute("SET chunk_rows = 7")
        connection.put("t", table, order_by=["f", "S"] if several else "f")
        found = connection.sql("SELECT row FROM t").fetchall()
        keys = "f, s, row" if several else "f, row"
        connection.register("r", table)
        assert found == connection.sql(f"SELECT row FROM r ORDER BY {keys}").fetchall()


def test_all_types_come_through(tmp_path: Path) -> None:
    table = pa.table(
        {
            "k": pa.array([2, None, 1], pa.int8()),
            "d": pa.array([1, 2, None], pa.date32()),
            "m": pa.array([1, 2, None], pa.decimal128(30, 2)),
            "l": pa.array([["a"], None, []], pa.list_(pa.string())),
            "i": pa.array([(1, 2, 3), None, (0, 0, 1)], pa.month_day_nano_interval()),
            "b": pa.array([True, None, False]),
        }
    )
    with eau2.connect(str(tmp_path)) as connection:
        connection.put("t", table, order_by="k")
        connection.put("u", table)
        by_hand = connection.sql("SELECT * FROM u ORDER BY k").to_arrow()
        assert connection.sql("SELECT * FROM t").to_arrow().equals(by_hand)


def test_what_orders_nothing_is_refused() -> None:
    table = pa.table({"a": [1], "l": [[1]]})
    with eau2.connect() as connection:
        with pytest.raises(UnknownColumnError, match='no column "b"'):
            connection.put("t", table, order_by="b")
        with pytest.raises(UsageError, match="BIGINT"):
            connection.put("t", table, order_by=["a", "l"])
        assert connection.tables() == ()


def test_a_table_keeps_the_order_of_its_query() -> None:
    with zones_of_rows(10), eau2.connect() as connection:
        connection.execute("SET chunk_rows = 50")
        sql = "SELECT (range * 7919) % 1000 AS k FROM range(1000) ORDER BY k DESC"
        connection.execute(f"CREATE TABLE t AS {sql}")
        found = [row[0] for row in connection.sql("SELECT k FROM t").fetchall()]
        assert found == sorted(found, reverse=True)
        lines = connection.sql("EXPLAIN ANALYZE SELECT sum(k) FROM t WHERE k BETWEEN 500 AND 505")
        assert any("read 10 of 50 rows" in line for (line,) in lines.fetchall())
