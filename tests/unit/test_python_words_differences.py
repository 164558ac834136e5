"""Differences of moments in functions in Python, against CPython."""

from __future__ import annotations

import datetime as dt
import math
import operator
from collections.abc import Callable
from typing import Any

import pytest

from eau2.operators.expr import Call, ColumnRef, Expr, Literal
from eau2.python import vocabulary
from eau2.python.vocabulary import TIMEDELTA, Refusal
from eau2.types import BIGINT, BOOLEAN, DATE, DOUBLE, TIMESTAMP, VARCHAR, SqlType, list_of
from tests.unit.python_oracle import DIFFERENCES, WHERE, check

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "//": operator.floordiv, "%": operator.mod,
}  # fmt: skip
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip
FACTORS = (0.0, -0.0, 0.5, 1.0, -2.5, 1 / 3, 1e-9, 1e20, math.inf, math.nan, 5e-324)
COUNTS = (0, 1, -1, 2, 7, -300, 10**6, 2**31, 2**62, -(2**63))
UNITS = vocabulary.TIMEDELTA_ARGUMENTS


def between(op: str) -> Callable[[Expr, Expr], Expr]:
    return lambda a, b: vocabulary.binary(op, a, b, WHERE)


@pytest.mark.parametrize("op", ["+", "-", "/", "//", "%"])
def test_two_differences(op: str) -> None:
    check(between(op), OPERATORS[op], TIMEDELTA, TIMEDELTA)


@pytest.mark.parametrize("op", ["*", "/", "//"])
def test_a_difference_and_an_int(op: str) -> None:
    check(between(op), OPERATORS[op], TIMEDELTA, BIGINT, pools=(None, COUNTS))
    check(between(op), OPERATORS[op], TIMEDELTA, BOOLEAN)


@pytest.mark.parametrize("op", ["*", "/"])
def test_a_difference_and_a_float(op: str) -> None:
    check(between(op), OPERATORS[op], TIMEDELTA, DOUBLE, pools=(None, FACTORS))


def test_a_number_times_a_difference() -> None:
    check(between("*"), operator.mul, BIGINT, TIMEDELTA, pools=(COUNTS,))
    check(between("*"), operator.mul, DOUBLE, TIMEDELTA, pools=(FACTORS,))


@pytest.mark.parametrize("type_", [DATE, TIMESTAMP], ids=str)
def test_moments_are_moved(type_: SqlType) -> None:
    check(between("+"), operator.add, type_, TIMEDELTA)
    check(between("+"), operator.add, TIMEDELTA, type_)
    check(between("-"), operator.sub, type_, TIMEDELTA)


def test_a_date_is_moved_by_whole_days_alone() -> None:
    hours = tuple(dt.timedelta(hours=n) for n in (-25, -24, -1, 0, 1, 23, 24, 25))
    check(between("+"), operator.add, DATE, TIMEDELTA, pools=(None, hours))
    check(between("-"), operator.sub, DATE, TIMEDELTA, pools=(None, hours))


@pytest.mark.parametrize("op", COMPARISONS)
def test_comparisons(op: str) -> None:
    compute = COMPARISONS[op]
    check(lambda a, b: vocabulary.compare(op, a, b, WHERE), compute, TIMEDELTA, TIMEDELTA)

    def days(a: Expr, b: Expr, c: Expr) -> Expr:
        return vocabulary.compare(op, vocabulary.binary("-", a, b, WHERE), c, WHERE)

    def of_days(a: Any, b: Any, c: Any) -> Any:
        if None in (a, b):
            return {"==": c is None, "!=": c is not None}.get(op)
        return compute(a - b, c)

    check(days, of_days, DATE, DATE, TIMEDELTA, pools=(None, None, DIFFERENCES[:5]))


