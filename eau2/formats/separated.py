"""Values with separators between them: csv and tsv, with a line of names.

Owns: what stands in quotes or is escaped, and how NULL is told from an empty text. Comes in: parts
of a result. Goes out: bytes, part by part. Does not know: terminals, files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import polars as pl
import pyarrow as pa

from eau2.formats.parts import Piece, lines, slices
from eau2.operators.cells import text_cell
from eau2.types import SqlType

_TSV_ESCAPES: Final = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_TSV_NULL: Final = "\\N"


def csv(tables: Iterable[pa.Table], types: Sequence[SqlType]) -> Iterator[Piece]:
    """RFC 4180 with line feeds: a header line, quotes where needed, nothing for NULL, "" for ''."""
    for number, table in enumerate(tables):
        if not number and table.num_columns:
            header = ",".join(_csv_cell(name) for name in table.column_names)
            yield f"{header}\n".encode()
        for frame in slices(table):
            texts = frame.select(text_cell(name, type_) for name, type_ in frame.schema.items())
            yield texts.write_csv(include_header=False).encode()


def tsv(tables: Iterable[pa.Table], types: Sequence[SqlType]) -> Iterator[Piece]:
    r"""A header line and a line for each row, with tabs between the values and no quotes.

    In values \t, \n, \r and \\ stand for a tab, the line breaks and the backslash; NULL is \N, as
    in PostgreSQL's COPY (its text format) and ClickHouse's TabSeparated.
    """
    for number, table in enumerate(tables):
        if not number and table.num_columns:
            header = "\t".join(
                name.translate(str.maketrans(_TSV_ESCAPES)) for name in table.column_names
            )
            yield f"{header}\n".encode()
        for frame in slices(table):
            cells = [
                _tsv_cell(text_cell(name, type_), type_) for name, type_ in frame.schema.items()
            ]
            yield lines(frame, pl.concat_str(cells, separator="\t"))


def _tsv_cell(text: pl.Expr, type_: pl.DataType) -> pl.Expr:
    if isinstance(type_, pl.String | pl.List):
        text = text.str.replace_many(list(_TSV_ESCAPES), list(_TSV_ESCAPES.values()))
    return text.fill_null(_TSV_NULL)


def _csv_cell(text: str) -> str:
    if text == "" or any(char in text for char in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
