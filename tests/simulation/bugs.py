"""Planted bugs, each a mistake somebody could make in the control plane, as subclasses of it.

The simulation is proved by finding all of them: see test_simulation.py. `seed` is one that finds
the bug; `python -m tests.simulation.bugs COUNT [NAME...]` looks for them in the first COUNT seeds.
The rarest needs some 300.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from eau2.catalog import ChunkKey, ChunkRef
from eau2.errors import OperationalError, OutcomeUnknownError
from eau2.kv import transitions
from eau2.kv.coordinator import Coordinator, _Reservation
from eau2.kv.copies import Copies, SealedChunk
from eau2.kv.registers import entries
from eau2.kv.registry import Entry, State
from eau2.kv.replaced import writes_of
from eau2.kv.service import Service
from eau2.kv.sweep import Sweep
from eau2.records import replace as changed
from eau2.torture.cluster import Parts
from eau2.torture.registers import SimRun
from eau2.torture.story import play
from eau2.world import World

T = TypeVar("T")


class UnsyncedContent(Service):
    """Says Done before the content of a file is durable."""

    async def _keep(self, temporary: str, folder: str, name: str) -> None:
        await self._disk.rename(temporary, f"{folder}/{name}")
        await self._disk.sync_folder(folder)


class UnsyncedName(Service):
    """Says Done before the name of a file is durable."""

    async def _keep(self, temporary: str, folder: str, name: str) -> None:
        await self._disk.sync(temporary)
        await self._disk.rename(temporary, f"{folder}/{name}")


class _EarlyCopies(Copies):
    async def place(self, key: ChunkKey, sealed: SealedChunk) -> ChunkRef:
        task = asyncio.create_task(super().place(key, sealed))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        slot = self.ring.slot(self.node, key.number)
        nodes = self.ring.walk(slot)[: self.ring.copies]
        said = (sealed.rows, sealed.bytes, sealed.checksum, sealed.statistics)
        return ChunkRef(key, *said, nodes, slot, len(self.ring.slots))


class PublishesEarly(Coordinator):
    """Takes a chunk for durable when it has been sent."""

    def __init__(self, node: str, world: World, *rest: Any, **more: Any) -> None:
        super().__init__(node, world, *rest, **more)
        self.copies = _EarlyCopies(node, world, self.copies.ring, self._limits)


class TakesUnknownForFailed(Coordinator):
    """When the answer to a publication is lost, gives the put up and deletes its chunks."""

    async def _publish(self, held: _Reservation, checksum: str) -> None:
        try:
            await super()._publish(held, checksum)
        except OutcomeUnknownError as error:
            self._delete_later(held.df_id)
            raise OperationalError("the put failed") from error


class DeletesBeforeWithdrawing(Coordinator):
    """Deletes the chunks of a failed put without asking the register."""

    async def _give_up(self, name: str, df_id: str, base: str | None = None) -> None:
        self._delete_later(df_id)


class Unfenced(Coordinator):
    """Publishes whatever has become of the reservation meanwhile."""

    async def _publish(self, held: _Reservation, checksum: str) -> None:
        def step(entry: Entry | None, tried: bool) -> Entry | None:
            if transitions.live(entry) == held.df_id or entry is None:
                return None
            live = Entry(held.name, State.LIVE, held.df_id, held.version, checksum)
            return changed(live, revision=entry.revision + 1)

        await self._change(held.name, step)


class DropsSharedChunks(Coordinator):
    """Takes what it was to drop for dropped, though an append has it now: its chunks are shared."""

    async def drop(self, name: str) -> bool:
        df_id = transitions.live(await self._read(name))
        if df_id is None:
            return False
        await self._change(name, transitions.drop(df_id))
        self._delete_later(*writes_of(df_id, self._known.pop(df_id, None)))
        return True


class RemembersRegisters(Coordinator):
    """Asks the register of a name only once."""

    _answers: dict[str, Entry | None]

    async def _read(self, name: str) -> Entry | None:
        if not hasattr(self, "_answers"):
            self._answers = {}
        if name not in self._answers:
            self._answers[name] = await super()._read(name)
        return self._answers[name]


class ForgetsPending(Sweep):
    """Takes chunks for garbage that no LIVE frame lists: those of puts under way too."""

    async def once(self) -> None:
        held = await self._service.writes()
        every = entries(self._world, self._registry, self._limits)
        live = [transitions.live(entry) async for entry in every]
        for df_id in held:
            if df_id not in live:
                await self._service.delete(df_id)


class ReadsRegistersFirst(Sweep):
    """Looks at the disk after it has read the registers."""

    async def once(self) -> None:
        every = entries(self._world, self._registry, self._limits)
        found = [entry async for entry in every]
        wanted = {transitions.live(entry) for entry in found}
        wanted |= {transitions.pending(entry) for entry in found}
        for df_id in await self._service.writes():
            if df_id not in wanted:
                await self._service.delete(df_id)
        await super().once()


class AnswersBeforeCommit(SimRun):
    """A voter answers before what it wrote is durable."""

    async def __call__(self, call: Callable[[], T]) -> T:
        await self._life.thaw()
        result = call()
        asyncio.get_running_loop().call_later(0.3, self._commit)
        return result

    def _commit(self) -> None:
        if self._life.alive:
            self._medium.sync()


@dataclass(frozen=True, slots=True)
class Bug:
    """A planted bug, and a seed that finds it."""

    parts: Parts
    seed: int

    @property
    def name(self) -> str:
        """What the bug's class is called."""
        plain = Parts()
        pairs = (
            (self.parts.coordinator, plain.coordinator),
            (self.parts.service, plain.service),
            (self.parts.sweep, plain.sweep),
            (self.parts.quorum, plain.quorum),
            (self.parts.acceptor, plain.acceptor),
            (self.parts.run, plain.run),
        )
        return next(part.__name__ for part, right in pairs if part is not right)


BUGS = (
    Bug(Parts(service=UnsyncedContent), 0),
    Bug(Parts(service=UnsyncedName), 0),
    Bug(Parts(coordinator=PublishesEarly), 6),
    Bug(Parts(coordinator=TakesUnknownForFailed), 0),
    Bug(Parts(coordinator=Unfenced), 1),
    Bug(Parts(coordinator=RemembersRegisters), 7),
    Bug(Parts(sweep=ForgetsPending), 0),
    Bug(Parts(run=AnswersBeforeCommit), 15),
    Bug(Parts(coordinator=DeletesBeforeWithdrawing), 9),
    Bug(Parts(coordinator=DropsSharedChunks), 336),
    Bug(Parts(sweep=ReadsRegistersFirst), 1),
)


def main(arguments: list[str]) -> None:
    """Print the first seed that finds each bug, or each one that is named."""
    for bug in BUGS:
        if arguments[1:] and bug.name not in arguments[1:]:
            continue
        seeds = range(int(arguments[0]))
        found = next((seed for seed in seeds if play(seed, bug.parts).faults), None)
        print(f"{bug.name}: {found}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
