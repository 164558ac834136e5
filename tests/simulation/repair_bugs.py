"""Planted bugs in repair, confirmation, sweep and scrub, each as a subclass of the right one.

The story of copies is proved by finding all of them: see test_repair.py. `seed` is one that finds
the bug; `python -m tests.simulation.repair_bugs COUNT [NAME...]` looks for more.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields

from eau2.catalog import ChunkRef
from eau2.errors import MissingError, OperationalError
from eau2.kv.copies import Copies
from eau2.kv.exchange import fetch_file
from eau2.kv.holding import Holding
from eau2.kv.membership import Membership
from eau2.kv.registers import entries
from eau2.kv.service import Service
from eau2.kv.sweep import Sweep
from eau2.kv.transitions import live, pending
from eau2.net.frame import Buffer
from eau2.net.message import GetChunk, GetManifest, PutChunk, PutManifest, TaskChunk
from eau2.net.ring_message import ConfirmChunk
from eau2.torture.repair_cluster import Parts
from eau2.torture.repair_story import play


class DeletesAfterOneYes(Holding):
    """Takes one copy for enough when it deletes its own."""

    async def confirmed(self, ref: ChunkRef, ring: Membership) -> bool:
        for node in ring.proper(ref):
            question = ConfirmChunk(ring.epoch, _asked(ref), ref.slot, ref.slots)
            if await self._said(node, question):
                return True
        return False


class ForgetsItsEpoch(Holding):
    """Neither asks which ring a node knows, nor looks whether its own is still the same."""

    async def let_go(self, ref: ChunkRef, epoch: int) -> bool:
        self._going.add(ref.key)
        await self._service.remove(ref.key)
        self._going.discard(ref.key)
        return True

    def _is_for_good(self, ref: ChunkRef, epoch: int) -> bool:
        return ref.key not in self._going


class ForgetsSharedChunks(Sweep):
    """Takes a write for garbage that is not LIVE itself, though a version lists chunks of it."""

    async def once(self) -> None:
        held = await self._service.writes()
        wanted: set[str | None] = set()
        async for entry in entries(self._world, self._registry, self._limits):
            wanted |= {live(entry), pending(entry)}
        for df_id in held:
            if df_id not in wanted:
                await self._service.delete(df_id)
        await super().once()


class AcknowledgesEarly(Copies):
    """Takes one copy less for enough when it puts a chunk."""

    async def _spread(
        self,
        nodes: Sequence[str],
        copies: int,
        request: PutChunk | PutManifest,
        data: Sequence[Buffer],
    ) -> tuple[str, ...]:
        fewer = copies - isinstance(request, PutChunk)
        return await super()._spread(nodes, max(1, fewer), request, data)


class RepairsUnsynced(Service):
    """A copy that repair fetched may be gone after a crash: nothing syncs its folder."""

    async def store(self, df_id: str, number: int | None, data: bytes, checksum: str) -> None:
        keep, self._keep = self._keep, self._keep_unsynced  # type: ignore[method-assign]
        try:
            await super().store(df_id, number, data, checksum)
        finally:
            self._keep = keep  # type: ignore[method-assign]

    async def _keep_unsynced(self, temporary: str, folder: str, name: str) -> None:
        await self._disk.sync(temporary)
        await self._disk.rename(temporary, f"{folder}/{name}")


class TakesAnyBytes(Copies):
    """Gives what a node sends, whatever its checksum."""

    async def found(
        self, nodes: Sequence[str], request: GetChunk | GetManifest, checksum: str, what: str
    ) -> bytes:
        if isinstance(request, GetManifest):
            return await super().found(nodes, request, checksum, what)
        for node in nodes:
            try:
                return await fetch_file(self._net, node, request, self._limits.chunk_s)
            except OperationalError:
                continue
        raise MissingError(f"{what} is on no node")


def _asked(ref: ChunkRef) -> TaskChunk:
    return TaskChunk(ref.key.df_id, ref.key.number, ref.rows, ref.bytes, ref.checksum)


@dataclass(frozen=True, slots=True)
class Bug:
    """A planted bug, and a seed that finds it."""

    parts: Parts
    seed: int

    @property
    def name(self) -> str:
        """What the bug's class is called."""
        plain = Parts()
        pairs = [(getattr(self.parts, f.name), getattr(plain, f.name)) for f in fields(Parts)]
        return next(str(part.__name__) for part, right in pairs if part is not right)


BUGS = (
    Bug(Parts(holding=DeletesAfterOneYes), 9),
    Bug(Parts(sweep=ForgetsSharedChunks), 0),
    Bug(Parts(copies=AcknowledgesEarly), 0),
    Bug(Parts(service=RepairsUnsynced), 105),
    Bug(Parts(holding=ForgetsItsEpoch), 444),
    Bug(Parts(copies=TakesAnyBytes), 12),
)


def main(arguments: list[str]) -> None:
    """Print the first seed that finds each bug, or each one that is named."""
    logging.disable()
    for bug in BUGS:
        if arguments[1:] and bug.name not in arguments[1:]:
            continue
        seeds = range(int(arguments[0]))
        found = next((seed for seed in seeds if play(seed, bug.parts).faults), None)
        faults = [] if found is None else play(found, bug.parts).faults[:2]
        print(f"{bug.name}: {found} {faults}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
