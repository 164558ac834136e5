"""Whether two engines gave the same answer, so that the speed of a wrong one is never shown.

Engines name and type columns differently: numbers agree to nine digits of relative difference,
small answers row by row as sorted rows, large ones by their sums and lengths. eau2's answers to
TPC-H are compared to the last digit elsewhere (tests/tpch/check.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

ROWS_MAX = 20_000
"""Larger answers are compared by sums."""


def disagreement(
    wanted: pa.Table, actual: pa.Table, only: Sequence[int] | None = None, digits: float = 1e-9
) -> str | None:
    """How two answers differ, or None. only: positions of the columns that are determined."""
    if wanted.num_columns != actual.num_columns:
        return f"{wanted.num_columns} and {actual.num_columns} columns"
    if wanted.num_rows != actual.num_rows:
        return f"{wanted.num_rows} and {actual.num_rows} rows"
    chosen = list(range(wanted.num_columns)) if only is None else list(only)
    compare = _by_rows if wanted.num_rows <= ROWS_MAX else _by_sums
    return compare(wanted.select(chosen), actual.select(chosen), digits)


def _by_rows(wanted: pa.Table, actual: pa.Table, digits: float) -> str | None:
    # Sorted by what is exact first: numbers that are near may sort differently.
    both = [[_plain(value) for value in column.to_pylist()] for column in wanted.columns]
    other = [[_plain(value) for value in column.to_pylist()] for column in actual.columns]
    left, right = (sorted(zip(*columns, strict=True), key=_key) for columns in (both, other))
    for a, b in zip(left, right, strict=True):
        if not all(_near(x, y, digits) for x, y in zip(a, b, strict=True)):
            return f"row {a} and row {b}"
    return None


def _by_sums(wanted: pa.Table, actual: pa.Table, digits: float) -> str | None:
    for place, (a, b) in enumerate(zip(wanted.columns, actual.columns, strict=True)):
        left, right = _sums(a), _sums(b)
        if not all(_near(x, y, digits) for x, y in zip(left, right, strict=True)):
            return f"column {place}: missing and sum {left} and {right}"
    return None


def _sums(column: pa.ChunkedArray) -> tuple[float, float]:
    """How many values are missing, and the sum of the others, of texts the sum of lengths."""
    type_ = column.type
    if pa.types.is_dictionary(type_):
        column = column.cast(type_.value_type)
    if pa.types.is_string_view(column.type):
        column = column.cast(pa.large_string())
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        column = pc.binary_length(column) if text else column.cast(pa.float64())
    total = pc.sum(column.cast(pa.float64(), safe=False)).as_py()
    return float(column.null_count), float(total or 0.0)


def _plain(value: object) -> object:
    """A value as a number, a text or None."""
    match value:
        case bool():
            return float(value)
        case int() | float() | Decimal():
            number = float(value)
            return None if math.isnan(number) else number
        case datetime():
            return value.replace(tzinfo=None).isoformat().removesuffix("T00:00:00")
        case date():
            return value.isoformat()
        case None:
            return None
    return str(value)


def _key(row: tuple[object, ...]) -> tuple[object, ...]:
    exact = tuple(value if isinstance(value, str) else "" for value in row)
    return exact, tuple(f"{v:.6g}" if isinstance(v, float) else str(v) for v in row)


def _near(a: object, b: object, digits: float) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=digits, abs_tol=1e-9)
    return a == b
