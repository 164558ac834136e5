"""The result types of the aggregates whose states merge: sums, counts, extremes, averages.

Owns: DuckDB's type for each type of argument. Comes in: a SqlType. Goes out: a SqlType, or None
where the aggregate does not take the argument. Does not know: states, other aggregates' types.
"""

from __future__ import annotations

from collections.abc import Callable

from eau2 import types
from eau2.errors import NotSupportedError
from eau2.types import Kind, SqlType


def _sum_type(arg: SqlType) -> SqlType | None:
    if arg.is_decimal:
        return types.decimal(types.MAX_DECIMAL_DIGITS, arg.scale)
    if arg.is_float:
        return types.DOUBLE
    if arg.kind is Kind.INTERVAL:
        return arg
    return types.HUGEINT if arg.is_integer or arg.kind in (Kind.BOOLEAN, Kind.NULL) else None


def _average_type(arg: SqlType) -> SqlType | None:
    if arg == types.DATE:
        raise NotSupportedError(
            "avg of DATE is a TIMESTAMP_NS, a type that eau2 has not",
            hint="Cast the argument to TIMESTAMP.",
        )
    if arg.kind is Kind.INTERVAL:
        return arg
    return types.DOUBLE if arg.is_numeric or arg.kind is Kind.NULL else None


def _same_type(arg: SqlType) -> SqlType | None:
    return arg


def _boolean_type(arg: SqlType) -> SqlType | None:
    return types.BOOLEAN if arg.kind in (Kind.BOOLEAN, Kind.NULL) else None


def _boolean_count_type(arg: SqlType) -> SqlType | None:
    return types.HUGEINT if arg.kind in (Kind.BOOLEAN, Kind.NULL) else None


RESULT_TYPES: dict[str, Callable[[SqlType], SqlType | None]] = {
    "any_value": _same_type,
    "avg": _average_type,
    "avg_moment": lambda _: types.TIMESTAMP,
    "bool_and": _boolean_type,
    "bool_or": _boolean_type,
    "count": lambda _: types.BIGINT,
    "count_if": _boolean_count_type,
    "max": _same_type,
    "min": _same_type,
    "sum": _sum_type,
}
