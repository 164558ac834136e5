"""Simulated nodes: what of them survives a crash, and one life between start and crash.

All that runs is the product's: Coordinator, Service, Sweep, Quorum, Acceptor. Their classes can be
replaced, which is how planted bugs come in.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TypeVar

from eau2.config import ControlLimits
from eau2.errors import Error
from eau2.kv.acceptor import VOTES, Acceptor
from eau2.kv.coordinator import Coordinator
from eau2.kv.membership import Membership
from eau2.kv.quorum import Quorum
from eau2.kv.registers import QuorumRegistry
from eau2.kv.service import Service
from eau2.kv.sweep import Sweep
from eau2.net.connection import Answer
from eau2.net.stream import Received
from eau2.torture.chance import Chance
from eau2.torture.disk import Platter, SimDisk
from eau2.torture.life import Being, SimClock
from eau2.torture.network import End, Network, SimNet
from eau2.torture.registers import Medium, SimRegisterStore, SimRun
from eau2.world import Talk, World

T = TypeVar("T")

LIMITS = ControlLimits(
    register_s=1.0,
    change_s=3.0,
    publish_s=3.0,
    chunk_s=4.0,
    delete_s=1.0,
    source_s=20.0,
    chunks_in_flight=2,
    renew_s=1.5,
    lease_s=4.0,
    sweep_every_s=1.0,
    piece_bytes=16,
    registers_page=1,
    grace_s=0.02,
)


@dataclass(frozen=True, slots=True)
class Parts:
    """The classes a cluster is made of."""

    coordinator: type[Coordinator] = Coordinator
    service: type[Service] = Service
    sweep: type[Sweep] = Sweep
    quorum: type[Quorum] = Quorum
    acceptor: type[Acceptor] = Acceptor
    run: type[SimRun] = SimRun


class Life(Being):
    """A node from its start to its crash."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        super().__init__(name)
        self.ends: dict[int, End] = {}
        chance, parts = cluster.chance, cluster.parts
        disk = SimDisk(cluster.platters[name], self)
        clock = SimClock(self, 1000.0 * chance.random())
        self.world = World(clock, chance, chance, SimNet(cluster.network, self), disk)
        voters = cluster.ring.voters
        self._voter: Acceptor | None = None
        if name in voters:
            medium = cluster.media[name]
            run = parts.run(medium, self, chance)
            self._voter = parts.acceptor(name, SimRegisterStore(medium), run, LIMITS)
        quorum = parts.quorum(name, self.world, voters, self._voter, LIMITS)
        self.registers = QuorumRegistry(quorum)
        self.service = parts.service(name, self.world, limits=LIMITS)
        self.coordinator = parts.coordinator(name, self.world, self.registers, cluster.ring, LIMITS)
        named = self.coordinator.named
        self.sweep = parts.sweep(self.world, self.registers, self.service, named, LIMITS)
        self._ready = self._spawn(self._begin(cluster))
        self._spawn(self._sweep())

    async def _begin(self, cluster: Cluster) -> None:
        try:
            await self.service.start()
        except Error:
            # A node that cannot open its disk ends.
            cluster.crash(self.name)

    async def _sweep(self) -> None:
        await self._ready
        await self.sweep.run()

    async def answer(self, received: Received, talk: Talk) -> Answer:
        await asyncio.shield(self._ready)
        if self._voter is not None and isinstance(received.message, VOTES):
            return await self._voter.answer(received.message)
        return await self.service.answer(received, talk)

    def crash(self) -> None:
        super().crash()
        for end in list(self.ends.values()):
            end.wake()


@dataclass(slots=True)
class Cluster:
    """Nodes on a ring, of which the first few are the voters."""

    chance: Chance
    parts: Parts = Parts()
    size: int = 3
    voters: int = 1
    ring: Membership = field(init=False)
    network: Network = field(init=False)
    media: dict[str, Medium] = field(init=False)
    platters: dict[str, Platter] = field(init=False)
    lives: dict[str, Life] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        names = tuple(f"n{number}" for number in range(self.size))
        self.ring = Membership(names, names[: self.voters])
        self.network = Network(self.chance)
        self.platters = {name: Platter(self.chance.source) for name in names}
        self.media = {name: Medium() for name in self.ring.voters}

    def start_all(self) -> None:
        """Start every node that is not up."""
        for name in self.ring.slots:
            self.start(name)

    def start(self, name: str) -> None:
        """Start a node, unless it is up."""
        if name in self.lives and self.lives[name].alive:
            return
        self.chance.note("start", name)
        self.lives[name] = Life(self, name)
        self.network.hosts[name] = self.lives[name]

    def crash(self, name: str) -> None:
        """Cut a node's power, unless it is down."""
        life = self.lives[name]
        if life.alive:
            self.chance.note("crash", name)
            life.crash()
            self.platters[name].crash()
            if name in self.media:
                self.media[name].crash(self.chance.source)
