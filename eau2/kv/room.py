"""Room on a node's disk: how much new chunks must leave, and a reserve for the registers.

Owns: when a chunk is refused for want of room, the ballast file, and when it is given up. Comes in:
sizes of files that are about to come, and what is free; goes out: DiskFullError, or room. Does not
know: chunks, registers, what is written.

A disk that is full of chunks must still take promises of registers, or nothing could be dropped any
more. So new chunks leave some of it free. Whoever else fills the disk may take that too: then the
ballast, a file of nothing, is deleted, and its room does for many registers.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

from eau2.config import ROOM, RoomLimits
from eau2.errors import DiskFailedError, DiskFullError
from eau2.kv.register_store import Cell, Page, RegisterStore
from eau2.world import DiskWatch

T = TypeVar("T")

_log = logging.getLogger("eau2.room")

Free = Callable[[], Awaitable[tuple[int, int]]]
"""The bytes that are free, and those that the disk has."""


class Room:
    """What chunks may take of the disk of the node called `node`."""

    def __init__(
        self, node: str, free: Free, ballast: Ballast | None = None, limits: RoomLimits = ROOM
    ) -> None:
        self._node = node
        self._free = free
        self._ballast = ballast
        self._limits = limits
        self._coming = 0

    @asynccontextmanager
    async def taken(self, size: int) -> AsyncIterator[None]:
        """In the block, a file of `size` bytes comes to the disk. Raises DiskFullError before."""
        self._coming += size
        try:
            await self._check()
            yield
        finally:
            self._coming -= size

    async def _check(self) -> None:
        free, whole = await self._free()
        keep = kept_free(whole, self._limits)
        # What is coming may be on the disk already in part: then it counts twice, for a while.
        if free - self._coming < keep:
            raise DiskFullError(
                f"no room for new chunks on the disk of node {self._node}: {_size(free)} of"
                f" {_size(whole)} are free, and {_size(keep)} stay free for registers",
                hint="Drop frames, free some space there, or add a node.",
            )
        if self._ballast is not None and not self._ballast.held:
            await asyncio.to_thread(self._ballast.take)


def kept_free(whole: int, limits: RoomLimits = ROOM) -> int:
    """The bytes of a disk of `whole` bytes that chunks leave free."""
    wanted = max(limits.free_bytes, int(whole * limits.free_share))
    return min(wanted, int(whole * limits.free_share_max))


class Ballast:
    """A file that holds room on the disk, to be given up when there is no other."""

    def __init__(self, path: Path, limits: RoomLimits = ROOM) -> None:
        self._path = path
        self._limits = limits
        self.held = False
        """Whether there is something to give up."""

    def take(self) -> None:
        """Hold room, if there is enough of it; as much as there was, if it is held already."""
        try:
            disk = os.statvfs(self._path.parent)
            free, whole = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
            size = min(self._limits.ballast_bytes, int(whole * self._limits.ballast_share))
            size = max(size, self._limits.ballast_bytes_min)
            if not self._path.exists():
                if free - size < kept_free(whole, self._limits):
                    return
                self._fill(size)
            self.held = True
        except OSError as error:
            # Without it all goes on as long as there is room.
            _log.info("no room is held on the disk in %s: %s", self._path, error)

    def _fill(self, size: int) -> None:
        file = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644)
        try:
            os.posix_fallocate(file, 0, size)
        except BaseException:
            self._path.unlink(missing_ok=True)
            raise
        finally:
            os.close(file)

    def give(self) -> bool:
        """Give the room up; whether there was some."""
        if not self.held:
            return False
        self.held = False
        with suppress(OSError):
            self._path.unlink()
            _log.warning("the disk is full: the room held in %s was given up", self._path)
            return True
        return False


class GuardedRegisters:
    """The registers in `store`: a full disk gets the ballast, and a failed one is told of."""

    def __init__(self, store: RegisterStore, ballast: Ballast, watch: DiskWatch) -> None:
        self._store = store
        self._ballast = ballast
        self._watch = watch

    def read(self, key: str) -> Cell:
        return self._watched(lambda: self._store.read(key))

    def write(self, cells: Sequence[tuple[str, Cell]]) -> None:
        def work() -> None:
            try:
                self._store.write(cells)
            except DiskFullError:
                if not self._ballast.give():
                    raise
                self._store.write(cells)

        self._watched(work)

    def page(self, after: str, at_most: int) -> Page:
        return self._watched(lambda: self._store.page(after, at_most))

    def fingerprint(self) -> int:
        return self._watched(self._store.fingerprint)

    def close(self) -> None:
        self._store.close()

    def _watched(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except DiskFailedError as error:
            self._watch.fail(error.message)
            raise


def _size(count: int) -> str:
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} bytes"
