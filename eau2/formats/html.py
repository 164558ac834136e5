"""Results as tables of HTML: all rows for files, the first and last ones for notebooks.

Owns: the tags, the style, and what is escaped. Comes in: parts of a result, its SQL types. Goes
out: text that stands by itself or inside a page. Does not know: pages, notebooks.

The style takes the colours of the page around it, so it is legible on light and dark ones. No text
of a result can end a tag or begin one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import polars as pl
import pyarrow as pa

from eau2.formats.parts import Piece, lines, slices
from eau2.formats.sample import Sample
from eau2.formats.texts import CONTROL_ESCAPES, ELLIPSIS, counted, is_number
from eau2.operators.cells import text_cell
from eau2.types import SqlType

PAGE_ROWS: Final = 40
PAGE_COLUMNS: Final = 200
PAGE_CELL_CHARS: Final = 2_000
"""How much of a result a notebook shows; it says what it leaves out."""

_ESCAPES: Final = {
    # Bidi controls stay: a text that needs them is read in a cell of its own.
    **{c: text for c, text in CONTROL_ESCAPES.items() if c not in "\t\n" and c < "\u202a"},
    "\r": "&#13;",
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
}
_TRANSLATION: Final = str.maketrans(_ESCAPES)
_NULL: Final = '<td class="null">NULL</td>'

_STYLE: Final = """\
<style>
table.eau2 { border-collapse: collapse; font-variant-numeric: tabular-nums; }
table.eau2 th, table.eau2 td { padding: 0.2em 0.8em; text-align: left; vertical-align: top;
  white-space: pre-wrap; border: 0 solid rgba(128, 128, 128, 0.35); border-bottom-width: 1px; }
table.eau2 thead th { border-bottom-width: 2px; }
table.eau2 th small { font-weight: normal; opacity: 0.65; }
table.eau2 .number { text-align: right; }
table.eau2 td.null { font-style: italic; opacity: 0.55; }
table.eau2 caption { caption-side: bottom; text-align: left; padding: 0.4em 0.8em; opacity: 0.75; }
</style>
"""


def html(tables: Iterable[pa.Table], types: Sequence[SqlType]) -> Iterator[Piece]:
    """One table with all rows; the types stand under the names."""
    begun = False
    for table in tables:
        if not begun and table.num_columns:
            begun = True
            yield (_STYLE + _opening(table.schema, types)).encode()
        for frame in slices(table):
            cells = [
                _cell(name, type_, is_number(field.type))
                for (name, type_), field in zip(frame.schema.items(), table.schema, strict=True)
            ]
            yield lines(frame, pl.concat_str([pl.lit("<tr>"), *cells, pl.lit("</tr>")]))
    if begun:
        yield b"</tbody>\n</table>\n"


def page(table: pa.Table, types: Sequence[SqlType]) -> str:
    """A table with at most PAGE_ROWS rows, and below it how many of how many they are.

    Of more than PAGE_COLUMNS columns the first ones are shown, of longer cells than PAGE_CELL_CHARS
    the beginning. The empty string for a result without columns.
    """
    if not table.num_columns:
        return ""
    sample = Sample(PAGE_ROWS)
    sample.add(table.select(range(min(table.num_columns, PAGE_COLUMNS))))
    columns = sample.cells()
    numbers = [is_number(field.type) for field in sample.schema]
    text = [_STYLE, _opening(sample.schema, types[: len(columns)])]
    for index in range(sample.shown):
        if index == sample.gap:
            text.append(f"<tr>{f'<td>{ELLIPSIS}</td>' * len(columns)}</tr>\n")
        cells = [
            _page_cell(column[index], number)
            for column, number in zip(columns, numbers, strict=True)
        ]
        text.append(f"<tr>{''.join(cells)}</tr>\n")
    said = [counted(sample.shown, sample.rows, "row")]
    if len(columns) < table.num_columns:
        said.append(counted(len(columns), table.num_columns, "column"))
    if any(cell is not None and len(cell) > PAGE_CELL_CHARS for c in columns for cell in c):
        said.append(f"long texts cut after {PAGE_CELL_CHARS:,} characters")
    text.append(f"</tbody>\n<caption>{', '.join(said)}</caption>\n</table>\n")
    return "".join(text)


def escaped(text: str) -> str:
    """`text` for between tags, or in an attribute; control characters are written as escapes."""
    return text.translate(_TRANSLATION)


def _opening(schema: pa.Schema, types: Sequence[SqlType]) -> str:
    heads = [
        f"<th{_class(is_number(field.type))}>{escaped(field.name)}<br>"
        f"<small>{escaped(str(type_))}</small></th>"
        for field, type_ in zip(schema, types, strict=True)
    ]
    return f'<table class="eau2">\n<thead>\n<tr>{"".join(heads)}</tr>\n</thead>\n<tbody>\n'


def _cell(name: str, type_: pl.DataType, number: bool) -> pl.Expr:
    text = text_cell(name, type_)
    if isinstance(type_, pl.String | pl.List):
        text = text.str.replace_many(list(_ESCAPES), list(_ESCAPES.values()))
    cell = pl.concat_str(pl.lit(f"<td{_class(number)}>"), text, pl.lit("</td>"))
    return cell.fill_null(_NULL)


def _page_cell(text: str | None, number: bool) -> str:
    if text is None:
        return _NULL
    if len(text) > PAGE_CELL_CHARS:
        text = text[:PAGE_CELL_CHARS] + ELLIPSIS
    return f"<td{_class(number)}>{escaped(text)}</td>"


def _class(number: bool) -> str:
    return ' class="number"' if number else ""
