"""Results as text and bytes: a box for people; csv, json and Arrow for programs.

Owns: the four output formats. Comes in: an Arrow table in its logical types, and its SQL types.
Goes out: text, or bytes written to a sink. Does not know: connections, statements, where the sink
leads. Only the box leaves anything out, and it says so; the other formats work on whole
columns, never on single rows.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

import polars as pl
import pyarrow as pa

from eau2.types import SqlType

BOX_ROWS: Final = 40
"""A box shows at most this many rows: the first half and the last half of them."""

SLICE_ROWS: Final = 100_000
"""Rows turned to bytes at once, so that a large result needs no second copy in memory."""

NARROWEST_COLUMN: Final = 12
"""Columns are cut down to this width, not further: a date stays whole."""

ELLIPSIS: Final = "…"


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
    if table.num_columns == 0:
        return ""
    cells = _sample(table, max_rows)
    shown_rows = min(max_rows, table.num_rows)
    heads = [
        (_printable(name), str(type_))
        for name, type_ in zip(table.column_names, types, strict=True)
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
            columns.append(([_cut(text, cap) for text in column], _is_number(table, index)))
    footer = _count(shown_rows, table.num_rows, "row")
    shown_columns = sum(index is not None for index in kept)
    if shown_columns < table.num_columns:
        footer += ", " + _count(shown_columns, table.num_columns, "column")
    return _draw(columns) + footer


def write_csv(table: pa.Table, sink: BinaryIO) -> None:
    """RFC 4180 with line feeds: a header line, quotes where needed, nothing for NULL, "" for ''."""
    header = ",".join(_csv_cell(name) for name in table.column_names)
    sink.write(f"{header}\n".encode())
    for frame in _slices(table):
        texts = frame.select(_text(name, type_) for name, type_ in frame.schema.items())
        sink.write(texts.write_csv(include_header=False).encode())


def write_json(table: pa.Table, sink: BinaryIO) -> None:
    """A JSON array with one object, on one line, for each row.

    Integers and decimals are numbers with all their digits; NaN and infinities, which JSON
    has not, are the strings "NaN", "Infinity" and "-Infinity"; dates and timestamps are strings. A
    column name that occurs again gets a number: a, a_1.
    """
    keys = [pl.Series([{"": name}]).struct.json_encode()[0][4:-1] for name in _unique(table)]
    lead = b"["
    for frame in _slices(table):
        parts: list[pl.Expr] = [pl.lit("{")]
        for index, (name, type_) in enumerate(frame.schema.items()):
            parts += [pl.lit(f"{', ' if index else ''}{keys[index]}: "), _json(name, type_)]
        lines = frame.select(pl.concat_str([*parts, pl.lit("}")]).alias("0"))["0"]
        text = lines.str.join(",\n ")[0] if len(lines) else ""
        sink.write(lead + str(text).encode())
        lead = b",\n "
    sink.write(b"[]\n" if lead == b"[" else b"]\n")


def write_arrow(table: pa.Table, sink: BinaryIO) -> None:
    """An Arrow IPC stream."""
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=SLICE_ROWS)


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
        frame = pl.from_arrow(plain.slice(start, SLICE_ROWS))
        assert isinstance(frame, pl.DataFrame)
        yield frame


def _text(name: str, type_: pl.DataType) -> pl.Expr:
    """A column as text, the way a CAST to VARCHAR shows it."""
    column = pl.col(name)
    if isinstance(type_, pl.Datetime):
        # Six digits always follow the point, so that only they can lose their zeros.
        digits = column.dt.to_string("%Y-%m-%d %H:%M:%S%.6f")
        return digits.str.strip_chars_end("0").str.strip_suffix(".").alias(name)
    if type_.is_float():
        text = column.cast(pl.String)
        return pl.when(column.is_nan()).then(pl.lit("nan")).otherwise(text).alias(name)
    return column.cast(pl.String)


def _json(name: str, type_: pl.DataType) -> pl.Expr:
    """A column as JSON text; NULL is null."""
    column, text = pl.col(name), _text(name, type_)
    if type_ == pl.String or type_.is_temporal():
        # A struct of one field named "" encodes as {"":VALUE}, with JSON's own escapes.
        encoded = pl.struct(text.alias("")).struct.json_encode()
        return encoded.str.strip_prefix('{"":').str.strip_suffix("}")
    if type_.is_float():
        text = (
            pl.when(column.is_nan())
            .then(pl.lit('"NaN"'))
            .when(column.is_infinite() & (column > 0))
            .then(pl.lit('"Infinity"'))
            .when(column.is_infinite())
            .then(pl.lit('"-Infinity"'))
            .otherwise(text)
        )
    return text.fill_null("null")


def _sample(table: pa.Table, max_rows: int) -> list[list[str]]:
    """The cells to show, by column: all, or the first and last rows around a row of ellipses."""
    if table.num_rows <= max_rows:
        return _cells(table)
    tail = max_rows // 2
    first = _cells(table.slice(0, max_rows - tail))
    last = _cells(table.slice(table.num_rows - tail))
    return [[*head, ELLIPSIS, *rest] for head, rest in zip(first, last, strict=True)]


def _cells(table: pa.Table) -> list[list[str]]:
    if table.num_rows == 0:
        return [[] for _ in range(table.num_columns)]
    (frame,) = _slices(table)
    texts = frame.select(
        _text(name, type_).fill_null("NULL") for name, type_ in frame.schema.items()
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


def _is_number(table: pa.Table, index: int) -> bool:
    type_ = table.schema.field(index).type
    return bool(
        pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)
    )


def _count(shown: int, total: int, noun: str) -> str:
    plural = noun if total == 1 else noun + "s"
    return f"{total:,} {plural}" if shown == total else f"{shown:,} of {total:,} {plural}"


def _unique(table: pa.Table) -> list[str]:
    """The column names, numbered where one occurs again."""
    taken: set[str] = set()
    names: list[str] = []
    for name in table.column_names:
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
