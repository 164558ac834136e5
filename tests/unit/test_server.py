"""The front door: what statements answer, in which form, and who sees what."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from eau2.cli import main
from eau2.errors import (
    DataError,
    ProgrammingError,
    ProtocolError,
    SqlSyntaxError,
    UnknownNameError,
    UsageError,
)
from eau2.kv import manifest
from eau2.kv.store import Store
from eau2.net.arrow import PART_BYTES
from eau2.net.message import ChunkResult, DescribeFrame, NodeInfo, StatementResult
from eau2.parameters import to_wire
from tests.unit.front_door import (
    NUMBERS,
    Door,
    ask,
    door,
    fill,
    put,
    table_of,
    text_of,
    values,
)


@pytest.fixture(name="front")
def _front() -> Iterator[Door]:
    with door() as front:
        yield front


def test_rows_and_what_they_are(front: Door) -> None:
    fill(front.store, "t", NUMBERS)
    connection = front.connect()
    payloads, rows, result = ask(connection, "SELECT a, a / 2.0 AS a, s FROM t ORDER BY a")
    assert sum(rows) == result.rows == 1000
    assert result.columns == (("a", "BIGINT"), ("a", "DOUBLE"), ("s", "VARCHAR"))
    table = table_of(payloads)
    assert table.column(0).to_pylist() == list(range(1000))
    assert table.column(2).to_pylist() == NUMBERS.column("s").to_pylist()
    assert 0 < result.elapsed_s < 60
    connection.close()


def test_a_result_without_rows_still_shows_its_columns(front: Door) -> None:
    connection = front.connect()
    payloads, rows, result = ask(connection, "SELECT 1 AS x WHERE false")
    assert rows == [0]
    assert table_of(payloads).schema.names == ["x"]
    assert result == StatementResult((("x", "INTEGER"),), 0, result.elapsed_s)
    payloads, rows, result = ask(connection, "SET chunk_rows = 7")
    assert (payloads, rows, result.columns, result.rows) == ([], [], (), 0)
    connection.close()


def test_of_several_statements_rows_are_of_the_last_and_text_is_of_all(front: Door) -> None:
    connection = front.connect()
    assert values(connection, "SELECT 1; SELECT 2 AS b") == [(2,)]
    text = "SELECT 1 AS a; SET chunk_rows = 9; SELECT 2 AS b, 3 AS c;"
    payloads, rows, result = ask(connection, text, "csv")
    assert b"".join(payloads) == b"a\n1\nb,c\n2,3\n"
    assert sum(rows) == 2
    assert result.columns == (("b", "INTEGER"), ("c", "INTEGER"))
    assert result.rows == 1
    assert values(connection, "SHOW chunk_rows") == [("9",)]
    connection.close()


def test_parameters_and_settings_come_along(front: Door) -> None:
    connection = front.connect()
    wire = to_wire({1: 2**70, "name": "ü"})
    assert values(connection, "SELECT $1 AS a, $name AS b", parameters=wire) == [(2**70, "ü")]
    assert values(connection, "SHOW chunk_rows", settings={"chunk_rows": "5"}) == [("5",)]
    with pytest.raises(ProgrammingError, match="there is no setting"):
        ask(connection, "SELECT 1", settings={"nonsense": "5"})
    connection.close()


@pytest.mark.parametrize("form", ["box", "csv", "json", "arrow"])
def test_text_is_what_the_embedded_command_line_prints(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte for byte, also when it takes many parts and tasks."""
    table = pa.table({"a": range(120_000), "s": [f"{i:030}" for i in range(120_000)]})
    stored = Store.open(tmp_path / "store")
    fill(stored, "t", table, 11_000)
    stored.close()
    text = "SELECT a, s FROM t; EXPLAIN SELECT a FROM t; SHOW TABLES"
    sink = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", sink)
    assert main(["query", "--store", str(tmp_path / "store"), "--format", form, text]) == 0
    monkeypatch.undo()
    sink.flush()
    printed = sink.buffer
    assert isinstance(printed, io.BytesIO)
    with door() as front:
        fill(front.store, "t", table, 11_000)
        connection = front.connect()
        payloads, _, _ = ask(connection, text, form)
        assert b"".join(payloads) == printed.getvalue()
        assert all(0 < len(payload) <= PART_BYTES for payload in payloads)
        connection.close()


