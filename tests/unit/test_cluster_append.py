"""Appends and views over three nodes: one version after the other, whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from eau2.catalog import ColumnSchema, Frame, FrameSchema, View, merge_chunk_statistics
from eau2.errors import DataError, NameExistsError, OperationalError
from eau2.kv.clusterstore import ClusterStore
from eau2.kv.sweep import Sweep
from eau2.types import BIGINT, VARCHAR
from tests.unit.test_clusterstore import Ring, _coordinator
from tests.unit.test_clusterstore import ring as ring

SCHEMA = FrameSchema((ColumnSchema("a", BIGINT), ColumnSchema("s", VARCHAR)))


def table(start: int, stop: int) -> pa.Table:
    numbers = range(start, stop)
    return pa.table({"a": numbers, "s": [f"row {number}" * (number % 4) for number in numbers]})


def append(store: ClusterStore, start: int, stop: int, chunk_rows: int = 100_000) -> None:
    store.append("t", SCHEMA, table(start, stop).to_batches(), chunk_rows=chunk_rows)


def rows(store: ClusterStore) -> list[int]:
    frame = current(store)
    parts = [store.read(ref, ("a",)) for ref in frame.chunks]
    numbers: list[int] = pa.concat_tables(parts)["a"].to_pylist()
    return numbers


def current(store: ClusterStore) -> Frame:
    frame = store.get("t")
    assert frame is not None
    return frame


def sweep(ring: Ring) -> None:
    """One sweep of each node."""
    ring.settle()
    for store, service in zip(ring.stores, ring.services, strict=True):
        coordinator = _coordinator(store)
        work = Sweep(coordinator._world, coordinator.registers, service, coordinator.named).once()
        asyncio.run_coroutine_threadsafe(work, ring.loop).result(10)


def listed(frame: Frame) -> list[str]:
    return sorted(
        f"{node}/chunks/{ref.key.df_id}/{ref.key.number}.arrow"
        for ref in frame.chunks
        for node in ref.locations
    )


@pytest.mark.parametrize("chunk_rows", [3, 100_000])
def test_each_node_appends_to_what_the_others_have(ring: Ring, chunk_rows: int) -> None:
    ring.stores[0].put("t", SCHEMA, (), chunk_rows=chunk_rows)
    for number in range(12):
        append(ring.stores[number % 3], 2 * number, 2 * number + 2, chunk_rows)
    for store in ring.stores:
        assert rows(store) == list(range(24))
        assert current(store).version == 13
    frame = current(ring.stores[0])
    assert frame.statistics == merge_chunk_statistics(frame.chunks, 2)
    assert max(ref.rows for ref in frame.chunks) <= chunk_rows
    sweep(ring)
    assert ring.on_disk() == listed(frame)
    assert rows(ring.stores[1]) == list(range(24))
    append(ring.stores[2], 24, 25, chunk_rows)
    assert ring.stores[1].drop("t")
    sweep(ring)
    assert ring.on_disk() == []


def test_appends_from_all_nodes_at_once_are_all_kept(ring: Ring) -> None:
    ring.stores[0].put("t", SCHEMA, ())

    def story(number: int) -> None:
        for step in range(4):
            append(ring.stores[number % 3], 4 * number + step, 4 * number + step + 1)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(story, range(6)))
    for store in ring.stores:
        assert sorted(rows(store)) == list(range(24))
        assert current(store).version == 25


def test_a_shared_chunk_outlives_the_sweep_and_a_replaced_one_its_reader(ring: Ring) -> None:
    one, two, _ = ring.stores
    one.put("t", SCHEMA, table(0, 6000).to_batches(), chunk_rows=3000)
    append(two, 6000, 6010, 3000)
    before = current(one)
    append(two, 6010, 6020, 3000)
    read = {ref.key.df_id for ref in before.chunks}
    with one.pinned(read), two.pinned(read):
        sweep(ring)
        assert sum(one.read(ref, ("a",)).num_rows for ref in before.chunks) == 6010
    sweep(ring)
    assert ring.on_disk() == listed(current(one))
    assert rows(one) == list(range(6020))


def test_rows_that_fail_append_nothing(ring: Ring) -> None:
    store = ring.stores[1]
    store.put("t", SCHEMA, table(0, 2).to_batches())
    before = current(store)

    def failing() -> Iterator[pa.RecordBatch]:
        yield from table(2, 4).to_batches()
        raise DataError("no more")

    with pytest.raises(DataError, match="no more"):
        store.append("t", SCHEMA, failing(), chunk_rows=1)
    assert current(ring.stores[0]) == before
    append(store, 2, 2)
    assert current(ring.stores[0]) == before
    append(ring.stores[2], 2, 3)
    assert rows(store) == [0, 1, 2]
    with pytest.raises(OperationalError, match="no frame"):
        store.append("gone", SCHEMA, table(0, 1).to_batches())
    other = FrameSchema((ColumnSchema("b", BIGINT),))
    with pytest.raises(OperationalError, match="dropped or replaced"):
        store.append("t", other, pa.table({"b": [1]}).to_batches())
    assert rows(ring.stores[0]) == [0, 1, 2]


def test_views_are_seen_everywhere(ring: Ring) -> None:
    view = View("v", ("x",), "SELECT 1")
    ring.stores[1].keep(view)
    for store in ring.stores:
        assert store.view("V") == view
        assert store.get("v") is None
        assert store.names() == ("v",)
    with pytest.raises(NameExistsError):
        ring.stores[2].keep(view)
    ring.stores[2].keep(View("v", (), "SELECT 2"), replace=True)
    assert ring.stores[0].view("v") == View("v", (), "SELECT 2")
    sweep(ring)
    assert ring.stores[1].view("v") == View("v", (), "SELECT 2")
    assert ring.stores[0].drop("v")
    assert ring.stores[1].view("v") is None
