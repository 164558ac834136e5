"""CASE and coalesce step by step: which rows reach a part is a column that errors look at.

Owns: how those are computed of which several parts can fail, where writing what comes before a part
as its guard would repeat too much, or let it fail for rows that an earlier one has taken.
Comes in: a CASE, the arguments of coalesce. Goes out: a Polars expression.
Does not know: other nodes.
"""

from __future__ import annotations

import polars as pl
from polars.expr.whenthen import ChainedThen, Then

from eau2.operators.expr import Case, Expr, size_of
from eau2.operators.functions.checks import Scope, batchwise, columns_around
from eau2.operators.physical import kernel_dtype

_LARGE_NODES = 64
"""A CASE of so many nodes in which something can fail takes its branches one by one."""
_GROUP = 32
"""Polars takes time that grows with the square of a chain's length."""

_OPEN = "open"
"""True for the rows that no branch has taken yet."""


def goes_by_steps(case: Case, scope: Scope) -> bool:
    """Whether a CASE in which something can fail is computed step by step.

    A condition that can fail is no guard for another one, since guards are written out.
    """
    failing = sum(scope.can_fail(condition) for condition, _ in case.branches)
    return failing > 1 or size_of(case) > _LARGE_NODES


def lower_by_steps(case: Case, scope: Scope) -> pl.Expr:
    """The value beside the first condition that is true, each computed for the rows it is for."""
    branches, otherwise = _flat(case)
    dtype = kernel_dtype(case.type)
    steps: list[list[pl.Expr]] = []
    for number, (condition, value) in enumerate(branches):
        test, still = f"test{number}", pl.col(_OPEN)
        met = scope.recurse(condition, scope.diagnose, still).fill_null(False)
        steps.append([(met & still).alias(test)])
        taken = scope.recurse(value, scope.diagnose, pl.col(test)).cast(dtype)
        steps.append([taken.alias(f"value{number}"), (still & ~pl.col(test)).alias(_OPEN)])
    rest = scope.recurse(otherwise, scope.diagnose, pl.col(_OPEN)).cast(dtype)
    steps.append([rest.alias("value")])
    for first in range(0, len(branches), _GROUP):
        numbers = range(first, min(first + _GROUP, len(branches)))
        steps.append([_chosen(numbers).alias("value")])
    return _lowered(steps, dtype, scope)


def first_known_by_steps(args: tuple[Expr, ...], scope: Scope) -> pl.Expr:
    """The first argument that is not NULL, each computed for the rows it is for.

    args: of one type.
    """
    dtype = kernel_dtype(args[0].type)
    steps: list[list[pl.Expr]] = []
    values = [f"value{number}" for number in range(len(args))]
    for arg, value in zip(args, values, strict=True):
        still = pl.col(_OPEN)
        steps.append([scope.recurse(arg, scope.diagnose, still).cast(dtype).alias(value)])
        steps.append([(still & pl.col(value).is_null()).alias(_OPEN)])
    steps.append([pl.coalesce(values).alias("value")])
    return _lowered(steps, dtype, scope)


def _lowered(steps: list[list[pl.Expr]], dtype: pl.DataType, scope: Scope) -> pl.Expr:
    """Columns made step by step, the last of which is the value; the first finds all rows open."""
    made = {plan.meta.output_name() for step in steps for plan in step}
    labels = [_OPEN, *columns_around((plan for step in steps for plan in step), (_OPEN, *made))]
    guard = pl.lit(True) if scope.guard is None else scope.guard.fill_null(False)

    def compute(frame: pl.DataFrame) -> pl.Series:
        if not frame.height:
            return pl.Series("value", [], dtype)
        frame.columns = labels
        for step in steps:
            frame = frame.with_columns(step)
        return frame.get_column("value")

    return batchwise(dtype, compute, guard, *map(pl.col, labels[1:]))


def _flat(case: Case) -> tuple[tuple[tuple[Expr, Expr], ...], Expr]:
    """The branches of a CASE, and of one that is its ELSE."""
    branches, otherwise = case.branches, case.otherwise
    while isinstance(otherwise, Case):
        branches, otherwise = branches + otherwise.branches, otherwise.otherwise
    return branches, otherwise


def _chosen(numbers: range) -> pl.Expr:
    """The value of the branch that is taken, if it is one of these."""
    first, *others = numbers
    chain: Then | ChainedThen = pl.when(f"test{first}").then(pl.col(f"value{first}"))
    for number in others:
        chain = chain.when(f"test{number}").then(pl.col(f"value{number}"))
    return chain.otherwise(pl.col("value"))
