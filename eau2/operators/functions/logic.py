"""Truth in three values: AND, OR, NOT, IS [NOT] NULL.

Owns: Kleene's logic, and that the right side of AND and OR is guarded by the left: a failure there
does not happen on rows that the left side has decided. `joined` also says how long chains are
computed.
Does not know: comparisons.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import polars as pl

from eau2.operators.coercion import cast, is_null
from eau2.operators.expr import LEANING_PARTS, Call, Expr, columns_of
from eau2.operators.functions.checks import Scope
from eau2.operators.functions.function import Function, mismatch, values
from eau2.types import BOOLEAN, INTEGER


def _bind_logic(name: str, args: tuple[Expr, ...]) -> Expr:
    if (name == "not") != (len(args) == 1) or len(args) > 2:
        raise mismatch(name, args, "AND and OR take two conditions, NOT takes one.")
    return Call(BOOLEAN, name, tuple(cast(arg, BOOLEAN) for arg in args))


def _bind_is_null(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 1:
        raise mismatch(name, args, "It is written x IS NULL.")
    (arg,) = args
    return Call(BOOLEAN, name, (cast(arg, INTEGER) if is_null(arg) else arg,))


def _lower_logic(call: Call, scope: Scope) -> pl.Expr:
    """A chain of AND or OR.

    What can fail is computed only where the parts before it, as far as they cannot fail
    themselves, leave the result open.
    """
    conjunction = call.function == "and"
    parts: list[pl.Expr] = []
    inner = scope
    for part in _chain(call, call.function):
        fallible = scope.can_fail(part)
        value = (inner if fallible else scope).lower(part)
        if not fallible:
            undecided = value.fill_null(True) if conjunction else ~value.fill_null(False)
            inner = inner.within(undecided)
        parts.append(value)
    fails = scope.can_fail(call)
    return joined(parts, conjunction, fails and not all(map(columns_of, call.args)))


def joined(values: Sequence[pl.Expr], conjunction: bool, whole: bool = False) -> pl.Expr:
    """The values, one or more, joined by AND or by OR, in three values.

    Polars takes a chain of & apart and walks one of | link by link, both in time that grows with
    the square of its length; so many values become the arguments of one call. whole: all of them
    are computed, also beside a constant that decides, for which Polars would leave them out.
    """
    if whole or len(values) > LEANING_PARTS:
        return pl.all_horizontal(values) if conjunction else pl.any_horizontal(values)
    if conjunction:
        return reduce(lambda a, b: a & b, values)
    return reduce(lambda a, b: a | b, values)


def _chain(expr: Expr, name: str) -> tuple[Expr, ...]:
    if isinstance(expr, Call) and expr.function == name:
        return tuple(part for arg in expr.args for part in _chain(arg, name))
    return (expr,)


FUNCTIONS = (
    Function(
        "and",
        "logic",
        "a AND b",
        "True when both are true, false when one is false.",
        "true AND NULL IS NULL",
        _bind_logic,
        _lower_logic,
        operator=True,
        null_rule="own",
    ),
    Function(
        "or",
        "logic",
        "a OR b",
        "True when one is true, false when both are false.",
        "true OR NULL",
        _bind_logic,
        _lower_logic,
        operator=True,
        null_rule="own",
    ),
    Function(
        "not",
        "logic",
        "NOT a",
        "The opposite; NULL stays NULL.",
        "NOT false",
        _bind_logic,
        values(lambda a: ~a),
        operator=True,
    ),
    Function(
        "is_null",
        "logic",
        "x IS NULL",
        "Whether there is no value.",
        "NULL IS NULL",
        _bind_is_null,
        values(lambda x: x.is_null()),
        operator=True,
        null_rule="own",
    ),
    Function(
        "is_not_null",
        "logic",
        "x IS NOT NULL",
        "Whether there is a value.",
        "1 IS NOT NULL",
        _bind_is_null,
        values(lambda x: x.is_not_null()),
        operator=True,
        null_rule="own",
    ),
)
