"""Simulated nodes that repair, scrub and let go of copies, on a ring that each learns of late.

All that holds or moves copies is the product's: Coordinator, Service, Sweep, Holding, Repair,
Scrub, Liveness. The registers, and the ring's own register, are always there: they are not what is
tried here. Classes can be replaced, which is how planted bugs come in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import xxhash

from eau2.catalog import ChunkRef, Frame, Named
from eau2.config import ControlLimits
from eau2.errors import Error, UsageError
from eau2.kv import manifest
from eau2.kv.coordinator import Coordinator
from eau2.kv.copies import Copies
from eau2.kv.holding import Holding
from eau2.kv.inventory import CHUNKS, file_name
from eau2.kv.listing import Listing
from eau2.kv.liveness import Health, Liveness
from eau2.kv.membership import Membership
from eau2.kv.registry import Entry, MemoryRegistry, State
from eau2.kv.repair import Repair, Repaired
from eau2.kv.ringsteps import IN, LEFT, Step, admit, founded, leave, membership
from eau2.kv.scrub import Scrub
from eau2.kv.service import Service
from eau2.kv.sweep import Sweep
from eau2.kv.transitions import live, pending
from eau2.net.connection import Answer
from eau2.net.message import Number
from eau2.net.ring_message import ConfirmChunk, Heartbeat, Holdings, Ring, SuspectChunk
from eau2.net.stream import Received
from eau2.torture.chance import Chance
from eau2.torture.disk import Inode, Platter, SimDisk
from eau2.torture.life import Being, SimClock
from eau2.torture.network import End, Network, SimNet
from eau2.world import Talk, World

LIMITS = ControlLimits(
    register_s=1.0,
    change_s=3.0,
    publish_s=3.0,
    chunk_s=3.0,
    delete_s=1.0,
    source_s=20.0,
    renew_s=1.5,
    lease_s=5.0,
    sweep_every_s=3.0,
    piece_bytes=128,
    registers_page=2,
    ring_nodes=12,
    ring_s=1.0,
    heartbeat_s=2.0,
    heartbeat_answer_s=1.5,
    suspect_s=4.0,
    down_s=7.0,
    lost_s=12.0,
    repair_every_s=2.0,
    repair_bytes_per_s=60,
    repair_round_s=4.0,
    repair_look_s=12.0,
    holdings_s=1.5,
    holdings_writes=2,
    holdings_ranges=2,
    scrub_every_s=10.0,
    scrub_bytes_per_s=2000,
    scrub_round_s=2.5,
    quarantine_files=3,
    quarantine_bytes=1000,
)


class Registers:
    """The registers of all names, for one life of a node; nobody is ever kept from them."""

    def __init__(self, durable: MemoryRegistry, life: Life) -> None:
        self._durable = durable
        self._life = life

    @property
    def whom(self) -> str:
        return "the registers"

    async def read(self, name: str) -> Entry | None:
        await self._work()
        return self._durable.read(name)

    async def cas(self, name: str, expect: Entry | None, value: Entry) -> bool:
        await self._work()
        return self._durable.cas(name, expect, value)

    async def page(self, after: str) -> tuple[tuple[Entry, ...], bool]:
        await self._work()
        rest = [entry for entry in self._durable.list() if not after or entry.name > after]
        return tuple(rest[: LIMITS.registers_page]), len(rest) > LIMITS.registers_page

    async def epoch(self) -> int:
        await self._work()
        return self._durable.epoch()

    async def _work(self) -> None:
        await self._life.thaw()
        await asyncio.sleep(0.002)
        await self._life.thaw()


@dataclass(frozen=True, slots=True)
class Parts:
    """The classes a cluster is made of."""

    copies: type[Copies] = Copies
    service: type[Service] = Service
    sweep: type[Sweep] = Sweep
    holding: type[Holding] = Holding
    repair: type[Repair] = Repair


class Life(Being):
    """A node from its start to its crash."""

    def __init__(self, cluster: RingCluster, name: str) -> None:
        super().__init__(name)
        self.ends: dict[int, End] = {}
        self._cluster = cluster
        chance, parts = cluster.chance, cluster.parts
        disk = SimDisk(cluster.platters[name], self)
        clock = SimClock(self, 1000.0 * chance.random())
        world = World(clock, chance, chance, SimNet(cluster.network, self), disk)
        registers = Registers(cluster.registers, self)
        self.service = parts.service(
            name,
            world,
            leaving=self._is_leaving,
            suspect=lambda df_id, number: self.scrub.suspect(df_id, number),
            limits=LIMITS,
        )
        self.liveness = Liveness(name, world, self.membership, limits=LIMITS)
        self.coordinator = Coordinator(name, world, registers, self.membership(), LIMITS)
        self.coordinator.copies = parts.copies(
            name, world, self.membership(), LIMITS, self._is_down
        )
        listing = Listing(world, registers, self.coordinator.named, LIMITS)
        self.scrub = Scrub(name, world, self.service, listing, self._damage_found, LIMITS)
        self.holding = parts.holding(
            name, world, self.service, self.membership, self.scrub.suspect, LIMITS
        )
        self.repair = parts.repair(
            name,
            world,
            self.service,
            self.holding,
            listing,
            self.coordinator.copies,
            self.ring,
            self.liveness,
            epoch=self.coordinator.epoch,
            lose=self._lose,
            report=cluster.reported,
            limits=LIMITS,
        )
        self.sweep = parts.sweep(world, registers, self.service, self.coordinator.named, LIMITS)
        self._ready = self._spawn(self._begin())
        for part in (self.sweep.run, self.repair.run, self.scrub.run, self.liveness.run):
            self._spawn(self._when_ready(part()))

    @property
    def stopped_until_s(self) -> float:
        """The loop's time from when on it goes on."""
        return self._stopped_until

    def ring(self) -> Ring:
        """The ring as it is known here."""
        return self._cluster.known[self.name]

    def membership(self) -> Membership:
        """The ring as it is known here."""
        return membership(self.ring())

    def learn(self, ring: Ring) -> None:
        """Know a newer ring from now on."""
        if self.alive and ring.epoch > self.ring().epoch:
            self._cluster.chance.note("learn", self.name, ring.epoch)
            self._cluster.known[self.name] = ring
            self.coordinator.copies.ring = membership(ring)
            self.repair.wake()

    def _is_leaving(self) -> bool:
        return self.name in self.membership().leaving

    def _is_down(self, node: str) -> bool:
        return self.liveness.health(node) is Health.DOWN

    def _damage_found(self) -> None:
        self._cluster.damage_found += 1
        self.repair.wake()

    async def _lose(self, node: str) -> None:
        await self.thaw()
        self._cluster.change(leave(node, LEFT, returns=node != self.name))

    async def _begin(self) -> None:
        try:
            await self.service.start()
        except Error:
            # A node that cannot open its disk ends.
            self._cluster.crash(self.name)

    async def _when_ready(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await asyncio.shield(self._ready)
            await work
        finally:
            work.close()

    async def answer(self, received: Received, talk: Talk) -> Answer:
        await asyncio.shield(self._ready)
        match received.message:
            case Heartbeat():
                return Number(self.ring().epoch)
            case Holdings() | ConfirmChunk() | SuspectChunk():
                return await self.holding.answer(received)
        return await self.service.answer(received, talk)

    def start(self, work: asyncio.Task[None]) -> None:
        self.keep(work)

    def crash(self) -> None:
        super().crash()
        for end in list(self.ends.values()):
            end.wake()


@dataclass(slots=True)
class RingCluster:
    """Nodes, the ring as it is, and the ring as each of them knows it.

    off: nodes that will never run again: their disks are gone, or nobody needs them.
    """

    chance: Chance
    parts: Parts = Parts()
    size: int = 5
    voters: int = 3
    ring: Ring = field(init=False)
    network: Network = field(init=False)
    registers: MemoryRegistry = field(init=False, default_factory=MemoryRegistry)
    platters: dict[str, Platter] = field(init=False, default_factory=dict)
    known: dict[str, Ring] = field(init=False, default_factory=dict)
    lives: dict[str, Life] = field(init=False, default_factory=dict)
    off: list[str] = field(init=False, default_factory=list)
    drained: list[str] = field(init=False, default_factory=list)
    reports: list[Repaired] = field(init=False, default_factory=list)
    manifests: dict[str, Named] = field(init=False, default_factory=dict)
    damage_found: int = 0
    late_s: float = 0.0

    def __post_init__(self) -> None:
        self.network = Network(self.chance)
        self.ring = founded("s", self.chance.new(), "a1", self.voters)
        for number in range(2, self.size + 1):
            self.ring = admit(self.chance.new(), f"a{number}", LIMITS.ring_nodes)(self.ring)
        for member in self.ring.members:
            self._add(member.name)

    def _add(self, name: str) -> None:
        self.platters[name] = Platter(self.chance.source)
        self.known[name] = self.ring
        self.start(name)

    def reported(self, done: Repaired) -> None:
        """A round of repair has ended."""
        self.reports.append(done)

    def change(self, step: Step) -> bool:
        """Change the ring; each node learns of it by and by. Whether it changed."""
        try:
            ring = step(self.ring)
        except UsageError:
            return False
        if ring == self.ring:
            return False
        self.ring = ring
        self.chance.note("ring", ring.epoch, [(m.name, m.state) for m in ring.members])
        for name in self.lives:
            self._tell_later(name)
        return True

    def _tell_later(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(self.chance.random() * self.late_s, self._tell, name, self.ring)

    def _tell(self, name: str, ring: Ring) -> None:
        life, loop = self.lives[name], asyncio.get_running_loop()
        if loop.time() < life.stopped_until_s:
            loop.call_at(life.stopped_until_s, self._tell, name, ring)
            return
        life.learn(ring)
        me = next(m for m in self.ring.members if m.name == name)
        # Who was lost and is there comes back; who was to leave does not.
        if life.alive and me.state == LEFT and name not in self.drained:
            self.change(leave(name, IN))

    def join(self) -> str:
        """A new node, with an empty disk; its name."""
        number = len(self.ring.members) + 1
        if not self.change(admit(self.chance.new(), f"a{number}", LIMITS.ring_nodes)):
            return ""
        self._add(f"n{number}")
        return f"n{number}"

    def start(self, name: str) -> None:
        """Start a node, unless it is up or off."""
        if (name in self.lives and self.lives[name].alive) or name in self.off:
            return
        self.chance.note("start", name)
        self.lives[name] = Life(self, name)
        self.network.hosts[name] = self.lives[name]
        self._tell_later(name)

    def start_all(self) -> None:
        """Start every node that is not up."""
        for name in list(self.platters):
            self.start(name)

    def crash(self, name: str) -> None:
        """Cut a node's power, unless it is down."""
        life = self.lives[name]
        if life.alive:
            self.chance.note("crash", name)
            life.crash()
            self.platters[name].crash()

    def turn_off(self, name: str) -> None:
        """A node that never comes back, with what is on its disk."""
        self.chance.note("off", name)
        self.lives[name].crash()
        self.off.append(name)
        del self.platters[name]

    def read(self, name: str, path: str) -> bytes | None:
        """A file on a node's disk, as programs see it."""
        inode = self.platters[name].seen.get(path) if name in self.platters else None
        return None if inode is None else bytes(inode.data)

    def flip(self, name: str, path: str, at: int) -> None:
        """Turn one bit of a file at rest."""
        inode = self.platters[name].seen[path]
        assert isinstance(inode, Inode)
        inode.data[at // 8] ^= 1 << at % 8
        inode.synced = bytes(inode.data)

    def live(self) -> list[tuple[Entry, Frame]]:
        """What names mean, each manifest from whichever disk has it whole; others are left out."""
        found = []
        for entry in self.registers.list():
            if entry.state is not State.LIVE:
                continue
            encoded = self._manifest(entry)
            named = None if encoded is None else self._decoded(entry.manifest, encoded)
            if isinstance(named, Frame):
                found.append((entry, named))
        return found

    def _manifest(self, entry: Entry) -> bytes | None:
        path = f"{CHUNKS}/{entry.df_id}/{file_name(None)}"
        files = (self.read(name, path) for name in self.platters)
        return next((f for f in files if f and manifest.checksum(f) == entry.manifest), None)

    def _decoded(self, checksum: str, encoded: bytes) -> Named:
        if checksum not in self.manifests:
            self.manifests[checksum] = manifest.decode(encoded)
        return self.manifests[checksum]

    def faults(self) -> list[str]:
        """What is not as it should be when all is repaired: copies, manifests, garbage."""
        return [*self.copies_missing(), *self._too_much()]

    def copies_missing(self) -> list[str]:
        """What is not on all nodes that are to hold it."""
        ring, faults = membership(self.ring), []
        frames = self.live()
        named = [entry.df_id for entry, _ in frames]
        for entry in self.registers.list():
            if pending(entry) is not None:
                faults.append(f"a reservation is left: {entry}")
            if live(entry) is not None and entry.df_id not in named:
                faults.append(f"the manifest of {entry.name} is lost")
        for entry, frame in frames:
            path = f"{CHUNKS}/{entry.df_id}/{file_name(None)}"
            for node in ring.manifest_holders(entry.df_id):
                data = self.read(node, path)
                if data is None or manifest.checksum(data) != entry.manifest:
                    faults.append(f"the manifest of {entry.name} is not on {node}")
            for ref in frame.chunks:
                faults += [
                    f"{node} has no whole chunk {ref.key}"
                    for node in ring.proper(ref)
                    if not self.has_whole(node, ref)
                ]
        return faults

    def has_whole(self, node: str, ref: ChunkRef) -> bool:
        """Whether a node's disk has a chunk as it was written."""
        data = self.read(node, chunk_path(ref))
        digest: str = xxhash.xxh3_128_hexdigest(data or b"")
        return data is not None and digest == ref.checksum

    def _too_much(self) -> list[str]:
        ring, right = membership(self.ring), set()
        for entry, frame in self.live():
            right |= {(n, f"{entry.df_id}/{file_name(None)}") for n in self.platters}
            for ref in frame.chunks:
                path = f"{ref.key.df_id}/{file_name(ref.key.number)}"
                right |= {(node, path) for node in ring.proper(ref)}
        return [
            f"{path} is left on {node}"
            for node, platter in self.platters.items()
            for path, inode in platter.seen.items()
            if inode is not None
            and path.startswith(f"{CHUNKS}/")
            and (node, path.removeprefix(f"{CHUNKS}/")) not in right
        ]


def chunk_path(ref: ChunkRef) -> str:
    """Where a chunk lies on a node's disk."""
    return f"{CHUNKS}/{ref.key.df_id}/{file_name(ref.key.number)}"
