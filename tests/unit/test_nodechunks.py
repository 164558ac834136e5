"""The chunks on a node's disk: verified, shared by threads, let go of, and never deleted in use."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from eau2.catalog import ChunkKey, ChunkRef
from eau2.config import ControlLimits
from eau2.errors import CorruptChunkError, MissingError, ProtocolError
from eau2.kv import chunk as files
from eau2.kv.nodechunks import NodeChunks
from eau2.kv.service import Service
from eau2.records import replace
from eau2.world import FileDisk, LoopClock, SystemIds, SystemRng, TcpNet, World

DF_ID = "a" * 32


def stored(folder: Path, number: int = 0, df_id: str = DF_ID, rows: int = 100_000) -> ChunkRef:
    batch = pa.record_batch({"x": pa.array(range(number, number + rows)), "y": [None] * rows})
    place = folder / df_id
    place.mkdir(exist_ok=True)
    size, checksum = files.write(batch, place / f"{number}.arrow")
    return ChunkRef(ChunkKey(df_id, number), rows, size, checksum, (), ("n1",))


def path_of(folder: Path, ref: ChunkRef) -> Path:
    return folder / ref.key.df_id / f"{ref.key.number}.arrow"


@pytest.mark.parametrize("rows", [10, 100_000])
def test_columns_come_as_they_are_asked_for(tmp_path: Path, rows: int) -> None:
    chunks = NodeChunks(tmp_path, "n1")
    ref = stored(tmp_path, 3, rows=rows)
    assert chunks.holds(ref.key)
    assert not chunks.holds(ChunkKey(DF_ID, 4))
    assert chunks.read(ref, ("y", "x")).column_names == ["y", "x"]
    assert chunks.read(ref, ("x",))["x"][0].as_py() == 3
    assert chunks.read(ref, ()).num_rows == rows
    assert chunks.chunk_file(ref) == str(path_of(tmp_path, ref))


@pytest.mark.parametrize(
    "df_id", ["..", "../../etc", "a/b", "", "A", "a" * 65, "a\n", "parquet:/x:1:2"]
)
def test_an_id_is_never_a_path(tmp_path: Path, df_id: str) -> None:
    chunks = NodeChunks(tmp_path, "n1")
    ref = ChunkRef(ChunkKey(df_id, 0), 1, 1, "", (), ())
    assert not chunks.holds(ref.key)
    for use in (lambda: chunks.read(ref, ()), lambda: chunks.chunk_file(ref)):
        with pytest.raises(ProtocolError, match="is not the id of a write"):
            use()


def test_what_is_gone_is_missing(tmp_path: Path) -> None:
    chunks = NodeChunks(tmp_path, "n1")
    ref = stored(tmp_path)
    assert chunks.read(ref, ()).num_rows == 100_000
    path_of(tmp_path, ref).unlink()
    for use in (lambda: chunks.read(ref, ()), lambda: chunks.chunk_file(ref)):
        with pytest.raises(MissingError, match=r"not on node n1\n.*dropped or replaced meanwhile"):
            use()


def _flip(path: Path, _: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _replace_by_other(path: Path, folder: Path) -> None:
    os.replace(path_of(folder, stored(folder, 7)), path)


@pytest.mark.parametrize("already_read", [False, True])
@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (_flip, "its checksum differs"),
        (_replace_by_other, "its checksum differs"),
        (lambda path, _: os.truncate(path, 100), "100 bytes instead of"),
        (lambda path, _: path.write_bytes(b""), "0 bytes instead of"),
    ],
)
def test_damage_is_found_also_when_it_comes_later(
    tmp_path: Path, already_read: bool, damage: Callable[[Path, Path], None], why: str
) -> None:
    chunks = NodeChunks(tmp_path, "n1")
    ref = stored(tmp_path)
    if already_read:
        chunks.chunk_file(ref)
        assert chunks.read(ref, ("x",)).num_rows == 100_000
    damage(path_of(tmp_path, ref), tmp_path)
    for use in (lambda: chunks.read(ref, ("x",)), lambda: chunks.chunk_file(ref)):
        with pytest.raises(CorruptChunkError, match=f"damaged on node n1: .*{why}"):
            use()


def test_another_checksum_than_the_verified_one_is_damage(tmp_path: Path) -> None:
    chunks = NodeChunks(tmp_path, "n1")
    ref = stored(tmp_path)
    chunks.read(ref, ())
    with pytest.raises(CorruptChunkError, match="checksum differs"):
        chunks.read(replace(ref, checksum="0" * 32), ())


def test_a_file_is_verified_once_by_any_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[Path] = []

    def counting(path: Path, size: int, checksum: str) -> None:
        verified.append(path)
        files_verify(path, size, checksum)

    files_verify = files.verify
    monkeypatch.setattr(files, "verify", counting)
    chunks = NodeChunks(tmp_path, "n1")
    refs = [stored(tmp_path, number) for number in range(20)]
    start = threading.Barrier(8)

    def story(_: int) -> None:
        start.wait(10)
        for ref in refs:
            assert chunks.read(ref, ("x",))["x"][0].as_py() == ref.key.number
            chunks.chunk_file(ref)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(story, range(8)))
    assert sorted(verified) == sorted(path_of(tmp_path, ref) for ref in refs)


def test_few_chunks_stay_open(tmp_path: Path) -> None:
    limits = ControlLimits(open_chunks=2, verified_chunks=3)
    chunks = NodeChunks(tmp_path, "n1", limits)
    tables = [chunks.read(stored(tmp_path, number), ("x",)) for number in range(10)]
    assert _mapped(tmp_path) == 10
    assert [table["x"][0].as_py() for table in tables] == list(range(10))
    del tables
    assert _mapped(tmp_path) == 2
    chunks.close()
    assert _mapped(tmp_path) == 0


def _mapped(folder: Path) -> int:
    lines = Path("/proc/self/maps").read_text().splitlines()
    return len({line.split()[-1] for line in lines if str(folder) in line and ".arrow" in line})


def test_pins_are_counted(tmp_path: Path) -> None:
    chunks = NodeChunks(tmp_path, "n1")
    with chunks.pinned([DF_ID, "b"]), chunks.pinned([DF_ID, DF_ID]):
        with pytest.raises(KeyError), chunks.pinned([DF_ID]):
            raise KeyError
        assert chunks.in_use(DF_ID)
    assert not chunks.in_use(DF_ID)
    assert not chunks.in_use("b")


def test_a_write_in_use_is_not_deleted_and_then_lets_go_of_the_disk(tmp_path: Path) -> None:
    chunks = NodeChunks(tmp_path / "chunks", "n1")
    world = World(LoopClock(), SystemRng(), SystemIds(), TcpNet({}, name="n1"), FileDisk(tmp_path))
    service = Service("n1", world, in_use=chunks.in_use, deleted=chunks.forget)

    async def story() -> None:
        await service.start()
        ref = stored(tmp_path / "chunks")
        with chunks.pinned([DF_ID]):
            chunks.read(ref, ())
            await service.delete(DF_ID)
            assert chunks.read(ref, ()).num_rows == 100_000
            assert _mapped(tmp_path) == 1
        await service.delete(DF_ID)
        assert not chunks.holds(ref.key)
        assert _mapped(tmp_path) == 0

    asyncio.run(story())
