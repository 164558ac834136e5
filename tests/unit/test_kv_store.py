"""Put, get, drop: names, versions, visibility, other processes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from eau2 import config
from eau2.catalog import Frame, View
from eau2.errors import (
    DataError,
    DiskFailedError,
    DiskFullError,
    InterfaceError,
    NameExistsError,
    StoreBusyError,
    StoreError,
    UsageError,
)
from eau2.kv import store as store_module
from eau2.kv.manifest import ManifestError, decode, encode
from eau2.kv.registry import Entry
from eau2.kv.store import Store
from eau2.records import replace

TABLE = pa.table({"a": range(10), "s": [f"text number {i}" for i in range(10)]})


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = Store.open(None if request.param == "memory" else tmp_path / "store")
    yield made
    made.close()


def put(store: Store, name: str, table: pa.Table = TABLE, **options: Any) -> Frame:
    return store.put(name, table.schema, table.to_batches(), **options)


def rows(store: Store, frame: Frame | None) -> pa.Table:
    assert frame is not None
    names = tuple(column.name for column in frame.schema.columns)
    return pa.concat_tables([store.read(ref, names) for ref in frame.chunks])


@pytest.mark.parametrize("chunk_rows", [1, 3, 5, 10, 11])
@pytest.mark.parametrize("batch_rows", [1, 4, 10])
def test_what_is_put_is_what_is_read(store: Store, chunk_rows: int, batch_rows: int) -> None:
    batches = TABLE.to_batches(max_chunksize=batch_rows)
    frame = store.put("t", TABLE.schema, batches, chunk_rows=chunk_rows)
    sizes = [ref.rows for ref in frame.chunks]
    assert sizes[:-1] == [chunk_rows] * (len(sizes) - 1)
    assert sum(sizes) == frame.rows == 10
    assert [ref.key.number for ref in frame.chunks] == list(range(len(sizes)))
    assert store.get("t") == frame
    assert rows(store, frame).to_pydict() == TABLE.to_pydict()


def test_columns_are_read_in_the_order_asked_for(store: Store) -> None:
    chunk = put(store, "t").chunks[0]
    assert store.read(chunk, ("s", "a")).column_names == ["s", "a"]
    assert store.read(chunk, ()).num_rows == 10
    assert store.holds(chunk.key)


def test_names_ignore_letter_case_and_keep_it(store: Store) -> None:
    frame = put(store, "Some.Name")
    assert store.get("some.NAME") == frame
    assert store.names() == ("Some.Name",)
    with pytest.raises(NameExistsError, match=r'"Some\.Name" exists already\n.*--replace'):
        put(store, "SOME.name")
    put(store, "a/b")
    assert store.names() == ("a/b", "Some.Name")


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 201, "a\n", 'a"', "a;b"])
def test_other_names_are_refused(store: Store, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        put(store, name)


@pytest.mark.parametrize("name", ["../../up", "..", "/etc/passwd", "x" * 200])
def test_a_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    store = Store.open(tmp_path / "store")
    put(store, name)
    assert rows(store, store.get(name)).num_rows == 10
    assert os.listdir(tmp_path) == ["store"]


def test_drop_removes_the_name_and_the_files(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    put(store, "t")
    assert store.drop("T")
    assert not store.drop("t")
    assert store.get("t") is None
    assert store.names() == ()
    assert os.listdir(tmp_path / "chunks") == []


def test_replace_is_another_version(store: Store) -> None:
    first = put(store, "t")
    epoch = store.epoch()
    second = put(store, "t", pa.table({"b": [1]}), replace=True)
    assert store.epoch() != epoch
    assert (first.version, second.version) == (1, 2)
    assert store.get("t") == second
    assert rows(store, second).to_pydict() == {"b": [1]}
    assert not store.holds(first.chunks[0].key)


def test_no_rows_are_one_empty_chunk(store: Store) -> None:
    frame = put(store, "t", TABLE.slice(0, 0))
    assert [ref.rows for ref in frame.chunks] == [0]
    assert rows(store, frame).num_rows == 0
    assert rows(store, frame).column_names == ["a", "s"]


@pytest.mark.parametrize("replacing", [False, True])
def test_a_source_that_fails_changes_nothing(store: Store, replacing: bool) -> None:
    before = put(store, "t") if replacing else None

    def failing() -> Iterator[pa.RecordBatch]:
        yield from TABLE.to_batches()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.put("t", TABLE.schema, failing(), chunk_rows=3, replace=replacing)
    assert store.get("t") == before
    if before is not None:
        assert rows(store, before).num_rows == 10
    assert put(store, "t", replace=replacing).rows == 10


def test_two_columns_of_one_name_are_refused(store: Store) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "A"])
    with pytest.raises(DataError, match='"a" and "A"'):
        put(store, "t", table)
    with pytest.raises(DataError, match="no columns"):
        put(store, "t", pa.table({}))
    assert store.names() == ()


def test_a_store_is_found_again(tmp_path: Path) -> None:
    with_frame = Store.open(tmp_path)
    frame = put(with_frame, "t", chunk_rows=4)
    with_frame.close()
    with pytest.raises(InterfaceError, match="closed"):
        with_frame.get("t")
    store = Store.open(tmp_path)
    assert store.get("t") == frame
    assert rows(store, frame).to_pydict() == TABLE.to_pydict()


def test_a_manifest_is_read_back_equal(store: Store) -> None:
    frame = put(store, "t", pa.table({"w": pa.array([10**30, None], pa.decimal128(38, 0))}))
    assert decode(encode(frame)) == frame
    data = encode(frame)
    for position in range(0, len(data), 7):
        with pytest.raises(ManifestError):
            decode(data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :])
    with pytest.raises(ManifestError):
        decode(b"")
    # Of the format before, whose chunks hold columns in the width of their types.
    assert decode(data.replace(b"eau2mf3", b"eau2mf2", 1)) == frame
    with pytest.raises(ManifestError):
        decode(data.replace(b"eau2mf3", b"eau2mf1", 1))


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"not a store: it holds 'notes\.txt'"):
        Store.open(tmp_path)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(tmp_path / "notes.txt")
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_another_format_is_refused(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    (tmp_path / "FORMAT").write_text("eau2 store 2\n")
    with pytest.raises(StoreError, match="has the format 'eau2 store 2'"):
        Store.open(tmp_path)


def test_a_store_without_its_names_is_refused_and_keeps_its_chunks(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    frame = put(store, "t")
    store.close()
    (tmp_path / "names.sqlite").unlink()
    with pytest.raises(StoreError, match=r"names\.sqlite is missing"):
        Store.open(tmp_path)
    (tmp_path / "FORMAT").unlink()
    with pytest.raises(StoreError, match="not a store"):
        Store.open(tmp_path)
    assert os.listdir(tmp_path / "chunks") == [frame.df_id]


def test_leftovers_of_a_dead_writer_are_collected(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    frame = put(store, "t")
    entry = store._registry.read("t")
    store._registry.cas("t", entry, replace(entry, pending="f" * 32))  # type: ignore[type-var]
    orphan = tmp_path / "chunks" / ("f" * 32)
    orphan.mkdir()
    (orphan / "0.arrow.tmp").write_bytes(b"half")
    store.close()
    again = Store.open(tmp_path)
    assert os.listdir(tmp_path / "chunks") == [frame.df_id]
    assert again.get("t") == frame
    assert again._registry.read("t") == entry


@pytest.fixture
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "LIMITS", replace(config.LIMITS, writer_wait_s=0.2))


@pytest.mark.usefixtures("short_wait")
def test_a_second_writer_is_told_who_is_writing(tmp_path: Path) -> None:
    first, second = Store.open(tmp_path), Store.open(tmp_path)
    put(first, "old")
    inside, done = threading.Event(), threading.Event()

    def slow() -> Iterator[pa.RecordBatch]:
        inside.set()
        assert done.wait(20)
        yield from TABLE.to_batches()

    writer = threading.Thread(target=lambda: first.put("t", TABLE.schema, slow()))
    writer.start()
    assert inside.wait(20)
    try:
        for write in (lambda: put(second, "u"), lambda: second.drop("old")):
            with pytest.raises(StoreBusyError, match=f"process {os.getpid()} on "):
                write()
        with pytest.raises(StoreBusyError, match="another thread"):
            put(first, "v")
        assert second.get("t") is None
        assert rows(second, second.get("old")).num_rows == 10
        third = Store.open(tmp_path)
        assert third.names() == ("old",)
    finally:
        done.set()
        writer.join()
    assert second.names() == ("old", "t")
    assert put(second, "u").rows == 10


CHILD = """
import sys, pyarrow as pa
from eau2.kv.store import Store
store = Store.open(sys.argv[1])
if sys.argv[2] == "drop":
    store.drop("t")
