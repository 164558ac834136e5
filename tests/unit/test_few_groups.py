"""Few groups, made by a product of matrices, are those that hashing finds."""

from __future__ import annotations

import datetime
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eau2
from eau2 import types
from eau2.kv import compact
from eau2.operators import few_groups, few_groups_shape
from eau2.operators.blocks import EXACT, Program, comparisons, program
from eau2.operators.expr import Call, Cast, ColumnRef, Expr, Literal
from eau2.types import BIGINT, DATE, INTEGER

QUERIES = (
    "SELECT k, sum(v), count(*), count(v), avg(v) FROM t GROUP BY k ORDER BY k",
    "SELECT s, k, sum(v), count(*) FROM t WHERE v > -3 GROUP BY s, k ORDER BY s, k",
    "SELECT s, sum(m), avg(m), sum(m * (1 - m)), sum(m * (1 - m) * (1 + m)) FROM t "
    "WHERE d <= DATE '1970-02-01' GROUP BY s ORDER BY s",
    "SELECT d, count(*), count(s) FROM t WHERE 3 < v AND v <> 7 GROUP BY d ORDER BY d",
    "SELECT s, b, sum(v + k), sum(7 - v) FROM t WHERE v <= k GROUP BY s, b ORDER BY s, b",
    "SELECT k, sum(v) FROM t WHERE s LIKE 'b%' OR v > 4 GROUP BY k ORDER BY k",
    "SELECT s, sum(big), count(*) FROM t GROUP BY s ORDER BY s",
    "SELECT b, k, sum(m), sum(w) FROM (SELECT b, k, m, w FROM t WHERE v <> 2) GROUP BY b, k "
    "ORDER BY b, k",
    "SELECT s, min(v), sum(v) FROM t GROUP BY s ORDER BY s",
    "SELECT k, sum(n), count(n), avg(n) FROM t GROUP BY k ORDER BY k",
    "SELECT k, sum(CAST(m AS DECIMAL(18, 4))), sum(CAST(v AS DECIMAL(12, 1)) * m) FROM t "
    "GROUP BY k ORDER BY k",
)
ROW = st.tuples(
    st.integers(-2, 1),
    st.sampled_from(["a", "b", "bc"]),
    st.integers(-9, 9),
    st.integers(-(10**6), 10**6),
    st.integers(0, 40),
    st.booleans(),
)


@pytest.fixture(autouse=True)
def _small_dictionaries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "DICTIONARY_ROWS", 1)
    monkeypatch.setattr(compact, "ROWS_PER_VALUE", 1)


def table(rows: list[Any]) -> pa.Table:
    """Rows of three keys and a day, and numbers of several sizes, of which one can be NULL."""
    keys, words, values, money, days, flags = (list(column) for column in zip(*rows, strict=True))
    return pa.table(
        {
            "k": pa.array(keys, pa.int64()),
            "s": words,
            "v": pa.array(values, pa.int32()),
            "m": pa.array(money, pa.int64()).cast(pa.decimal128(19, 0)).cast(pa.decimal128(21, 2)),
            "d": pa.array(days, pa.int32()).cast(pa.date32()),
            "b": flags,
            "n": pa.array([value if value % 4 else None for value in values], pa.int16()),
            "w": pa.array([value * 2**31 for value in values], pa.int64()),
            "big": pa.array([2**62 - value for value in money], pa.int64()),
        }
    )


def answers(rows: pa.Table, chunk: int) -> list[Any]:
    """What all queries give, of chunks of so many rows."""
    connection = eau2.connect()
    connection.execute(f"SET chunk_rows = {chunk}")
    connection.register("t", rows)
    found = [connection.sql(query).fetchall() for query in QUERIES]
    connection.close()
    return found


