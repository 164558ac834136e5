"""Casts to and from VARCHAR: DuckDB's text forms of every type.

Owns: how values are written as text, and which texts are values. Spaces around a number, a date or
nothing else are ignored; what is no value is an error, or NULL when `safe`.
Comes in: lowered columns. Goes out: lowered columns.
Does not know: which casts exist (coercion.py).
"""

from __future__ import annotations

import polars as pl

from eau2.operators.functions.checks import Outcome, Scope, batchwise, checked, formula
from eau2.operators.functions.decimals import decimal_text
from eau2.operators.functions.float_text import float_texts
from eau2.operators.functions.moments import parse_date, parse_timestamp
from eau2.operators.functions.text_parse import SPACES, parse
from eau2.operators.physical import kernel_dtype
from eau2.types import Kind, SqlType


def to_text(value: pl.Expr, source: SqlType) -> pl.Expr:
    """The text of values of type `source`."""
    if source.is_decimal:
        return formula(pl.String(), lambda x: decimal_text(x, source), value)
    if source.is_float:
        return batchwise(pl.String(), lambda frame: float_texts(frame.to_series()), value)
    match source.kind:
        case Kind.BOOLEAN:
            return formula(pl.String(), _boolean_text, value)
        case Kind.DATE:
            return formula(pl.String(), lambda x: _date_text(x, pl.lit("")), value)
        case Kind.TIMESTAMP:
            return formula(pl.String(), lambda x: _date_text(x, _time_text(x)), value)
        case _:
            return value.cast(pl.String)


def _boolean_text(value: pl.Expr) -> pl.Expr:
    named = pl.when(value).then(pl.lit("true")).otherwise(pl.lit("false"))
    return pl.when(value.is_not_null()).then(named)


def _date_text(value: pl.Expr, time: pl.Expr) -> pl.Expr:
    year = value.dt.year()
    before = year <= 0
    shown = pl.when(before).then(1 - year).otherwise(year).cast(pl.String).str.zfill(4)
    era = pl.when(before).then(pl.lit(" (BC)")).otherwise(pl.lit(""))
    return pl.concat_str(shown, value.dt.strftime("-%m-%d"), era, time)


def _time_text(value: pl.Expr) -> pl.Expr:
    micros = value.dt.microsecond()
    fraction = pl.concat_str(
        pl.lit("."), micros.cast(pl.String).str.zfill(6).str.strip_chars_end("0")
    )
    tail = pl.when(micros == 0).then(pl.lit("")).otherwise(fraction)
    return pl.concat_str(value.dt.strftime(" %H:%M:%S"), tail)


def parse_text(value: pl.Expr, target: SqlType, safe: bool, scope: Scope) -> pl.Expr:
    """Texts as values of type `target`."""
    if safe:
        return _parse(value, target)
    dtype = kernel_dtype(target)

    def over(text: pl.Expr, parsed: pl.Expr) -> Outcome:
        message = ("could not convert '", text, f"' to {target}")
        return Outcome(parsed, text.is_not_null() & parsed.is_null(), "conversion", message)

    if value.meta.is_column() or value.meta.is_literal():
        return checked(dtype, over, scope, value, _parse(value, target))
    # A text that is computed itself is computed once: such casts in one another would double.
    text = pl.col("0")
    shape = pl.Struct({"text": pl.String(), "value": dtype})
    both = [text.alias("text"), _parse(text, target).alias("value")]
    pair = batchwise(shape, lambda frame: frame.select(both).to_struct(), value)
    return checked(
        dtype,
        lambda read: over(read.struct.field("text"), read.struct.field("value")),
        scope,
        pair,
    )


def _parse(text: pl.Expr, target: SqlType) -> pl.Expr:
    """The values that texts are; NULL for a text that is none."""
    if target.kind is Kind.DATE:
        return parse_date(text)
    if target.kind is Kind.TIMESTAMP:
        return parse_timestamp(text)
    return batchwise(kernel_dtype(target), lambda frame: _parsed(frame.to_series(), target), text)


def _parsed(texts: pl.Series, target: SqlType) -> pl.Series:
    """The usual forms by the engine's own parsers, every other distinct text by `parse`."""
    quick = _quick(texts, target)
    rest = texts.set(quick.is_not_null(), None)
    known = rest.drop_nulls().unique()
    if known.is_empty():
        return quick
    table = pl.DataFrame({"text": known, "value": parse(known, target)})
    frame = pl.DataFrame({"text": rest, "quick": quick})
    joined = frame.join(table, on="text", how="left", maintain_order="left")
    return joined.select(pl.coalesce("quick", "value")).to_series()


def _quick(texts: pl.Series, target: SqlType) -> pl.Series:
    dtype = kernel_dtype(target)
    if target.is_integer:
        return texts.cast(dtype, strict=False)
    if target.is_float:
        return texts.str.strip_chars(SPACES).cast(dtype, strict=False)
    return pl.Series([None], dtype=dtype).new_from_index(0, len(texts))
