"""Parquet files in place: frames, statistics that are exact where they claim it, damage."""

from __future__ import annotations

import datetime
import decimal
import math
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eau2.catalog import Frame
from eau2.errors import InputFileError, NotSupportedError
from eau2.kv import files
from eau2.kv.compact import expanded
from eau2.kv.store import Store

D = decimal.Decimal
ROWS = 1000
TABLE = pa.table(
    {
        "i": pa.array(range(ROWS), pa.int32()),
        "u": pa.array([2**63 + i for i in range(ROWS)], pa.uint64()),
        "d": pa.array([D(i - 500) / 100 for i in range(ROWS)], pa.decimal128(9, 2)),
        "w": pa.array([D(i) for i in range(ROWS)], pa.decimal128(30, 0)),
        "f": pa.array([i / 7 for i in range(ROWS)]),
        "s": pa.array([f"{i:03} {'long' * 20}" if i % 3 else None for i in range(ROWS)]),
        "t": pa.array([i * 10**6 - 1 for i in range(ROWS)], pa.timestamp("us")),
        "day": pa.array([datetime.date(1969, 12, 1)] * ROWS),
        "n": pa.nulls(ROWS, pa.int64()),
        "b": pa.array([bool(i % 2) for i in range(ROWS)]),
    }
)
NAMES = tuple(TABLE.column_names)


FAR = [
    pa.array([0, 2**63 - 1], pa.timestamp("us")),
    pa.array([-(2**63), None], pa.timestamp("us")),
    pa.array([2**31 - 1], pa.date32()),
]


@pytest.mark.parametrize("array", FAR)
def test_dates_beyond_the_calendar_are_refused(tmp_path: Path, array: pa.Array) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": [1] * len(array), "when": array}), path)
    frame = files.parquet_frame(str(path))
    assert rows(frame, ("a",)).num_rows == len(array)
    with pytest.raises(InputFileError, match=r'x\.parquet: column "when": a .* outside'):
        rows(frame, ("a", "when"))


def rows(frame: Frame, names: tuple[str, ...] = NAMES) -> pa.Table:
    return pa.concat_tables([files.read(ref.key, names) for ref in frame.chunks])


@pytest.mark.parametrize("group", [64, 1000])
def test_a_file_is_the_frame_that_a_put_would_make(tmp_path: Path, group: int) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(TABLE, path, row_group_size=group)
    frame = files.parquet_frame(str(path))
    store = Store.open(None)
    put = store.put("t", TABLE.schema, TABLE.to_batches())
    assert frame.schema == put.schema
    assert frame.rows == ROWS
    (batch,) = store.read(put.chunks[0], NAMES).to_batches()
    assert rows(frame).equals(pa.Table.from_batches([expanded(batch, put.schema)]))
    for name, ours, theirs in zip(NAMES, frame.statistics, put.statistics, strict=True):
        assert ours.null_count == theirs.null_count
        if name in ("f", "u"):
            assert ours.minimum in (None, theirs.minimum)
        else:
            assert (ours.minimum, ours.maximum) == (theirs.minimum, theirs.maximum), name


def test_long_files_have_several_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "DEFAULT_CHUNK_ROWS", 300)
    pq.write_table(TABLE, tmp_path / "x.parquet", row_group_size=128)
    frame = files.parquet_frame(str(tmp_path / "x.parquet"))
    assert [(ref.key.number, ref.rows) for ref in frame.chunks] == [
        (0, 256),
        (2, 256),
        (4, 256),
        (6, 232),
    ]
    assert rows(frame, ("i",)).column("i").to_pylist() == list(range(ROWS))
    assert files.read(frame.chunks[3].key, ()).num_rows == 232
    assert frame.chunks[1].statistics[0].minimum == 256


def test_a_glob_is_one_frame_in_path_order(tmp_path: Path) -> None:
    for number in (2, 1, 3):
        pq.write_table(pa.table({"a": [number]}), tmp_path / f"{number}.parquet")
    frame = files.parquet_frame(str(tmp_path / "*.parquet"))
    assert rows(frame, ("a",)).column("a").to_pylist() == [1, 2, 3]
    assert (frame.statistics[0].minimum, frame.statistics[0].maximum) == (1, 3)
    pq.write_table(pa.table({"a": ["x"]}), tmp_path / "4.parquet")
    with pytest.raises(InputFileError, match=r'4\.parquet .*column "a" is VARCHAR instead of BIGI'):
        files.parquet_frame(str(tmp_path / "*.parquet"))


@pytest.mark.parametrize("values", [[1, None, 3], [None, None], [1, 2]])
def test_nulls_are_counted_where_the_file_does_not_say(
    tmp_path: Path, values: list[int | None]
) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": pa.array(values, pa.int64())}), path, write_statistics=False)
    (found,) = files.parquet_frame(str(path)).statistics
    assert (found.null_count, found.minimum, found.maximum) == (values.count(None), None, None)


@pytest.mark.parametrize(
    "values",
    [[1.0, math.nan], [math.nan], [0.0, -0.0], [math.inf, -math.inf]],
)
def test_float_bounds_of_a_file_are_not_trusted(tmp_path: Path, values: list[float]) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": values}), path)
    (found,) = files.parquet_frame(str(path)).statistics
    assert (found.minimum, found.maximum, found.exponents) == (None, None, None)


def test_bounds_that_python_cannot_hold_stay_unknown(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    far: list[Any] = [10**7, 0]
    pq.write_table(pa.table({"a": pa.array(far, pa.int32()).cast(pa.date32())}), path)
    (found,) = files.parquet_frame(str(path)).statistics
    assert (found.null_count, found.minimum) in ((0, None), (0, 0))


def test_no_rows_are_one_empty_chunk(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(TABLE.slice(0, 0), path)
    frame = files.parquet_frame(str(path))
    assert [ref.rows for ref in frame.chunks] == [0]
    assert rows(frame).schema.names == list(NAMES)


def test_a_file_that_changes_is_another_frame(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    frame = files.parquet_frame(str(path))
    pq.write_table(pa.table({"a": [1, 2]}), path)
    os.utime(path, ns=(1, 1))
    with pytest.raises(InputFileError, match="has changed"):
        files.read(frame.chunks[0].key, ("a",))
    assert files.parquet_frame(str(path)).df_id != frame.df_id


@pytest.mark.parametrize("keep", [0, 3, 100, -1])
def test_damaged_files_are_said(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(TABLE, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputFileError, match=r"x\.parquet (is empty|cannot be read as Parquet)"):
        files.parquet_frame(str(path))


def test_missing_files_and_odd_types_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="there is no file"):
        files.parquet_frame(str(tmp_path / "no.parquet"))
    with pytest.raises(InputFileError, match="no file matches"):
        files.parquet_frame(str(tmp_path / "no*.parquet"))
    with pytest.raises(InputFileError, match="is a directory"):
        files.parquet_frame(str(tmp_path))
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": [{"x": 1}]}), path)
    with pytest.raises(NotSupportedError, match=r'x\.parquet: column "a"'):
        files.parquet_frame(str(path))
