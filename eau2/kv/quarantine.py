"""Where damaged files go: out of the way at once, and kept for a while to be looked at.

Owns: the folder `quarantine`, the names in it, its bounds. Comes in: the path of a file that is not
what was written; goes out: nothing; the file is not under its name any more. Does not know: what
makes a file damaged, where a whole copy is.

Names begin with a number that rises, so that the oldest is known whatever clocks say.
"""

from __future__ import annotations

from collections import OrderedDict

from eau2.config import CONTROL, ControlLimits
from eau2.world import World

QUARANTINE = "quarantine"


class Quarantine:
    """The damaged files of one node. `start` it first. All raise OSError."""

    def __init__(self, world: World, limits: ControlLimits = CONTROL) -> None:
        self._disk = world.disk
        self._limits = limits
        self._next = 0
        self._kept: OrderedDict[str, int] = OrderedDict()

    @property
    def files(self) -> int:
        """How many there are."""
        return len(self._kept)

    async def start(self) -> None:
        """Make the place, and see what is there."""
        await self._disk.make_folder(QUARANTINE)
        self._kept = OrderedDict(await self._disk.tree(QUARANTINE))
        numbers = [int(start) for name in self._kept if (start := name.partition("-")[0]).isdigit()]
        self._next = max(numbers, default=-1) + 1

    async def take(self, folder: str, name: str) -> str:
        """Move a file here, durably; its path now. Nothing else has that path, ever."""
        source = f"{folder}/{name}"
        df_id, part = folder.rpartition("/")[2], name.partition(".")[0]
        kept = f"{self._next:08d}-{df_id}-{part}"
        self._next += 1
        size = await self._disk.size(source)
        await self._disk.rename(source, f"{QUARANTINE}/{kept}")
        self._kept[kept] = size
        await self._make_room()
        await self._disk.sync_folder(QUARANTINE)
        await self._disk.sync_folder(folder)
        return f"{QUARANTINE}/{kept}"

    async def _make_room(self) -> None:
        limits = self._limits
        while self._kept and (
            len(self._kept) > limits.quarantine_files
            or sum(self._kept.values()) > limits.quarantine_bytes
        ):
            oldest, _ = self._kept.popitem(last=False)
            await self._disk.remove(f"{QUARANTINE}/{oldest}")
