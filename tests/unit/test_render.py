"""The output formats: what a box shows, that csv, json and Arrow lose nothing, parts and memory."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.errors import UsageError
from eau2.render import FORMATS, SLICE_ROWS, box, display_width, rendered
from eau2.types import SqlType, from_arrow

TABLE = pa.table(
    {
        "n": pa.array([1, None, -3], pa.int32()),
        "price": pa.array([Decimal("1.50"), None, Decimal("-0.01")], pa.decimal128(15, 2)),
        "f": pa.array([0.1, None, 1e300], pa.float64()),
        "s": pa.array(["a", None, 'say "hi", twice\nand leave'], pa.string()),
        "b": pa.array([True, None, False], pa.bool_()),
        "d": pa.array([date(2020, 1, 31), None, date(1, 1, 1)], pa.date32()),
        "t": pa.array(
            [datetime(2020, 1, 1), None, datetime(2020, 1, 1, 1, 2, 3, 500000)], pa.timestamp("us")
        ),
    }
)


def types(table: pa.Table) -> tuple[SqlType, ...]:
    return tuple(from_arrow(field.type, field.name) for field in table.schema)


def written(form: str, *parts: pa.Table) -> bytes:
    return b"".join(rendered(form, parts, types(parts[0])))


def test_a_box_shows_names_types_values_and_nulls() -> None:
    table = TABLE.select(["n", "price", "s"])
    assert (
        box(table, types(table))
        == """\
