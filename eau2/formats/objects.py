"""Rows as JSON objects: an array of them, or one on each line.

Owns: keys, and what stands between the objects. Comes in: parts of a result. Goes out: bytes, part
by part. Does not know: how a value is written as JSON (operators/cells.py).

JSON may hold DEL, C1 and bidi controls as they are, but then whoever prints it is steered by them:
they are written as escapes, which mean the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import polars as pl
import pyarrow as pa

from eau2.formats.parts import Piece, lines, slices, unique
from eau2.operators.cells import json_cell
from eau2.types import SqlType

_STEERING: Final = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2(?:\x80[\xa8-\xae]|\x81[\xa6-\xa9])")
_FIRST: Final = (b"\x7f", b"\xc2", b"\xe2")
"""The first bytes of these characters: most texts have none of them, which is soon seen."""


def json(tables: Iterable[pa.Table], types: Sequence[SqlType]) -> Iterator[Piece]:
    """A JSON array with one object, on one line, for each row.

    Integers and decimals are numbers with all their digits; NaN and infinities, which JSON
    has not, are the strings "NaN", "Infinity" and "-Infinity"; dates and timestamps are strings. A
    column name that occurs again gets a number: a, a_1.
    """
    keys: list[str] = []
    lead = b"["
    for table in tables:
        keys = keys or _keys(table)
        for frame in slices(table):
            yield lead + _objects(frame, keys, ",\n ")[: -len(",\n ")]
            lead = b",\n "
    if keys:
        yield b"[]\n" if lead == b"[" else b"]\n"


def ndjson(tables: Iterable[pa.Table], types: Sequence[SqlType]) -> Iterator[Piece]:
    """The same objects, each on a line of its own and nothing around them."""
    keys: list[str] = []
    for table in tables:
        keys = keys or _keys(table)
        for frame in slices(table):
            yield _objects(frame, keys, "\n")


def _keys(table: pa.Table) -> list[str]:
    return [
        pl.Series([{"": name}]).struct.json_encode()[0][4:-1] for name in unique(table.column_names)
    ]


def _objects(frame: pl.DataFrame, keys: list[str], end: str) -> bytes:
    parts: list[pl.Expr] = [pl.lit("{")]
    for index, (name, type_) in enumerate(frame.schema.items()):
        parts += [pl.lit(f"{', ' if index else ''}{keys[index]}: "), json_cell(name, type_)]
    text = lines(frame, pl.concat_str([*parts, pl.lit("}")]), end)
    if not any(first in text for first in _FIRST):
        return text
    return _STEERING.sub(lambda found: b"\\u%04x" % ord(found[0].decode()), text)
