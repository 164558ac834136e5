"""Several nodes beside one process: `python -m tests.bench.cluster [--scale 1] [--rounds 5]`.

`run` is what `python -m tests.bench` has of it: three nodes of one thread each beside DuckDB.

TPC-H through three node processes of one thread each, through two of them, and embedded with two
threads over a store on disk; interleaved in one run, medians. Then a small grouped query repeated
over TCP, and `eau2 query --connect` as a whole process beside DuckDB as one. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

import eau2
from eau2.connection import Connection
from tests.bench.contest import Contest, Options, loaded
from tests.bench.measure import interleaved, machine, milliseconds
from tests.bench.report import DUCKDB, EAU2, Run, Workload
from tests.bench.sides import DuckDb, Paths, Side
from tests.bench.tpch import agreed, paths
from tests.cluster.nodes import processes
from tests.processes import environment
from tests.tpch import data

Sides = dict[str, Connection]
SMALL = "SELECT g, sum(v) AS total, count(*) AS n FROM small WHERE v > 0 GROUP BY g ORDER BY g"


class Nodes:
    """A store over three node processes of one thread each, as a side."""

    def __init__(self, stack: ExitStack, off: tuple[str, ...]) -> None:
        running = stack.enter_context(processes(3, threads=1))
        self.connection = eau2.connect(running.urls[0])
        for rule in off:
            self.connection.execute(f"SET optimizer.{rule} = off")
        self._number = 0

    def load(self, paths: Paths) -> None:
        for name, path in paths.items():
            self.connection.put(name, path)

    def run(self, sql: str) -> pa.Table:
        # The plan is kept at a node, under the text: another text is planned anew.
        self._number += 1
        return self.connection.sql(f"{sql}\n-- {self._number}").to_arrow()

    answer = run

    def close(self) -> None:
        self.connection.close()


def run(options: Options, into: Run) -> Iterator[Workload]:
    """TPC-H on three nodes of one thread each and on DuckDB with all threads."""
    with ExitStack() as stack:
        notes = [f"three node processes of one thread, DuckDB with {options.threads} threads"]
        sides: dict[str, Callable[[], Side]] = {
            EAU2: lambda: Nodes(stack, options.off),
            DUCKDB: lambda: DuckDb(options.threads),
        }
        ready = loaded(stack, sides, paths(options.scale), notes)
        queries = {q: data.text(q) for q in options.queries or data.QUERIES}
        workload = Contest(f"nodes-{options.scale}", ready, agreed, notes).run(
            queries, options.rounds
        )
    into.add(workload, {"nodes": workload.ratio()} if options.scale == "1" else {})
    yield workload


def fill(sides: Sides, scale: str) -> None:
    """Put the tables on every side."""
    table = pa.table({"g": [i % 10 for i in range(1000)], "v": [float(i) for i in range(1000)]})
    for side, connection in sides.items():
        started = time.perf_counter()
        for name in data.TABLES:
            connection.put(name, data.path(scale, name))
        connection.put("small", table)
        print(f"put on {side}: {time.perf_counter() - started:.1f} s")


def tpch(sides: Sides, queries: tuple[str, ...], rounds: int) -> None:
    """The queries on every side. Plans are kept on all of them after the first round."""
    print(f"\nTPC-H, median of {rounds}, ms\n{'':6}" + "".join(f"{side:>12}" for side in sides))
    sums = dict.fromkeys(sides, 0.0)
    for query in queries:
        sql = data.text(query)
        calls: dict[str, Callable[[], object]] = {
            side: lambda connection=connection, sql=sql: connection.sql(sql).to_arrow()  # type: ignore[misc]
            for side, connection in sides.items()
        }
        times = interleaved(calls, rounds)
        medians = {side: statistics.median(taken) for side, taken in times.items()}
        print(f"{query:6}" + "".join(f"{medians[side]:12.1f}" for side in sides))
        for side in sides:
            sums[side] += medians[side]
    print(f"{'sum':6}" + "".join(f"{sums[side]:12.1f}" for side in sides))
    embedded = sums["embedded"]
    for side, bound in (("3 nodes", 1.4), ("2 nodes", 1.3)):
        if side in sides:
            print(f"{side} to embedded: {sums[side] / embedded:.2f} (bound {bound})")


def small(sides: Sides) -> None:
    """A grouped query on 1,000 rows, repeated."""
    calls: dict[str, Callable[[], object]] = {
        side: lambda connection=connection: connection.sql(SMALL).to_arrow()  # type: ignore[misc]
        for side, connection in sides.items()
    }
    times = interleaved(calls, 200)
    print("\nA grouped query on 1,000 rows, repeated, ms (bound 2)")
    for side, taken in times.items():
        print(f"  {side}: {statistics.median(taken):.2f}")


def whole(url: str, rounds: int) -> None:
    """`eau2 query --connect` as a process."""
    variables = environment()
    query = [sys.executable, "-m", "eau2", "query", "--connect", url, SMALL]
    duck = "import duckdb; duckdb.sql('SELECT 1').show()"
    commands = {
        "eau2": query,
        "DuckDB": [sys.executable, "-c", duck],
        "python": [sys.executable, "-c", "pass"],
    }
    calls: dict[str, Callable[[], object]] = {
        name: lambda command=command: subprocess.run(  # type: ignore[misc]
            command, check=True, capture_output=True, env=variables
        )
        for name, command in commands.items()
    }
    times = {name: statistics.median(taken) for name, taken in interleaved(calls, rounds).items()}
    print(f"\nA whole process, ms: eau2 query --connect {times['eau2']:.0f},", end=" ")
    print(f"python -c 'import duckdb; ...' {times['DuckDB']:.0f},", end=" ")
    print(f"ratio {times['eau2'] / times['DuckDB']:.2f} (bound 0.33);", end=" ")
    print(f"an empty python {times['python']:.0f}")


def bulk(sides: Sides) -> None:
    """A whole frame read in batches."""
    print("\nReading lineitem as Arrow batches")
    for side, connection in sides.items():
        sizes: list[int] = []

        def read(connection: Connection = connection, sizes: list[int] = sizes) -> None:
            with connection.stream("SELECT * FROM lineitem") as reader:
                sizes.append(sum(batch.nbytes for batch in reader))

        taken = milliseconds(read)
        print(f"  {side}: {taken:.0f} ms, {sizes[0] / taken / 1000:.0f} MB/s")


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="1")
    parser.add_argument("--queries", default=",".join(data.QUERIES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--nodes", default="3,2", help="numbers of nodes, separated by commas")
    parser.add_argument("--chunk-rows", type=int, help="rows of a chunk on the nodes")
    options = parser.parse_args(arguments)
    print(machine())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sides: Sides = {"embedded": eau2.connect(folder / "store", threads=2)}
        urls = {}
        for count in options.nodes.split(","):
            running = stack.enter_context(processes(int(count), threads=1))
            urls[f"{count} nodes"] = running.urls[0]
            side = sides[f"{count} nodes"] = eau2.connect(running.urls[0])
            if options.chunk_rows is not None:
                side.execute(f"SET chunk_rows = {options.chunk_rows}")
        for connection in sides.values():
            stack.callback(connection.close)
        fill(sides, options.scale)
        tpch(sides, tuple(options.queries.split(",")), options.rounds)
        small(sides)
        bulk(sides)
        whole(next(iter(urls.values())), 20)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
