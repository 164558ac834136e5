"""EXPLAIN ANALYZE: the figures are those of the run."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest

import eau2
from eau2.analyze import analyzed
from eau2.operators.expr import Column
from eau2.operators.scan import StageInput
from eau2.operators.values import OneRow
from eau2.planner.physical import Plan, Stage
from eau2.travel import TaskReport
from eau2.types import BIGINT


@pytest.fixture
def connection() -> eau2.Connection:
    connection = eau2.connect()
    connection.execute("SET chunk_rows = 1000")
    connection.register("t", pa.table({"a": range(10_000), "b": [n % 7 for n in range(10_000)]}))
    connection.register("d", pa.table({"b": range(7), "n": [str(n) for n in range(7)]}))
    return connection


def lines(connection: eau2.Connection, sql: str) -> list[str]:
    return [line for (line,) in connection.sql(f"EXPLAIN ANALYZE {sql}").fetchall()]


def test_rows_chunks_and_nodes_are_those_of_the_run(connection: eau2.Connection) -> None:
    found = lines(connection, "SELECT n, sum(a) FROM t JOIN d USING (b) WHERE a >= 5000 GROUP BY n")
    text = "\n".join(found)
    assert re.match(r"total: \d+\.\d\d ms", found[0])
    assert "stage 2: at 5 of 10 chunks of t (5 pruned or not needed): 7 rows," in text
    assert "[local: 1 task, read 5,000 rows in " in text
    assert "stage 0: at 1 of 1 chunk of d: 7 rows, " in text
    assert text.index("stage 2") < text.index("stage 0")
    assert "stage 1" not in text


def test_a_failing_statement_fails(connection: eau2.Connection) -> None:
    with pytest.raises(eau2.DataError):
        connection.sql("EXPLAIN ANALYZE SELECT CAST(n AS DATE) FROM d")
    with pytest.raises(eau2.ProgrammingError):
        connection.sql("EXPLAIN ANALYZE SELECT x FROM d")


def test_skew_and_stages_that_are_read_twice() -> None:
    column = Column(1, "a", BIGINT)
    stages = (
        Stage(0, OneRow(), None, ()),
        Stage(1, StageInput(0, (column,)), None, (0,)),
        Stage(2, StageInput(1, (column,)), None, (1, 0)),
    )
    reports = [
        TaskReport(2, 0, "n1", 0, 0, 0, 0, 10, 2048, 0.001),
        TaskReport(2, 1, "n2", 0, 0, 0, 0, 30, 2048, 0.003),
    ]
    text = analyzed(Plan(stages, (column,), ("a",)), reports, 1.5)
    assert text.splitlines()[0] == "total: 1.50 s"
    assert "stage 2: once: 40 rows, 4.0 KiB, 4.00 ms, skew 1.5" in text
    assert "[n1: 1 task, gave 10 rows in 1.00 ms]" in text
    assert "[n2: 1 task, gave 30 rows in 3.00 ms]" in text
    assert text.count("stage 0: once") == 1
    assert "stage 0: as above" in text
