"""The scrub: every file that a name means is read now and then and compared with its checksum.

Owns: when a file is due, how fast files are read, and what becomes of a damaged one: it goes into
quarantine, and repair is told. Comes in: what names mean, the node's own disk, and suspicions of
others, which only decide what is looked at first; goes out: files in quarantine. Does not know:
where a whole copy is.

Each file is due at a moment of each cycle of scrub_every_s that its name decides, so that the
reading is spread. The cycles are those of the clock, which goes on while no process runs: a node
that often starts looks at all its files all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import xxhash

from eau2.catalog import ChunkKey
from eau2.config import CONTROL, ControlLimits
from eau2.errors import Error
from eau2.kv.alarm import Alarm
from eau2.kv.listing import Listing, Live
from eau2.kv.service import Service
from eau2.world import World

_log = logging.getLogger("eau2.scrub")

_AT_ONCE = 2000
"""So many files are looked up before others have their turn."""

_File = tuple[str, int | None]
"""The df_id of a write, and a chunk's number or None for the manifest."""


class Scrub:
    """Runs on every node, for the node's own disk. `run` it."""

    def __init__(
        self,
        node: str,
        world: World,
        service: Service,
        listing: Listing,
        on_damage: Callable[[], None] = lambda: None,
        limits: ControlLimits = CONTROL,
    ) -> None:
        """on_damage: is told after each file that was put into quarantine; see Repair.wake."""
        self.node = node
        self.checked = 0
        self._world = world
        self._service = service
        self._listing = listing
        self._on_damage = on_damage
        self._limits = limits
        self._alarm = Alarm()
        self._suspects: dict[_File, None] = {}
        self._done_s: float | None = None

    def suspect(self, df_id: str, number: int | None) -> None:
        """Somebody found a file damaged: look at it soon. number: of the chunk; None: manifest."""
        if len(self._suspects) < self._limits.suspects:
            self._suspects[(df_id, number)] = None
            self._alarm.ring()

    async def run(self) -> None:
        """Scrub again and again, until cancelled."""
        while True:
            try:
                await self.once()
            except Error as error:
                _log.info("node %s cannot look at its files: %s", self.node, error.message)
            chance = 0.5 + self._world.rng.random()
            await self._alarm.sleep(self._world.clock, self._limits.scrub_round_s * chance)

    async def once(self) -> int:
        """Look at the suspects and at all files that are due; how many were damaged.

        Raises OperationalError when the registers or the disk cannot be read.
        """
        live = await self._listing.read()
        damaged = await self._look_at_suspects(live)
        begin, end = self._window()
        if begin == end:
            return damaged
        here = await self._service.inventory()
        files: list[_File] = [(key.df_id, key.number) for key in here.chunks if key in live.chunks]
        files += [(df_id, None) for df_id in here.manifests if df_id in live.manifests]
        for file in await self._due(files, begin, end):
            damaged += await self._look_at_suspects(live)
            damaged += await self._check(live, file)
        # What is due from now on comes next, also when reading took longer than it should.
        self._done_s = end
        return damaged

    def _window(self) -> tuple[float, float]:
        """From when to when files are due, in seconds; at most one cycle."""
        now = self._world.clock.now()
        if self._done_s is None:
            self._done_s = now - self._limits.scrub_round_s
        return max(self._done_s, now - self._limits.scrub_every_s), now

    async def _due(self, files: list[_File], begin: float, end: float) -> list[_File]:
        """The files that are due after `begin` and up to `end`, in that order."""
        cycle_s = self._limits.scrub_every_s
        due = []
        for place, file in enumerate(files):
            if place % _AT_ONCE == 0:
                await self._world.clock.sleep(0)
            since = (self._moment(file) - begin) % cycle_s
            if since < end - begin:
                due.append((since, file[0], -1 if file[1] is None else file[1], file))
        return [file for *_, file in sorted(due)]

    def _moment(self, file: _File) -> float:
        """When in each cycle a file is due, in seconds from the cycle's begin."""
        lot: int = xxhash.xxh3_64_intdigest(f"{file[0]}/{file[1]}".encode())
        return lot / 2**64 * self._limits.scrub_every_s

    async def _look_at_suspects(self, live: Live) -> int:
        damaged = 0
        while self._suspects:
            file = next(iter(self._suspects))
            del self._suspects[file]
            damaged += await self._check(live, file)
        return damaged

    async def _check(self, live: Live, file: _File) -> bool:
        """Compare a file with what its manifest says; whether it was damaged.

        A file that no name means is nobody's: the sweep's, or a put's that is under way.
        """
        df_id, number = file
        written = _checksum(live, file)
        if written is None:
            return False
        why = await self._wrong(df_id, number, written)
        # Memory and buses fail too: a file is damaged when it is read so twice.
        if why is None or (why := await self._wrong(df_id, number, written)) is None:
            return False
        found = await self._service.set_aside(df_id, number, why)
        if found:
            self._on_damage()
        return found

    async def _wrong(self, df_id: str, number: int | None, written: str) -> str | None:
        """What is wrong with a file; None if nothing is, or if it is gone."""
        self.checked += 1
        try:
            digest = await self._service.digest(df_id, number, self._rest)
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"it cannot be read ({error.strerror or error})"
        return None if digest == written else "its checksum differs from the one written"

    async def _rest(self, size: int) -> None:
        await self._world.clock.sleep(size / self._limits.scrub_bytes_per_s)


def _checksum(live: Live, file: _File) -> str | None:
    """What a file must be; None if no name means it."""
    df_id, number = file
    if number is None:
        entry = live.manifests.get(df_id)
        return None if entry is None else entry.manifest
    chunk = live.chunks.get(ChunkKey(df_id, number))
    return None if chunk is None else chunk.checksum
