"""Every benchmark: `python -m tests.bench [--only tpch,h2o] [--rounds 5] [--json FILE]`.

Prints each workload's medians and at the end the figures beside what is aimed at. Sides are
interleaved in one run, with the same number of threads. Exit code 1 when eau2 gave another answer
than DuckDB.

`python -m tests.bench compare OLD NEW`: exit code 1 when the ratios to DuckDB of NEW are worse.
`python -m tests.bench ladder FILE ...`: what each run's rules bring, from runs with --off.
`python -m tests.bench document`: docs/benchmarks.md and its picture from the kept runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa

from tests.bench import clickbench, cluster, compare, disk, document, goals, h2o, ladder, tiny, tpch
from tests.bench.contest import WRONG, Options
from tests.bench.measure import machine
from tests.bench.report import EAU2, Run, Workload, read, write

WORKLOADS: dict[str, Callable[[Options, Run], Iterator[Workload]]] = {
    "tpch": tpch.run,
    "others": tpch.others,
    "h2o": h2o.run,
    "clickbench": clickbench.run,
    "tiny": tiny.run,
    "put": disk.put,
    "memory": disk.memory,
    "nodes": cluster.run,
}

SHORT = Options(rounds=1, scale="0.01", h2o_rows=20_000, hits_rows=20_000)
"""What a test run has seconds for."""

COMMANDS = {
    "compare": compare.main,
    "document": document.main,
    "ladder": ladder.main,
}


def words(text: str) -> tuple[str, ...]:
    """What is separated by commas."""
    return tuple(word for word in text.split(",") if word)


def options_of(arguments: list[str]) -> tuple[argparse.Namespace, Options]:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    usual = Options()
    parser.add_argument("--only", type=words, default=tuple(WORKLOADS), metavar="WORKLOAD,...")
    parser.add_argument("--scale", default=usual.scale, help="TPC-H's; 1,10 runs tpch with both")
    parser.add_argument("--rounds", type=int, default=usual.rounds)
    parser.add_argument("--threads", type=int, default=usual.threads)
    parser.add_argument("--h2o-rows", type=int, default=usual.h2o_rows)
    parser.add_argument("--hits-rows", type=int, default=usual.hits_rows)
    parser.add_argument("--queries", type=words, help="of TPC-H: q01,q06")
    parser.add_argument("--sides", type=words, help="beside eau2 and DuckDB: Polars,pyspark")
    parser.add_argument("--off", type=words, default=(), help="rules: SET optimizer.<rule> = off")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the run there")
    parser.add_argument("--add", action="store_true", help="to what FILE has of other workloads")
    parser.add_argument("--short", action="store_true", help="all at a tiny scale, to see it run")
    asked = parser.parse_args(arguments)
    unknown = set(asked.only) - set(WORKLOADS)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}: {', '.join(WORKLOADS)}")
    chosen = {name: getattr(asked, name) for name in ("threads", "queries", "sides", "off")}
    if asked.short:
        return asked, replace(SHORT, **chosen)
    more = {name: getattr(asked, name) for name in ("rounds", "h2o_rows", "hits_rows")}
    return asked, replace(usual, scale=asked.scale, **chosen, **more)


def run(only: tuple[str, ...], options: Options, into: Run) -> Iterator[Workload]:
    """The workloads one after the other; of several scales, all but tpch have the first."""
    scales = options.scale.split(",")
    for name in only:
        for scale in scales if name == "tpch" else scales[:1]:
            yield from WORKLOADS[name](replace(options, scale=scale), into)


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in COMMANDS:
        return COMMANDS[arguments[0]](arguments[1:])
    asked, options = options_of(arguments)
    os.environ.setdefault("POLARS_MAX_THREADS", str(options.threads))
    pa.set_cpu_count(options.threads)
    found = read(asked.json) if asked.add and asked.json.exists() else Run()
    found.machine, found.date = machine(), date.today().isoformat()
    found.threads, found.rounds, found.off = options.threads, options.rounds, options.off
    print(f"{found.machine}\n{options.threads} threads, {options.rounds} rounds\n")
    wrong = 0
    for workload in run(asked.only, options, found):
        print(workload.text(), end="\n\n", flush=True)
        wrong += sum(note.startswith(f"{WRONG}: {EAU2}") for note in workload.notes)
        if asked.json:
            write(found, asked.json)
    if asked.json:
        write(found, asked.json)
    print(goals.table(found))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
