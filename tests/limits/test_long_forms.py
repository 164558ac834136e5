"""Long chains mean what short ones do: they are computed another way, and DuckDB is the judge."""

from __future__ import annotations

import itertools
import random

import duckdb
import polars as pl
import pyarrow as pa
import pytest

import eau2
from eau2.operators.functions.logic import joined

ROWS = list(itertools.product((True, False, None), repeat=3))
TABLE = pa.table(
    {
        "p": pa.array([row[0] for row in ROWS], pa.bool_()),
        "q": pa.array([row[1] for row in ROWS], pa.bool_()),
        "r": pa.array([row[2] for row in ROWS], pa.bool_()),
        "n": pa.array([None if i % 5 == 4 else i % 7 for i in range(len(ROWS))], pa.int32()),
        "s": pa.array([None if i % 6 == 5 else str(i % 4) for i in range(len(ROWS))]),
    }
)


def texts() -> list[str]:
    """Expressions with long chains, of columns that hold NULLs, some with parts that can fail."""
    choice = random.Random(1).choice
    bare = [choice("pqr") for _ in range(40)]
    mixed = [choice(("p", "q", "n > 3", "s = '2'", "NULL", "n + 1 < 5")) for _ in range(70)]
    # What can fail stands behind a part that takes the rows on which it would.
    guarded = ["n IS NULL", "n > 5", *mixed[:30], "(n + 122)::TINYINT > 0", *mixed[30:]]
    branches = [
        f"WHEN {choice(mixed)} AND n = {i % 9} THEN {choice(('NULL', i))}" for i in range(150)
    ]
    fallible = [f"WHEN n = {i % 7} THEN (n + {121 + i % 3})::TINYINT" for i in range(90)]
    return [
        " AND ".join(bare),
        " OR ".join(bare),
        " OR ".join(f"({a} AND {b})" for a, b in zip(mixed, reversed(mixed), strict=True)),
        " AND ".join(f"({a} OR {b} OR q)" for a, b in zip(mixed, reversed(mixed), strict=True)),
        " OR ".join(guarded),
        f"NOT ({' AND '.join(mixed)})",
        f"CASE {' '.join(branches)} END",
        f"CASE {' '.join(branches)} ELSE -1 END",
        f"CASE WHEN n > 4 OR n IS NULL THEN 0 {' '.join(fallible)} END",
        f"CASE n {' '.join(f'WHEN {i} THEN {i * 2}' for i in range(100))} ELSE 7 END",
        f"coalesce({', '.join(f'nullif(n, {i % 7})' for i in range(30))}, 5)",
        f"concat_ws('-', {', '.join('s' if i % 2 else 'n' for i in range(40))})",
        f"concat({', '.join('s' if i % 2 else 'n' for i in range(40))})",
    ]


@pytest.mark.parametrize("text", texts(), ids=range(len(texts())))
def test_long_chains_mean_what_they_mean_in_duckdb(text: str) -> None:
    duck = duckdb.connect()
    duck.register("x", TABLE)
    with eau2.connect() as connection:
        connection.register("x", TABLE)
        queries = [f"SELECT {text} AS v FROM x"]
        if "CASE" not in text and "co" not in text:
            queries.append(f"SELECT p, q, r, n, s FROM x WHERE {text}")
        for query in queries:
            # DuckDB casts also on rows that an earlier part has decided, and fails there.
            calm = query.replace("(n + 122)::TINYINT", "TRY_CAST(n + 122 AS TINYINT)")
            assert connection.sql(query).fetchall() == duck.sql(calm).fetchall()


def test_joined_is_the_same_for_any_number_of_values() -> None:
    frame = pl.from_arrow(TABLE.select(["p", "q", "r"]))
    assert isinstance(frame, pl.DataFrame)
    columns = [pl.col("p"), pl.col("q"), pl.col("r")]
    for conjunction in (True, False):
        short = frame.select(joined(columns, conjunction)).to_series().to_list()
        long = frame.select(joined(columns * 10, conjunction)).to_series().to_list()
        assert short == long


def test_a_text_that_is_computed_is_cast_once_with_the_same_message() -> None:
    with eau2.connect() as connection:
        connection.register("x", TABLE)
        text = "SELECT CAST(concat(s, '1') AS INTEGER) FROM x WHERE s IS NOT NULL LIMIT 2"
        assert connection.sql(text).fetchall() == [(1,), (11,)]
        for source in ("concat(s, 'y')", "s || 'y'"):
            with pytest.raises(eau2.DataError, match="could not convert '0y' to INTEGER"):
                connection.sql(f"SELECT CAST({source} AS INTEGER) FROM x WHERE s = '0'").fetchall()
            empty = connection.sql(f"SELECT TRY_CAST({source} AS INTEGER) AS v FROM x").fetchall()
            assert set(empty) == {(None,)}
