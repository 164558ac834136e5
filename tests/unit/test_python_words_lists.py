"""Lists in functions in Python, against CPython."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import pytest

from eau2.operators.expr import ColumnRef, Expr
from eau2.python import vocabulary
from eau2.types import BIGINT, DOUBLE, VARCHAR, SqlType
from tests.unit.python_oracle import (
    BOOL_LIST,
    FLOAT_LIST,
    INT_LIST,
    POOLS,
    SMALL,
    TEXT_LIST,
    WHERE,
    check,
)

LISTS = (INT_LIST, FLOAT_LIST, TEXT_LIST, BOOL_LIST)
BOUNDS = (0, 1, -1, 2, -2, 5, -5, 2**62, -(2**63))


def call(name: str, *others: object) -> Callable[..., Expr]:
    constants = [vocabulary.literal(other) for other in others]
    return lambda *args: vocabulary.call(name, [*args, *constants], WHERE)


def method(name: str) -> Callable[..., Expr]:
    return lambda x, *args: vocabulary.method(name, x, args, WHERE)


@pytest.mark.parametrize("type_", LISTS, ids=str)
def test_indexes_and_slices(type_: SqlType) -> None:
    index = lambda x, i: vocabulary.index(x, i, WHERE)  # noqa: E731
    check(index, operator.getitem, type_, BIGINT, pools=(None, BOUNDS))
    cut = lambda x, a, b: vocabulary.slice_(x, a, b, None, WHERE)  # noqa: E731
    check(cut, lambda x, a, b: x[a:b], type_, BIGINT, BIGINT, pools=(None, BOUNDS, BOUNDS))
    steps = lambda x, a, b, c: vocabulary.slice_(x, a, b, c, WHERE)  # noqa: E731
    pools = (None, BOUNDS, BOUNDS, (1, -1, 2, -2, 0))
    check(steps, lambda x, a, b, c: x[a:b:c], type_, *(BIGINT,) * 3, pools=pools)
    back = vocabulary.literal(-1)
    check(lambda x: vocabulary.slice_(x, None, None, back, WHERE), lambda x: x[::-1], type_)


@pytest.mark.parametrize("type_", LISTS, ids=str)
def test_joining_and_measuring(type_: SqlType) -> None:
    check(lambda a, b: vocabulary.binary("+", a, b, WHERE), operator.add, type_, type_)
    times = lambda a, b: vocabulary.binary("*", a, b, WHERE)  # noqa: E731
    check(times, operator.mul, type_, BIGINT, pools=(None, SMALL))
    for name, compute in (("len", len), ("any", any), ("all", all), ("str", str), ("list", list)):
        check(call(name), compute, type_)
    for name, extreme in (("min", min), ("max", max), ("sorted", sorted)):
        check(call(name), extreme, type_)


@pytest.mark.parametrize("type_", LISTS, ids=str)
def test_columns_without_none_in_their_lists(type_: SqlType) -> None:
    """What has a quick way there."""
    pool = tuple(values for values in POOLS[type_] if None not in values)
    full = tuple(values for values in pool if values)
    for name, compute in (("any", any), ("all", all), ("sorted", sorted)):
        check(call(name), compute, type_, pools=(pool,), constants=False)
    for name, extreme in (("min", min), ("max", max)):
        check(call(name), extreme, type_, pools=(full,), constants=False)
    joined = lambda a, b: vocabulary.binary("+", a, b, WHERE)  # noqa: E731
    check(joined, operator.add, type_, type_, pools=(pool, pool), constants=False)
    if type_ == INT_LIST:
        small = tuple(values for values in pool if sum(map(abs, values)) < 100)
        check(call("sum"), sum, type_, pools=(small,), constants=False)


def test_sums() -> None:
    check(call("sum"), sum, INT_LIST)
    check(call("sum"), sum, BOOL_LIST)
    check(call("sum"), sum, INT_LIST, BIGINT, pools=(([], [1, 2], [None]), SMALL))
    for type_ in (FLOAT_LIST, INT_LIST, BOOL_LIST):
        check(call("math.fsum"), math.fsum, type_)
    # Of an empty list Python has an int, of the type that nobody knows better.
    check(call("math.prod"), lambda xs: math.prod(xs, start=1.0), FLOAT_LIST)
    check(call("math.prod"), math.prod, INT_LIST)
    check(call("math.prod"), math.prod, BOOL_LIST)
    check(call("math.dist"), math.dist, FLOAT_LIST, FLOAT_LIST)


@pytest.mark.parametrize(("type_", "element"), [(INT_LIST, BIGINT), (TEXT_LIST, VARCHAR)], ids=str)
def test_searching(type_: SqlType, element: SqlType) -> None:
    values = (1, 2, -1, 9) if element == BIGINT else ("a", "ß", "z")
    for name, compute in (("index", list.index), ("count", list.count)):
        check(method(name), compute, type_, element, pools=(None, values))
    pools = (None, values, BOUNDS, BOUNDS)
    check(method("index"), list.index, type_, element, BIGINT, pools=pools, constants=False)
    check(method("index"), list.index, type_, element, BIGINT, BIGINT, pools=pools, constants=False)


def test_searching_floats() -> None:
    def count(values: list[float], value: float) -> int:
        return sum(other == value for other in values)

    check(method("count"), count, FLOAT_LIST, DOUBLE, constants=False)


def test_copies() -> None:
    check(method("copy"), list.copy, INT_LIST)


def test_making() -> None:
    def build(a: Expr, b: Expr) -> Expr:
        return vocabulary.make_list([a, b, vocabulary.literal(None)], WHERE)

    check(build, lambda a, b: [a, b, None], BIGINT, BIGINT, constants=False)
    floats = lambda a: vocabulary.make_list([a, vocabulary.literal(1)], WHERE)  # noqa: E731
    check(floats, lambda a: [a, 1.0], DOUBLE, constants=False)


@pytest.mark.parametrize("type_", list(POOLS), ids=str)
def test_constants(type_: SqlType) -> None:
    for value in POOLS[type_]:
        found = vocabulary.literal(value)
        if value not in ([], [None]):
            assert found.type == type_
        check(lambda x, v=value: vocabulary.literal(v), lambda x, v=value: v, BIGINT, pools=((1,),),
              constants=False)  # fmt: skip


REFUSED: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("xs + \\[x\\]", lambda x: vocabulary.method("append", x, [], WHERE)),
    ("sorted\\(xs\\)", lambda x: vocabulary.method("sort", x, [], WHERE)),
    ("xs\\[::-1\\]", lambda x: vocabulary.call("reversed", [x], WHERE)),
)


@pytest.mark.parametrize(("hint", "build"), REFUSED)
def test_refusals_say_what_to_write(hint: str, build: Callable[[Any], Any]) -> None:
    with pytest.raises(vocabulary.Refusal) as caught:
        build(ColumnRef(INT_LIST, 0))
    assert caught.match("not supported")
    assert hint.replace("\\", "") in caught.value.hint


def test_sums_of_floats_are_refused() -> None:
    with pytest.raises(vocabulary.Refusal) as caught:
        vocabulary.call("sum", [ColumnRef(FLOAT_LIST, 0)], WHERE)
    assert "math.fsum" in caught.value.hint


def test_lists_of_two_types_are_refused() -> None:
    items = [ColumnRef(BIGINT, 0), ColumnRef(DOUBLE, 1)]
    with pytest.raises(vocabulary.Refusal, match="int and float") as caught:
        vocabulary.make_list(items, WHERE)
    assert "float(...)" in caught.value.hint
