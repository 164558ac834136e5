"""Hypothesis strategies for what functions become: lets, folds and CASEs in one another."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import polars as pl
from hypothesis import strategies as st

from eau2.operators.expr import (
    Call,
    Case,
    ColumnRef,
    Expr,
    InList,
    Lambda,
    LambdaParameter,
    Literal,
)
from eau2.operators.functions.table import bind
from eau2.operators.lowering import lower_condition, lower_expr
from eau2.types import BIGINT, BOOLEAN, SqlType, list_of

X, Y = ColumnRef(BIGINT, 1), ColumnRef(BIGINT, 2)
NUMBERS = ColumnRef(list_of(BIGINT), 3)
TRUTH = ColumnRef(BOOLEAN, 4)
FAILURES = (pl.exceptions.PolarsError, ValueError)

Scope = tuple[LambdaParameter, ...]


def let(*parts: Expr, level: int = 0) -> Call:
    """The last part over those before it, each the parameter of its number."""
    given = tuple(LambdaParameter(part.type, level, i) for i, part in enumerate(parts[:-1]))
    *values, result = parts
    lambdas = [Lambda(value.type, (), value) for value in values]
    return Call(result.type, "let", (*lambdas, Lambda(result.type, given, result)))


def fold(
    lists: Expr, initial: tuple[Expr, ...], steps: tuple[Expr, ...], which: int = 0, level: int = 0
) -> Call:
    """A loop over lists: each step over states, element and position."""
    element = lists.type.element
    assert element is not None
    types = (*(state.type for state in initial), element, BIGINT)
    given = tuple(LambdaParameter(type_, level, i) for i, type_ in enumerate(types))
    lambdas = tuple(Lambda(step.type, given, step) for step in steps)
    args = (lists, *initial, *lambdas, Literal(BIGINT, which))
    return Call(initial[which].type, "fold", args)


GRID = pl.DataFrame(
    [
        (x, y, numbers, truth)
        for number, (x, y) in enumerate(product((None, 0, 1), repeat=2))
        for truth in (None, True, False)
        for numbers in [(None, [], [0], [1, None])[number % 4]]
    ],
    schema={"c1": pl.Int64, "c2": pl.Int64, "c3": pl.List(pl.Int64), "c4": pl.Boolean},
    orient="row",
)
"""Rows for which a wrong condition shows."""


def _of(scope: Scope, type_: SqlType) -> list[Expr]:
    return [parameter for parameter in scope if parameter.type == type_]


@st.composite
def values(
    draw: st.DrawFn, type_: SqlType, depth: int, scope: Scope = (), level: int = 0,
    exact: bool = False,
) -> Expr:  # fmt: skip
    """An expression; some of them raise on some rows.

    exact: of parts that raise for as many rows when they are simplified.
    """

    def part(wanted: SqlType) -> Expr:
        return draw(values(wanted, depth - 1, scope, level, exact))

    plain = type_ == BIGINT
    leaves: list[Expr] = [X, Y] if plain else [TRUTH]
    leaves += 4 * _of(scope, type_)
    if not exact:
        leaves += [Literal(type_, value) for value in ((0, 1, None) if plain else (True, False))]
    if depth == 0:
        return draw(st.sampled_from(leaves))
    forms: list[Callable[[], Expr]] = [lambda: draw(st.sampled_from(leaves))]
    forms += 3 * [lambda: _let(draw, type_, depth, scope, level, exact)]
    forms += 2 * [lambda: _case(draw, type_, part)]
    if not exact:
        forms += [lambda: bind("coalesce", (part(type_), part(type_)))]
    if plain:
        operators = st.sampled_from(["+", "//"])
        forms += 3 * [lambda: bind(draw(operators), (part(BIGINT), part(BIGINT)))]
        forms += [lambda: _fold(draw, depth, scope, level, exact)]
    else:
        forms += 2 * [lambda: _test(draw, part)]
        if not exact:
            forms += 3 * [lambda: _logic(draw, part)]
    return draw(st.sampled_from(forms))()


def _let(
    draw: st.DrawFn, type_: SqlType, depth: int, scope: Scope, level: int, exact: bool
) -> Expr:
    parts: list[Expr] = []
    inner = scope
    for _ in range(draw(st.integers(0, 2))):
        kind = draw(st.sampled_from([BIGINT, BOOLEAN]))
        parts.append(draw(values(kind, depth - 1, inner, level + 1, exact)))
        inner = (*inner, LambdaParameter(kind, level, len(parts) - 1))
    return let(*parts, draw(values(type_, depth - 1, inner, level + 1, exact)), level=level)


def _fold(draw: st.DrawFn, depth: int, scope: Scope, level: int, exact: bool) -> Expr:
    initial = draw(values(BIGINT, depth - 1, scope, level, exact))
    given = tuple(LambdaParameter(BIGINT, level, i) for i in range(3))
    step = draw(values(BIGINT, depth - 1, (*scope, *given), level + 1, exact))
    return fold(NUMBERS, (initial,), (step,), level=level)


def _case(draw: st.DrawFn, type_: SqlType, part: Callable[[SqlType], Expr]) -> Expr:
    branches = []
    for _ in range(draw(st.integers(1, 2))):
        condition = part(BOOLEAN)
        same = type_ == BOOLEAN and draw(st.booleans())
        branches.append((condition, condition if same else part(type_)))
    same = type_ == BOOLEAN and draw(st.booleans())
    return Case(type_, tuple(branches), branches[-1][0] if same else part(type_))


def _test(draw: st.DrawFn, part: Callable[[SqlType], Expr]) -> Expr:
    name = draw(st.sampled_from(["=", "<", ">=", "is_distinct", "is_not_distinct", "in", "null"]))
    if name == "in":
        return InList(BOOLEAN, part(BIGINT), (0, 2), draw(st.booleans()))
    if name == "null":
        return bind("is_null", (part(BIGINT),))
    right = part(BIGINT) if draw(st.booleans()) else Literal(BIGINT, draw(st.integers(0, 1)))
    return bind(name, (part(BIGINT), right))


def _logic(draw: st.DrawFn, part: Callable[[SqlType], Expr]) -> Expr:
    name = draw(st.sampled_from(["and", "or", "not", "coalesce"]))
    if name == "not":
        return bind("not", (part(BOOLEAN),))
    other = Literal(BOOLEAN, draw(st.booleans())) if name == "coalesce" else part(BOOLEAN)
    return bind(name, (part(BOOLEAN), other))


CONSTANTS = [Literal(BOOLEAN, True), Literal(BOOLEAN, False), Literal(BOOLEAN, None)]
ATOMS: list[Expr] = [
    TRUTH,
    bind(">", (X, Literal(BIGINT, 0))),
    bind("=", (Y, Literal(BIGINT, 1))),
    bind("<", (X, Y)),
    bind("is_distinct", (X, Literal(BIGINT, 1))),
    bind("is_not_distinct", (Y, Literal(BIGINT, 0))),
    bind("coalesce", (TRUTH, Literal(BOOLEAN, False))),
    bind("coalesce", (bind(">", (Y, X)), Literal(BOOLEAN, True))),
    InList(BOOLEAN, X, (1, 2), has_null=True),
    bind("is_null", (Y,)),
]
RAISING: list[Expr] = [
    bind("=", (bind("//", (Literal(BIGINT, 1), X)), Y)),
    bind(">", (bind("//", (X, Y)), Literal(BIGINT, 0))),
]


@st.composite
def branched(draw: st.DrawFn, depth: int = 2) -> Expr:
    """A condition as functions make them: early returns, `and`, `or` and `not` as CASE."""
    atoms = ATOMS + 2 * RAISING
    if depth == 0:
        return draw(st.sampled_from(atoms))
    match draw(st.integers(0, 7)):
        case 0:
            return draw(st.sampled_from(atoms))
        case 1:
            return bind("not", (draw(branched(depth - 1)),))
        case 2:
            name = draw(st.sampled_from(["and", "or"]))
            return bind(name, (draw(branched(depth - 1)), draw(branched(depth - 1))))
        case 3:
            given = LambdaParameter(BOOLEAN, 0, 0)
            chosen = Case(BOOLEAN, ((given, draw(st.sampled_from(CONSTANTS))),), given)
            return let(draw(branched(0)), draw(st.sampled_from([given, chosen])))
    branches: list[tuple[Expr, Expr]] = []
    for _ in range(draw(st.integers(1, 2))):
        condition = draw(branched(depth - 1) if draw(st.booleans()) else branched(0))
        branches.append((condition, draw(_results(condition, depth))))
    return Case(BOOLEAN, tuple(branches), draw(_results(branches[-1][0], depth)))


def _results(condition: Expr, depth: int) -> st.SearchStrategy[Expr]:
    return st.sampled_from([*CONSTANTS, condition]) | branched(depth - 1)


def computed(expr: Expr, frame: pl.DataFrame) -> list[object] | None:
    """The values, or None where computing them raises."""
    try:
        found = frame.lazy().with_columns(v=lower_expr(expr)).collect()
    except FAILURES:
        return None
    return found.get_column("v").to_list()


def kept(condition: Expr, frame: pl.DataFrame) -> list[int] | None:
    """The numbers of the rows that a filter keeps, or None where it raises."""
    try:
        found = frame.lazy().with_row_index("n").filter(lower_condition(condition)).collect()
    except FAILURES:
        return None
    return found.get_column("n").to_list()
