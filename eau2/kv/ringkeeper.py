"""Who is in the ring: how a node comes into it, and how all nodes learn of it.

Owns: the node's view of the ring, its copy on disk, and the messages about it. Comes in: Join,
GetRing and RingChanged of other nodes; goes out: a Ring, to whoever wants to know of each change,
and addresses, to the net. Does not know: chunks, names of frames, who is alive.

The voter decides: it gives a node its name and place for as long as its directory lives, writes
the ring down, and only then answers and tells the others. They believe a ring with a higher epoch.
What they miss they learn when they ask, every few seconds.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine
from dataclasses import replace
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
from eau2.net.address import SCHEME, Address, parse_address, require_loopback
from eau2.net.connection import Answer
from eau2.net.message import Done, GetRing, Join, Member, Message, Ring, RingChanged
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
        on_change: Callable[[Ring], None],
        limits: ControlLimits = CONTROL,
    ) -> None:
        """address: where this node listens. on_change: is told of the first and each later ring."""
        self.address = address
        self._world = world
        self._data = data
        self._net = net
        self._on_change = on_change
        self._limits = limits
        self._ring: Ring | None = None
        self._changing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._announced = False

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
        """Whether this node decides who is in the ring, and keeps the registers of names."""
        return self.name in self.ring.voters

    @property
    def membership(self) -> Membership:
        """The ring as the coordinator takes it."""
        return membership(self.ring)

    async def start(self, join: Address | None = None) -> Ring:
        """Come into a ring: that of `join`, that of the directory, or a new one.

        A directory that has been in a ring starts also when nobody else does. Raises
        UnreachableError when `join` cannot be asked, HandshakeError when it is of another store
        than the directory, StoreError and its like when the directory fails.
        """
        if join is None and not self._data.settled:
            await self._found()
        elif join is not None:
            await self._join(join)
        assert self._data.ring is not None
        self._use(self._data.ring)
        self._net.on_unknown = self._seek
        if self.is_voter:
            await self._admit(self._data.identity.id, self.address)
            self._announce(self._data.identity.id)
        else:
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
                if self.is_voter:
                    return await self._admit(id_, _listening(address))
                return await self._ask(self._voter, received.message)
            case RingChanged(ring):
                await self._adopt(ring)
                return Done()
        name = type(received.message).__name__
        raise ProtocolError(f"node {self.name} was asked about the ring with a {name}")

    @property
    def _voter(self) -> str:
        return self.ring.voters[0]

    async def _found(self) -> None:
        """Begin a new store, with this node alone in it."""
        member = Member("n1", self._data.identity.id, str(self.address))
        ring = Ring(self._world.ids.new(), 1, (member,), (member.name,))
        await in_thread(lambda: self._data.settle(member.name, ring))

    async def _join(self, seed: Address) -> None:
        """Come into the ring that a node at `seed` belongs to, or back into it."""
        identity = self._data.identity
        if seed == self.address:
            raise UsageError(
                f"a node cannot join itself ({seed})",
                hint="Name another node's address, or leave --join out to begin a new store.",
            )
        request: Message = Join(identity.id, str(self.address))
        if self._data.ring is not None and identity.name in self._data.ring.voters:
            # Whoever is asked would ask the voter, which is this node.
            request = GetRing()
        try:
            welcome, received = await self._net.ask_address(
                seed, request, store_id=identity.store_id, deadline_s=self._limits.join_s
            )
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
            _log.warning("cannot ask %s for the ring: %s", seed, error.message)
            return
        ring = received.message
        if not isinstance(ring, Ring):
            raise ProtocolError(f"{seed} answered with a {type(ring).__name__} instead of a Ring")
        if welcome.store_id and ring.store_id != welcome.store_id:
            raise ProtocolError(f"{seed} answered with the ring of another store than its own")
        name = self._own_name(ring)
        if self._data.settled:
            # The ring may have been asked of a node that knows less than this one.
            if self._data.ring is None or ring.epoch > self._data.ring.epoch:
                await in_thread(lambda: self._data.keep_ring(ring))
        else:
            await in_thread(lambda: self._data.settle(name, ring))
        self._announced = True

    async def _admit(self, id_: str, address: Address) -> Ring:
        """As the voter: the ring with this node in it, at this address. Durable when it returns."""
        if not _ID.fullmatch(id_):
            raise ProtocolError(f"{id_[:80]!r} is not the id of a node")
        async with self._changing:
            members = _with(self.ring.members, id_, str(address), self._limits.ring_nodes)
            if members != self.ring.members:
                ring = replace(self.ring, epoch=self.ring.epoch + 1, members=members)
                await in_thread(lambda: self._data.keep_ring(ring))
                self._use(ring)
                self._announce(id_)
            return self.ring

    async def _adopt(self, ring: Ring) -> None:
        """Take over a newer ring. Raises ProtocolError if it is not one of this node's."""
        if self.is_voter:
            return
        if ring.store_id != self.ring.store_id or ring.voters != self.ring.voters:
            raise ProtocolError(f"a ring of the store {ring.store_id}, not {self.ring.store_id}")
        if self._own_name(ring) != self.name:
            raise ProtocolError(f"a ring in which {self.name} has another name")
        async with self._changing:
            if ring.epoch > self.ring.epoch:
                await in_thread(lambda: self._data.keep_ring(ring))
                self._use(ring)

    def _use(self, ring: Ring) -> None:
        members = {m.name: m.address for m in ring.members if m.address}
        # The saved address of this node itself may be that of an earlier start.
        members[self.name] = str(self.address)
        self._ring = ring
        self._net.name, self._net.store_id = self.name, ring.store_id
        self._net.update({name: parse_address(address) for name, address in members.items()})
        self._on_change(ring)

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
        """Tell the voter where this node is until it knows, and ask it for the ring for ever."""
        pause = self._limits.retry_s
        while True:
            try:
                await self._refresh()
                pause = self._limits.ring_every_s
            except Error as error:
                level = logging.INFO if error.retryable else logging.WARNING
                _log.log(level, "node %s cannot learn of the ring: %s", self.name, error.message)
                pause = min(2 * pause, self._limits.ring_every_s)
            await self._world.clock.sleep(pause * (0.5 + self._world.rng.random()))

    async def _refresh(self) -> None:
        me = next(member for member in self.ring.members if member.name == self.name)
        here = self._announced and me.address == str(self.address)
        request = GetRing() if here else Join(self._data.identity.id, str(self.address))
        try:
            await self._adopt(await self._ask(self._voter, request))
            self._announced = True
        except OperationalError:
            # The voter may have another address by now, which another node may know.
            await self._ask_anyone()
            raise

    async def _ask_anyone(self) -> None:
        others = [
            member.name
            for member in self.ring.members
            if member.address and member.name not in (self.name, self._voter)
        ]
        if others:
            other = others[int(self._world.rng.random() * len(others))]
            await self._adopt(await self._ask(other, GetRing()))

    async def _seek(self, node: str) -> None:
        """A node is not known here: perhaps the voter knows it."""
        if self.is_voter or node == self._voter:
            return
        try:
            await self._adopt(await self._ask(self._voter, GetRing()))
        except OperationalError as error:
            _log.info("node %s cannot ask for the ring: %s", self.name, error.message)

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


def membership(ring: Ring) -> Membership:
    """The slots and voters of a ring. Raises UsageError for one that cannot be."""
    return Membership(tuple(member.name for member in ring.members), ring.voters)


def _listening(text: str) -> Address:
    """An address that a node can listen at. Raises UsageError."""
    address = parse_address(text)
    require_loopback(address)
    if not address.port:
        raise UsageError(f"nobody can listen at {address}")
    return address


def _with(members: tuple[Member, ...], id_: str, address: str, at_most: int) -> tuple[Member, ...]:
    """The members with this one among them: known ones stay in their places, with their names.

    Whoever was at the address before is not there any more.
    """
    known = [member.id for member in members]
    moved = tuple(
        replace(member, address=address)
        if member.id == id_
        else replace(member, address="")
        if member.address == address
        else member
        for member in members
    )
    if id_ in known:
        return moved
    if len(members) >= at_most:
        raise UsageError(f"the ring has {len(members)} nodes; no more are taken")
    return (*moved, Member(f"n{len(members) + 1}", id_, address))
