"""What a voter keeps: one contract for its stores; damage, loss and full disks of the real one."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eau2.errors import DiskFullError, StoreError
from eau2.kv.register_store import (
    EMPTY,
    MARK_SUFFIX,
    NEVER,
    Ballot,
    Cell,
    MemoryRegisterStore,
    RegisterStore,
    SqliteRegisterStore,
    mark_of,
)
from eau2.torture.registers import Medium, SimRegisterStore
from tests.processes import ROOT, environment

ONE = Cell(Ballot(3, "p"), Ballot(2, "q"), b"one")
TWO = Cell(Ballot(4, "p"), Ballot(4, "p"), b"\x00two\xff")
PROMISED = Cell(Ballot(2**62, "z" * 32))


@pytest.fixture(params=["memory", "sqlite", "simulated"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RegisterStore]:
    made: RegisterStore = MemoryRegisterStore()
    if request.param == "sqlite":
        made = SqliteRegisterStore(tmp_path / "registers", make=True)
    elif request.param == "simulated":
        made = SimRegisterStore(Medium())
    yield made
    made.close()


def test_what_was_written_is_read(store: RegisterStore) -> None:
    assert store.read("a") == EMPTY
    store.write([("a", ONE), ("\0ring", PROMISED)])
    assert (store.read("a"), store.read("\0ring"), store.read("A")) == (ONE, PROMISED, EMPTY)
    store.write([("a", TWO)])
    assert (store.read("a"), store.read("\0ring")) == (TWO, PROMISED)
    store.write([])
    assert store.read("a") == TWO


def test_ballots_have_an_order() -> None:
    assert NEVER < Ballot(1, "a") < Ballot(1, "b") < Ballot(2, "") < Ballot(10, "a")


def test_pages_are_in_the_order_of_keys(store: RegisterStore) -> None:
    keys = ["\0ring", "a", "a/b", "a0", "b", "ü", "\U0001f600"]
    for key in reversed(keys):
        store.write([(key, ONE)])
    assert keys == sorted(keys)
    assert store.page("", 100) == (tuple((key, ONE) for key in keys), False)
    assert store.page("", 7)[1] is False
    found: list[str] = []
    more = True
    while more:
        page, more = store.page(found[-1] if found else "", 3)
        found += [key for key, _ in page]
    assert found == keys
    assert store.page("\U0001f600", 3) == ((), False)


def test_the_fingerprint_tells_what_is_accepted_and_nothing_else(store: RegisterStore) -> None:
    assert store.fingerprint() == 0
    store.write([("a", PROMISED)])
    assert store.fingerprint() == 0
    store.write([("a", ONE), ("b", TWO)])
    assert store.fingerprint() == mark_of("a", ONE.accepted) ^ mark_of("b", TWO.accepted)
    store.write([("a", Cell(Ballot(9, "p"), ONE.accepted, ONE.value))])
    seen = {store.fingerprint()}
    assert seen == {mark_of("a", ONE.accepted) ^ mark_of("b", TWO.accepted)}
    # The same value written again, with another ballot, counts.
    for counter in range(10, 20):
        store.write([("a", Cell(Ballot(counter, "p"), Ballot(counter, "p"), ONE.value))])
        assert store.fingerprint() not in seen
        seen.add(store.fingerprint())
    assert all(0 < number < 2**63 for number in seen)


def test_the_same_ballot_of_two_keys_does_not_cancel_itself_out(store: RegisterStore) -> None:
    store.write([("a", TWO), ("b", TWO)])
    assert store.fingerprint() != 0


def test_it_all_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "registers"
    store = SqliteRegisterStore(path, make=True)
    store.write([("a", ONE), ("b", TWO)])
    store.write([("a", PROMISED)])
    fingerprint = store.fingerprint()
    store.close()
    for make in (False, True):
        store = SqliteRegisterStore(path, make=make)
        assert (store.read("a"), store.read("b")) == (PROMISED, TWO)
        assert store.fingerprint() == fingerprint
        store.close()


KILLED = """
import os, sys
from pathlib import Path
from eau2.kv.register_store import Ballot, Cell, SqliteRegisterStore
store = SqliteRegisterStore(Path(sys.argv[1]), make=True)
for n in range(1, 8):
    store.write([(f"k{n % 3}", Cell(Ballot(n, "p"), Ballot(n, "p"), b"value %d " % n * 300))])