def test_one_of_several() -> None:
    week, hour = dt.timedelta(7), dt.timedelta(hours=1)
    items = (vocabulary.literal(week), vocabulary.literal(hour), vocabulary.literal(None))
    for op, compute in (("in", lambda x, y: x in y), ("not in", lambda x, y: x not in y)):
        for count in (2, 3):
            values = (week, hour, None)[:count]
            check(
                lambda x, o=op, n=count: vocabulary.contained(o, x, items[:n], WHERE),
                lambda x, c=compute, v=values: c(x, v),
                TIMEDELTA,
            )
    given = (DATE, DATE)
    days = (vocabulary.literal(week), vocabulary.literal(dt.timedelta(-1)))
    check(
        lambda a, b: vocabulary.contained("in", between("-")(a, b), days, WHERE),
        lambda a, b: None not in (a, b) and a - b in (week, dt.timedelta(-1)),
        *given,
        pools=((dt.date(2024, 1, 8), dt.date(2024, 1, 1)), (dt.date(2024, 1, 1),)),
    )


def test_one_value() -> None:
    check(lambda x: vocabulary.unary("-", x, WHERE), operator.neg, TIMEDELTA)
    check(lambda x: vocabulary.unary("+", x, WHERE), operator.pos, TIMEDELTA)
    check(lambda x: vocabulary.unary("not", x, WHERE), operator.not_, TIMEDELTA)
    check(vocabulary.truth, bool, TIMEDELTA)
    for name, compute in (("abs", abs), ("str", str), ("repr", repr), ("bool", bool)):
        check(lambda x, n=name: vocabulary.call(n, [x], WHERE), compute, TIMEDELTA)
    for name in vocabulary.ATTRIBUTES["timedelta"]:
        check(
            lambda x, n=name: vocabulary.attribute(n, x, WHERE),
            lambda x, n=name: getattr(x, n),
            TIMEDELTA,
        )
    check(
        lambda x: vocabulary.method("total_seconds", x, [], WHERE),
        dt.timedelta.total_seconds,
        TIMEDELTA,
    )


def test_least_and_greatest() -> None:
    for name, compute in (("min", min), ("max", max)):
        check(lambda a, b, n=name: vocabulary.call(n, [a, b], WHERE), compute, TIMEDELTA, TIMEDELTA)


@pytest.mark.parametrize("unit", UNITS)
def test_made_of_one_number(unit: str) -> None:
    build = lambda x: vocabulary.timedelta({unit: x}, WHERE)  # noqa: E731
    check(build, lambda x: dt.timedelta(**{unit: x}), BIGINT)
    check(build, lambda x: dt.timedelta(**{unit: x}), BOOLEAN)
    check(build, lambda x: dt.timedelta(**{unit: x}), DOUBLE, pools=(FACTORS,))


def test_made_of_several() -> None:
    for types in ((BIGINT, BIGINT, BIGINT), (DOUBLE, BIGINT, DOUBLE), (BIGINT, DOUBLE, DOUBLE)):
        for units in (UNITS[:3], UNITS[2:5], ("weeks", "milliseconds", "days")):
            check(
                lambda *values, u=units: vocabulary.timedelta(dict(zip(u, values)), WHERE),  # noqa: B905
                lambda *values, u=units: dt.timedelta(**dict(zip(u, values))),  # noqa: B905
                *types,
                pools=[COUNTS if type_ == BIGINT else FACTORS for type_ in types],
            )


def test_constants_are_computed_at_once() -> None:
    three, four = vocabulary.literal(3), vocabulary.literal(4)
    made = vocabulary.timedelta({"days": three, "hours": four}, WHERE)
    expected = dt.timedelta(days=3, hours=4)
    assert made == vocabulary.literal(expected)
    assert between("*")(made, three) == vocabulary.literal(expected * 3)
    assert vocabulary.attribute("seconds", made, WHERE) == vocabulary.literal(4 * 3600)
    day = vocabulary.call("datetime.date", [vocabulary.literal(n) for n in (2024, 2, 30)], WHERE)
    assert isinstance(day, Call)


