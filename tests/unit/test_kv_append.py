"""Appends: versions that share chunks, how few rows are copied, and when chunks are deleted."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from eau2.catalog import (
    ChunkKey,
    ChunkRef,
    ColumnSchema,
    ColumnStatistics,
    Frame,
    FrameSchema,
    View,
    merge_chunk_statistics,
)
from eau2.errors import DataError, OperationalError, UsageError
from eau2.kv.appending import FEW_BYTES, FEW_ROWS, appended, joint
from eau2.kv.compact import expanded
from eau2.kv.registry import Entry, State
from eau2.kv.store import Store
from eau2.records import replace
from eau2.types import BIGINT, DOUBLE, VARCHAR

SCHEMA = FrameSchema(
    (ColumnSchema("a", BIGINT), ColumnSchema("s", VARCHAR), ColumnSchema("x", DOUBLE))
)


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = Store.open(None if request.param == "memory" else tmp_path / "store")
    yield made
    made.close()


def table(start: int, stop: int) -> pa.Table:
    numbers = range(start, stop)
    return pa.table(
        {
            "a": pa.array(numbers, pa.int64()),
            "s": pa.array([None if i % 7 == 3 else f"row {i}" * (i % 5) for i in numbers]),
            "x": pa.array([i / 8 for i in numbers]),
        }
    )


def append(store: Store, start: int, stop: int, chunk_rows: int = 100_000) -> Frame:
    store.append("t", SCHEMA, table(start, stop).to_batches(), chunk_rows=chunk_rows)
    return current(store)


def current(store: Store) -> Frame:
    frame = store.get("t")
    assert frame is not None
    return frame


def rows(store: Store, frame: Frame) -> pa.Table:
    names = tuple(column.name for column in frame.schema.columns)
    parts = [part for ref in frame.chunks for part in store.read(ref, names).to_batches()]
    read = pa.Table.from_batches([expanded(part, frame.schema) for part in parts])
    return read.cast(table(0, 1).schema)


def files(root: Path) -> set[str]:
    chunks = root / "store" / "chunks"
    return {str(path.relative_to(chunks)) for path in chunks.rglob("*") if path.is_file()}


def listed(*frames: Frame) -> set[str]:
    chunks = {f"{ref.key.df_id}/{ref.key.number}.arrow" for f in frames for ref in f.chunks}
    return chunks | {f"{frame.df_id}/manifest" for frame in frames}


@pytest.mark.parametrize("chunk_rows", [1, 2, 7, 64, 100_000])
def test_appends_are_the_rows_behind_one_another(store: Store, chunk_rows: int) -> None:
    choice = random.Random(chunk_rows)
    store.put("t", SCHEMA, (), chunk_rows=chunk_rows)
    end = 0
    for version in range(2, 40):
        start, end = end, end + choice.choice((1, 1, 1, 2, 5, 40))
        frame = append(store, start, end, chunk_rows)
        assert frame.version == version
        assert max(ref.rows for ref in frame.chunks) <= chunk_rows
        assert len({ref.key for ref in frame.chunks}) == len(frame.chunks)
    assert frame.rows == end
    assert rows(store, frame).equals(table(0, end))
    # The statistics are those of the same rows put at once, chunk by chunk and together.
    assert frame.statistics == merge_chunk_statistics(frame.chunks, 3)
    whole = store.put("u", table(0, end).schema, table(0, end).to_batches())
    assert frame.statistics == whole.statistics
    for ref in frame.chunks:
        names = ("a", "s", "x")
        (part,) = store.read(ref, names).to_batches()
        again = pa.Table.from_batches([expanded(part, SCHEMA)])
        alone = store.put("v", SCHEMA, again.to_batches(), replace=True)
        assert alone.chunks[0].statistics == ref.statistics


def test_nothing_appended_is_no_version(store: Store) -> None:
    first = store.put("t", SCHEMA, table(0, 3).to_batches())
    epoch = store.epoch()
    assert append(store, 0, 0) == first
    assert store.epoch() == epoch
    assert append(store, 3, 4).version == 2
    assert store.epoch() != epoch


@pytest.mark.parametrize("of_one", [1, 3])
def test_few_rows_are_copied_and_few_chunks_left(of_one: int) -> None:
    """N appends copy O(n log n) rows and leave O(log n) chunks, whatever a chunk may hold."""
    frame = Frame("t", "w0", 1, FrameSchema(()), (), ())
    copied = 0
    appends = 20_000
    for number in range(1, appends + 1):
        place = joint(frame, of_one, 1 << 30)
        tail = sum(ref.rows for ref in place.tail)
        copied += tail
        frame = appended(place, f"w{number}", [_chunk(f"w{number}", tail + of_one)])
        assert len(frame.chunks) <= 2 + math.log2(number * of_one / FEW_ROWS + 1)
    assert frame.rows == appends * of_one
    assert copied <= appends * FEW_ROWS + frame.rows * math.log2(frame.rows)


def _chunk(df_id: str, rows: int, size: int = 100) -> ChunkRef:
    return ChunkRef(ChunkKey(df_id, 0), rows, size, "", (), ())


@pytest.mark.parametrize(
    ("sizes", "rows", "chunk_rows", "kept"),
    [
        ([], 1, 10, 0),
        ([0], 1, 10, 0),
        ([10], 1, 10, 1),
        ([9], 1, 10, 0),
        ([9], 2, 10, 1),
        ([10, 4, 2], 1, 10, 1),
        ([5000], 1, 10_000, 1),
        ([5000], 5000, 10_000, 0),
        ([8000, 4000, 2000], 2000, 100_000, 0),
        ([8000, 4000, 2000], 1999, 100_000, 3),
        ([8000, 4000, 100], 1999, 100_000, 2),
        # Full chunks behind small ones: those are brought together, and stay so.
        ([6000, 3000, 2000], 10_000, 10_000, 1),
        ([6000], 10_000, 10_000, 1),
    ],
)
def test_which_chunks_are_written_anew(
    sizes: list[int], rows: int, chunk_rows: int, kept: int
) -> None:
    chunks = tuple(_chunk(f"w{n}", size, FEW_BYTES) for n, size in enumerate(sizes))
    frame = Frame("t", "w", 1, FrameSchema(()), chunks, ())
    assert joint(frame, rows, chunk_rows).kept == kept


def test_large_values_are_not_copied_for_a_row() -> None:
    chunks = (_chunk("w", 10, 10 * FEW_BYTES),)
    frame = Frame("t", "w", 1, FrameSchema(()), chunks, ())
    assert joint(frame, 1, 1000).kept == 1
    assert joint(frame, 10, 1000).kept == 0


def test_exponents_of_zeros_do_not_widen_others() -> None:
    def chunk(number: int, exponents: tuple[int, int]) -> ChunkRef:
        part = ColumnStatistics(0, 0.0, 9.0, None, exponents)
        return ChunkRef(ChunkKey("w", number), 2000, FEW_BYTES * 2, "", (part,), ())

    zeros = (chunk(0, (2000, -2000)),)
    schema = FrameSchema((ColumnSchema("x", DOUBLE),))
    frame = Frame("t", "w", 1, schema, zeros, merge_chunk_statistics(zeros, 1))
    assert frame.statistics[0].exponents == (0, 0)
    after = appended(joint(frame, 1, 10_000), "v", [chunk(1, (5, 7))])
    assert after.statistics[0].exponents == (5, 7)


def test_what_no_version_lists_is_deleted(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    store.put("t", SCHEMA, table(0, 10_000).to_batches(), chunk_rows=4000)
    frames = [append(store, n, n + 1, 4000) for n in range(10_000, 10_040)]
    assert len({ref.key.df_id for ref in frames[-1].chunks}) == 2
    assert files(tmp_path) == listed(frames[-1])
    assert rows(store, frames[-1]).num_rows == 10_040
    store.close()
    again = Store.open(tmp_path / "store")
    assert rows(again, current(again)).equals(table(0, 10_040))
    assert files(tmp_path) == listed(frames[-1])
    assert again.drop("t")
    assert files(tmp_path) == set()


def test_a_replaced_frame_takes_all_its_writes_along(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    store.put("t", SCHEMA, table(0, 5000).to_batches())
    append(store, 5000, 5001)
    frame = store.put("t", SCHEMA, table(0, 1).to_batches(), replace=True)
    assert frame.version == 3
    assert files(tmp_path) == listed(frame)


def test_a_reader_keeps_its_version(store: Store, tmp_path: Path) -> None:
    store.put("t", SCHEMA, table(0, 10).to_batches())
    before = append(store, 10, 20)
    with store.pinned({ref.key.df_id for ref in before.chunks}):
        after = append(store, 20, 30)
        with store.pinned({ref.key.df_id for ref in after.chunks}):
            append(store, 30, 40)
            assert rows(store, before).equals(table(0, 20))
        assert rows(store, before).equals(table(0, 20))
    with pytest.raises(OperationalError, match="run the statement again"):
        rows(store, before)
    assert rows(store, current(store)).equals(table(0, 40))
    if (tmp_path / "store").exists():
        assert files(tmp_path) == listed(current(store))


CHILD = """
import sys, pyarrow as pa
from eau2.kv.store import Store
from tests.unit.test_kv_append import SCHEMA, table
store = Store.open(sys.argv[1])
store.append("t", SCHEMA, table(5010, 5020).to_batches())
"""


def test_other_processes_append_and_leave_what_is_read(tmp_path: Path) -> None:
    reader = Store.open(tmp_path / "store")
    reader.put("t", SCHEMA, table(0, 5000).to_batches())
    before = append(reader, 5000, 5010)
    epoch = reader.epoch()
    command = [sys.executable, "-c", CHILD, str(tmp_path / "store")]
    subprocess.run(command, check=True, timeout=60, cwd=Path(__file__).parents[2])
    assert reader.epoch() != epoch
    assert rows(reader, before).equals(table(0, 5010))
    after = current(reader)
    assert after.version == before.version + 1
    assert rows(reader, after).equals(table(0, 5020))
    reader.close()
    Store.open(tmp_path / "store").close()
    assert files(tmp_path) == listed(after)


def test_leftovers_in_a_shared_write_are_collected(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    store.put("t", SCHEMA, table(0, 5000).to_batches(), chunk_rows=2000)
    frame = append(store, 5000, 5001, 2000)
    store.close()
    shared = tmp_path / "store" / "chunks" / frame.chunks[0].key.df_id
    (shared / "manifest").write_bytes(b"the version before")
    (shared / "7.arrow").write_bytes(b"a chunk of it")
    (tmp_path / "store" / "chunks" / "f00").mkdir()
    Store.open(tmp_path / "store").close()
    assert files(tmp_path) == listed(frame)
    assert not (tmp_path / "store" / "chunks" / "f00").exists()


def test_an_unreadable_manifest_keeps_every_chunk(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    store.put("t", SCHEMA, table(0, 5000).to_batches())
    frame = append(store, 5000, 5001)
    store.close()
    manifest = tmp_path / "store" / "chunks" / frame.df_id / "manifest"
    manifest.write_bytes(manifest.read_bytes()[:-1])
    Store.open(tmp_path / "store").close()
    assert files(tmp_path) == listed(frame)


@pytest.mark.parametrize("at", [0, 1])
def test_rows_that_fail_append_nothing(store: Store, at: int) -> None:
    before = store.put("t", SCHEMA, table(0, 3).to_batches())

    def failing() -> Iterator[pa.RecordBatch]:
        for start in range(at):
            yield from table(start, start + 1).to_batches()
        raise DataError("no more")

    with pytest.raises(DataError, match="no more"):
        store.append("t", SCHEMA, failing(), chunk_rows=1)
    assert current(store) == before
    assert rows(store, before).equals(table(0, 3))
    assert append(store, 3, 4).version == 2


def test_only_a_frame_of_the_same_columns_is_appended_to(store: Store) -> None:
    other = FrameSchema((ColumnSchema("b", BIGINT),))
    batches = pa.table({"b": [1]}).to_batches()
    for name in ("t", "view"):
        store.put("t", SCHEMA, table(0, 1).to_batches(), replace=True)
        store.keep(View("view", (), "SELECT 1"), replace=True)
        with pytest.raises(OperationalError, match="dropped or replaced"):
            store.append(name, other, batches)
    with pytest.raises(OperationalError, match="dropped or replaced"):
        store.append("gone", other, batches)
    with pytest.raises(UsageError, match="chunk_rows"):
        store.append("t", SCHEMA, batches, chunk_rows=0)
    assert rows(store, current(store)).num_rows == 1
    assert store.names() == ("t", "view")


def test_threads_append_side_by_side(store: Store) -> None:
    store.put("t", SCHEMA, ())

    def story(number: int) -> None:
        for step in range(10):
            append(store, 10 * number + step, 10 * number + step + 1)

    threads = [threading.Thread(target=story, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert current(store).version == 41
    assert sorted(rows(store, current(store))["a"].to_pylist()) == list(range(40))


def test_a_view_is_a_name_like_any_other(store: Store, tmp_path: Path) -> None:
    view = View("V", ("a", "b"), "SELECT 1, 2")
    epoch = store.epoch()
    store.keep(view)
    assert store.epoch() != epoch
    assert store.view("v") == view
    assert store.get("v") is None
    assert store.names() == ("V",)
    with pytest.raises(Exception, match="exists already"):
        store.keep(view)
    store.keep(replace(view, text="SELECT 3"), replace=True)
    if (tmp_path / "store").exists():
        again = Store.open(tmp_path / "store")
        assert again.view("v") == replace(view, text="SELECT 3")
        assert len(os.listdir(tmp_path / "store" / "chunks")) == 1
        again.close()
    assert store.drop("v")
    assert store.view("v") is None
    assert store.names() == ()


def test_a_register_between_versions_is_taken_back(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    store.put("t", SCHEMA, table(0, 5000).to_batches())
    frame = append(store, 5000, 5001)
    entry = store._registry.read("t")
    assert entry == Entry("t", State.LIVE, frame.df_id, 2, entry.manifest if entry else "")
    assert store._registry.cas("t", entry, replace(entry, pending="f" * 32))
    place = tmp_path / "store" / "chunks" / ("f" * 32)
    place.mkdir()
    (place / "0.arrow").write_bytes(b"half of version 3")
    store.close()
    again = Store.open(tmp_path / "store")
    assert again._registry.read("t") == entry
    assert files(tmp_path) == listed(frame)
    assert append(again, 5001, 5002).version == 3
    assert rows(again, current(again)).equals(table(0, 5002))
