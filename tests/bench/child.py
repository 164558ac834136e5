"""One piece of work in a process of its own, for its peak memory: `python -m tests.bench.child`.

`put-eau2 TARGET THREADS WAIT SOURCE...` and `put-duckdb TARGET THREADS WAIT SOURCE...` take Parquet
files into a new store on disk, so that a loss of power does no harm; WAIT is 1 to wait for
artefacts. `query-eau2 STORE THREADS SQL` and `query-duckdb FILE THREADS SQL` answer one statement.
Goes out: a line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import duckdb

import eau2
from tests.bench.artefacts import settled


def put_eau2(target: str, threads: int, wait: bool, sources: list[Path]) -> dict[str, float]:
    """Seconds of the put, and of the put with all that is made from it."""
    started = time.perf_counter()
    with eau2.connect(target, threads=threads) as connection:
        for source in sources:
            connection.put(source.stem, source)
        put_s = time.perf_counter() - started
        found = settled(connection) if wait else None
    done = {"seconds": put_s}
    if found is not None:
        all_s = time.perf_counter() - started
        done |= {"all_seconds": all_s, "artefacts": found.count, "artefact_bytes": found.bytes}
    return done


def put_duckdb(target: str, threads: int, sources: list[Path]) -> dict[str, float]:
    """Seconds of CREATE TABLE AS for every file, and a checkpoint."""
    started = time.perf_counter()
    with duckdb.connect(target) as connection:
        connection.execute(f"SET threads = {threads}")
        for source in sources:
            read = f"SELECT * FROM read_parquet('{source}')"
            connection.execute(f"CREATE TABLE {source.stem} AS {read}")
        connection.execute("CHECKPOINT")
    return {"seconds": time.perf_counter() - started}


def query(engine: str, store: str, threads: int, sql: str) -> dict[str, float]:
    """Seconds of one statement in a store that was just opened."""
    started = time.perf_counter()
    if engine == "eau2":
        with eau2.connect(store, threads=threads) as connection:
            rows = connection.sql(sql).to_arrow().num_rows
    else:
        with duckdb.connect(store, read_only=True) as duck:
            duck.execute(f"SET threads = {threads}")
            rows = duck.sql(sql).to_arrow_table().num_rows
    return {"seconds": time.perf_counter() - started, "rows": rows}


def main(arguments: list[str]) -> None:
    """The command."""
    what, target, threads, *rest = arguments
    match what.split("-"):
        case ["put", "eau2"]:
            done = put_eau2(target, int(threads), rest[0] == "1", [Path(p) for p in rest[1:]])
        case ["put", _]:
            done = put_duckdb(target, int(threads), [Path(p) for p in rest[1:]])
        case [_, engine]:
            done = query(engine, target, int(threads), rest[0])
    print(json.dumps(done))


if __name__ == "__main__":
    main(sys.argv[1:])
