"""Functions that are computed in Python, once for each distinct combination of arguments.

Owns: the way from columns to distinct combinations and back, and how such a function fails.
Comes in: lowered operands, a function of one row's values. Goes out: lowered columns.
Does not know: SQL, which functions there are.

They are what the kernels have no expression for: digests, distances between texts, the gamma
function. A NULL among the arguments makes NULL. Floats are told apart by their bits, so that 0.0
and -0.0 are two arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from eau2.operators.expr import Call
from eau2.operators.functions.checks import Outcome, Scope, batchwise, checked
from eau2.operators.functions.function import LowerCall
from eau2.records import Record

_VALUE, _MESSAGE = "value", "message"


class Refusal(Record, frozen=True):
    """What a function gives for arguments that it does not take; the text says why."""

    message: str


def distinct_values(dtype: pl.DataType, compute: Callable[..., Any], *inputs: pl.Expr) -> pl.Expr:
    """`compute`, which takes plain values and cannot fail, over lowered operands."""

    def run(frame: pl.DataFrame) -> pl.Series:
        return _spread(frame, compute, dtype).get_column(_VALUE)

    return batchwise(dtype, run, *inputs)


def for_distinct(dtype: pl.DataType, compute: Callable[..., Any]) -> LowerCall:
    """Lower a call to `compute`, which takes plain values and cannot fail."""
    return lambda call, scope: distinct_values(
        dtype, compute, *(scope.lower(arg) for arg in call.args)
    )


def for_distinct_checked(
    dtype: pl.DataType, compute: Callable[..., Any], code: str = "range"
) -> LowerCall:
    """The same for a function that gives a Refusal where it has no value."""
    both = pl.Struct({_VALUE: dtype, _MESSAGE: pl.String()})

    def run(frame: pl.DataFrame) -> pl.Series:
        return _spread(frame, compute, dtype).to_struct("both")

    def over(result: pl.Expr) -> Outcome:
        message = result.struct.field(_MESSAGE)
        return Outcome(result.struct.field(_VALUE), message.is_not_null(), code, (message,))

    def lower(call: Call, scope: Scope) -> pl.Expr:
        computed = batchwise(both, run, *(scope.lower(arg) for arg in call.args))
        return checked(dtype, over, scope, computed)

    return lower


def _spread(frame: pl.DataFrame, compute: Callable[..., Any], dtype: pl.DataType) -> pl.DataFrame:
    """For each row the value and the message, from one call for each distinct row."""
    names = frame.columns
    keys = frame.select(_key(pl.col(name), frame.schema[name]) for name in names)
    distinct = frame.with_columns(keys.rename({name: f"key_{name}" for name in names}))
    distinct = distinct.unique([f"key_{name}" for name in names], maintain_order=True).drop_nulls()
    results = list(map(compute, *(distinct.get_column(name).to_list() for name in names)))
    found = distinct.select(pl.col(f"key_{name}").alias(name) for name in names).with_columns(
        pl.Series(_VALUE, [None if isinstance(r, Refusal) else r for r in results], dtype=dtype),
        pl.Series(
            _MESSAGE,
            [r.message if isinstance(r, Refusal) else None for r in results],
            dtype=pl.String(),
        ),
    )
    joined = keys.join(found, on=names, how="left", maintain_order="left")
    return joined.select(_VALUE, _MESSAGE)


def _key(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """The value in a form whose equality is that of its bits."""
    if dtype == pl.Float64:
        return value.reinterpret(dtype=pl.Int64)
    return value.reinterpret(dtype=pl.Int32) if dtype == pl.Float32 else value
