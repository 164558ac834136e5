r"""Results as tables of Markdown, in GitHub's form.

Owns: what is escaped so that a cell shows its text and nothing else. Comes in: parts of a result.
Goes out: bytes, part by part. Does not know: types beyond what stands to the right.

Source: GitHub Flavored Markdown Spec, "Tables (extension)", "Backslash escapes" and "Entity and
numeric character references". A line break is `<br>` and NULL is `*NULL*`; both are escaped where a
text has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import polars as pl
import pyarrow as pa

from eau2.formats.parts import Piece, lines, slices
from eau2.formats.texts import is_number
from eau2.operators.cells import text_cell
from eau2.types import SqlType

_NULL: Final = "*NULL*"
_BREAKS: Final = {"\n": "<br>", "\r": "&#13;", "\x0c": "&#12;"}
"""What could end a line, or is trimmed at the ends of a cell."""


def markdown(tables: Iterable[pa.Table], types: Sequence[SqlType]) -> Iterator[Piece]:
    """A line of names, one that says which columns stand to the right, and a line for each row."""
    for number, table in enumerate(tables):
        if not number and table.num_columns:
            names = pl.Series("0", table.column_names, pl.String).to_frame()
            header = names.select(_escaped(pl.col("0")))["0"].to_list()
            rules = ["---:" if is_number(field.type) else "---" for field in table.schema]
            yield f"| {' | '.join(header)} |\n| {' | '.join(rules)} |\n".encode()
        for frame in slices(table):
            cells = [_cell(name, type_) for name, type_ in frame.schema.items()]
            row = pl.concat_str(cells, separator=" | ")
            yield lines(frame, pl.lit("| ") + row + pl.lit(" |"))


def _cell(name: str, type_: pl.DataType) -> pl.Expr:
    text = text_cell(name, type_)
    if isinstance(type_, pl.String | pl.List):
        text = _escaped(text)
    return text.fill_null(_NULL)


def _escaped(text: pl.Expr) -> pl.Expr:
    text = text.str.replace_all(r"([\\|*`~<_])", r"\${1}")
    # Between letters or digits an underscore means itself. Twice, since matches do not overlap.
    for _ in range(2):
        text = text.str.replace_all(r"([\pL\pN])\\_([\pL\pN])", "${1}_${2}")
    text = text.str.replace_all("](", "]\\(", literal=True)
    text = text.str.replace_all(r"&(#?[A-Za-z0-9]+;)", "&amp;${1}")
    text = text.str.replace(r"^ ", "&#32;").str.replace(r" $", "&#32;")
    text = text.str.replace(r"^\t", "&#9;").str.replace(r"\t$", "&#9;")
    return text.str.replace_many(list(_BREAKS), list(_BREAKS.values()))
