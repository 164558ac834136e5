"""Where the streaming engine panics, the in-memory one gives the rows."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import pytest

import eau2
from eau2.config import LIMITS
from eau2.kernels import runner
from eau2.operators import merging
from eau2.records import replace

EMPTY = (
    "CREATE TABLE ta (s VARCHAR, a1 BOOLEAN)",
    "CREATE TABLE tc (s VARCHAR, c2 BOOLEAN, c0 VARCHAR)",
)
OFF = ("fold_constants", "prove_ranges", "reduce_inputs", "merge_projections", "trim_sorts")
PANICS = (
    "WITH w0 AS (SELECT quantile_disc('a', 0.5) AS a1 FROM ta AS x1) "
    "SELECT 1 AS r2 FROM tc AS x2 RIGHT JOIN tc AS x3 ON true CROSS JOIN LATERAL ("
    "SELECT 'a' AS v0 FROM w0 AS x4 WHERE ((x4.a1 = x3.c0) AND (true != x2.c2)) "
    "ORDER BY 1 NULLS FIRST LIMIT 2) AS x5"
)


@pytest.fixture
def connection() -> Iterator[eau2.Connection]:
    """A connection whose kernels all use the streaming engine."""
    always = replace(LIMITS, in_memory_engine_rows=-1)
    with patch.object(runner, "LIMITS", always), patch.object(merging, "LIMITS", always):
        connection = eau2.connect()
        for rule in OFF:
            connection.execute(f"SET optimizer.{rule} = off")
        yield connection
        connection.close()


def test_joins_of_empty_inputs(connection: eau2.Connection) -> None:
    for sql in EMPTY:
        connection.execute(sql)
    assert connection.sql(PANICS).fetchall() == []


def test_errors_in_the_data_are_still_errors(connection: eau2.Connection) -> None:
    with pytest.raises(eau2.DataError):
        connection.sql("SELECT CAST(s AS INTEGER) FROM (VALUES ('1'), ('x')) v(s)").fetchall()
