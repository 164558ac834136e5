"""Arrays that joins leave to the next ones: what they are kept of, for how long, and that it shows
in no answer.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import eau2
from eau2 import node
from eau2.catalog import ChunkKey
from eau2.cluster import Cluster
from eau2.config import INDEXES
from eau2.indexes.arrays import Arrays
from eau2.indexes.kept import Indexes
from eau2.operators import addressing, origins
from eau2.operators.origins import Origin, note, origins_of
from eau2.operators.row_arrays import row_arrays
from eau2.records import replace

KEYS = [n * 7 % 1000 * 3 - 50 for n in range(1000)]
JOIN = "SELECT f.n, d.v FROM f JOIN d ON f.k = d.k ORDER BY f.n"


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[eau2.Connection]:
    """f: rows that look up d, which is in four chunks, its keys in no order."""
    monkeypatch.setattr(node, "INDEXES", replace(INDEXES, array_rows=10))
    with eau2.connect() as made:
        made.execute("SET chunk_rows = 250")
        made.put("f", pa.table({"k": range(-60, 2990), "n": range(3050)}))
        made.put("d", dimension(KEYS))
        yield made


def dimension(keys: list[int], shift: int = 0) -> pa.Table:
    return pa.table({"k": keys, "v": [key * 10 + shift for key in keys]})


def expected(keys: list[int], shift: int = 0) -> list[tuple[int, int]]:
    return [(key + 60, key * 10 + shift) for key in sorted(keys) if -60 <= key < 2990]


def shown(connection: eau2.Connection) -> list[tuple[Any, ...]]:
    found = connection.sql("SHOW INDEXES").to_arrow().to_pylist()
    keys = ("table", "column", "chunks", "rows", "used")
    return [tuple(row[key] for key in keys) for row in found if row["state"] == "joins"]


def indexes_of(connection: eau2.Connection) -> Indexes:
    backend: Any = connection._backend
    found: Indexes = backend.cluster.home.indexes
    return found


def test_the_next_join_finds_what_the_first_has_made(connection: eau2.Connection) -> None:
    for used in range(3):
        assert connection.sql(JOIN).fetchall() == expected(KEYS)
        assert shown(connection) == [("d", "k", 4, 1000, used)]
    other = "SELECT sum(x.v), count(*) FROM f AS y JOIN d AS x ON x.k = y.k WHERE y.n > 99"
    held = [v for n, v in expected(KEYS) if n > 99]
    assert connection.sql(other).fetchall() == [(sum(held), len(held))]
    assert shown(connection)[0][-1] == 3, "whatever columns are called, and whoever asks"


@pytest.mark.parametrize("setting", ["auto_index", "optimizer.indexes", "optimizer.direct_joins"])
def test_switches_leave_them_out(connection: eau2.Connection, setting: str) -> None:
    connection.execute(f"SET {setting} = off")
    for _ in range(2):
        assert connection.sql(JOIN).fetchall() == expected(KEYS)
    assert shown(connection) == []


def test_rows_that_come_or_take_their_place_are_found(connection: eau2.Connection) -> None:
    connection.sql(JOIN).fetchall()
    connection.execute("INSERT INTO d VALUES (-51, 7), (2989, 8)")
    more = sorted([*expected(KEYS), (9, 7), (3049, 8)])
    for _ in range(2):
        assert connection.sql(JOIN).fetchall() == more
    # The same keys in another order, and the name is the same.
    turned = KEYS[::-1]
    connection.put("d", dimension(turned, 1), replace=True)
    for _ in range(2):
        assert connection.sql(JOIN).fetchall() == expected(turned, 1)
    assert shown(connection) == [("d", "k", 4, 1000, 1)]
    connection.put("d", dimension(KEYS + KEYS[:1]), replace=True)
    assert len(connection.sql(JOIN).fetchall()) == len(expected(KEYS)) + 1, "twice the same key"


def test_what_was_dropped_takes_no_memory(connection: eau2.Connection) -> None:
    connection.sql(JOIN).fetchall()
    arrays = indexes_of(connection).arrays
    assert arrays._bytes > 1000
    connection.execute("DROP TABLE d")
    assert arrays._bytes == 0
    assert not arrays._entries


def test_selections_files_and_few_rows_have_none(
    connection: eau2.Connection, tmp_path: Path
) -> None:
    some = JOIN.replace("JOIN d", "JOIN (SELECT * FROM d WHERE v > 500) AS d")
    for _ in range(2):
        assert connection.sql(some).fetchall() == [row for row in expected(KEYS) if row[1] > 500]
    pq.write_table(dimension(KEYS), tmp_path / "d.parquet")
    of_file = JOIN.replace("JOIN d", f"JOIN '{tmp_path / 'd.parquet'}' AS d")
    for _ in range(2):
        assert connection.sql(of_file).fetchall() == expected(KEYS)
    pq.write_table(dimension(KEYS[::-1], 1), tmp_path / "d.parquet")
    assert connection.sql(of_file).fetchall() == expected(KEYS, 1)
    connection.put("d", dimension(KEYS[:9]), replace=True)
    assert connection.sql(JOIN).fetchall() == expected(KEYS[:9])
    assert shown(connection) == []


def test_pairs_of_keys_have_some_too(connection: eau2.Connection) -> None:
    pairs = [(n // 4, n * 7919 % 30_011) for n in range(1200)]
    connection.put("p", pa.table({"a": [a for a, _ in pairs], "b": [b for _, b in pairs]}))
    query = "SELECT count(*) FROM p AS x JOIN p AS y ON x.a = y.a AND x.b = y.b"
    for used in range(2):
        assert connection.sql(query).fetchall() == [(1200,)]
        assert [row[-1] for row in shown(connection)] == [used]


def test_null_keys_and_keys_of_another_width(connection: eau2.Connection) -> None:
    connection.execute("CREATE TABLE n AS SELECT CASE WHEN v % 4 = 0 THEN k END AS k, v FROM d")
    for type_ in ("BIGINT", "INTEGER", "BIGINT"):
        query = f"SELECT count(*), sum(n.v) FROM f JOIN n ON f.k::{type_} = n.k::{type_}"
        held = [v for _, v in expected(KEYS) if v % 4 == 0]
        assert connection.sql(query).fetchall() == [(len(held), sum(held))]


class Shelf:
    """Holds some chunks."""

    def __init__(self, *keys: ChunkKey) -> None:
        self.keys = set(keys)

    def holds(self, key: ChunkKey) -> bool:
        return key in self.keys


def test_the_longest_unused_makes_room() -> None:
    room = 3000
    arrays = Arrays(lambda: room)
    keys = tuple(ChunkKey("w", n) for n in range(4))
    shelf = Shelf(*keys)
    of = [arrays.of((key,), [shelf]) for key in keys]
    for each in of[:2]:
        each.keep(("k",), "what", each, 1000)
    assert of[0].found(("k",), "what") is of[0]
    assert of[0].found(("k",), "other") is None
    assert of[0].found(("l",), "what") is None
    of[2].keep(("k",), "what", of[2], 1000)
    assert [each.found(("k",), "what") is each for each in of] == [True, False, True, False]
    of[3].keep(("k",), "what", of[3], 3000)
    assert of[3].found(("k",), "what") is None, "it does not fit at all"
    assert arrays.of(keys, [shelf] * 4).found(("k",), "what") is None
    shelf.keys.remove(keys[0])
    arrays.sweep()
    assert [each.found(("k",), "what") is each for each in of] == [False, False, True, False]
    room = 1000
    arrays.shrink()
    assert of[2].found(("k",), "what") is None
    assert arrays._bytes == 0


def test_a_note_goes_with_its_result() -> None:
    arrays = Arrays(lambda: 1000)
    frame = pl.DataFrame({"c1": [1, 2]})
    origin = Origin({"c1": "k"}, arrays.of((ChunkKey("w", 0),), [Shelf()]))
    place = id(frame)
    note(frame, origin)
    assert origins_of({0: frame, 1: frame.clone()}) == {0: origin}
    assert origin.of([frame.get_column("c1"), pl.Series("c2", [1])]) is None
    del frame
    gc.collect()
    assert place not in origins._notes


@pytest.mark.parametrize("repeated", [False, True])
def test_tasks_of_a_stage_share_what_was_made_of_their_input(
    connection: eau2.Connection, monkeypatch: pytest.MonkeyPatch, repeated: bool
) -> None:
    """Also that nothing could be made, and only for as long as the input is there."""
    made: list[int] = []

    def counted(*arguments: Any) -> Any:
        made.append(arguments[0][0].len())
        return row_arrays(*arguments)

    monkeypatch.setattr(addressing, "row_arrays", counted)
    monkeypatch.setattr(origins, "_LARGE_ROWS", 100)
    backend: Any = connection._backend
    backend.engine.moved(Cluster(backend.cluster.home, run_rows=500))
    keys = KEYS + KEYS[:1] * repeated
    connection.put("e", dimension(keys))
    sql = (
        "SELECT count(*), sum(e.v) FROM f JOIN (SELECT k, v FROM e WHERE v <> 7) AS e ON f.k = e.k"
    )
    held = [key * 10 for key in keys if -60 <= key < 2990]
    for runs in (1, 2):
        assert connection.sql(sql).fetchall() == [(len(held), sum(held))]
        assert len(made) <= 2 * runs, "a few tasks of as many rows, and perhaps a last shorter one"
        backend.engine._prepared.clear()
    gc.collect()
    assert not any(
        isinstance(each[1].keeping, origins._OfResult) for each in origins._notes.values()
    )