else:
    table = pa.table({"b": [1]})
    store.put("t", table.schema, table.to_batches(), replace=True)
"""


@pytest.mark.parametrize("doing", ["drop", "replace"])
def test_a_reader_keeps_what_another_process_takes_away(tmp_path: Path, doing: str) -> None:
    reader = Store.open(tmp_path)
    put(reader, "t", chunk_rows=3)
    reader.close()
    reader = Store.open(tmp_path)
    frame = reader.get("t")
    assert frame is not None
    epoch = reader.epoch()
    subprocess.run([sys.executable, "-c", CHILD, str(tmp_path), doing], check=True, timeout=60)
    assert rows(reader, frame).to_pydict() == TABLE.to_pydict()
    assert reader.epoch() != epoch
    now = reader.get("t")
    assert (now is None) == (doing == "drop")
    reader.close()
    Store.open(tmp_path).close()
    assert os.listdir(tmp_path / "chunks") == ([] if now is None else [now.df_id])


def test_a_frame_can_be_dropped_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(tmp_path)
    put(store, "t")
    ballast = tmp_path / "ballast"
    kept = ballast.stat().st_size
    swap = store._registry.cas

    def full(name: str, expect: Entry | None, value: Entry | None) -> bool:
        if ballast.exists():
            raise DiskFullError("no room")
        return swap(name, expect, value)

    monkeypatch.setattr(store._registry, "cas", full)
    assert store.drop("t")
    monkeypatch.undo()
    assert store.names() == ()
    assert os.listdir(tmp_path / "chunks") == []
    assert ballast.stat().st_size == kept


def test_a_store_that_cannot_be_locked_is_said(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    (tmp_path / "lock").unlink()
    (tmp_path / "lock").mkdir()
    with pytest.raises(StoreError, match="cannot be written to"):
        Store.open(tmp_path)


@pytest.mark.parametrize("where", ["chunk", "names"])
def test_after_a_failed_disk_a_store_takes_no_writes_until_it_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    store = Store.open(tmp_path)
    frame = put(store, "kept", TABLE)

    def fail(*_: object) -> bool:
        if where == "chunk":
            raise OSError(errno.EIO, "Input/output error")
        raise DiskFailedError("the disk failed under the store's list of names")

    with monkeypatch.context() as patched:
        if where == "chunk":
            patched.setattr(os, "fsync", fail)
        else:
            patched.setattr(store._registry, "cas", fail)
        with pytest.raises(DiskFailedError, match="disk failed"):
            put(store, "t", TABLE)
    for write in (
        lambda: put(store, "t", TABLE),
        lambda: store.drop("kept"),
        lambda: store.keep(View("v", ("a",), "SELECT 1")),
    ):
        with pytest.raises(DiskFailedError, match="takes no more writes: the disk") as raised:
            write()
        assert "open the store again" in (raised.value.hint or "")
    assert rows(store, frame).cast(TABLE.schema).equals(TABLE)
    store.close()
    store = Store.open(tmp_path)
    assert store.names() == ("kept",)
    put(store, "t", TABLE)
    store.close()
