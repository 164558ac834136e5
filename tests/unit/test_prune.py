"""Pruning by statistics: a chunk with a matching row is never left out, hopeless ones are."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.catalog import ColumnStatistics
from eau2.operators.expr import Call, Column, Expr, InList, Literal, Value, columns_of, ref
from eau2.operators.lowering import lower_expr
from eau2.operators.physical import kernel_dtype
from eau2.operators.prune import may_match
from eau2.planner.simplify import as_filter
from eau2.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    HUGEINT,
    INTEGER,
    TIMESTAMP,
    VARCHAR,
    SqlType,
)
from tests.unit.plans import call, constant, statistics_of
from tests.unit.random_plans import MONEY, SMALL, conditions, tables

TYPES: dict[str, SqlType] = {
    "i": INTEGER,
    "b": BIGINT,
    "f": DOUBLE,
    "s": VARCHAR,
    "d": DATE,
    "m": MONEY,
    "p": BOOLEAN,
    "ts": TIMESTAMP,
}
COLUMNS = tuple(Column(n, name, type_) for n, (name, type_) in enumerate(TYPES.items()))


@settings(max_examples=150, deadline=None)
@given(tables(TYPES, SMALL), conditions(COLUMNS, 3), st.booleans())
def test_a_chunk_with_a_matching_row_is_read(
    rows: dict[str, tuple[SqlType, list[Value]]], condition: Expr, simpler: bool
) -> None:
    if simpler:
        condition = as_filter(condition)
    frame = pl.DataFrame(
        {c.label: rows[c.name][1] for c in COLUMNS},
        schema={c.label: kernel_dtype(c.type) for c in COLUMNS},
    )
    try:
        matching = frame.filter(lower_expr(condition)).height
    except (ValueError, pl.exceptions.PolarsError):
        return
    statistics = tuple(statistics_of(type_, values) for type_, values in rows.values())
    if matching:
        assert may_match(condition, COLUMNS, statistics, frame.height)


A, S, F = (Column(0, "a", INTEGER), Column(1, "s", VARCHAR), Column(2, "f", DOUBLE))
FROM_5_TO_9 = ColumnStatistics(0, 5, 9)
WORDS = ColumnStatistics(0, "lemon", "melon")


@pytest.mark.parametrize(
    ("operator", "number", "expected"),
    [
        ("=", 4, False),
        ("=", 5, True),
        ("=", 10, False),
        ("<", 5, False),
        ("<", 6, True),
        ("<=", 5, True),
        (">", 9, False),
        (">=", 9, True),
        ("<>", 7, True),
    ],
)
def test_comparisons_with_the_bounds(operator: str, number: int, expected: bool) -> None:
    condition = call(operator, ref(A), constant(INTEGER, number))
    assert may_match(condition, (A,), (FROM_5_TO_9,), 10) is expected
    flipped = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(operator, operator)
    mirrored = call(flipped, constant(INTEGER, number), ref(A))
    assert may_match(mirrored, (A,), (FROM_5_TO_9,), 10) is expected


def test_a_single_value_never_differs_from_itself() -> None:
    condition = call("<>", ref(A), constant(INTEGER, 5))
    assert not may_match(condition, (A,), (ColumnStatistics(3, 5, 5),), 10)
    assert may_match(condition, (A,), (ColumnStatistics(3, 5, 6),), 10)


def test_nulls_are_counted() -> None:
    is_null = call("is_null", ref(A))
    assert not may_match(is_null, (A,), (FROM_5_TO_9,), 10)
    assert may_match(is_null, (A,), (ColumnStatistics(1, 5, 9),), 10)
    is_not_null = call("is_not_null", ref(A))
    assert not may_match(is_not_null, (A,), (ColumnStatistics(10),), 10)
    assert not may_match(call("=", ref(A), ref(A)), (A,), (ColumnStatistics(10),), 10)


D, T = Column(0, "d", DATE), Column(1, "t", TIMESTAMP)
DAYS = ColumnStatistics(0, 100, 109)
MOMENTS = ColumnStatistics(0, 5_000, 9_000)
LAST_DAY = 2_932_896
AT = constant(VARCHAR, "f, line 1")


@pytest.mark.parametrize(
    ("name", "by", "number", "expected"),
    [
        ("date.later", 10, 119, False),
        ("date.later", 10, 118, True),
        ("date.later", -10, 98, True),
        ("date.later", -10, 99, False),
        # Where a row might raise, the chunk is read.
        ("date.later", LAST_DAY - 109, LAST_DAY, False),
        ("date.later", LAST_DAY - 108, LAST_DAY, True),
        ("date.later", -(10**9), LAST_DAY, True),
    ],
)
def test_dates_that_are_moved(name: str, by: int, number: int, expected: bool) -> None:
    moved = Call(DATE, name, (ref(D), constant(BIGINT, by), AT))
    condition = call(">", moved, constant(DATE, number))
    assert may_match(condition, (D,), (DAYS,), 10) is expected
    assert may_match(condition, (D,), (ColumnStatistics(10),), 10)


def test_moments_that_are_moved_and_their_differences() -> None:
    for name, least in (("datetime.later", 5_030), ("datetime.earlier", 4_970)):
        moved = Call(TIMESTAMP, name, (ref(T), constant(HUGEINT, 30), AT))
        for number, expected in ((least, False), (least + 1, True)):
            condition = call("<", moved, constant(TIMESTAMP, number))
            assert may_match(condition, (T,), (MOMENTS,), 10) is expected
    for name, column, type_ in (("days_between", D, BIGINT), ("datetime.-", T, HUGEINT)):
        statistics = DAYS if column is D else MOMENTS
        assert isinstance(statistics.maximum, int)
        start = constant(column.type, 50)
        apart = Call(type_, name, (ref(column), start))
        highest = statistics.maximum - 50
        for number, expected in ((highest, False), (highest - 1, True)):
            condition = call(">", apart, constant(type_, number))
            assert may_match(condition, (column,), (statistics,), 10) is expected
        backwards = Call(type_, name, (start, ref(column)))
        condition = call("<", backwards, constant(type_, -highest))
        assert not may_match(condition, (column,), (statistics,), 10)


def test_lists_and_patterns() -> None:
    assert not may_match(InList(BOOLEAN, ref(A), (1, 2, 30)), (A,), (FROM_5_TO_9,), 10)
    assert may_match(InList(BOOLEAN, ref(A), (1, 7)), (A,), (FROM_5_TO_9,), 10)
    for pattern, expected in (
        ("k%", False),
        ("le%", True),
        ("mf%", False),
        ("%k", True),
        ("melon%", True),
    ):
        condition = call("like", ref(S), constant(VARCHAR, pattern))
        assert may_match(condition, (S,), (WORDS,), 10) is expected


def test_a_minimum_that_is_a_prefix_only_bounds() -> None:
    cut = ColumnStatistics(0, "abc", None)
    for pattern in ("abcdef%", "abz%"):
        assert may_match(call("like", ref(S), constant(VARCHAR, pattern)), (S,), (cut,), 1)
    assert not may_match(call("like", ref(S), constant(VARCHAR, "abb%")), (S,), (cut,), 1)
    assert may_match(call("=", ref(S), constant(VARCHAR, "abcdef")), (S,), (cut,), 1)
    assert not may_match(call("<", ref(S), constant(VARCHAR, "abc")), (S,), (cut,), 1)


def test_nan_is_greater_than_every_number() -> None:
    with_nan = ColumnStatistics(0, 1.0, None)
    assert may_match(call(">", ref(F), constant(DOUBLE, 1e308)), (F,), (with_nan,), 2)
    assert may_match(call("=", ref(F), constant(DOUBLE, float("nan"))), (F,), (with_nan,), 2)
    assert not may_match(call("<", ref(F), constant(DOUBLE, 1.0)), (F,), (with_nan,), 2)


def test_chunks_of_unknown_content_are_read_and_empty_ones_are_not() -> None:
    condition = call("=", ref(A), constant(INTEGER, 5))
    assert may_match(condition, (A,), (ColumnStatistics(0),), 10)
    assert not may_match(condition, (A,), (ColumnStatistics(0),), 0)
    assert not may_match(Literal(BOOLEAN, False), (), (), 5)
    assert columns_of(condition) == {0}
