"""let and fold: local values and loops, as columns, constants, under guards, in one another."""

from __future__ import annotations

import polars as pl
import pytest

from eau2.config import LIMITS
from eau2.errors import Error, FunctionFailedError, OutOfRangeError, UnknownFunctionError
from eau2.operators.expr import (
    Call,
    Case,
    ColumnRef,
    Expr,
    Lambda,
    LambdaParameter,
    Literal,
    moved,
    substitute,
)
from eau2.operators.facts import can_raise
from eau2.operators.functions import table
from eau2.operators.lowering import can_fail, diagnosis, lower_condition, lower_expr
from eau2.operators.physical import kernel_dtype
from eau2.operators.user_functions import over
from eau2.types import BIGINT, BOOLEAN, HUGEINT, VARCHAR, SqlType, list_of
from tests.unit.random_lets import fold, let

X, Y = ColumnRef(BIGINT, 1), ColumnRef(BIGINT, 2)
NUMBERS = ColumnRef(list_of(BIGINT), 3)
ROWS = pl.DataFrame(
    {
        "c1": pl.Series([1, 2, None, 0, 5], dtype=pl.Int64),
        "c2": pl.Series([10, None, 30, 40, 0], dtype=pl.Int64),
        "c3": pl.Series([[1, 2, 3], [], None, [4, None], [7]], dtype=pl.List(pl.Int64)),
    }
)


def whole(value: int | None) -> Literal:
    return Literal(BIGINT, value)


def parameter(index: int, type_: SqlType = BIGINT, level: int = 0) -> LambdaParameter:
    return LambdaParameter(type_, level, index)


def call(name: str, *args: Expr) -> Expr:
    return table.bind(name, args)


def run(expr: Expr, rows: pl.DataFrame = ROWS) -> list[object]:
    """The values by a query over the rows. Raises what a kernel's failure means."""
    try:
        result = rows.lazy().with_columns(v=lower_expr(expr)).collect()
    except (pl.exceptions.PolarsError, ValueError):
        with pytest.raises((pl.exceptions.PolarsError, ValueError)) as failure:
            rows.lazy().with_columns(v=lower_expr(expr, diagnose=True)).collect()
        found = diagnosis(str(failure.value))
        assert found is not None, failure.value
        raise found from None
    column = result.get_column("v")
    assert column.dtype == kernel_dtype(expr.type)
    return column.to_list()


def test_values_may_read_those_before_them() -> None:
    a, b = parameter(0), parameter(1)
    assert run(let(call("+", X, whole(1)), call("*", a, a), call("-", b, a))) == [2, 6, None, 0, 30]
    assert run(let(X)) == [1, 2, None, 0, 5]
    assert run(let(Y, X, call("coalesce", b, a))) == [1, 2, 30, 0, 5]


def test_a_value_that_nobody_reads_fails_all_the_same() -> None:
    failing = let(call("//", whole(1), X), Y)
    assert can_fail(failing)
    assert can_raise(failing)
    assert not can_fail(let(call("coalesce", X, Y), parameter(0)))
    with pytest.raises(Error, match=r"zero|0"):
        run(failing)


def test_rows_that_do_not_count_never_fail() -> None:
    apart = call("<>", X, whole(0))
    quotient = let(call("//", whole(10), X), call("+", parameter(0), whole(1)))
    guarded = Case(BIGINT, ((apart, quotient),), whole(-1))
    assert run(guarded) == [11, 6, -1, -1, 3]
    condition = call("and", apart, call(">", quotient, whole(3)))
    assert ROWS.filter(lower_condition(condition)).get_column("c1").to_list() == [1, 2]
    inside = let(call("+", X, Y), Case(BIGINT, ((apart, call("//", Y, X)),), parameter(0)))
    assert run(inside) == [10, None, None, 40, 0]


def test_constants_and_frames_of_no_rows() -> None:
    constant = let(whole(2), call("+", parameter(0), parameter(0)))
    lists = Literal(list_of(BIGINT), None)
    looped = fold(lists, (whole(1),), (parameter(1),))
    for rows in (ROWS, ROWS.head(1), ROWS.head(0)):
        assert run(constant, rows) == [4] * len(rows)
        assert run(let(X, parameter(0)), rows) == rows.get_column("c1").to_list()
        assert run(looped, rows) == [None] * len(rows)
        assert len(run(fold(NUMBERS, (X,), (parameter(0),)), rows)) == len(rows)
    assert pl.select(lower_expr(constant)).item() == 4


def test_types_that_cannot_be_written_into_columns() -> None:
    wide = call("*", ColumnRef(HUGEINT, 1), Literal(HUGEINT, 10**20))
    rows = ROWS.with_columns(pl.col("c1").cast(pl.Int128))
    found = run(let(wide, call("+", parameter(0, HUGEINT), parameter(0, HUGEINT))), rows)
    assert found == [2 * 10**20, 4 * 10**20, None, 0, 10**21]
    type_ = list_of(BIGINT)
    grown = call("list_append", parameter(0, type_), call("+", parameter(1), parameter(2)))
    start = Call(type_, "list_resize", (NUMBERS, whole(0), whole(None)))
    assert run(fold(NUMBERS, (start,), (grown,))) == [[1, 3, 5], [], None, [4, None], [7]]
    assert run(let(NUMBERS, call("list_extract", parameter(0, type_), whole(1)))) == [
        1, None, None, 4, 7,
    ]  # fmt: skip


def test_loops_take_states_from_before_the_step() -> None:
    a, b, element, position = (parameter(i) for i in range(4))
    fibonacci = (b, call("+", a, b))
    assert run(fold(NUMBERS, (whole(0), whole(1)), fibonacci, 1)) == [3, 1, None, 2, 1]
    total = call("+", a, call("coalesce", call("*", b, element), whole(0)))
    steps = (total, call("+", b, position))
    assert run(fold(NUMBERS, (X, Y), steps)) == [64, 2, None, 160, 5]


