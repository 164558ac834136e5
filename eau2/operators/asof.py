"""ASOF joins: each left row with the one right row that is nearest by an inequality.

Owns: `nearest`, and what an ASOF condition must look like. Comes in: two frames with their keys,
the inequality. Goes out: pairs in no particular order.
Does not know: the other kinds of join.

Both sides' values are sorted together, and the nearest right row is carried along within equal
keys; so it works for every type that has an order. Right rows that are equally near are told apart
by their columns, in their order: the smallest is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from eau2.operators.base import Lowering
from eau2.operators.exact_sum import canonical
from eau2.operators.expr import Call, Column, Expr, columns_of
from eau2.operators.interval_form import normalised
from eau2.operators.lowering import lower_expr
from eau2.operators.pairing import Pairing
from eau2.types import Kind

_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_VALUE, _SIDE, _LEFT_ROW, _RIGHT_ROW = "asof_value", "asof_side", "left_row", "right_row"


class Nearness(NamedTuple):
    """The inequality `left operator right` of an ASOF join."""

    left: Expr
    operator: str
    right: Expr


def sides_of(condition: Expr | None, left: Sequence[Column], right: Sequence[Column]) -> Nearness:
    """The sides of the condition. Raises ValueError unless it is one inequality between them."""
    ours, theirs = {c.id for c in left}, {c.id for c in right}
    match condition:
        case Call(function=name, args=(a, b)) if name in _FLIPPED and a.type == b.type:
            if columns_of(a) <= ours and columns_of(b) <= theirs:
                return Nearness(a, name, b)
            if columns_of(a) <= theirs and columns_of(b) <= ours:
                return Nearness(b, _FLIPPED[name], a)
    raise ValueError("the condition of an ASOF join is one inequality between its sides")


def nearest(
    left: pl.LazyFrame,
    right: pl.LazyFrame,
    pairing: Pairing,
    near: Nearness,
    shown: Sequence[Column],
    outer: bool,
    lowering: Lowering,
) -> pl.LazyFrame:
    """The pairs; with `outer` also the left rows that have none, padded.

    shown: the right side's columns, which decide between rows that are equally near.
    """
    names = [f"asof_key_{index}" for index in range(len(pairing.left_keys))]
    left = left.with_row_index(_LEFT_ROW).cache()
    right = _ranked(right, pairing, near.right, shown, lowering)
    before = near.operator in (">", ">=")
    # Of equal values, the side that must be seen first in the direction of the search.
    left_first = near.operator in (">", "<=")
    ours = left.select(
        *(pl.col(key).alias(name) for key, name in zip(pairing.left_keys, names, strict=True)),
        _comparable(near.left, lowering),
        pl.lit(0 if left_first else 1).alias(_SIDE),
        pl.col(_LEFT_ROW),
        pl.lit(None, dtype=pl.UInt32).alias(_RIGHT_ROW),
    )
    theirs = right.select(
        *(pl.col(key).alias(name) for key, name in zip(pairing.right_keys, names, strict=True)),
        pl.col(_VALUE),
        pl.lit(1 if left_first else 0).alias(_SIDE),
        pl.lit(None, dtype=pl.UInt32).alias(_LEFT_ROW),
        pl.col(_RIGHT_ROW),
    )
    if not pairing.null_safe and names:
        ours = ours.drop_nulls(names)
    merged = pl.concat([ours.drop_nulls([_VALUE]), theirs]).sort([*names, _VALUE, _SIDE])
    carried = pl.col(_RIGHT_ROW).forward_fill() if before else pl.col(_RIGHT_ROW).backward_fill()
    found = (
        merged.with_columns(carried.over(names) if names else carried)
        .filter(pl.col(_LEFT_ROW).is_not_null() & pl.col(_RIGHT_ROW).is_not_null())
        .select(_LEFT_ROW, _RIGHT_ROW)
    )
    numbered = left.join(found, on=_LEFT_ROW, how="left" if outer else "inner")
    return numbered.join(right, on=_RIGHT_ROW, how="left" if outer else "inner")


def _ranked(
    right: pl.LazyFrame,
    pairing: Pairing,
    value: Expr,
    shown: Sequence[Column],
    lowering: Lowering,
) -> pl.LazyFrame:
    """The right rows that can be nearest to any left row, numbered."""
    keys = list(dict.fromkeys(pairing.right_keys))
    valued = right.with_columns(_comparable(value, lowering)).drop_nulls(
        [_VALUE] if pairing.null_safe else [_VALUE, *keys]
    )
    ordered = valued.sort([c.label for c in shown], nulls_last=True) if shown else valued
    first = ordered.unique(subset=[*keys, _VALUE], keep="first", maintain_order=True)
    return first.with_row_index(_RIGHT_ROW).cache()


def _comparable(expr: Expr, lowering: Lowering) -> pl.Expr:
    value = lower_expr(expr, lowering.diagnose)
    if expr.type.kind is Kind.INTERVAL:
        return normalised(value).alias(_VALUE)
    return (canonical(value) if expr.type.is_float else value).alias(_VALUE)