def test_a_box_keeps_to_the_width_and_a_plan_is_plain_lines(front: Door) -> None:
    connection = front.connect()
    wide = "SELECT " + ", ".join(f"'{'x' * 30}' AS column_{i}" for i in range(9))
    lines = text_of(connection, wide, "box", width=60).decode().splitlines()
    assert max(map(len, lines)) <= 60
    assert text_of(connection, "EXPLAIN SELECT 1", "box").startswith(b"stage 0")
    connection.close()


def test_large_results_come_in_parts_of_a_fit_size(front: Door) -> None:
    table = pa.table({"s": [f"{i:0100}" for i in range(200_000)]})
    fill(front.store, "t", table, 50_000)
    connection = front.connect()
    for form in ("rows", "csv"):
        payloads, rows, result = ask(connection, "SELECT s FROM t", form)
        assert sum(rows) == result.rows == 200_000
        assert 4 < len(payloads) < 20
        assert max(map(len, payloads)) < PART_BYTES * 1.1
    connection.close()


def test_many_small_batches_become_few_parts(front: Door) -> None:
    fill(front.store, "t", NUMBERS, 2)
    connection = front.connect()
    payloads, _, _ = ask(connection, "SELECT a FROM t")
    assert len(payloads) <= 5
    assert table_of(payloads).column(0).to_pylist() == list(range(1000))
    connection.close()


def test_errors_keep_their_class_their_hint_and_their_caret(front: Door) -> None:
    connection = front.connect()
    text = "SELECT 1;\n\nSELECT 1 +* 2"
    for form in ("rows", "csv"):
        with pytest.raises(SqlSyntaxError) as caught:
            ask(connection, text, form)
        assert "line 3: SELECT 1 +* 2" in str(caught.value)
        assert "^" in str(caught.value)
    with pytest.raises(UnknownNameError, match="nowhere"):
        ask(connection, "SELECT * FROM nowhere")
    with pytest.raises(DataError):
        ask(connection, "SELECT CAST('x' AS INTEGER)")
    with pytest.raises(ProgrammingError, match="no statement"):
        ask(connection, " -- nothing", "box")
    with pytest.raises(ProgrammingError, match="no statement"):
        ask(connection, " -- nothing")
    with pytest.raises(UsageError, match="no format 'xml'"):
        ask(connection, "SELECT 1", "xml")
    with pytest.raises(ProtocolError, match="NodeInfo"):
        connection.call(NodeInfo())
    assert values(connection, "SELECT 1") == [(1,)]
    connection.close()


def test_each_connection_has_a_session_that_ends_with_it(front: Door) -> None:
    one, two = front.connect(), front.connect()
    ask(one, "SET chunk_rows = 5")
    put(one, "mine", pa.table({"x": [1]}), session=True)
    assert values(one, "SELECT * FROM mine") == [(1,)]
    assert values(two, "SHOW chunk_rows") != [("5",)]
    with pytest.raises(UnknownNameError):
        ask(two, "SELECT * FROM mine")
    assert front.sessions == 2
    one.close()
    front.wait(lambda: front.sessions == 1)
    two.close()
    front.wait(lambda: front.sessions == 0)
    assert front.store.names() == ()


def test_a_frame_is_described_by_its_manifest(front: Door) -> None:
    frame = fill(front.store, "t", NUMBERS)
    connection = front.connect()
    with connection.open(DescribeFrame("T"), end=True) as stream:
        head, *pieces = list(stream)
    assert isinstance(head.message, ChunkResult)
    data = b"".join(bytes(piece.payload) for piece in pieces)
    assert head.message.bytes == len(data)
    assert manifest.decode(data) == frame
    put(connection, "mine", NUMBERS, session=True)
    with connection.open(DescribeFrame("mine"), end=True) as stream:
        assert len(list(stream)) == 2
    with pytest.raises(UnknownNameError, match="Tables: mine, t") as caught:
        connection.call(DescribeFrame("u"))
    assert caught.value.message == 'there is no table "u"'
    connection.close()
