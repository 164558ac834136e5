"""Rows between processes come back exactly, and no more travels than is used."""

from __future__ import annotations

import struct

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.errors import InternalError
from eau2.kernels.transfer import from_ipc, size_of, table_from_ipc, table_to_ipc, to_ipc
from eau2.operators.values import HEIGHT

INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)


def widths() -> dict[type[pl.DataType], tuple[int, int]]:
    found: dict[type[pl.DataType], tuple[int, int]] = {}
    for dtype in INTEGERS:
        name = str(dtype())
        bits = int(name.lstrip("UInt"))
        low = 0 if name[0] == "U" else -(1 << (bits - 1))
        found[dtype] = (low, low + (1 << bits) - 1)
    return found


WIDTHS = widths()


def nullable(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | values


@st.composite
def columns(draw: st.DrawFn, name: str, rows: int) -> pl.Series:
    """A column of any kernel dtype, whole or a slice of a longer one, of one chunk or several."""
    dtype: pl.DataType = draw(
        st.sampled_from(
            [
                *(d() for d in INTEGERS),
                pl.Int128(),
                pl.Boolean(),
                pl.Float32(),
                pl.Float64(),
                pl.String(),
                pl.Date(),
                pl.Datetime("us"),
            ]
        )
    )
    before = draw(st.integers(0, 3))
    values = st.lists(nullable(values_of(dtype)), min_size=rows + before, max_size=rows + before)
    drawn = draw(values)
    if isinstance(dtype, pl.Float32 | pl.Float64):
        carrier = pl.UInt32 if isinstance(dtype, pl.Float32) else pl.UInt64
        series = pl.Series(name, drawn, dtype=carrier).reinterpret(dtype=dtype)
    elif isinstance(dtype, pl.Date | pl.Datetime):
        carrier_ = pl.Int32 if isinstance(dtype, pl.Date) else pl.Int64
        series = pl.Series(name, drawn, dtype=carrier_).cast(dtype)
    else:
        series = pl.Series(name, drawn, dtype=dtype)
    series = series.slice(before)
    if rows > 1 and draw(st.booleans()):
        at = draw(st.integers(1, rows - 1))
        series = pl.concat([series[:at], series[at:]], rechunk=False)
    return series


def values_of(dtype: pl.DataType) -> st.SearchStrategy[object]:
    match dtype:
        case pl.Boolean():
            return st.booleans()
        case pl.String():
            return st.text(max_size=30)
        case pl.Int128():
            edge = st.sampled_from([-(2**127), 2**127 - 1, 10**38, -(10**38), 10**38 - 1, 0])
            return edge | st.integers(-(2**127), 2**127 - 1)
        case pl.Float32():
            return st.integers(0, 2**32 - 1)
        case pl.Float64():
            return st.integers(0, 2**64 - 1)
        case pl.Date():
            return st.integers(-(2**31), 2**31 - 1)
        case pl.Datetime():
            return st.integers(-(2**63), 2**63 - 1)
    return st.integers(*WIDTHS[type(dtype)])


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    rows = draw(st.integers(0, 8))
    count = draw(st.integers(1, 4))
    return pl.DataFrame([draw(columns(f"c{i}", rows)) for i in range(count)])


def bits(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with floats as their bits, so that equality tells NaNs and zeros apart."""
    return frame.select(
        pl.col(pl.Float32).reinterpret(dtype=pl.UInt32),
        pl.col(pl.Float64).reinterpret(dtype=pl.UInt64),
        pl.exclude(pl.Float32, pl.Float64),
    )


def there_and_back(frame: pl.DataFrame) -> pl.DataFrame:
    return from_ipc(b"".join(to_ipc(frame)))


@given(frames())
@settings(max_examples=150, deadline=None)
def test_every_frame_comes_back_exactly(frame: pl.DataFrame) -> None:
    back = there_and_back(frame)
    assert back.schema == frame.schema
    assert bits(back).equals(bits(frame), null_equal=True)


def test_a_nan_keeps_its_payload() -> None:
    (payload,) = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_0000_0123))
    back = there_and_back(pl.DataFrame({"x": [payload, -0.0]}))
    assert [struct.pack("<d", x) for x in back["x"]] == [
        struct.pack("<d", payload),
        struct.pack("<d", -0.0),
    ]


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({HEIGHT: [False, False, False]}),
        pl.DataFrame(schema={HEIGHT: pl.Boolean}),
        pl.DataFrame(schema={"a": pl.Int128, "b": pl.String, "c": pl.Datetime("us")}),
    ],
)
def test_rows_without_values_are_counted(frame: pl.DataFrame) -> None:
    back = there_and_back(frame)
    assert back.schema == frame.schema
    assert back.height == frame.height


def test_text_that_no_row_uses_stays_behind() -> None:
    texts = pl.DataFrame({"i": range(50_000)}).with_columns(
        (pl.lit("a text longer than a view holds: ") + pl.col("i").cast(pl.String)).alias("s")
    )
    few = texts.filter(pl.col("i") % 1000 == 0)
    parts = pl.concat([texts[i * 1000 : i * 1000 + 1] for i in range(50)], rechunk=False)
    for frame in (few, texts.head(3), parts):
        assert size_of(to_ipc(frame)) < 20_000
        assert there_and_back(frame).equals(frame)


def test_text_that_many_rows_share_travels_once() -> None:
    word = "one text that a hundred thousand rows have in common"
    frame = pl.DataFrame({"s": [word]}).select(pl.col("s").gather([0] * 100_000))
    assert size_of(to_ipc(frame)) < 100_000 * len(word) / 2
    assert there_and_back(frame).equals(frame)


def test_large_buffers_are_not_copied() -> None:
    frame = pl.DataFrame({"a": pl.int_range(100_000, eager=True)})
    address = frame.to_arrow().column(0).chunk(0).buffers()[1].address
    views = [buffer for buffer in to_ipc(frame) if not isinstance(buffer, bytes)]
    assert [pa.py_buffer(view).address for view in views] == [address]
    joined = b"".join(to_ipc(frame))
    whole = pa.py_buffer(joined)
    read = from_ipc(joined).to_arrow().column(0).chunk(0).buffers()[1].address
    assert whole.address < read < whole.address + whole.size


def test_stored_tables_keep_their_dictionaries_and_their_height() -> None:
    one = pa.array(["x", "y", "x"]).dictionary_encode()
    other = pa.array(["z", None, "z"]).dictionary_encode()
    table = pa.table({"s": pa.chunked_array([one, other]), "n": pa.array([1] * 6, pa.int8())})
    back = table_from_ipc(b"".join(table_to_ipc(table)))
    assert back.equals(table)
    empty = table.select([])
    assert table_from_ipc(b"".join(table_to_ipc(empty))).num_rows == 6


@pytest.mark.parametrize("bad", [b"", b"no stream", bytes(100)])
def test_other_bytes_are_refused(bad: bytes) -> None:
    with pytest.raises(InternalError):
        from_ipc(bad)
