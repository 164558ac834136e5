"""Room on a node's disk: chunks leave some of it free, and registers get what was held for them."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from eau2.config import RoomLimits
from eau2.errors import DiskFailedError, DiskFullError
from eau2.kv.register_store import Ballot, Cell, MemoryRegisterStore
from eau2.kv.room import Ballast, GuardedRegisters, Room, kept_free
from eau2.world import DiskWatch, FileDisk

GIB = 1 << 30
LIMITS = RoomLimits(ballast_bytes=1 << 20, ballast_bytes_min=1 << 16, free_share_max=0.0001)
CELLS = [("t", Cell(Ballot(1, "p"), Ballot(1, "p"), b"value"))]


class Registers(MemoryRegisterStore):
    """Registers that fail with these errors, one after the other, before they take anything."""

    def __init__(self, *failures: Exception) -> None:
        super().__init__()
        self.failures = list(failures)

    def write(self, cells: object) -> None:
        if self.failures:
            raise self.failures.pop(0)
        super().write(CELLS)


def test_what_stays_free_is_the_larger_of_a_share_and_a_size_but_little_of_a_small_disk() -> None:
    assert kept_free(1000 * GIB) == 50 * GIB
    assert kept_free(20 * GIB) == 2 * GIB
    assert kept_free(4 * GIB) == GIB


def test_chunks_are_refused_before_they_come_and_count_while_they_do() -> None:
    async def free() -> tuple[int, int]:
        return 5 * GIB, 20 * GIB

    async def work() -> None:
        room = Room("n7", free)
        async with room.taken(GIB):
            async with room.taken(2 * GIB):
                with pytest.raises(DiskFullError, match=r"disk of node n7: 5\.0 GiB of 20\.0"):
                    async with room.taken(1):
                        pytest.fail("it was taken")
            async with room.taken(GIB):
                pass

    asyncio.run(work())


def test_ballast_is_there_until_it_is_given_once(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast", LIMITS)
    assert not ballast.give()
    ballast.take()
    status = (tmp_path / "ballast").stat()
    assert status.st_size >= 1 << 16
    assert status.st_blocks * 512 >= status.st_size
    assert Ballast(tmp_path / "ballast", LIMITS).held is False
    assert ballast.give()
    assert not (tmp_path / "ballast").exists()
    assert not ballast.give()


def test_no_ballast_is_taken_from_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    wanting = RoomLimits(free_share=1.0, free_share_max=1.0)
    ballast = Ballast(tmp_path / "ballast", wanting)
    ballast.take()
    assert (ballast.held, os.listdir(tmp_path)) == (False, [])


def test_a_full_disk_takes_registers_for_the_ballast(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast", LIMITS)
    ballast.take()
    full = DiskFullError("no room")
    guarded = GuardedRegisters(Registers(full), ballast, DiskWatch())
    guarded.write(CELLS)
    assert guarded.read("t").value == b"value"
    assert not ballast.held
    with pytest.raises(DiskFullError):
        GuardedRegisters(Registers(full), ballast, DiskWatch()).write(CELLS)


def test_a_disk_that_fails_under_registers_is_told_of_before_anybody_else_knows() -> None:
    told: list[str] = []
    failed = DiskFailedError("the registers failed")
    guarded = GuardedRegisters(Registers(failed), Ballast(Path("none")), DiskWatch(told.append))
    with pytest.raises(DiskFailedError):
        guarded.write(CELLS)
    assert told == ["the registers failed"]


@pytest.mark.parametrize(
    ("call", "error", "failure"),
    [
        ("fsync", errno.EIO, True),
        ("fsync", errno.ENOSPC, True),
        ("write", errno.EIO, True),
        ("write", errno.ENOSPC, False),
        ("rename", errno.EIO, True),
        ("rename", errno.EACCES, False),
    ],
)
def test_a_disk_that_did_not_keep_what_it_was_given_takes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: int, failure: bool
) -> None:
    told: list[str] = []
    disk = FileDisk(tmp_path, DiskWatch(told.append))

    def fail(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    async def store(name: str) -> None:
        await disk.append(f"{name}.tmp", b"data")
        await disk.sync(f"{name}.tmp")
        await disk.rename(f"{name}.tmp", name)

    async def work() -> None:
        await store("before")
        with monkeypatch.context() as patched:
            patched.setattr(os, call, fail)
            with pytest.raises(OSError, match=os.strerror(error)):
                await store("failed")
        if not failure:
            await store("after")
            assert told == []
            return
        assert len(told) == 1
        assert str(tmp_path / "failed") in told[0]
        for again in (store("after"), disk.sync("before"), disk.remove("before")):
            with pytest.raises(OSError, match="nothing is written any more"):
                await again
        assert await disk.read("before", 0, 9) == b"data"

    asyncio.run(work())
