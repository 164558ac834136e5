"""The coordinator's hands over TCP: tasks on other nodes, their order, their errors, their end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import polars as pl
import pyarrow as pa
import pytest

from eau2.catalog import Frame
from eau2.cluster import Cluster
from eau2.engine import Engine
from eau2.errors import CancelledError, DeadlineError, OutOfRangeError
from eau2.frames import LocalFrames
from eau2.kernels.host import Cancel, ChunkFiles
from eau2.kernels.inline import InlineHost
from eau2.kernels.mixed import is_harmless
from eau2.kv.store import Store
from eau2.net.address import Address
from eau2.net.blocking import LoopThread
from eau2.net.connection import Connection
from eau2.net.server import Server
from eau2.node import Node
from eau2.operators.base import Operator
from eau2.peers import Peers
from eau2.records import replace
from eau2.settings import Settings
from eau2.tasks import TaskService
from eau2.world import TcpNet
from tests.oracle.sides import zones_of_rows

NAMES = ("n1", "n2", "n3")
ROWS = 1_000
TABLE = pa.table(
    {
        "k": pa.array([i % 7 for i in range(ROWS)], pa.int64()),
        "v": pa.array([i * 0.1 for i in range(ROWS)], pa.float64()),
        "s": pa.array([f"text {i % 11}" for i in range(ROWS)]),
    }
)


class SpreadFrames(LocalFrames):
    """The frames of one store, whose chunks count as held by two nodes each, in turn."""

    def frame(self, name: str) -> Frame | None:
        found = super().frame(name)
        if found is None:
            return None
        chunks = tuple(
            replace(chunk, locations=(NAMES[i % len(NAMES)], NAMES[(i + 1) % len(NAMES)]))
            for i, chunk in enumerate(found.chunks)
        )
        return replace(found, chunks=chunks)


class SlowHost(InlineHost):
    """Kernels that take their time, and can be ended meanwhile."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.cancelled = 0

    def run(
        self,
        fragment: Operator,
        chunks: pa.Table | ChunkFiles | None,
        stages: Mapping[int, pl.DataFrame],
        cancel: Cancel | None = None,
    ) -> pl.DataFrame:
        ended = threading.Event()
        assert cancel is not None
        take_back = cancel.on_cancel(ended.set)
        if ended.wait(self.seconds):
            self.cancelled += 1
            cancel.check()
        take_back()
        return super().run(fragment, chunks, stages)


class Nodes:
    """Three nodes over one store: n1 leads, the others are reached by TCP."""

    def __init__(self, frames: SpreadFrames, host: InlineHost) -> None:
        self.frames = frames
        self.host = host
        self.thread = LoopThread()
        self.pool = ThreadPoolExecutor(8)
        self.servers: dict[str, Server] = {}
        self.services: dict[str, TaskService] = {}
        addresses = {name: self.thread.run(self._start(name)) for name in NAMES[1:]}
        self.net = TcpNet(addresses, name="n1")
        loop = self.thread.run(_loop())
        self.cluster = Cluster(Node("n1", frames, InlineHost()), Peers(self.net, loop), 200)
        self.engine = Engine(frames, self.cluster, Settings())

    async def _start(self, name: str) -> Address:
        service = TaskService(Node(name, self.frames, self.host), self.pool)
        server = Server(service.answer, store_id="s", name=name)
        self.servers[name], self.services[name] = server, service
        return await server.start(Address("127.0.0.1", 0))

    def kill(self, name: str) -> None:
        """End a node's connections as a killed process does."""

        async def cut() -> None:
            connections: set[Connection] = self.servers[name]._connections
            for connection in list(connections):
                connection._channel.close(None)

        self.thread.run(cut())

    def close(self) -> None:
        async def stop() -> None:
            self.net.close()
            for server in self.servers.values():
                await server.stop(0.0)

        self.thread.run(stop())
        self.thread.close()
        self.pool.shutdown()


async def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


@contextmanager
def nodes(host: InlineHost | None = None) -> Iterator[Nodes]:
    frames = SpreadFrames(Store.open(None))
    for name, rows in (("t", 90), ("small", 3), ("one", ROWS)):
        frames.stored.put(name, TABLE.schema, TABLE.to_batches(), chunk_rows=rows)
    made = Nodes(frames, InlineHost() if host is None else host)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def three() -> Iterator[Nodes]:
    with nodes() as made:
        yield made


