"""Every format but the box gives all cells back, whatever they hold, and a node gives the same."""

from __future__ import annotations

import html as pages
import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from html.parser import HTMLParser

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import eau2
from eau2 import options
from eau2.errors import NotSupportedError, UsageError
from eau2.formats.html import PAGE_CELL_CHARS, page
from eau2.formats.texts import display_width
from eau2.net.blocking import BlockingConnection
from eau2.render import FORMATS, rendered
from eau2.sink import BINARY, check_terminal
from eau2.types import from_arrow
from tests.unit.front_door import NUMBERS, door, fill, text_of

Cell = str | None


def written(form: str, *parts: pa.Table) -> str:
    types = [from_arrow(field.type, field.name) for field in parts[0].schema]
    return b"".join(rendered(form, parts, types)).decode()


def read_csv(text: str) -> list[list[Cell]]:
    """RFC 4180; a field without quotes and without characters is NULL."""
    rows: list[list[Cell]] = [[]]
    for found in re.finditer(r'(?:"((?:[^"]|"")*)"|([^",\n]*))([,\n])', text):
        quoted, plain, end = found.groups()
        rows[-1].append((plain or None) if quoted is None else quoted.replace('""', '"'))
        if end == "\n":
            rows.append([])
    return rows[:-1]


def read_tsv(text: str) -> list[list[Cell]]:
    """PostgreSQL's COPY, text format."""
    letters = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}
    return [
        [
            None if cell == r"\N" else re.sub(r"\\(.)", lambda m: letters[m[1]], cell)
            for cell in line.split("\t")
        ]
        for line in text.split("\n")[:-1]
    ]


def read_markdown(text: str) -> list[list[Cell]]:
    """A table of GitHub Flavored Markdown, without the line of rules."""
    rows = [_markdown_cells(line) for line in text.split("\n")[:-1]]
    assert all(re.fullmatch("---:?", str(cell)) for cell in rows[1])
    return [rows[0], *rows[2:]]


def _markdown_cells(line: str) -> list[Cell]:
    assert line.startswith("| ")
    cells = [cell.strip(" \t") for cell in re.findall(r"((?:\\.|[^\\|])*)\|", line[1:], re.DOTALL)]
    return [None if cell == "*NULL*" else _markdown_text(cell) for cell in cells]


def _markdown_text(cell: str) -> str:
    def plain(found: re.Match[str]) -> str:
        if found[1]:
            return found[1]
        return "\n" if found[0] == "<br>" else pages.unescape(found[0])

    assert not re.search(r"(?<!\\)[*`~]", re.sub(r"\\\\", "", cell))
    return re.sub(r"\\(.)|<br>|&#?[A-Za-z0-9]+;", plain, cell, flags=re.DOTALL)


NASTY = [
    *("NULL", "*NULL*", r"\N", "", " ", "\t", "<br>", "&lt;", "&#32;", "a_b_c", "_a_ b", "a|b"),
    *("\\", "\\|", "\\n", "\n", "\r\n", '"', "a,b", "[a](b)", "`x`", "日本語", "e\u0301👍", "\x00"),
]
CHARACTERS = st.sampled_from("".join(NASTY))
TEXTS = st.one_of(
    st.none(), st.sampled_from(NASTY), st.text(CHARACTERS, max_size=9), st.text(max_size=9)
)
ROWS = st.lists(
    st.tuples(
        TEXTS,
        st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        st.one_of(st.none(), st.decimals(-999, 999, places=7)),
        st.one_of(st.none(), st.lists(TEXTS, max_size=3)),
        st.one_of(st.none(), st.booleans()),
        st.one_of(st.none(), st.dates(date(1, 1, 1))),
    ),
    max_size=8,
)
TYPES = (
    *(pa.string(), pa.int64(), pa.decimal128(20, 7), pa.list_(pa.string())),
    *(pa.bool_(), pa.date32()),
)


def table_of(rows: list[tuple[object, ...]], name: str) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(TYPES)
    arrays = [pa.array(values, type_) for values, type_ in zip(columns, TYPES, strict=True)]
    return pa.Table.from_arrays(arrays, names=[f"{name}{index}" for index in range(len(TYPES))])


def texts_of(rows: list[tuple[object, ...]]) -> list[list[Cell]]:
    """What each cell is as text; None for the lists, whose text has rules of its own."""
    return [[_text(value) for value in row] for row in rows]


def _text(value: object) -> Cell:
    match value:
        case None | list():
            return None
        case bool():
            return str(value).lower()
        case Decimal():
            return f"{value:.7f}"
        case date():
            return value.isoformat()
        case _:
            return str(value)


READERS = {"csv": read_csv, "tsv": read_tsv, "markdown": read_markdown}


