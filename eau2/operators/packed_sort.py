"""Sorting by several keys as by one integer: leading keys are packed, and only ties look further.

Owns: the packing. Comes in: rows at hand and the terms of their order. Goes out: the rows in order.
Does not know: what SQL orders by, how keys are made of values.

Keys that are integers (dates, moments and booleans too) need as many bits as their range in these
very rows has. As many leading ones as fit share an integer with the row's number in the lowest
bits, so that a sort of plain integers makes the order, and keeps equal rows as they came. Rows that
are equal in all packed keys are ordered again among themselves: the number of their group comes
first, then the keys that are left. What cannot be packed, the engine sorts.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from eau2.records import Record

_BITS = 62
_FEW_ROWS = 4096
"""Of fewer rows than these the engine's sort by many keys is quick enough."""
_PACKED = (
    pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.Date, pl.Boolean
)  # fmt: skip
_ROW, _GROUP = "row", "group"


class Term(Record, frozen=True):
    """What rows are ordered by, over their columns."""

    value: pl.Expr
    descending: bool
    nulls_last: bool


def engine_sorted(rows: pl.LazyFrame, terms: Sequence[Term], stable: bool) -> pl.LazyFrame:
    """The rows in the order of the terms, as the engine sorts."""
    return rows.sort(
        [term.value for term in terms],
        descending=[term.descending for term in terms],
        nulls_last=[term.nulls_last for term in terms],
        maintain_order=stable,
    )


def sorted_rows(rows: pl.DataFrame, terms: Sequence[Term]) -> pl.DataFrame:
    """The rows in the order of the terms; equal ones as they came."""
    place = _places(rows, terms) if rows.height >= _FEW_ROWS and len(terms) > 1 else None
    if place is None:
        return engine_sorted(rows.lazy(), terms, stable=True).collect()
    return rows.select(pl.all().gather(place))


def _places(rows: pl.DataFrame, terms: Sequence[Term], least: int = 1) -> pl.Series | None:
    """The number of the row that comes first, then of the second, and so on.

    None where fewer than `least` terms can be packed.
    """
    bits = (rows.height - 1).bit_length()
    row = pl.int_range(rows.height, dtype=pl.Int64, eager=True)
    code, used = pl.zeros(rows.height, dtype=pl.Int64, eager=True), 0
    for term in terms:
        found = _packed(rows.select(term.value).to_series(), term, _BITS - bits)
        if found is None:
            break
        value, width = found
        code, bits, used = code * (1 << width) + value, bits + width, used + 1
    if used < least:
        return None
    width = (rows.height - 1).bit_length()
    ordered = (code * (1 << width) + row).sort()
    place = ordered & ((1 << width) - 1)
    if used == len(terms):
        return place
    return _ties_broken(rows, terms[used:], place, ordered // (1 << width))


def _packed(values: pl.Series, term: Term, most: int) -> tuple[pl.Series, int] | None:
    """The values as numbers from 0 on that ascend in the term's order, and their width in bits."""
    if not _is_packed(values.dtype):
        return None
    if values.dtype in (pl.Date, pl.Boolean):
        values = values.cast(pl.Int32)
    values = values.cast(pl.Int64)
    low, high = values.min(), values.max()
    if low is None or high is None:
        return pl.zeros(len(values), dtype=pl.Int64, eager=True), 0
    assert isinstance(low, int)
    assert isinstance(high, int)
    span = high - low
    width = (span + 1 if values.null_count() else span).bit_length()
    if width > most:
        return None
    values = high - values if term.descending else values - low
    if values.null_count():
        values = values.fill_null(span + 1) if term.nulls_last else (values + 1).fill_null(0)
    return values, width


def _is_packed(dtype: pl.DataType) -> bool:
    return dtype in _PACKED or isinstance(dtype, pl.Datetime)


def _ties_broken(
    rows: pl.DataFrame, left: Sequence[Term], place: pl.Series, code: pl.Series
) -> pl.Series | None:
    """The places, with rows of one code in the order of the terms that are left.

    None where the packed terms have hardly told rows apart, and the next one cannot be packed.
    """
    ties = pl.DataFrame({"place": place, "code": code}).with_columns(
        (pl.col("code") == pl.col("code").shift(1)).fill_null(False).alias("again")
    )
    again = ties.get_column("again")
    if not again.any():
        return place
    tied = again | again.shift(-1, fill_value=False)
    places = place.filter(tied)
    many = 2 * len(places) > rows.height
    if many and not _is_packed(rows.select(left[0].value).to_series().dtype):
        return None
    values = rows.select(term.value.alias(str(n)) for n, term in enumerate(left))
    few = values.select(pl.all().gather(places)).with_columns(
        (~again).cum_sum().filter(tied).cast(pl.Int64).alias(_GROUP)
    )
    terms = [Term(pl.col(_GROUP), False, True)]
    terms += [Term(pl.col(str(n)), t.descending, t.nulls_last) for n, t in enumerate(left)]
    order = _places(few, terms, least=2)
    if order is None and many:
        return None
    if order is None:
        numbered = few.lazy().with_row_index(_ROW)
        order = engine_sorted(numbered, terms, stable=True).select(_ROW).collect().to_series()
    return place.scatter(tied.arg_true(), places.gather(order))
