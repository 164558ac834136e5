"""A simulated disk: what was not synced may be lost, torn or kept when its node crashes.

A `Platter` outlives crashes; a `SimDisk` is one life's access to it. The content of a file and the
entry that names it are made durable apart, as on a real file system.
"""

from __future__ import annotations

import asyncio
import errno
import random
from dataclasses import dataclass, field
from typing import Protocol

from eau2.net.frame import Buffer


class Alive(Protocol):
    """Whoever uses the disk: it can be dead."""

    alive: bool

    async def thaw(self) -> None:
        """Wait until the node is not stopped. Raises asyncio.CancelledError if it is dead."""


@dataclass(slots=True, eq=False)
class Inode:
    """A file: what it holds, and what of that is durable."""

    data: bytearray = field(default_factory=bytearray)
    synced: bytes = b""


@dataclass(slots=True)
class Platter:
    """Files and folders (None) by path, as programs see them and as they are on the medium.

    capacity: bytes of all files together. sync_error: the probability that a sync fails.
    """

    rng: random.Random
    capacity: int = 1 << 30
    sync_error: float = 0.0
    seen: dict[str, Inode | None] = field(default_factory=lambda: {"": None})
    durable: dict[str, Inode | None] = field(default_factory=lambda: {"": None})

    def crash(self) -> None:
        """Lose power: of what was not synced, some is there and some is not."""
        kept = dict(self.durable)
        for path in sorted({*self.seen, *self.durable}):
            before, after = self.durable.get(path), self.seen.get(path)
            same = before is after and (path in self.durable) == (path in self.seen)
            if not same and self.rng.random() < 0.4:
                if path in self.seen:
                    kept[path] = after
                else:
                    kept.pop(path, None)
        self.seen = {path: inode for path, inode in kept.items() if _rooted(path, kept)}
        for inode in self.seen.values():
            if inode is not None:
                self._tear(inode)
        self.durable = dict(self.seen)

    def _tear(self, inode: Inode) -> None:
        extra = len(inode.data) - len(inode.synced)
        if extra > 0:
            del inode.data[len(inode.synced) + self.rng.randrange(extra + 1) :]
            if len(inode.data) > len(inode.synced) and self.rng.random() < 0.5:
                inode.data[-1] ^= 0xFF
        inode.synced = bytes(inode.data)

    def used(self) -> int:
        """The bytes of all files."""
        return sum(len(inode.data) for inode in self.seen.values() if inode is not None)


def _rooted(path: str, entries: dict[str, Inode | None]) -> bool:
    while path:
        path = path.rpartition("/")[0]
        if path not in entries:
            return False
    return True


class SimDisk:
    """eau2.world.Disk for one life of a node."""

    def __init__(self, platter: Platter, life: Alive) -> None:
        self._platter = platter
        self._life = life

    async def make_folder(self, path: str) -> None:
        await self._work()
        self._parent(path)
        self._platter.seen.setdefault(path, None)

    async def append(self, path: str, data: Buffer) -> None:
        await self._work()
        self._parent(path)
        inode = self._platter.seen.get(path)
        if inode is None:
            inode = self._platter.seen[path] = Inode()
        room = self._platter.capacity - self._platter.used()
        view = memoryview(data).cast("B")
        inode.data += view[: max(0, room)]
        if room < len(view):
            raise OSError(errno.ENOSPC, "No space left on device")

    async def sync(self, path: str) -> None:
        inode = self._file(path)
        await self._flush()
        inode.synced = bytes(inode.data)

    async def sync_folder(self, path: str) -> None:
        await self._flush()
        seen, durable = self._platter.seen, self._platter.durable
        if path not in seen:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        for entry in self._within(path, durable):
            if entry not in seen:
                del durable[entry]
        for entry in self._within(path, seen):
            durable[entry] = seen[entry]

    async def rename(self, old: str, new: str) -> None:
        await self._work()
        self._parent(new)
        self._platter.seen[new] = self._file(old)
        del self._platter.seen[old]

    async def size(self, path: str) -> int:
        await self._work()
        return len(self._file(path).data)

    async def read(self, path: str, offset: int, size: int) -> bytes:
        await self._work()
        return bytes(self._file(path).data[offset : offset + size])

    async def names(self, path: str) -> tuple[str, ...]:
        await self._work()
        self._parent(f"{path}/")
        found = self._within(path, self._platter.seen)
        return tuple(sorted(entry.rpartition("/")[2] for entry in found))

    async def tree(self, path: str) -> tuple[tuple[str, int], ...]:
        await self._work()
        self._parent(f"{path}/")
        start = f"{path}/"
        files = [
            (found.removeprefix(start), len(inode.data))
            for found, inode in self._platter.seen.items()
            if inode is not None and found.startswith(start)
        ]
        return tuple(sorted(files))

    async def remove(self, path: str) -> None:
        await self._work()
        self._platter.seen.pop(path, None)

    async def remove_folder(self, path: str) -> None:
        await self._work()
        for entry in [p for p in self._platter.seen if p == path or p.startswith(f"{path}/")]:
            del self._platter.seen[entry]

    def _parent(self, path: str) -> None:
        if path.rpartition("/")[0] not in self._platter.seen:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)

    def _file(self, path: str) -> Inode:
        inode = self._platter.seen.get(path)
        if inode is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return inode

    @staticmethod
    def _within(path: str, entries: dict[str, Inode | None]) -> list[str]:
        return [entry for entry in entries if entry and entry.rpartition("/")[0] == path]

    async def _work(self) -> None:
        await self._life.thaw()
        await asyncio.sleep(0.0002)
        await self._life.thaw()

    async def _flush(self) -> None:
        await self._life.thaw()
        await asyncio.sleep(self._platter.rng.choice((0.001, 0.005, 0.05)))
        await self._life.thaw()
        if self._platter.rng.random() < self._platter.sync_error:
            raise OSError(errno.EIO, "Input/output error")
