"""What lies in a chunk folder, by its names; ranges of numbers; where damaged files go."""

from __future__ import annotations

import asyncio
import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eau2.catalog import ChunkKey
from eau2.config import ControlLimits
from eau2.errors import ProtocolError
from eau2.kv.inventory import Inventory, check_df_id, covers, file_name, inventory, ranges
from eau2.kv.quarantine import Quarantine
from eau2.world import FileDisk, LoopClock, SystemIds, SystemRng, TcpNet, World

A, B = "a" * 32, "b" * 32


def world_at(folder: Path) -> World:
    return World(LoopClock(), SystemRng(), SystemIds(), TcpNet({}, name="n1"), FileDisk(folder))


def test_files_are_told_by_their_names() -> None:
    found = inventory(
        [
            (f"{A}/0.arrow", 7),
            (f"{A}/12.arrow", 9),
            (f"{A}/manifest", 5),
            (f"{B}/manifest", 3),
            (f"{B}/3.arrow.0f.tmp", 1),
            (f"{B}/03.arrow", 1),
            (f"{B}/x/3.arrow", 1),
            (f"{B}/-1.arrow", 1),
            ("notes", 1),
            ("No Id/1.arrow", 1),
        ]
    )
    assert found == Inventory(
        {ChunkKey(A, 0): 7, ChunkKey(A, 12): 9},
        {A: 5, B: 3},
        (f"{B}/3.arrow.0f.tmp",),
        (f"{B}/03.arrow", f"{B}/x/3.arrow", f"{B}/-1.arrow", "notes", "No Id/1.arrow"),
    )
    assert found.bytes == 24
    assert [file_name(0), file_name(None)] == ["0.arrow", "manifest"]


@pytest.mark.parametrize("df_id", ["", "..", "a/b", "A", "a" * 65, "a\n"])
def test_what_is_no_id_is_refused(df_id: str) -> None:
    with pytest.raises(ProtocolError, match="not the id of a write"):
        check_df_id(df_id)


@given(st.sets(st.integers(0, 60)))
def test_ranges_cover_just_their_numbers(numbers: set[int]) -> None:
    found = ranges(sorted(numbers))
    assert [n for n in range(70) if covers(found, n)] == sorted(numbers)
    assert all(a + count < b for (a, count), (b, _) in pairwise(found))


def test_a_tree_is_all_files_with_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "chunks" / "x").mkdir(parents=True)
    (tmp_path / "chunks" / "x" / "1").write_bytes(b"abc")
    (tmp_path / "chunks" / "0").write_bytes(b"")
    disk = FileDisk(tmp_path)
    assert asyncio.run(disk.tree("chunks")) == (("0", 0), ("x/1", 3))
    with pytest.raises(FileNotFoundError):
        asyncio.run(disk.tree("nowhere"))


def test_quarantine_is_bounded_and_the_oldest_goes_first(tmp_path: Path) -> None:
    limits = ControlLimits(quarantine_files=3, quarantine_bytes=100)
    place = tmp_path / A
    place.mkdir()

    async def take(count: int, size: int) -> Quarantine:
        quarantine = Quarantine(world_at(tmp_path), limits)
        await quarantine.start()
        for number in range(count):
            (place / f"{number}.arrow").write_bytes(b"x" * size)
            await quarantine.take(A, f"{number}.arrow")
        return quarantine

    quarantine = asyncio.run(take(5, 10))
    assert quarantine.files == 3
    # One that starts anew goes on with the names.
    assert sorted(os.listdir(tmp_path / "quarantine")) == [
        f"0000000{number}-{A}-{number}" for number in (2, 3, 4)
    ]
    quarantine = asyncio.run(take(1, 85))
    assert sorted(os.listdir(tmp_path / "quarantine")) == [f"00000004-{A}-4", f"00000005-{A}-0"]
    assert os.listdir(place) == []
    # A file that is larger than all the room is not kept.
    asyncio.run(take(1, 101))
    assert os.listdir(tmp_path / "quarantine") == []
