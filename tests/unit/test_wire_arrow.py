"""Rows as payloads: they come back as they went, and forged streams are refused unread."""

from __future__ import annotations

import io
import struct
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.errors import ProtocolError
from eau2.net.arrow import (
    BATCH_ROWS_MAX,
    decode_frame,
    decode_table,
    encode_frame,
    encode_table,
    parts,
)
from tests.wire.fuzz import resident_bytes
from tests.wire.samples import tables

I128 = st.one_of(st.none(), st.integers(-(2**127), 2**127 - 1), st.integers(-9, 9))


def payload(table: pa.Table) -> bytes:
    return b"".join(encode_table(table))


@pytest.mark.parametrize("index", range(len(tables())))
@pytest.mark.parametrize("trusted", [True, False])
def test_tables_come_back_as_they_went(index: int, trusted: bool) -> None:
    table = tables()[index]
    back = decode_table(payload(table), trusted)
    assert back.schema == table.schema
    assert back.equals(table) or str(back) == str(table)


@given(
    st.lists(
        st.tuples(
            I128,
            st.one_of(st.none(), st.text(max_size=20)),
            st.one_of(st.none(), st.floats()),
            st.one_of(st.none(), st.booleans()),
        ),
        max_size=12,
    ),
    st.integers(0, 5),
)
@settings(max_examples=100, deadline=None)
def test_kernel_frames_come_back_as_they_went(rows: list[tuple[Any, ...]], skip: int) -> None:
    schema = {"c1": pl.Int128(), "c2": pl.String(), "c3": pl.Float64(), "c4": pl.Boolean()}
    frame = pl.DataFrame(rows, schema=schema, orient="row").slice(skip)
    back = decode_frame(b"".join(encode_frame(frame)))
    assert back.schema == frame.schema
    assert back.equals(frame)


def test_columns_are_sent_from_their_own_memory() -> None:
    column = pa.array(range(100_000))
    buffers = encode_table(pa.table({"a": column}))
    address = column.buffers()[1].address
    assert address in [pa.py_buffer(buffer).address for buffer in buffers]
    assert len(buffers) <= 4


def test_rows_are_read_where_they_were_received() -> None:
    received = bytearray(payload(pa.table({"a": pa.array(range(100_000))})))
    start = pa.py_buffer(received).address
    values = decode_table(received, trusted=True).column("a").chunk(0).buffers()[1]
    assert start < values.address < start + len(received)


def test_parts_are_of_a_fit_size_and_hold_no_foreign_strings() -> None:
    strings = pa.array([f"{n:040}" for n in range(20_000)], pa.string_view())
    table = pa.table({"s": strings, "n": range(20_000)})
    cut = list(parts(table, 100_000))
    sizes = [len(payload(part)) for part in cut]
    assert len(cut) > 8
    assert max(sizes) < 150_000
    back = pa.concat_tables([decode_table(payload(part), trusted=False) for part in cut])
    assert back.column("s").to_pylist() == strings.to_pylist()
    assert back.column("n").to_pylist() == list(range(20_000))
    assert [part.num_rows for part in parts(table.slice(0, 0))] == [0]


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_compressed_rows_are_refused_before_they_are_read(codec: str) -> None:
    table = pa.table({"a": pa.array([0] * (64 << 17))})
    sink = io.BytesIO()
    with pa.ipc.new_stream(
        sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)
    ) as writer:
        writer.write_table(table, max_chunksize=BATCH_ROWS_MAX)
    before = resident_bytes()
    with pytest.raises(ProtocolError, match="compressed"):
        decode_table(sink.getvalue(), trusted=True)
    assert resident_bytes() - before < (16 << 20)