def test_whole_days_stay_ints() -> None:
    one, two = ColumnRef(DATE, 0), ColumnRef(DATE, 1)
    between_days = Call(BIGINT, "days_between", (one, two))
    apart = between("-")(one, two)
    assert vocabulary.attribute("days", apart, WHERE) == between_days
    week = vocabulary.literal(dt.timedelta(7))
    assert vocabulary.compare("<", apart, week, WHERE) == Call(
        BOOLEAN, "<", (between_days, Literal(BIGINT, 7))
    )
    moved = between("+")(one, vocabulary.literal(dt.timedelta(days=1, hours=5)))
    assert moved == Call(DATE, "date.later", (one, Literal(BIGINT, 1), Literal(VARCHAR, WHERE)))


def test_none_in_the_place_of_a_constant() -> None:
    none = vocabulary.literal(None)
    check(lambda x: between("+")(x, none), lambda x: None, TIMEDELTA)
    check(lambda x: between("*")(none, x), lambda x: None, TIMEDELTA)
    check(lambda x: between("+")(x, none), lambda x: None, DATE)
    check(lambda x: between("-")(none, x), lambda x: None, TIMESTAMP)


DIFFERENCE, DAY, MOMENT = ColumnRef(TIMEDELTA, 0), ColumnRef(DATE, 1), ColumnRef(TIMESTAMP, 2)
NUMBER, RATIO, TEXT = ColumnRef(BIGINT, 3), ColumnRef(DOUBLE, 4), ColumnRef(VARCHAR, 5)
REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "an int added": (lambda: between("+")(DIFFERENCE, NUMBER), "timedelta(days=n)"),
    "an int added to a date": (lambda: between("+")(DAY, NUMBER), "timedelta(days=n)"),
    "a float divided whole": (lambda: between("//")(DIFFERENCE, RATIO), "/"),
    "a date and a datetime": (lambda: between("-")(MOMENT, DAY), ".date()"),
    "a sum of dates": (lambda: between("+")(DAY, DAY), ""),
    "an int divided by it": (lambda: between("/")(NUMBER, DIFFERENCE), ""),
    "an int less it": (lambda: between("-")(NUMBER, DIFFERENCE), "timedelta(days=n)"),
    "it less a date": (lambda: between("-")(DIFFERENCE, DAY), ""),
    "its bits": (lambda: vocabulary.unary("~", DIFFERENCE, WHERE), ""),
    "beside an int": (lambda: vocabulary.compare("<", DIFFERENCE, NUMBER, WHERE), ""),
    "equal to an int": (lambda: vocabulary.compare("==", DIFFERENCE, NUMBER, WHERE), "one type"),
    "as a result": (
        lambda: vocabulary.converted(DIFFERENCE, BIGINT, WHERE, "the result"),
        ".days",
    ),
    "in a list": (lambda: vocabulary.make_list([DIFFERENCE], WHERE), "x in (a, b)"),
    "a list of them": (
        lambda: vocabulary.call("len", [ColumnRef(list_of(TIMEDELTA), 6)], WHERE),
        ".days",
    ),
    "with a format": (lambda: vocabulary.formatted(DIFFERENCE, ">9", "", WHERE), "str(...)"),
    "as an int": (lambda: vocabulary.call("int", [DIFFERENCE], WHERE), ""),
    "of a text": (lambda: vocabulary.timedelta({"days": TEXT}, WHERE), ""),
    "an attribute that it has not": (
        lambda: vocabulary.attribute("hours", DIFFERENCE, WHERE),
        "",
    ),
    "a method without a call": (
        lambda: vocabulary.attribute("total_seconds", DIFFERENCE, WHERE),
        ".total_seconds()",
    ),
    "computed, among computed ones": (
        lambda: vocabulary.contained(
            "in", between("+")(DIFFERENCE, DIFFERENCE), (DIFFERENCE, DIFFERENCE), WHERE
        ),
        "name",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("build", "hint"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(build: Callable[[], object], hint: str) -> None:
    with pytest.raises(Refusal) as caught:
        build()
    assert hint in caught.value.hint
