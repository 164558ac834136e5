"""`eau2 export`: what is read back is what was stored, and a file is there whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import eau2
from tests.cluster.nodes import in_process
from tests.conftest import Cli
from tests.unit.test_cli import check_message

TABLE = """
    CREATE TABLE odd AS
    SELECT range::BIGINT AS n, CASE WHEN range % 3 = 0 THEN NULL
        ELSE 'text "' || range || e'",\n ]' END AS s, range / 3 AS x,
        DATE '2026-01-01' + range::INTEGER AS d, (range / 7)::DECIMAL(12, 3) AS m
    FROM range(1000)
"""
ROWS = "SELECT n, s, x, d::DATE, m::DECIMAL(12, 3) FROM {} ORDER BY n"
ENDINGS = (".parquet", ".csv", ".ndjson", ".arrow", ".arrows")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with in_process(1) as nodes:
        with eau2.connect(nodes.urls[0]) as connection:
            connection.sql(TABLE)
        yield nodes.urls[0]


@pytest.mark.parametrize("where", ["here", "at a node"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_read_back_is_what_was_stored(
    main: Cli, url: str, tmp_path: Path, ending: str, where: str
) -> None:
    with eau2.connect(tmp_path / ".eau2") as connection:
        connection.sql(TABLE)
        stored = connection.sql(ROWS.format("odd")).fetchall()
    at = () if where == "here" else ("--connect", url)
    done = main("export", "odd", f"out{ending}", *at)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"out{ending}: 1,000 rows\n", "")
    with eau2.connect() as connection:
        path = tmp_path / f"out{ending}"
        assert connection.sql(ROWS.format(f"'{path}'")).fetchall() == stored
    if ending == ".ndjson":
        lines = path.read_text().splitlines()
        assert [json.loads(line)["n"] for line in lines] == list(range(1000))
    assert [name for name in os.listdir(tmp_path) if name.endswith(".tmp")] == []


def test_no_rows_have_their_columns(main: Cli, tmp_path: Path) -> None:
    with eau2.connect(tmp_path / ".eau2") as connection:
        connection.sql("CREATE TABLE t (a INTEGER, s VARCHAR); CREATE VIEW v AS SELECT a FROM t")
    for name, ending, expected in (
        ("t", ".csv", b"a,s\n"),
        ("v", ".csv", b"a\n"),
        ("t", ".ndjson", b""),
    ):
        assert main("export", name, f"{name}{ending}").stdout == f"{name}{ending}: 0 rows\n"
        assert (tmp_path / f"{name}{ending}").read_bytes() == expected
    assert main("export", "t", "t.parquet").returncode == 0
    assert pa.parquet.read_table(tmp_path / "t.parquet").column_names == ["a", "s"]


def test_a_file_is_kept_and_a_failure_leaves_nothing(main: Cli, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("mine")
    with eau2.connect(tmp_path / ".eau2") as connection:
        connection.sql("CREATE TABLE t AS SELECT 1 AS a; CREATE TABLE i AS SELECT INTERVAL 1 DAY x")
        connection.sql("CREATE VIEW bad AS SELECT a // 0 AS b FROM t")
    for arguments, part in (
        (["t", "out.csv"], "--force"),
        (["t", "out.xyz"], ".parquet"),
        (["t", "no/out.csv"], "no folder"),
        (["t", "state"], "ending"),
    ):
        done = main("export", *arguments)
        assert done.returncode == 2
        check_message(done.stderr, part)
    for arguments, part in (
        (["bad", "out.csv", "--force"], "division by zero"),
        (["nope", "new.csv"], '"nope"'),
        (["i", "i.parquet"], 'INTERVAL, which the column "x" is'),
    ):
        done = main("export", *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        check_message(done.stderr, part)
    assert (tmp_path / "out.csv").read_text() == "mine"
    assert sorted(n for n in os.listdir(tmp_path) if n not in (".eau2", "state")) == ["out.csv"]
    assert main("export", "t", "out.csv", "--force").returncode == 0
    assert (tmp_path / "out.csv").read_text() == "a\n1\n"
