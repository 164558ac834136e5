"""A node's data directory: what it keeps, who may use it, and what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from eau2.errors import DiskFullError, StoreError
from eau2.kv.chunk import sync_directory
from eau2.kv.datadir import FORMAT, DataDirectory
from eau2.kv.register_store import Ballot, Cell
from eau2.kv.store import Store
from eau2.net.ring_message import (
    Member,
    Ring,
)
from tests.processes import ROOT, environment

STORE_ID = "5" * 32
CELL = Cell(Ballot(3, "p"), Ballot(2, "q"), b"a value")


def ring_of(data: DataDirectory, epoch: int = 1, voters: tuple[str, ...] = ("n1",)) -> Ring:
    members = (
        Member("n1", data.identity.id, "127.0.0.1:7700"),
        Member("n2", "b" * 32, "127.0.0.1:7701"),
    )
    return Ring(STORE_ID, epoch, members, voters)


def settled(path: Path, voters: tuple[str, ...] = ("n1",)) -> DataDirectory:
    data = DataDirectory.open(path)
    data.settle("n1", ring_of(data, voters=voters))
    return data


def test_what_is_kept_is_there_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "data"
    data = DataDirectory.open(path)
    identity = data.identity
    assert not data.settled
    assert (data.ring, data.root, data.chunks) == (None, path, path / "chunks")
    data.close()

    data = DataDirectory.open(path)
    assert data.identity == identity
    data.settle("n1", ring_of(data))
    registry = data.registers()
    registry.write([("t", CELL)])
    registry.close()
    data.keep_ring(ring_of(data, epoch=7))
    data.close()

    data = DataDirectory.open(path)
    assert data.settled
    assert data.identity.id == identity.id
    assert (data.identity.name, data.identity.store_id) == ("n1", STORE_ID)
    assert data.ring == ring_of(data, epoch=7)
    registry = data.registers()
    assert registry.read("t") == CELL
    registry.close()
    data.close()
    assert sorted(os.listdir(path)) == [
        "FORMAT",
        "ballast",
        "chunks",
        "identity",
        "lock",
        "registers.sqlite",
        "registers.sqlite-mark",
        "ring",
    ]


def test_only_a_voter_has_registers(tmp_path: Path) -> None:
    data = settled(tmp_path, voters=("n2",))
    with pytest.raises(StoreError, match=r"registers\.sqlite cannot be used; .* missing"):
        data.registers()
    data.close()


def test_no_path_is_a_temporary_directory() -> None:
    data = DataDirectory.open(None)
    (data.chunks / "x").mkdir()
    assert data.root.is_dir()
    data.close()
    assert not data.root.exists()


def test_two_nodes_never_run_on_one_directory(tmp_path: Path) -> None:
    data = DataDirectory.open(tmp_path)
    with pytest.raises(StoreError, match=f"another node runs on .*process {os.getpid()}") as caught:
        DataDirectory.open(tmp_path)
    assert str(tmp_path) in str(caught.value)
    code = f"from eau2.kv.datadir import DataDirectory; DataDirectory.open({str(tmp_path)!r})"
    command = [sys.executable, "-c", code]
    elsewhere = subprocess.run(
        command, env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert "another node runs on the directory" in elsewhere.stderr
    data.close()
    DataDirectory.open(tmp_path).close()


def test_the_lock_of_a_dead_process_is_free(tmp_path: Path) -> None:
    code = (
        "import os; from eau2.kv.datadir import DataDirectory;"
        f"data = DataDirectory.open({str(tmp_path)!r}); print(data.identity.id, flush=True);"
        "os._exit(9)"
    )
    dead = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    data = DataDirectory.open(tmp_path)
    assert data.identity.id == dead.stdout.strip()
    data.close()


def test_a_node_and_an_embedded_store_refuse_each_others_directory(tmp_path: Path) -> None:
    Store.open(tmp_path / "store").close()
    with pytest.raises(StoreError, match="a store for use within one process"):
        DataDirectory.open(tmp_path / "store")
    assert not (tmp_path / "store" / "identity").exists()
    DataDirectory.open(tmp_path / "node").close()
    before = sorted(os.listdir(tmp_path / "node"))
    with pytest.raises(StoreError, match="the data directory of a node, not a store"):
        Store.open(tmp_path / "node")
    assert sorted(os.listdir(tmp_path / "node")) == before


def test_other_directories_are_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(StoreError, match=r"holds 'letter\.txt' and no FORMAT"):
        DataDirectory.open(tmp_path)
    assert os.listdir(tmp_path) == ["letter.txt"]
    chunks = tmp_path / "other" / "chunks"
    chunks.mkdir(parents=True)
    (chunks / "abc").mkdir()
    with pytest.raises(StoreError, match="holds 'chunks/abc'"):
        DataDirectory.open(tmp_path / "other")
    with pytest.raises(StoreError, match="cannot be opened"):
        DataDirectory.open(tmp_path / "letter.txt")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "FORMAT").write_text("eau2 node 99\n")
    with pytest.raises(StoreError, match="'eau2 node 99', which this eau2 cannot read"):
        DataDirectory.open(tmp_path / "new")
    (tmp_path / "new" / "FORMAT").write_text("eau2 node 1\n")
    (tmp_path / "new" / "names.sqlite").write_bytes(b"")
    with pytest.raises(StoreError, match="made by an older eau2") as caught:
        DataDirectory.open(tmp_path / "new")
    assert "load its frames into a new store" in str(caught.value.hint)


def _remove(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


def _flip(name: str) -> Callable[[Path], None]:
    def work(root: Path) -> None:
        data = bytearray((root / name).read_bytes())
        data[len(data) // 2] ^= 1
        (root / name).write_bytes(data)

    return work


def _foreign_ring(root: Path) -> None:
    other = settled(root.parent / "other")
    other.close()
    (root / "ring").write_bytes((other.root / "ring").read_bytes())


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (_remove("identity"), "identity is missing"),
        (_remove("ring"), "ring is missing"),
        (_flip("identity"), "identity cannot be read"),
        (_flip("ring"), "ring cannot be read"),
        (_foreign_ring, "ring is not of the store"),
        (lambda root: (root / "ring").write_bytes(b""), "ring cannot be read"),
        (lambda root: (root / "identity").write_bytes(b"\xff\xfe"), "identity cannot be read"),
    ],
)
def test_damage_is_named(tmp_path: Path, damage: Callable[[Path], None], why: str) -> None:
    root = tmp_path / "data"
    settled(root).close()
    damage(root)
    with pytest.raises(StoreError, match=f"damaged: {why}"):
        DataDirectory.open(root)
    # What was wrong is not made worse: the lock is free again.
    with pytest.raises(StoreError, match=f"damaged: {why}"):
        DataDirectory.open(root)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (_remove("registers.sqlite"), "it is missing"),
        (_remove("registers.sqlite-mark"), "No such file"),
        (_flip("registers.sqlite-mark"), "its mark"),
        (lambda root: (root / "registers.sqlite").write_bytes(b""), "its version is 0"),
    ],
)
def test_a_voter_that_has_forgotten_does_not_start(
    tmp_path: Path, damage: Callable[[Path], None], why: str
) -> None:
    settled(tmp_path / "data").close()
    damage(tmp_path / "data")
    data = DataDirectory.open(tmp_path / "data")
    for _ in range(2):
        with pytest.raises(StoreError, match=why) as caught:
            data.registers()
        assert "must not vote" in str(caught.value.hint)
    data.close()


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", range(12))
def test_a_crash_at_any_step_leaves_a_directory_to_go_on_with(
    tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = 0

    def crashing(path: Path) -> None:
        nonlocal done
        if done == step:
            raise Crash
        done += 1
        sync_directory(path)

    monkeypatch.setattr("eau2.kv.datadir.sync_directory", crashing)
    opened: list[DataDirectory] = []
    with suppress(Crash):
        opened.append(DataDirectory.open(tmp_path / "data"))
        opened[0].settle("n1", ring_of(opened[0]))
        opened[0].keep_ring(ring_of(opened[0], epoch=2))
    monkeypatch.undo()
    # As at the end of a process, the lock is let go of, and nothing else is done.
    for data in opened:
        data.close()
    for _ in range(2):
        data = DataDirectory.open(tmp_path / "data")
        if data.settled:
            assert data.ring in (ring_of(data), ring_of(data, epoch=2))
            data.registers().close()
        data.close()
    assert data.settled or done < 7
    assert (tmp_path / "data" / "FORMAT").read_text() == FORMAT


def test_a_full_disk_keeps_the_ring_that_was(tmp_path: Path) -> None:
    data = settled(tmp_path)
    ring = data.ring
    os.symlink("/dev/full", tmp_path / "ring.tmp")
    with pytest.raises(DiskFullError, match="storing the ring"):
        data.keep_ring(ring_of(data, epoch=2))
    assert data.ring == ring
    data.close()
    assert DataDirectory.open(tmp_path).ring == ring
