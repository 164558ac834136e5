"""What a node does for the store all the time: heartbeats, sweeps, repairs and scrubs.

Owns: the parts that do it, how they are joined, and their tasks. Comes in: the ring as it is known
here, and what other nodes ask about copies; goes out: answers, and what is known of the node's own
copies. Does not know: what any of the parts decides.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from eau2.config import CONTROL, ControlLimits
from eau2.kv.coordinator import Coordinator
from eau2.kv.holding import Holding
from eau2.kv.listing import Listing
from eau2.kv.liveness import Liveness
from eau2.kv.repair import Repair, Repaired
from eau2.kv.ringsteps import membership
from eau2.kv.scrub import Scrub
from eau2.kv.service import Service
from eau2.kv.sweep import Sweep
from eau2.net.connection import Answer
from eau2.net.ring_message import ConfirmChunk, Holdings, Ring, SuspectChunk
from eau2.net.stream import Received
from eau2.world import World

_log = logging.getLogger("eau2.upkeep")

ABOUT_COPIES = (Holdings, ConfirmChunk, SuspectChunk)
"""What `Upkeep.answer` answers."""


class Upkeep:
    """For one node, from `start` to `stop`."""

    def __init__(
        self,
        world: World,
        coordinator: Coordinator,
        service: Service,
        liveness: Liveness,
        ring: Callable[[], Ring],
        lose: Callable[[str], Awaitable[object]],
        limits: ControlLimits = CONTROL,
    ) -> None:
        """ring: as it is known here, durably. lose: changes it so that a node has left."""
        node = self._node = coordinator.node
        self._world = world
        self._limits = limits
        self._ring = ring
        self._service = service
        self._registers_epoch = coordinator.epoch
        self._begun = self._looked = (0, 0)
        listing = Listing(world, coordinator.registers, coordinator.named, limits)
        self._scrub = Scrub(node, world, service, listing, self.wake, limits)
        holding = Holding(
            node, world, service, lambda: membership(ring()), self._scrub.suspect, limits
        )
        self._holding = holding
        self._repair = Repair(
            node,
            world,
            service,
            holding,
            listing,
            coordinator.copies,
            ring,
            liveness,
            epoch=self._begin,
            lose=lose,
            report=self._report,
            limits=limits,
        )
        self._sweep = Sweep(world, coordinator.registers, service, coordinator.named, limits)
        self._liveness = liveness
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin all of it."""
        work = {
            "heartbeats": self._liveness.run,
            "sweep": self._sweep.run,
            "repair": self._repair.run,
            "scrub": self._scrub.run,
        }
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._kept_up(*each)) for each in work.items()]

    async def _kept_up(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run one of them, and again after an error that nobody has foreseen: a node without its
        sweep or its repair would look well and lose room, or copies.
        """
        while True:
            try:
                await run()
            except Exception:
                _log.exception("the %s of node %s failed; it begins again", name, self._node)
            await self._world.clock.sleep(self._limits.sweep_every_s)

    async def stop(self) -> None:
        """End all of it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wake(self) -> None:
        """Repair soon: something has changed."""
        self._repair.wake()

    def suspect(self, df_id: str, number: int | None) -> None:
        """A file was found damaged: look at it soon. number: of the chunk; None: the manifest."""
        self._scrub.suspect(df_id, number)

    @property
    def repaired(self) -> Repaired | None:
        """What the last round of repairs did."""
        return self._repair.last

    @property
    def looked(self) -> tuple[int, int, int]:
        """What is known of the copies here: `looked`, `missing` and `quarantined` of a
        net.message.NodeDescription.
        """
        epoch, damaged = self._looked
        done = self._repair.last
        known = done is not None and damaged == self._service.damaged
        missing = 0 if done is None else max(done.missing - done.fetched, done.unread)
        return epoch if known else 0, missing, self._service.quarantined

    async def _begin(self) -> int:
        """A round of repairs begins: for which ring, and what was damaged before it."""
        epoch = await self._registers_epoch()
        # The ring that the round is for: it may have changed while the registers were asked.
        self._begun = (self._ring().epoch, self._service.damaged)
        return epoch

    def _report(self, done: Repaired) -> None:
        self._looked = self._begun

    async def answer(self, received: Received) -> Answer:
        """Answer a request of ABOUT_COPIES."""
        return await self._holding.answer(received)
