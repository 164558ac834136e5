"""The 22 queries equal DuckDB row for row, here and on nodes, on any chunking, with one digest.

Chunks of one row are tried on the smallest scale here; `python -m tests.tpch.check` does it all.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pyarrow as pa
import pytest

import eau2
from tests.cluster.nodes import Processes
from tests.tpch import data
from tests.tpch.check import answers, connect, digest, disagreement, spread

CHUNKINGS = (("0.001", 1), ("0.001", 7), ("0.01", 7), ("0.01", 65_536), ("0.1", 65_536))
DIGESTS: dict[tuple[str, str], str] = {}


@functools.cache
def expected(scale: str) -> dict[str, pa.Table]:
    """DuckDB's answers by query."""
    return answers(scale)


@pytest.fixture(scope="module", params=CHUNKINGS, ids=lambda pair: f"sf{pair[0]}, {pair[1]}")
def loaded(request: pytest.FixtureRequest) -> Iterator[tuple[str, eau2.Connection]]:
    """eau2 with the tables of a scale, cut into chunks."""
    scale, chunk_rows = request.param
    with connect(scale, chunk_rows) as connection:
        yield scale, connection


@pytest.fixture(scope="module")
def on_processes(three_processes: Processes) -> Iterator[eau2.Connection]:
    """Three processes with the tables of scale 0.1, each table on all of them."""
    with spread("0.1", 20_000, three_processes.urls) as connection:
        yield connection


@pytest.mark.parametrize("query", data.QUERIES)
def test_query(query: str, loaded: tuple[str, eau2.Connection]) -> None:
    check(query, *loaded)


@pytest.mark.parametrize("query", data.QUERIES)
def test_query_on_three_processes(query: str, on_processes: eau2.Connection) -> None:
    check(query, "0.1", on_processes)


def check(query: str, scale: str, connection: eau2.Connection) -> None:
    wanted = expected(scale)[query]
    actual = connection.sql(data.text(query)).to_arrow()
    assert wanted.num_rows > 0 or scale == "0.001"
    assert disagreement(query, wanted, actual) is None
    assert DIGESTS.setdefault((scale, query), digest(actual)) == digest(actual)
