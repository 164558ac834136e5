"""Damage at rest is found, put aside, and never believed of a file that is whole."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import xxhash

from eau2.catalog import ChunkKey, ChunkRef
from eau2.config import ControlLimits
from eau2.kv.listing import Listing, Live
from eau2.kv.registry import Entry, State
from eau2.kv.scrub import Scrub
from eau2.kv.service import Service
from eau2.torture.chance import Chance
from eau2.torture.disk import Platter, SimDisk
from eau2.torture.loop import run
from eau2.world import World
from tests.unit.test_inventory import world_at

LIMITS = ControlLimits(scrub_every_s=1000.0, scrub_round_s=10.0, scrub_bytes_per_s=1 << 40)
DF_ID = "d" * 32
DATA = bytes(range(256)) * 4


class Fixed(Listing):
    """Names mean one frame of some chunks, and a manifest."""

    def __init__(self, chunks: int) -> None:
        sums = (len(DATA), xxhash.xxh3_128_hexdigest(DATA))
        keys = [ChunkKey(DF_ID, number) for number in range(chunks)]
        entry = Entry("t", State.LIVE, DF_ID, 1, xxhash.xxh3_128_hexdigest(b"m"))
        self.live = Live({DF_ID: entry}, {key: ChunkRef(key, 1, *sums, (), ()) for key in keys})

    async def read(self) -> Live:
        return self.live


class Alone:
    """A node that is never stopped."""

    alive = True

    async def thaw(self) -> None:
        pass


class VirtualClock:
    """The virtual loop's time."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Setting:
    """A node with `chunks` chunks and a manifest on a simulated disk, and its scrub."""

    def __init__(self, chunks: int, limits: ControlLimits = LIMITS) -> None:
        chance = Chance(1)
        self.platter = Platter(chance.source)
        real = world_at(Path("."))
        world = World(VirtualClock(), chance, chance, real.net, SimDisk(self.platter, Alone()))
        self.service = Service("n1", world, limits=limits)
        self.woken = 0
        self.scrub = Scrub("n1", world, self.service, Fixed(chunks), self._wake, limits)
        self.chunks = chunks

    def _wake(self) -> None:
        self.woken += 1

    async def start(self) -> None:
        await self.service.start()
        checksum = xxhash.xxh3_128_hexdigest(DATA)
        for number in range(self.chunks):
            await self.service.store(DF_ID, number, DATA, checksum)
        await self.service.store(DF_ID, None, b"m", xxhash.xxh3_128_hexdigest(b"m"))

    def flip(self, name: str, bit: int) -> None:
        inode = self.platter.seen[f"chunks/{DF_ID}/{name}"]
        assert inode is not None
        inode.data[bit // 8] ^= 1 << bit % 8

    def paths(self, folder: str) -> list[str]:
        return sorted(p for p in self.platter.seen if p.startswith(f"{folder}/") and "." in p)


def played(story: Callable[[Setting], Awaitable[None]], chunks: int = 5) -> Setting:
    async def main() -> Setting:
        setting = Setting(chunks)
        await setting.start()
        await story(setting)
        return setting

    return run(main())


def test_each_file_is_looked_at_once_in_a_cycle() -> None:
    async def story(setting: Setting) -> None:
        looked = []
        for _ in range(100):
            await asyncio.sleep(LIMITS.scrub_every_s / 100)
            before = setting.scrub.checked
            await setting.scrub.once()
            looked.append(setting.scrub.checked - before)
        # A file of the first round, which looks back a little, is due again in the last.
        assert 201 <= sum(looked) <= 203 + 2
        # Spread over the cycle: not all at once.
        assert max(looked) < 20

    played(story, chunks=200)


def test_a_flipped_bit_is_found_wherever_it_is() -> None:
    async def story(setting: Setting) -> None:
        for number in range(setting.chunks):
            setting.flip(f"{number}.arrow", number * 8 * len(DATA) // setting.chunks)
            setting.scrub.suspect(DF_ID, number)
        setting.flip("manifest", 3)
        setting.scrub.suspect(DF_ID, None)
        assert await setting.scrub.once() == setting.chunks + 1
        assert setting.woken == setting.chunks + 1
        assert await setting.service.held(DF_ID) == (False, ())

    played(story, chunks=40)


def test_a_suspicion_alone_does_no_harm() -> None:
    async def story(setting: Setting) -> None:
        for number in range(setting.chunks):
            setting.scrub.suspect(DF_ID, number)
        setting.scrub.suspect(DF_ID, 77)
        setting.scrub.suspect("e" * 32, 0)
        setting.scrub.suspect(DF_ID, None)
        assert await setting.scrub.once() == 0
        assert await setting.service.held(DF_ID) == (True, tuple(range(setting.chunks)))

    played(story)


def test_what_no_name_means_is_left_to_the_sweep() -> None:
    async def story(setting: Setting) -> None:
        await setting.service.store("e" * 32, 0, b"x", xxhash.xxh3_128_hexdigest(b"x"))
        inode = setting.platter.seen[f"chunks/{'e' * 32}/0.arrow"]
        assert inode is not None
        inode.data[0] ^= 1
        setting.scrub.suspect("e" * 32, 0)
        await asyncio.sleep(LIMITS.scrub_every_s)
        assert await setting.scrub.once() == 0
        assert await setting.service.held("e" * 32) == (False, (0,))

    played(story)


def test_a_file_that_cannot_be_read_is_put_aside() -> None:
    async def story(setting: Setting) -> None:
        disk = setting.service._disk
        read = disk.read

        async def failing(path: str, offset: int, size: int) -> bytes:
            if path.endswith("/2.arrow"):
                raise OSError(errno.EIO, "Input/output error")
            return await read(path, offset, size)

        disk.read = failing  # type: ignore[method-assign]
        setting.scrub.suspect(DF_ID, 2)
        assert await setting.scrub.once() == 1
        assert await setting.service.held(DF_ID) == (True, (0, 1, 3, 4))

    setting = played(story)
    assert setting.paths("quarantine") == []
    assert [p for p in setting.platter.seen if p.startswith("quarantine/")] != []


def test_a_bus_that_errs_once_harms_nothing() -> None:
    async def story(setting: Setting) -> None:
        disk = setting.service._disk
        read = disk.read
        wrong = [b"\0"]

        async def erring(path: str, offset: int, size: int) -> bytes:
            data = await read(path, offset, size)
            return data if not wrong else data[:-1] + wrong.pop()

        disk.read = erring  # type: ignore[method-assign]
        setting.scrub.suspect(DF_ID, 2)
        assert await setting.scrub.once() == 0
        assert not wrong

    played(story)


def test_reading_is_bounded() -> None:
    async def main() -> None:
        limits = ControlLimits(scrub_every_s=1000.0, scrub_bytes_per_s=len(DATA), piece_bytes=64)
        setting = Setting(30, limits)
        await setting.start()
        await asyncio.sleep(1000.0)
        start = asyncio.get_running_loop().time()
        setting.scrub._done_s = start - 1000.0
        await setting.scrub.once()
        assert setting.scrub.checked == 31
        assert 30.0 <= asyncio.get_running_loop().time() - start < 31.0

    run(main())


def test_a_damaged_chunk_is_not_there_any_more(tmp_path: Path) -> None:
    async def story() -> None:
        service = Service("n1", world_at(tmp_path))
        await service.start()
        await service.store(DF_ID, 0, DATA, xxhash.xxh3_128_hexdigest(DATA))
        assert await service.set_aside(DF_ID, 0, "a test")
        assert not await service.set_aside(DF_ID, 0, "a test")
        assert os.listdir(tmp_path / "quarantine") == [f"00000000-{DF_ID}-0"]
        assert (tmp_path / "quarantine" / f"00000000-{DF_ID}-0").read_bytes() == DATA
        assert await service.held(DF_ID) == (False, ())
        assert service.damaged == 1

    asyncio.run(story())
