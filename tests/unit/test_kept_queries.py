"""Queries that are kept with their small rows: the same answers, and they go with the rows."""

from __future__ import annotations

import gc

import pyarrow as pa
import pytest

import eau2
from eau2.config import KERNELS
from eau2.errors import UnknownTableError
from eau2.kernels import runner
from eau2.kernels.runner import run_fragment
from eau2.operators.base import Operator
from eau2.operators.expr import Call, Column, Literal, ref
from eau2.operators.filter import Filter
from eau2.operators.scan import ScanChunks
from eau2.types import BIGINT, BOOLEAN

A = Column(1, "a", BIGINT)
SCAN = ScanChunks((A,), ("a",))


def filtered(least: int) -> Filter:
    return Filter(SCAN, Call(BOOLEAN, ">=", (ref(A), Literal(BIGINT, least))))


def kept(*fragments: Operator) -> int:
    """How many queries of these fragments are kept."""
    return sum(any(root is f for f in fragments) for root, _, _ in runner._queries.values())


def test_a_query_goes_when_its_rows_go() -> None:
    table, fragment, stricter = pa.table({"a": [1, 2, 3]}), filtered(2), filtered(3)
    for _ in range(3):
        assert run_fragment(fragment, table, {}).to_dicts() == [{"c1": 2}, {"c1": 3}]
        assert kept(fragment) == 1
    other = pa.table({"a": [5]})
    assert run_fragment(fragment, other, {}).to_dicts() == [{"c1": 5}]
    assert run_fragment(stricter, table, {}).to_dicts() == [{"c1": 3}]
    assert kept(fragment, stricter) == 3
    del table, other
    gc.collect()
    assert kept(fragment, stricter) == 0


def test_large_rows_are_not_kept() -> None:
    table, fragment = pa.table({"a": list(range(KERNELS.kept_rows + 1))}), filtered(1)
    assert run_fragment(fragment, table, {}).height == KERNELS.kept_rows
    assert kept(fragment) == 0


def test_a_statement_that_comes_again_sees_what_was_written() -> None:
    statement = "SELECT count(*), sum(10 // a) FROM t"
    with eau2.connect() as connection:
        connection.sql("CREATE TABLE t AS SELECT 1 AS a UNION ALL SELECT 2")
        for _ in range(3):
            assert connection.sql(statement).fetchall() == [(2, 15)]
        connection.sql("INSERT INTO t VALUES (5)")
        for _ in range(3):
            assert connection.sql(statement).fetchall() == [(3, 17)]
        connection.register("t2", pa.table({"a": ["x", "1"]}))
        for _ in range(3):
            with pytest.raises(eau2.DataError, match="x"):
                connection.sql("SELECT CAST(a AS INTEGER) FROM t2")
        connection.register("t2", pa.table({"a": ["2", "1"]}))
        assert connection.sql("SELECT CAST(a AS INTEGER) FROM t2").fetchall() == [(2,), (1,)]
        connection.sql("DROP TABLE t")
        with pytest.raises(UnknownTableError):
            connection.sql(statement)
