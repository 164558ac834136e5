"""Nodes that fail in the middle of a query, over TCP: no row is lost and none comes twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa
import pytest

from eau2.catalog import ChunkKey, Frame
from eau2.cluster import Cluster
from eau2.engine import Engine
from eau2.errors import Error, MissingError, OutOfRangeError, PeerLostError
from eau2.frames import LocalFrames
from eau2.kernels.inline import InlineHost
from eau2.kv.store import Store
from eau2.net.arrow import decode_frame
from eau2.node import Node
from eau2.records import replace
from eau2.settings import Settings
from eau2.travel import Ended, Remote, RemoteTask, Report, Running, encoded
from tests.unit.test_cluster import NAMES, Nodes, SlowHost, SpreadFrames

ROWS = 500
WIDE = pa.table(
    {
        "n": pa.array(range(ROWS), pa.int64()),
        "k": pa.array([n % 7 for n in range(ROWS)], pa.int64()),
        "s": pa.array([chr(97 + n % 26) * 65_536 for n in range(ROWS)]),
    }
)
"""About 32 MiB: a task that gives all of it gives several payloads."""

SCAN = "SELECT n, s FROM wide"
JOIN = "SELECT w.n, w.s, d.m FROM wide w JOIN d ON w.k = d.k"
LISTS = "SELECT n, unnest([s, s]) AS s FROM wide"
GROUP = "SELECT k, count(*), sum(n) FROM wide GROUP BY k ORDER BY k"
QUERIES = (SCAN, SCAN + " WHERE n % 3 > 0 LIMIT 240", JOIN, LISTS, GROUP)


class PairedFrames(SpreadFrames):
    """Each chunk counts as held by a node and the next one. The first is not on the leading one."""

    def frame(self, name: str) -> Frame | None:
        found = super().frame(name)
        if found is None:
            return None
        chunks = tuple(
            replace(chunk, locations=(NAMES[(i + 1) % 3], NAMES[(i + 2) % 3]))
            for i, chunk in enumerate(found.chunks)
        )
        return replace(found, chunks=chunks)


@dataclass
class Faulty:
    """A way to nodes that breaks after so many payloads of a node's task, once or for good.

    reverses: a node's rows come in another order, as a larger join's may.
    """

    inner: Remote
    errors: dict[str, Error]
    payloads: int = 0
    once: bool = False
    reverses: str | None = None
    asked: list[RemoteTask] = field(default_factory=list)
    broken: set[tuple[int, int]] = field(default_factory=set)

    def start(
        self, task: RemoteTask, deadline_s: float, query: str, report: Report, waits: bool
    ) -> Running:
        self.asked.append(task)
        passed = 0
        breaks = task.node in self.errors and not (self.once and self.broken)
        held: list[memoryview] = []

        def one_by_one(said: memoryview | Exception | Ended) -> None:
            nonlocal passed
            if not breaks or passed < 0:
                report(said)
                return
            if passed == self.payloads or isinstance(said, Ended):
                passed = -1
                self.broken.add((task.stage, task.number))
                report(self.errors[task.node])
                # What comes late is not to be taken for anything.
                report(said)
                report(Ended(0.0, 0))
                return
            passed += 1
            report(said)

        def backwards(said: memoryview | Exception | Ended) -> None:
            if isinstance(said, memoryview):
                held.append(_reversed(said))
                running.taken()
                return
            for payload in reversed(held):
                one_by_one(payload)
            one_by_one(said)

        reverse = task.node == self.reverses
        running = self.inner.start(
            task, deadline_s, query, backwards if reverse else one_by_one, waits
        )
        return running


def _reversed(payload: memoryview) -> memoryview:
    ((_, buffers),) = encoded(decode_frame(payload).reverse())
    return memoryview(b"".join(bytes(buffer) for buffer in buffers))


@contextmanager
def three(chunk_rows: int = 250) -> Iterator[Nodes]:
    frames = PairedFrames(Store.open(None))
    frames.stored.put("wide", WIDE.schema, WIDE.to_batches(), chunk_rows=chunk_rows)
    small = pa.table({"k": list(range(7)), "m": list(range(7))})
    frames.stored.put("d", small.schema, small.to_batches(), chunk_rows=7)
    made = Nodes(frames, InlineHost())
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with three() as made:
        yield made


def engine(nodes: Nodes, way: Faulty) -> Engine:
    return Engine(nodes.frames, Cluster(nodes.cluster.home, way, 200), Settings())


def way_of(nodes: Nodes) -> Remote:
    assert nodes.cluster.peers is not None
    return nodes.cluster.peers


def alone(nodes: Nodes, sql: str) -> pl.DataFrame:
    frames = LocalFrames(nodes.frames.stored)
    single = Engine(frames, Cluster(Node("local", frames, InlineHost())), Settings())
    return single.run(sql).rows


def same(sql: str, found: pl.DataFrame, wanted: pl.DataFrame) -> None:
    if sql in (JOIN, LISTS):
        found, wanted = found.sort(found.columns[0]), wanted.sort(wanted.columns[0])
    assert found.equals(wanted)


@pytest.mark.parametrize("payloads", [0, 1, 2])
@pytest.mark.parametrize("node", NAMES[1:])
@pytest.mark.parametrize("sql", QUERIES)
def test_a_node_is_lost_and_its_rows_come_from_another(
    nodes: Nodes, sql: str, node: str, payloads: int
) -> None:
    lost = PeerLostError(f"the connection to {node} broke")
    way = Faulty(way_of(nodes), {node: lost}, payloads)
    same(sql, engine(nodes, way).run(sql).rows, alone(nodes, sql))
    assert way.broken or not any(task.node == node for task in way.asked)


@pytest.mark.parametrize("sql", [SCAN, JOIN])
def test_a_result_that_was_begun_goes_on_where_it_was(nodes: Nodes, sql: str) -> None:
    way = Faulty(way_of(nodes), {"n2": PeerLostError("n2 is gone")}, 2)
    batches = list(engine(nodes, way).stream(sql).batches)
    again = [task for task in way.asked if task.attempt]
    assert [(task.number, task.node) for task in again] == [(0, "n3")]
    assert again[0].holders == (("n2", "n3"),)
    same(sql, pl.concat(batches), alone(nodes, sql))


@pytest.mark.parametrize("payloads", [1, 2, 3])
def test_rows_in_another_order_neither_double_nor_get_lost(nodes: Nodes, payloads: int) -> None:
    """The node that is lost gave them in another order than the one that takes over."""
    way = Faulty(way_of(nodes), {"n2": PeerLostError("gone")}, payloads, reverses="n2")
    batches = engine(nodes, way).stream(LISTS).batches
    same(LISTS, pl.concat(list(batches)), alone(nodes, LISTS))
    assert way.broken


def test_where_no_order_is_promised_no_row_is_given_before_the_task_has_ended(
    nodes: Nodes,
) -> None:
    way = Faulty(way_of(nodes), {"n2": PeerLostError("gone")}, 2)
    ordered = engine(nodes, way).stream(SCAN).batches
    assert 0 < next(ordered).height < 250
    assert not any(task.attempt for task in way.asked)
    ordered.close()
    way = Faulty(way_of(nodes), {"n2": PeerLostError("gone")}, 2)
    batches = engine(nodes, way).stream(LISTS).batches
    next(batches)
    assert [task.node for task in way.asked if task.attempt] == ["n3"]
    batches.close()


def test_all_tasks_of_a_lost_node_move_with_the_first(nodes: Nodes) -> None:
    with three(chunk_rows=20) as many:
        way = Faulty(way_of(many), {"n2": PeerLostError("gone")}, once=True)
        found = engine(many, way).run("SELECT count(*), sum(n) FROM wide").rows
        assert found.row(0) == (ROWS, sum(range(ROWS)))
        assert len([task for task in way.asked if task.node == "n2"]) <= 4
        first = next(n for n, task in enumerate(way.asked) if task.attempt)
        assert not any(task.node == "n2" for task in way.asked[first:])


def test_where_every_node_fails_the_error_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(chunk: object, columns: object) -> pa.Table:
        raise MissingError("chunk 0 is not on this disk")

    with three(chunk_rows=ROWS) as made:
        lacks = MissingError("node n3: chunk 0 is not there")
        way = Faulty(way_of(made), {"n2": PeerLostError("n2 is gone"), "n3": lacks})
        monkeypatch.setattr(made.frames, "read", gone)
        with pytest.raises(PeerLostError) as raised:
            engine(made, way).run(GROUP)
    for words in ("failed at 3 nodes", "n2 is gone", "node n3: chunk 0", "node n1: chunk 0"):
        assert words in raised.value.message


def test_an_error_of_the_data_is_not_tried_again(nodes: Nodes) -> None:
    way = Faulty(way_of(nodes), {})
    with pytest.raises(OutOfRangeError):
        engine(nodes, way).run("SELECT sum(CAST(n AS BIGINT) * 9223372036854775807) FROM wide")
    assert not any(task.attempt for task in way.asked)


def test_a_node_whose_connections_break_is_replaced(nodes: Nodes) -> None:
    """As a killed process ends them, while the tasks run."""
    frames = nodes.frames
    made = Nodes(frames, SlowHost(0.8))
    try:
        threading.Timer(0.3, made.kill, ["n2"]).start()
        found = made.engine.run("EXPLAIN ANALYZE " + GROUP).rows.to_series().to_list()
        assert any("(1 again after n2)" in line and "[n" in line for line in found), found
        assert made.engine.run(GROUP).rows.equals(alone(nodes, GROUP))
    finally:
        made.close()


def test_a_leading_node_without_its_chunk_has_another_run_the_task(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunk 2 of three is first of all on n1."""
    with three(chunk_rows=200) as made:
        home = LocalFrames(made.frames.stored)

        def gone(key: ChunkKey, columns: tuple[str, ...]) -> pa.Table:
            raise MissingError("not on this disk")

        monkeypatch.setattr(home, "read", gone)
        way = Faulty(way_of(made), {})
        cluster = Cluster(Node("n1", home, InlineHost()), way, 200)
        found = Engine(made.frames, cluster, Settings()).run(GROUP).rows
        assert found.equals(alone(made, GROUP))
        assert [(task.node, task.attempt) for task in way.asked if task.attempt] == [("n2", 1)]