@settings(deadline=None, max_examples=25)
@given(st.lists(ROW, min_size=1, max_size=60), st.integers(1, 20))
def test_groups_are_the_same(rows: list[Any], chunk: int) -> None:
    made = table(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(few_groups_shape, "FEW_ROWS", 0)
        patch.setattr(few_groups_shape, "may_pay", lambda sums, threads: True)
        patch.setattr(few_groups_shape, "pays", lambda _, seen, threads: seen.groups <= 16)
        patch.setattr(few_groups, "LONG_BLOCK_ROWS", 4)
        patch.setattr(few_groups, "_SHORT_BLOCK_ROWS", 2)
        patch.setattr(few_groups, "_PRODUCT_SIZE", 20)
        few = answers(made, chunk)
    assert few == answers(made, chunk)
    with duckdb.connect() as other:
        other.register("t", made)
        assert few == [other.sql(query).fetchall() for query in QUERIES]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether groups were made so, whenever that is tried."""
    found: list[bool] = []
    reduced = few_groups._reduced

    def watched(*arguments: Any) -> Any:
        made = reduced(*arguments)
        found.append(made is not None)
        return made

    monkeypatch.setattr(few_groups_shape, "FEW_ROWS", 0)
    monkeypatch.setattr(few_groups_shape, "may_pay", lambda sums, threads: True)
    monkeypatch.setattr(
        few_groups_shape, "pays", lambda shape, seen, _: few_groups.pays(shape, seen, 1)
    )
    monkeypatch.setattr(few_groups, "_reduced", watched)
    return found


def grouped(rows: dict[str, Any], query: str) -> list[tuple[Any, ...]]:
    connection = eau2.connect()
    connection.register("t", pa.table(rows))
    found = connection.sql(query).fetchall()
    connection.close()
    return found


def test_conditions_are_part_of_the_codes(seen: list[bool]) -> None:
    rows = {"s": ["x", "y"] * 4, "v": [1, 2, 3, 4, 5, 6, 7, 8], "w": [5] * 8}
    query = "SELECT s, sum(v * 2 + 1), count(*) FROM t WHERE v <= w GROUP BY s ORDER BY s"
    assert grouped(rows, query) == [("x", 21, 3), ("y", 14, 2)]
    assert seen == [True]


def test_no_row_is_left(seen: list[bool]) -> None:
    rows = {"s": ["x", "y"] * 4, "v": list(range(8))}
    assert grouped(rows, "SELECT s, sum(v) FROM t WHERE v < -1 AND s <> 'z' GROUP BY s") == []
    assert grouped({"s": ["x"], "v": [3]}, "SELECT s, sum(v) FROM t GROUP BY s") == [("x", 3)]
    assert all(seen)


def test_many_groups_are_hashed(seen: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few_groups, "_SAMPLE_ROWS", 2)
    keys = [0, *range(20), 0]
    found = grouped({"k": keys, "v": [1] * 22}, "SELECT k, sum(v) FROM t GROUP BY k ORDER BY k")
    assert found == [(0, 3), *((key, 1) for key in range(1, 20))]
    assert seen == [False]


def test_so_few_groups_pay() -> None:
    def shape(sums: int, keys: int, where: bool) -> few_groups.Shape:
        made = Program((("c1", 0),) * sums, (), sums, tuple(range(sums)), 1)
        compared = comparisons(
            Call(types.BOOLEAN, "<", (ColumnRef(BIGINT, 1), Literal(BIGINT, 3))), ranges
        )
        assert compared is not None
        named = tuple(few_groups.Key("k", "c1", 0, 9) for _ in range(keys))
        return few_groups.Shape(named, compared if where else (), made, (), (), ())

    def pays(
        groups: int,
        kept: float,
        sums: int = 1,
        keys: int = 1,
        where: bool = False,
        threads: int = 1,
    ) -> bool:
        return few_groups.pays(shape(sums, keys, where), few_groups.Look(groups, kept), threads)

    assert pays(16, 1.0, sums=0)
    assert not pays(17, 1.0, sums=0)
    assert pays(4, 0.98, sums=5, keys=2, where=True)
    assert not pays(4, 0.98, sums=5, keys=2, where=True, threads=2)
    assert not few_groups.may_pay(sums=True, threads=2)
    assert few_groups.may_pay(sums=True, threads=1)
    assert few_groups.may_pay(sums=False, threads=2)
    assert not pays(7, 0.5, sums=3, where=True)
    assert not pays(16, 1.0, sums=5)


def test_nulls_and_large_numbers_are_hashed(seen: list[bool]) -> None:
    rows = {"k": [1, None, 1], "v": [1, 2, None], "w": [2**52, 2**52, 1]}
    grouped(rows, "SELECT k, count(*) FROM t GROUP BY k")
    grouped(rows, "SELECT v, sum(k) FROM t GROUP BY v")
    query = "SELECT w > 1 AS k, sum(w) FROM t GROUP BY w > 1 ORDER BY k"
    assert grouped(rows, query) == [(False, 1), (True, 2**53)]
    rows = {"k": [1, 1, 1], "w": [2**52, 2**52, 1]}
    assert grouped(rows, "SELECT k, sum(w) FROM t GROUP BY k") == [(1, 2**53 + 1)]
    assert seen == []


def test_blocks_get_shorter_as_numbers_grow() -> None:
    def shape(bound: int) -> few_groups.Shape:
        return few_groups.Shape((), (), Program((), (), 1, (0,), bound), (), (), ())

    assert shape(1 << 38).block_rows == 16_384
    assert shape(1 << 39).block_rows == 8192
    assert shape((1 << 41) - 1).block_rows == 4096
    assert shape(1 << 41).block_rows == 0


def test_every_code_is_found(seen: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups that come late, in other threads and blocks, and of all differences in few bits."""
    monkeypatch.setattr(few_groups, "_PRODUCT_SIZE", 10_000)
    keys = np.concatenate([np.full(40_000, 120), np.full(40_000, -128), [126, 126, 120]])
    rows = {"k": keys.astype(np.int8), "v": np.arange(80_003)}
    found = grouped(rows, "SELECT k, count(*), sum(v) FROM t GROUP BY k ORDER BY k")
    first, second = sum(range(40_000)), sum(range(40_000, 80_000))
    assert found == [(-128, 40_000, second), (120, 40_001, first + 80_002), (126, 2, 160_001)]
    assert seen == [True]


def test_keys_at_the_ends_of_64_bits(seen: list[bool]) -> None:
    query = "SELECT k, sum(v) FROM t GROUP BY k ORDER BY k"
    low, high = -(2**63), 2**64 - 1
    rows = {"k": pa.array([low, low + 5, low], pa.int64()), "v": [1, 2, 3]}
    assert grouped(rows, query) == [(low, 4), (low + 5, 2)]
    assert seen == [True]
    rows["k"] = pa.array([high, high - 5, high], pa.uint64())
    assert grouped(rows, query) == [(high - 5, 2), (high, 4)]


def ranges(column: ColumnRef) -> tuple[int, int] | None:
    """Column 1 is small, column 2 is large, column 3 has no range."""
    return {1: (-10, 20), 2: (0, 1 << 51)}.get(column.id)


def arithmetic(name: str, one: Expr, other: Expr, checked: bool = False) -> Expr:
    return Call(BIGINT, name, (one, other), checked)


def test_what_doubles_may_not_hold_is_not_computed() -> None:
    small, large = ColumnRef(BIGINT, 1), ColumnRef(BIGINT, 2)
    assert program([arithmetic("*", large, Literal(BIGINT, 3))], ranges) is not None
    assert program([arithmetic("*", large, Literal(BIGINT, 4))], ranges) is None
    assert program([arithmetic("*", small, small, checked=True)], ranges) is None
    assert program([ColumnRef(BIGINT, 3)], ranges) is None
    assert program([Literal(BIGINT, EXACT)], ranges) is None
    assert program([Cast(types.DOUBLE, small)], ranges) is None
    made = program([arithmetic("-", small, arithmetic("*", small, small))], ranges)
    assert made is not None
    assert made.bound == 10 + 400


def test_equal_values_are_computed_once() -> None:
    small = ColumnRef(INTEGER, 1)
    square = arithmetic("*", Cast(BIGINT, small), Cast(BIGINT, small))
    made = program([square, Cast(BIGINT, small), square, small], ranges)
    assert made is not None
    assert (made.results, made.width, made.rows) == ((0, 1, 0, 1), 2, 2)
    table = np.zeros((2, 3))
    made.run({"c1": np.array([9, 1, -2, 3], np.int8)}, slice(1, 4), table)
    assert table.tolist() == [[1, 4, 9], [1, -2, 3]]


def test_comparisons_of_whole_numbers_alone() -> None:
    small, day = ColumnRef(INTEGER, 1), ColumnRef(DATE, 2)
    number, other = Literal(INTEGER, 300), ColumnRef(types.decimal(9, 2), 2)
    found = comparisons(Call(types.BOOLEAN, ">", (number, small)), ranges)
    assert found is not None
    flags = np.zeros(2, np.bool_)
    found[0].run({"c1": np.array([-9, 100], np.int8)}, slice(0, 2), flags)
    assert flags.all()
    assert comparisons(Call(types.BOOLEAN, "=", (day, Literal(DATE, 3))), ranges) is not None
    assert comparisons(Call(types.BOOLEAN, "=", (day, small)), ranges) is None
    assert comparisons(Call(types.BOOLEAN, "=", (small, other)), ranges) is None
    assert comparisons(Call(types.BOOLEAN, "=", (small, Literal(INTEGER, None))), ranges) is None
    assert comparisons(Call(types.BOOLEAN, "=", (ColumnRef(INTEGER, 3), number)), ranges) is None


def test_dates_and_flags_are_keys(seen: list[bool]) -> None:
    days = [datetime.date(2020, 1, 1), datetime.date(2020, 3, 1)] * 3
    rows = {"d": pl.Series(days).to_arrow(), "b": [True, True, False] * 2, "v": range(6)}
    rows["v"] = list(range(6))
    found = grouped(rows, "SELECT d, b, sum(v) FROM t GROUP BY d, b ORDER BY d, b")
    assert found == [
        (days[0], False, 2),
        (days[0], True, 0 + 4),
        (days[1], False, 5),
        (days[1], True, 1 + 3),
    ]
    assert seen == [True]
