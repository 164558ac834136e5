"""Results as text and bytes: formats by their names.

Owns: which formats there are. Comes in: the parts of a result, Arrow tables in their logical types,
and its SQL types. Goes out: bytes, piece by piece. Does not know: connections, statements, where
the bytes go. Only the box leaves anything out, and it says so; the other formats work on whole
columns, never on single rows. Of a large result no format holds more than a few parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import pyarrow as pa

from eau2.errors import UsageError
from eau2.formats.arrow import arrow
from eau2.formats.box import BOX_ROWS as BOX_ROWS
from eau2.formats.box import box as box
from eau2.formats.box import boxed
from eau2.formats.html import html
from eau2.formats.line import first_column, line
from eau2.formats.markdown import markdown
from eau2.formats.objects import json, ndjson
from eau2.formats.parts import SLICE_ROWS as SLICE_ROWS
from eau2.formats.parts import Piece as Piece
from eau2.formats.separated import csv, tsv
from eau2.formats.texts import display_width as display_width
from eau2.types import SqlType

Writer = Callable[[Iterable[pa.Table], Sequence[SqlType]], Iterator[Piece]]


def _parquet(tables: Iterable[pa.Table], types: Sequence[SqlType]) -> Iterator[Piece]:
    from eau2.formats.parquet import parquet

    return parquet(tables, types)


_WRITERS: Final[dict[str, Writer]] = {
    "markdown": markdown,
    "csv": csv,
    "tsv": tsv,
    "json": json,
    "ndjson": ndjson,
    "line": line,
    "html": html,
    "parquet": _parquet,
    "arrow": arrow,
}

FORMATS: Final = ("box", *_WRITERS)
"""What a user may ask for. The command line has its own copy, which loads nothing."""


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
    it. Raises UsageError for any other format.
    """
    if form == "box":
        return boxed(tables, types, width, max_rows)
    if form == "lines":
        return first_column(tables, types)
    if form not in _WRITERS:
        raise UsageError(
            f"there is no format '{form[:40]}'", hint=f"The formats are {', '.join(FORMATS)}."
        )
    return _WRITERS[form](tables, types)
