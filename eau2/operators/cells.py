"""The values of results as text: as a CAST to VARCHAR shows them, and as JSON.

Owns: both forms of every type that a result can have. Comes in: columns of frames made of results,
with their dtypes. Goes out: columns of texts. Does not know: rows, files, boxes.
"""

from __future__ import annotations

import polars as pl

from eau2.operators.functions.list_text import in_brackets, quoted
from eau2.operators.physical import inner_of


def text_cell(name: str, type_: pl.DataType) -> pl.Expr:
    """A column as text, the way a CAST to VARCHAR shows it."""
    return _text(pl.col(name), type_).alias(name)


def _text(column: pl.Expr, type_: pl.DataType) -> pl.Expr:
    if isinstance(type_, pl.List):
        inner = inner_of(type_)
        text = _text(pl.element(), inner)
        texts = column.list.eval(text if isinstance(inner, pl.List) else quoted(text))
        return in_brackets(texts)
    if isinstance(type_, pl.Datetime):
        # Six digits always follow the point, so that only they can lose their zeros.
        digits = column.dt.to_string("%Y-%m-%d %H:%M:%S%.6f")
        return digits.str.strip_chars_end("0").str.strip_suffix(".")
    if type_ == pl.Time():
        digits = column.dt.to_string("%H:%M:%S%.6f")
        return digits.str.strip_chars_end("0").str.strip_suffix(".")
    if type_.is_float():
        text = column.cast(pl.String)
        return pl.when(column.is_nan()).then(pl.lit("nan")).otherwise(text)
    return column.cast(pl.String)


def json_cell(name: str, type_: pl.DataType) -> pl.Expr:
    """A column as JSON text; NULL is null."""
    return _json(pl.col(name), type_)


def _json(column: pl.Expr, type_: pl.DataType) -> pl.Expr:
    if isinstance(type_, pl.List):
        encoded = column.list.eval(_json(pl.element(), inner_of(type_)))
        return (pl.lit("[") + encoded.list.join(", ") + "]").fill_null("null")
    text = _text(column, type_)
    if type_ == pl.String or type_.is_temporal():
        # A struct of one field named "" encodes as {"":VALUE}, with JSON's own escapes.
        encoded = pl.struct(text.alias("")).struct.json_encode()
        return encoded.str.strip_prefix('{"":').str.strip_suffix("}")
    if type_.is_float():
        text = (
            pl.when(column.is_nan())
            .then(pl.lit('"NaN"'))
            .when(column.is_infinite() & (column > 0))
            .then(pl.lit('"Infinity"'))
            .when(column.is_infinite())
            .then(pl.lit('"-Infinity"'))
            .otherwise(text)
        )
    return text.fill_null("null")
