"""Bound expressions to Polars expressions.

Owns: how each node is lowered, that a branch which is not taken cannot fail, and the way back from
a kernel exception to the error of the statement (`diagnosis`).
Comes in: an expression whose types and casts are explicit. Goes out: a Polars expression over the
kernel columns. Does not know: frames, plans, names.
"""

from __future__ import annotations

from functools import lru_cache, reduce

import polars as pl
from polars.expr.whenthen import ChainedThen, Then

from eau2.errors import Error
from eau2.operators.expr import (
    Call,
    Case,
    Cast,
    ColumnRef,
    Expr,
    InList,
    Literal,
    Value,
    columns_of,
    conjuncts,
)
from eau2.operators.functions import checks
from eau2.operators.functions.branches import goes_by_steps, lower_by_steps
from eau2.operators.functions.casts import lower_cast, may_fail
from eau2.operators.functions.checks import Scope, formula
from eau2.operators.functions.logic import joined
from eau2.operators.functions.table import lookup
from eau2.operators.interval_form import normalised, normalised_value
from eau2.operators.physical import kernel_dtype, literal
from eau2.types import HUGEINT, Kind, SqlType

_SHORT_LIST = 3
"""Lists of up to this many values compare one by one, which is quicker than a hash set."""

_LONG_CASE = 64
_SHORT_TEXT = 64


class Given(ColumnRef, frozen=True, eq=False):
    """Something over one column that is lowered already. Equal to itself alone."""

    lowered: pl.Expr

    __eq__ = object.__eq__
    __hash__ = object.__hash__


_NULL = pl.lit(None)


def lower_expr(expr: Expr, diagnose: bool = False, guard: pl.Expr | None = None) -> pl.Expr:
    """The expression in Polars, over columns called by their labels.

    A value that must not be (an overflow, a cast that fails, a division by zero) makes the kernel
    call raise; with `diagnose` the exception's text carries the message that `diagnosis` finds.
    Rows for which `guard` is not true never raise, and their values do not matter.
    """
    if guard is not None and not can_fail(expr):
        # A guard of a condition that can fail must not stand where nothing guards it.
        guard = None
    elif guard is not None and not diagnose and _fails_on_nulls(expr):
        # What a guard keeps out the engine may try on a row of NULLs, where this fails.
        diagnose = True
    scope = Scope(lower_expr, can_fail, diagnose, guard)
    match expr:
        case Given(lowered=lowered):
            return lowered
        case ColumnRef():
            return _column(expr.label)
        case Literal():
            return _constant(expr.value, expr.type)
        case Call():
            return lookup(expr.function).lower(expr, scope)
        case Cast():
            return lower_cast(scope.lower(expr.arg), expr, scope)
        case Case():
            return _lower_case(expr, scope)
        case InList():
            return _lower_in(expr, scope)
        case _:
            raise AssertionError(f"{type(expr).__name__} is no bound scalar expression")


_column = lru_cache(maxsize=4096)(pl.col)


def _constant(value: Value, type_: SqlType) -> pl.Expr:
    """As `literal`; short ones come again, and take as long to make as what is done with them."""
    if isinstance(value, float) or (isinstance(value, str) and len(value) > _SHORT_TEXT):
        # As keys 0.0 and -0.0 would be one.
        return literal(value, type_)
    return _kept_constant(type(value).__name__, value, type_)


@lru_cache(maxsize=1024)
def _kept_constant(_class: str, value: Value, type_: SqlType) -> pl.Expr:
    return literal(value, type_)


def lower_condition(expr: Expr, diagnose: bool = False) -> pl.Expr:
    """The condition of a filter, which keeps no row for NULL.

    So a part that is NULL decides the row as one that is false does: the parts after it that can
    fail are not computed there. (In a value, NULL AND x must look at x.)
    """
    parts = conjuncts(expr)
    scope = Scope(lower_expr, can_fail, diagnose)
    sure = [scope.lower(part) for part in parts if not can_fail(part)]
    guard = joined([value.fill_null(False) for value in sure], True) if sure else None
    unsure = [lower_expr(part, diagnose, guard) for part in parts if can_fail(part)]
    return joined(sure + unsure, True)


def diagnosis(text: str) -> Error | None:
    """The error that the text of a kernel exception carries, after a run with `diagnose`."""
    return checks.diagnosis(text)


def can_fail(expr: Expr) -> bool:
    """Whether the expression can raise on some row."""
    waiting = [expr]
    while waiting:
        node = waiting.pop()
        if type(node) is not ColumnRef and type(node) is not Literal:
            if _fails_itself(node):
                return True
            waiting.extend(node.children)
    return False


