"""The world, real and simulated: one contract for disks; and a put over three real TCP nodes."""

from __future__ import annotations

import ast
import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import xxhash

from eau2.catalog import ChunkKey, ChunkRef, ColumnSchema, ColumnStatistics, FrameSchema
from eau2.errors import (
    MissingError,
    NameExistsError,
    ProtocolError,
    TooFewCopiesError,
    UsageError,
)
from eau2.kv.acceptor import Acceptor
from eau2.kv.coordinator import Coordinator
from eau2.kv.copies import SealedChunk
from eau2.kv.exchange import tell
from eau2.kv.membership import Membership
from eau2.kv.quorum import Quorum
from eau2.kv.register_store import SqliteRegisterStore
from eau2.kv.registers import QuorumRegistry
from eau2.kv.service import Service
from eau2.kv.sweep import Sweep
from eau2.net.address import Address
from eau2.net.message import ChunkId, DeleteWrites, PutChunk
from eau2.net.server import Server
from eau2.torture.disk import Platter, SimDisk
from eau2.types import Kind, SqlType
from eau2.world import Disk, FileDisk, LoopClock, SystemIds, SystemRng, TcpNet, World
from tests.processes import ROOT
from tests.unit.answering import answers

SCHEMA = FrameSchema((ColumnSchema("x", SqlType(Kind.BIGINT)),))
DF_ID = "0" * 32


class Immortal:
    """A life without end."""

    alive = True

    async def thaw(self) -> None:
        """Never stopped."""


