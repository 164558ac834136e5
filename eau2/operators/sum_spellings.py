"""Other spellings of sum and avg: fsum, favg, sum_no_overflow, and the mean of timestamps.

Owns: which function they are, and of which arguments. Comes in: a name, bound arguments. Goes out:
the same in terms of aggregates.py. Does not know: states.
"""

from __future__ import annotations

from eau2 import types
from eau2.operators.coercion import cast
from eau2.operators.expr import Call, Expr
from eau2.types import Kind

_OF_DOUBLES = {"fsum": "sum", "sumkahan": "sum", "kahan_sum": "sum", "favg": "avg"}
"""Sums that DuckDB makes more exact: here they are exact already, and take DOUBLEs."""
SPELLINGS = frozenset({*_OF_DOUBLES, "sum_no_overflow"})


def spelled_plainly(function: str, args: tuple[Expr, ...]) -> tuple[str, tuple[Expr, ...]]:
    """What other spellings of sum and avg mean: the function, and its arguments' types."""
    if len(args) != 1:
        return function, args
    (arg,) = args
    number = arg.type.is_numeric or arg.type.kind is Kind.NULL
    if function in _OF_DOUBLES and number:
        return _OF_DOUBLES[function], (cast(arg, types.DOUBLE),)
    if function == "sum_no_overflow" and number and not arg.type.is_float:
        return "sum", args
    if function == "avg" and arg.type == types.TIMESTAMP:
        return "avg_moment", (Call(types.BIGINT, "epoch_us", args),)
    return function, args
