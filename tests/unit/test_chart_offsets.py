"""Charts of values that differ little beside their size: what they lie above the least, exactly."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import eau2
from eau2 import chart
from eau2.charts.figure import Limits, Scale, figure
from eau2.errors import UsageError

ROOM = Limits(bars=14, points=5000, bins=26)
BASES: dict[str, tuple[Any, pa.DataType]] = {
    "bigint": (10**18, pa.int64()),
    "below zero": (-(2**63), pa.int64()),
    "hugeint": (10**37, pa.decimal128(38, 0)),
    "decimal": (Decimal("1e24").quantize(Decimal("0.01")), pa.decimal128(38, 2)),
    "double": (9.0e15, pa.float64()),
}


@pytest.mark.parametrize("name", BASES)
@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(0, 1000)), min_size=1, max_size=30))
@example([None, 5, 6, 20])
def test_values_near_each_other_are_told_apart(name: str, steps: list[int | None]) -> None:
    base, type_ = BASES[name]
    known = [step for step in steps if step is not None]
    if len(known) == 0 or max(known) - min(known) < 16:
        return
    values = pa.array([None if step is None else base + step for step in steps], type_)
    table = pa.table({"i": range(len(steps)), "v": values})
    drawn = figure(table, "line", "i", "v", ROOM)
    assert drawn.y_scale is Scale.OFFSET
    assert drawn.series[0].y.tolist() == [step - min(known) for step in known]
    assert f"+0 along the y axis is {base + min(known):,}" in drawn.notes
    across = figure(table, "scatter", "v", "i", ROOM)
    assert across.x_scale is Scale.OFFSET
    assert across.series[0].x.tolist() == [step - min(known) for step in known]


def test_columns_of_one_axis_have_one_base() -> None:
    table = pa.table(
        {
            "i": [0, 1],
            "a": pa.array([10**18 + 7, 10**18 + 9], pa.int64()),
            "b": pa.array([1e18, 1e18 + 1024]),
            "c": pa.array([None, Decimal(10**18 - 1)], pa.decimal128(38, 1)),
            "n": pa.array([None, None], pa.int64()),
        }
    )
    drawn = figure(table, "line", "i", list("abcn"), ROOM)
    assert [series.y.tolist() for series in drawn.series] == [[8, 10], [1, 1025], [0]]
    assert f"+0 along the y axis is {10**18 - 1:,}" in " ".join(drawn.notes)


def test_a_histogram_tells_them_apart() -> None:
    table = pa.table({"v": pa.array([10**18 + n for n in (1, 2, 2, 5)], pa.int64())})
    (series,) = figure(table, "histogram", None, None, ROOM).series
    assert np.count_nonzero(series.y) == 3
    moments = pa.array([datetime(2026, 1, 1) + timedelta(milliseconds=100 * n) for n in range(20)])
    for table in (pa.table({"t": moments}), pa.table({"t": moments.cast(pa.time64("us"))})):
        (series,) = figure(table, "histogram", None, None, ROOM).series
        assert np.count_nonzero(series.y) > 3


@pytest.mark.parametrize("year", [1970, 2026, 9000])
def test_moments_a_microsecond_apart(year: int) -> None:
    first = datetime(year, 3, 1, 12, 0, 0, 5)
    moments = [first + timedelta(microseconds=n) for n in range(20)]
    table = pa.table({"t": pa.array(moments, pa.timestamp("us")), "n": range(20)})
    for kind in ("line", "histogram"):
        drawn = figure(table, kind, "t", None, ROOM)
        assert drawn.x_scale is Scale.OFFSET
        assert np.ptp(drawn.series[0].x) in (19, 20)
        said = f"+0 along the x axis is {year}-03-01 12:00:00.000005, and +1 a microsecond later"
        assert said in drawn.notes
        for text in (chart.terminal(table, kind, x="t"), chart.svg(table, kind, x="t")):
            assert said in text
            assert "+10" in text
    far = pa.table({"t": [first, first + timedelta(seconds=2)], "n": [1, 2]})
    assert figure(far, "line", "t", "n", ROOM).x_scale is Scale.MOMENT


def test_both_drawings_say_what_the_axis_means() -> None:
    with eau2.connect() as connection:
        result = connection.sql("SELECT i, 1e15 + i * 0.125 AS v FROM range(50) t(i)")
    text = repr(result.plot())
    assert text.endswith("\n+0 along the y axis is 1,000,000,000,000,000.0")
    assert {line.split(" ┤")[0] for line in text.split("\n") if "┤" in line} == {
        f"+{n}" for n in range(8)
    }
    document = chart.svg(result.to_arrow())
    assert ">+6</text>" in document
    assert ">+0 along the y axis is 1,000,000,000,000,000.0</text>" in document


def test_floats_that_differ_by_rounding_are_said_to() -> None:
    table = pa.table({"i": [1, 2], "v": [0.1 + 0.2, 0.3]})
    drawn = figure(table, "line", "i", "v", ROOM)
    assert drawn.y_scale is Scale.NUMBER
    assert drawn.notes == (
        "the values of v differ by rounding alone, from 0.3 to 0.30000000000000004",
    )


@pytest.mark.parametrize("values", [[7, 7], [1, 2], [100_000.0, 100_000.01], [10**18, 2 * 10**18]])
def test_other_values_are_drawn_as_they_are(values: list[float]) -> None:
    drawn = figure(pa.table({"i": [1, 2], "v": values}), "line", "i", "v", ROOM)
    assert (drawn.y_scale, drawn.notes) == (Scale.NUMBER, ())
    assert drawn.series[0].y.tolist() == values


def test_wrong_arguments_are_errors_of_usage() -> None:
    with eau2.connect() as connection:
        result = connection.sql("SELECT 1 AS a, 2 AS b")
    wrong: dict[str, Any] = {"y": 5, "kind": 3, "x": 3}
    for name, value in wrong.items():
        with pytest.raises(UsageError, match=str(value)):
            result.plot(**{name: value})
    with pytest.raises(UsageError, match="no column '3'"):
        result.plot(**{**wrong, "y": [3], "kind": None, "x": None})
