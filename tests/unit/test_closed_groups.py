"""Closed groups: groups whose rows lie with one task are finished there, and nothing shows it."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eau2.cluster import Cluster
from eau2.embedded import EmbeddedBackend
from eau2.execution import Prepared
from eau2.planner import closed_groups
from eau2.planner.closed_groups import shared

ROWS = 200
RANGES = st.lists(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 4)), min_size=1, max_size=3),
    min_size=1,
    max_size=4,
)


@given(RANGES)
def test_shared_values_are_those_of_several_tasks(drawn: list[list[tuple[int, int]]]) -> None:
    tasks = [[(low, low + more) for low, more in ranges] for ranges in drawn]
    holders = {
        value: sum(any(low <= value <= high for low, high in ranges) for ranges in tasks)
        for value in range(-12, 16)
    }
    found = shared(tasks)
    assert found == sorted(found)
    inside = [value for low, high in found for value in range(low, high + 1)]
    assert inside == [value for value, count in holders.items() if count > 1]


def run(table: pa.Table, sql: str, several: bool) -> tuple[object, list[Prepared]]:
    """The rows of a statement, or its error, from tasks of two chunks or from one; what ran."""
    backend = EmbeddedBackend(None, None, None)
    if several:
        backend.run("SET chunk_rows = 10", None, None)
        backend.engine.moved(Cluster(backend.cluster.home, run_rows=20))
    ran: list[Prepared] = []
    cluster = backend.engine._cluster
    prepare: Callable[..., Prepared] = cluster.prepare

    def watched(*arguments: object) -> Prepared:
        ran.append(prepare(*arguments))
        return ran[-1]

    cluster.prepare = watched  # type: ignore[method-assign,assignment]
    backend.register("t", table.schema, iter(table.to_batches()))
    try:
        rows: object = backend.run(sql, None, None).fetchall()
    except Exception as error:
        rows = type(error)
    backend.close()
    return rows, ran


def closed(ran: list[Prepared]) -> bool:
    """Whether groups were finished by several tasks."""
    return any(
        "merged=True" in repr(prepared.fragments[stage].root) and len(tasks) > 1
        for prepared in ran
        for stage, tasks in prepared.tasks.items()
    )


def ascending(count: int = ROWS) -> pa.Table:
    """Three to four rows of a key, from negative ones on, so that chunks share keys."""
    return pa.table(
        {
            "k": [n * 3 // 11 - 20 for n in range(count)],
            "d": pa.array([n * 3 // 11 - 20 for n in range(count)], pa.int32()).cast(pa.date32()),
            "x": [None if n % 7 == 0 else n * 37 % 101 for n in range(count)],
            "f": [n / 7 for n in range(count)],
            "s": [str(n % 5) for n in range(count)],
            "big": [(1 if n % 2 else -1) * (1 << 62) for n in range(count)],
        }
    )


@pytest.fixture(autouse=True)
def few_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_groups, "FEW_GROUPS", 1)
    monkeypatch.setattr(closed_groups, "OPEN_SHARE", 1.0)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT k, sum(x), avg(f), min(s), count(*) FROM t GROUP BY k ORDER BY k",
        "SELECT d, sum(f) FROM t GROUP BY d HAVING sum(x) > 150 ORDER BY d",
        "SELECT sum(n) FROM (SELECT s, k, count(x) AS n FROM t WHERE x > 3 GROUP BY k, s) AS q",
        "SELECT k + 1, 2 * max(x) FROM t WHERE k < 7 GROUP BY k ORDER BY 2 DESC, 1 LIMIT 5",
        "SELECT DISTINCT k FROM t ORDER BY k",
        "SELECT count(*) FROM t AS a WHERE k IN (SELECT k FROM t GROUP BY k HAVING sum(x) > 150)",
        "SELECT k, count(DISTINCT s), stddev(f) FROM t GROUP BY k ORDER BY k",
        "SELECT k, sum(x) FROM t WHERE k > 1000 GROUP BY k",
        "SELECT k, CAST(sum(big) AS BIGINT) FROM t WHERE k = -17 GROUP BY k",
        "SELECT k FROM t GROUP BY k HAVING CAST(sum(big) / (1 << 62) AS TINYINT) > 0 ORDER BY k",
    ],
)
def test_the_rows_are_the_same(sql: str) -> None:
    wanted, _ = run(ascending(), sql, several=False)
    rows, ran = run(ascending(), sql, several=True)
    assert rows == wanted
    assert "1000" in sql or "-17" in sql or closed(ran)


def test_a_half_of_a_group_is_never_finished() -> None:
    # Ten rows of a key lie in one chunk and ten in the next; HUGEINT holds the sum of all alone.
    signs = [0 if n < 20 else 1 if n % 20 < 10 else -1 for n in range(10, ROWS)]
    table = pa.table({"k": [n // 20 for n in range(10, ROWS)], "v": signs})
    value = "CAST(v AS HUGEINT) * 100000000000000000000000000000000000000"
    sql = f"SELECT k, sum({value}) FROM t GROUP BY k ORDER BY k"
    wanted, _ = run(table, sql, several=False)
    rows, ran = run(table, sql, several=True)
    assert rows == wanted == [(key, 0) for key in range(10)]
    assert closed(ran)


@pytest.mark.parametrize(
    "keys",
    [
        [None if n == 50 else n // 2 for n in range(ROWS)],
        [None] * ROWS,
        [n % 2 for n in range(ROWS)],
        [str(n) for n in range(ROWS)],
        [n / 2 for n in range(ROWS)],
    ],
)
def test_keys_that_may_lie_anywhere_are_merged(
    keys: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closed_groups, "OPEN_SHARE", 0.5)
    table = pa.table({"k": pa.array(keys), "x": list(range(ROWS))})
    sql = "SELECT k, sum(x) FROM t GROUP BY k ORDER BY k"
    rows, ran = run(table, sql, several=True)
    assert rows == run(table, sql, several=False)[0]
    assert not closed(ran)


def test_few_groups_are_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_groups, "FEW_GROUPS", ROWS)
    assert not closed(run(ascending(), "SELECT k, sum(x) FROM t GROUP BY k", several=True)[1])


def test_without_open_groups_there_is_no_further_stage() -> None:
    table = pa.table({"k": list(range(ROWS)), "x": [1] * ROWS})
    rows, ran = run(table, "SELECT k, sum(x) FROM t GROUP BY k ORDER BY k", several=True)
    assert rows == [(n, 1) for n in range(ROWS)]
    (prepared,) = ran
    assert [len(prepared.tasks[stage.id]) for stage in prepared.plan.stages] == [10, 1]
