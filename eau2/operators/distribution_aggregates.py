"""product, skewness, kurtosis and entropy as aggregates: types and expressions.

Owns: which lists the formulas get. Comes in: bound arguments, columns. Goes out: calls, Polars
aggregations. Does not know: the formulas (distributions.py), which need NumPy.
"""

from __future__ import annotations

import polars as pl

from eau2 import types
from eau2.errors import TypeMismatchError
from eau2.operators.coercion import cast
from eau2.operators.expr import AggregateCall, Expr
from eau2.types import Kind

NAMES = frozenset({"product", "skewness", "kurtosis", "kurtosis_pop", "entropy"})
MOMENTS = frozenset({"skewness", "kurtosis", "kurtosis_pop"})
"""What is an error where it is no finite number."""
OF_NO_ROWS = {"entropy": 0.0}
"""What is not NULL where there are no rows."""


def bind_distribution(name: str, function: str, args: tuple[Expr, ...]) -> AggregateCall:
    """The call of one of NAMES: a DOUBLE, of numbers, or entropy of anything."""
    if len(args) != 1:
        raise TypeMismatchError(f"{name} takes 1 argument, not {len(args)}")
    (arg,) = args
    if function == "entropy":
        if arg.type.kind is Kind.INTERVAL:
            raise TypeMismatchError(f"{name} is not defined for {arg.type}")
        return AggregateCall(function, args, types.DOUBLE)
    if not arg.type.is_numeric and arg.type.kind is not Kind.NULL:
        raise TypeMismatchError(f"{name} is not defined for {arg.type}")
    return AggregateCall(function, (cast(arg, types.DOUBLE),), types.DOUBLE)


def distribution(call: AggregateCall, value: pl.Expr) -> pl.Expr:
    """The result for each group, as an aggregation over the argument's column."""
    known = value.drop_nulls()
    values = known.unique_counts().cast(pl.Int64) if call.function == "entropy" else known.sort()

    def run(lists: pl.Series) -> pl.Series:
        # NumPy takes its time to load, and most statements have no such aggregate.
        from eau2.operators.distributions import finished

        return finished(call.function, lists)

    return values.implode().map_batches(run, return_dtype=pl.Float64(), is_elementwise=True)
