"""Queries over frames whose chunks are on two nodes each, while nodes and files get lost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import eau2
from eau2.errors import MissingError, NameExistsError, OperationalError, PeerLostError
from eau2.net.address import Address
from eau2.net.blocking import LoopThread
from eau2.net.connection import Answer
from eau2.net.message import NodeInfo, Number
from eau2.net.ring_message import GetRing
from eau2.net.server import Server
from eau2.net.stream import Received, Stream
from eau2.world import TcpNet
from tests.cluster import killed
from tests.cluster.nodes import InProcess, in_process
from tests.kills.partition import SAID_S, SLACK_S

ROWS, CHUNK_ROWS = 4_000, 100
TABLE = pa.table(
    {
        "a": pa.array(range(ROWS), pa.int64()),
        "s": pa.array([f"{n % 13:05}" * 300 for n in range(ROWS)]),
    }
)
SCAN = "SELECT a, s FROM t"
GROUP = "SELECT a % 7 AS g, count(*) AS n, sum(a) AS s, min(s) AS t FROM t GROUP BY g ORDER BY g"
JOIN = "SELECT t.a, u.b FROM t JOIN u ON t.a % 10 = u.b WHERE u.b > 3"
QUERIES = (SCAN, GROUP, JOIN, "SELECT a FROM t WHERE a % 3 = 0 LIMIT 500")


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[InProcess]:
    """Three nodes that hold t and u, with two copies of each chunk."""
    with in_process(3, data=tmp_path) as running:
        with eau2.connect(running.urls[0]) as connection:
            connection.sql(f"SET chunk_rows = {CHUNK_ROWS}")
            connection.put("t", TABLE)
            connection.put("u", pa.table({"b": list(range(10))}))
            assert all(len(c.locations) == 2 for c in connection.describe("t").chunks)
        yield running


@pytest.fixture(scope="module")
def wanted() -> dict[str, list[tuple[object, ...]]]:
    with eau2.connect() as connection:
        connection.sql(f"SET chunk_rows = {CHUNK_ROWS}")
        connection.put("t", TABLE)
        connection.put("u", pa.table({"b": list(range(10))}))
        return {query: rows(connection, query) for query in QUERIES}


def rows(connection: eau2.Connection, query: str) -> list[tuple[object, ...]]:
    found = connection.sql(query).fetchall()
    return sorted(found) if query == JOIN else found


def chunk_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.arrow"))


@pytest.mark.parametrize("query", QUERIES)
def test_a_node_stops_while_its_rows_are_read(
    nodes: InProcess, wanted: dict[str, list[tuple[object, ...]]], query: str
) -> None:
    with eau2.connect(nodes.urls[0]) as connection:
        batches = connection.stream(query)
        taken = [next(iter(batches))]
        nodes.thread.run(nodes.nodes[2].stop(0))
        taken += list(batches)
        found = [tuple(row.values()) for batch in taken for row in batch.to_pylist()]
        assert (sorted(found) if query == JOIN else found) == wanted[query]
        for again in QUERIES:
            assert rows(connection, again) == wanted[again]
        analyzed = connection.sql(f"EXPLAIN ANALYZE {GROUP}").fetchall()
        assert any("again after n3" in line for (line,) in analyzed), analyzed


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("damage", ["lost", "flipped", "cut"])
def test_chunks_that_a_node_has_lost_are_read_from_another(
    nodes: InProcess,
    wanted: dict[str, list[tuple[object, ...]]],
    tmp_path: Path,
    damage: str,
    place: int,
) -> None:
    files = chunk_files(tmp_path / f"n{place + 1}")
    assert len(files) > 20
    for path in files:
        if damage == "lost":
            path.unlink()
            continue
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data if damage == "flipped" else data[:-9])
    for url in nodes.urls[:2]:
        with eau2.connect(url) as connection:
            for query in QUERIES:
                assert rows(connection, query) == wanted[query]


def test_a_chunk_that_is_nowhere_is_named(nodes: InProcess, tmp_path: Path) -> None:
    with eau2.connect(nodes.urls[0]) as connection:
        gone = connection.describe("t").chunks[7].key
        for path in chunk_files(tmp_path):
            if path.parent.name == gone.df_id and path.stem == str(gone.number):
                path.unlink()
        with pytest.raises(MissingError) as raised:
            connection.sql(GROUP)
        assert f"chunk {gone.number} of {gone.df_id}" in raised.value.message
        assert all(f"node {node}" in raised.value.message for node in ("n1", "n2", "n3"))
        assert rows(connection, "SELECT count(*) FROM u") == [(10,)]


def test_two_of_three_nodes_are_too_many(nodes: InProcess) -> None:
    with eau2.connect(nodes.urls[0]) as connection:
        connection.sql(GROUP)
        for place in (1, 2):
            nodes.thread.run(nodes.nodes[place].stop(0))
        start = time.monotonic()
        with pytest.raises(OperationalError) as raised:
            connection.sql(GROUP)
        # Five seconds are promised; SLACK_S is for a busy machine.
        assert time.monotonic() - start < SAID_S + SLACK_S
        assert "n2" in raised.value.message
        assert "n3" in raised.value.message


def test_a_put_that_is_asked_for_again_at_another_node_is_done_once(nodes: InProcess) -> None:
    one, other = [eau2.connect(url) for url in nodes.urls[:2]]
    with one, other:
        one.put("v", TABLE, operation="load of monday")
        first = one.describe("v")
        nodes.thread.run(nodes.nodes[0].stop(0))
        other.put("v", TABLE, operation="load of monday")
        assert other.describe("v") == first
        with pytest.raises(NameExistsError):
            other.put("v", TABLE, operation="load of tuesday")
        other.put("v", TABLE, replace=True, operation="load of tuesday")
        assert other.describe("v").version == 2
        # What came between is not taken for what was asked for.
        with pytest.raises(NameExistsError):
            other.put("v", TABLE, operation="load of monday")
        assert rows(other, "SELECT count(*) FROM v") == [(ROWS,)]


def test_a_node_that_says_nothing_is_given_up_in_five_seconds() -> None:
    """Its process may be stopped: it takes what is sent and answers nothing, no ping either."""
    blocked, thread = threading.Event(), LoopThread()

    async def answer(received: Received, stream: Stream) -> Answer:
        if isinstance(received.message, NodeInfo):
            blocked.wait(20)
        return Number(1)

    async def start() -> tuple[Server, Address]:
        server = Server(answer, store_id="s", name="n2")
        return server, await server.start(Address("127.0.0.1", 0))

    async def ask(address: Address) -> float:
        net = TcpNet({"n2": address}, name="n1")
        try:
            first = await net.open("n2", GetRing(), deadline_s=60, end=True)
            assert await first.receive() is not None
            start = time.monotonic()
            talk = await net.open("n2", NodeInfo(), deadline_s=60, end=True)
            with pytest.raises(PeerLostError, match="n2"):
                await talk.receive()
            return time.monotonic() - start
        finally:
            net.close()

    server, address = thread.run(start())
    try:
        assert asyncio.run(ask(address)) < 5.5
    finally:
        blocked.set()
        thread.run(server.stop(0))
        thread.close()


def test_a_node_is_killed_in_the_middle_of_tpch_queries() -> None:
    """The short form of `python -m tests.cluster.killed`."""
    queries = ("q05", "q18")
    right = killed.expected("0.01", 4_096, queries)
    with killed.loaded("0.01", 4_096) as nodes:
        with eau2.connect(nodes.urls[0]) as connection:
            assert all(len(c.locations) == 2 for c in connection.describe("lineitem").chunks)
        found = list(killed.outcomes(nodes, queries, right))
    assert [done.words for done in found] == [None, None]
    assert all(done.added_s < killed.BOUND_S for done in found)
