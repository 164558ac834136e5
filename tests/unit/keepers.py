"""Ring keepers on TCP, each with a directory and a store of registers, for tests of the ring.

Owns: starting and ending them, and waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from eau2.config import ControlLimits
from eau2.errors import (
    UnreachableError,
)
from eau2.kv.datadir import DataDirectory
from eau2.kv.exchange import ask
from eau2.kv.ringkeeper import RingKeeper
from eau2.net.address import Address
from eau2.net.connection import Answer
from eau2.net.message import Fingerprint, Number
from eau2.net.ring_message import (
    Ring,
)
from eau2.net.server import Server
from eau2.net.stream import Received, Stream
from eau2.world import FileDisk, LoopClock, SystemIds, SystemRng, TcpNet, World

LIMITS = ControlLimits(
    ring_every_s=0.05, ring_s=1.0, join_s=2.0, change_s=0.5, retry_s=0.01, ring_nodes=4
)
ANY = Address("127.0.0.1", 0)


class VoterCells:
    """The registers of a store's voters, of which all must be up."""

    def __init__(self) -> None:
        self.voters = ["n1"]
        self.up: set[str] = set()
        self.held: dict[str, bytes] = {}

    async def read(self, key: str) -> bytes:
        self._ask()
        await asyncio.sleep(0)
        return self.held.get(key, b"")

    async def cas(self, key: str, expect: bytes, value: bytes) -> bool:
        self._ask()
        await asyncio.sleep(0)
        if self.held.get(key, b"") != expect:
            return False
        self.held[key] = value
        return True

    def _ask(self) -> None:
        for voter in self.voters:
            if voter not in self.up:
                raise UnreachableError(f"the voter {voter} cannot be asked")


class Node:
    """A node that keeps nothing but the ring. It answers Fingerprint with its number."""

    def __init__(self, root: Path, cells: VoterCells | None = None) -> None:
        self.data = DataDirectory.open(root)
        self.net = TcpNet({}, name="")
        world = World(LoopClock(), SystemRng(), SystemIds(), self.net, FileDisk(root))
        self.rings: list[Ring] = []
        self.cells = VoterCells() if cells is None else cells
        self.keeper = RingKeeper(
            world, self.data, ANY, self.net, self.cells, self.rings.append, LIMITS
        )
        self.server = Server(self._answer, store_id="", name="")

    async def start(
        self, join: Address | None = None, listen: Address = ANY, voters: int = 1
    ) -> Node:
        self.keeper.address = await self.server.start(listen)
        try:
            ring = await self.keeper.start(join, voters)
        except BaseException:
            await self.stop()
            raise
        self.cells.up.add(self.keeper.name)
        self.server.known_as(ring.store_id, self.keeper.name)
        return self

    async def stop(self) -> None:
        if self.data.settled:
            self.cells.up.discard(self.keeper.name)
        await self.keeper.stop()
        self.net.close()
        await self.server.stop(0)
        self.data.close()

    @property
    def address(self) -> Address:
        return self.keeper.address

    async def number(self, node: str) -> int:
        return (await ask(self.net, node, Fingerprint(), Number, 2.0)).value

    async def _answer(self, received: Received, stream: Stream) -> Answer:
        if isinstance(received.message, Fingerprint):
            return Number(int(self.keeper.name[1:]))
        return await self.keeper.answer(received, stream)


class Place:
    """The directories of some nodes, and the nodes that run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.nodes: dict[str, Node] = {}
        self.cells = VoterCells()

    def node(self, name: str) -> Node:
        return Node(self.root / name, self.cells)

    async def start(
        self, name: str, join: Address | None = None, listen: Address = ANY, voters: int = 1
    ) -> Node:
        self.nodes[name] = node = self.node(name)
        return await node.start(join, listen, voters)

    async def stop(self, *names: str) -> None:
        for name in names:
            await self.nodes.pop(name).stop()

    async def three(self) -> tuple[Node, Node, Node]:
        a = await self.start("a")
        return a, await self.start("b", a.address), await self.start("c", a.address)


@asynccontextmanager
async def _place(root: Path) -> AsyncIterator[Place]:
    place = Place(root)
    try:
        yield place
    finally:
        for node in place.nodes.values():
            await node.stop()


def told(root: Path, story: Callable[[Place], Awaitable[None]]) -> None:
    async def work() -> None:
        async with _place(root) as place, asyncio.timeout(20):
            await story(place)

    asyncio.run(work())


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not check():
            await asyncio.sleep(0.01)


def addresses(ring: Ring) -> list[str]:
    return [member.address for member in ring.members]
