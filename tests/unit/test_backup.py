"""Backups: what is restored is what was there, and what is damaged is never restored."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import eau2
from eau2 import backup_ends
from eau2.backup import backup
from eau2.kv.store import Store
from eau2.net.address import parse_addresses
from eau2.remote import RemoteBackend
from tests.cluster.nodes import InProcess
from tests.conftest import Cli
from tests.laws.test_reproducible import digest
from tests.unit.test_cli import check_message

SETUP = """
    SET chunk_rows = 300;
    CREATE TABLE numbers (n BIGINT NOT NULL, h HUGEINT, u UTINYINT, x DOUBLE, f FLOAT,
        m DECIMAL(12, 3), w DECIMAL(30, 2), b BOOLEAN);
    INSERT INTO numbers
    SELECT range, range::HUGEINT * 10000000000000000000000, range % 200,
        CASE WHEN range % 5 = 0 THEN NULL WHEN range % 7 = 0 THEN 'nan'::DOUBLE ELSE range / 7 END,
        -0.0, range / 9, range * 12345678901, range % 2 = 0
    FROM range(1000);
    CREATE TABLE "Odd.Names" AS
    SELECT 'text ' || range || repeat('é', (range % 40)::INTEGER) AS "a ""b", [range, NULL] AS l,
        ['x' || range] AS s, DATE '2026-01-01' + range::INTEGER AS d,
        TIMESTAMP '2026-01-01 10:00:00.5' + INTERVAL 1 HOUR * range AS t, TIME '10:00' AS c,
        INTERVAL 1 MONTH * range AS i
    FROM range(700);
    CREATE TABLE none (a INTEGER, s VARCHAR);
    CREATE VIEW base (k) AS SELECT n FROM numbers WHERE n < 5;
    CREATE VIEW above AS SELECT k + 1 AS k1 FROM base;
    CREATE INDEX "an ""index" ON "Odd.Names" (d)
"""
NAMES = ("above", "base", "none", "numbers", "Odd.Names")
APPEND = "INSERT INTO numbers SELECT range, range, 1, 2, 3, 4, 5, NULL FROM range(10)"


def contents(where: str) -> dict[str, tuple[str, object, object]]:
    """Of each name a digest of its rows, what DESCRIBE says of its columns, and its indexes."""
    with eau2.connect(where) as connection:
        indexes = [row[:3] for row in connection.sql("SHOW INDEXES").fetchall()]
        return {
            name: (
                digest(connection.sql(f'SELECT * FROM "{name}"').to_arrow()),
                connection.sql(f'DESCRIBE "{name}"').fetchall(),
                [index for index in indexes if index[1] == name],
            )
            for name in connection.tables()
        }


@pytest.fixture
def ring(three_in_process: InProcess) -> Iterator[str]:
    """The URL of an empty ring, which is emptied again."""
    url = three_in_process.urls[1]
    yield url
    backend = RemoteBackend(parse_addresses(url))
    for name in backend.names():
        kind = "TABLE" if backend.frame(name) is not None else "VIEW"
        backend.run(f'DROP {kind} "{name}"', None, None)
    backend.close()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup, not to be changed."""
    folder = tmp_path_factory.mktemp("saved")
    filled(str(folder / "store"))
    store = Store.open(folder / "store")
    backup(backup_ends.StoreEnd(store), str(folder / "backup"), lambda _: None)
    store.close()
    return folder / "backup"


def filled(where: str) -> None:
    with eau2.connect(where) as connection:
        connection.sql(SETUP)
        connection.sql(APPEND)


WAYS = [("store", "store"), ("store", "ring"), ("ring", "store"), ("ring", "ring")]


