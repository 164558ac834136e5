"""Keys that others determine: which they are, and that groups stay the same."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

import eau2

GROUPINGS = {
    "1, i": "i",
    "i, i + 1, 3 - i": "i",
    "i % 2, i": "i",
    "'a', s, upper(s), s || 'x'": "s",
    "i, s, s || CAST(i AS VARCHAR)": "i, s",
    "i, s, i + length(s)": None,
    "f, 1 / f": None,
    "f, f + 1, i": None,
    "v, CAST(v AS VARCHAR)": None,
    "l, len(l)": "l",
    "fl, fl[1]": None,
    "i + 1, i + 2": None,
    "i, CAST(s AS INTEGER)": None,
    "i, i + b": None,
    "1, 2": "the first, beside distinct values",
    "i, CASE WHEN i > 1 THEN 's' END": "i",
}
"""What is grouped by, and what is left of it; None where all is, as where something can raise."""


@pytest.fixture(scope="module")
def con() -> Iterator[eau2.Connection]:
    with eau2.connect() as con:
        con.execute("SET chunk_rows = 4")
        table = pa.table(
            {
                "i": pa.array([1, 2, None, 1, 2, None, 3], pa.int32()),
                "b": pa.array([1, 2, None, 1, 2, None, 2**40], pa.int64()),
                "s": ["1", "2", None, "1", "2", None, "1"],
                "f": [0.0, -0.0, None, float("nan"), 0.0, None, float("inf")],
                "l": [[1], [], None, [1], [], None, [None]],
                "fl": [[0.0], [-0.0], None, [1.0], [], None, [None]],
            }
        )
        con.put("rows", table)
        con.execute(
            "CREATE VIEW t AS SELECT *, CASE WHEN i = 1 THEN INTERVAL '1 month' "
            "ELSE INTERVAL '30 days' END AS v FROM rows"
        )
        yield con


@pytest.mark.parametrize("keys", GROUPINGS)
def test_same_groups(con: eau2.Connection, keys: str) -> None:
    sql = f"SELECT {keys}, count(*), count(DISTINCT s), sum(i) FROM t GROUP BY {keys} HAVING true"
    found = []
    for rule in ("on", "off"):
        con.execute(f"SET optimizer.reduce_keys = {rule}")
        found.append(sorted(map(repr, con.sql(sql).fetchall())))
    assert found[0] == found[1]
    con.execute("SET optimizer.reduce_keys = on")
    plan = "\n".join(row[0] for row in con.sql(f"EXPLAIN {sql}").fetchall())
    con.execute("SET optimizer.reduce_keys = off")
    before = "\n".join(row[0] for row in con.sql(f"EXPLAIN {sql}").fetchall())
    assert (plan == before) == (GROUPINGS[keys] is None), plan


def test_no_rows_are_no_groups(con: eau2.Connection) -> None:
    con.execute("SET optimizer.reduce_keys = on")
    for keys in ("1, 2", "1, i", "1"):
        sql = f"SELECT {keys}, count(*) FROM t WHERE i > 9 GROUP BY {keys}"
        assert con.sql(sql).fetchall() == []


def test_derived_keys_have_their_values(con: eau2.Connection) -> None:
    con.execute("SET optimizer.reduce_keys = on")
    sql = "SELECT i * 2, 'a', count(*), i FROM t GROUP BY ALL ORDER BY i"
    assert con.sql(sql).fetchall() == [
        (2, "a", 2, 1), (4, "a", 2, 2), (6, "a", 1, 3), (None, "a", 2, None),
    ]  # fmt: skip