QUERIES = (
    "SELECT k, v, s FROM small",
    "SELECT s, k FROM t WHERE k < 3 LIMIT 17 OFFSET 5",
    "SELECT k, sum(v), count(*), min(s), avg(v) FROM small GROUP BY k ORDER BY k",
    "SELECT a.s, count(*), sum(b.v) FROM t a JOIN small b ON a.k = b.k GROUP BY a.s",
    "SELECT DISTINCT s FROM t ORDER BY s DESC LIMIT 4",
    "SELECT a.k, b.s FROM one a LEFT JOIN t b ON a.v = b.v AND b.k > 5 ORDER BY ALL LIMIT 20",
    "SELECT count(*) FROM t WHERE k > 100",
    "SELECT s FROM t WHERE k > 100",
    "SELECT 1 + 1",
)


@pytest.mark.parametrize("sql", [q for q in QUERIES if "ORDER BY ALL" not in q])
def test_the_answer_is_the_one_of_a_single_node(three: Nodes, sql: str) -> None:
    alone = Engine(three.frames, Cluster(Node("local", three.frames, InlineHost())), Settings())
    single = LocalFrames(three.frames.stored)
    alone = Engine(single, Cluster(Node("local", single, InlineHost())), Settings())
    expected, found = alone.run(sql), three.engine.run(sql)
    assert found.names == expected.names
    assert found.rows.equals(expected.rows)


def test_a_result_comes_in_batches_and_in_order(three: Nodes) -> None:
    batches = list(three.engine.stream("SELECT v FROM t").batches)
    assert len(batches) == 12
    assert pl.concat(batches).to_series().to_list() == TABLE.column("v").to_pylist()


def test_a_result_that_is_given_up_leaves_no_task(three: Nodes) -> None:
    batches = three.engine.stream("SELECT v FROM small").batches
    next(batches)
    batches.close()
    until = time.monotonic() + 2
    while any(service.running for service in three.services.values()):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_an_error_of_the_data_keeps_its_words(three: Nodes) -> None:
    with pytest.raises(OutOfRangeError) as raised:
        three.engine.run("SELECT CAST(k AS BIGINT) * 9223372036854775807 FROM t")
    assert "node" not in raised.value.message


def test_cancelling_ends_the_tasks_at_once() -> None:
    host = SlowHost(20.0)
    with nodes(host) as made:
        cancel = Cancel()
        # By then the tasks are under way, on a loaded machine too.
        threading.Timer(1.0, cancel.cancel).start()
        start = time.monotonic()
        with pytest.raises(CancelledError):
            made.engine.run("SELECT sum(v) FROM t", cancel=cancel)
        assert time.monotonic() - start < 2.0
        until = time.monotonic() + 1
        while any(service.running for service in made.services.values()):
            assert time.monotonic() < until
            time.sleep(0.01)
        assert host.cancelled


def test_a_deadline_ends_the_query() -> None:
    with nodes(SlowHost(20.0)) as made:
        start = time.monotonic()
        with pytest.raises(DeadlineError):
            made.engine.run("SELECT sum(v) FROM t", cancel=Cancel(0.3))
        assert time.monotonic() - start < 1.3


def test_the_tasks_of_a_node_that_dies_run_elsewhere() -> None:
    with nodes(SlowHost(0.6)) as made:
        threading.Timer(0.3, made.kill, ["n2"]).start()
        start = time.monotonic()
        assert made.engine.run("SELECT count(*) FROM t").rows.item() == ROWS
        assert time.monotonic() - start < 4


def test_what_joins_or_makes_text_runs_in_a_process(three: Nodes) -> None:
    def roots(sql: str) -> list[bool]:
        from eau2.sql import ast
        from eau2.sql.parser import parse

        (select,) = parse(sql)
        assert isinstance(select, ast.Select)
        return [is_harmless(stage.root) for stage in three.engine.plan(select).stages]

    assert all(roots("SELECT k, sum(v), min(s) FROM t WHERE k > 2 GROUP BY k ORDER BY k"))
    assert not all(roots("SELECT s || s FROM t"))
    assert not all(roots("SELECT a.k FROM t a, t b"))
    assert not all(roots("SELECT max(upper(s)) FROM t"))
    # A series makes rows from nothing.
    assert all(roots("SELECT sum(range) FROM range(1000)"))
    assert not all(roots("SELECT sum(range) FROM range(1000000)"))


def test_parts_of_chunks_are_left_out_at_other_nodes_too() -> None:
    with zones_of_rows(10), nodes() as three:
        three.engine.run("SET optimizer.zones = on")
        said = three.engine.run("EXPLAIN ANALYZE SELECT sum(v) FROM t WHERE v < 65").rows
        text = "\n".join(said.to_series(0).to_list())
        assert "[n2: 2 tasks, read 200 of 270 rows" in text
        sql = "SELECT count(*), sum(v) FROM t WHERE v BETWEEN 25 AND 33 OR v > 70"
        found = three.engine.run(sql).rows
        three.engine.run("SET optimizer.zones = off")
        assert found.equals(three.engine.run(sql).rows)
