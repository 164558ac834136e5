"""The box: a result drawn for people, with types under the names and the rows counted below.

Owns: what is left out of a large result, and the lines around the rest. Comes in: parts of a
result, its SQL types. Goes out: text. Does not know: terminals beyond their width.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import pyarrow as pa

from eau2.formats.parts import Piece
from eau2.formats.sample import Sample
from eau2.formats.texts import ELLIPSIS, counted, cut, display_width, is_number, pad, printable
from eau2.types import SqlType

BOX_ROWS: Final = 40
"""A box shows at most this many rows: the first half and the last half of them."""

NARROWEST_COLUMN: Final = 12
"""Columns are cut down to this width, not further: a date stays whole."""


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
    sample = Sample(max_rows)
    sample.add(table)
    return _box(sample, types, width)


def boxed(
    tables: Iterable[pa.Table],
    types: Sequence[SqlType],
    width: int | None,
    max_rows: int = BOX_ROWS,
) -> Iterator[Piece]:
    """Nothing comes before the last row is known, but few rows are held."""
    sample = Sample(max_rows)
    for table in tables:
        sample.add(table)
    if text := _box(sample, types, width):
        yield f"{text}\n".encode()


def _box(sample: Sample, types: Sequence[SqlType], width: int | None) -> str:
    schema = sample.schema
    if not len(schema):
        return ""
    cells = [
        ["NULL" if text is None else printable(text) for text in column]
        for column in sample.cells()
    ]
    if sample.gap is not None:
        for column in cells:
            column.insert(sample.gap, ELLIPSIS)
    heads = [(printable(name), str(type_)) for name, type_ in zip(schema.names, types, strict=True)]
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
            right = is_number(schema.field(index).type)
            columns.append(([cut(text, cap) for text in column], right))
    footer = counted(sample.shown, sample.rows, "row")
    shown_columns = sum(index is not None for index in kept)
    if shown_columns < len(schema):
        footer += ", " + counted(shown_columns, len(schema), "column")
    return _draw(columns) + footer


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


def _draw(columns: list[tuple[list[str], bool]]) -> str:
    """The box itself; each column is its name, its type, its cells, and whether to align right."""
    padded: list[list[str]] = []
    for texts, right in columns:
        width = max(map(display_width, texts))
        column = [pad(text, width, "centre") for text in texts[:2]]
        column += [pad(text, width, "right" if right else "left") for text in texts[2:]]
        padded.append(column)
    rules = ["─" * (display_width(column[0]) + 2) for column in padded]
    lines = ["│ " + " │ ".join(row) + " │" for row in zip(*padded, strict=True)]
    top, middle, bottom = (
        f"{left}{joint.join(rules)}{right}" for left, joint, right in ("┌┬┐", "├┼┤", "└┴┘")
    )
    return "\n".join([top, *lines[:2], middle, *lines[2:], bottom]) + "\n"
