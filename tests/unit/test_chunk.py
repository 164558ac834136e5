"""Chunk files: stored form, durability, damage."""

from __future__ import annotations

import datetime
import decimal
import errno
import os
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from eau2.catalog import ChunkKey, ChunkRef, Frame
from eau2.errors import CorruptChunkError, DataError, DiskFullError, NotSupportedError
from eau2.kv import chunk
from eau2.kv.compact import expanded
from eau2.kv.store import Store
from eau2.types import Kind, stored_arrow

DAY = datetime.date(2020, 2, 29)
NOON = datetime.datetime(2020, 2, 29, 12, 0, 0, 5)


def put(store: Store, table: pa.Table, **options: Any) -> Frame:
    return store.put("t", table.schema, table.to_batches(), **options)


def stored(table: pa.Table) -> pa.Table:
    store = Store.open(None)
    frame = put(store, table)
    (batch,) = store.read(frame.chunks[0], tuple(table.column_names)).to_batches()
    return pa.Table.from_batches([expanded(batch, frame.schema)])


@pytest.mark.parametrize(
    ("array", "expected", "type_"),
    [
        (pa.array([decimal.Decimal("1.50"), None]), [150, None], "DECIMAL(3,2)"),
        (pa.array([decimal.Decimal("-1.5")], pa.decimal128(18, 1)), [-15], "DECIMAL(18,1)"),
        (
            pa.array([decimal.Decimal("-1.5")], pa.decimal128(19, 1)),
            [decimal.Decimal(-15)],
            "DECIMAL(19,1)",
        ),
        (pa.array([decimal.Decimal("2.25")], pa.decimal256(30, 2)), [225], "DECIMAL(30,2)"),
        (pa.array([decimal.Decimal("2.25")], pa.decimal64(9, 2)), [225], "DECIMAL(9,2)"),
        (pa.array(["a", None, "long enough to be out of line"]), None, "VARCHAR"),
        (pa.array(["a", None, "b" * 40], pa.large_string()), None, "VARCHAR"),
        (pa.array(["a", None, "b" * 40], pa.string_view()), None, "VARCHAR"),
        (pa.array(["x", "y", None, "x"]).dictionary_encode(), ["x", "y", None, "x"], "VARCHAR"),
        (pa.array([1, 2, 1]).dictionary_encode(), [1, 2, 1], "BIGINT"),
        (pa.array([DAY], pa.date64()), [DAY], "DATE"),
        (pa.array([NOON], pa.timestamp("ns")), [NOON], "TIMESTAMP"),
        (pa.array([NOON.replace(microsecond=0)], pa.timestamp("s")), None, "TIMESTAMP"),
        (pa.array([1.5, None], pa.float16()), [1.5, None], "FLOAT"),
        (pa.nulls(2), [None, None], "INTEGER"),
        (pa.array([True, None, False]), None, "BOOLEAN"),
        (pa.array([2**64 - 1], pa.uint64()), None, "UBIGINT"),
    ],
)
def test_columns_come_to_stored_form(array: pa.Array, expected: Any, type_: str) -> None:
    store = Store.open(None)
    table = pa.table({"a": array})
    frame = put(store, table)
    (compact,) = store.read(frame.chunks[0], ("a",)).to_batches()
    column = expanded(compact, frame.schema).column("a")
    assert str(frame.schema.columns[0].type) == type_
    assert column.type == stored_arrow(frame.schema.columns[0].type)
    assert column.to_pylist() == (array.to_pylist() if expected is None else expected)


def test_nanoseconds_before_1970_round_down() -> None:
    ns = pa.array([-1_500, -1_000, 1_500], pa.timestamp("ns"))
    assert stored(pa.table({"a": ns})).column("a").cast(pa.int64()).to_pylist() == [-2, -1, 1]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([[{"x": 1}]]),
        pa.array([{"x": 1}]),
        pa.array([b"x"]),
        pa.array([NOON], pa.timestamp("us", "UTC")),
    ],
)
def test_other_types_are_refused_by_column_name(array: pa.Array) -> None:
    with pytest.raises(NotSupportedError, match='column "odd"'):
        stored(pa.table({"odd": array}))


def test_values_that_do_not_fit_are_refused_by_column_name() -> None:
    far = pa.array([2**62], pa.int64()).cast(pa.timestamp("s"))
    with pytest.raises(DataError, match='column "when"'):
        stored(pa.table({"when": far}))


def test_a_slice_stores_only_its_own_strings() -> None:
    long = pa.table({"a": ["y" * 1000] * 1000})
    store = Store.open(None)
    frame = put(store, long, chunk_rows=10)
    assert len(frame.chunks) == 100
    assert max(ref.bytes for ref in frame.chunks) < 12_000


