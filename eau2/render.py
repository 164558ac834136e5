"""Results as text and bytes: a box for people; csv, json and Arrow for programs.

Owns: the four output formats. Comes in: the parts of a result, Arrow tables in their logical types,
and its SQL types. Goes out: bytes, piece by piece. Does not know: connections, statements, where
the bytes go. Only the box leaves anything out, and it says so; the other formats work on whole
columns, never on single rows. Of a large result no format holds more than a few parts.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import polars as pl
import pyarrow as pa

from eau2.errors import UsageError
from eau2.operators.cells import json_cell, text_cell
from eau2.operators.functions.interval_text import intervals_spelled
from eau2.sink import Sink
from eau2.types import SqlType

Piece = bytes | memoryview

BOX_ROWS: Final = 40
"""A box shows at most this many rows: the first half and the last half of them."""

SLICE_ROWS: Final = 100_000
"""Rows turned to bytes at once, so that a large result needs no second copy in memory."""

NARROWEST_COLUMN: Final = 12
"""Columns are cut down to this width, not further: a date stays whole."""

_LARGE_BYTES: Final = 4096
"""Smaller buffers of Arrow's are joined."""

ELLIPSIS: Final = "…"


def rendered(
    form: str,
    tables: Iterable[pa.Table],
    types: Sequence[SqlType],
    width: int | None = None,
    max_rows: int = BOX_ROWS,
) -> Iterator[Piece]:
    """A result in the format called `form`, piece by piece; nothing when it has no columns.

    tables: its parts in order, at least one, taken one at a time. types: the SQL type of each
    column. width: how many columns a box may take, None for any number; max_rows: how many rows.
    "lines" is the first column without a frame around it: a plan is read whole, so no box may cut
    it.
    """
    match form:
        case "box":
            return _boxed(tables, types, width, max_rows)
        case "csv":
            return _csv(tables)
        case "json":
            return _json(tables)
        case "arrow":
            return _arrow(tables)
        case "lines":
            return _lines(tables)
    raise UsageError(f"there is no format '{form}'", hint="The formats are box, csv, json, arrow.")


def box(
    table: pa.Table,
    types: Sequence[SqlType],
    *,
    max_rows: int = BOX_ROWS,
    width: int | None = None,
) -> str:
    """`table` drawn as a box with a line below it that counts the rows.

    types: the SQL type of each column, shown under its name. max_rows: how many to show at most.
    width: terminal columns to stay within, None for no bound. Cells that do not fit end in an
    ellipsis; columns that do not fit at all are left out of the middle. A table without columns
    is the empty string.
    """
    sample = _Sample(max_rows)
    sample.add(table)
    return _box(sample, types, width)


class _Sample:
    """The rows of a result that a box shows: all, or the first and the last ones."""

    def __init__(self, max_rows: int) -> None:
        self.schema: pa.Schema = pa.schema([])
        self.rows = 0
        self._max_rows = max_rows
        self._head: list[list[str]] = []
        self._tail: deque[pa.Table] = deque()

    @property
    def shown(self) -> int:
        """How many rows are shown."""
        return min(self.rows, self._max_rows)

    def add(self, table: pa.Table) -> None:
        """Take the next part. What is not needed of it is not kept."""
        if not self._head:
            self.schema = table.schema
            self._head = [[] for _ in table.schema]
        self.rows += table.num_rows
        room = self._max_rows - (len(self._head[0]) if self._head else 0)
        if room > 0:
            for column, cells in zip(self._head, _cells(table.slice(0, room)), strict=True):
                column += cells
        self._tail.append(table)
        held = sum(part.num_rows for part in self._tail)
        while held - self._tail[0].num_rows >= self._max_rows // 2 and len(self._tail) > 1:
            held -= self._tail.popleft().num_rows

    def cells(self) -> list[list[str]]:
        """The cells to show, by column; where rows are left out stands a row of ellipses."""
        if self.rows <= self._max_rows:
            return self._head
        below = self._max_rows // 2
        end = pa.concat_tables(self._tail)
        last = _cells(end.slice(end.num_rows - below))
        first = self._max_rows - below
        return [[*h[:first], ELLIPSIS, *t] for h, t in zip(self._head, last, strict=True)]


