"""Project: columns computed row by row, and `compute`, the way operators compute expressions.

Owns: how expressions become columns of a frame without losing its height. Comes in: a frame and
bound expressions. Goes out: exactly the new columns, rows in the same order.
Does not know: how an expression is computed.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from eau2.operators.base import Lowering, Operator
from eau2.operators.expr import Column, ColumnRef, Expr, columns_of
from eau2.operators.formed import in_forms
from eau2.operators.lowering import Given, lower_expr
from eau2.operators.values import keep


def compute(
    frame: pl.LazyFrame, items: Sequence[tuple[str, Expr]], lowering: Lowering
) -> pl.LazyFrame:
    """Exactly the columns in `items` (label, expression), one value for each row of `frame`.

    A select of nothing but constants would give a single row, so those are added to the frame
    first, which keeps its height.
    """
    if not items:
        return keep(frame, ())
    forms = lowering.forms
    lowered = [
        lower_expr(in_forms(expr, forms), lowering.diagnose).alias(label) for label, expr in items
    ]
    for label, expr in items:
        if not isinstance(expr, Given):
            forms.pop(label, None)
    if any(columns_of(expr) for _, expr in items):
        return frame.select(lowered)
    return frame.with_columns(lowered).select([label for label, _ in items])


def kept_forms(items: Sequence[tuple[str, Expr]], lowering: Lowering) -> list[tuple[str, Expr]]:
    """The items, of which those that only name a column in some form go on in that form."""
    if not lowering.forms:
        return list(items)
    kept: list[tuple[str, Expr]] = []
    for label, expr in items:
        form = lowering.forms.get(expr.label) if isinstance(expr, ColumnRef) else None
        if isinstance(expr, ColumnRef) and form is not None:
            expr = Given(expr.type, expr.id, pl.col(expr.label))
            lowering.forms[label] = form
        kept.append((label, expr))
    return kept


class Project(Operator, frozen=True):
    """New columns computed row by row; nothing else passes through."""

    input: Operator
    items: tuple[tuple[Column, Expr], ...]

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return tuple(column for column, _ in self.items)

    @property
    def takes_forms(self) -> bool:
        return True

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        items = [(column.label, expr) for column, expr in self.items]
        return compute(inputs[0], kept_forms(items, lowering), lowering)