def _fails_itself(node: Expr) -> bool:
    """Whether the node can raise where what it stands on does not."""
    match node:
        case Call(function=name, checked=checked):
            return checked and lookup(name).fails
        case Cast(type=type_, arg=arg, safe=safe, checked=checked):
            return checked and not safe and may_fail(arg.type, type_)
    return False


def _lower_case(case: Case, scope: Scope) -> pl.Expr:
    """CASE as when/then. What can fail is computed only for the rows that reach it."""
    guarded = any(can_fail(child) for child in case.children)
    dtype = kernel_dtype(case.type)
    reaching: list[pl.Expr] = []
    untaken: list[pl.Expr] = []
    taken: list[tuple[pl.Expr, pl.Expr]] = []
    if guarded and goes_by_steps(case, scope):
        return lower_by_steps(case, scope)
    for condition, result in case.branches:
        test = _within(scope, reaching).lower(condition)
        taken.append((test, _within(scope, [*untaken, test] if guarded else []).lower(result)))
        if guarded:
            untaken.append(~test.fill_null(False))
            # A condition that can fail is the only one that can: see goes_by_steps.
            if not can_fail(condition):
                reaching.append(untaken[-1])
    otherwise = _within(scope, untaken).lower(case.otherwise)
    if guarded and _fails_on_nulls(case):
        # The engine tries a branch that no row takes on a row of NULLs, where this fails.
        parts = [part for pair in taken for part in pair]
        return formula(dtype, _chosen_of, *parts, otherwise)
    return _chosen(taken, otherwise).cast(dtype)


def _within(scope: Scope, conditions: list[pl.Expr]) -> Scope:
    """The scope of the rows for which all conditions hold as well."""
    return scope.within(joined(conditions, True)) if conditions else scope


def _fails_on_nulls(expr: Expr) -> bool:
    """Whether a part can raise on a row whose columns are all NULL: 1 / 0, or int(str(NULL))."""
    if not can_fail(expr):
        return False
    if _fails_itself(expr) and not _is_null_on_nulls(expr):
        return True
    return any(_fails_on_nulls(child) for child in expr.children)


def _is_null_on_nulls(expr: Expr) -> bool:
    """Whether the expression is sure to be NULL on such a row."""
    match expr:
        case ColumnRef():
            return True
        case Literal(value=value):
            return value is None
        case Cast(arg=arg):
            return _is_null_on_nulls(arg)
        case Call(function=name, args=args) if lookup(name).null_rule == "strict":
            return any(map(_is_null_on_nulls, args))
    return False


def _chosen_of(*parts: pl.Expr) -> pl.Expr:
    """As `_chosen`: tests and values in turn, and what is left for the other rows."""
    *pairs, otherwise = parts
    return _chosen(list(zip(pairs[::2], pairs[1::2], strict=True)), otherwise)


def _chosen(taken: list[tuple[pl.Expr, pl.Expr]], otherwise: pl.Expr) -> pl.Expr:
    """The value beside the first test that is true.

    Polars takes time that grows with the square of a chain's length, so a long one is a chain of
    short ones: which of these holds the row is asked first.
    """
    if len(taken) > _LONG_CASE:
        groups = [taken[start : start + _LONG_CASE] for start in range(0, len(taken), _LONG_CASE)]
        taken = [(joined([t for t, _ in group], False), _chosen(group, _NULL)) for group in groups]
        return _chosen(taken, otherwise)
    (test, value), *others = taken
    chain: Then | ChainedThen = pl.when(test).then(value)
    for test, value in others:
        chain = chain.when(test).then(value)
    return chain.otherwise(otherwise)


@lru_cache(maxsize=64)
def _set_of(values: tuple[bool | int | float | str, ...], dtype: pl.DataType) -> pl.Series:
    return pl.Series("values", values, dtype=dtype)


def _lower_in(expr: InList, scope: Scope) -> pl.Expr:
    value = scope.lower(expr.arg)
    type_, values = expr.arg.type, expr.values
    if type_.kind is Kind.INTERVAL:
        value, type_ = normalised(value), HUGEINT
        values = tuple(normalised_value(int(v)) for v in values)
    found: pl.Expr
    if not values:
        found = pl.when(value.is_not_null()).then(pl.lit(False))
    elif len(values) <= _SHORT_LIST:
        equal = [value == _constant(v, type_) for v in values]
        found = reduce(lambda a, b: a | b, equal)
    elif not columns_of(expr):
        # is_in of a constant is one row, which does not become none where there are none.
        found = pl.any_horizontal(value == literal(v, type_) for v in values)
    else:
        if type_.is_temporal:
            value = value.to_physical()
        dtype = kernel_dtype(type_)
        stored = {"DATE": pl.Int32(), "TIMESTAMP": pl.Int64()}.get(type_.kind.value, dtype)
        found = value.is_in(_set_of(values, stored).implode())
    return found | pl.lit(None, pl.Boolean) if expr.has_null else found