os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store whose process was killed after its last write."""
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-c", KILLED, str(folder / "registers")]
    ended = subprocess.run(command, env=environment(), cwd=ROOT, timeout=60)
    assert ended.returncode == -9
    return folder


def test_what_was_written_outlives_a_kill(killed: Path, tmp_path: Path) -> None:
    shutil.copytree(killed, tmp_path / "copy")
    assert (tmp_path / "copy" / "registers-wal").stat().st_size > 0
    store = SqliteRegisterStore(tmp_path / "copy" / "registers")
    cells = [store.read(f"k{n % 3}") for n in (5, 6, 7)]
    assert [cell.accepted.counter for cell in cells] == [5, 6, 7]
    assert cells[2].value == b"value 7 " * 300
    store.close()


def _all_of(path: Path) -> object:
    store = SqliteRegisterStore(path)
    try:
        return store.page("", 100), store.fingerprint()
    finally:
        store.close()


@pytest.mark.parametrize("clean", [False, True], ids=["after a kill", "after a clean end"])
def test_a_flipped_bit_is_found_or_changes_nothing(
    killed: Path, tmp_path: Path, clean: bool
) -> None:
    """Anywhere in any file: what is read is what was written, or there is an error that says so."""
    source = tmp_path / "source"
    shutil.copytree(killed, source)
    if clean:
        SqliteRegisterStore(source / "registers").close()
    shutil.copytree(source, tmp_path / "right")
    right = _all_of(tmp_path / "right" / "registers")
    rng = random.Random(7)
    found = {path.name: 0 for path in sorted(source.iterdir())}
    tries = 60
    for name in found:
        for _ in range(tries):
            copy = tmp_path / "copy"
            shutil.copytree(source, copy)
            data = bytearray((copy / name).read_bytes())
            place = rng.randrange(len(data))
            data[place] ^= 1 << rng.randrange(8)
            (copy / name).write_bytes(data)
            try:
                read = _all_of(copy / "registers")
            except StoreError:
                found[name] += 1
            else:
                assert read == right, (name, place)
            shutil.rmtree(copy)
    assert found.pop(f"registers{MARK_SUFFIX}") == tries
    # The log of a killed process has every page that counts.
    assert found.pop("registers" if clean else "registers-wal") > tries // 6


@pytest.mark.parametrize("kept", [0, 1, 3, 6])
def test_a_log_that_ends_too_early_is_found(killed: Path, tmp_path: Path, kept: int) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(killed, copy)
    log = copy / "registers-wal"
    os.truncate(log, log.stat().st_size * kept // 7)
    with pytest.raises(StoreError, match=r"missing|version is 0"):
        SqliteRegisterStore(copy / "registers")


def _other_fingerprint(path: Path) -> None:
    _sql(path, "UPDATE total SET fingerprint = fingerprint + 1")


def _sql(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(statement)
    db.close()


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: path.unlink(), "it is missing"),
        (lambda path: path.write_bytes(b""), "its version is 0"),
        (lambda path: path.write_bytes(b"no database at all" * 100), "not a database"),
        (lambda path: _sql(path, "DELETE FROM cell WHERE key = x'61'"), "not those that were"),
        (lambda path: _sql(path, "UPDATE cell SET value = x'00' WHERE key = x'61'"), "a row is"),
        (lambda path: _sql(path, "UPDATE cell SET key = x'63' WHERE key = x'61'"), "a row is"),
        (lambda path: _sql(path, "UPDATE cell SET accepted = 1 WHERE key = x'61'"), "a row is"),
        (lambda path: _sql(path, "UPDATE total SET writes = 1"), "last 1 of its writes"),
        (lambda path: _sql(path, "PRAGMA user_version = 9"), "its version is 9"),
        (lambda path: Path(f"{path}{MARK_SUFFIX}").unlink(), "No such file"),
        (lambda path: Path(f"{path}{MARK_SUFFIX}").write_bytes(b""), "its mark"),
        (_other_fingerprint, "not those that were"),
    ],
)
def test_damage_is_found_at_the_start(
    tmp_path: Path, damage: Callable[[Path], None], why: str
) -> None:
    path = tmp_path / "registers"
    store = SqliteRegisterStore(path, make=True)
    store.write([("a", ONE)])
    store.write([("b", TWO)])
    store.close()
    damage(path)
    with pytest.raises(StoreError, match=why) as caught:
        SqliteRegisterStore(path)
    assert str(path) in str(caught.value)
    assert "must not vote" in str(caught.value.hint)


def test_a_row_that_is_damaged_while_it_runs_stops_the_voter(tmp_path: Path) -> None:
    store = SqliteRegisterStore(tmp_path / "registers", make=True)
    store.write([("a", ONE), ("b", TWO)])
    store._db.execute("UPDATE cell SET value = x'00' WHERE key = x'61'")
    assert store.read("b") == TWO
    with pytest.raises(StoreError, match="a row is not as it was written"):
        store.read("a")
    # From then on it says nothing more at all.
    for call in (lambda: store.read("b"), lambda: store.page("", 9), store.fingerprint):
        with pytest.raises(StoreError, match="must not vote"):
            call()
    with pytest.raises(StoreError, match="must not vote"):
        store.write([("c", ONE)])
    store.close()


def test_a_full_disk_changes_nothing_and_reading_goes_on(tmp_path: Path) -> None:
    store = SqliteRegisterStore(tmp_path / "registers", make=True)
    store.write([("a", ONE)])
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    before = store.fingerprint()
    with pytest.raises(DiskFullError, match="nothing was changed"):
        store.write([("b", Cell(Ballot(9, "p"), Ballot(9, "p"), bytes(60_000)))])
    assert (store.read("a"), store.read("b"), store.fingerprint()) == (ONE, EMPTY, before)
    store._db.execute("PRAGMA max_page_count = 100000")
    store.write([("b", TWO)])
    assert store.read("b") == TWO
    store.close()
    assert SqliteRegisterStore(tmp_path / "registers").fingerprint() != before


def test_a_name_in_the_file_that_is_no_text_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "registers"
    store = SqliteRegisterStore(path, make=True)
    store.write([("a", ONE)])
    store.close()
    whole = path.read_bytes()
    for text in (b"CREATE TABLE cell", b"cell (key", b"promised"):
        assert whole.count(text) == 1
        for place in range(len(text)):
            damaged = bytearray(whole)
            damaged[whole.index(text) + place] ^= 0x80
            path.write_bytes(damaged)
            with pytest.raises(StoreError, match="cannot be used"):
                SqliteRegisterStore(path)
