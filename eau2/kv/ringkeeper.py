"""Who is in the ring: how a node comes into it, and how all nodes learn of it.

Owns: the node's view of the ring, its copy on disk, and the messages about it. Comes in: Join,
GetRing, RingChanged and LeaveRing of other nodes; goes out: a Ring, to whoever wants to know of
each change, and addresses, to the net. Does not know: chunks, names of frames, who is alive.

The first node of a store lets others in alone until there are as many as are to be voters. From
then on the ring is in a register on these (kv/ringregister.py), and any node can change it: it
writes the register, then its own copy, and then tells the others, who believe a ring with a higher
epoch. What they miss they learn when they ask, every few seconds. Where a node listens is used as
soon as it says so: to write the register its voters must be found first.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine
from typing import Any

from eau2.config import CONTROL, ControlLimits
from eau2.errors import (
    BusyError,
    Error,
    HandshakeError,
    OperationalError,
    ProtocolError,
    UsageError,
)
from eau2.kv.datadir import DataDirectory
from eau2.kv.exchange import ask, tell
from eau2.kv.membership import Membership
from eau2.kv.ringregister import Cells, RingRegister
from eau2.kv.ringsteps import LEFT, Step, admit, founded, is_formed, leave, membership
from eau2.net.address import SCHEME, Address, parse_address, require_loopback
from eau2.net.connection import Answer
from eau2.net.message import Done, Message
from eau2.net.ring_message import GetRing, Join, LeaveRing, Ring, RingChanged
from eau2.net.stream import Received
from eau2.world import Talk, TcpNet, World, in_thread

_log = logging.getLogger("eau2.ring")

_ID = re.compile(r"[0-9a-f]{32}")


class RingKeeper:
    """The ring as one node knows it. `start` it before anything is asked of it, and `stop` it."""

    def __init__(
        self,
        world: World,
        data: DataDirectory,
        address: Address,
        net: TcpNet,
        cells: Cells,
        on_change: Callable[[Ring], None],
        limits: ControlLimits = CONTROL,
        *,
        here: Address | None = None,
    ) -> None:
        """address: where others reach this node. cells: the voters' registers, once there are some.

        on_change: is told of the first and each later ring, before this node acts on it. here:
        where this node reaches itself, if that is another address.
        """
        self.address = address
        self._here = here
        self._world = world
        self._data = data
        self._net = net
        self._register = RingRegister(world, cells, lambda: self.ring, limits)
        self._on_change = on_change
        self._limits = limits
        self._ring: Ring | None = None
        self._heard: dict[str, str] = {}
        self._seed: Address | None = None
        self._changing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    @property
    def ring(self) -> Ring:
        """The ring as it is known here."""
        if self._ring is None:
            raise BusyError("the node is not in a ring yet", hint="Try again soon.")
        return self._ring

    @property
    def name(self) -> str:
        """The name of this node."""
        return self._data.identity.name

    @property
    def is_voter(self) -> bool:
        """Whether this node keeps registers; for a store that is formed."""
        return self.name in self.ring.voters

    @property
    def membership(self) -> Membership:
        """The ring as the coordinator takes it."""
        return membership(self.ring)

    async def start(self, join: Address | None = None, voters: int = 1) -> Ring:
        """Come into a ring: that of `join`, that of the directory, or a new one.

        voters: how many a new one is to have; it is formed when so many nodes have joined. A
        directory that has been in a ring starts also when nobody else does. Raises
        UnreachableError when `join` cannot be asked, HandshakeError when it is of another store
        than the directory, StoreError and its like when the directory fails.
        """
        if self._data.ring is not None:
            # Others may need this voter before they can answer.
            self._use(self._data.ring)
        if join is None and not self._data.settled:
            await self._found(voters)
        elif join is not None:
            await self._join(join)
        assert self._data.ring is not None
        self._seed = join
        if self._ring != self._data.ring:
            self._use(self._data.ring)
        self._net.on_unknown = self._seek
        self._spawn(self._follow())
        return self.ring

    async def stop(self) -> None:
        """End what goes on in the background."""
        self._net.on_unknown = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def answer(self, received: Received, talk: Talk) -> Answer:
        """Answer a request. Raises ProtocolError for one that is not about the ring."""
        match received.message:
            case GetRing():
                return self.ring
            case Join(id_, address):
                first = self.ring.members[0].name
                if not is_formed(self.ring) and first != self.name:
                    return await self._ask(first, received.message)
                return await self._admit(id_, _listening(address))
            case LeaveRing(name, state):
                return await self._change(leave(name, state))
            case RingChanged(ring):
                await self._adopt(ring)
                return Done()
        name = type(received.message).__name__
        raise ProtocolError(f"node {self.name} was asked about the ring with a {name}")

    async def lose(self, node: str) -> Ring:
        """The ring after a node has left it: this one for good. Raises OperationalError."""
        return await self._change(leave(node, LEFT, returns=node != self.name))

    def learn(self, epoch: int) -> None:
        """Somebody knows a ring of this epoch."""
        if self._ring is not None and epoch > self._ring.epoch:
            self._wake.set()

    async def _found(self, voters: int) -> None:
        """Begin a new store, with this node alone in it."""
        store_id = self._world.ids.new()
        ring = founded(store_id, self._data.identity.id, str(self.address), voters)
        await in_thread(lambda: self._data.settle("n1", ring))

    async def _join(self, seed: Address) -> None:
        """Come into the ring that a node at `seed` belongs to, or say there where this node is."""
        identity = self._data.identity
        if seed == self.address:
            raise UsageError(
                f"a node cannot join itself ({seed})",
                hint="Name another node's address, or leave --join out to begin a new store.",
            )
        try:
            ring = await self._ask_address(seed, Join(identity.id, str(self.address)))
        except HandshakeError as error:
            if not self._data.settled:
                raise
            raise HandshakeError(
                f"{error.message}; the directory {self._data.root} belongs to the store"
                f" {identity.store_id}",
                hint="Join a node of that store, or start with an empty directory (--data).",
            ) from error
        except OperationalError as error:
            if not self._data.settled:
                message = f"cannot join {SCHEME}{seed}: {error.message}"
                raise type(error)(message, hint=error.hint) from error
            # Perhaps it needs this node to be there before it can answer.
            _log.warning("cannot ask %s for the ring: %s", seed, error.message)
            return
        name = self._own_name(ring)
        if self._data.settled:
            # The ring may have been asked of a node that knows less than this one.
            if self._data.ring is None or ring.epoch > self._data.ring.epoch:
                await in_thread(lambda: self._data.keep_ring(ring))
        else:
            await in_thread(lambda: self._data.settle(name, ring))

    async def _ask_address(self, seed: Address, request: Message) -> Ring:
        welcome, received = await self._net.ask_address(
            seed,
            request,
            store_id=self._data.identity.store_id,
            deadline_s=self._limits.join_s,
        )
        ring = received.message
        if not isinstance(ring, Ring):
            raise ProtocolError(f"{seed} answered with a {type(ring).__name__} instead of a Ring")
        if welcome.store_id and ring.store_id != welcome.store_id:
            raise ProtocolError(f"{seed} answered with the ring of another store than its own")
        return ring

    async def _admit(self, id_: str, address: Address) -> Ring:
        """The ring with this node in it, at this address. Durable when it returns."""
        if not _ID.fullmatch(id_):
            raise ProtocolError(f"{id_[:80]!r} is not the id of a node")
        known = [member.name for member in self.ring.members if member.id == id_]
        if known and known[0] != self.name:
            self._heard[known[0]] = str(address)
            self._update_net()
        return await self._change(admit(id_, str(address), self._limits.ring_nodes), but=id_)

    async def _change(self, step: Step, but: str = "") -> Ring:
        """Change the ring and tell the others, but not the node of the id `but`."""
        if not is_formed(self.ring):
            return await self._change_alone(step, but)
        ring = await self._register.change(step)
        if await self._take(ring):
            self._announce(but)
        return ring

    async def _change_alone(self, step: Step, but: str) -> Ring:
        """Change the ring while it is being formed: the first node does."""
        first = self.ring.members[0].name
        if first != self.name:
            raise BusyError(
                f"the store is being formed by {first}", hint="Join that node, or try again soon."
            )
        async with self._changing:
            ring = step(self.ring)
            if ring == self.ring:
                return ring
            await self._keep(ring)
        self._announce(but)
        return ring

    async def _adopt(self, ring: Ring) -> None:
        """Take over a newer ring. Raises ProtocolError if it is not one of this node's."""
        other = is_formed(self.ring) and ring.voters != self.ring.voters
        if ring.store_id != self.ring.store_id or other:
            raise ProtocolError(f"a ring of the store {ring.store_id}, not {self.ring.store_id}")
        if self._own_name(ring) != self.name:
            raise ProtocolError(f"a ring in which {self.name} has another name")
        await self._take(ring)

    async def _take(self, ring: Ring) -> bool:
        """Know a ring from now on, if it is newer."""
        async with self._changing:
            if ring.epoch <= self.ring.epoch:
                return False
            await self._keep(ring)
            return True

    async def _keep(self, ring: Ring) -> None:
        await in_thread(lambda: self._data.keep_ring(ring))
        self._use(ring)

    def _use(self, ring: Ring) -> None:
        self._ring = ring
        self._on_change(ring)
        self._net.name, self._net.store_id = self.name, ring.store_id
        for member in ring.members:
            if self._heard.get(member.name) == member.address:
                del self._heard[member.name]
        self._update_net()

    def _update_net(self) -> None:
        found = {m.name: m.address for m in self.ring.members if m.address}
        # The saved address of this node itself may be that of an earlier start.
        found |= self._heard | {self.name: str(self._here or self.address)}
        self._net.update({name: parse_address(address) for name, address in found.items()})

    def _own_name(self, ring: Ring) -> str:
        """What a ring calls this node. Raises ProtocolError when the ring is not well formed."""
        try:
            membership(ring)
            for member in ring.members:
                if member.address:
                    _listening(member.address)
        except UsageError as error:
            raise ProtocolError(f"a ring that cannot be: {error.message}") from error
        found = [member.name for member in ring.members if member.id == self._data.identity.id]
        if len(found) != 1:
            raise ProtocolError("a ring that this node is not in")
        return found[0]

    async def _follow(self) -> None:
        """Have the ring say where this node is, and ask for the ring, again and again."""
        pause = self._limits.retry_s
        while True:
            try:
                await self._refresh()
                pause = self._limits.ring_every_s
            except Error as error:
                level = logging.INFO if error.retryable else logging.WARNING
                _log.log(level, "node %s cannot learn of the ring: %s", self.name, error.message)
                pause = min(2 * pause, self._limits.ring_every_s)
            sleep = asyncio.ensure_future(
                self._world.clock.sleep(pause * (0.5 + self._world.rng.random()))
            )
            woken = asyncio.ensure_future(self._wake.wait())
            try:
                await asyncio.wait([sleep, woken], return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleep.cancel()
                woken.cancel()
            self._wake.clear()

    async def _refresh(self) -> None:
        me = next(member for member in self.ring.members if member.name == self.name)
        here = me.address == str(self.address) and me.state != LEFT
        request: Message = GetRing() if here else Join(me.id, str(self.address))
        failure: OperationalError | None = None
        if is_formed(self.ring):
            try:
                if here:
                    await self._adopt(await self._register.read())
                else:
                    await self._admit(me.id, self.address)
                return
            except OperationalError as error:
                failure = error
        # Some other node may know more, or be able to do it.
        others = self._others()
        if others:
            other = others[int(self._world.rng.random() * len(others))]
            await self._adopt(await self._ask(other, request))
        elif self._seed is not None:
            await self._adopt(await self._ask_address(self._seed, request))
        elif failure is not None:
            raise failure

    def _others(self) -> list[str]:
        """Whom to ask: while the ring is being formed, who forms it."""
        members = self.ring.members if is_formed(self.ring) else self.ring.members[:1]
        return [m.name for m in members if m.name != self.name and m.name in self._net.addresses]

    async def _seek(self, node: str) -> None:
        """A node is not known here: perhaps others know it."""
        for other in [name for name in self._others() if name != node]:
            try:
                await self._adopt(await self._ask(other, GetRing()))
            except OperationalError as error:
                _log.info("node %s cannot ask for the ring: %s", self.name, error.message)
            if node in self._net.addresses:
                return

    async def _ask(self, node: str, request: Message) -> Ring:
        return await ask(self._world.net, node, request, Ring, self._limits.ring_s)

    def _announce(self, asker: str) -> None:
        """Tell the others the ring as it is now, once; who does not hear it asks by itself.

        asker: the node that joins. It is told in the answer, and does not know its store before.
        """
        for member in self.ring.members:
            if member.address and member.name != self.name and member.id != asker:
                self._spawn(self._announce_to(member.name, self.ring))

    async def _announce_to(self, node: str, ring: Ring) -> None:
        try:
            await tell(self._world.net, node, RingChanged(ring), self._limits.ring_s)
        except Error as error:
            _log.info("node %s was not told of the ring: %s", node, error.message)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _listening(text: str) -> Address:
    """An address that a node can listen at. Raises UsageError."""
    address = parse_address(text)
    require_loopback(address)
    if not address.port:
        raise UsageError(f"nobody can listen at {address}")
    return address
