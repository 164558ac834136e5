"""Floats as text: the shortest digits that read back as the same float, as DuckDB writes them.

Owns: the digits and the form of a float's text. Comes in: a column of floats. Goes out: texts.
Does not know: expressions, casts of other types.
"""

from __future__ import annotations

import struct
from fractions import Fraction

import polars as pl

_FIRST_EXPONENT = 16
"""Numbers of at least this many powers of ten are written with an exponent."""


def float_texts(values: pl.Series) -> pl.Series:
    """The shortest texts that read back as the same floats.

    Polars writes the usual magnitudes as DuckDB does; the others go through Python, once for each
    distinct value.
    """
    texts = values.cast(pl.String)
    if values.dtype == pl.Float32:
        texts = _unambiguous(values, texts)
    usual = ((values.abs() >= 1e-4) | (values == 0)) & ~texts.str.contains("[eEinN]")
    if usual.all():
        return texts
    rare = _rewrite_floats(texts.set(usual.fill_null(False), None))
    return texts.zip_with(usual.fill_null(False), rare)


def _unambiguous(values: pl.Series, texts: pl.Series) -> pl.Series:
    """FLOAT texts where DuckDB finds no single shortest one: it then writes the DOUBLE's.

    That is so only for floats of few digits, so few rows are looked at one by one.
    """
    doubles = values.cast(pl.Float64).cast(pl.String)
    few = doubles.str.len_chars() <= texts.str.len_chars() + 2
    doubtful = ((texts != doubles) & few & values.is_finite()).fill_null(False)
    if not doubtful.any():
        return texts
    frame = pl.DataFrame({"text": texts, "double": doubles}).filter(doubtful).unique()
    chosen = [double if _is_ambiguous(text, double) else text for text, double in frame.rows()]
    table = frame.select("text").with_columns(pl.Series("written", chosen, dtype=pl.String))
    joined = texts.to_frame("text").join(table, on="text", how="left", maintain_order="left")
    return joined.select(pl.coalesce("written", "text")).to_series()


def _rewrite_floats(texts: pl.Series) -> pl.Series:
    known = texts.drop_nulls().unique()
    if known.is_empty():
        return texts
    written = pl.Series([_scientific(text) for text in known], dtype=pl.String)
    return texts.replace_strict(known, written, default=None, return_dtype=pl.String)


def _scientific(text: str) -> str:
    """A float's shortest digits, as Polars found them, written as Python's repr writes floats."""
    if text.lower() in ("nan", "-nan", "inf", "-inf"):
        return text.lower()
    sign = "-" if text.startswith("-") else ""
    mantissa, _, exponent_text = text.removeprefix("-").lower().partition("e")
    whole, _, fraction = mantissa.partition(".")
    exponent = int(exponent_text or "0") + len(whole) - 1
    digits = (whole + fraction).lstrip("0")
    exponent -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0") or "0"
    if 0 <= exponent < _FIRST_EXPONENT:
        digits = digits.ljust(exponent + 2, "0")
        return f"{sign}{digits[: exponent + 1]}.{digits[exponent + 1 :]}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _is_ambiguous(text: str, double: str) -> bool:
    """Whether `text` is not plainly the shortest: another one is as near, or the border is short.

    The border is where the next FLOAT begins to be nearer. `double` is the exact value if any
    text can be ambiguous at all: such floats have few digits.
    """
    value, shortest = abs(Fraction(double)), abs(Fraction(text))
    if Fraction(float(double)) != Fraction(double):
        return False
    digits, place = _digits(shortest)
    if 2 * abs(shortest - value) == place:
        return True
    bits: int = struct.unpack("I", struct.pack("f", float(value)))[0]
    for other in (bits - 1, bits + 1):
        neighbour = Fraction(struct.unpack("f", struct.pack("I", other))[0])
        border = (neighbour + value) / 2
        if border == shortest or _digits(border)[0] < digits:
            return True
    return False


def _digits(value: Fraction) -> tuple[int, Fraction]:
    """How many significant digits a finite decimal has, and what the last one is worth."""
    place = Fraction(1)
    while (value / place).denominator != 1:
        place /= 10
    while (value / place / 10).denominator == 1:
        place *= 10
    return len(str(int(value / place))), place