def test_chunks_are_mapped_and_not_copied(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    frame = put(store, pa.table({"a": range(100_000), "s": [f"text {i}" for i in range(100_000)]}))
    before = pa.total_allocated_bytes()
    table = store.read(frame.chunks[0], ("a", "s"))
    polars = pl.DataFrame(pl.from_arrow(table))
    assert pa.total_allocated_bytes() - before < 100_000
    store.drop("t")
    store.close()
    assert polars["s"][99_999] == "text 99999"
    assert table.column("a")[99_999].as_py() == 99_999


def chunk_file(root: Path, frame: Frame, number: int = 0) -> Path:
    return root / "chunks" / frame.df_id / f"{number}.arrow"


@pytest.mark.parametrize("rows", [10, 50_000])
@pytest.mark.parametrize("where", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_a_flipped_bit_is_found(tmp_path: Path, rows: int, where: float) -> None:
    store = Store.open(tmp_path)
    frame = put(store, pa.table({"a": range(rows)}), chunk_rows=max(5, rows // 2))
    path = chunk_file(tmp_path, frame, 1)
    data = bytearray(path.read_bytes())
    data[int(where * (len(data) - 1))] ^= 1
    path.write_bytes(data)
    store.read(frame.chunks[0], ("a",))
    with pytest.raises(CorruptChunkError, match=r'chunk 1 of frame "t" .*checksum') as caught:
        store.read(frame.chunks[1], ("a",))
    assert str(path) in str(caught.value)
    assert "load it again" in str(caught.value)


def test_a_short_and_a_missing_file_are_found(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    frame = put(store, pa.table({"a": range(10)}), chunk_rows=5)
    path = chunk_file(tmp_path, frame)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptChunkError, match="bytes instead of"):
        store.read(frame.chunks[0], ("a",))
    chunk_file(tmp_path, frame, 1).unlink()
    with pytest.raises(CorruptChunkError, match="No such file"):
        store.read(frame.chunks[1], ("a",))
    assert store.drop("t")


def test_a_damaged_manifest_is_found_and_can_be_dropped(tmp_path: Path) -> None:
    with_frame = Store.open(tmp_path)
    frame = put(with_frame, pa.table({"a": [1]}))
    with_frame.close()
    path = tmp_path / "chunks" / frame.df_id / "manifest"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    store = Store.open(tmp_path)
    assert store.names() == ("t",)
    with pytest.raises(CorruptChunkError, match='manifest of frame "t"'):
        store.get("t")
    assert store.drop("t")
    assert store.get("t") is None


@pytest.mark.parametrize("failing", range(1, 40, 3))
def test_a_full_disk_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    store = Store.open(tmp_path)
    before = put(store, pa.table({"a": ["old"]}))
    count = 0
    real = os.write

    def write(fd: int, data: bytes) -> int:
        nonlocal count
        count += 1
        if count == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data)

    # Each chunk is larger than what is written at once, and has some ten writes.
    table = pa.table({"a": [f"new {i}" for i in range(20_000)], "b": range(20_000)})
    monkeypatch.setattr(os, "write", write)
    with pytest.raises(DiskFullError, match="no room on the disk"):
        put(store, table, chunk_rows=5_000, replace=True)
    monkeypatch.undo()
    assert os.listdir(tmp_path / "chunks") == [before.df_id]
    assert store.get("t") == before
    assert put(store, table, replace=True).rows == 20_000


def test_a_failed_sync_publishes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(tmp_path)

    def fsync(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(Exception, match="the disk failed"):
        put(store, pa.table({"a": [1]}))
    monkeypatch.undo()
    assert store.names() == ()
    # It writes no more; what is left there the next one deletes.
    store.close()
    frame = put(Store.open(tmp_path), pa.table({"a": [1]}))
    assert os.listdir(tmp_path / "chunks") == [frame.df_id]


def test_the_checksum_is_that_of_the_file_in_memory_too(tmp_path: Path) -> None:
    table = pa.table({"a": range(1000), "s": [f"some text {i}" for i in range(1000)]})
    on_disk, in_memory = Store.open(tmp_path), Store.open(None)
    first, second = put(on_disk, table), put(in_memory, table)
    assert [r.checksum for r in first.chunks] == [r.checksum for r in second.chunks]
    path = chunk_file(tmp_path, first)
    chunk.verify(path, path.stat().st_size, second.chunks[0].checksum)


def test_a_chunk_of_a_forgotten_frame_is_no_traceback(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    with pytest.raises(Exception, match="run the statement again"):
        store.read(ChunkRef(ChunkKey("0" * 32, 0), 1, 1, "", (), ()), ("a",))


def test_every_stored_kind_survives_the_disk(tmp_path: Path) -> None:
    table = pa.table(
        {
            Kind.BOOLEAN.value: pa.array([True, None]),
            Kind.HUGEINT.value: pa.array([decimal.Decimal(10**37), None], pa.decimal128(38, 0)),
            Kind.VARCHAR.value: pa.array(["", None]),
            Kind.DOUBLE.value: pa.array([float("nan"), None]),
        }
    )
    frame = put(Store.open(tmp_path), table)
    store = Store.open(tmp_path)
    assert store.get("t") is not None
    read = store.read(frame.chunks[0], tuple(table.column_names))
    assert str(read.to_pydict()) == str(table.to_pydict())
    assert store.get("t") == frame
