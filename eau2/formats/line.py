r"""Each column on a line of its own: for rows too wide to read side by side, and for plans.

Owns: how rows are kept apart. Comes in: parts of a result. Goes out: bytes, part by part. Does not
know: the width of a terminal: nothing is cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import polars as pl
import pyarrow as pa

from eau2.formats.parts import Piece, lines, slices
from eau2.formats.texts import CONTROL_ESCAPES, display_width, pad, printable
from eau2.operators.cells import text_cell
from eau2.terminal_text import ESCAPES
from eau2.types import SqlType

_ESCAPES: Final = {char: text for char, text in CONTROL_ESCAPES.items() if char != "\n"}


def line(tables: Iterable[pa.Table], types: Sequence[SqlType]) -> Iterator[Piece]:
    r"""`name | value` for each column of a row under the row's number, as psql's \x shows it.

    A text of several lines goes on below itself; other control characters are escapes.
    """
    names: list[str] = []
    rows = 0
    for table in tables:
        if not names:
            printed = [printable(name) for name in table.column_names]
            width = max(map(display_width, printed), default=0)
            names = [pad(name, width, "left") for name in printed]
            below = "\n" + " " * width + " | "
        for frame in slices(table):
            parts: list[pl.Expr] = [
                pl.lit("-[ RECORD "),
                pl.int_range(rows + 1, rows + 1 + frame.height, dtype=pl.Int64).cast(pl.String),
                pl.lit(" ]-"),
            ]
            for label, (name, type_) in zip(names, frame.schema.items(), strict=True):
                text = text_cell(name, type_).fill_null("NULL")
                if isinstance(type_, pl.String | pl.List):
                    escapes = {**_ESCAPES, "\n": below}
                    text = text.str.replace_many(list(escapes), list(escapes.values()))
                parts += [pl.lit(f"\n{label} | "), text]
            yield lines(frame, pl.concat_str(parts))
            rows += frame.height
    if names and not rows:
        yield b"(0 rows)\n"


def first_column(tables: Iterable[pa.Table], types: Sequence[SqlType]) -> Iterator[Piece]:
    """The values of the first column, each on a line, and nothing else.

    Texts of statements and names of files are in it: what would steer a terminal is escaped.
    """
    for table in tables:
        text = "".join(f"{value}\n" for value in table.column(0).to_pylist())
        yield text.translate(ESCAPES).encode()
