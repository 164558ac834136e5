"""Kernel forms: dtypes, constants, and the way out to Arrow."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest

from eau2.errors import OutOfRangeError
from eau2.operators.expr import Column, Value
from eau2.operators.physical import from_stored, kernel_dtype, literal, to_logical
from eau2.types import Kind, SqlType, decimal, logical_arrow, stored_arrow
from tests.unit.scalar_oracle import POOLS, connection, rows, sql_type

NAMES = [name for name in POOLS if name != "HUGEINT"]


@pytest.mark.parametrize("name", NAMES)
def test_results_leave_as_duckdbs_arrow(name: str) -> None:
    data = rows(name)
    frame = data.frame.rename({"c0": "c7"})
    ours = to_logical(frame, (Column(7, "x", data.types[0]),), ("a",))
    query = connection().sql(f"SELECT a FROM {data.table} ORDER BY i")
    theirs = query.to_arrow_table()
    assert ours.column_names == ["a"]
    assert ours.schema.field(0).type == logical_arrow(data.types[0])
    assert ours.to_pylist() == theirs.to_pylist() or name in ("FLOAT", "DOUBLE")
    assert repr(ours.to_pylist()) == repr(theirs.to_pylist())


@pytest.mark.parametrize("name", NAMES)
def test_sliced_and_chunked_columns_leave_whole(name: str) -> None:
    data = rows(name)
    pieces = pl.concat([data.frame[:2], data.frame], rechunk=False)[2:]
    column = Column(0, "x", data.types[0])
    cut, whole = (to_logical(frame, (column,), ("a",)) for frame in (pieces, data.frame))
    assert repr(cut.to_pylist()) == repr(whole.to_pylist())


def test_wide_integers_leave_as_decimals() -> None:
    values = [10**38 - 1, -(10**38) + 1, None, 0, 5]
    frame = pl.DataFrame({"c0": pl.Series(values, dtype=pl.Int128)})
    table = to_logical(frame, (Column(0, "h", SqlType(Kind.HUGEINT)),), ("h",))
    assert table.schema.field(0).type == pa.decimal128(38, 0)
    assert [v if v is None else int(v) for v in table["h"].to_pylist()] == values


def test_trap_an_integer_of_39_digits_has_no_way_out() -> None:
    frame = pl.DataFrame({"c0": pl.Series([1, 10**38], dtype=pl.Int128)})
    with pytest.raises(OutOfRangeError, match=f'"h" holds {10**38}'):
        to_logical(frame, (Column(0, "h", SqlType(Kind.HUGEINT)),), ("h",))


def test_stored_columns_come_in() -> None:
    for type_, stored, kernel in (
        (decimal(38, 2), pa.array([Decimal(-5), None], pa.decimal128(38, 0)), [-5, None]),
        (decimal(9, 2), pa.array([-5, None], pa.int64()), [-5, None]),
        (SqlType(Kind.HUGEINT), pa.array([Decimal(7)], pa.decimal128(38, 0)), [7]),
        (SqlType(Kind.VARCHAR), pa.array(["a", None]).dictionary_encode(), ["a", None]),
        (SqlType(Kind.VARCHAR), pa.array(["a"], pa.string_view()), ["a"]),
        (SqlType(Kind.DATE), pa.array([dt.date(2020, 1, 1)]), [dt.date(2020, 1, 1)]),
    ):
        frame = pl.from_arrow(pa.table({"x": stored}))
        assert isinstance(frame, pl.DataFrame)
        result = frame.select(from_stored(pl.col("x"), type_)).to_series()
        assert result.dtype == kernel_dtype(type_)
        assert result.to_list() == kernel
        assert pa.types.is_dictionary(stored.type) or stored.type == stored_arrow(type_)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("BOOLEAN", True, True),
        ("TINYINT", -3, -3),
        ("HUGEINT", -(2**127), -(2**127)),
        ("DECIMAL(9,2)", 125, 125),
        ("DECIMAL(38,2)", 10**37, 10**37),
        ("DOUBLE", 1, 1.0),
        ("FLOAT", 0.5, 0.5),
        ("VARCHAR", "a", "a"),
        ("DATE", -1, dt.date(1969, 12, 31)),
        ("TIMESTAMP", 1, dt.datetime(1970, 1, 1, 0, 0, 0, 1)),
    ],
)
def test_constants_have_kernel_dtypes(name: str, value: Value, shown: object) -> None:
    type_ = sql_type(name)
    frame = pl.select(literal(value, type_).alias("v"), literal(None, type_).alias("n"))
    assert frame.dtypes == [kernel_dtype(type_)] * 2
    assert frame.row(0) == (shown, None)
