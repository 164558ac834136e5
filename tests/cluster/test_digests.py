"""The same query gives the same bits on any number of nodes, however its frames are cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random

import pyarrow as pa
import pytest

from tests.cluster.nodes import in_process
from tests.laws.test_reproducible import digest
from tests.oracle.fuzz import cases
from tests.oracle.sides import EauSide, NodesSide, Refusal, Setup
from tests.oracle.tables import Table

NODES = (1, 3, 5)
CHUNK_ROWS = (1, 7, 1000, None)
TASK_ROWS = 20
"""Small chunks are so many rows to a task, so that nodes have several tasks of a stage."""
BATCHES = range(2)
QUERIES = 10

Clusters = dict[int, tuple[str, ...]]
Chunkings = tuple[int | None, ...]


@dataclass(frozen=True)
class Rows:
    """A table of numbers that are hard to add up, for the sides of tests/oracle."""

    name: str
    count: int
    groups: int

    def arrow(self) -> pa.Table:
        random = Random(self.name)
        count, groups = self.count, self.groups
        return pa.table(
            {
                "k": pa.array([random.randrange(groups) for _ in range(count)], pa.int64()),
                "n": pa.array([random.choice((None, 1, 2, 3)) for _ in range(count)], pa.int32()),
                "x": [
                    random.uniform(-1, 1) * 10.0 ** random.randint(-12, 12) for _ in range(count)
                ],
                "s": [f"{random.random():.3f}" for _ in range(count)],
            }
        )


SMALL = (Rows("big", 110, 12), Rows("small", 30, 12), Rows("none", 0, 1))
LARGE = (Rows("big", 2500, 40), Rows("small", 60, 40), Rows("none", 0, 1))
WRITTEN = (
    "SELECT sum(x), avg(x), min(x), max(x), count(*) FROM big",
    "SELECT k, sum(x), avg(x), sum(x * n), count(n) FROM big GROUP BY k ORDER BY k",
    "SELECT k, sum(x) AS total FROM big GROUP BY k ORDER BY total DESC LIMIT 5",
    "SELECT k, sum(x) FROM big GROUP BY k",
    "SELECT DISTINCT n, k FROM big",
    "SELECT count(DISTINCT s), sum(DISTINCT n) FROM big",
    "SELECT * FROM big",
    "SELECT * FROM big LIMIT 17",
    "SELECT * FROM big LIMIT 17 OFFSET 103",
    "SELECT k, x FROM big WHERE x > 0 LIMIT 40 OFFSET 3",
    "SELECT * FROM big ORDER BY n, s LIMIT 100",
    "SELECT * FROM big ORDER BY n DESC NULLS LAST, k OFFSET 100",
    "SELECT n, k FROM big ORDER BY n",
    "SELECT b.k, s.k, b.x + s.x FROM big b JOIN small s ON b.k = s.k",
    "SELECT sum(b.x * s.x), count(*) FROM big b JOIN small s USING (k)",
    "SELECT s.k, sum(b.x) FROM small s LEFT JOIN big b ON s.k = b.k AND b.x > 1 GROUP BY s.k",
    "SELECT s.k, b.x FROM small s FULL JOIN big b USING (k) ORDER BY 1, 2 LIMIT 99",
    "SELECT count(*), sum(a.x - b.x) FROM small a, small b WHERE a.x < b.x",
    "SELECT k, sum(y) FROM (SELECT k, n, sum(x) AS y FROM big GROUP BY k, n) t GROUP BY k",
    "SELECT sum(x), min(k) FROM none",
    "SELECT * FROM none JOIN big USING (k)",
    "SELECT k, sum(x) FROM big WHERE k < 0 GROUP BY k",
    "SELECT CAST(s AS INTEGER) / n FROM big",
    "SELECT CAST('x' || s AS INTEGER) FROM big",
)


Tables = tuple[Table, ...] | tuple[Rows, ...]


@pytest.fixture(scope="module")
def clusters() -> Iterator[Clusters]:
    """Where the nodes of each cluster listen, by their number."""
    with ExitStack() as stack:
        yield {count: stack.enter_context(in_process(count)).urls for count in NODES}


def found(side: EauSide, queries: list[str]) -> list[str]:
    """The digest of each answer."""
    try:
        return [digest(side.run(sql)) for sql in queries]
    finally:
        side.close()


def differences(
    tables: Tables, queries: list[str], clusters: Clusters, chunkings: Chunkings = CHUNK_ROWS
) -> list[str]:
    """The queries that do not have one digest, and where they have another."""
    wanted = found(EauSide(tables, Setup()), queries)
    wrong = []
    for count, urls in clusters.items():
        for rows in chunkings:
            setup = Setup(rows, TASK_ROWS if rows is not None and rows < TASK_ROWS else None)
            actual = found(NodesSide(tables, setup, urls), queries)
            for sql, here, there in zip(queries, wanted, actual, strict=True):
                if here != there:
                    wrong.append(f"{count} nodes, chunks of {rows}: {sql}")
    return wrong


@pytest.mark.parametrize("batch", BATCHES)
def test_drawn_queries(batch: int, clusters: Clusters) -> None:
    drawn = list(cases("nodes", batch, QUERIES))
    assert not differences(drawn[0].tables, [case.query.sql for case in drawn], clusters)


@pytest.mark.parametrize(
    ("tables", "chunkings"), [(SMALL, (1, 7)), (LARGE, (1000, None))], ids=["small", "large"]
)
def test_written_queries(tables: Tables, chunkings: Chunkings, clusters: Clusters) -> None:
    assert not differences(tables, list(WRITTEN), clusters, chunkings)


@pytest.mark.parametrize("tables", [SMALL, LARGE], ids=["small", "large"])
def test_written_queries_have_answers(tables: Tables) -> None:
    side = EauSide(tables, Setup())
    answers = [side.run(sql) for sql in WRITTEN]
    side.close()
    assert [isinstance(answer, Refusal) for answer in answers] == [False] * 22 + [False, True]
    assert len({digest(answer) for answer in answers}) == len(WRITTEN)