def _box(sample: _Sample, types: Sequence[SqlType], width: int | None) -> str:
    schema = sample.schema
    if not len(schema):
        return ""
    cells = sample.cells()
    heads = [
        (_printable(name), str(type_)) for name, type_ in zip(schema.names, types, strict=True)
    ]
    widths = [
        max(display_width(text) for text in (*head, *column))
        for head, column in zip(heads, cells, strict=True)
    ]
    kept, cap = _fit(widths, width)
    columns: list[tuple[list[str], bool]] = []
    for index in kept:
        if index is None:
            columns.append(([ELLIPSIS] * (len(cells[0]) + 2), False))
        else:
            column = [*heads[index], *cells[index]]
            right = _is_number(schema.field(index).type)
            columns.append(([_cut(text, cap) for text in column], right))
    footer = _count(sample.shown, sample.rows, "row")
    shown_columns = sum(index is not None for index in kept)
    if shown_columns < len(schema):
        footer += ", " + _count(shown_columns, len(schema), "column")
    return _draw(columns) + footer


def _boxed(
    tables: Iterable[pa.Table], types: Sequence[SqlType], width: int | None, max_rows: int
) -> Iterator[Piece]:
    """Nothing comes before the last row is known, but few rows are held."""
    sample = _Sample(max_rows)
    for table in tables:
        sample.add(table)
    if text := _box(sample, types, width):
        yield f"{text}\n".encode()


def _csv(tables: Iterable[pa.Table]) -> Iterator[Piece]:
    """RFC 4180 with line feeds: a header line, quotes where needed, nothing for NULL, "" for ''."""
    for number, table in enumerate(tables):
        if not number and table.num_columns:
            header = ",".join(_csv_cell(name) for name in table.column_names)
            yield f"{header}\n".encode()
        for frame in _slices(table):
            texts = frame.select(text_cell(name, type_) for name, type_ in frame.schema.items())
            yield texts.write_csv(include_header=False).encode()


def _json(tables: Iterable[pa.Table]) -> Iterator[Piece]:
    """A JSON array with one object, on one line, for each row.

    Integers and decimals are numbers with all their digits; NaN and infinities, which JSON
    has not, are the strings "NaN", "Infinity" and "-Infinity"; dates and timestamps are strings. A
    column name that occurs again gets a number: a, a_1.
    """
    keys: list[str] = []
    lead = b"["
    for table in tables:
        keys = keys or [
            pl.Series([{"": name}]).struct.json_encode()[0][4:-1]
            for name in _unique(table.column_names)
        ]
        for frame in _slices(table):
            parts: list[pl.Expr] = [pl.lit("{")]
            for index, (name, type_) in enumerate(frame.schema.items()):
                parts += [
                    pl.lit(f"{', ' if index else ''}{keys[index]}: "),
                    json_cell(name, type_),
                ]
            lines = frame.select(pl.concat_str([*parts, pl.lit("}")]).alias("0"))["0"]
            yield lead + str(lines.str.join(",\n ")[0]).encode()
            lead = b",\n "
    if keys:
        yield b"[]\n" if lead == b"[" else b"]\n"


class _Collected(Sink):
    """What Arrow has written and nobody has taken."""

    def __init__(self) -> None:
        super().__init__()
        self._held: list[Piece] = []

    def take(self, view: memoryview) -> None:
        self._held.append(view if len(view) >= _LARGE_BYTES else bytes(view))

    def taken(self) -> list[Piece]:
        """All of it, small buffers joined."""
        held, self._held = self._held, []
        pieces: list[Piece] = []
        small = b""
        for piece in held:
            if len(piece) < _LARGE_BYTES:
                small += piece
                continue
            pieces += [small, piece] if small else [piece]
            small = b""
        return [*pieces, small] if small else pieces


def _arrow(tables: Iterable[pa.Table]) -> Iterator[Piece]:
    """An Arrow IPC stream. Its batches are the same however the result was cut into parts."""
    sink = _Collected()
    writer = None
    for table in _even(tables):
        if not table.num_columns:
            return
        writer = writer or pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), table.schema)
        writer.write_table(table, max_chunksize=SLICE_ROWS)
        yield from sink.taken()
    if writer is not None:
        writer.close()
        yield from sink.taken()


