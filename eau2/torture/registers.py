"""A voter's registers on a simulated disk: what was not synced when its node crashed may be lost.

A `Medium` outlives crashes; a `SimRegisterStore` is one life's access to it, and `SimRun` does what
eau2.world.in_thread does for it: calls one after the other, and says what was written only once it
is durable.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from eau2.kv.register_store import Cell, MemoryRegisterStore
from eau2.torture.chance import Chance
from eau2.torture.disk import Alive

T = TypeVar("T")

COMMIT_S = (0.001, 0.005, 0.05)
"""How long it takes until a write is durable."""


@dataclass(slots=True)
class Medium:
    """Cells by key as they are on the medium, and the writes that are not yet.

    wiped: the node came back with another, empty one, which has another id.
    """

    cells: dict[str, Cell] = field(default_factory=dict)
    unsynced: list[tuple[tuple[str, Cell], ...]] = field(default_factory=list)
    wiped: bool = False

    def sync(self) -> None:
        """All writes become durable."""
        for cells in self.unsynced:
            self.cells.update(cells)
        self.unsynced.clear()

    def crash(self, rng: random.Random) -> None:
        """Lose power: of the writes that are not durable, the first few are there, each whole."""
        if self.unsynced:
            del self.unsynced[rng.randrange(len(self.unsynced) + 1) :]
            self.sync()

    def wipe(self) -> None:
        """Take the disk out, and put an empty one in."""
        self.cells.clear()
        self.unsynced.clear()
        self.wiped = True

    def may_vote(self) -> bool:
        """Whether a node that starts with it is the voter that it was."""
        return not self.wiped


class SimRegisterStore(MemoryRegisterStore):
    """eau2.kv.register_store.RegisterStore for one life of a node."""

    def __init__(self, medium: Medium) -> None:
        super().__init__()
        self.medium = medium
        super().write(tuple(medium.cells.items()))

    def write(self, cells: Sequence[tuple[str, Cell]]) -> None:
        super().write(cells)
        self.medium.unsynced.append(tuple(cells))


class SimRun:
    """eau2.kv.acceptor.Run for one life of a node: calls that wait for its disk."""

    def __init__(self, medium: Medium, life: Alive, chance: Chance) -> None:
        self._medium = medium
        self._life = life
        self._chance = chance
        self._lock = asyncio.Lock()

    async def __call__(self, call: Callable[[], T]) -> T:
        async with self._lock:
            await self._life.thaw()
            result = call()
            if self._medium.unsynced:
                await asyncio.sleep(self._chance.choice(COMMIT_S))
                await self._life.thaw()
                self._medium.sync()
            return result
