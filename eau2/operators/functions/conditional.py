"""Choices: COALESCE, IFNULL, NULLIF, IF, greatest, least.

Owns: their common types, and that an argument that is not reached does not fail.
Does not know: CASE itself, which is a node of its own (lowering.py).
"""

from __future__ import annotations

from functools import partial

import polars as pl

from eau2.operators.coercion import cast, coerce, common_type, compare
from eau2.operators.expr import Call, Case, Expr, Literal
from eau2.operators.functions.branches import first_known_by_steps
from eau2.operators.functions.checks import Scope, batchwise
from eau2.operators.functions.function import Function, mismatch
from eau2.operators.functions.list_keys import list_key
from eau2.operators.functions.logic import joined
from eau2.operators.interval_form import days_of, months_of, normalised
from eau2.operators.physical import kernel_dtype
from eau2.types import BOOLEAN, NULL, Kind, SqlType


def _bind_common(name: str, args: tuple[Expr, ...]) -> Expr:
    if not args:
        raise mismatch(name, args, f"{name} takes at least one argument.")
    type_ = common_type(args)
    if type_ == NULL and all(isinstance(arg, Literal) for arg in args):
        return Literal(NULL, None)
    return Call(type_, name, tuple(coerce(arg, type_) for arg in args))


def _bind_ifnull(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 2:
        raise mismatch(name, args, f"It is written {name}(x, otherwise).")
    return _bind_common("coalesce", args)


def _bind_nullif(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 2:
        raise mismatch(name, args, "It is written nullif(a, b).")
    value = args[0]
    equal = compare("=", *args)
    return Case(value.type, ((equal, Literal(value.type, None)),), value)


def _bind_if(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 3:
        raise mismatch(name, args, "It is written if(condition, then, otherwise).")
    type_ = common_type(args[1:])
    then, otherwise = (coerce(arg, type_) for arg in args[1:])
    return Case(type_, ((cast(args[0], BOOLEAN), then),), otherwise)


def _lower_coalesce(call: Call, scope: Scope) -> pl.Expr:
    if sum(map(scope.can_fail, call.args[1:])) > 1:
        return first_known_by_steps(call.args, scope)
    found: list[pl.Expr] = []
    missing: list[pl.Expr] = []
    for arg in call.args:
        fallible = scope.can_fail(arg)
        inner = scope.within(joined(missing, True)) if missing and fallible else scope
        found.append(inner.lower(arg))
        missing.append(found[-1].is_null())
    return pl.coalesce(found) if len(found) > 1 else found[0]


def _lower_extreme(call: Call, scope: Scope) -> pl.Expr:
    values = [scope.lower(arg) for arg in call.args]
    greatest = call.function == "greatest"
    if call.type.is_list:
        choose = partial(_extreme_list, call.type, greatest)
        return batchwise(kernel_dtype(call.type), choose, *values)
    if call.type.is_float:
        # Of equal floats (0.0 and -0.0) the first counts, and NaN is the greatest.
        pick = partial(_extreme_float, greatest=greatest)
        return batchwise(kernel_dtype(call.type), pick, *values)
    if call.type.kind is Kind.INTERVAL:
        chosen = partial(_extreme_interval, greatest=greatest)
        return batchwise(kernel_dtype(call.type), chosen, *values)
    return pl.max_horizontal(values) if greatest else pl.min_horizontal(values)


def _extreme_float(frame: pl.DataFrame, greatest: bool) -> pl.Series:
    best, *others = frame.get_columns()
    for other in others:
        beyond = (other > best) if greatest else (other < best)
        best = other.zip_with(beyond.fill_null(False) | best.is_null(), best)
    return best


def _extreme_interval(frame: pl.DataFrame, greatest: bool) -> pl.Series:
    """Of equal intervals the greatest has the most months, then the most days."""
    best, *others = frame.get_columns()
    for other in others:
        pair = pl.DataFrame({"best": best, "other": other})
        beyond: pl.Expr = pl.lit(False)
        for order in (days_of, months_of, normalised):
            one, two = order(pl.col("best")), order(pl.col("other"))
            further = two > one if greatest else two < one
            beyond = further | ((one == two) & beyond)
        wins = pair.select(beyond).to_series().fill_null(False)
        best = other.zip_with(wins | best.is_null(), best)
    return best


def _extreme_list(type_: SqlType, greatest: bool, frame: pl.DataFrame) -> pl.Series:
    columns = frame.get_columns()
    keys = frame.select(list_key(pl.all(), type_)).get_columns()
    best, of_best = columns[0], keys[0]
    for other, key in zip(columns[1:], keys[1:], strict=True):
        beyond = (key > of_best) if greatest else (key < of_best)
        taken = beyond.fill_null(False) | of_best.is_null()
        best, of_best = other.zip_with(taken, best), key.zip_with(taken, of_best)
    return best


def _unreached(call: Call, scope: Scope) -> pl.Expr:
    raise AssertionError(f"{call.function} is bound to CASE")


FUNCTIONS = (
    Function(
        "coalesce",
        "conditional",
        "coalesce(x, ...)",
        "The first argument that is not NULL.",
        "coalesce(NULL, 2, 3) = 2",
        _bind_common,
        _lower_coalesce,
        null_rule="own",
    ),
    Function(
        "ifnull",
        "conditional",
        "ifnull(x, otherwise)",
        "x, or the other value if x is NULL.",
        "ifnull(NULL, 2) = 2",
        _bind_ifnull,
        _unreached,
        null_rule="own",
    ),
    Function(
        "nullif",
        "conditional",
        "nullif(a, b)",
        "a, or NULL if both are equal.",
        "nullif(1, 1) IS NULL",
        _bind_nullif,
        _unreached,
        null_rule="own",
    ),
    Function(
        "if",
        "conditional",
        "if(condition, then, otherwise)",
        "The second argument if the condition is true, else the third.",
        "if(1 < 2, 'yes', 'no') = 'yes'",
        _bind_if,
        _unreached,
        null_rule="own",
    ),
    Function(
        "greatest",
        "conditional",
        "greatest(x, ...)",
        "The greatest argument; NULLs are ignored.",
        "greatest(1, 3, 2) = 3",
        _bind_common,
        _lower_extreme,
        null_rule="own",
    ),
    Function(
        "least",
        "conditional",
        "least(x, ...)",
        "The least argument; NULLs are ignored.",
        "least(1, 3, 2) = 1",
        _bind_common,
        _lower_extreme,
        null_rule="own",
    ),
)