@settings(max_examples=120, deadline=None)
@given(ROWS, st.one_of(st.sampled_from(NASTY), st.text(max_size=6)), st.integers(0, 8))
@example([(text, 1, None, [text], True, None) for text in NASTY], "\t|\\", 3)
def test_all_cells_come_back(rows: list[tuple[object, ...]], name: str, cut: int) -> None:
    table = table_of(rows, name)
    parts = [table.slice(0, cut), table.slice(min(cut, len(rows)))]
    lists = set()
    for form, read in READERS.items():
        head, *found = read(written(form, *parts))
        assert head == table.column_names, form
        lists.add(str([row[3] for row in found]))
        assert [[*row[:3], None, *row[4:]] for row in found] == texts_of(rows), form
        assert [row[3] is None for row in found] == [row[3] is None for row in rows], form
    assert len(lists) == 1
    lines = written("ndjson", *parts).split("\n")[:-1]
    objects = [json.loads(line, parse_float=Decimal) for line in lines]
    assert objects == json.loads(written("json", *parts), parse_float=Decimal)
    assert [tuple(row.values())[:5] for row in objects] == [row[:5] for row in rows]


@pytest.mark.parametrize("form", ["csv", "tsv", "markdown"])
@pytest.mark.parametrize("value", [None, "", "NULL", "\\N", "*NULL*", '""', "\\"])
def test_null_is_told_from_every_text(form: str, value: Cell) -> None:
    table = pa.table({"a": pa.array([value, "x"], pa.string())})
    assert READERS[form](written(form, table)) == [["a"], [value], ["x"]]


def test_markdown_is_plain_where_it_can_be() -> None:
    table = pa.table(
        {"n|m": [1, None], "snake_case": ["a|b", "two\nlines <b>"], "l": [["x_y"], None]}
    )
    assert written("markdown", table) == (
        "| n\\|m | snake_case | l |\n"
        "| ---: | --- | --- |\n"
        "| 1 | a\\|b | [x_y] |\n"
        "| *NULL* | two<br>lines \\<b> | *NULL* |\n"
    )


def test_line_shows_a_column_a_line() -> None:
    table = pa.table({"a": [1, None], "語": ["two\nlines", "\x1b[31mred\x07\ttab"]})
    assert written("line", table.slice(0, 1), table.slice(1)) == (
        "-[ RECORD 1 ]-\n"
        "a  | 1\n"
        "語 | two\n"
        "   | lines\n"
        "-[ RECORD 2 ]-\n"
        "a  | NULL\n"
        "語 | \\x1b[31mred\\x07\\ttab\n"
    )
    assert written("line", table.slice(0, 0)) == "(0 rows)\n"


class _Cells(HTMLParser):
    """What a browser makes of a table: the texts of its heads and its cells."""

    def __init__(self) -> None:
        super().__init__()
        self.heads: list[str] = []
        self.rows: list[list[Cell]] = []
        self.caption = ""
        self._into: Callable[[str], None] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in (
            "style",
            "table",
            "caption",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "br",
            "small",
        ), tag
        assert [name for name, _ in attrs if name != "class"] == []
        match tag:
            case "tr":
                self.rows.append([])
            case "td":
                self.rows[-1].append(None if ("class", "null") in attrs else "")
                self._into = self._cell
            case "th":
                self.heads.append("")
                self._into = self._head
            case "br":
                self.handle_data("\n")
            case "caption":
                self._into = self._caption

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "caption"):
            self._into = None

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._into(data)

    def _cell(self, data: str) -> None:
        if self.rows[-1][-1] is not None:
            self.rows[-1][-1] += data

    def _head(self, data: str) -> None:
        self.heads[-1] += data

    def _caption(self, data: str) -> None:
        self.caption += data


def parsed(text: str) -> _Cells:
    parser = _Cells()
    parser.feed(text)
    parser.close()
    return parser


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=9)), max_size=6), st.text(max_size=6))
@example(["</td><script>alert(1)</script>", "\"'><img onerror=x>", "&amp;", None, "a\n b"], "<b>")
def test_html_says_the_texts_and_no_more(values: list[Cell], name: str) -> None:
    table = pa.table({name: pa.array(values, pa.string())})
    types = [from_arrow(field.type, "") for field in table.schema]
    for text in (written("html", table), page(table, types)):
        found = parsed(text)
        assert found.heads == [f"{_visible(name)}\nVARCHAR"]
        shown = [None if value is None else _visible(value) for value in values]
        assert [row[0] for row in found.rows[1:]] == shown


