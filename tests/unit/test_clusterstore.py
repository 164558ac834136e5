"""A store over three nodes of this process, as the engine's threads use it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
import xxhash

from eau2.catalog import Frame, FrameSchema
from eau2.config import ControlLimits
from eau2.errors import (
    CancelledError,
    DataError,
    InterfaceError,
    MissingError,
    NameExistsError,
    NotSupportedError,
    OperationalError,
    TooFewCopiesError,
    UsageError,
)
from eau2.kv.acceptor import Acceptor
from eau2.kv.clusterstore import ClusterStore
from eau2.kv.coordinator import Coordinator
from eau2.kv.copies import SealedChunk
from eau2.kv.liveness import Health
from eau2.kv.membership import Membership
from eau2.kv.nodechunks import NodeChunks
from eau2.kv.quorum import Quorum
from eau2.kv.register_store import SqliteRegisterStore
from eau2.kv.registers import QuorumRegistry
from eau2.kv.registry import Entry
from eau2.kv.service import Service
from eau2.kv.store import Store
from eau2.kv.survey import Survey
from eau2.net.address import Address
from eau2.net.connection import Answer
from eau2.net.ring_message import Member
from eau2.net.ring_message import Ring as Nodes
from eau2.net.server import Server
from eau2.net.stream import Received, Stream
from eau2.records import replace
from eau2.world import FileDisk, LoopClock, SystemIds, SystemRng, TcpNet, World
from tests.unit.answering import answers

TABLE = pa.table(
    {
        "a": range(10),
        "s": [None if i == 3 else f"a text that is not short, number {i}" for i in range(10)],
    }
)
LIMITS = ControlLimits(change_s=1.0, publish_s=1.0, register_s=1.0, chunk_s=2.0)
NAMES = ("n1", "n2", "n3")
MEMBERSHIP = Membership(NAMES, NAMES[:1])


@dataclass(slots=True)
class Ring:
    """Three nodes on loopback; `stores` are theirs."""

    loop: asyncio.AbstractEventLoop
    folder: Path
    stores: list[ClusterStore]
    servers: list[Server]
    services: list[Service]
    nets: list[TcpNet]
    voter: Acceptor

    def on_disk(self, pattern: str = "*.arrow") -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob(pattern))

    def entry(self, name: str) -> Entry | None:
        """What the register of a name holds."""
        work = _coordinator(self.stores[0]).registers.read(name)
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def settle(self) -> None:
        """Wait until what was dropped is deleted."""
        for store in self.stores:
            asyncio.run_coroutine_threadsafe(_coordinator(store).settle(), self.loop).result(10)


def _coordinator(store: ClusterStore) -> Coordinator:
    return store._coordinator


def _survey(world: World) -> Survey:
    members = tuple(Member(name, name, "127.0.0.1:1") for name in NAMES)
    return Survey(world, lambda: Nodes("s", 1, members, MEMBERSHIP.voters), lambda _: Health.UP)


async def _start(folder: Path) -> Ring:
    addresses: dict[str, Address] = {}
    loop = asyncio.get_running_loop()
    voter = Acceptor("n1", SqliteRegisterStore(folder / "registers", make=True))
    ring = Ring(loop, folder, [], [], [], [], voter)
    for name in NAMES:
        root = folder / name
        root.mkdir()
        net = TcpNet({}, name=name, store_id="s")
        world = World(LoopClock(), SystemRng(), SystemIds(), net, FileDisk(root))
        chunks = NodeChunks(root / "chunks", name)
        local = voter if name == "n1" else None
        service = Service(name, world, in_use=chunks.in_use, deleted=chunks.forget)
        await service.start()
        server = Server(answers(service, local), name=name, store_id="s")
        addresses[name] = await server.start(Address("127.0.0.1", 0))
        registers = QuorumRegistry(Quorum(name, world, MEMBERSHIP.voters, local, LIMITS))
        coordinator = Coordinator(name, world, registers, MEMBERSHIP, LIMITS)
        ring.stores.append(ClusterStore(coordinator, chunks, loop, _survey(world)))
        ring.servers.append(server)
        ring.services.append(service)
        ring.nets.append(net)
    for net in ring.nets:
        net.update(addresses)
    return ring


async def _stop(ring: Ring) -> None:
    for net in ring.nets:
        net.close()
    for server in ring.servers:
        await server.stop(0)


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Ring]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    made = asyncio.run_coroutine_threadsafe(_start(tmp_path), loop).result(10)
    try:
        yield made
    finally:
        if loop.is_running():
            asyncio.run_coroutine_threadsafe(_stop(made), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
        made.voter.store.close()


def put(store: ClusterStore, name: str, table: pa.Table = TABLE, chunk_rows: int = 3) -> Frame:
    return store.put(name, table.schema, table.to_batches(), chunk_rows=chunk_rows, replace=True)


def rows(store: ClusterStore, frame: Frame | None) -> pa.Table:
    assert frame is not None
    names = tuple(column.name for column in frame.schema.columns)
    return pa.concat_tables([store.read(ref, names) for ref in frame.chunks])


@pytest.mark.parametrize("taker", [0, 1, 2])
def test_what_one_node_takes_all_nodes_give(ring: Ring, taker: int) -> None:
    frame = put(ring.stores[taker], "T")
    expected = [(NAMES[(taker + n) % 3], NAMES[(taker + n + 1) % 3]) for n in range(4)]
    assert [ref.locations for ref in frame.chunks] == expected
    for store in ring.stores:
        assert store.get("t") == frame
        assert store.names() == ("T",)
        assert rows(store, frame).to_pydict() == TABLE.to_pydict()
        assert store.epoch() == ring.voter.fingerprint()
    held = [store.holds(frame.chunks[0].key) for store in ring.stores]
    assert held == [number in (taker, (taker + 1) % 3) for number in range(3)]
    paths = [store.chunk_file(frame.chunks[0]) for store in ring.stores]
    assert [path is not None for path in paths] == held
    assert os.path.isabs(paths[taker] or "")


def test_the_frame_is_the_one_that_a_store_of_one_process_makes(ring: Ring) -> None:
    big = pa.table(
        {
            "i": pa.array(range(200_000), pa.int64()),
            "b": [i % 3 == 0 if i % 5 else None for i in range(200_000)],
            "s": [f"number {i % 1000} of some thousands" for i in range(200_000)],
        }
    )
    store = Store.open(None)
    for chunk_rows in (7_777, 150_000, 1_000_000):
        alone = store.put("t", big.schema, big.to_batches(), chunk_rows=chunk_rows, replace=True)
        frame = put(ring.stores[1], "t", big, chunk_rows)
        assert frame.schema == alone.schema
        assert frame.statistics == alone.statistics
        for ours, theirs in zip(frame.chunks, alone.chunks, strict=True):
            same = replace(theirs, key=ours.key, locations=ours.locations, slot=ours.slot)
            assert ours == replace(same, slots=3)
    store.close()


def test_no_rows_are_one_empty_chunk(ring: Ring) -> None:
    frame = put(ring.stores[0], "t", TABLE.slice(0, 0))
    assert [ref.rows for ref in frame.chunks] == [0]
    assert rows(ring.stores[2], frame).column_names == ["a", "s"]


def test_names_that_exist_are_kept_and_their_rows_not_even_read(ring: Ring) -> None:
    first = put(ring.stores[0], "t")

    never = Failing(AssertionError("it was read"), 0)
    with pytest.raises(NameExistsError, match='"t" exists already'):
        ring.stores[1].put("T", TABLE.schema, never)
    assert ring.stores[2].get("t") == first
    epoch = ring.stores[1].epoch()
    second = put(ring.stores[1], "t")
    assert (first.version, second.version) == (1, 2)
    assert ring.stores[1].epoch() != epoch
    ring.settle()
    assert len(ring.on_disk()) == 8


def test_drop_is_seen_everywhere(ring: Ring) -> None:
    frame = put(ring.stores[0], "t")
    assert not ring.stores[1].drop("u")
    assert ring.stores[1].drop("T")
    assert not ring.stores[2].drop("t")
    assert [store.get("t") for store in ring.stores] == [None] * 3
    ring.settle()
    assert ring.on_disk() == []
    for store in ring.stores:
        with pytest.raises(MissingError, match=r"(?s)not on node.*run the statement again"):
            store.read(frame.chunks[0], ("a",))
        assert store.chunk_file(frame.chunks[0]) is None


class Failing:
    """Batches that end in an exception after so many."""

    def __init__(self, error: BaseException, batches: int) -> None:
        self.error = error
        self.batches = batches

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for _ in range(self.batches):
            yield TABLE.to_batches()[0]
        raise self.error


@pytest.mark.parametrize("batches", [0, 1, 5])
@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), ValueError("odd"), DataError("bad"), GeneratorExit()]
)
def test_a_source_that_fails_changes_nothing(
    ring: Ring, error: BaseException, batches: int
) -> None:
    before = put(ring.stores[0], "t")
    source = Failing(error, batches)
    with pytest.raises(type(error)):
        ring.stores[0].put("t", TABLE.schema, source, chunk_rows=3, replace=True)
    with pytest.raises(type(error)):
        ring.stores[0].put("new", TABLE.schema, Failing(error, batches), chunk_rows=3)
    assert (ring.stores[0].get("t"), ring.stores[0].get("new")) == (before, None)
    ring.settle()
    assert len(ring.on_disk()) == 8
    assert put(ring.stores[0], "new").rows == 10


def test_arguments_are_checked_before_anything_is_asked(ring: Ring) -> None:
    store = ring.stores[0]
    with pytest.raises(UsageError, match="cannot be the name"):
        put(store, "a b")
    with pytest.raises(UsageError, match="chunk_rows must be"):
        put(store, "t", chunk_rows=0)
    with pytest.raises(DataError, match="no columns"):
        put(store, "t", pa.table({}))
    with pytest.raises(NotSupportedError):
        put(store, "t", pa.table({"l": [{"x": 1}]}))
    assert ring.voter.store.page("", 9) == ((), False)


def test_a_node_that_is_gone_is_replaced_by_the_next(ring: Ring) -> None:
    before = put(ring.stores[0], "t")
    asyncio.run_coroutine_threadsafe(ring.servers[2].stop(0), ring.loop).result(10)
    began = time.monotonic()
    after = put(ring.stores[0], "u")
    assert time.monotonic() - began < 5
    assert {ref.locations for ref in after.chunks} == {("n1", "n2"), ("n2", "n1")}
    for store in ring.stores[:2]:
        assert rows(store, before).to_pydict() == rows(store, after).to_pydict()


def test_too_few_nodes_fail_the_put_as_a_whole(ring: Ring) -> None:
    before = put(ring.stores[0], "t")
    for server in ring.servers[1:]:
        asyncio.run_coroutine_threadsafe(server.stop(0), ring.loop).result(10)
    with pytest.raises(TooFewCopiesError, match=r"(?s)1 of the 2 nodes.*n2"):
        put(ring.stores[0], "t")
    assert ring.stores[0].get("t") == before
    with pytest.raises(OperationalError, match="n2"):
        rows(ring.stores[0], before)
    ring.settle()
    assert len(ring.on_disk()) == 8


def test_rows_are_pulled_only_as_chunks_are_wanted(ring: Ring) -> None:
    pulled = 0
    seen: list[int] = []
    batch = pa.record_batch({"x": range(100_000)})

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal pulled
        for _ in range(6):
            pulled += 1
            yield batch

    class Slow(Coordinator):
        """Takes its time over each chunk."""

        async def put(
            self,
            name: str,
            schema: FrameSchema,
            chunks: AsyncIterator[SealedChunk],
            *,
            replace: bool = False,
            op: str = "",
        ) -> Frame:
            await asyncio.sleep(0.05)
            seen.append(pulled)
            async for sealed in chunks:
                await asyncio.sleep(0.02)
                data = b"".join(map(bytes, sealed.data))
                assert len(data) == sealed.bytes
                assert xxhash.xxh3_128_hexdigest(data) == sealed.checksum
                seen.append(pulled)
            return Frame(name, "d", 1, schema, (), ())

    store = ring.stores[0]
    slow = Slow("n1", _coordinator(store)._world, store._coordinator.registers, MEMBERSHIP)
    with closing(ClusterStore(slow, store.chunks, ring.loop, store._survey)) as made:
        assert made.put("t", batch.schema, counted(), chunk_rows=100_000).name == "t"
    assert seen == [0, 1, 2, 3, 4, 5, 6]


def test_an_interrupted_put_is_taken_back(ring: Ring) -> None:
    """Ctrl-C while a node that does not answer is waited for."""
    store, stuck = ring.stores[0], ring.servers[1]
    frame = put(store, "t")

    async def silent(received: Received, stream: Stream) -> Answer:
        await asyncio.sleep(30)
        raise AssertionError("it was waited for")

    for connection in stuck._connections:
        connection._handler = silent

    def source() -> Iterator[pa.RecordBatch]:
        yield from TABLE.to_batches()
        threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()

    with pytest.raises(KeyboardInterrupt):
        store.put("t", TABLE.schema, source(), chunk_rows=3, replace=True)
    entry = ring.entry("t")
    assert entry is not None
    assert (entry.df_id, entry.pending) == (frame.df_id, None)


def test_many_threads_at_once(ring: Ring) -> None:
    def story(number: int) -> int:
        store = ring.stores[number % 3]
        frame = put(store, f"t{number % 4}-{number}", chunk_rows=1 + number)
        assert rows(store, store.get(frame.name)).num_rows == 10
        return frame.rows

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(story, range(16))) == 160
    assert len(ring.stores[0].names()) == 16


def test_the_loop_ends_while_threads_wait(ring: Ring) -> None:
    held = threading.Event()
    store = ring.stores[0]

    def slow() -> Iterator[pa.RecordBatch]:
        yield TABLE.to_batches()[0]
        held.wait(10)
        yield TABLE.to_batches()[0]

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(store.put, "t", TABLE.schema, slow(), chunk_rows=3)
        time.sleep(0.1)
        asyncio.run_coroutine_threadsafe(_stop(ring), ring.loop).result(10)
        for task in asyncio.all_tasks(ring.loop):
            ring.loop.call_soon_threadsafe(task.cancel)
        time.sleep(0.2)
        ring.loop.call_soon_threadsafe(ring.loop.stop)
        time.sleep(0.1)
        held.set()
        with pytest.raises(CancelledError, match="given up"):
            future.result(10)
    with pytest.raises(CancelledError, match="has stopped"):
        store.names()


def test_a_closed_store_says_so(ring: Ring) -> None:
    store = ring.stores[0]
    frame = put(store, "t")
    store.close()
    store.close()
    for use in (store.names, store.epoch, lambda: store.get("t"), lambda: put(store, "u")):
        with pytest.raises(InterfaceError, match="closed"):
            use()
    with pytest.raises(InterfaceError, match="closed"):
        store.read(frame.chunks[0], ())


@pytest.mark.parametrize(
    "array",
    [
        pa.array([0, 2**63 - 1], pa.timestamp("us")),
        pa.array([None, -(2**63)], pa.timestamp("us")),
        pa.array([8_210_266_876_800_000_000], pa.timestamp("us")),
        pa.array([-8_334_601_228_800_000_001], pa.timestamp("us")),
        pa.array([95_026_237, 0], pa.date32()),
        pa.array([-96_465_293, None], pa.date32()),
    ],
)
def test_dates_beyond_the_calendar_are_refused(ring: Ring, array: pa.Array) -> None:
    table = pa.table({"when": array})
    embedded = Store.open(None)
    with pytest.raises(DataError, match=r'column "when": a (DATE|TIMESTAMP) outside'):
        put(ring.stores[0], "t", table)
    with pytest.raises(DataError, match=r'column "when": a (DATE|TIMESTAMP) outside'):
        embedded.put("t", table.schema, table.to_batches())
    assert (ring.stores[0].names(), embedded.names()) == ((), ())
    embedded.close()


def test_the_farthest_dates_are_stored(ring: Ring) -> None:
    us = [8_210_266_876_799_999_999, -8_334_601_228_800_000_000]
    table = pa.table(
        {
            "t": pa.array(us, pa.timestamp("us")),
            "d": pa.array([95_026_236, -96_465_292], pa.date32()),
        }
    )
    frame = put(ring.stores[0], "t", table)
    assert rows(ring.stores[1], frame).equals(table)
