"""The sweep: what failed puts and dropped frames left behind is found and deleted.

Owns: when a reservation counts as abandoned, and which writes on this node's disk are garbage.
Comes in: the registers and the node's own disk; goes out: deletions. Does not know: what is being
put where, and the date: a put is alive as long as its register changes.

Garbage is never a matter of age. A write on a disk was reserved in its name's register before its
first byte was sent, and once that register has let go of it, it never takes it up again. So what
was on the disk before all registers were read, and is in none of them, can be deleted. A version
lists only what it wrote itself and what the version before it listed; so what those list that were
LIVE when the registers were read is kept. How long a reservation is waited for decides only whether
a put fails, never whether data is kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

from eau2.catalog import Named
from eau2.config import CONTROL, ControlLimits
from eau2.errors import Error
from eau2.kv.registers import AsyncRegistry, change, entries
from eau2.kv.registry import Entry
from eau2.kv.replaced import kept
from eau2.kv.service import Service
from eau2.kv.transitions import abort, live, pending
from eau2.world import World


class Sweep:
    """Runs on every node: for the node's own disk, and for everybody's reservations."""

    def __init__(
        self,
        world: World,
        registry: AsyncRegistry,
        service: Service,
        named: Callable[[Entry], Awaitable[Named]],
        limits: ControlLimits = CONTROL,
    ) -> None:
        """named: what is LIVE in an entry, see Coordinator.named."""
        self._world = world
        self._registry = registry
        self._service = service
        self._named = named
        self._limits = limits
        self._seen: dict[str, tuple[int, float]] = {}

    async def run(self) -> None:
        """Sweep again and again, until cancelled. A sweep that fails is tried again next time."""
        while True:
            # When the voter or the disk cannot be asked, nothing is deleted that is not garbage.
            with suppress(Error):
                await self.once()
            await self._world.clock.sleep(self._limits.sweep_every_s * (0.5 + self._rest()))

    async def once(self) -> None:
        """One sweep. Raises OperationalError when the registers or the disk cannot be read."""
        held = await self._service.writes()
        wanted: set[str] = set()
        later: list[Entry] = []
        reserved: list[tuple[Entry, str]] = []
        async for entry in entries(self._world, self._registry, self._limits):
            wanted.update(df_id for df_id in (live(entry), pending(entry)) if df_id is not None)
            if (df_id := pending(entry)) is not None:
                reserved.append((entry, df_id))
            if live(entry) is not None and entry.version > 1:
                later.append(entry)
        if not wanted.issuperset(held):
            listed = kept([(entry.df_id, await self._named(entry)) for entry in later])
            for df_id in held:
                if df_id not in wanted:
                    await self._service.delete(df_id, listed.get(df_id) or frozenset())
        await self._abort_abandoned(reserved)

    async def _abort_abandoned(self, reserved: list[tuple[Entry, str]]) -> None:
        """Withdraw reservations that this node has seen unchanged for longer than a lease."""
        now = self._world.clock.now()
        before, self._seen = self._seen, {}
        for entry, df_id in reserved:
            revision, since = before.get(df_id, (entry.revision, now))
            if revision != entry.revision:
                since = now
            self._seen[df_id] = (entry.revision, since)
            if now - since > self._limits.lease_s:
                step = abort(df_id, entry.revision)
                await change(self._world, self._registry, entry.name, step, self._limits)

    def _rest(self) -> float:
        return self._world.rng.random()
