"""Lists as texts that compare as the lists do: for comparisons, sorting, joining and grouping.

Owns: the order of lists: element by element, a list before those that it begins, NULL elements
after all others, NaN above every number, 0.0 and -0.0 equal. Comes in: lowered columns of lists.
Goes out: columns of texts whose bytes are in that order, equal where the lists are.
Does not know: who compares.

The engine sorts lists with NULL elements first and cannot compare them by < at all. A text is made
of a mark for each element, what stands for its value in a fixed width or with an end of its own,
and a mark for the end; so no text begins another unless its list ends there.
"""

from __future__ import annotations

import polars as pl

from eau2.operators.exact_sum import canonical
from eau2.operators.interval_form import normalised
from eau2.types import Kind, SqlType

_END, _VALUE, _NULL = "\x00", "\x01", "\x02"
_ALL_BUT_SIGN = 0x7FFF_FFFF_FFFF_FFFF
_NARROW_DIGITS, _WIDE_DIGITS = 20, 39


def list_key(value: pl.Expr, type_: SqlType, exact: bool = False) -> pl.Expr:
    """The text of lists of type `type_`. exact: -0.0 comes before 0.0, to tell all rows apart."""
    element = type_.element
    assert element is not None
    marked = value.list.eval(_marked(pl.element(), element, exact))
    return marked.list.join("") + _END


def comparable(value: pl.Expr, type_: SqlType) -> pl.Expr:
    """A column that compares by the engine's own operators as SQL compares this one."""
    if type_.kind is Kind.INTERVAL:
        return normalised(value)
    return list_key(value, type_) if type_.is_list else value


def canonical_list(value: pl.Expr, type_: SqlType) -> pl.Expr:
    """The lists with floats such that equal lists have equal bits."""
    if type_.element is None:
        return canonical(value) if type_.is_float else value
    if not type_.innermost.is_float:
        return value
    return value.list.eval(canonical_list(pl.element(), type_.element))


def _marked(value: pl.Expr, type_: SqlType, exact: bool) -> pl.Expr:
    text = pl.lit(_VALUE) + _text(value, type_, exact)
    return pl.when(value.is_null()).then(pl.lit(_NULL)).otherwise(text)


def _text(value: pl.Expr, type_: SqlType, exact: bool) -> pl.Expr:
    if type_.is_list:
        return list_key(value, type_, exact)
    if type_.kind is Kind.VARCHAR:
        # A zero within a text is followed by a one, the zero that ends it by another zero.
        return value.str.replace_all("\x00", "\x00\x01", literal=True) + "\x00\x00"
    if type_.is_wide:
        shifted = pl.when(value < 0).then(value + pl.lit(2**127 - 1, pl.Int128) + 1)
        digits = shifted.otherwise(value).cast(pl.String).str.zfill(_WIDE_DIGITS)
        return pl.when(value < 0).then(pl.lit("0")).otherwise(pl.lit("1")) + digits
    if type_.is_float:
        value = _float_order(value.cast(pl.Float64), exact)
    elif type_.is_temporal:
        value = value.to_physical()
    return (value.cast(pl.Int128) + 2**63).cast(pl.String).str.zfill(_NARROW_DIGITS)


def _float_order(value: pl.Expr, exact: bool) -> pl.Expr:
    """Integers in the order of floats."""
    bits = (value.fill_nan(float("nan")) if exact else canonical(value)).reinterpret(dtype=pl.Int64)
    return pl.when(bits < 0).then(bits ^ _ALL_BUT_SIGN).otherwise(bits)
