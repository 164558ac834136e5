"""Comparisons, membership, identity and truth in functions in Python, against CPython."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import combinations_with_replacement
from typing import Any

import pytest

from eau2.operators.expr import Call, ColumnRef, Expr, InList, Literal, walk
from eau2.operators.lowering import lower_expr
from eau2.python import vocabulary
from eau2.types import BIGINT, BOOLEAN, DATE, DOUBLE, TIMESTAMP, VARCHAR, SqlType
from tests.unit.python_oracle import (
    BOOL_LIST,
    FLOAT_LIST,
    INT_LIST,
    POOLS,
    TEXT_LIST,
    TEXTS,
    WHERE,
    check,
    frame_of,
    literal,
)

ORDER: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
EQUAL: dict[str, Callable[[Any, Any], Any]] = {"==": operator.eq, "!=": operator.ne}
PAIRS = (
    *((a, b) for a in (BOOLEAN, BIGINT, DOUBLE) for b in (BOOLEAN, BIGINT, DOUBLE)),
    (VARCHAR, VARCHAR),
    (DATE, DATE),
    (TIMESTAMP, TIMESTAMP),
    (INT_LIST, INT_LIST),
    (TEXT_LIST, TEXT_LIST),
    (BOOL_LIST, BOOL_LIST),
)
SHORT_TEXTS = TEXTS[::3]


def compare(op: str) -> Callable[..., Expr]:
    return lambda a, b: vocabulary.compare(op, a, b, WHERE)


@pytest.mark.parametrize("types", PAIRS, ids=str)
@pytest.mark.parametrize("op", [*ORDER, *EQUAL])
def test_comparisons(op: str, types: tuple[SqlType, SqlType]) -> None:
    pools = tuple(SHORT_TEXTS if type_ == VARCHAR else None for type_ in types)
    check(compare(op), {**ORDER, **EQUAL}[op], *types, pools=pools)


@pytest.mark.parametrize("op", [*ORDER, *EQUAL])
def test_lists_of_floats_without_nan(op: str) -> None:
    pool = [values for values in POOLS[FLOAT_LIST] if values != values or "nan" not in str(values)]
    check(compare(op), {**ORDER, **EQUAL}[op], FLOAT_LIST, FLOAT_LIST, pools=(pool, pool))


def test_ints_beside_every_float_constant() -> None:
    for op, compute in {**ORDER, **EQUAL}.items():
        for value in (2.5, -2.5, 1e19, -1e19, 2.0**53, -0.0, float("nan"), float("inf")):
            constant = vocabulary.literal(value)
            build = lambda a, op=op, c=constant: vocabulary.compare(op, a, c, WHERE)  # noqa: E731
            check(build, lambda a, f=compute, v=value: f(a, v), BIGINT, constants=False)
            mirrored = lambda a, op=op, c=constant: vocabulary.compare(op, c, a, WHERE)  # noqa: E731
            check(mirrored, lambda a, f=compute, v=value: f(v, a), BIGINT, constants=False)


@pytest.mark.parametrize("type_", [BOOLEAN, BIGINT, DOUBLE, VARCHAR, DATE, INT_LIST], ids=str)
def test_beside_none(type_: SqlType) -> None:
    none = vocabulary.literal(None)
    for op in ("==", "!=", "is", "is not"):
        compute = operator.eq if op in ("==", "is") else operator.ne
        expected = lambda a, f=compute: f(a, None)  # noqa: E731
        check(lambda a, op=op: vocabulary.compare(op, a, none, WHERE), expected, type_)
        check(lambda a, op=op: vocabulary.compare(op, none, a, WHERE), expected, type_)
    for op in ORDER:
        check(lambda a, op=op: vocabulary.compare(op, a, none, WHERE), lambda a: None, type_)


def member(value: Any, holder: Any) -> Any:
    return value in holder


@pytest.mark.parametrize(
    ("value", "holder"),
    [(BIGINT, INT_LIST), (BOOLEAN, INT_LIST), (VARCHAR, TEXT_LIST), (BOOLEAN, BOOL_LIST),
     (VARCHAR, VARCHAR)],
    ids=str,
)  # fmt: skip
def test_membership(value: SqlType, holder: SqlType) -> None:
    check(compare("in"), member, value, holder)
    check(compare("not in"), lambda a, b: a not in b, value, holder)


def test_membership_in_lists_of_floats() -> None:
    def found(value: float | None, values: list[float | None]) -> bool:
        return any(value == other for other in values)

    check(compare("in"), found, DOUBLE, FLOAT_LIST, constants=False)


LISTS: tuple[tuple[SqlType, tuple[Any, ...]], ...] = (
    (BIGINT, (1, 2, 3)),
    (BIGINT, (1, None)),
    (BIGINT, (None,)),
    (BIGINT, ()),
    (BIGINT, tuple(range(-40, 40))),
    (DOUBLE, (0.0, 1.5, float("nan"))),
    (DOUBLE, (-0.0, 1.0, 2.5, 3.0, 5.0)),
    (VARCHAR, ("a", "", "ß")),
    (DATE, (POOLS[DATE][0], POOLS[DATE][1])),
    (BOOLEAN, (True,)),
)


@pytest.mark.parametrize(("type_", "values"), LISTS, ids=str)
def test_membership_among_constants(type_: SqlType, values: tuple[Any, ...]) -> None:
    holder = vocabulary.literal(values)
    for op, expected in (("in", lambda a: a in values), ("not in", lambda a: a not in values)):
        check(lambda a, op=op: vocabulary.compare(op, a, holder, WHERE), expected, type_)


def test_membership_among_expressions() -> None:
    def build(a: Expr, b: Expr) -> Expr:
        items = vocabulary.make_list([b, vocabulary.literal(1)], WHERE)
        return vocabulary.compare("in", a, items, WHERE)

    check(build, lambda a, b: a in (b, 1), BIGINT, BIGINT)


@pytest.mark.parametrize("type_", list(POOLS), ids=str)
def test_truth(type_: SqlType) -> None:
    check(vocabulary.truth, bool, type_)
    check(lambda x: vocabulary.unary("not", x, WHERE), operator.not_, type_)


@pytest.mark.parametrize("type_", list(POOLS), ids=str)
def test_a_condition_is_true_for_the_same_rows(type_: SqlType) -> None:
    values = [*POOLS[type_], None]
    expr = vocabulary.condition(ColumnRef(type_, 0))
    found = frame_of([type_], [[v] for v in values]).filter(lower_expr(expr)).to_series()
    assert len(found) == sum(map(bool, values))


def test_what_is_never_null_is_plain_as_a_condition() -> None:
    x = ColumnRef(BIGINT, 0)
    above = vocabulary.compare(">", x, vocabulary.literal(3), WHERE)
    assert vocabulary.condition(vocabulary.truth(above)) == above
    listed = vocabulary.compare("in", x, vocabulary.literal([1, 2]), WHERE)
    assert isinstance(vocabulary.condition(listed), InList)
    assert isinstance(vocabulary.condition(above), Call)


def test_a_float_above_a_constant_can_still_prune() -> None:
    expr = vocabulary.compare(">", ColumnRef(DOUBLE, 0), vocabulary.literal(3.0), WHERE)
    assert Call(BOOLEAN, ">", (ColumnRef(DOUBLE, 0), Literal(DOUBLE, 3.0))) in list(walk(expr))


def test_types_that_never_meet_are_refused() -> None:
    alike = {BOOLEAN, BIGINT, DOUBLE}
    for one, other in combinations_with_replacement(POOLS, 2):
        left, right = ColumnRef(one, 0), ColumnRef(other, 1)
        if one == other or {one, other} <= alike:
            vocabulary.compare("==", left, right, WHERE)
        else:
            for op in ("==", "<"):
                with pytest.raises(vocabulary.Refusal):
                    vocabulary.compare(op, left, right, WHERE)
    with pytest.raises(vocabulary.Refusal, match="None"):
        vocabulary.compare("is", ColumnRef(BIGINT, 0), literal(3, BIGINT), WHERE)
