"""Both registries keep one contract."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from eau2.errors import StoreError
from eau2.kv.registry import Entry, MemoryRegistry, Registry, SqliteRegistry, State
from eau2.kv.ring import copies, moved, slot, walk
from eau2.records import replace

A = Entry("Name", State.LIVE, "1", 1, "digest")
B = replace(A, df_id="2", version=2)


@pytest.fixture(params=["memory", "sqlite"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    made: Registry = (
        MemoryRegistry() if request.param == "memory" else SqliteRegistry(tmp_path / "names", 1.0)
    )
    yield made
    made.close()


def test_a_register_holds_what_was_swapped_in(registry: Registry) -> None:
    assert registry.read("name") is None
    assert registry.cas("Name", None, A)
    assert registry.read("NAME") == A
    assert registry.cas("name", A, B)
    assert registry.read("name") == B
    assert registry.cas("name", B, None)
    assert registry.read("name") is None
    assert registry.list() == ()


@pytest.mark.parametrize("expect", [None, B, replace(A, pending="9"), replace(A, manifest="")])
def test_another_expectation_changes_nothing(registry: Registry, expect: Entry | None) -> None:
    assert registry.cas("name", None, A)
    assert not registry.cas("name", expect, B)
    assert not registry.cas("name", expect, None)
    assert registry.read("name") == A
    assert not registry.cas("other", A, B)


def test_the_epoch_changes_with_live_frames_only(registry: Registry) -> None:
    start = registry.epoch()
    pending = Entry("n", State.PENDING, "1", 1)
    registry.cas("n", None, pending)
    assert registry.epoch() == start
    live = replace(pending, state=State.LIVE)
    registry.cas("n", pending, live)
    after = registry.epoch()
    assert after != start
    reserved = replace(live, pending="2")
    registry.cas("n", live, reserved)
    assert registry.epoch() == after
    registry.cas("n", reserved, replace(live, df_id="2"))
    assert registry.epoch() not in (start, after)


def test_the_list_is_sorted_by_name(registry: Registry) -> None:
    for name in ("b", "C", "a"):
        registry.cas(name, None, replace(A, name=name))
    assert [entry.name for entry in registry.list()] == ["a", "b", "C"]


def test_one_of_many_swaps_wins(registry: Registry) -> None:
    wins: list[int] = []

    def race(number: int) -> None:
        if registry.cas("n", None, replace(A, df_id=str(number))):
            wins.append(number)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1
    entry = registry.read("n")
    assert entry is not None
    assert entry.df_id == str(wins[0])


def test_another_process_sees_what_was_swapped(tmp_path: Path) -> None:
    first, second = (SqliteRegistry(tmp_path / "names", 1.0) for _ in range(2))
    epoch = second.epoch()
    assert first.cas("n", None, A)
    assert second.read("n") == A
    assert second.epoch() != epoch
    first.close()
    second.close()


def test_a_flipped_bit_in_the_file_is_found(tmp_path: Path) -> None:
    registry = SqliteRegistry(tmp_path / "names", 1.0)
    registry.cas("n", None, replace(A, df_id="0123456789abcdef"))
    registry.close()
    data = (tmp_path / "names").read_bytes()
    assert data.count(b"0123456789abcdef") == 1
    (tmp_path / "names").write_bytes(data.replace(b"0123456789abcdef", b"0123456789abcdeg"))
    registry = SqliteRegistry(tmp_path / "names", 1.0)
    with pytest.raises(StoreError, match="damaged"):
        registry.read("n")
    registry.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "names").write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(StoreError):
        SqliteRegistry(tmp_path / "names", 1.0)


def test_chunks_go_round_the_ring() -> None:
    assert [slot(2, number, 3) for number in range(5)] == [2, 0, 1, 2, 0]
    assert walk(3, 5) == (3, 4, 0, 1, 2)
    assert [copies(nodes) for nodes in (1, 2, 3, 4, 5, 20)] == [1, 2, 2, 2, 3, 3]
    with pytest.raises(ValueError, match="ring"):
        slot(3, 0, 3)


def test_a_new_slot_takes_its_share_and_nothing_else_moves() -> None:
    places = {f"w/{number}": number % 4 for number in range(4000)}
    grown = {key: moved(key, first, 4, 5) for key, first in places.items()}
    taken = [key for key, now in grown.items() if now != places[key]]
    assert {grown[key] for key in taken} == {4}
    assert 700 < len(taken) < 900
    # By way of five slots or at once, the place among six is the same.
    for key, first in places.items():
        assert moved(key, grown[key], 5, 6) == moved(key, first, 4, 6)