def test_declared_rows_are_counted_before_anything_else() -> None:
    """A few hundred bytes can declare 2**40 rows of NULLs, and Arrow finds them valid."""
    honest = payload(pa.table({"a": pa.array([1, 2, 3])}))
    for rows in (BATCH_ROWS_MAX + 1, 1 << 40, -1):
        forged = honest.replace(struct.pack("<q", 3), struct.pack("<q", rows), 1)
        assert forged != honest
        with pytest.raises(ProtocolError, match=r"a batch of|cannot read"):
            decode_table(forged, trusted=True)
    batch = pa.RecordBatch.from_arrays([pa.nulls(BATCH_ROWS_MAX + 1)], names=["a"])
    with pytest.raises(ProtocolError, match="a batch of 4194305 rows"):
        decode_table(b"".join(encode_table(batch)), trusted=True)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (pa.nulls(3), "type null"),
        (pa.array([[None]]), "type list"),
        (pa.array([{"a": 1}]), "type struct"),
        (pa.array([b"x"]), "type binary"),
        (pa.array(["a"]).dictionary_encode(), "Arrow message of kind 2"),
        (pa.array([b"x" * 16], pa.uuid()), "type extension"),
        (pa.array([0], pa.timestamp("us", "UTC")), "type timestamp"),
        (pa.array([0], pa.timestamp("ns")), "type timestamp"),
        (pa.array([1.5], pa.float16()), "type halffloat"),
    ],
)
def test_other_types_are_refused(array: pa.Array, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        decode_table(payload(pa.table({"a": array})), trusted=True)


@pytest.mark.parametrize(
    "array",
    [
        pa.nulls(3),
        pa.array([1.5, None], pa.float16()),
        pa.array([86_400_000, None], pa.int64()).cast(pa.date64()),
        *(pa.array([1, None], pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")),
        pa.array([1, None], pa.decimal32(9, 2)),
        pa.array([1, None], pa.decimal64(18, 2)),
        pa.array([1, None], pa.decimal256(38, 2)),
    ],
    ids=lambda array: str(array.type),
)
def test_types_of_users_data_come_from_users_only(array: pa.Array) -> None:
    table = pa.table({"a": array})
    assert decode_table(payload(table), trusted=False).equals(table)
    if not pa.types.is_timestamp(array.type) or array.type.unit != "us":
        with pytest.raises(ProtocolError, match="which eau2 has not"):
            decode_table(payload(table), trusted=True)


def test_columns_of_nulls_alone_are_bounded_by_what_they_become() -> None:
    """They take no byte of the payload and four of memory each."""
    table = pa.table({f"n{i}": pa.nulls(500_000) for i in range(20)})
    with pytest.raises(ProtocolError, match="20 columns of 500000 rows without any value"):
        decode_table(payload(table), trusted=False)
    cut = list(parts(table))
    assert len(cut) > 5
    assert sum(decode_table(payload(part), trusted=False).num_rows for part in cut) == 500_000


def test_what_is_no_stream_is_refused() -> None:
    good = payload(pa.table({"a": [1, 2]}))
    for bad in (b"", b"x", good[:-1], good[:-8], good[:100], good + b"\0", good + good, good[8:]):
        with pytest.raises(ProtocolError):
            decode_table(bad, trusted=True)
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, pa.schema({"a": pa.int64()})):
        pass
    with pytest.raises(ProtocolError):
        decode_table(sink.getvalue(), trusted=True)


def test_values_of_strangers_are_all_checked() -> None:
    good = payload(pa.table({"a": pa.array(["abcd", "efgh"])}))
    bad = good.replace(b"abcdefgh", b"abc\xffefgh")
    with pytest.raises(ProtocolError, match="UTF8"):
        decode_table(bad, trusted=False)
    offsets = struct.pack("<3i", 0, 4, 8)
    assert offsets in good
    with pytest.raises(ProtocolError, match="cannot read"):
        decode_table(good.replace(offsets, struct.pack("<3i", 0, 4, 1 << 30)), trusted=False)


def test_two_columns_of_one_name_are_no_frame() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert decode_table(payload(table), trusted=True).equals(table)
    with pytest.raises(ProtocolError, match="no frame"):
        decode_frame(payload(table))
