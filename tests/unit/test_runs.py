"""Groups by runs and by number are those that hashing finds, wherever buffers are cut."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eau2
from eau2.operators import dense, runs

QUERIES = (
    "SELECT k, sum(v), count(*), count(v), min(v), max(v), avg(v) FROM t GROUP BY k ORDER BY k",
    "SELECT k, sum(m), min(m), max(d) FROM t WHERE v >= 0 GROUP BY k ORDER BY k",
    "SELECT d, sum(v), count(*) FROM (SELECT d, v FROM t WHERE v <> 3) GROUP BY d ORDER BY d",
    "SELECT k, sum(v) FROM t GROUP BY k HAVING sum(v) > 10 ORDER BY k",
    "SELECT k, count(*), sum(v), sum(m), avg(m) FROM t GROUP BY k ORDER BY k",
    "SELECT k, count(v) FROM t WHERE m > 0 GROUP BY k ORDER BY k",
    "SELECT k, sum(big) FROM t GROUP BY k ORDER BY k",
)
ROW = st.tuples(
    st.integers(-3, 300),
    st.integers(-5, 100) | st.none(),
    st.integers(-(10**8), 10**8),
)


def table(rows: list[Any]) -> pa.Table:
    """Rows of a key, a value that may be NULL, and one that is not."""
    keys = pa.array([key for key, _, _ in rows], pa.int64())
    return pa.table(
        {
            "k": keys,
            "d": keys.cast(pa.int32()).cast(pa.date32()),
            "v": pa.array([value for _, value, _ in rows], pa.int64()),
            "m": pa.array([money for _, _, money in rows], pa.int64()).cast(pa.decimal128(19, 0)),
            "big": pa.array([2**62 - money for _, _, money in rows], pa.int64()),
        }
    )


@settings(deadline=None, max_examples=30)
@given(
    st.lists(ROW, min_size=1, max_size=60),
    st.integers(1, 20),
    st.sampled_from(["sorted", "as drawn", "close"]),
)
def test_groups_are_the_same(rows: list[Any], chunk: int, order: str) -> None:
    if order == "close":
        rows = [(key % 7, value, money) for key, value, money in rows]
    if order == "sorted":
        rows.sort(key=lambda row: row[0])
    answers = []
    for few in (0, 10**9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runs, "FEW_ROWS", few)
            patch.setattr(dense, "FEW_ROWS", few)
            patch.setattr(dense, "ROWS_PER_NUMBER", 1)
            connection = eau2.connect()
            connection.execute(f"SET chunk_rows = {chunk}")
            connection.register("t", table(rows))
            answers.append([connection.sql(query).fetchall() for query in QUERIES])
            connection.close()
    assert answers[0] == answers[1]


def test_rows_that_lie_together_are_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    reduced = runs._reduced

    def watched(*arguments: Any) -> Any:
        made = reduced(*arguments)
        seen.append(made is not None)
        return made

    monkeypatch.setattr(runs, "FEW_ROWS", 0)
    monkeypatch.setattr(runs, "_reduced", watched)
    connection = eau2.connect()
    connection.register("t", pa.table({"k": [1, 1, 2, 5], "v": [1, 2, 3, 4]}))
    groups = connection.sql("SELECT k, sum(v) FROM t GROUP BY k ORDER BY k").fetchall()
    assert groups == [(1, 3), (2, 3), (5, 4)]
    assert seen == [True]
    connection.register("t", pa.table({"k": [1, 1, 2, 5] * 2, "v": [1, 2, 3, 4] * 2}))
    groups = connection.sql("SELECT k, sum(v) FROM t GROUP BY k ORDER BY k").fetchall()
    assert groups == [(1, 6), (2, 6), (5, 8)]
    connection.close()


def test_counts_of_a_run_that_goes_on_in_the_next_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be NULL and never is has the same counts as the rows, but states of its own."""
    monkeypatch.setattr(runs, "FEW_ROWS", 0)
    counts = "count(*), count(CASE WHEN v > 0 THEN w END), count(CASE WHEN w > 0 THEN v END)"
    with eau2.connect() as connection:
        connection.execute("SET chunk_rows = 3")
        keys = [1, 1, 1, 1, 1, 2, 2, 2]
        connection.put("t", pa.table({"k": keys, "v": range(1, 9), "w": range(2, 10)}))
        found = connection.sql(f"SELECT k, {counts} FROM t GROUP BY k ORDER BY k").fetchall()
    assert found == [(1, 5, 5, 5), (2, 3, 3, 3)]