@pytest.mark.parametrize(("source", "target"), WAYS)
def test_what_is_restored_is_what_was_there(
    main: Cli, ring: str, tmp_path: Path, source: str, target: str
) -> None:
    places = {"store": str(tmp_path / ".eau2"), "ring": ring}
    at = {"store": (), "ring": ("--connect", ring)}
    filled(places[source])
    before = contents(places[source])
    assert sorted(before) == sorted(NAMES)
    done = main("backup", "saved", *at[source])
    assert (done.returncode, done.stderr) == (0, "")
    assert "numbers: 1,010 rows\n" in done.stdout
    assert done.stdout.endswith("saved: 5 names, all verified\n")
    again = main("backup", "saved", *at[source])
    assert again.returncode == 2
    check_message(again.stderr, "saved exists already")
    if source == target:
        with eau2.connect(places[source]) as connection:
            connection.sql("DROP VIEW above; DROP VIEW base; DROP TABLE numbers")
            connection.sql('DROP TABLE "Odd.Names"; CREATE OR REPLACE TABLE none AS SELECT 1 AS z')
        refused = main("restore", "saved", *at[target])
        assert refused.returncode == 1
        check_message(refused.stderr, "E2006", '"none"', "--replace")
        assert list(contents(places[target])) == ["none"]
    done = main("restore", "saved", *at[target], *(["--replace"] if source == target else []))
    assert (done.returncode, done.stderr) == (0, "")
    assert contents(places[target]) == before
    with eau2.connect(places[target]) as connection:
        with pytest.raises(eau2.IntegrityError, match="NOT NULL"):
            connection.sql("INSERT INTO numbers (h) VALUES (1)")
        frame = connection.describe("numbers")
        assert max(ref.rows for ref in frame.chunks) == 300
        connection.sql(APPEND)


def test_chunks_of_a_store_are_the_very_same_files(main: Cli, tmp_path: Path) -> None:
    filled(str(tmp_path / ".eau2"))
    assert main("backup", "saved").returncode == 0
    assert main("restore", "saved", "--store", "other", "NUMBERS").stdout == (
        "numbers: 1,010 rows\n"
    )
    one, two = Store.open(tmp_path / ".eau2"), Store.open(tmp_path / "other")
    assert two.names() == ("numbers",)
    before, after = one.get("numbers"), two.get("numbers")
    assert before is not None
    assert after is not None
    assert [ref.checksum for ref in before.chunks] == [ref.checksum for ref in after.chunks]
    assert (before.schema, before.statistics) == (after.schema, after.statistics)
    one.close()
    two.close()
    done = main("restore", "saved", "--store", "other", "nope")
    assert done.returncode == 1
    check_message(done.stderr, '"nope"', "numbers")


def changed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a flipped bit of a chunk": lambda folder: changed(next(folder.glob("*/1.arrow"))),
    "a chunk that is cut off": lambda folder: os.truncate(next(folder.glob("*/1.arrow")), 100),
    "a missing chunk": lambda folder: next(folder.glob("*/1.arrow")).unlink(),
    "a flipped bit of a manifest": lambda folder: changed(next(folder.glob("*/manifest"))),
    "a missing manifest": lambda folder: next(folder.glob("*/manifest")).unlink(),
    "a flipped bit of the index": lambda folder: changed(folder / "BACKUP"),
    "a missing index": lambda folder: (folder / "BACKUP").unlink(),
    "an empty index": lambda folder: (folder / "BACKUP").write_text(""),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_before_the_first_name_is_published(
    main: Cli, saved: Path, tmp_path: Path, damage: str
) -> None:
    shutil.copytree(saved, tmp_path / "saved")
    DAMAGES[damage](tmp_path / "saved")
    done = main("restore", "saved", "--store", "other")
    assert (done.returncode, done.stdout) == (1, "")
    check_message(done.stderr, "E3007")
    assert not (tmp_path / "other").exists()


def test_damage_in_the_store_is_found_and_leaves_no_backup(main: Cli, tmp_path: Path) -> None:
    filled(str(tmp_path / ".eau2"))
    changed(next((tmp_path / ".eau2" / "chunks").glob("*/0.arrow")))
    done = main("backup", "saved")
    assert done.returncode == 1
    check_message(done.stderr, "E3005", "damaged")
    assert not (tmp_path / "saved").exists()
    for arguments in (["restore", "saved.part"], ["restore", "nowhere"]):
        done = main(*arguments, "--store", "other")
        assert done.returncode == 1
        check_message(done.stderr, "E3007", "is not a backup")