def test_a_step_is_computed_for_rows_that_have_an_element() -> None:
    divided = call("//", whole(10), parameter(1))
    rows = ROWS.with_columns(
        c3=pl.Series([[5, 2], [], None, [1], []], dtype=pl.List(pl.Int64)),
    )
    assert run(fold(NUMBERS, (whole(7),), (divided,)), rows) == [5, 7, None, 10, 7]
    outer = Case(BIGINT, ((call(">", X, whole(0)), fold(NUMBERS, (X,), (divided,))),), whole(0))
    failing = rows.with_columns(c3=pl.Series([[5], [], [0], [0], []], dtype=pl.List(pl.Int64)))
    assert run(outer, failing) == [2, 2, 0, 0, 5]


def test_they_stand_in_one_another() -> None:
    """A let in a loop in a let, over columns and parameters of all levels, and lists' lambdas."""
    inner = let(
        call("*", LambdaParameter(BIGINT, 1, 1), whole(2)),
        call("+", call("+", LambdaParameter(BIGINT, 1, 0), parameter(0, level=2)), parameter(0)),
        level=2,
    )
    looped = fold(NUMBERS, (Y,), (inner,), level=1)
    assert run(let(X, looped)) == [10 + 12 + 3, None, None, None, 14 + 5]
    doubled = Lambda(
        BIGINT,
        (LambdaParameter(BIGINT, 1, 0),),
        call("+", LambdaParameter(BIGINT, 1, 0), parameter(0)),
    )
    listed = let(X, Call(list_of(BIGINT), "list_transform", (NUMBERS, doubled)))
    assert run(listed) == [[2, 3, 4], [], None, [4, None], [12]]
    filtered = Lambda(
        BIGINT, (parameter(0),), let(parameter(0), call("+", parameter(0, level=1), Y), level=1)
    )
    assert run(Call(list_of(BIGINT), "list_transform", (NUMBERS, filtered))) == [
        [11, 12, 13], [], None, [44, None], [7],
    ]  # fmt: skip


def test_hundreds_of_values() -> None:
    values: list[Expr] = [X]
    for number in range(300):
        values.append(call("+", parameter(number), whole(1)))
    assert run(let(*values, parameter(300))) == [301, 302, None, 300, 305]


def test_errors_carry_their_message() -> None:
    big = let(whole(2**62), call("+", parameter(0), call("+", parameter(0), X)))
    with pytest.raises(OutOfRangeError, match="4611686018427387904"):
        run(big)
    many = ROWS.with_columns(c3=pl.lit([0] * (LIMITS.list_reduce_steps + 1)))
    with pytest.raises(FunctionFailedError, match="10,001 elements"):
        run(fold(NUMBERS, (X,), (parameter(0),)), many)


def test_statements_cannot_call_them() -> None:
    for name in ("let", "fold"):
        with pytest.raises(UnknownFunctionError, match=f'there is no function "{name}"'):
            table.bind(name, (X, X))
        assert name not in table.names()
        assert all(entry.name != name for entry in table.documentation())


def test_shared_arguments_and_lambdas_among_them() -> None:
    """An argument with a lambda inside keeps its parameters wherever a function takes it to."""
    total = call("+", call("+", X, Y), whole(1))
    added = Lambda(BIGINT, (parameter(0),), call("+", parameter(0), whole(1)))
    lists = Call(list_of(BIGINT), "list_transform", (NUMBERS, added))
    first, second = ColumnRef(BIGINT, 0), ColumnRef(list_of(BIGINT), 1)
    body = call("+", call("*", first, first), call("list_extract", second, whole(1)))
    assert run(over(body, (total, lists))) == [146, None, None, 41 * 41 + 5, 44]
    within = Lambda(BIGINT, (parameter(0),), call("list_extract", second, parameter(0)))
    looked = Call(list_of(BIGINT), "list_transform", (second, within))
    assert run(over(looked, (whole(0), lists)))[0] == [3, 4, None]


def test_guards_of_null_do_not_count() -> None:
    positive = call(">", X, whole(0))
    both = Case(BOOLEAN, ((positive, call(">", let(call("//", whole(1), Y), parameter(0)), X)),),
                Literal(BOOLEAN, False))  # fmt: skip
    rows = ROWS.with_columns(c2=pl.Series([1, 1, 0, 0, 1]))
    assert run(both, rows) == [False, False, False, False, False]
    assert run(let(Literal(VARCHAR, "a"), parameter(0, VARCHAR))) == ["a"] * 5


def test_only_lambdas_of_its_own_change_with_their_place() -> None:
    """Numbers below zero stand for lambdas that have no level yet."""
    early = Lambda(BIGINT, (parameter(0, level=-2),), call("+", parameter(0, level=-2), whole(1)))
    lists = Call(list_of(BIGINT), "list_transform", (NUMBERS, early))
    within = Lambda(BIGINT, (parameter(0, level=-1),), call("list_extract", NUMBERS, whole(1)))
    looked = Call(list_of(BIGINT), "list_transform", (NUMBERS, within))
    found = substitute(looked, {3: lists})
    assert found.children[0] == found.children[1].children[0].children[0] == lists
    own = Lambda(BIGINT, (parameter(0, level=1),), call("+", parameter(0, level=1), parameter(0)))
    raised = moved(Call(list_of(BIGINT), "list_transform", (NUMBERS, own)), 1, 3)
    assert isinstance(raised.children[1], Lambda)
    assert raised.children[1].parameters == (parameter(0, level=3),)
    assert raised.children[1].body == call("+", parameter(0, level=3), parameter(0))
