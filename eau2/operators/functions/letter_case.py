"""Upper and lower case by the simple mappings of Unicode: one character becomes one character.

Owns: where these differ from the full mappings that Polars has (upper of a sharp s, lower of a
dotted capital I, final sigma), and a few letters newer than the Unicode that DuckDB 2.0 knows.
Does not know: SQL functions.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from eau2.operators.functions.checks import batchwise

_NEWER_UPPER = "\u1c89\ua7cb\ua7cc\ua7ce\ua7d2\ua7d4\ua7da\ua7dc"
_NEWER_LOWER = "\u019b\u0264\u1c8a\ua7cd\ua7cf\ua7d3\ua7d5\ua7db"
_NEWER_UPPER_RANGES = ((0x10D50, 0x10D65), (0x16EA0, 0x16EB8))
_NEWER_LOWER_RANGES = ((0x10D70, 0x10D85), (0x16EBB, 0x16ED3))
_EXPANDING_RANGES = (
    (0xDF, 0xDF),
    (0x149, 0x149),
    (0x1F0, 0x1F0),
    (0x390, 0x390),
    (0x3B0, 0x3B0),
    (0x587, 0x587),
    (0x1E96, 0x1E9A),
    (0x1F50, 0x1FFF),
    (0xFB00, 0xFB17),
)


def _between(ranges: tuple[tuple[int, int], ...]) -> str:
    return "".join(chr(code) for low, high in ranges for code in range(low, high + 1))


_SAME_UPPER = frozenset(_NEWER_LOWER + _between(_NEWER_LOWER_RANGES))
_SAME_LOWER = frozenset(_NEWER_UPPER + _between(_NEWER_UPPER_RANGES))
_EXPANDING = "".join(c for c in _between(_EXPANDING_RANGES) if len(c.upper()) > 1)
_RARE_UPPER = f"[{_EXPANDING}{''.join(sorted(_SAME_UPPER))}]"
_RARE_LOWER = f"[\u0130\u03a3{''.join(sorted(_SAME_LOWER))}]"


def _upper_character(char: str) -> str:
    if char in _SAME_UPPER:
        return char
    upper, title = char.upper(), char.title()
    if len(upper) == 1:
        return upper
    if char == "\u00df":
        return "\u1e9e"
    return title if len(title) == 1 else char


def _lower_character(char: str) -> str:
    return char if char in _SAME_LOWER else char.lower()[0]


def lower_text(text: str) -> str:
    """A constant in lower case."""
    return "".join(map(_lower_character, text))


def _upper_text(text: str) -> str:
    return "".join(map(_upper_character, text))


def by_distinct(function: Callable[[str], str]) -> Callable[[pl.Series], pl.Series]:
    """A function of one text as one of a column: Python runs once for each distinct text."""

    def apply(texts: pl.Series) -> pl.Series:
        known = texts.drop_nulls().unique()
        if known.is_empty():
            return texts
        mapped = pl.Series([function(text) for text in known], dtype=pl.String)
        return texts.replace_strict(known, mapped, default=None, return_dtype=pl.String)

    return apply


def _mapped(texts: pl.Series, usual: pl.Series, rare: str, name: Callable[[str], str]) -> pl.Series:
    """The engine's mapping, and Python's for texts that hold a rare letter."""
    if (texts.str.len_bytes() == texts.str.len_chars()).all():
        return usual
    is_rare = texts.str.contains(rare).fill_null(False)
    if not is_rare.any():
        return usual
    return usual.zip_with(~is_rare, by_distinct(name)(texts.set(~is_rare, None)))


def _upper(texts: pl.Series) -> pl.Series:
    return _mapped(texts, texts.str.to_uppercase(), _RARE_UPPER, _upper_text)


def _lower(texts: pl.Series) -> pl.Series:
    return _mapped(texts, texts.str.to_lowercase(), _RARE_LOWER, lower_text)


def upper(value: pl.Expr) -> pl.Expr:
    """A text column in upper case."""
    return batchwise(pl.String(), lambda frame: _upper(frame.to_series()), value)


def lower(value: pl.Expr) -> pl.Expr:
    """A text column in lower case."""
    return batchwise(pl.String(), lambda frame: _lower(frame.to_series()), value)
