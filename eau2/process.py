"""One node: what it is made of, what it is asked, how it starts and stops.

Owns: the parts of a node and the order of their making and unmaking, which part answers which
request. Comes in: options; goes out: a node that listens. Does not know: what any request means.

A node that has only run tasks never loads the engine: the front door, which needs the parser and
the planner, is loaded when the first statement comes.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from eau2 import __version__
from eau2.catalog import ChunkKey
from eau2.config import LAUNCH
from eau2.errors import ProtocolError, UsageError
from eau2.indexes.kept import Indexes
from eau2.kernels.host import KernelHost
from eau2.kernels.inline import InlineHost
from eau2.kernels.mixed import MixedHost
from eau2.kernels.subprocess import SubprocessHost
from eau2.kv.acceptor import VOTES, Acceptor
from eau2.kv.clusterstore import ClusterStore
from eau2.kv.coordinator import Coordinator
from eau2.kv.datadir import DataDirectory
from eau2.kv.liveness import Liveness
from eau2.kv.nodechunks import NodeChunks
from eau2.kv.quorum import Quorum
from eau2.kv.register_store import RegisterStore
from eau2.kv.registers import QuorumRegistry
from eau2.kv.ringkeeper import RingKeeper
from eau2.kv.ringsteps import is_formed, membership
from eau2.kv.room import Room
from eau2.kv.service import Service
from eau2.kv.survey import Survey
from eau2.kv.upkeep import ABOUT_COPIES, Upkeep
from eau2.launch import NodeOptions, most_of_memory
from eau2.native import NativeModules, load
from eau2.net.address import SCHEME
from eau2.net.connection import Answer
from eau2.net.message import (
    DescribeFrame,
    NodeDescription,
    NodeInfo,
    Number,
    PutChunk,
    PutFrame,
    PutFunction,
    RunTask,
    Statement,
)
from eau2.net.ring_message import (
    GetRing,
    Heartbeat,
    Join,
    LeaveRing,
    Ring,
    RingChanged,
)
from eau2.net.server import Server
from eau2.net.stream import Received, Stream
from eau2.node import Node
from eau2.peers import Peers
from eau2.tasks import TaskService
from eau2.world import DiskWatch, FileDisk, LoopClock, SystemIds, SystemRng, TcpNet, World

if TYPE_CHECKING:
    from eau2.server import FrontDoor

T = TypeVar("T")

_FRONT_DOOR = (Statement, PutFrame, PutFunction, DescribeFrame)
_RING = (Join, GetRing, RingChanged, LeaveRing)
_WORK = (*_FRONT_DOOR, RunTask, PutChunk)
"""What takes memory to answer."""
_FOR_CLIENTS = (*_FRONT_DOOR, NodeInfo, GetRing, LeaveRing)
"""What may be asked by whoever is no node of the store."""


class RunningNode:
    """A node that answers requests. Made by `start`, ended by `stop`."""

    def __init__(self, options: NodeOptions, watch: DiskWatch | None = None) -> None:
        """Use `start`."""
        self.name = ""
        self._watch = watch or DiskWatch()
        self.store_id = ""
        self.address = options.listen
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._parts = AsyncExitStack()
        self._ready = asyncio.Event()
        self._coordinator: Coordinator | None = None
        self._voter: Acceptor | None = None
        self._upkeep: Upkeep | None = None
        self._registers: RegisterStore | None = None
        self._door: asyncio.Task[FrontDoor] | None = None
        self._statements = 0
        self._worked = False
        self._server = Server(
            self._answer,
            store_id="",
            name="",
            software=f"eau2 {__version__}",
            on_closed=self._connection_closed,
        )

    @classmethod
    async def start(cls, options: NodeOptions, watch: DiskWatch | None = None) -> RunningNode:
        """A node that listens and belongs to its store. watch: is told when its disk fails.

        Raises UsageError for an address that other machines can reach and for a module of native
        functions, StoreError for the data directory, OperationalError when the port is taken;
        UnreachableError and HandshakeError when the store cannot be joined. Then nothing of the
        node is left.
        """
        node = cls(options, watch)
        try:
            await node._build()
        except BaseException:
            await node.stop(0)
            raise
        return node

    async def stop(self, drain_s: float = LAUNCH.drain_s) -> None:
        """Take nothing new, let what runs end within `drain_s`, then end. May be called again."""
        await self._server.stop(drain_s)
        await self._parts.aclose()

    async def _build(self) -> None:
        """Make the parts, the lowest first; whatever fails, `stop` unmakes those that are made."""
        options, parts = self._options, self._parts
        if options.data_root is not None and not os.path.isdir(options.data_root):
            raise UsageError(f"the data root {options.data_root} is no folder")
        if options.native_functions:
            await _in_thread(lambda: _load_natives(options))
        ids = SystemIds()
        data = await _in_thread(lambda: DataDirectory.open(options.data, ids.new, self._watch))
        parts.push_async_callback(_in_thread, data.close)
        self._data = data
        self.address = await self._server.start(options.listen)
        net = TcpNet({}, name=data.identity.name, store_id=data.identity.store_id)
        parts.callback(net.close)
        disk = FileDisk(data.root, self._watch)
        world = World(LoopClock(), SystemRng(), ids, net, disk)
        self._net = net
        parts.push_async_callback(self._close_voter)
        self._quorum = Quorum(data.identity.name, world)
        parts.callback(self._quorum.close)
        self._keeper = RingKeeper(
            world,
            data,
            options.advertise or self.address,
            net,
            self._quorum,
            self._ring_changed,
            here=self.address,
        )
        parts.push_async_callback(self._keeper.stop)
        await self._keeper.start(options.join, options.voters)

        self._chunks = NodeChunks(data.chunks, self.name, damaged=self._damaged)
        parts.callback(self._chunks.close)
        registry = QuorumRegistry(self._quorum)
        self._service = Service(
            self.name,
            world,
            in_use=self._chunks.in_use,
            deleted=self._chunks.forget,
            leaving=lambda: self.name in self._keeper.membership.leaving,
            suspect=self._suspect,
            room=Room(self.name, disk.room, data.ballast),
        )
        await self._service.start()
        self._liveness = Liveness(
            self.name, world, lambda: self._keeper.membership, self._keeper.learn
        )
        # The ring may have changed since.
        coordinator = Coordinator(
            self.name, world, registry, self._keeper.membership, down=self._liveness.is_away
        )
        self._coordinator = coordinator
        parts.push_async_callback(_at_most, LAUNCH.settle_s, coordinator.settle)
        survey = Survey(world, lambda: self._keeper.ring, self._liveness.health)
        self._store = ClusterStore(coordinator, self._chunks, self._loop, survey)
        parts.push_async_callback(_in_thread, self._store.close)
        self._start_kernels()
        parts.push_async_callback(_cancelled, asyncio.create_task(self._rest()))
        self._upkeep = Upkeep(
            world,
            coordinator,
            self._service,
            self._liveness,
            lambda: self._keeper.ring,
            self._keeper.lose,
        )
        self._upkeep.start()
        parts.push_async_callback(self._upkeep.stop)
        parts.push_async_callback(self._close_door)
        self._ready.set()

    async def _close_voter(self) -> None:
        if self._voter is not None:
            await self._voter.close()
        if self._registers is not None:
            await _in_thread(self._registers.close)

    def _start_kernels(self) -> None:
        options, parts = self._options, self._parts
        self._peers = Peers(self._net, self._loop)
        self._host: KernelHost
        if options.inline_kernels:
            self._host = InlineHost(options.threads, options.memory_bytes)
        else:
            self._host = MixedHost(
                InlineHost(options.threads, None),
                SubprocessHost(
                    options.threads,
                    options.memory_bytes or most_of_memory(),
                    natives=NativeModules(options.native_functions, f"node {self.name}"),
                ),
            )
        parts.push_async_callback(_in_thread, self._host.close)
        executor = ThreadPoolExecutor(LAUNCH.task_threads, f"{self.name} task")
        parts.callback(executor.shutdown, wait=False, cancel_futures=True)
        self._indexes = Indexes()
        parts.push_async_callback(_in_thread, self._indexes.close)
        node = Node(self.name, self._store, self._host, self._indexes)
        self._tasks = TaskService(node, executor)

    def _ring_changed(self, ring: Ring) -> None:
        """Know a ring. A node that is a voter by it votes, before anything else is done."""
        self.name, self.store_id = self._data.identity.name, ring.store_id
        self._server.known_as(self.store_id, self.name)
        if is_formed(ring):
            if self.name in ring.voters and self._voter is None:
                self._registers = self._data.registers()
                self._voter = Acceptor(self.name, self._registers)
            self._quorum.decide(self.name, ring.voters, self._voter)
        if self._coordinator is not None:
            self._coordinator.copies.ring = membership(ring)
        if self._upkeep is not None:
            self._upkeep.wake()

    def _damaged(self, key: ChunkKey) -> None:
        """A task has found a chunk damaged. For any thread."""
        self._loop.call_soon_threadsafe(self._suspect, key.df_id, key.number)

    def _suspect(self, df_id: str, number: int | None) -> None:
        if self._upkeep is not None:
            self._upkeep.suspect(df_id, number)

    async def _answer(self, received: Received, stream: Stream) -> Answer:
        """Have the part that a request is for answer it."""
        request = received.message
        if stream.role != "node" and not isinstance(request, _FOR_CLIENTS):
            raise ProtocolError(f"a {type(request).__name__} is answered to nodes only")
        if isinstance(request, _RING):
            return await self._keeper.answer(received, stream)
        if isinstance(request, VOTES):
            if self._voter is None:
                raise ProtocolError(f"node {self.name} is no voter")
            return await self._voter.answer(request)
        await self._ready.wait()
        self._worked = self._worked or isinstance(request, _WORK)
        if isinstance(request, _FRONT_DOOR):
            door = await self._front_door()
            self._statements += 1
            try:
                return await door.answer(received, stream)
            finally:
                self._statements -= 1
        if isinstance(request, RunTask):
            return await self._tasks.answer(received, stream)
        if isinstance(request, ABOUT_COPIES):
            assert self._upkeep is not None
            return await self._upkeep.answer(received)
        if isinstance(request, NodeInfo):
            return await self._describe()
        if isinstance(request, Heartbeat):
            self._keeper.learn(request.epoch)
            return Number(self._keeper.ring.epoch)
        return await self._service.answer(received, stream)

    async def _front_door(self) -> FrontDoor:
        """The front door, which is loaded once; whoever goes away does not stop the loading."""
        if self._door is None or (self._door.done() and self._door.exception() is not None):
            self._door = asyncio.create_task(self._open_door())
        return await asyncio.shield(self._door)

    async def _open_door(self) -> FrontDoor:
        module = await _in_thread(lambda: importlib.import_module("eau2.server"))
        front_door: type[FrontDoor] = module.FrontDoor
        return front_door(
            name=self.name,
            host=self._host,
            store=self._store,
            peers=self._peers,
            data_root=self._options.data_root,
            threads=self._options.threads,
            indexes=self._indexes,
        )

    async def _close_door(self) -> None:
        if self._door is not None:
            with suppress(Exception):
                (await self._door).close()

    def _connection_closed(self, number: int) -> None:
        if self._door is not None and self._door.done() and self._door.exception() is None:
            self._door.result().closed(number)

    @property
    def _busy(self) -> bool:
        return self._statements + self._tasks.running > 0

    async def _rest(self) -> None:
        """Whenever the node has had nothing to do for a while, let go of the memory it kept.

        The allocators keep what was in use for the next time, each for itself.
        """
        while True:
            await asyncio.sleep(LAUNCH.rest_s)
            if self._worked and not self._busy:
                self._worked = False
                await _in_thread(_release_memory)

    async def _describe(self) -> NodeDescription:
        assert self._upkeep is not None
        chunks, size = await _in_thread(self._chunks.count)
        return NodeDescription(
            self.name,
            f"{SCHEME}{self.address}",
            self.store_id,
            f"eau2 {__version__}",
            self._options.threads or os.cpu_count() or 1,
            chunks,
            size,
            self._statements + self._tasks.running,
            self._loop.time() - self._started,
            *self._upkeep.looked,
        )


def _load_natives(options: NodeOptions) -> None:
    """Know what native functions there are; where kernels have processes they run there alone."""
    names = importlib.import_module("eau2.sql.function_names")
    wanted = NativeModules(options.native_functions)
    load(wanted, runs=options.inline_kernels, taken=names.built_in())


def _release_memory() -> None:
    gc.collect()
    pa.default_memory_pool().release_unused()


async def _in_thread(call: Callable[[], T]) -> T:
    return await asyncio.to_thread(call)


async def _cancelled(task: asyncio.Task[T]) -> None:
    """Cancel a task and wait until it has ended."""
    task.cancel()
    await asyncio.wait([task])


async def _at_most(seconds: float, call: Callable[[], Awaitable[None]]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await call()
