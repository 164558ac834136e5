"""When two answers are the same answer.

Owns: `difference`, which says in words how two Arrow tables differ, or None. Column names and types
must agree (the layout of strings aside), rows as multisets, and in order where ORDER BY decides.
NaN equals NaN and -0.0 equals 0.0, as in SQL. Floats that an engine may round differently (sums,
averages) agree to 12 significant digits; everything else exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pyarrow as pa

DIGITS = 1e-12
NEAR_ZERO = 1e-9
"""Sums of small numbers of both signs: what is left of a sum that is really zero."""

Cell = tuple[int, object]


def plain_type(arrow: pa.DataType) -> pa.DataType:
    """The type, with the layouts of strings and dictionaries forgotten."""
    if pa.types.is_null(arrow):
        return pa.int32()
    if pa.types.is_dictionary(arrow):
        return plain_type(arrow.value_type)
    if pa.types.is_large_string(arrow) or pa.types.is_string_view(arrow):
        return pa.string()
    return arrow


def cell(value: object) -> Cell:
    """A value in a form that sorts and compares: NULL first, NaN last, one zero."""
    if value is None:
        return (0, 0)
    if isinstance(value, float):
        if math.isnan(value):
            return (2, 0)
        return (1, value + 0.0)
    return (1, value)


def plain_values(column: pa.ChunkedArray) -> list[object]:
    """The column's values; days and microseconds as integers, since Python's calendar is short."""
    if pa.types.is_date32(column.type):
        column = column.cast(pa.int32())
    elif pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    values: list[object] = column.to_pylist()
    return values


def rows_of(table: pa.Table) -> list[tuple[Cell, ...]]:
    """The table's rows as cells."""
    columns = [[cell(value) for value in plain_values(column)] for column in table.columns]
    return list(zip(*columns, strict=True))


def near(a: Cell, b: Cell) -> bool:
    """Equal, or floats equal to 12 significant digits."""
    if a == b:
        return True
    x, y = a[1], b[1]
    if a[0] != b[0] or not isinstance(x, float) or not isinstance(y, float):
        return False
    if math.isinf(x) or math.isinf(y):
        return False
    return abs(x - y) <= max(DIGITS * max(abs(x), abs(y)), NEAR_ZERO)


def match_rows(
    left: list[tuple[Cell, ...]], right: list[tuple[Cell, ...]], inexact: Sequence[int]
) -> tuple[tuple[Cell, ...], tuple[Cell, ...]] | None:
    """The first pair that does not match when both are sorted; None when all match.

    Rows whose exact cells are equal may be sorted by the last digits of the others, so each takes
    any of the other side's that is near.
    """
    free = set(inexact)

    def key(row: tuple[Cell, ...]) -> tuple[object, ...]:
        exact = tuple(c for i, c in enumerate(row) if i not in free)
        return exact, tuple((row[i][0], row[i][1]) for i in inexact)

    def match(a: tuple[Cell, ...], b: tuple[Cell, ...]) -> bool:
        pairs = enumerate(zip(a, b, strict=True))
        return a == b or all(near(x, y) if i in free else x == y for i, (x, y) in pairs)

    waiting: list[tuple[Cell, ...]] = []
    others: list[tuple[Cell, ...]] = []
    for a, b in zip(sorted(left, key=key), sorted(right, key=key), strict=True):
        if not match(a, b):
            waiting.append(a)
            others.append(b)
    for a in waiting:
        found = next((n for n, b in enumerate(others) if match(a, b)), None)
        if found is None:
            return a, others[0]
        del others[found]
    return None


def difference(
    expected: pa.Table,
    actual: pa.Table,
    inexact: Sequence[int] = (),
    ordered: Sequence[int] = (),
) -> str | None:
    """How `actual` differs from `expected`; None when it does not.

    inexact: positions of columns that need to agree to 12 digits only. ordered: positions of the
    columns whose sequence must agree, first ORDER BY key first.
    """
    if expected.column_names != actual.column_names:
        return f"column names: {expected.column_names} and {actual.column_names}"
    for name, a, b in zip(
        expected.column_names, expected.schema.types, actual.schema.types, strict=True
    ):
        if plain_type(a) != plain_type(b):
            return f"type of {name}: {a} and {b}"
    if expected.num_rows != actual.num_rows:
        return f"{expected.num_rows} rows and {actual.num_rows} rows"
    left, right = rows_of(expected), rows_of(actual)
    if left == right:
        return None
    pair = match_rows(left, right, inexact)
    if pair is not None:
        return f"row {show(pair[0])} and row {show(pair[1])}"
    for index, (a_row, b_row) in enumerate(zip(left, right, strict=True)):
        a_key, b_key = tuple(a_row[i] for i in ordered), tuple(b_row[i] for i in ordered)
        if a_key != b_key:
            return f"order, at row {index}: {show(a_key)} and {show(b_key)}"
    return None


def show(row: Sequence[Cell]) -> str:
    """A row of cells for people."""
    shown = [("NULL", repr(c[1]), "NaN")[c[0]] for c in row]
    return "(" + ", ".join(shown) + ")"
