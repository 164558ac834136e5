"""Comparisons: = <> < <= > >= and IS [NOT] DISTINCT FROM.

Owns: how two values of one type compare. Polars agrees with SQL here: a NULL operand gives NULL,
NaN equals NaN and is greater than every number, strings compare by their bytes.
Does not know: which types meet (coercion.py does).
"""

from __future__ import annotations

import operator
from collections.abc import Callable

import polars as pl

from eau2.operators.coercion import compare
from eau2.operators.expr import Expr
from eau2.operators.functions.function import Function, mismatch, values


def _bind(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 2:
        raise mismatch(name, args, f"It is written a {name} b.")
    return compare(name, *args)


def _comparison(
    name: str,
    syntax: str,
    summary: str,
    example: str,
    compute: Callable[[pl.Expr, pl.Expr], pl.Expr],
    null_rule: str = "strict",
) -> Function:
    return Function(
        name,
        "comparison",
        syntax,
        summary,
        example,
        _bind,
        values(compute),
        operator=True,
        null_rule=null_rule,
    )


FUNCTIONS = (
    _comparison("=", "a = b", "Whether the values are equal.", "1 = 1.0", operator.eq),
    _comparison("<>", "a <> b", "Whether the values differ.", "1 <> 2", operator.ne),
    _comparison("<", "a < b", "Whether a comes before b.", "'a' < 'b'", operator.lt),
    _comparison("<=", "a <= b", "Whether a comes before b or is equal.", "1 <= 1", operator.le),
    _comparison(">", "a > b", "Whether a comes after b.", "2 > 1", operator.gt),
    _comparison(">=", "a >= b", "Whether a comes after b or is equal.", "2 >= 2", operator.ge),
    _comparison(
        "is_distinct",
        "a IS DISTINCT FROM b",
        "Whether the values differ, where NULL equals NULL.",
        "NULL IS DISTINCT FROM 1",
        lambda a, b: a.ne_missing(b),
        "own",
    ),
    _comparison(
        "is_not_distinct",
        "a IS NOT DISTINCT FROM b",
        "Whether the values are equal, where NULL equals NULL.",
        "NULL IS NOT DISTINCT FROM NULL",
        lambda a, b: a.eq_missing(b),
        "own",
    ),
)
