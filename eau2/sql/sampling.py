"""TABLESAMPLE and USING SAMPLE: which amounts and methods there are.

Owns: what a written sample means. Comes in: a source, ast.Sample. Goes out: the sampled source.
Does not know: how rows are drawn.

A sample without a seed has one all the same, so that a statement gives the same rows every time.
"""

from __future__ import annotations

from eau2.errors import NotSupportedError, ProgrammingError
from eau2.sql import ast
from eau2.sql.constant_arguments import constant_value
from eau2.sql.environment import Context
from eau2.sql.logical import Logical, Sample, Sort
from eau2.sql.ordering import total_order
from eau2.sql.sources import Source
from eau2.types import BIGINT, DOUBLE

_PERCENT_METHODS = (None, "bernoulli")
_COUNT_METHODS = (None, "reservoir")


def sampled(source: Source, sample: ast.Sample, context: Context) -> Source:
    """Some of the source's rows."""
    amount = _amount(sample, context)
    methods = _PERCENT_METHODS if sample.percent else _COUNT_METHODS
    if sample.method not in methods:
        kind = "a percentage of the rows" if sample.percent else "a number of rows"
        raise NotSupportedError(
            f"the method {sample.method} is not supported for {kind}",
            span=sample.span,
            hint=f"Write {methods[1]}, or no method.",
        )
    plan: Logical = source.plan
    if not source.ordered:
        plan = Sort(plan, total_order((), plan.output))
    seed = 0 if sample.seed is None else sample.seed
    if sample.percent:
        return Source(Sample(plan, amount / 100, None, seed), source.scope, True)
    return Source(Sample(plan, None, int(amount), seed), source.scope, True)


def _amount(sample: ast.Sample, context: Context) -> float:
    """Percents, or rows."""
    node = sample.amount
    value = constant_value(node, context, None, DOUBLE if sample.percent else BIGINT)
    if not isinstance(value, int | float):
        raise ProgrammingError("the size of a sample cannot be NULL", span=node.span)
    if sample.percent and not 0 <= value <= 100:
        raise ProgrammingError("a sample takes from 0 to 100 percent", span=node.span)
    if value < 0:
        raise ProgrammingError("a sample cannot have a negative size", span=node.span)
    return value
