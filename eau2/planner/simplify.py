"""Simplify expressions: constants are computed, truth values with constants shortened.

Owns: rewriting one expression into a simpler one of the same type and, on every row, the same
value; an error may be lost where the value does not depend on it (but none of Python's), never
gained.
Comes in: bound expressions. Goes out: bound expressions.
Does not know: plans. Bringing constants to the bare column's type is unwrap.py's.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import is_not

import polars as pl

from eau2.config import LIMITS
from eau2.errors import Error
from eau2.operators.exact_constants import exact_value
from eau2.operators.expr import (
    Call,
    Case,
    Cast,
    ColumnRef,
    Expr,
    InList,
    Lambda,
    LambdaParameter,
    Literal,
    walk,
)
from eau2.operators.facts import COMPARISONS, FLIPPED, NEGATED, can_raise
from eau2.operators.functions.let import FOLD, LET
from eau2.operators.functions.native import calls_native
from eau2.operators.functions.python_calls import FAMILY as PYTHON
from eau2.operators.functions.table import lookup
from eau2.operators.lowering import lower_expr
from eau2.planner.conditions import is_closed, opened, opened_filter
from eau2.planner.disjunction import disjunction, disjuncts
from eau2.planner.lets import stands_alone, written_out
from eau2.planner.nulls import is_never_null
from eau2.planner.unwrap import unwrap_comparison, unwrap_list
from eau2.records import replace
from eau2.types import BOOLEAN

TRUE = Literal(BOOLEAN, True)
FALSE = Literal(BOOLEAN, False)
UNKNOWN = Literal(BOOLEAN, None)

_LEAVES = (ColumnRef, Literal)
_VARIABLE = (ColumnRef, Lambda, LambdaParameter)

_INNER_NODES = 64
"""A condition of a CASE is opened if it is so small: it is looked at with every CASE around it."""

_OPPOSITES = NEGATED | {
    "is_null": "is_not_null",
    "is_not_null": "is_null",
    "is_distinct": "is_not_distinct",
    "is_not_distinct": "is_distinct",
}


def simplified(expr: Expr) -> Expr:
    """The expression, simpler if it can be."""
    if isinstance(expr, _LEAVES):
        return expr
    if is_constant(expr):
        return computed(expr)
    if isinstance(expr, Call) and expr.function == LET:
        made = written_out(expr, simplified)
        return computed(made) if stands_alone(made) else made
    before = expr.children
    children = tuple([simplified(child) for child in before])
    if any(map(is_not, children, before)):
        expr = expr.with_children(children)
        if is_constant(expr):
            return computed(expr)
    return _node(expr)


def as_filter(expr: Expr) -> Expr:
    """A condition that is true for the same rows; where it was NULL it may be false."""
    simpler = simplified(expr)
    known = opened_filter(simpler) if is_closed(simpler) else _unknown_as_false(simpler)
    return simplified(known)


def as_join_condition(expr: Expr) -> Expr:
    """The same of a join's condition: there a part that is NULL keeps none after it from failing,
    as it does in filters.
    """
    simpler = simplified(expr)
    known = opened(simpler) if is_closed(simpler) else _unknown_as_false(simpler)
    return simplified(known)


def _unknown_as_false(expr: Expr) -> Expr:
    match expr:
        case Literal(value=None):
            return FALSE
        case Call(function="and" | "or", args=args):
            return expr.with_children(tuple(_unknown_as_false(arg) for arg in args))
        case InList(has_null=True):
            return replace(expr, has_null=False)
    return expr


def is_constant(expr: Expr) -> bool:
    """Whether it reads no column."""
    waiting = [expr]
    while waiting:
        # From the right, since long chains lean to the left: what is not constant shows soon.
        node = waiting.pop()
        if isinstance(node, _VARIABLE):
            return False
        waiting.extend(node.children)
    return True


def computed(expr: Expr) -> Expr:
    """The value of a constant expression; the expression itself when computing it fails, so that
    the error happens at run time, if the row that needs it is ever reached. Or when it is long, or
    calls a native function, which runs nowhere but in kernels.
    """
    if isinstance(expr, Literal) or expr.type.is_list or calls_native(expr):
        return expr
    exact = exact_value(expr)
    if exact is not None:
        return Literal(expr.type, exact)
    try:
        series = pl.select(value=lower_expr(expr)).to_series()
        if expr.type.is_temporal:
            series = series.to_physical()
        value = series.item()
        # A long text travels better as what makes it.
        long = isinstance(value, str) and len(value) > LIMITS.folded_text_chars
        return expr if long else Literal(expr.type, value)
    except (Error, pl.exceptions.PolarsError, ArithmeticError, ValueError, TypeError):
        return expr


def _node(expr: Expr) -> Expr:
    """One node over children that are simplified already."""
    match expr:
        case Call(function="and", args=(left, right)):
            return _and(expr, left, right)
        case Call(function="or", args=(left, right)):
            return _or(expr, left, right)
        case Call(function="not", args=(arg,)):
            return _not(expr, arg)
        case Call(function=name, args=args):
            if _is_null(args) and lookup(name).null_rule == "strict":
                return expr if any(map(_insists, args)) else Literal(expr.type, None)
            if name in COMPARISONS:
                return _comparison(expr)
            if name == FOLD and stands_alone(expr):
                return computed(expr)
        case Case():
            return _case(expr)
        case InList():
            return _in_list(expr)
        case Cast(arg=Literal(value=None)):
            return Literal(expr.type, None)
    return expr


def _insists(expr: Expr) -> bool:
    """Whether it may raise as a function in Python does: there no error is lost."""
    for node in walk(expr):
        if isinstance(node, Call) and node.checked:
            entry = lookup(node.function)
            if entry.fails and entry.family == PYTHON:
                return True
    return False


def _is_null(args: Iterable[Expr]) -> bool:
    return any(isinstance(arg, Literal) and arg.value is None for arg in args)


def _and(expr: Expr, left: Expr, right: Expr) -> Expr:
    if left == FALSE or (right == FALSE and not _insists(left)):
        return FALSE
    if left in (TRUE, right):
        return right
    return left if right == TRUE else expr


def _or(expr: Expr, left: Expr, right: Expr) -> Expr:
    if left == TRUE or (right == TRUE and not _insists(left)):
        return TRUE
    if left in (FALSE, right):
        return right
    if right == FALSE:
        return left
    # The left side is gathered already, so only what stands on the right can join a list of it.
    return _gathered(expr) if any(map(_listed, disjuncts(right))) else expr


def _not(expr: Expr, arg: Expr) -> Expr:
    match arg:
        case Call(function="not", args=(inner,)):
            return inner
        case Call(function="and" | "or" as name, args=args):
            parts = tuple(_not(Call(BOOLEAN, "not", (part,)), part) for part in args)
            return _node(Call(BOOLEAN, "or" if name == "and" else "and", parts))
        case Call(function=name) if name in _OPPOSITES:
            return replace(arg, function=_OPPOSITES[name])
        case Literal(value=value):
            return UNKNOWN if value is None else FALSE if value else TRUE
    return expr


def _gathered(expr: Expr) -> Expr:
    """Equalities of one expression with constants, joined by OR, as one list."""
    parts = disjuncts(expr)
    lists: dict[Expr, list[bool | int | float | str]] = {}
    for part in parts:
        listed = _listed(part)
        if listed is not None:
            lists.setdefault(listed[0], []).extend(listed[1])
    if sum(_listed(part) is not None for part in parts) == len(lists):
        return expr
    result: list[Expr] = []
    done: set[Expr] = set()
    for part in parts:
        listed = _listed(part)
        if listed is None:
            result.append(part)
        elif listed[0] not in done:
            done.add(listed[0])
            values = tuple(dict.fromkeys(lists[listed[0]]))
            result.append(_in_list(InList(BOOLEAN, listed[0], values)))
    return disjunction(tuple(result))


def _listed(part: Expr) -> tuple[Expr, tuple[bool | int | float | str, ...]] | None:
    match part:
        case Call(function="=", args=(arg, Literal(value=value))) if value is not None:
            plain = not arg.type.is_float and not can_raise(arg)
            return (arg, (value,)) if plain else None
        case InList(arg=arg, values=values, has_null=False) if not can_raise(arg):
            return (arg, values)
    return None


def _comparison(call: Call) -> Expr:
    """Constants to the right, and compared with what is bare if casts keep order."""
    left, right = call.args
    if isinstance(left, Literal) and not isinstance(right, Literal):
        call = replace(call, function=FLIPPED[call.function], args=(right, left))
    changed = unwrap_comparison(call)
    if changed is not call:
        return _node(changed)
    match call:
        case Call(function="=" | "<>" as name, args=(arg, Literal(value=bool() as value))):
            return arg if value == (name == "=") else _node(Call(BOOLEAN, "not", (arg,)))
    return call


def _case(case: Case) -> Expr:
    """Without branches that are never taken, and ending at one that always is."""
    branches: list[tuple[Expr, Expr]] = []
    otherwise = case.otherwise
    for condition, value in case.branches:
        if isinstance(condition, Literal):
            if condition.value is True:
                otherwise = value
                break
            continue
        if is_closed(condition):
            condition = opened(condition, _INNER_NODES)
        branches.append((condition, value))
    if not branches:
        return otherwise
    if tuple(branches) != case.branches or otherwise is not case.otherwise:
        case = replace(case, branches=tuple(branches), otherwise=otherwise)
    return _truth(case)


def _truth(case: Case) -> Expr:
    """The condition itself where the CASE only says whether it is true."""
    match case:
        case Case(branches=((condition, first),), otherwise=second):
            if {first, second} == {TRUE, FALSE} and is_never_null(condition, frozenset()):
                return condition if first == TRUE else _node(Call(BOOLEAN, "not", (condition,)))
    return case


def _in_list(expr: InList) -> Expr:
    values = tuple(dict.fromkeys(expr.values))
    if not values and expr.has_null:
        return UNKNOWN
    if len(values) < len(expr.values):
        expr = replace(expr, values=values)
    changed = unwrap_list(expr)
    if changed is not expr:
        return _node(changed)
    if len(values) == 1 and not expr.has_null:
        return _node(Call(BOOLEAN, "=", (expr.arg, Literal(expr.arg.type, values[0]))))
    return expr
