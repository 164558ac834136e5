"""Statistics are exact where they claim to be, and do not depend on how rows are cut."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.catalog import ColumnStatistics, Frame
from eau2.kv.statistics import BOUND_CHARACTERS, lower_bound, upper_bound
from eau2.kv.store import Store

TEXT = st.text(
    st.characters(codec="utf-8", max_codepoint=0x10FFFE), max_size=BOUND_CHARACTERS + 4
) | st.sampled_from(["x" * 32, "x" * 33, "x" * 31 + "y", "x" * 31 + "\ud7ff" + "z"])

COLUMNS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.int8(), st.integers(-128, 127)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float64(), st.floats()),
    (pa.float32(), st.floats(width=32)),
    (pa.string(), TEXT),
    (pa.bool_(), st.booleans()),
    (pa.date32(), st.integers(-10_000, 10_000)),
    (pa.timestamp("us"), st.integers(-(2**60), 2**60)),
    (pa.decimal128(38, 3), st.decimals(-1000, 1000, places=3)),
    (pa.decimal128(9, 2), st.decimals(-1000, 1000, places=2)),
]


def frame_of(table: pa.Table, chunk_rows: int) -> Frame:
    return Store.open(None).put("t", table.schema, table.to_batches(), chunk_rows=chunk_rows)


def array_of(values: list[Any], type_: pa.DataType) -> pa.Array:
    if pa.types.is_date(type_):
        return pa.array(values, pa.int32()).cast(type_)
    return pa.array(values, type_)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(COLUMNS))
def test_merged_statistics_do_not_depend_on_the_chunking(
    data: st.DataObject, column: tuple[pa.DataType, st.SearchStrategy[Any]]
) -> None:
    type_, values = column
    rows = data.draw(st.lists(st.none() | values, max_size=60))
    table = pa.table({"a": array_of(rows, type_)})
    whole = frame_of(table, 1000).statistics
    for chunk_rows in (1, 3, 17, 40):
        assert frame_of(table, chunk_rows).statistics == whole


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.floats(), min_size=1, max_size=40))
def test_float_statistics_say_what_is_there(rows: list[float | None]) -> None:
    (found,) = frame_of(pa.table({"a": pa.array(rows, pa.float64())}), 1000).statistics
    values = [row for row in rows if row is not None]
    numbers = [value for value in values if not math.isnan(value)]
    finite = [math.frexp(n)[1] for n in numbers if math.isfinite(n) and n != 0]
    assert found.null_count == len(rows) - len(values)
    if not values:
        assert found == ColumnStatistics(len(rows))
        return
    assert found.minimum == (min(numbers) if numbers else math.inf)
    assert found.maximum == (max(numbers) if len(numbers) == len(values) else None)
    assert found.exponents == ((min(finite), max(finite)) if finite else (0, 0))
    assert found.distinct is not None
    assert found.distinct.estimate() == len({0.0 if n == 0 else n for n in numbers}) + (
        len(numbers) < len(values)
    )


@given(TEXT, TEXT)
def test_string_bounds_enclose_and_keep_order(first: str, second: str) -> None:
    low, high = sorted((first, second))
    assert lower_bound(low) <= low
    upper_low, upper_high = upper_bound(low), upper_bound(high)
    assert upper_low is not None
    assert upper_high is not None
    assert high <= upper_high
    assert lower_bound(low) <= lower_bound(high)
    assert upper_low <= upper_high


def test_a_bound_steps_over_surrogates_and_the_last_code_point() -> None:
    assert upper_bound("a" * 31 + "\ud7ff" + "b") == "a" * 31 + "\ue000"
    assert upper_bound("a" * 31 + "\U0010ffff" + "b") == "a" * 30 + "b"
    assert upper_bound("\U0010ffff" * 33) is None


@pytest.mark.parametrize("distinct", [10, 255, 5_000, 300_000])
def test_the_sketch_counts_distinct_values(distinct: int) -> None:
    rows = 400_000
    values = pa.array([(i * 7919) % distinct for i in range(rows)], pa.int64())
    (found,) = frame_of(pa.table({"a": values}), 1_000_000).statistics
    assert found.distinct is not None
    error = abs(found.distinct.estimate() - distinct) / distinct
    assert error == 0 if distinct < 256 else error < 0.25
    assert frame_of(pa.table({"a": values}), 150_000).statistics == (found,)


def test_zero_chunks_do_not_hide_the_exponents_of_others() -> None:
    table = pa.table({"a": [0.0, -0.0, 3.0, 0.25]})
    for chunk_rows in (1, 2, 4):
        (found,) = frame_of(table, chunk_rows).statistics
        assert found.exponents == (-1, 2)
        assert math.copysign(1.0, float(found.minimum or 0.0)) == 1.0