def test_close_numbers_are_counted_without_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    reduced = dense._reduced

    def watched(*arguments: Any) -> Any:
        made = reduced(*arguments)
        seen.append(made is not None)
        return made

    monkeypatch.setattr(dense, "FEW_ROWS", 0)
    monkeypatch.setattr(dense, "ROWS_PER_NUMBER", 1)
    monkeypatch.setattr(dense, "_reduced", watched)
    connection = eau2.connect()
    keys = [-3, 5, 2, -3, 5, 1, 0, -1, 5, 2]
    connection.register("t", pa.table({"k": keys, "v": [2**40 + n for n in range(10)]}))
    groups = connection.sql("SELECT k, sum(v) - 2**40 * count(*) AS s FROM t GROUP BY k ORDER BY k")
    assert [int(row[1]) for row in groups.fetchall()] == [3, 7, 6, 5, 11, 13]
    assert seen == [True]
    # Sums that doubles do not hold are made by hashing.
    connection.register("t", pa.table({"k": keys, "v": [2**52 + n for n in range(10)]}))
    assert connection.sql("SELECT sum(v) FROM t GROUP BY k HAVING k = 5").fetchall() == [
        (3 * 2**52 + 13,)
    ]
    assert seen == [True, False]
    connection.close()


def test_a_run_that_goes_on_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both counts of a run that goes on in the next chunk, where NULLs could be and are not."""
    monkeypatch.setattr(runs, "FEW_ROWS", 0)
    connection = eau2.connect()
    connection.execute("SET chunk_rows = 2")
    connection.register("t", pa.table({"k": [1, 1, 1, 2], "v": [1, 2, 3, None]}))
    query = "SELECT k, count(*), count(nullif(v, 9)), sum(v) FROM t WHERE v > 0 GROUP BY k"
    assert connection.sql(query).fetchall() == [(1, 3, 3, 6)]
    connection.close()


def test_narrow_arguments_give_the_types_of_the_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """By runs, and by hashing where rows turn out not to ascend."""
    monkeypatch.setattr(runs, "FEW_ROWS", 0)
    monkeypatch.setattr(runs, "_LOOK_ROWS", 2)
    days = pa.array([3, 1, 2, 9, 4], pa.int32()).cast(pa.date32())
    answers = []
    for keys in ([1, 1, 2, 2, 3], [1, 2, 1, 3, 2]):
        connection = eau2.connect()
        values = pa.array([100, 100, -100, 120, 7], pa.int64())
        connection.register("t", pa.table({"k": keys, "v": values, "d": days}))
        query = "SELECT k, sum(v), min(v), max(d), min(d), count(*) FROM t GROUP BY k ORDER BY k"
        answers.append([tuple(map(str, row)) for row in connection.sql(query).fetchall()])
        connection.close()
    assert answers == [
        [
            ("1", "200", "100", "1970-01-04", "1970-01-02", "2"),
            ("2", "20", "-100", "1970-01-10", "1970-01-03", "2"),
            ("3", "7", "7", "1970-01-05", "1970-01-05", "1"),
        ],
        [
            ("1", "0", "-100", "1970-01-04", "1970-01-03", "2"),
            ("2", "107", "7", "1970-01-05", "1970-01-02", "2"),
            ("3", "120", "120", "1970-01-10", "1970-01-10", "1"),
        ],
    ]
