"""Compares bound scalar expressions with DuckDB, row by row, in both kernel engines.

Owns: pools of values per type, the way from DuckDB's rows to kernel frames and back.
Does not know: which functions there are.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import product
from typing import Any

import duckdb
import polars as pl
import pytest

from eau2.errors import Error
from eau2.operators.expr import ColumnRef, Expr
from eau2.operators.lowering import diagnosis, lower_expr
from eau2.operators.physical import kernel_dtype
from eau2.types import Kind, SqlType, decimal

Build = Callable[..., Expr]
MOST_FAILURES = 16
"""Of more failing rows every second, third and so on is run by itself."""
FAILURES = (pl.exceptions.PolarsError, ValueError)

POOLS: dict[str, tuple[str, ...]] = {
    "BOOLEAN": ("true", "false"),
    "TINYINT": ("0", "1", "-1", "2", "-7", "127", "-128"),
    "SMALLINT": ("0", "1", "-1", "3", "-300", "32767", "-32768"),
    "INTEGER": ("0", "1", "-1", "7", "-70000", "2147483647", "-2147483648"),
    "BIGINT": ("0", "1", "-1", "3000000000", "-10", "9223372036854775807", "-9223372036854775808"),
    "HUGEINT": (
        "0",
        "1",
        "-1",
        "13043817825332782212",
        "-99999999999999999999",
        "170141183460469231731687303715884105727",
        "-170141183460469231731687303715884105728",
    ),
    "UTINYINT": ("0", "1", "7", "255"),
    "USMALLINT": ("0", "1", "300", "65535"),
    "UINTEGER": ("0", "1", "70000", "4294967295"),
    "UBIGINT": ("0", "1", "5000000000", "18446744073709551615"),
    "FLOAT": ("0", "-0.0", "1.5", "-2.5", "0.1", "3.4e38", "nan", "inf", "-inf", "16777217"),
    "DOUBLE": ("0", "-0.0", "1.5", "-2.5", "0.1", "1e300", "nan", "inf", "-inf", "7", "1e-5"),
    "DECIMAL(4,4)": ("0", "0.9999", "-0.9999", "0.0001", "0.5"),
    "DECIMAL(9,2)": ("0", "1.25", "-1.25", "0.05", "9999999.99", "-9999999.99", "2.00", "0.50"),
    "DECIMAL(18,4)": ("0", "0.3350", "-1.0050", "99999999999999.9999", "3.0000", "-7.5000"),
    "DECIMAL(38,10)": ("0", "1.5", "-0.0000000001", "9999999999999999999999999999.9999999999", "7"),
    "VARCHAR": ("", "a", "héllo", "日本語", "straße", " pad ", "a.b.c", "10%_", "l1\nl2", "ΑΣ"),
    "DATE": ("2020-01-31", "2020-02-29", "1969-12-31", "0001-01-01", "9999-12-31", "2024-12-30"),
    "TIMESTAMP": (
        "2020-01-31 23:59:59.999999",
        "2020-02-29 00:00:00",
        "1969-12-31 23:59:58.5",
        "0001-01-01 00:00:00",
        "9999-12-31 12:34:56",
        "2024-12-30 01:00:00",
    ),
}
"""Texts that DuckDB casts to each type; every pool gets a NULL too."""


def sql_type(name: str) -> SqlType:
    """`DECIMAL(9,2)` as a SqlType."""
    if name.startswith("DECIMAL("):
        precision, scale = name[8:-1].split(",")
        return decimal(int(precision), int(scale))
    return SqlType(Kind(name))


def physical(value: Any, type_: SqlType) -> Any:
    """A value fetched from DuckDB in kernel form."""
    if value is None:
        return None
    if type_.is_decimal:
        sign, digits, exponent = Decimal(value).as_tuple()
        assert isinstance(exponent, int)
        scaled = int("".join(map(str, digits))) * 10 ** (exponent + type_.scale)
        return -scaled if sign else scaled
    if type_.kind is Kind.DATE:
        return (value - dt.date(1970, 1, 1)).days
    if type_.kind is Kind.TIMESTAMP:
        return (value - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)
    return value


def column(values: Sequence[Any], type_: SqlType) -> pl.Series:
    """Physical values as a kernel column."""
    dtype = kernel_dtype(type_)
    if type_.kind is Kind.DATE:
        return pl.Series(values, dtype=pl.Int32).cast(dtype)
    if type_.kind is Kind.TIMESTAMP:
        return pl.Series(values, dtype=pl.Int64).cast(dtype)
    return pl.Series(values, dtype=dtype)


def physical_list(series: pl.Series) -> list[Any]:
    """A kernel column as physical values."""
    if series.dtype in (pl.Date, pl.Datetime("us")):
        return series.to_physical().to_list()
    return series.to_list()


@lru_cache(maxsize=1)
def connection() -> Any:
    """One DuckDB for the whole run."""
    return duckdb.connect(config={"threads": "1"})


@dataclass(frozen=True)
class Rows:
    """The same rows in DuckDB (a table) and in kernel form, columns a, b, ... and c0, c1, ..."""

    table: str
    frame: pl.DataFrame
    types: tuple[SqlType, ...]

    @property
    def refs(self) -> tuple[ColumnRef, ...]:
        return tuple(ColumnRef(type_, i) for i, type_ in enumerate(self.types))


_TABLES: dict[tuple[Any, ...], Rows] = {}


def rows(*types: str, pools: tuple[Sequence[str | None], ...] | None = None) -> Rows:
    """All combinations of the pools of these types (or of the given ones), with NULLs."""
    key = (types, pools)
    if key in _TABLES:
        return _TABLES[key]
    chosen = [(*(pools[i] if pools else POOLS[name]), None) for i, name in enumerate(types)]
    names = [chr(ord("a") + i) for i in range(len(types))]
    table = f"t{len(_TABLES)}"
    con = connection()
    raw = ", ".join(f"{name} VARCHAR" for name in names)
    con.execute(f"CREATE TABLE raw_{table} (i INTEGER, {raw})")
    data = [(i, *combination) for i, combination in enumerate(product(*chosen))]
    marks = ", ".join("?" * (len(types) + 1))
    con.executemany(f"INSERT INTO raw_{table} VALUES ({marks})", data)
    casts = ", ".join(f"{n}::{t} AS {n}" for n, t in zip(names, types, strict=True))
    con.execute(f"CREATE TABLE {table} AS SELECT i, {casts} FROM raw_{table} ORDER BY i")
    sql_types = tuple(sql_type(name) for name in types)
    fetched = con.execute(f"SELECT {', '.join(names)} FROM {table} ORDER BY i").fetchall()
    series = [
        column([physical(row[i], t) for row in fetched], t).alias(f"c{i}")
        for i, t in enumerate(sql_types)
    ]
    _TABLES[key] = Rows(table, pl.DataFrame(series), sql_types)
    return _TABLES[key]


def duckdb_type(sql: str, table: str) -> str | None:
    """The result type of an expression in DuckDB; None if it refuses it."""
    try:
        found = connection().execute(f"SELECT typeof({sql}) FROM {table} LIMIT 1").fetchall()
    except duckdb.Error:
        return None
    return str(found[0][0])


def _same(ours: Any, theirs: Any, digits: int | None) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float):
        if math.isnan(ours) or math.isnan(theirs):
            return math.isnan(ours) and math.isnan(theirs)
        if ours == theirs:
            return math.copysign(1, ours) == math.copysign(1, theirs)
        return digits is not None and math.isclose(ours, theirs, rel_tol=10.0**-digits)
    return type(ours) is type(theirs) and ours == theirs


def _single(sql: str, data: Rows, row: int) -> tuple[bool, Any]:
    try:
        found = connection().execute(f"SELECT {sql} FROM {data.table} WHERE i = {row}").fetchall()
    except duckdb.Error:
        return False, None
    return True, found[0][0]


def check(sql: str, build: Build, data: Rows, digits: int | None = None) -> None:
    """Assert that the expression has DuckDB's type, values and failures on all rows.

    `sql` is over columns a, b, ...; `build` makes the bound expression from their references.
    `digits`: how many digits of floats must agree where they need not be identical.
    """
    expr = build(*data.refs)
    expected_type = duckdb_type(sql, data.table)
    assert expected_type is not None, f"DuckDB refuses {sql}"
    if expected_type != '"NULL"':
        assert str(expr.type) == expected_type, sql
    query = f"SELECT TRY({sql}) FROM {data.table} ORDER BY i"
    theirs = [physical(row[0], expr.type) for row in connection().execute(query).fetchall()]
    failing = [i for i, v in enumerate(theirs) if v is None and not _single(sql, data, i)[0]]
    passing = data.frame.with_row_index("i").filter(~pl.col("i").is_in(failing))
    kept = [value for i, value in enumerate(theirs) if i not in set(failing)]
    for engine, diagnose in (("in-memory", False), ("streaming", False), ("in-memory", True)):
        lowered = passing.lazy().select(lower_expr(expr, diagnose).alias("r"))
        result = lowered.collect(engine=engine).get_column("r")  # type: ignore[call-overload]
        if len(result) == 1 != len(kept):
            result = result.new_from_index(0, len(kept))
        assert result.dtype == kernel_dtype(expr.type), f"{sql}: {result.dtype}"
        ours = physical_list(result)
        for row, a, b in zip(passing.rows(), ours, kept, strict=True):
            assert _same(a, b, digits), f"{sql} over {row[1:]} ({engine}): {a!r}, DuckDB {b!r}"
    for row_number in failing[:: 1 + len(failing) // MOST_FAILURES]:
        check_fails(expr, data.frame[row_number : row_number + 1], sql)


def check_fails(expr: Expr, frame: pl.DataFrame, sql: str) -> Error:
    """Assert that the expression raises on the frame, and that a second run says why."""
    shown = f"{sql} over {frame.rows()}"
    with pytest.raises(FAILURES):
        raise_if_value(frame, lower_expr(expr), shown)
    with pytest.raises(FAILURES) as caught:
        raise_if_value(frame, lower_expr(expr, diagnose=True), shown)
    error = diagnosis(str(caught.value))
    assert error is not None, f"{shown}: no message in {caught.value}"
    return error


def raise_if_value(frame: pl.DataFrame, lowered: pl.Expr, shown: str) -> None:
    """Run it; a value instead of a failure is an assertion."""
    result = frame.lazy().select(lowered.alias("r")).collect().get_column("r").to_list()
    raise AssertionError(f"{shown}: {result} instead of an error")