@pytest.mark.parametrize("where", ["store", "ring"])
def test_an_interrupted_backup_goes_on(
    main: Cli, ring: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    at = () if where == "store" else ("--connect", ring)
    filled(ring if where == "ring" else str(tmp_path / ".eau2"))
    copied: list[str] = []
    name = "StoreEnd" if where == "store" else "NodeEnd"
    copy = getattr(backup_ends, name).copy

    def watched(self: object, frame: object, number: int, path: Path) -> object:
        copied.append(path.name)
        if len(copied) == 5:
            raise KeyboardInterrupt
        return copy(self, frame, number, path)

    monkeypatch.setattr(f"eau2.backup_ends.{name}.copy", watched)
    assert main("backup", "saved", *at).returncode == 130
    assert not (tmp_path / "saved").exists()
    whole = {path.parent.name for path in (tmp_path / "saved.part").glob("*/manifest")}
    stale = tmp_path / "saved.part" / ("f" * 32)
    stale.mkdir()
    copied[:] = ["again"] * 10
    assert main("backup", "saved", *at).returncode == 0
    assert whole
    total = len(list((tmp_path / "saved").glob("*/*.arrow")))
    assert 0 < len(copied) - 10 < total
    assert not (tmp_path / "saved.part").exists()
    assert not (tmp_path / "saved" / stale.name).exists()
    assert main("restore", "saved", "--store", "other").returncode == 0
    assert contents(str(tmp_path / "other")) == contents(
        ring if where == "ring" else str(tmp_path / ".eau2")
    )


@pytest.mark.parametrize(("source", "target"), [("store", "store"), ("ring", "ring"), WAYS[1]])
def test_an_interrupted_restore_goes_on(
    main: Cli,
    ring: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    target: str,
) -> None:
    filled(ring if source == "ring" else str(tmp_path / ".eau2"))
    assert main("backup", "saved", *(("--connect", ring) if source == "ring" else ())).stderr == ""
    if source == "ring":
        with eau2.connect(ring) as connection:
            before = contents(ring)
            connection.sql("DROP VIEW above; DROP VIEW base; DROP TABLE numbers")
            connection.sql('DROP TABLE "Odd.Names"; DROP TABLE none')
    else:
        before = contents(str(tmp_path / ".eau2"))
    at = ("--connect", ring) if target == "ring" else ("--store", "other")
    place = ring if target == "ring" else str(tmp_path / "other")
    end = "StoreEnd" if target == "store" else "NodeEnd"

    def interrupted(self: object, views: object, replace: bool) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(f"eau2.backup_ends.{end}.put_views", interrupted)
        assert main("restore", "saved", *at).returncode == 130
    assert len(contents(place)) == 3
    done = main("restore", "saved", *at)
    assert (done.returncode, done.stderr) == (0, "")
    assert "numbers: 1,010 rows, there already\n" in done.stdout
    assert "above: view\n" in done.stdout
    assert contents(place) == before
    again = main("restore", "saved", *at)
    assert again.stdout.count(", there already\n") == 5
    with eau2.connect(place) as connection:
        connection.sql("CREATE OR REPLACE TABLE numbers AS SELECT n + 1 AS n FROM numbers")
    done = main("restore", "saved", *at)
    assert (done.returncode, done.stdout) == (1, "")
    check_message(done.stderr, "E2006", '"numbers"', "is not what the backup has")


def test_folders_that_are_no_place_for_a_backup(
    main: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with eau2.connect(tmp_path / ".eau2") as connection:
        connection.sql("CREATE TABLE t AS SELECT 1 AS a; DROP TABLE t")
    for folder, part in ((".eau2/bk", "lies in the store .eau2"), ("", "has no name")):
        done = main("backup", folder)
        assert (done.returncode, done.stdout) == (2, "")
        check_message(done.stderr, "E6001", part)
    assert not (tmp_path / ".eau2" / "bk.part").exists()
    assert main("backup", "empty").returncode == 0
    done = main("restore", "empty", "--store", "other")
    assert (done.returncode, done.stdout) == (
        0,
        "empty: it has no names, so nothing was restored\n",
    )
    (tmp_path / "odd" / "BACKUP").mkdir(parents=True)
    done = main("restore", "odd", "--store", "third")
    assert done.returncode == 1
    check_message(done.stderr, "E3007", "the backup odd cannot be read: Is a directory")


def test_a_reader_that_goes_away_is_not_the_disk(tmp_path: Path) -> None:
    filled(str(tmp_path / "store"))
    store = Store.open(tmp_path / "store")

    def said(line: str) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        backup(backup_ends.StoreEnd(store), str(tmp_path / "copy"), said)
    store.close()


def test_a_full_disk_is_said(main: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(str(tmp_path / ".eau2"))

    def sync(fd: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", sync)
        done = main("backup", "saved")
    assert done.returncode == 1
    check_message(done.stderr, "E3003", "saved")
    assert not (tmp_path / "saved").exists()
    shutil.rmtree(tmp_path / "saved.part")
    assert main("backup", "saved").returncode == 0
