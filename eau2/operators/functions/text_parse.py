"""Texts read as numbers and booleans: every form that DuckDB takes.

Owns: the grammar of values in text. Comes in: a column of (distinct) texts. Goes out: a column of
values in kernel form, NULL where a text is no value.
Does not know: expressions, dates (moments.py), what happens to texts that are no values.
"""

from __future__ import annotations

import polars as pl

from eau2.operators.physical import kernel_dtype
from eau2.types import INTEGER_RANGES, SqlType

SPACES = " \t\n\r\x0b\x0c"
_TRUE = ["true", "t", "yes", "y", "1"]
_FALSE = ["false", "f", "no", "n", "0"]
_DIGITS = "[0-9](?:_?[0-9])*"
_NUMBER = f"^([+-]?)({_DIGITS})?(?:[.]({_DIGITS})?)?(?:[eE]([+-]?{_DIGITS}))?$"
_HAS_DIGIT = "^[+-]?(?:[0-9]|[.][0-9])"
_MOST_DIGITS = 500
_BAD_UNDERSCORE = "(?:^|[^0-9])_|_(?:[^0-9]|$)"


def parse(texts: pl.Series, target: SqlType) -> pl.Series:
    """The values of type `target` that the texts are; NULL for a text that is none."""
    if target.is_integer or target.is_decimal:
        return _exact(texts, target)
    if target.is_float:
        return _float(texts.str.strip_chars(SPACES), target)
    return _boolean(texts)


def _exact(texts: pl.Series, target: SqlType) -> pl.Series:
    """Number texts as scaled integers, rounded half away from zero, exact to the last digit."""
    text, digits, length = pl.col("text"), pl.col("digits"), pl.col("length")
    frame = pl.DataFrame({"text": texts.str.strip_chars(SPACES), "raw": texts})
    parts = text.str.extract_groups(_NUMBER).struct
    frame = frame.with_columns(
        parts.field(str(n)).fill_null("").str.replace_all("_", "", literal=True).alias(name)
        for n, name in enumerate(("sign", "whole", "fraction", "exponent"), start=1)
    )
    power = pl.col("exponent").str.strip_chars_start("+").cast(pl.Int64, strict=False)
    whole = pl.col("whole").str.len_chars().cast(pl.Int64)
    # `length` digits, counted from the first, are kept at the target's scale; the next one rounds.
    frame = frame.with_columns(
        (pl.col("whole") + pl.col("fraction")).alias("digits"),
        (whole + power.fill_null(0) + target.scale).clip(-1, _MOST_DIGITS).alias("length"),
    )
    frame = frame.with_columns(
        digits.str.slice(0, length.clip(0, None)).alias("kept"),
        pl.when(length >= 0).then(digits.str.slice(length, 1)).otherwise(pl.lit("")).alias("next"),
    )
    missing = length.clip(0, None) - pl.col("kept").str.len_chars().cast(pl.Int64)
    zeros = pl.lit("0" * _MOST_DIGITS).str.slice(0, missing)
    frame = frame.with_columns((pl.lit("0") + pl.col("kept") + zeros).alias("number"))
    up = pl.col("next").is_in(list("56789")).cast(pl.Int128)
    positive = pl.col("number").str.replace("^0+([0-9])", "${1}").cast(pl.Int128, strict=False) + up
    frame = frame.with_columns(positive.alias("positive"), (pl.col("sign") == "-").alias("minus"))
    signed = pl.when("minus").then(0 - pl.col("positive")).otherwise("positive")
    valid = text.str.contains(_NUMBER) & text.str.contains(_HAS_DIGIT)
    if target.is_decimal:
        places = pl.col("whole").str.strip_chars_start("0").str.len_chars()
        valid = valid & (pl.col("positive") < pl.lit(10**target.precision, pl.Int128))
        valid = valid & (places <= target.precision - target.scale)
    elif INTEGER_RANGES[target.kind][0] == 0:
        valid = valid & (~pl.col("minus") | pl.col("raw").str.contains("^-0+$"))
    dtype = kernel_dtype(target)
    result = frame.select(pl.when(valid).then(signed).cast(dtype, strict=False)).to_series()
    return (
        result
        if target.is_decimal
        else result.zip_with(result.is_not_null(), _prefixed(frame.get_column("text"), dtype))
    )


def _prefixed(texts: pl.Series, dtype: pl.DataType) -> pl.Series:
    """0x1F and 0b11."""
    forms = []
    for pattern, base in (("^0[xX][0-9a-fA-F]+$", 16), ("^0[bB][01]+$", 2)):
        body = pl.when(pl.col("text").str.contains(pattern)).then(pl.col("text").str.slice(2))
        forms.append(body.str.to_integer(base=base, strict=False).cast(dtype, strict=False))
    return pl.DataFrame({"text": texts}).select(pl.coalesce(forms)).to_series()


def _float(texts: pl.Series, target: SqlType) -> pl.Series:
    grouped = texts.str.contains("_", literal=True) & ~texts.str.contains(_BAD_UNDERSCORE)
    plain = texts.zip_with(~grouped, texts.str.replace_all("_", "", literal=True))
    return plain.cast(kernel_dtype(target), strict=False)


def _boolean(texts: pl.Series) -> pl.Series:
    low = pl.col("text").str.to_lowercase()
    value = (
        pl.when(low.is_in(_TRUE))
        .then(pl.lit(True))
        .when(low.is_in(_FALSE))
        .then(pl.lit(False))
        .otherwise(pl.lit(None, pl.Boolean))
    )
    return pl.DataFrame({"text": texts}).select(value).to_series()