@pytest.fixture(params=["files", "simulated"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    if request.param == "files":
        return FileDisk(tmp_path)
    return SimDisk(Platter(random.Random(1)), Immortal())


def test_disks_keep_one_contract(disk: Disk) -> None:
    async def story() -> None:
        await disk.make_folder("a")
        await disk.make_folder("a")
        await disk.make_folder("a/b")
        await disk.append("a/f.tmp", b"")
        await disk.append("a/f.tmp", b"hello ")
        await disk.append("a/f.tmp", bytearray(b"world"))
        await disk.sync("a/f.tmp")
        assert await disk.names("a") == ("b", "f.tmp")
        await disk.append("a/f", b"old")
        await disk.rename("a/f.tmp", "a/f")
        await disk.sync_folder("a")
        await disk.sync_folder("")
        assert await disk.size("a/f") == 11
        assert await disk.read("a/f", 4, 4) == b"o wo"
        assert await disk.read("a/f", 9, 100) == b"ld"
        assert await disk.names("") == ("a",)
        await disk.remove("a/none")
        await disk.append("a/b/g", b"x")
        await disk.remove_folder("a/b")
        await disk.remove_folder("a/b")
        assert await disk.names("a") == ("f",)
        await disk.remove("a/f")
        assert await disk.names("a") == ()

    asyncio.run(story())


@pytest.mark.parametrize(
    "work",
    [
        lambda disk: disk.append("none/f", b""),
        lambda disk: disk.make_folder("none/f"),
        lambda disk: disk.names("none"),
        lambda disk: disk.sync("none"),
        lambda disk: disk.sync_folder("none"),
        lambda disk: disk.size("none"),
        lambda disk: disk.read("none", 0, 1),
        lambda disk: disk.rename("none", "a"),
    ],
)
def test_what_is_not_there_is_not_found(
    disk: Disk, work: Callable[[Disk], Awaitable[object]]
) -> None:
    async def story() -> None:
        with pytest.raises(FileNotFoundError):
            await work(disk)

    asyncio.run(story())


def test_a_platter_keeps_what_was_synced_and_may_lose_the_rest() -> None:
    lost: set[str] = set()
    kept: set[str] = set()

    async def story(seed: int) -> None:
        platter = Platter(random.Random(seed))
        disk = SimDisk(platter, Immortal())
        await disk.append("safe", b"12345")
        await disk.sync("safe")
        await disk.sync_folder("")
        await disk.append("safe", b"67890")
        await disk.append("new", b"abc")
        platter.crash()
        now = await disk.read("safe", 0, 10)
        assert now.startswith(b"12345")
        (kept if now == b"1234567890" else lost).add("content")
        (kept if "new" in await disk.names("") else lost).add("name")

    for seed in range(50):
        asyncio.run(story(seed))
    assert lost == kept == {"content", "name"}


class Ring:
    """Three nodes of this process, each with its own folder, listening on loopback."""

    def __init__(self, root: Path, voters: tuple[str, ...]) -> None:
        self.ring = Membership(("n0", "n1", "n2"), voters)
        self.addresses: dict[str, Address] = {}
        self.servers: dict[str, Server] = {}
        self.nets: list[TcpNet] = []
        self.services: dict[str, Service] = {}
        self.root = root
        self.acceptors: dict[str, Acceptor] = {}

    def world(self, node: str) -> World:
        folder = self.root / node
        folder.mkdir(exist_ok=True)
        net = TcpNet(self.addresses, name=node)
        self.nets.append(net)
        return World(LoopClock(), SystemRng(), SystemIds(), net, FileDisk(folder))

    async def start(self) -> None:
        for node in self.ring.slots:
            world = self.world(node)
            if node in self.ring.voters:
                store = SqliteRegisterStore(self.root / f"{node}.sqlite", make=True)
                self.acceptors[node] = Acceptor(node, store)
            self.services[node] = Service(node, world)
            await self.services[node].start()
            self.servers[node] = Server(
                answers(self.services[node], self.acceptors.get(node)), name=node, store_id="s"
            )
            self.addresses[node] = await self.servers[node].start(Address("127.0.0.1", 0))

    def coordinator(self, node: str) -> Coordinator:
        world = self.world(node)
        return Coordinator(node, world, self.registry(node, world), self.ring)

    def registry(self, node: str, world: World) -> QuorumRegistry:
        local = self.acceptors.get(node)
        return QuorumRegistry(Quorum(node, world, self.ring.voters, local))

    def files(self, node: str) -> list[str]:
        return [path.name for path in sorted((self.root / node).rglob("*")) if path.is_file()]

    async def stop(self) -> None:
        for net in self.nets:
            net.close()
        for server in self.servers.values():
            await server.stop(0)
        for acceptor in self.acceptors.values():
            await acceptor.close()
            acceptor.store.close()


@asynccontextmanager
async def ring_of_three(root: Path, voters: tuple[str, ...] = ("n0",)) -> AsyncIterator[Ring]:
    ring = Ring(root, voters)
    await ring.start()
    try:
        yield ring
    finally:
        await ring.stop()


async def chunks(count: int, size: int) -> AsyncIterator[SealedChunk]:
    for number in range(count):
        data = bytes([number]) * size
        statistics = (ColumnStatistics(0, number, number),)
        yield SealedChunk((data,), 1, size, xxhash.xxh3_128_hexdigest(data), statistics)


@pytest.mark.parametrize("voters", [("n0",), ("n0", "n1", "n2")])
def test_a_put_over_tcp_and_files_is_the_same_road(tmp_path: Path, voters: tuple[str, ...]) -> None:
    async def story() -> None:
        async with ring_of_three(tmp_path, voters) as ring:
            taker, other = ring.coordinator("n1"), ring.coordinator("n2")
            frame = await taker.put("big", SCHEMA, chunks(5, 9_000_000))
            assert [ref.locations[0] for ref in frame.chunks] == ["n1", "n2", "n0", "n1", "n2"]
            assert await other.get("BIG") == frame
            for number, ref in enumerate(frame.chunks):
                assert await other.copies.chunk(ref) == bytes([number]) * 9_000_000
            held = {node: ring.files(node) for node in ring.ring.slots}
            with_manifest = [node for node in held if "manifest" in held[node]]
            assert set(voters) <= set(with_manifest)
            assert len(with_manifest) == max(2, len(voters))
            assert [file for file in held["n0"] if file != "manifest"] == numbered(1, 2, 4)
            assert [file for file in held["n1"] if file != "manifest"] == numbered(0, 2, 3)
            assert [file for file in held["n2"] if file != "manifest"] == numbered(0, 1, 3, 4)
            with pytest.raises(NameExistsError):
                await other.put("Big", SCHEMA, chunks(1, 10))
            assert await other.names() == ("big",)
            epoch = await taker.epoch()
            newer = await other.put("big", SCHEMA, chunks(1, 10), replace=True)
            await other.settle()
            assert await taker.get("big") == newer
            assert await taker.epoch() == await other.epoch() != epoch
            assert "0.arrow" in ring.files("n2")
            assert await other.drop("big")
            await other.settle()
            assert [ring.files(node) for node in ring.ring.slots] == [[], [], []]

    asyncio.run(story())


def numbered(*numbers: int) -> list[str]:
    return [f"{number}.arrow" for number in numbers]


def test_too_few_nodes_fail_the_put_and_are_named(tmp_path: Path) -> None:
    async def story() -> None:
        async with ring_of_three(tmp_path) as ring:
            taker = ring.coordinator("n0")
            await ring.servers["n1"].stop(0)
            assert len((await taker.put("t", SCHEMA, chunks(3, 10))).chunks) == 3
            assert await taker.drop("t")
            await ring.servers["n2"].stop(0)
            with pytest.raises(TooFewCopiesError, match=r"(?s)n1.*n2"):
                await taker.put("t", SCHEMA, chunks(3, 10))
            assert await taker.get("t") is None
            await taker.settle()
            assert ring.files("n0") == []

    asyncio.run(story())


def test_a_missing_chunk_is_told_by_name_and_a_sweep_finds_garbage(tmp_path: Path) -> None:
    async def story() -> None:
        async with ring_of_three(tmp_path) as ring:
            coordinator = ring.coordinator("n2")
            frame = await coordinator.put("t", SCHEMA, chunks(1, 10))
            folder = ring.root / "n2" / "chunks"
            (folder / frame.df_id / "0.arrow").unlink()
            assert await coordinator.copies.chunk(frame.chunks[0]) == bytes(10)
            (ring.root / "n0" / "chunks" / frame.df_id / "0.arrow").unlink()
            with pytest.raises(MissingError, match="is not on node"):
                await coordinator.copies.chunk(frame.chunks[0])
            (folder / DF_ID).mkdir()
            (folder / DF_ID / "7.arrow").write_bytes(b"x")
            world = ring.world("n2")
            registry = ring.registry("n2", world)
            sweep = Sweep(world, registry, ring.services["n2"], coordinator.named)
            await sweep.once()
            assert [path.name for path in folder.iterdir()] == [frame.df_id]

    asyncio.run(story())


@pytest.mark.parametrize(
    "request_",
    [
        DeleteWrites(("../n1",)),
        DeleteWrites(("",)),
        PutChunk(ChunkId("..", 0), 1, 1, ""),
        PutChunk(ChunkId(DF_ID, 0), 1, 1 << 50, ""),
    ],
)
def test_a_request_cannot_leave_the_folder_or_fill_the_disk(
    tmp_path: Path, request_: PutChunk | DeleteWrites
) -> None:
    async def story() -> None:
        async with ring_of_three(tmp_path) as ring:
            with pytest.raises(ProtocolError, match="n0"):
                await tell(ring.world("n1").net, "n0", request_, 5.0)

    asyncio.run(story())


def test_a_ring_makes_sense() -> None:
    ring = Membership(("a", "b", "c", "d"), ("b",), ("d",))
    assert (ring.copies, ring.majority, ring.staying) == (2, 1, ("a", "b", "c"))
    assert ring.walk(ring.slot("c", 1)) == ("a", "b", "c")
    chunk = ChunkRef(ChunkKey("w", 0), 1, 1, "", (), ("d", "a"), 3, 4)
    assert ring.proper(chunk) == ("a", "b")
    assert ring.search(chunk) == ("a", "b", "d", "c")
    assert ring.manifest_holders("w")[0] == "b"
    assert len(ring.manifest_holders("w")) == 2
    for wrong in ((("a", "a"), ("a",)), ((), ()), (("a",), ("b",)), (("a",), ("a",), ("a",))):
        with pytest.raises(UsageError):
            Membership(*wrong)
    with pytest.raises(UsageError):
        ring.position("e")


CONTROL_PLANE = (
    *("acceptor", "coordinator", "copies", "exchange", "liveness", "membership", "poll", "quorum"),
    *("registers", "ring", "ringregister", "ringsteps", "service", "sweep", "transitions"),
)
WORLDLY = {"datetime", "io", "os", "random", "secrets", "shutil", "socket", "tempfile", "threading"}
WORLDLY |= {"pathlib", "sqlite3", "subprocess", "time", "uuid"}


@pytest.mark.parametrize("module", CONTROL_PLANE)
def test_the_control_plane_touches_the_world_only_through_it(module: str) -> None:
    tree = ast.parse((ROOT / "eau2" / "kv" / f"{module}.py").read_text("utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).partition(".")[0])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in ("to_thread", "run_in_executor", "TaskGroup", "wait")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "open"
    assert imported & WORLDLY == set()


def test_a_drop_leaves_what_an_append_has_taken_over(tmp_path: Path) -> None:
    """An append that comes between a drop's look and its change shares the chunks of the frame."""

    async def story() -> None:
        async with ring_of_three(tmp_path) as ring:
            dropper, other = ring.coordinator("n1"), ring.coordinator("n2")
            await other.put("t", SCHEMA, chunks(1, 10))
            change, appended = dropper._change, False

            async def late(*given: Any) -> Any:
                nonlocal appended
                if not appended:
                    appended = True
                    await other.append("t", SCHEMA, 1, 1, lambda _: chunks(1, 10))
                return await change(*given)

            dropper._change = late  # type: ignore[method-assign, assignment]
            # What the drop takes away is what is there at last, and all of it.
            assert await dropper.drop("t")
            assert await other.get("t") is None

    asyncio.run(story())
