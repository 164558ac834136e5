"""Functions in FROM: files that a test makes, and series at the ends of the calendar."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet

import eau2

CSV = "a,b,c,d\n1,x,1.5,2020-02-29\n2,,,\n-3,é,2.25,1999-12-31\n"
LINES = '{"a": 1, "b": "x"}\n{"a": null, "b": "é"}\n{"b": "z", "a": 3}\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "one.csv").write_text(CSV, encoding="utf-8")
    (folder / "two.csv").write_text("a,b,c,d\n7,q,0.5,2021-01-01\n", encoding="utf-8")
    (folder / "packed.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    (folder / "lines.json").write_text(LINES, encoding="utf-8")
    table = pa.table({"a": pa.array([1, None, 3], pa.int32()), "b": ["x", None, "z"]})
    for name in ("p1.parquet", "p2.parquet"):
        parquet.write_table(table, folder / name)
    parquet.write_table(table.slice(0, 0), folder / "empty.parquet")
    return folder


@pytest.mark.parametrize(
    "sql",
    [
        "FROM read_csv('{}/one.csv')",
        "FROM read_csv_auto('{}/one.csv') AS c WHERE c.a > 1 OR c.b IS NULL",
        "FROM read_csv('{}/packed.csv.gz') SELECT sum(a), count(b), max(d)",
        "SELECT a, c FROM read_csv(['{0}/one.csv', '{0}/two.csv']) ORDER BY a",
        "FROM read_parquet('{}/p1.parquet')",
        "SELECT count(*), sum(a) FROM read_parquet(['{0}/p1.parquet', '{0}/p2.parquet'])",
        "SELECT p.a, q.b FROM parquet_scan('{0}/p1.parquet') AS p, '{0}/p2.parquet' AS q"
        " WHERE p.a = q.a ORDER BY p.a",
        "FROM read_parquet('{}/empty.parquet')",
        "SELECT count(*) FROM '{}/p*.parquet'",
        "SELECT a, b FROM read_json('{}/lines.json') ORDER BY b",
        "SELECT b FROM read_ndjson('{}/lines.json') WHERE a IN (SELECT a FROM '{}/one.csv')",
    ],
)
def test_files_have_duckdbs_rows(folder: Path, sql: str) -> None:
    text = sql.format(folder, folder)
    connection = eau2.connect()
    assert connection.sql(text).fetchall() == duckdb.sql(text).fetchall()
    connection.close()


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("FROM read_csv('{}/none.csv')", "none.csv"),
        ("FROM read_csv('{}/p1.parquet')", "files that end in .csv"),
        ("FROM read_csv('{}/one.csv', header = true)", "support|column"),
        ("FROM read_parquet(['{0}/p1.parquet', '{0}/one.csv'])", "files that end in .parquet"),
        ("FROM read_parquet()", "takes a path"),
        ("FROM read_parquet([])", "needs a path"),
        ("FROM read_parquet(1)", "a VARCHAR is needed"),
    ],
)
def test_files_that_cannot_be_read(folder: Path, sql: str, message: str) -> None:
    with pytest.raises(eau2.Error, match=message):
        eau2.connect().sql(sql.format(folder)).fetchall()


@pytest.mark.parametrize(
    "sql",
    [
        "FROM range(TIMESTAMP '9999-11-30', TIMESTAMP '9999-12-31 23:59:59', INTERVAL 1 MONTH)",
        "FROM generate_series(DATE '9999-06-30', DATE '9999-12-31', INTERVAL '6 months 1 day')",
        "FROM generate_series(DATE '0001-02-01', DATE '0001-01-01', INTERVAL '-1 month')",
        "FROM range(DATE '9998-01-01', DATE '9999-12-31', INTERVAL 1000 YEARS)",
    ],
)
def test_series_by_months_end_with_the_calendar(sql: str) -> None:
    assert eau2.connect().sql(sql).fetchall() == duckdb.sql(sql).fetchall()
