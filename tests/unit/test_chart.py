"""Charts: golden drawings, what is drawn of which columns, any table is drawn or refused."""

from __future__ import annotations

import re
import unicodedata
import xml.etree.ElementTree as ET
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eau2
from eau2 import chart
from eau2.charts import axis, thinning
from eau2.charts.figure import Limits, Scale, figure
from eau2.errors import OperationalError, UsageError
from eau2.formats.texts import display_width

DAYS = pa.array(range(18_000, 18_040), pa.int32()).cast(pa.date32())
GOLDEN: dict[str, tuple[pa.Table, str | None, str]] = {
    "bar": (
        pa.table(
            {
                "station": ["Harbour", "Old Mill", "日本\x1b", None],
                "flow": [12.5, -4.0, None, 30.25],
            }
        ),
        None,
        """\
station  flow
Harbour  │             ████████▍ 12.5
Old Mill │          ███ -4.0
NULL     │             ████████████████████▏ 30.25
         └┬────────────┬────────────┬────────────┬
         -20           0           20           40
1 row with NULL, NaN or infinity left out
""",
    ),
    "line": (
        pa.table({"day": DAYS, "n": [(i * i) % 37 for i in range(40)]}).take(
            [i * 7 % 40 for i in range(40)]
        ),
        None,
        """\
n
40 ┤
   │       ⢠⡇       ⡄    ⡦⡀    ⣴     ⡄       ⣧
30 ┤       ⡎⢣ ⢀    ⢠⢳    ⡇⠑⠢⠤⠤⠒⠙⡄   ⢸⢣    ⢀ ⢸⠈⡆
   │      ⡸ ⢸ ⡜⡄ ⣇ ⢸⠸⡀  ⢸       ⡇   ⡇⢸ ⢸⡀ ⡼⡀⡜ ⠸⡀
20 ┤      ⡇ ⠸⣠⠃⡇⢰⠹⡀⡇ ⢇  ⢸       ⢇  ⡸  ⡇⡇⡇ ⡇⡇⡇  ⡇
   │     ⡜   ⡟ ⢱⢸ ⣇⠇ ⠈⡆ ⢸       ⢸  ⡇  ⢇⠇⢱⢰⠁⢱⠁  ⠘⡄
10 ┤    ⡔⠁   ⠁ ⠘⡎ ⠸   ⠸⡀⡜       ⢸ ⡸   ⠸ ⠸⡜ ⠈    ⠑⡄
   │   ⡜        ⠃      ⠱⡇        ⡷⠁      ⠃       ⠱⡀
 0 ┤⣀⠤⠊                 ⠁        ⠁                ⠑⠢⢄⡠⠔⠊
   └──────────┬──────────────────┬─────────────────┬────
         2019-04-22         2019-05-06        2019-05-20
                            day
""",
    ),
    "histogram": (
        pa.table({"v": [*range(60), *range(20, 40), *range(25, 35), None, float("nan")]}),
        None,
        """\
   rows
30 ┤
   │                ▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅
20 ┤                ████████████████
   │                ████████████████
   │                ████████████████
10 ┤▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅████████████████▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅
   │████████████████████████████████████████████████
 0 ┤████████████████████████████████████████████████
   └┬───────┬───────┬───────┬──────┬───────┬───────┬
    0      10      20      30     40      50      60
                           v
2 rows with NULL, NaN or infinity left out
""",
    ),
    "scatter": (
        pa.table({"x": [1.0, 2, 3, 4, 5], "y": [1, 4, 9, 16, 25], "z": [25, 16, 9, 4, 1]}),
        "scatter",
        """\
• y  x z
30 ┤
   │x                                                  •
   │
20 ┤
   │             x                        •
10 ┤
   │                          x
   │             •                        x
 0 ┤•                                                  x
   └┬────────────┬────────────┬───────────┬────────────┬
    1            2            3           4            5
                             x
""",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_chart_of_characters(name: str) -> None:
    table, kind, drawn = GOLDEN[name]
    assert chart.terminal(table, kind, 56, 13) == drawn


@pytest.mark.parametrize("name", GOLDEN)
def test_an_svg_is_well_formed_and_has_all_marks(name: str) -> None:
    table, kind, _ = GOLDEN[name]
    root = ET.fromstring(chart.svg(table, kind))
    marks = [element for element in root.iter() if re.search(r"\bs\d", element.get("class") or "")]
    assert len(marks) == {"bar": 3, "line": 1, "histogram": 6, "scatter": 12}[name]
    for element in root.iter():
        for place in ("x", "cx", "x1", "x2"):
            assert 0 <= float(element.get(place) or 0) <= 720
    texts = " ".join(element.text or "" for element in root.iter() if element.tag.endswith("text"))
    assert table.column_names[0] in texts


COLUMNS = pa.table(
    {
        "s": ["a", "b"],
        "n": [1, 2],
        "m": [Decimal("1.5"), None],
        "d": [date(2020, 1, 1), date(2020, 1, 2)],
        "t": [datetime(2020, 1, 1), datetime(2020, 1, 2)],
        "l": [[1], [2]],
    }
)
ROOM = Limits(10, 100, 10)


@pytest.mark.parametrize(
    ("names", "kind", "x", "y", "chosen"),
    [
        ("sn", None, None, None, ("bar", "s", ["n"])),
        ("ns", None, None, None, ("bar", "s", ["n"])),
        ("nd", None, None, None, ("line", "d", ["n"])),
        ("tnm", None, None, None, ("line", "t", ["n", "m"])),
        ("nm", None, None, None, ("line", "n", ["m"])),
        ("n", None, None, None, ("histogram", "n", ["rows"])),
        ("snm", "scatter", None, None, ("scatter", "n", ["m"])),
        ("dsn", "bar", None, None, ("bar", "s", ["n"])),
        ("n", "bar", None, None, ("bar", "", ["n"])),
        ("d", "histogram", None, None, ("histogram", "d", ["rows"])),
        ("snmd", None, "n", None, ("line", "n", ["m"])),
        ("snmd", "bar", "d", ["m", "n"], ("bar", "d", ["m", "n"])),
        ("snm", None, None, "m", ("bar", "s", ["m"])),
    ],
)
def test_what_is_drawn_of_which_columns(
    names: str,
    kind: str | None,
    x: str | None,
    y: str | list[str] | None,
    chosen: tuple[str, str, list[str]],
) -> None:
    found = figure(COLUMNS.select(list(names)), kind, x, y, ROOM)
    assert (found.kind, found.x_name, [series.name for series in found.series]) == chosen


@pytest.mark.parametrize(
    ("names", "kind", "x", "y", "message"),
    [
        ("sn", "pie", None, None, "no chart of the kind 'pie'"),
        ("s", None, None, None, "no column of numbers"),
        ("d", None, None, None, "no column of numbers beside d"),
        ("sn", "line", None, None, "a line chart needs numbers, dates or times along its x axis"),
        ("sn", "line", "s", None, "s is a text"),
        ("sn", None, "z", None, "no column 'z'"),
        ("sl", None, None, "l", "the column l cannot be drawn"),
        ("nd", None, None, "d", "the column d is no number"),
        ("s", "histogram", None, None, "a histogram needs a column of numbers"),
        ("nm", "histogram", "n", "m", "a histogram is of one column"),
        ("l", None, None, None, "no column of numbers"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    names: str, kind: str | None, x: str | None, y: str | None, message: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        chart.terminal(COLUMNS.select(list(names)), kind, x=x, y=y)
    with pytest.raises(UsageError, match=re.escape(message)):
        chart.svg(COLUMNS.select(list(names)), kind, x=x, y=y)


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(UsageError, match="no rows"):
        chart.svg(COLUMNS.slice(0, 0))
    with pytest.raises(UsageError, match="no finite value"):
        chart.svg(pa.table({"a": ["x"], "n": pa.array([None], pa.int64())}))
    with pytest.raises(UsageError, match="too large"):
        chart.svg(pa.table({"a": [-1e308, 1e308]}))
    with pytest.raises(UsageError, match="at least 40 columns and 12 lines"):
        chart.terminal(COLUMNS, width=10)


def test_what_is_left_out_is_said() -> None:
    many = pa.table({"i": range(100_000), "n": np.sin(np.arange(100_000) / 1e4)})
    assert "100,000 points drawn by the least and greatest" in chart.terminal(many)
    text = chart.terminal(many, "scatter", x="i", y="n", width=40)
    assert "160 of 100,000 points drawn" in text
    bars = pa.table({"s": [f"s{i}" for i in range(99)], "n": pa.array([None, *range(98)])})
    text = chart.terminal(bars, height=20)
    assert "the first 14 of 98 rows drawn; 1 row with NULL" in text
    assert len(text.splitlines()) == 18
    assert "first 60 of 98 rows drawn" in chart.svg(bars)
    wide = pa.table({"s": ["a"], **{f"n{i}": [i] for i in range(9)}})
    assert "6 of 9 columns drawn" in chart.svg(wide)


VALUES = st.one_of(
    st.none(),
    st.floats(),
    st.floats(-1e3, 1e3),
    st.sampled_from([0.0, 5e-324, 1e300, -1e300, 1e15, 1e-7]),
)
ROWS = st.tuples(
    VALUES,
    VALUES,
    st.one_of(st.none(), st.text(max_size=6)),
    st.one_of(st.none(), st.dates()),
    st.one_of(st.none(), st.datetimes()),
    st.one_of(st.none(), st.times()),
    st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
)
TYPES = (
    *(pa.float64(), pa.float64(), pa.string(), pa.date32()),
    *(pa.timestamp("us"), pa.time64("us"), pa.int64()),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(ROWS, min_size=1, max_size=20),
    st.sampled_from([None, *chart.KINDS]),
    st.lists(st.sampled_from("abcdefg"), min_size=1, unique=True),
    st.integers(40, 100),
    st.integers(12, 30),
)
def test_any_table_is_drawn_in_its_place_or_refused(
    rows: list[tuple[object, ...]], kind: str | None, names: list[str], width: int, height: int
) -> None:
    arrays = [
        pa.array(column, type_)
        for column, type_ in zip(zip(*rows, strict=True), TYPES, strict=True)
    ]
    table = pa.Table.from_arrays(arrays, names=list("abcdefg")).select(names)
    try:
        document = chart.svg(table, kind)
        lines = chart.terminal(table, kind, width, height).splitlines()
    except UsageError as error:
        assert error.message.startswith(("there is nothing", "a ", "the values"))  # noqa: PT017
        return
    ET.fromstring(document)
    assert not re.search(r'="[^"]*\b(nan|inf)\b', document)
    assert len(lines) <= height
    assert max(map(display_width, lines)) <= width
    drawn = "".join(lines)
    assert not {unicodedata.category(char) for char in drawn} & {"Cc", "Zl", "Zp"}


def test_names_cannot_leave_their_element() -> None:
    evil = "</text><script>alert(1)</script>&\x00\x1b\ufffe\"'"
    table = pa.table({evil: [evil, "b"], "n<": [1, 2]})
    root = ET.fromstring(chart.svg(table))
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "style", "rect", "line", "text", "circle", "polyline"}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 100), st.floats(-9, 9)), min_size=1, max_size=200))
def test_thinned_points_keep_the_extremes(points: list[tuple[float, float]]) -> None:
    points.sort(key=lambda point: point[0])
    x, y = np.array(points).T
    kept = thinning.extremes(x, y, 10)
    assert len(kept) <= 20
    assert (y[kept].min(), y[kept].max()) == (y.min(), y.max())
    assert list(kept) == sorted(set(kept))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=99), st.sampled_from([0.0, 1.0]))
