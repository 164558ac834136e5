"""One piece of eau2's work in a process of its own, for its peak memory.

`python -m tests.bench.child_eau2 put STORE THREADS WAIT SOURCE...` takes Parquet files into a new
store on disk; WAIT is 1 to wait for artefacts. `... query STORE THREADS SQL` answers one statement,
`... queries STORE THREADS ROUNDS SQL...` several, so often that all is made which is made of them.
Goes out: a line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import eau2
from tests.bench.artefacts import settled


def put(store: str, threads: int, wait: bool, sources: list[Path]) -> dict[str, float]:
    """Seconds of the put, and of the put with all that is made from it."""
    started = time.perf_counter()
    with eau2.connect(store, threads=threads) as connection:
        for source in sources:
            connection.put(source.stem, source)
        done = {"seconds": time.perf_counter() - started}
        found = settled(connection) if wait else None
        if found is not None:
            done["all_seconds"] = time.perf_counter() - started
            done |= {"artefacts": found.count, "artefact_bytes": found.bytes}
    return done


def query(store: str, threads: int, sql: str) -> dict[str, float]:
    """Seconds of one statement in a store that was just opened."""
    started = time.perf_counter()
    with eau2.connect(store, threads=threads) as connection:
        rows = connection.sql(sql).to_arrow().num_rows
    return {"seconds": time.perf_counter() - started, "rows": rows}


def queries(store: str, threads: int, rounds: int, texts: list[str]) -> dict[str, object]:
    """Bytes of what is kept for each table once the statements have run, round by round."""
    with eau2.connect(store, threads=threads) as connection:
        for _ in range(rounds):
            for sql in texts:
                connection.sql(sql).to_arrow()
            found = settled(connection)
    return {} if found is None else {"artefacts": found.count, "tables": dict(found.tables)}


def main(arguments: list[str]) -> None:
    """The command."""
    what, store, threads, *rest = arguments
    done: Mapping[str, object]
    if what == "put":
        done = put(store, int(threads), rest[0] == "1", [Path(path) for path in rest[1:]])
    elif what == "queries":
        done = queries(store, int(threads), int(rest[0]), rest[1:])
    else:
        done = query(store, int(threads), rest[0])
    print(json.dumps(done))


if __name__ == "__main__":
    main(sys.argv[1:])
