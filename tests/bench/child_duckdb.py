"""DuckDB's part beside child_eau2.py, which has the same arguments; it has nothing to wait for.

A put is CREATE TABLE AS into a new file, then a checkpoint, which synchronises it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import duckdb


def put(file: str, threads: int, sources: list[Path]) -> dict[str, float]:
    """Seconds until all tables are in the file."""
    started = time.perf_counter()
    with duckdb.connect(file) as connection:
        connection.execute(f"SET threads = {threads}")
        for source in sources:
            read = f"SELECT * FROM read_parquet('{source}')"
            connection.execute(f"CREATE TABLE {source.stem} AS {read}")
        connection.execute("CHECKPOINT")
    return {"seconds": time.perf_counter() - started}


def query(file: str, threads: int, sql: str) -> dict[str, float]:
    """Seconds of one statement in a file that was just opened."""
    started = time.perf_counter()
    with duckdb.connect(file, read_only=True) as connection:
        connection.execute(f"SET threads = {threads}")
        rows = connection.sql(sql).to_arrow_table().num_rows
    return {"seconds": time.perf_counter() - started, "rows": rows}


def queries(file: str, threads: int, rounds: int, texts: list[str]) -> dict[str, float]:
    """Seconds of several statements, round by round."""
    started = time.perf_counter()
    with duckdb.connect(file, read_only=True) as connection:
        connection.execute(f"SET threads = {threads}")
        for sql in texts * rounds:
            connection.sql(sql).to_arrow_table()
    return {"seconds": time.perf_counter() - started}


def main(arguments: list[str]) -> None:
    """The command."""
    what, file, threads, *rest = arguments
    if what == "put":
        done = put(file, int(threads), [Path(path) for path in rest[1:]])
    elif what == "queries":
        done = queries(file, int(threads), int(rest[0]), rest[1:])
    else:
        done = query(file, int(threads), rest[0])
    print(json.dumps(done))


if __name__ == "__main__":
    main(sys.argv[1:])
