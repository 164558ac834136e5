"""Zones: what a chunk says of its parts, and that no part is left out which a query needs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eau2
from eau2.config import LIMITS
from eau2.errors import CorruptChunkError
from eau2.kv import zones as zones_in_files
from eau2.kv.chunk import open_chunk
from eau2.kv.store import Store
from eau2.kv.zones import zones_of
from eau2.operators import zones as zones_room
from eau2.operators.scan import ScanChunks
from eau2.operators.zones import Zones, pruner
from eau2.records import replace
from tests.oracle.sides import Setup, zones_of_rows

LONG = "a prefix that is longer than any bound "
FLOATS = st.sampled_from([-0.0, 0.0, 1.5, -2.5, math.nan, math.inf, -math.inf, 1.5e308, -1.5e308])
TEXTS = st.sampled_from(["", "a", "b", LONG + "a", LONG + "b", LONG + "\U0010ffff", "é", "z"])
SMALL = st.integers(-3, 3)
TYPES = {
    "i": (pa.int32(), SMALL),
    "b": (pa.int64(), st.sampled_from([-(2**63), -1, 0, 1, 2**40, 2**63 - 1])),
    "u": (pa.uint64(), st.sampled_from([0, 1, 2**63, 2**64 - 1])),
    "f": (pa.float64(), FLOATS),
    "g": (pa.float32(), st.sampled_from([-0.0, 0.0, 0.5, math.nan, math.inf])),
    "s": (pa.string(), TEXTS),
    "d": (pa.date32(), SMALL),
    "t": (pa.timestamp("us"), SMALL),
    "m": (pa.decimal128(9, 2), SMALL),
    "w": (pa.decimal128(30, 2), SMALL),
    "p": (pa.bool_(), st.booleans()),
}
CONSTANTS = {
    "i": ["0", "2", "-3"],
    "b": ["0", "1099511627776", "-9223372036854775808"],
    "u": ["0", "1", "18446744073709551615"],
    "f": ["0.0", "'-0.0'", "'nan'", "'inf'", "1.5"],
    "g": ["0.0", "0.5", "'nan'"],
    "s": ["''", "'a'", f"'{LONG}b'", f"'{LONG}'", "'é'"],
    "d": ["DATE '1970-01-01'", "DATE '1970-01-03'"],
    "t": ["TIMESTAMP '1970-01-01'", "TIMESTAMP '1970-01-01 00:00:00.000002'"],
    "m": ["0", "2", "0.01"],
    "w": ["0", "2", "-1"],
    "p": ["TRUE", "FALSE"],
}
COMPARISONS = ["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"]


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 12))
    columns = {}
    for name, (type_, values) in TYPES.items():
        held = draw(st.lists(st.none() | values, min_size=rows, max_size=rows))
        if draw(st.booleans()):
            held = sorted((v for v in held if v is not None), key=_key)
            held += [None] * (rows - len(held))
        columns[name] = pa.array(held, type_)
    return pa.table(columns)


def _key(value: Any) -> Any:
    return (1, 0.0) if isinstance(value, float) and math.isnan(value) else (0, value)


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> str:
    which = draw(st.integers(0, 9))
    if depth and which < 4:
        word = draw(st.sampled_from(["AND", "OR"]))
        left, right = draw(conditions(depth - 1)), draw(conditions(depth - 1))
        return f"({left} {word} {right})"
    if depth and which == 4:
        return f"NOT {draw(conditions(depth - 1))}"
    name = draw(st.sampled_from(list(TYPES)))
    constants = st.sampled_from(CONSTANTS[name])
    if which == 5:
        return f"{name} IS {draw(st.sampled_from(['', 'NOT ']))}NULL"
    if which == 6:
        values = draw(st.lists(constants, min_size=1, max_size=3))
        return f"{name} {draw(st.sampled_from(['', 'NOT ']))}IN ({', '.join(values)})"
    operator = draw(st.sampled_from(COMPARISONS))
    if which == 7:
        return draw(st.sampled_from([f"i {operator} d - DATE '1970-01-01'", f"m {operator} i"]))
    if which == 8 and name == "s":
        return draw(st.sampled_from([f"s LIKE '{LONG}%'", "starts_with(s, 'a')", "s LIKE 'b%'"]))
    sides = [name, draw(constants)]
    return f" {operator} ".join(sides if draw(st.booleans()) else sides[::-1])


def answers(connection: eau2.Connection, sql: str) -> list[pa.Table]:
    """What a query gives with zones and without."""
    given_ = []
    for switch in ("on", "off"):
        connection.execute(f"SET optimizer.zones = {switch}")
        given_.append(connection.sql(sql).to_arrow())
    return given_


def same(first: pa.Table, second: pa.Table) -> bool:
    """NaN equals NaN here."""
    return repr(first.to_pylist()) == repr(second.to_pylist())


@settings(max_examples=150, deadline=None)
@given(tables(), conditions(), st.integers(1, 4), st.sampled_from([None, 5]), st.booleans())
def test_answers_are_those_without_zones(
    table: pa.Table, condition: str, zone_rows: int, chunk_rows: int | None, coded: bool
) -> None:
    with zones_of_rows(zone_rows), eau2.connect() as connection:
        if chunk_rows is not None:
            connection.execute(f"SET chunk_rows = {chunk_rows}")
        with Setup(coded=coded, zone_rows=zone_rows).compacting():
            connection.register("r", table)
        assert same(*answers(connection, f"SELECT * FROM r WHERE {condition}"))
        counted = f"SELECT count(*), min(i) FROM (SELECT * FROM r WHERE {condition}) WHERE i > 0"
        assert same(*answers(connection, counted))


EDGES: dict[str, list[object]] = {
    "i": [-3, -3, 0, 0, 1, 2, 2, 2, 3, None, None],
    "b": [-(2**63), 0, 0, 1, 2**40, 2**40, 2**63 - 1, 2**63 - 1, None, None, None],
    "u": [0, 0, 1, 1, 2, 2, 2**63, 2**64 - 1, 2**64 - 1, None, None],
    "f": [-math.inf, -0.0, 0.0, -0.0, 1.5, 1.5, math.inf, math.inf, math.nan, math.nan, None],
    "g": [-0.0, 0.0, 0.0, 0.5, 0.5, 0.5, math.inf, math.inf, math.nan, math.inf, None],
    "s": ["", "", "a", "a", LONG, LONG + "a", LONG + "b", LONG + "b", "é", "é", None],
    "d": [-1, 0, 0, 0, 1, 1, 2, 2, 3, None, None],
    "t": [-1, 0, 0, 0, 1, 2, 2, 2, 3, None, None],
    "m": [-1, 0, 0, 1, 1, 2, 2, 2, 3, None, None],
    "w": [-1, -1, 0, 0, 0, 2, 2, 2, 3, None, None],
    "p": [False, False, True, True, True, True, None, None, False, None, None],
}


@pytest.mark.parametrize("zone_rows", [1, 2, 3])
def test_at_the_edges_of_zones(zone_rows: int) -> None:
    columns = {name: pa.array(held, TYPES[name][0]) for name, held in EDGES.items()}
    with zones_of_rows(zone_rows), eau2.connect() as connection:
        connection.register("r", pa.table({"row": range(11), **columns}))
        for name, constants in CONSTANTS.items():
            for constant, operator in product(constants, COMPARISONS):
                condition = f"{name} {operator} {constant}"
                found, expected = answers(connection, f"SELECT row FROM r WHERE {condition}")
                assert found.equals(expected), condition


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.none() | st.integers(0, 40), max_size=30),
    st.lists(st.none() | st.integers(0, 40), max_size=6),
    st.sampled_from(["int16", "int64", "date32", "uint64"]),
    st.integers(1, 5),
    st.booleans(),
    st.sampled_from([0, 10_000]),
)
def test_joins_find_what_they_find_without_zones(
    left: list[int | None],
    right: list[int | None],
    type_: str,
    zone_rows: int,
    ordered: bool,
    keys: int,
) -> None:
    if ordered:
        left = [*sorted(v for v in left if v is not None), None]
    arrow = pa.type_for_alias(type_)
    few = patch.object(zones_room, "_KEYS", keys)
    with few, zones_of_rows(zone_rows), eau2.connect() as connection:
        connection.register("l", pa.table({"k": pa.array(left, arrow), "v": range(len(left))}))
        connection.register("r", pa.table({"k": pa.array(right, arrow)}))
        for sql in (
            "SELECT v FROM l JOIN r ON l.k = r.k ORDER BY v",
            "SELECT v FROM l WHERE k IN (SELECT k FROM r WHERE k IS NOT NULL) ORDER BY v",
            "SELECT v FROM l WHERE k NOT IN (SELECT k FROM r WHERE k IS NOT NULL) ORDER BY v",
            "SELECT v, r.k FROM l LEFT JOIN r ON l.k = r.k ORDER BY v",
            "SELECT v FROM l JOIN r ON l.k IS NOT DISTINCT FROM r.k ORDER BY v",
            "SELECT count(*) FROM l JOIN r ON l.k = r.k WHERE v > 2",
        ):
            assert same(*answers(connection, sql)), sql


def read_rows(connection: eau2.Connection, sql: str) -> str:
    """What EXPLAIN ANALYZE says that was read."""
    lines = connection.sql(f"EXPLAIN ANALYZE {sql}").to_arrow().column(0).to_pylist()
    return "\n".join(line.split(" read ")[1] for line in lines if " read " in line)


def plan_of(connection: eau2.Connection, sql: str) -> str:
    """What EXPLAIN says."""
    return "\n".join(connection.sql(f"EXPLAIN {sql}").to_arrow().column(0).to_pylist())


@pytest.fixture
def ordered() -> Iterator[eau2.Connection]:
    """A frame of ten zones that lies in the order of k, and another of few of its keys."""
    with zones_of_rows(100), eau2.connect() as connection:
        rows = {
            "k": range(1000),
            "n": [None] * 300 + [1] * 700,
            "s": [f"{n:04}" for n in range(1000)],
        }
        connection.register("t", pa.table(rows))
        connection.register("few", pa.table({"k": [510, 520, 730]}))
        yield connection


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("k = 250", "100"),
        ("k BETWEEN 250 AND 320", "200"),
        ("k < 100 OR k >= 950", "200"),
        ("k IN (1, 501, 502)", "200"),
        ("s >= '0900'", "100"),
        ("s LIKE '05%'", "100"),
        ("n IS NULL", "300"),
        ("n > 0 AND k < 350", "100"),
        ("k + 0 > 0 AND k > 2000", "0"),
    ],
)
def test_what_cannot_matter_is_not_read(
    ordered: eau2.Connection, condition: str, rows: str
) -> None:
    said = read_rows(ordered, f"SELECT count(*), sum(k) FROM t WHERE {condition}")
    if rows == "0":
        assert "1,000" not in said
    else:
        assert said.startswith(f"{rows} of 1,000 rows")
    ordered.execute("SET optimizer.zones = off")
    assert not read_rows(ordered, f"SELECT sum(k) FROM t WHERE {condition}").startswith(
        f"{rows} of"
    )


def test_keys_of_a_join_say_what_is_read(ordered: eau2.Connection) -> None:
    said = read_rows(ordered, "SELECT sum(t.n) FROM t JOIN few ON t.k = few.k")
    assert "200 of 1,000 rows" in said


def test_keys_that_are_read_twice_say_it_each_time(ordered: eau2.Connection) -> None:
    sql = """
        WITH x AS (SELECT max(k) AS k FROM few GROUP BY k % 7), y AS (SELECT min(k) AS k FROM x)
        SELECT sum(t.n) FROM t JOIN x ON t.k = x.k JOIN y ON x.k >= y.k"""
    assert " := k" in plan_of(ordered, sql)
    assert "200 of 1,000 rows" in read_rows(ordered, sql)


def test_an_error_comes_whatever_keys_there_are() -> None:
    texts = [str(n) for n in range(99)] + ["no number"]
    with zones_of_rows(10), eau2.connect() as connection:
        connection.register("t", pa.table({"k": range(100), "s": texts}))
        connection.register("few", pa.table({"k": [5]}))
        sql = (
            "SELECT count(*) FROM (SELECT k FROM t WHERE CAST(s AS INTEGER) > 0) t"
            " JOIN few ON t.k = few.k"
        )
        for switch in ("on", "off"):
            connection.execute(f"SET optimizer.zones = {switch}")
            with pytest.raises(eau2.DataError, match="no number"):
                connection.sql(sql).fetchall()


@pytest.mark.parametrize(("rows", "zones"), [(1, 0), (65_536, 0), (65_537, 2), (131_072, 2)])
def test_a_chunk_of_one_zone_says_nothing_of_it(tmp_path: Path, rows: int, zones: int) -> None:
    table = pa.table({"a": pa.array(range(rows), pa.int64())})
    store = Store.open(tmp_path)
    frame = store.put("t", table.schema, table.to_batches())
    found = zones_of(store.read(frame.chunks[0], ()).schema)
    assert (0 if found is None else found.count) == zones
    if found is not None:
        assert found.rows == rows
        assert found.sizes().sum() == rows
        assert list(found.columns["a"].low) == [0, 65_536]
        assert list(found.columns["a"].high) == [65_535, rows - 1]
    store.close()


def test_columns_in_no_order_say_nothing_of_zones() -> None:
    random = Random(5)
    rows = 10_000
    mixed = [random.randrange(1000) for _ in range(rows)]
    nulls_at_the_end: list[int | None] = [*mixed[: rows - 2000], *[None] * 2000]
    table = pa.table(
        {
            "mixed": mixed,
            "texts": [str(n) for n in mixed],
            "codes": pa.array([str(n % 20) for n in mixed]),
            "one": [7] * rows,
            "in_order": range(rows),
            "nearly": [n + random.randrange(500) for n in range(rows)],
            "texts_in_order": [f"{n:06}" for n in range(rows)],
            "empty_first": [f"{n:06}" if n >= 5000 else "" for n in range(rows)],
            "nulls_at_the_end": nulls_at_the_end,
            "floats": [float(n) for n in mixed],
            "nan_somewhere": [math.nan, *map(float, mixed[1:])],
        }
    )
    with patch.object(zones_in_files, "LIMITS", replace(LIMITS, zone_rows=1000)):
        store = Store.open(None)
        frame = store.put("t", table.schema, table.to_batches())
        found = zones_of(store.read(frame.chunks[0], ()).schema)
    assert found is not None
    told = {"in_order", "nearly", "texts_in_order", "empty_first"}
    assert set(found.columns) == told | {"nulls_at_the_end", "nan_somewhere"}


def test_what_is_appended_has_zones_too(tmp_path: Path) -> None:
    with zones_of_rows(10), eau2.connect(str(tmp_path)) as connection:
        connection.execute("CREATE TABLE t AS SELECT range AS a FROM range(25)")
        connection.execute("INSERT INTO t SELECT range FROM range(25, 60)")
        assert read_rows(connection, "SELECT sum(a) FROM t WHERE a = 42").startswith("10 of 60")
        assert connection.sql("SELECT sum(a) FROM t WHERE a = 42").fetchall() == [(42,)]


def test_zones_are_part_of_what_the_checksum_covers(tmp_path: Path) -> None:
    with zones_of_rows(10):
        connection = eau2.connect(str(tmp_path))
        connection.execute("CREATE TABLE t AS SELECT range AS a FROM range(100)")
        connection.close()
        (path,) = tmp_path.glob("chunks/*/*.arrow")
        found = zones_of(open_chunk(path).schema)
        assert found is not None
        data = path.read_bytes()
        at = data.index(b"eau2.zones") + 40
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with eau2.connect(str(tmp_path)) as again, pytest.raises(CorruptChunkError):
            again.sql("SELECT * FROM t WHERE a = 5").fetchall()


def test_a_fragment_that_asks_nothing_is_read_whole() -> None:
    assert pruner(ScanChunks((), ())) is None


def test_neighbouring_zones_are_one_run() -> None:
    zones = Zones(10, 45, {})
    mask = np.array([True, True, False, False, True])
    assert zones.runs(mask) == ((0, 20), (40, 5))
    assert zones.runs(~mask) == ((20, 20),)
    assert zones.runs(np.zeros(5, np.bool_)) == ()
