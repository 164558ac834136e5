"""The benchmark, one table: `python -m tests.bench.run [--scale 1] [--queries q01,q06]`.

TPC-H through eau2, through DuckDB over the same Arrow tables, and through DuckDB's own tables; the
same number of threads, interleaved in one run, medians. Then a small grouped query at first and
repeated, whole processes, and the memory of a put. Nothing is asserted: numbers are for reading.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa

import eau2
from tests.bench import memory
from tests.tpch import data


def milliseconds(call: Callable[[], object]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def interleaved(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Every call once per round, in turn, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            taken = milliseconds(call)
            if number:
                times[name].append(taken)
    return times


def machine() -> str:
    """Versions and machine, on two lines."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return (
        f"eau2 {eau2.__version__}, duckdb {duckdb.__version__}, polars {pl.__version__}, "
        f"pyarrow {pa.__version__}, Python {platform.python_version()}\n"
        f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
    )


def tpch(scale: str, queries: tuple[str, ...], threads: int, rounds: int) -> None:
    """The queries on three engines."""
    ours = eau2.connect(threads=threads)
    arrow, native = duckdb.connect(), duckdb.connect()
    for duck in (arrow, native):
        duck.execute(f"SET threads = {threads}")
    for name in data.TABLES:
        table = data.table(scale, name)
        ours.register(name, table)
        arrow.register(name, table)
        path = data.path(scale, name)
        native.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet('{path}')")
    print(f"\nTPC-H, scale {scale}, {threads} threads, median of {rounds} (best), ms")
    print(
        f"{'':6}{'eau2':>16}{'DuckDB/Arrow':>16}{'DuckDB native':>16}{'to Arrow':>10}{'native':>8}"
    )
    sums = [0.0, 0.0, 0.0]
    for query in queries:
        sql = data.text(query)
        calls: dict[str, Callable[[], object]] = {
            "eau2": lambda sql=sql: ours.sql(sql).to_arrow(),  # type: ignore[misc]
            "arrow": lambda sql=sql: arrow.sql(sql).to_arrow_table(),  # type: ignore[misc]
            "native": lambda sql=sql: native.sql(sql).to_arrow_table(),  # type: ignore[misc]
        }
        try:
            times = interleaved(calls, rounds)
        except eau2.Error as error:
            print(f"{query:6}{str(error).splitlines()[0]}")
            continue
        medians = [statistics.median(times[name]) for name in calls]
        sums = [total + median for total, median in zip(sums, medians, strict=True)]
        shown = [
            f"{median:8.1f} ({min(times[name]):5.1f})"
            for name, median in zip(calls, medians, strict=True)
        ]
        print(f"{query:6}{shown[0]:>16}{shown[1]:>16}{shown[2]:>16}", end="")
        print(f"{medians[0] / medians[1]:10.2f}{medians[0] / medians[2]:8.2f}")
    if all(sums):
        print(f"{'sum':6}{sums[0]:16.1f}{sums[1]:16.1f}{sums[2]:16.1f}", end="")
        print(f"{sums[0] / sums[1]:10.2f}{sums[0] / sums[2]:8.2f}   (bound: 1.3 to Arrow)")
    for connection in (ours, arrow, native):
        connection.close()


def small(threads: int) -> None:
    """A grouped query on 1,000 rows: at first, with new constants, and repeated."""
    table = pa.table({"g": [i % 10 for i in range(1000)], "v": [float(i) for i in range(1000)]})
    ours = eau2.connect(threads=threads)
    ours.register("small", table)
    ours.sql("SELECT 1").fetchall()
    text = "SELECT g, sum(v) AS total, count(*) AS n FROM small WHERE v > {} GROUP BY g ORDER BY g"
    first = milliseconds(lambda: ours.sql(text.format(0)).to_arrow())
    fresh = [
        milliseconds(lambda n=n: ours.sql(text.format(n)).to_arrow())  # type: ignore[misc]
        for n in range(1, 60)
    ]
    again = [milliseconds(lambda: ours.sql(text.format(0)).to_arrow()) for _ in range(200)]
    duck = duckdb.connect()
    duck.execute(f"SET threads = {threads}")
    duck.register("small", table)
    other = [milliseconds(lambda: duck.sql(text.format(0)).to_arrow_table()) for _ in range(200)]
    print("\nA grouped query on 1,000 rows, ms")
    print(f"  first of its kind {first:.2f} (bound 5), with a new constant", end=" ")
    print(
        f"{statistics.median(fresh):.2f}, repeated {statistics.median(again):.2f} (bound 1);",
        end="",
    )
    print(f" DuckDB repeated {statistics.median(other):.2f}")
    ours.close()


def processes(rounds: int) -> None:
    """`eau2 query` as a whole process beside DuckDB as one."""
    source = Path(tempfile.mkdtemp()) / "df.csv"
    source.write_text("a,b\n" + "".join(f"{i},{i % 7}\n" for i in range(1000)))
    store = source.parent / "store"
    tool = [sys.executable, "-m", "eau2"]
    subprocess.run([*tool, "load", "--store", str(store), "df", str(source)], check=True)
    query = "SELECT b, sum(a) FROM df GROUP BY b ORDER BY b"
    duck = f"import duckdb; duckdb.sql({query.replace('df', repr(str(source)))!r}).show()"
    commands = {
        "eau2": [*tool, "query", "--store", str(store), query],
        "DuckDB": [sys.executable, "-c", duck],
        "python": [sys.executable, "-c", "pass"],
    }
    calls: dict[str, Callable[[], object]] = {
        name: lambda command=command: subprocess.run(  # type: ignore[misc]
            command, check=True, capture_output=True
        )
        for name, command in commands.items()
    }
    times = {name: statistics.median(taken) for name, taken in interleaved(calls, rounds).items()}
    print("\nA whole process, ms")
    print(f"  eau2 query {times['eau2']:.0f}, python -c 'import duckdb; ...' ", end="")
    print(f"{times['DuckDB']:.0f}, ratio {times['eau2'] / times['DuckDB']:.2f} (bound 3);", end=" ")
    print(f"an empty python {times['python']:.0f}")


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="1")
    parser.add_argument("--queries", default=",".join(data.QUERIES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("tpch", "small", "processes", "put"))
    options = parser.parse_args(arguments)
    print(machine())
    if options.only in (None, "tpch"):
        queries = tuple(options.queries.split(","))
        tpch(options.scale, queries, options.threads, options.rounds)
    if options.only in (None, "small"):
        small(options.threads)
    if options.only in (None, "processes"):
        processes(options.rounds)
    if options.only in (None, "put"):
        print()
        memory.main(["--lineitem", options.scale])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