def test_bins_hold_every_value(values: list[int], unit: float) -> None:
    edges = thinning.bins(np.array(values, dtype=np.float64), 12, unit)
    counts, _ = np.histogram(np.array(values), edges)
    assert counts.sum() == len(values)
    assert 2 <= len(edges) <= 13


DAY = 86_400e6


@pytest.mark.parametrize(
    ("low", "high", "scale", "labels"),
    [
        (0, 1, Scale.NUMBER, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0, 2_500_000, Scale.NUMBER, ["0", "0.5M", "1.0M", "1.5M", "2.0M", "2.5M"]),
        (0, 2e20, Scale.NUMBER, ["0", "5.0e+19", "1.0e+20", "1.5e+20", "2.0e+20"]),
        (-5000, 5000, Scale.NUMBER, ["-4,000", "-2,000", "0", "2,000", "4,000"]),
        (0, 3 * DAY, Scale.DATE, ["1970-01-01", "1970-01-02", "1970-01-03", "1970-01-04"]),
        (0, 800 * DAY, Scale.DATE, ["1970-01", "1970-07", "1971-01", "1971-07", "1972-01"]),
        (0, 9000 * DAY, Scale.MOMENT, ["1970", "1975", "1980", "1985", "1990"]),
        (0, DAY / 24, Scale.MOMENT, ["00:00", "00:15", "00:30", "00:45", "01:00"]),
        (0, 2 * DAY, Scale.MOMENT, ["01-01 00:00", "01-01 12:00", "01-02 00:00", "01-02 12:00"]),
        (0, DAY, Scale.TIME, ["00:00", "06:00", "12:00", "18:00", "24:00"]),
        (0, 500_000, Scale.MOMENT, ["00:00:00", "00:00:00.1", "00:00:00.2", "00:00:00.3"]),
    ],
)
def test_ticks_are_round(low: float, high: float, scale: Scale, labels: list[str]) -> None:
    found = [tick.label for tick in axis.ticks(low, high, 5, scale)]
    assert found[: len(labels)] == labels
    assert len(found) <= 7


def test_a_result_is_plotted_and_saved(tmp_path: Path) -> None:
    with eau2.connect() as connection:
        result = connection.sql("SELECT i, i * i AS squared FROM range(50) t(i)")
    plot = result.plot()
    assert plot._repr_svg_() == chart.svg(result.to_arrow())
    assert repr(plot) == chart.terminal(result.to_arrow()).rstrip("\n")
    plot.save(tmp_path / "squares.svg")
    assert (tmp_path / "squares.svg").read_text(encoding="utf-8") == plot._repr_svg_()
    with pytest.raises(UsageError, match=r"does not end in \.svg"):
        plot.save(tmp_path / "squares.png")
    with pytest.raises(OperationalError, match="could not be written"):
        plot.save(tmp_path / "nowhere" / "squares.svg")
    with pytest.raises(UsageError, match="no column 'z'"):
        result.plot(x="z")
