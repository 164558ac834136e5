"""Comparisons: = <> < <= > >= and IS [NOT] DISTINCT FROM.

Owns: how two values of one type compare. Polars agrees with SQL here: a NULL operand gives NULL,
NaN equals NaN and is greater than every number, strings compare by their bytes. Intervals compare
by what they count for, lists by the texts of list_keys.py.
Does not know: which types meet (coercion.py does).
"""

from __future__ import annotations

import operator
from collections.abc import Callable

import polars as pl

from eau2.operators.coercion import compare
from eau2.operators.expr import Call, Expr
from eau2.operators.functions.checks import Scope
from eau2.operators.functions.function import Function, LowerCall, mismatch
from eau2.operators.functions.list_keys import comparable

Compare = Callable[[pl.Expr, pl.Expr], pl.Expr]


def _bind(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 2:
        raise mismatch(name, args, f"It is written a {name} b.")
    return compare(name, *args)


def _constant_last(compute: Compare, mirrored: Compare) -> LowerCall:
    """Lower with a constant left operand on the right, where `mirrored` is the same comparison.

    Polars' in-memory engine gives a single row for constant < column when the column happens to be
    one value, such as the NULLs of an outer join without pairs; column > constant is right.
    """

    def lower(call: Call, scope: Scope) -> pl.Expr:
        left, right = (comparable(scope.lower(arg), arg.type) for arg in call.args)
        # As they are lowered: what fails reads the guard, though its expression reads no column.
        if left.meta.root_names() or not right.meta.root_names():
            return compute(left, right)
        return mirrored(right, left)

    return lower


def _comparison(
    name: str,
    syntax: str,
    summary: str,
    example: str,
    compute: Compare,
    mirrored: Compare,
    null_rule: str = "strict",
) -> Function:
    return Function(
        name,
        "comparison",
        syntax,
        summary,
        example,
        _bind,
        _constant_last(compute, mirrored),
        operator=True,
        null_rule=null_rule,
    )


FUNCTIONS = (
    _comparison("=", "a = b", "Whether the values are equal.", "1 = 1.0", operator.eq, operator.eq),
    _comparison("<>", "a <> b", "Whether the values differ.", "1 <> 2", operator.ne, operator.ne),
    _comparison("<", "a < b", "Whether a comes before b.", "'a' < 'b'", operator.lt, operator.gt),
    _comparison(
        "<=", "a <= b", "Whether a comes before b or is equal.", "1 <= 1", operator.le, operator.ge
    ),
    _comparison(">", "a > b", "Whether a comes after b.", "2 > 1", operator.gt, operator.lt),
    _comparison(
        ">=", "a >= b", "Whether a comes after b or is equal.", "2 >= 2", operator.ge, operator.le
    ),
    _comparison(
        "is_distinct",
        "a IS DISTINCT FROM b",
        "Whether the values differ, where NULL equals NULL.",
        "NULL IS DISTINCT FROM 1",
        pl.Expr.ne_missing,
        pl.Expr.ne_missing,
        "own",
    ),
    _comparison(
        "is_not_distinct",
        "a IS NOT DISTINCT FROM b",
        "Whether the values are equal, where NULL equals NULL.",
        "NULL IS NOT DISTINCT FROM NULL",
        pl.Expr.eq_missing,
        pl.Expr.eq_missing,
        "own",
    ),
)