def _visible(text: str) -> str:
    """Control characters are written as escapes; those that HTML knows stay what they are."""
    return "".join(
        char.encode("unicode_escape").decode()
        if re.match(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", char) and char not in "\t\n\r"
        else char
        for char in text
    )


def test_a_notebook_shows_both_ends_and_says_so() -> None:
    with eau2.connect() as connection:
        result = connection.sql("SELECT i, CAST(i AS VARCHAR) AS s FROM range(1000) t(i)")
        found = parsed(result._repr_html_())
        assert found.caption == "40 of 1,000 rows"
        cells = [row[0] for row in found.rows[1:]]
        assert cells == [*map(str, range(20)), "…", *map(str, range(980, 1000))]
        assert found.heads == ["i\nBIGINT", "s\nVARCHAR"]
        assert parsed(connection.sql("SELECT 1 AS a")._repr_html_()).caption == "1 row"
        assert connection.sql("SET chunk_rows = 5")._repr_html_() == ""
        wide = connection.sql("SELECT " + ", ".join(f"{i} AS c{i}" for i in range(300)))
        assert parsed(wide._repr_html_()).caption == "1 row, 200 of 300 columns"
        long = connection.sql(f"SELECT repeat('x', {PAGE_CELL_CHARS + 1}) AS a")
        assert "cut after" in parsed(long._repr_html_()).caption
        whole = parsed(written("html", long.to_arrow()))
        assert whole.rows[1:] == [["x" * (PAGE_CELL_CHARS + 1)]]


EXACT = pa.table(
    {
        "h": pa.array([Decimal(10**37), None], pa.decimal128(38, 0)),
        "d": pa.array([Decimal("1.50"), None], pa.decimal128(15, 2)),
        "f": pa.array([float("inf"), None], pa.float64()),
        "s": pa.array(["", None], pa.string()),
        "t": pa.array([datetime(2020, 1, 1, 1, 2, 3, 4), None], pa.timestamp("us")),
        "m": pa.array([time(23, 59, 59, 999999), None], pa.time64("us")),
        "l": pa.array([[["a"], []], None], pa.list_(pa.list_(pa.string()))),
        "u": pa.array([2**64 - 1, None], pa.uint64()),
    }
)


def parquet_of(*parts: pa.Table) -> pa.Table:
    types = [from_arrow(field.type, field.name) for field in parts[0].schema]
    return pq.read_table(io.BytesIO(b"".join(rendered("parquet", parts, types))))


def test_parquet_is_exact() -> None:
    assert parquet_of(EXACT.slice(0, 1), EXACT.slice(1)).equals(EXACT)
    assert parquet_of(EXACT.slice(0, 0)).equals(EXACT.slice(0, 0))
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    assert parquet_of(twice).to_pydict() == {"a": [1], "a_1": [2]}


def test_parquet_says_what_it_cannot_hold() -> None:
    with eau2.connect() as connection:
        result = connection.sql("SELECT 1 AS a, INTERVAL 1 DAY AS span")
        pieces = rendered("parquet", [result.to_arrow()], result.types)
        with pytest.raises(NotSupportedError, match='INTERVAL, which the column "span" is'):
            next(pieces)


def test_a_written_parquet_file_can_be_read_in_place(tmp_path: object) -> None:
    path = f"{tmp_path}/x.parquet"
    with eau2.connect() as connection:
        asked = "SELECT i, [i, NULL] AS l, CAST(i AS DECIMAL(9,2)) AS d FROM range(120000) t(i)"
        result = connection.sql(asked)
        with open(path, "wb") as file:
            file.writelines(rendered("parquet", [result.to_arrow()], result.types))
        again = connection.sql(f"SELECT * FROM '{path}'")
        assert again.types == result.types
        assert again.to_arrow().equals(result.to_arrow())


def test_formats_are_named_in_one_way_everywhere() -> None:
    assert options.FORMATS == FORMATS
    assert set(BINARY) < set(FORMATS)
    for form in FORMATS:
        if form in BINARY:
            with pytest.raises(UsageError, match=f"{form.capitalize()} is not for terminals"):
                check_terminal(form, "Write it to a file.")
        else:
            check_terminal(form, "")


@pytest.fixture(scope="module")
def node() -> Iterator[BlockingConnection]:
    with door() as opened:
        fill(opened.store, "t", NUMBERS)
        connection = BlockingConnection(opened.address)
        yield connection
        connection.close()


ASKED = "SELECT a, s, NULL AS n, CASE WHEN a > 3 THEN 'x|' || s || chr(10) END AS m FROM t"


@pytest.mark.parametrize("form", FORMATS)
def test_a_node_renders_every_format(node: BlockingConnection, form: str) -> None:
    with eau2.connect() as connection:
        connection.register("t", NUMBERS)
        result = connection.sql(ASKED)
        here = b"".join(rendered(form, [result.to_arrow()], result.types))
    assert text_of(node, ASKED, form) == here
    assert text_of(node, f"SET chunk_rows = 7; {ASKED}", form) == here


def test_a_parquet_file_of_a_node_holds_one_result(node: BlockingConnection) -> None:
    with pytest.raises(UsageError, match="one result"):
        text_of(node, "SELECT 1 AS a; CREATE TABLE never (a INT)", "parquet")
    assert b"never" not in text_of(node, "SHOW TABLES", "csv")
    with pytest.raises(UsageError, match="no format 'xml'"):
        text_of(node, "SELECT 1", "xml")


def test_every_record_of_line_is_as_wide_as_its_names() -> None:
    table = pa.table({"short": [1], "a longer name": [2]})
    bars = {display_width(line.split("|")[0]) for line in written("line", table).split("\n")[1:3]}
    assert bars == {len("a longer name ")}
