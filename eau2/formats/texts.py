"""Texts of results before human eyes: how wide they are, what must not reach a terminal, counts.

Owns: the widths of characters and the escapes of control characters. Comes in: texts. Goes out: the
same, and numbers. Does not know: tables, formats.
"""

from __future__ import annotations

import unicodedata
from typing import Final

import pyarrow as pa

from eau2.terminal_text import ESCAPES

ELLIPSIS: Final = "…"


CONTROL_ESCAPES: Final = {"\n": "\\n", **{chr(code): text for code, text in ESCAPES.items()}}
"""Control characters, line breaks and bidi controls, and what is written in their place."""

_TRANSLATION: Final = str.maketrans(CONTROL_ESCAPES)


def printable(text: str) -> str:
    """`text` with control characters written as escapes: a cell must not steer the terminal."""
    return text if text.isprintable() else text.translate(_TRANSLATION)


def display_width(text: str) -> int:
    """The terminal columns that `text` takes: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(map(character_width, text))


def character_width(character: str) -> int:
    """The terminal columns of one character."""
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Me", "Mn"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def cut(text: str, width: int) -> str:
    """`text`, ended by an ellipsis when it is wider than `width`."""
    if display_width(text) <= width:
        return text
    kept, used = "", len(ELLIPSIS)
    for char in text:
        used += character_width(char)
        if used > width:
            break
        kept += char
    return kept + ELLIPSIS


def pad(text: str, width: int, align: str) -> str:
    """`text` with spaces around it; align: left, right or centre."""
    room = width - display_width(text)
    left = {"left": 0, "right": room, "centre": room // 2}[align]
    return " " * left + text + " " * (room - left)


def counted(shown: int, total: int, noun: str) -> str:
    """`3 rows`, or `40 of 1,000 rows`."""
    plural = noun if total == 1 else noun + "s"
    return f"{total:,} {plural}" if shown == total else f"{shown:,} of {total:,} {plural}"


def is_number(type_: pa.DataType) -> bool:
    """Whether cells of that type stand to the right."""
    return bool(
        pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)
    )
