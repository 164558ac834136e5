"""Hypothesis strategies for what functions become: lets, folds and CASEs in one another."""

from __future__ import annotations

from collections.abc import Callable

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
    lambdas = tuple(Lambda(part.type, given[:i], part) for i, part in enumerate(parts))
    return Call(parts[-1].type, "let", lambdas)


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


@st.composite
def rows(draw: st.DrawFn) -> pl.DataFrame:
    """A few rows of the columns."""
    numbers = st.none() | st.integers(-1, 2)
    row = st.tuples(numbers, numbers, st.none() | st.lists(numbers, max_size=2),
                    st.none() | st.booleans())  # fmt: skip
    return pl.DataFrame(
        draw(st.lists(row, min_size=1, max_size=5)),
        schema={"c1": pl.Int64, "c2": pl.Int64, "c3": pl.List(pl.Int64), "c4": pl.Boolean},
        orient="row",
    )


def _of(scope: Scope, type_: SqlType) -> list[Expr]:
    return [parameter for parameter in scope if parameter.type == type_]


@st.composite
def values(
    draw: st.DrawFn, type_: SqlType, depth: int, scope: Scope = (), level: int = 0,
    logic: bool = True,
) -> Expr:  # fmt: skip
    """An expression; some of them raise on some rows. logic: with AND, OR and CASE in it."""

    def part(wanted: SqlType) -> Expr:
        return draw(values(wanted, depth - 1, scope, level, logic))

    plain = type_ == BIGINT
    leaves: list[Expr] = [X, Y] if plain else [TRUTH]
    constants = st.integers(-1, 2) if plain else st.booleans()
    leaf = st.sampled_from(leaves + 2 * _of(scope, type_)) | st.builds(
        Literal, st.just(type_), constants | st.none() if logic else constants
    )
    if depth == 0:
        return draw(leaf)
    forms: list[Callable[[], Expr]] = [lambda: draw(leaf)]
    forms += 3 * [lambda: _let(draw, type_, depth, scope, level, logic)]
    if logic:
        forms += 3 * [lambda: _case(draw, type_, part)]
        forms += [lambda: bind("coalesce", (part(type_), part(type_)))]
    if plain:
        operators = st.sampled_from(["+", "-", "//"])
        forms += 2 * [lambda: bind(draw(operators), (part(BIGINT), part(BIGINT)))]
        forms += [lambda: _fold(draw, depth, scope, level, logic)]
    else:
        forms += 2 * [lambda: _test(draw, part)]
        if logic:
            forms += 3 * [lambda: _logic(draw, part)]
    return draw(st.sampled_from(forms))()


def _let(
    draw: st.DrawFn, type_: SqlType, depth: int, scope: Scope, level: int, logic: bool
) -> Expr:
    parts: list[Expr] = []
    inner = scope
    for _ in range(draw(st.integers(0, 2))):
        kind = draw(st.sampled_from([BIGINT, BOOLEAN]))
        parts.append(draw(values(kind, depth - 1, inner, level + 1, logic)))
        inner = (*inner, LambdaParameter(kind, level, len(parts) - 1))
    return let(*parts, draw(values(type_, depth - 1, inner, level + 1, logic)), level=level)


def _fold(draw: st.DrawFn, depth: int, scope: Scope, level: int, logic: bool) -> Expr:
    initial = draw(values(BIGINT, depth - 1, scope, level, logic))
    given = tuple(LambdaParameter(BIGINT, level, i) for i in range(3))
    step = draw(values(BIGINT, depth - 1, (*scope, *given), level + 1, logic))
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
