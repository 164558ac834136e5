"""error, assert_true, constant_or_null: failing on purpose, and values that depend on NULLs.

Owns: that an error is raised only for rows that reach it. Does not know: other errors.
"""

from __future__ import annotations

from functools import reduce

import polars as pl

from eau2.operators.coercion import cast, coerce, is_null
from eau2.operators.expr import Call, Case, Expr, Literal
from eau2.operators.functions.checks import Outcome, Scope, checked
from eau2.operators.functions.function import Function, mismatch
from eau2.operators.physical import kernel_dtype
from eau2.types import BOOLEAN, NULL, VARCHAR


def _bind_error(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 1 or not (is_null(args[0]) or args[0].type == VARCHAR):
        raise mismatch(name, args, "It is written error(message).")
    return Call(NULL, "error", (coerce(args[0], VARCHAR),))


def _lower_error(call: Call, scope: Scope) -> pl.Expr:
    dtype = kernel_dtype(call.type)

    def over(message: pl.Expr) -> Outcome:
        nothing = pl.when(message.is_null()).then(pl.lit(None, dtype))
        return Outcome(nothing, message.is_not_null(), "given", (message,))

    return checked(dtype, over, scope, scope.lower(call.args[0]))


def _bind_assert(name: str, args: tuple[Expr, ...]) -> Expr:
    """A CASE whose ELSE is an error."""
    if len(args) not in (1, 2):
        raise mismatch(name, args, f"It is written {name}(condition[, message]).")
    message: Expr = Literal(VARCHAR, "Assertion failed")
    if len(args) == 2 and not is_null(args[1]):
        given = Call(VARCHAR, "||", (Literal(VARCHAR, "Assertion: "), cast(args[1], VARCHAR)))
        message = Call(VARCHAR, "coalesce", (given, message))
    failure = _bind_error("error", (message,))
    return Case(NULL, ((cast(args[0], BOOLEAN), Literal(NULL, None)),), failure)


def _bind_constant_or_null(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) < 2:
        raise mismatch(name, args, f"It is written {name}(constant, x, ...).")
    value, *others = args
    if any(is_null(other) for other in others):
        return Literal(NULL, None)
    known = [Call(BOOLEAN, "is_not_null", (other,)) for other in others]
    every = reduce(lambda a, b: Call(BOOLEAN, "and", (a, b)), known)
    return Case(value.type, ((every, value),), Literal(value.type, None))


def _unreached(call: Call, scope: Scope) -> pl.Expr:
    raise AssertionError(f"{call.function} is bound to CASE")


FUNCTIONS = (
    Function(
        "error",
        "conditional",
        "error(message)",
        "Raises an error with the message, for a row that reaches it.",
        "CASE WHEN 1 < 2 THEN true ELSE error('no order') END",
        _bind_error,
        _lower_error,
        fails=True,
    ),
    Function(
        "assert_true",
        "conditional",
        "assert_true(condition[, message])",
        "NULL if the condition is true, else an error.",
        "assert_true(1 < 2) IS NULL",
        _bind_assert,
        _unreached,
        null_rule="own",
        fails=True,
    ),
    Function(
        "constant_or_null",
        "conditional",
        "constant_or_null(constant, x, ...)",
        "The first argument if none of the others is NULL.",
        "constant_or_null(1, 2) = 1",
        _bind_constant_or_null,
        _unreached,
        null_rule="own",
    ),
)
