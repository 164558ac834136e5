"""Casts to and from VARCHAR: DuckDB's text forms of every type.

Owns: how values are written as text, and which texts are values. Spaces around a number, a date or
nothing else are ignored; what is no value is an error, or NULL when `safe`.
Comes in: lowered columns. Goes out: lowered columns.
Does not know: which casts exist (coercion.py).
"""

from __future__ import annotations

import polars as pl

from eau2.operators.functions.checks import Scope, problem, raise_where
from eau2.operators.functions.decimals import decimal_text
from eau2.operators.functions.moments import parse_date, parse_timestamp
from eau2.operators.physical import kernel_dtype
from eau2.types import INTEGER_RANGES, Kind, SqlType

SPACES = " \t\n\r\x0b\x0c"
_TRUE = ["true", "t", "yes", "y", "1"]
_FALSE = ["false", "f", "no", "n", "0"]
_DIGITS = "[0-9](?:_?[0-9])*"
_NUMBER = f"^([+-]?)({_DIGITS})?(?:[.]({_DIGITS})?)?(?:[eE]([+-]?{_DIGITS}))?$"
_HAS_DIGIT = "^[+-]?(?:[0-9]|[.][0-9])"
_BAD_UNDERSCORE = "(?:^|[^0-9])_|_(?:[^0-9]|$)"
_FIRST_EXPONENT = 16
"""Numbers of at least this many powers of ten are written with an exponent."""


def to_text(value: pl.Expr, source: SqlType) -> pl.Expr:
    """The text of values of type `source`."""
    if source.is_decimal:
        return decimal_text(value, source)
    if source.is_float:
        return _float_text(value)
    match source.kind:
        case Kind.BOOLEAN:
            named = pl.when(value).then(pl.lit("true")).otherwise(pl.lit("false"))
            return pl.when(value.is_not_null()).then(named)
        case Kind.DATE:
            return _date_text(value, pl.lit(""))
        case Kind.TIMESTAMP:
            return _date_text(value, _time_text(value))
        case _:
            return value.cast(pl.String)


def _float_text(value: pl.Expr) -> pl.Expr:
    """The shortest text that reads back as the same float.

    Polars writes the usual magnitudes as DuckDB does; the others go through Python, once for each
    distinct value.
    """
    native = value.cast(pl.String)
    usual = ((value.abs() >= 1e-4) | (value == 0)) & ~native.str.contains("[eEinN]")
    rare = (
        pl.when(~usual)
        .then(native)
        .map_batches(_rewrite_floats, return_dtype=pl.String, is_elementwise=True)
    )
    return pl.when(usual).then(native).otherwise(rare)


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
    value = scope.guarded(value)
    if target.is_integer or target.is_decimal:
        parsed = _parse_exact(value.str.strip_chars(SPACES), target)
    elif target.is_float:
        parsed = _parse_float(value.str.strip_chars(SPACES), target)
    elif target.kind is Kind.BOOLEAN:
        parsed = _parse_boolean(value)
    elif target.kind is Kind.DATE:
        parsed = parse_date(value)
    else:
        parsed = parse_timestamp(value)
    if safe:
        return parsed
    shown = problem("conversion", "could not convert '", value, f"' to {target}")
    return raise_where(parsed, value.is_not_null() & parsed.is_null(), shown, scope)


def _parse_exact(text: pl.Expr, target: SqlType) -> pl.Expr:
    """A number text as a scaled integer, rounded half away from zero, exact to the last digit."""
    dtype = kernel_dtype(target)
    quick: pl.Expr | None = None
    rest = text
    if target.is_integer:
        quick = text.cast(dtype, strict=False)
        rest = pl.when(quick.is_null()).then(text)
    parts = rest.str.extract_groups(_NUMBER)
    sign, whole, fraction, exponent = (
        parts.struct.field(str(n)).fill_null("").str.replace_all("_", "", literal=True)
        for n in (1, 2, 3, 4)
    )
    power = (
        pl.when(exponent == "")
        .then(pl.lit(0, pl.Int64))
        .otherwise(exponent.str.strip_chars_start("+").cast(pl.Int64, strict=False))
    )
    # Leading zeros would be counted as digits of a number that is too long.
    kept_places = whole.str.len_chars().cast(pl.Int64) + power + target.scale
    digits = whole + fraction
    length = pl.max_horizontal(kept_places, pl.lit(0, pl.Int64)).clip(0, 500)
    kept = digits.str.slice(0, length)
    missing = length - kept.str.len_chars().cast(pl.Int64)
    zeros = pl.lit("0" * 500).str.slice(0, missing)
    number = (kept + zeros).str.strip_chars_start("0")
    magnitude = pl.when(number == "").then(pl.lit("0")).otherwise(number)
    next_digit = pl.when(kept_places >= 0).then(digits.str.slice(length, 1)).otherwise(pl.lit(""))
    up = next_digit.is_in(["5", "6", "7", "8", "9"]).cast(pl.Int128)
    positive = magnitude.cast(pl.Int128, strict=False) + up
    signed = pl.when(sign == "-").then(0 - positive).otherwise(positive)
    valid = rest.str.contains(_NUMBER) & rest.str.contains(_HAS_DIGIT)
    if target.is_decimal:
        places = target.precision - target.scale
        valid = valid & (positive < pl.lit(10**target.precision, pl.Int128))
        valid = valid & (whole.str.strip_chars_start("0").str.len_chars() <= places)
    elif INTEGER_RANGES[target.kind][0] == 0:
        valid = valid & (sign != "-")
        valid = valid | rest.str.contains("^-0+$")
    general = pl.when(valid).then(signed).cast(dtype, strict=False)
    if quick is None:
        return general
    return pl.coalesce(quick, general, _parse_prefixed(rest, dtype))


def _parse_prefixed(text: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """0x1F and 0b11."""
    forms = []
    for pattern, base in (("^0[xX][0-9a-fA-F]+$", 16), ("^0[bB][01]+$", 2)):
        body = pl.when(text.str.contains(pattern)).then(text.str.slice(2))
        forms.append(body.str.to_integer(base=base, strict=False).cast(dtype, strict=False))
    return pl.coalesce(forms)


def _parse_float(text: pl.Expr, target: SqlType) -> pl.Expr:
    grouped = text.str.contains("_", literal=True) & ~text.str.contains(_BAD_UNDERSCORE)
    plain = pl.when(grouped).then(text.str.replace_all("_", "", literal=True)).otherwise(text)
    return plain.cast(kernel_dtype(target), strict=False)


def _parse_boolean(text: pl.Expr) -> pl.Expr:
    low = text.str.to_lowercase()
    return (
        pl.when(low.is_in(_TRUE))
        .then(pl.lit(True))
        .when(low.is_in(_FALSE))
        .then(pl.lit(False))
        .otherwise(pl.lit(None, pl.Boolean))
    )