┌─────────┬───────────────┬────────────────────────────┐
│    n    │     price     │             s              │
│ INTEGER │ DECIMAL(15,2) │          VARCHAR           │
├─────────┼───────────────┼────────────────────────────┤
│       1 │          1.50 │ a                          │
│    NULL │          NULL │ NULL                       │
│      -3 │         -0.01 │ say "hi", twice\\nand leave │
└─────────┴───────────────┴────────────────────────────┘
3 rows"""
    )


def test_a_box_of_many_rows_shows_both_ends_and_says_so() -> None:
    table = pa.table({"a": pa.array(range(10_000), pa.int64())})
    lines = box(table, types(table), max_rows=5).splitlines()
    cells = [line.strip("│ ") for line in lines[4:-2]]
    assert cells == ["0", "1", "2", "…", "9998", "9999"]
    assert lines[-1] == "5 of 10,000 rows"


def test_a_box_stays_within_the_width_and_says_which_columns_are_gone() -> None:
    table = pa.table({f"column_{i}": pa.array(["x" * 30] * 2) for i in range(12)})
    for width in (20, 40, 80, 160):
        lines = box(table, types(table), width=width).splitlines()
        assert max(display_width(line) for line in lines[:-1]) <= max(width, 22)
        assert lines[-1].startswith("2 rows, ")
        assert lines[-1].endswith(" of 12 columns")
    assert "columns" not in box(table, types(table), width=600)


def test_wide_and_combining_characters_keep_the_box_straight() -> None:
    table = pa.table({"語": ["日本語", "e\u0301", "plain", "👍", "a\u200bb"]})
    lines = box(table, types(table)).splitlines()[:-1]
    assert {display_width(line) for line in lines} == {display_width(lines[0])}


def test_a_cell_cannot_steer_the_terminal() -> None:
    table = pa.table({"evil\x1b[2J": ["\x1b[31mred\x07", "a\rb", "\x9b2J", "a\u2028\u202eb\u2066"]})
    text = box(table, types(table))
    assert all(char == "\n" or char.isprintable() for char in text)
    assert "\\x1b[31mred\\x07" in text
    assert "a\\u2028\\u202eb\\u2066" in text


def test_tables_without_rows_or_columns() -> None:
    empty = TABLE.slice(0, 0)
    assert box(empty, types(empty)).endswith("0 rows")
    assert box(pa.table({}), ()) == ""
    assert written("csv", empty) == b"n,price,f,s,b,d,t\n"
    assert json.loads(written("json", empty)) == []
    assert pa.ipc.open_stream(written("arrow", empty)).read_all().equals(empty)


def test_csv_is_exact() -> None:
    assert written("csv", TABLE).decode() == (
        "n,price,f,s,b,d,t\n"
        "1,1.50,0.1,a,true,2020-01-31,2020-01-01 00:00:00\n"
        ",,,,,,\n"
        '-3,-0.01,1e+300,"say ""hi"", twice\nand leave",false,0001-01-01,2020-01-01 01:02:03.5\n'
    )


def test_csv_tells_an_empty_string_from_null_and_quotes_names() -> None:
    table = pa.table({'a"b': ["", None], "c,d": ["x", "\r"]})
    assert written("csv", table) == b'"a""b","c,d"\n"",x\n,"\r"\n'


def test_json_is_one_object_a_line_with_all_digits() -> None:
    table = TABLE.append_column(
        "wide", pa.array([Decimal(10**37), None, Decimal(0)], pa.decimal128(38, 0))
    )
    text = written("json", table).decode()
    assert len(text.splitlines()) == 3
    first, second, third = json.loads(text, parse_float=Decimal)
    assert first["price"] == Decimal("1.50")
    assert first["wide"] == 10**37
    assert first["t"] == "2020-01-01 00:00:00"
    assert set(second.values()) == {None}
    assert third["s"] == 'say "hi", twice\nand leave'


def test_json_has_words_for_what_is_no_number() -> None:
    values = [math.nan, math.inf, -math.inf, 1.0]
    table = pa.table({"f": pa.array(values, pa.float64()), "g": pa.array(values, pa.float32())})
    rows = json.loads(written("json", table))
    assert [row["f"] for row in rows] == ["NaN", "Infinity", "-Infinity", 1.0]
    assert [row["g"] for row in rows] == ["NaN", "Infinity", "-Infinity", 1.0]


def test_a_name_that_occurs_twice_is_numbered_in_json_only() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], ["a", "a", "a_1"])
    rows = json.loads(written("json", table))
    assert sorted(rows[0].values()) == [1, 2, 3]
    assert written("csv", table).startswith(b"a,a,a_1\n")
    assert "3" in box(table, types(table))


@pytest.mark.parametrize("rows", [SLICE_ROWS - 1, SLICE_ROWS, SLICE_ROWS + 1])
def test_slices_join_without_a_seam(rows: int) -> None:
    table = pa.table({"a": pa.array(range(rows), pa.int64())})
    assert [row["a"] for row in json.loads(written("json", table))] == list(range(rows))
    assert written("csv", table).decode().split() == ["a", *map(str, range(rows))]
    assert pa.ipc.open_stream(written("arrow", table)).read_all().equals(table)


TEXTS = st.lists(st.one_of(st.none(), st.text(max_size=8)), max_size=12)


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.text(min_size=1, max_size=6))
def test_any_text_comes_back_from_json_and_csv(values: list[str | None], name: str) -> None:
    table = pa.table(
        {name: pa.array(values, pa.string()), f"{name}n": pa.array(range(len(values)))}
    )
    assert [row[name] for row in json.loads(written("json", table))] == values
    text = written("csv", table).decode()
    head, *rows = csv.reader(io.StringIO(text, newline=""))
    assert head == [name, f"{name}n"]
    assert [row[0] for row in rows] == [value or "" for value in values]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(), max_size=10), st.lists(st.decimals(-999, 999, places=7), max_size=10))
def test_any_number_comes_back_from_json_and_csv(
    floats: list[float], decimals: list[Decimal]
) -> None:
    table = pa.table({"f": pa.array(floats, pa.float64())})
    for row, value in zip(json.loads(written("json", table)), floats, strict=True):
        assert math.isnan(value) if row["f"] == "NaN" else float(row["f"]) == value
    for text, value in zip(written("csv", table).decode().split()[1:], floats, strict=True):
        assert float(text) == value or math.isnan(value)
    exact = pa.table({"d": pa.array(decimals, pa.decimal128(20, 7))})
    rows = json.loads(written("json", exact), parse_float=Decimal)
    assert [row["d"] for row in rows] == decimals


FORMS = (*FORMATS, "lines")


@pytest.mark.parametrize("form", FORMS)
def test_how_a_result_is_cut_into_parts_does_not_show(form: str) -> None:
    rows = SLICE_ROWS * 2 + 77
    table = pa.table(
        {"s": [f"row {i}" for i in range(rows)], "n": pa.array(range(rows), pa.int64())}
    )
    whole = written(form, table)
    for cuts in ([1, 2, 3, rows - 1], [0, 0, rows], [SLICE_ROWS + 1, SLICE_ROWS * 2], [19, 41, 60]):
        edges = [0, *cuts, rows]
        parts = [table.slice(low, high - low) for low, high in pairwise(edges)]
        assert written(form, *parts) == whole


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=12), st.integers(1, 9))
def test_a_box_of_parts_shows_what_a_box_of_all_shows(sizes: list[int], copies: int) -> None:
    rows = sum(sizes) * copies
    table = pa.table({"a": pa.array(range(rows), pa.int64())})
    parts, start = [], 0
    for size in sizes * copies:
        parts.append(table.slice(start, size))
        start += size
    assert written("box", *parts).decode() == box(table, types(table)) + "\n"


def test_of_a_large_result_few_rows_are_held() -> None:
    held: list[int] = []
    before = pa.total_allocated_bytes()

    def parts() -> Iterator[pa.Table]:
        for number in range(24):
            held.append(pa.total_allocated_bytes() - before)
            yield pa.table({"n": pa.array(range(number, number + 100_000), pa.int64())})

    for form in FORMATS:
        held.clear()
        for piece in rendered(form, parts(), types(pa.table({"n": pa.array([], pa.int64())}))):
            del piece
        assert max(held) < 10_000_000


def test_nothing_comes_of_a_result_without_columns() -> None:
    for form in FORMATS:
        assert written(form, pa.table({})) == b""
    with pytest.raises(UsageError, match="no format 'xml'"):
        rendered("xml", [], ())