def _even(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of SLICE_ROWS, the last one shorter; one at least."""
    held: list[pa.Table] = []
    rows = given = 0
    for table in tables:
        held.append(table)
        rows += table.num_rows
        while rows >= SLICE_ROWS:
            whole = pa.concat_tables(held)
            yield _compact(whole.slice(0, SLICE_ROWS))
            given += 1
            rows -= SLICE_ROWS
            held = [whole.slice(SLICE_ROWS)]
    if held and (rows or not given):
        yield _compact(pa.concat_tables(held))


def _compact(table: pa.Table) -> pa.Table:
    """The rows in buffers of their own, whose sizes depend on nothing else."""
    # Joining with an empty array makes even a single slice copy only the bytes it refers to.
    columns = [
        pa.concat_arrays([*column.chunks, pa.array([], column.type)]) for column in table.columns
    ]
    return pa.Table.from_arrays(columns, schema=table.schema)


def _lines(tables: Iterable[pa.Table]) -> Iterator[Piece]:
    for table in tables:
        yield "".join(f"{value}\n" for value in table.column(0).to_pylist()).encode()


def display_width(text: str) -> int:
    """The terminal columns that `text` takes: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Me", "Mn"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _slices(table: pa.Table) -> Iterator[pl.DataFrame]:
    """Polars frames over slices of `table`, their columns named by position.

    By position, since a result may use one name twice and a Polars frame cannot.
    """
    plain = table.rename_columns([str(index) for index in range(table.num_columns)])
    for start in range(0, table.num_rows, SLICE_ROWS):
        frame = pl.from_arrow(intervals_spelled(plain.slice(start, SLICE_ROWS)))
        assert isinstance(frame, pl.DataFrame)
        yield frame


def _cells(table: pa.Table) -> list[list[str]]:
    if table.num_rows == 0:
        return [[] for _ in range(table.num_columns)]
    (frame,) = _slices(table)
    texts = frame.select(
        text_cell(name, type_).fill_null("NULL") for name, type_ in frame.schema.items()
    )
    return [[_printable(text) for text in column.to_list()] for column in texts.iter_columns()]


def _printable(text: str) -> str:
    """`text` with control characters written as escapes: a cell must not steer the terminal."""
    if text.isprintable():
        return text
    return "".join(
        char if unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp") else _escape(char)
        for char in text
    )


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode()


def _fit(widths: list[int], width: int | None) -> tuple[list[int | None], int]:
    """Which columns to show (None for the gap) and how wide each may be, to stay within `width`.

    The widest columns give way first. When all are narrow and there are still too many, the
    middle ones go.
    """
    everything: list[int | None] = list(range(len(widths)))
    widest = max(widths)
    if width is None:
        return everything, widest

    def total(chosen: list[int], cap: int) -> int:
        return sum(min(widths[index], cap) + 3 for index in chosen) + 1

    chosen = list(range(len(widths)))
    cap = min(widest, max(width, NARROWEST_COLUMN))
    while cap > NARROWEST_COLUMN and total(chosen, cap) > width:
        cap -= 1
    if total(chosen, cap) <= width:
        return everything, cap
    gap = len(ELLIPSIS) + 3
    while len(chosen) > 1 and total(chosen, cap) + gap > width:
        chosen.pop(len(chosen) // 2)
    left = (len(chosen) + 1) // 2
    return [*chosen[:left], None, *chosen[left:]], cap


def _cut(text: str, width: int) -> str:
    """`text`, ended by an ellipsis when it is wider than `width`."""
    if display_width(text) <= width:
        return text
    kept, used = "", len(ELLIPSIS)
    for char in text:
        used += _character_width(char)
        if used > width:
            break
        kept += char
    return kept + ELLIPSIS


def _draw(columns: list[tuple[list[str], bool]]) -> str:
    """The box itself; each column is its name, its type, its cells, and whether to align right."""
    padded: list[list[str]] = []
    for texts, right in columns:
        width = max(map(display_width, texts))
        column = [_pad(text, width, "centre") for text in texts[:2]]
        column += [_pad(text, width, "right" if right else "left") for text in texts[2:]]
        padded.append(column)
    rules = ["─" * (display_width(column[0]) + 2) for column in padded]
    lines = ["│ " + " │ ".join(row) + " │" for row in zip(*padded, strict=True)]
    top, middle, bottom = (
        f"{left}{joint.join(rules)}{right}" for left, joint, right in ("┌┬┐", "├┼┤", "└┴┘")
    )
    return "\n".join([top, *lines[:2], middle, *lines[2:], bottom]) + "\n"


def _pad(text: str, width: int, align: str) -> str:
    room = width - display_width(text)
    left = {"left": 0, "right": room, "centre": room // 2}[align]
    return " " * left + text + " " * (room - left)


def _is_number(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)
    )


def _count(shown: int, total: int, noun: str) -> str:
    plural = noun if total == 1 else noun + "s"
    return f"{total:,} {plural}" if shown == total else f"{shown:,} of {total:,} {plural}"


def _unique(column_names: Sequence[str]) -> list[str]:
    """The names, numbered where one occurs again."""
    taken: set[str] = set()
    names: list[str] = []
    for name in column_names:
        candidate, number = name, 0
        while candidate in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate)
        names.append(candidate)
    return names


def _csv_cell(text: str) -> str:
    if text == "" or any(char in text for char in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
