"""The front door: frames that clients put, and the files that statements may name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eau2.config import DOOR
from eau2.errors import (
    DataError,
    DeadlineError,
    Error,
    InputFileError,
    NameExistsError,
    NotSupportedError,
    OperationalError,
    ProtocolError,
    UsageError,
)
from eau2.frames import gate
from eau2.net.arrow import encode_table
from eau2.net.frame import Buffer
from eau2.net.message import Message, Piece, PutFrame, Rows
from eau2.records import replace
from tests.unit.front_door import (
    NUMBERS,
    Door,
    ask,
    door,
    put,
    send,
    text_of,
    values,
)


@pytest.fixture(name="front")
def _front() -> Iterator[Door]:
    with door() as front:
        yield front


def test_a_put_is_seen_by_all_and_by_name(front: Door) -> None:
    one, two = front.connect(), front.connect()
    table = pa.table({"a": pa.array(range(50_000), pa.int64()), "s": ["x" * 20] * 50_000})
    ask(one, "SET chunk_rows = 20000")
    put(one, "t", table, part_bytes=100_000)
    assert values(two, "SELECT count(*), sum(a) FROM t") == [(50_000, sum(range(50_000)))]
    frame = front.store.get("t")
    assert frame is not None
    assert [chunk.rows for chunk in frame.chunks] == [20_000, 20_000, 10_000]
    with pytest.raises(NameExistsError):
        put(two, "T", table)
    put(two, "t", table.slice(0, 10), replace=True, chunk_rows=4)
    assert values(one, "SELECT count(*) FROM t") == [(10,)]
    put(two, "empty", table.slice(0, 0))
    assert values(one, "SELECT count(*) FROM empty") == [(0,)]
    for connection in (one, two):
        connection.close()


def test_types_that_only_users_have_are_stored_as_ours(front: Door) -> None:
    connection = front.connect()
    table = pa.table(
        {
            "n": pa.nulls(2),
            "h": pa.array([1.5, None], pa.float16()),
            "d": pa.array([86_400_000, None], pa.int64()).cast(pa.date64()),
            "t": pa.array([1_500, None], pa.timestamp("ms")),
            "ns": pa.array([-1, None], pa.timestamp("ns")),
            "m": pa.array([1, None], pa.decimal64(10, 2)),
            "l": pa.array(["ü", None], pa.large_string()),
        }
    )
    put(connection, "t", table)
    _, _, result = ask(connection, "SELECT * FROM t")
    assert [type_ for _, type_ in result.columns] == [
        *("INTEGER", "FLOAT", "DATE", "TIMESTAMP", "TIMESTAMP", "DECIMAL(10,2)", "VARCHAR")
    ]
    text = text_of(connection, "SELECT * FROM t", "csv").decode().splitlines()
    assert text[1] == ",1.5,1970-01-02,1970-01-01 00:00:01.5,1969-12-31 23:59:59.999999,1.00,ü"
    connection.close()


def test_a_put_that_does_not_end_leaves_nothing(front: Door) -> None:
    one, two = front.connect(), front.connect()
    message, schema = PutFrame("t", False, 10), encode_table(NUMBERS.slice(0, 0))
    stream = one.open(message, schema)
    stream.send(Rows(1000), encode_table(NUMBERS))
    front.wait(lambda: front.sessions == 1)
    stream.cancel()
    assert values(one, "SHOW TABLES") == []
    stream = one.open(message, schema)
    stream.send(Rows(1000), encode_table(NUMBERS))
    one.close()
    front.wait(lambda: front.sessions == 0)
    assert values(two, "SHOW TABLES") == []
    put(two, "t", NUMBERS)
    assert values(two, "SELECT count(*) FROM t") == [(1000,)]
    two.close()


def test_what_is_put_wrongly_is_refused_and_leaves_nothing(front: Door) -> None:
    connection = front.connect()
    message, schema = PutFrame("t", False, 10), encode_table(NUMBERS.slice(0, 0))
    other = pa.table({"b": [1]})
    nested = encode_table(pa.table({"a": pa.array([{"x": 1}])}))
    twice = encode_table(pa.table({"a": [1], "A": [2]}))
    wide = encode_table(pa.table({"a": pa.array([], pa.decimal256(60, 2))}))
    none: list[tuple[Message, list[Buffer]]] = []
    cases: list[tuple[list[Buffer], list[tuple[Message, list[Buffer]]], type[Error], str]] = [
        (schema, [(Rows(7), encode_table(NUMBERS))], ProtocolError, "1000 rows .* said to be 7"),
        (schema, [(Rows(1), encode_table(other))], ProtocolError, "another schema"),
        (schema, [(Rows(1), [b"garbage"])], ProtocolError, "rows"),
        (schema, [(Piece(0), [b"x"])], ProtocolError, "a Piece among the rows"),
        ([], none, ProtocolError, "rows that end before"),
        (nested, none, ProtocolError, "type struct"),
        (twice, none, DataError, "two columns"),
        (wide, none, NotSupportedError, '"a"'),
    ]
    for first, rows, error, match in cases:
        with pytest.raises(error, match=match):
            send(connection, message, first, rows)
    with pytest.raises(UsageError, match="cannot be the name"):
        put(connection, "no name", NUMBERS)
    assert values(connection, "SHOW TABLES") == []
    connection.close()


def test_what_a_session_keeps_is_bounded() -> None:
    with door(limits=replace(DOOR, session_bytes=50_000)) as front:
        connection = front.connect()
        put(connection, "small", NUMBERS.slice(0, 100), session=True)
        with pytest.raises(OperationalError, match="too large to be kept"):
            put(connection, "big", pa.table({"a": range(100_000)}), session=True)
        assert values(connection, "SHOW TABLES") == [("small",)]
        put(connection, "stored", pa.table({"a": range(100_000)}))
        connection.close()


def test_a_put_whose_rows_do_not_come_is_given_up() -> None:
    with door(limits=replace(DOOR, source_s=0.05)) as front:
        connection = front.connect()
        with (
            pytest.raises(DeadlineError, match=r"no rows for 0\.05 s"),
            connection.open(PutFrame("t", False, 0), encode_table(NUMBERS)) as stream,
        ):
            stream.receive()
        connection.close()


def test_files_are_read_below_the_data_root_only(tmp_path: Path) -> None:
    root, outside = tmp_path / "ro[o]t", tmp_path / "outside"
    for folder in (root / "sub", outside):
        folder.mkdir(parents=True)
    for number, name in enumerate(("a.parquet", "sub/b.parquet")):
        pq.write_table(pa.table({"x": [number]}), root / name)
    pq.write_table(pa.table({"x": [99]}), outside / "c.parquet")
    (root / "link.parquet").symlink_to(outside / "c.parquet")
    (root / "way").symlink_to(outside)
    (root / "t.csv").write_text("x\n5\n")
    with door(str(root)) as front:
        connection = front.connect()
        for path, expected in [
            ("a.parquet", [0]),
            ("sub/b.parquet", [1]),
            (f"{root}/a.parquet", [0]),
            ("sub/../a.parquet", [0]),
            ("s*/*.parquet", [1]),
            ("[a].parquet", [0]),
            ("t.csv", [5]),
        ]:
            found = [x for (x,) in values(connection, f"SELECT x FROM '{path}' ORDER BY x")]
            assert found == expected, path
        for path in (
            "../outside/c.parquet",
            "../outside/none.parquet",
            f"{outside}/c.parquet",
            "link.parquet",
            "way/c.parquet",
            "*.parquet",
            "w*/c.parquet",
            f"{outside}/*.parquet",
            "/*/c.parquet",
        ):
            with pytest.raises(InputFileError, match="lies outside"):
                ask(connection, f"SELECT x FROM '{path}'")
        with pytest.raises(InputFileError, match=r"has \.\. in it"):
            ask(connection, "SELECT x FROM 's*/../../outside/c.parquet'")
        with pytest.raises(InputFileError, match="no file"):
            ask(connection, "SELECT x FROM 'none.parquet'")
        connection.close()
    with pytest.raises(UsageError, match="not a directory"):
        gate(str(root / "a.parquet"))


def test_without_a_data_root_no_file_is_read(front: Door, tmp_path: Path) -> None:
    pq.write_table(NUMBERS, tmp_path / "t.parquet")
    connection = front.connect()
    with pytest.raises(InputFileError, match="reads no files") as caught:
        ask(connection, f"SELECT * FROM '{tmp_path}/t.parquet'")
    assert "--data-root" in (caught.value.hint or "")
    connection.close()
