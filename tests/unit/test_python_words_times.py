"""Dates and datetimes in functions in Python, against CPython."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import polars as pl
import pytest

from eau2.errors import FunctionFailedError
from eau2.operators.expr import ColumnRef, Expr
from eau2.python import vocabulary
from eau2.types import BIGINT, DATE, TIMESTAMP, VARCHAR, SqlType, list_of
from tests.unit.python_oracle import WHERE, check, run

FORMS = ("%Y-%m-%d", "%H:%M:%S.%f", "%A %a %B %b %j %V %G %u %w %y %I %p %%", "")
CLASSES = {DATE: dt.date, TIMESTAMP: dt.datetime}
BOTH = (DATE, TIMESTAMP)


def method(name: str, *others: object) -> Callable[..., Expr]:
    constants = [vocabulary.literal(other) for other in others]
    return lambda x, *args: vocabulary.method(name, x, [*args, *constants], WHERE)


def call(name: str) -> Callable[..., Expr]:
    return lambda *args: vocabulary.call(name, args, WHERE)


@pytest.mark.parametrize("type_", BOTH, ids=str)
def test_attributes(type_: SqlType) -> None:
    names = vocabulary.ATTRIBUTES["date" if type_ == DATE else "datetime"]
    for name in names:
        build = lambda x, n=name: vocabulary.attribute(n, x, WHERE)  # noqa: E731
        check(build, lambda x, n=name: getattr(x, n), type_)


@pytest.mark.parametrize("type_", BOTH, ids=str)
def test_methods(type_: SqlType) -> None:
    for name in ("weekday", "isoweekday", "toordinal", "isoformat", "ctime"):
        check(method(name), getattr(CLASSES[type_], name), type_)
    for form in FORMS:
        check(method("strftime", form), lambda x, f=form: x.strftime(f), type_)
    check(call("str"), str, type_)
    check(call("repr"), repr, type_)


def test_methods_of_datetimes_alone() -> None:
    check(method("date"), dt.datetime.date, TIMESTAMP)
    check(
        method("isoformat"), dt.datetime.isoformat, TIMESTAMP, VARCHAR, pools=(None, (" ", "T", ""))
    )


def test_replacing_parts() -> None:
    parts = ((2023, 0, 9999, 10000), (1, 2, 13), (1, 29, 31))
    check(method("replace"), dt.date.replace, DATE, BIGINT, pools=(None, parts[0]))
    pools = (None, *parts)
    check(method("replace"), dt.date.replace, DATE, *(BIGINT,) * 3, pools=pools, constants=False)
    moments = (None, *parts, (0, 24), (0, 59), (7, 60), (0, 999_999, 10**6))
    check(
        method("replace"), dt.datetime.replace, TIMESTAMP, *(BIGINT,) * 7, pools=moments,
        constants=False, none_wins=True,
    )  # fmt: skip


def test_making() -> None:
    pools = ((2023, 2024, 1, 9999, 0, 10**12), (1, 2, 12, 0, 13), (1, 28, 29, 30, 31, 0))
    check(call("datetime.date"), dt.date, *(BIGINT,) * 3, pools=pools, none_wins=True)
    plain = ((2023, 2024), (1, 2, 12), (1, 28))
    check(call("datetime.date"), dt.date, *(BIGINT,) * 3, pools=plain)
    moments = (*pools, (0, 23, 24), (0, 59), (5, 60), (0, 999_999))
    check(
        call("datetime.datetime"),
        dt.datetime,
        *(BIGINT,) * 7,
        pools=moments,
        constants=False,
        none_wins=True,
    )
    check(call("datetime.datetime"), dt.datetime, *(BIGINT,) * 3, pools=pools, none_wins=True)


def test_reading() -> None:
    texts = ("2024-02-29", "2023-02-29", "", "20240101", "2024-W01-1", "2024-01-01T10:20:30.5",
             "2024-01-01 10:20", "x")  # fmt: skip
    for name, compute in (("date", dt.date.fromisoformat), ("datetime", dt.datetime.fromisoformat)):
        check(call(f"datetime.{name}.fromisoformat"), compute, VARCHAR, pools=(texts,))
    for name, ordinal in (("date", dt.date.fromordinal), ("datetime", dt.datetime.fromordinal)):
        check(call(f"datetime.{name}.fromordinal"), ordinal, BIGINT)
    form = vocabulary.literal("%d.%m.%Y %H:%M")
    check(
        lambda x: vocabulary.call("datetime.datetime.strptime", [x, form], WHERE),
        lambda x: dt.datetime.strptime(x, "%d.%m.%Y %H:%M"),
        VARCHAR,
        pools=(("1.2.2024 10:20", "30.2.2024 10:20", "x", ""),),
    )


def minus(a: Expr, b: Expr) -> Expr:
    return vocabulary.binary("-", a, b, WHERE)


@pytest.mark.parametrize("type_", BOTH, ids=str)
def test_parts_of_differences(type_: SqlType) -> None:
    for name in ("days", "seconds", "microseconds"):
        check(
            lambda a, b, n=name: vocabulary.attribute(
                n, vocabulary.binary("-", a, b, WHERE), WHERE
            ),
            lambda a, b, n=name: getattr(a - b, n),
            type_,
            type_,
        )
    check(
        lambda a, b: vocabulary.method("total_seconds", minus(a, b), [], WHERE),
        lambda a, b: (a - b).total_seconds(),
        type_,
        type_,
    )


def test_clocks_are_refused() -> None:
    for name in ("datetime.date.today", "datetime.datetime.now"):
        with pytest.raises(vocabulary.Refusal) as caught:
            vocabulary.call(name, [], WHERE)
        assert "argument" in caught.value.hint


def test_dates_that_python_has_not_are_errors() -> None:
    far = pl.Series("c0", [4_000_000], dtype=pl.Int32).cast(pl.Date).to_frame()
    expr = vocabulary.method("ctime", ColumnRef(DATE, 0), [], WHERE)
    with pytest.raises(FunctionFailedError, match="outside of the years"):
        run(expr, far)
    listed = far.select(pl.concat_list("c0", "c0").alias("c0"))
    for name in ("min", "sorted"):
        expr = vocabulary.call(name, [ColumnRef(list_of(DATE), 0)], WHERE)
        with pytest.raises(FunctionFailedError, match="outside of the years"):
            run(vocabulary.call("str", [expr], WHERE), listed)
