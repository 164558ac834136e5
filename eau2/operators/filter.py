"""Filter: the rows for which a condition is true.

Owns: the operator. Comes in: a frame and a bound BOOLEAN expression. Goes out: fewer rows, in the
same order. Does not know: how the expression is computed.
"""

from __future__ import annotations

import polars as pl

from eau2.operators.base import Lowering, Operator
from eau2.operators.expr import Column, Expr
from eau2.operators.formed import in_forms
from eau2.operators.lowering import lower_condition


class Filter(Operator, frozen=True):
    """The rows for which `condition` is true; false and NULL drop the row."""

    input: Operator
    condition: Expr

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.input.output

    @property
    def takes_forms(self) -> bool:
        return True

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        condition = in_forms(self.condition, lowering.forms)
        return inputs[0].filter(lower_condition(condition, lowering.diagnose))
