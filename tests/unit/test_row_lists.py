"""Row lists: the rows of the values of one column, against a search through all of them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eau2.indexes.row_lists import RowLists, row_lists

RANGES = {
    pa.int8(): (-(1 << 7), (1 << 7) - 1),
    pa.int16(): (-(1 << 15), (1 << 15) - 1),
    pa.int32(): (-(1 << 31), (1 << 31) - 1),
    pa.int64(): (-(1 << 63), (1 << 63) - 1),
    pa.uint32(): (0, (1 << 32) - 1),
}


def lists_of(values: list[Any], type_: pa.DataType) -> RowLists:
    found = row_lists(pa.chunked_array([pa.array(values, type_)]))
    assert found is not None
    return found


def rows(lists: RowLists, keys: list[int]) -> list[int]:
    """The rows of some values."""
    found = lists.rows_of(*lists.of_keys(np.array(sorted(set(keys)), np.int64)))
    return [int(number) for number in found]


def between(lists: RowLists, low: int, high: int) -> list[int]:
    return [int(number) for number in lists.rows_of(*lists.between(low, high))]


@st.composite
def columns(draw: st.DrawFn) -> tuple[list[int | None], pa.DataType]:
    """Values that lie close or far apart, that ascend or not, with NULLs or without."""
    type_ = draw(st.sampled_from(list(RANGES)))
    low, high = RANGES[type_]
    near = draw(st.integers(low, high))
    numbers = draw(
        st.sampled_from(
            [
                st.integers(low, high),
                st.integers(near, min(near + 5, high)),
                st.integers(near, min(near + 200_000, high)),
                st.sampled_from([low, high, near]),
            ]
        )
    )
    values: list[int | None] = list(draw(st.lists(numbers, max_size=60)))
    if draw(st.booleans()):
        values.sort(key=lambda value: value or 0)
    if draw(st.booleans()):
        places = draw(st.lists(st.integers(0, len(values)), max_size=5))
        for place in places:
            values.insert(place, None)
    return values, type_


@given(columns(), st.data())
@example(([], pa.int64()), None)
@example(([None, None], pa.int32()), None)
@example(([-(1 << 63), (1 << 63) - 1, 0], pa.int64()), None)
def test_lists_hold_the_rows(column: tuple[list[int | None], pa.DataType], data: Any) -> None:
    values, type_ = column
    lists = lists_of(values, type_)
    known = [value for value in values if value is not None]
    asked = [*known[:3], 0, 1, -(1 << 63), (1 << 63) - 1]
    if data is not None:
        asked += data.draw(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=5))
    assert rows(lists, asked) == [n for n, value in enumerate(values) if value in asked]
    for low in asked:
        for high in asked:
            expected = [n for n, v in enumerate(values) if v is not None and low <= v <= high]
            assert between(lists, low, high) == expected
    assert lists.distinct == len(set(known))
    assert between(lists, -(1 << 80), 1 << 80) == [n for n, v in enumerate(values) if v is not None]


def test_rows_that_ascend_take_no_bytes() -> None:
    ascending, other = list(range(1000)), list(range(999, -1, -1))
    assert lists_of(ascending, pa.int64()).rows is None
    assert lists_of(other, pa.int64()).bytes == lists_of(ascending, pa.int64()).bytes + 4000


def test_days_and_times_are_numbers() -> None:
    days = lists_of([date(1970, 1, 3), None, date(1970, 1, 1), date(1970, 1, 3)], pa.date32())
    assert rows(days, [2]) == [0, 3]
    times = lists_of([datetime(1970, 1, 1), datetime(2030, 1, 1)], pa.timestamp("us"))
    assert rows(times, [0]) == [0]
    assert between(times, 1, 1 << 62) == [1]


@pytest.mark.parametrize("type_", [pa.float64(), pa.string(), pa.uint64(), pa.decimal128(38, 2)])
def test_other_values_have_no_lists(type_: pa.DataType) -> None:
    assert row_lists(pa.chunked_array([pa.array([], type_)])) is None
