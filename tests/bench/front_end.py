"""What planning takes: `python -m tests.bench.front_end [--scale 1] [--rounds 5]`.

Parse, bind, optimise, cut and encode for each TPC-H query and for one of 300 lines, in milliseconds
of processor time, medians; then single statements that are large. With `--rules` each rule's share.
Nothing runs, so only statistics matter: those of the scale's tables, which are registered once.

Then the whole front end, by the clock: each TPC-H query from its text to an Arrow table, over
tables of a few rows, so that what is left is what eau2 does around its kernels. No plan and no
parse is kept: a comment makes every text one that was never asked.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from eau2.catalog import Catalog
from eau2.embedded import EmbeddedBackend
from eau2.net.codec import encode_fragment
from eau2.planner.optimizer import RULES, optimize
from eau2.planner.physical import plan as cut
from eau2.sql import ast
from eau2.sql.binder import bind
from eau2.sql.parser import parse_one
from tests.bench import long_query
from tests.limits.extremes import listed
from tests.tpch import data

PHASES = ("parse", "bind", "optimise", "cut", "encode")
NOW = datetime(2026, 1, 1)
WHOLE_MS = 5.0
"""The bound of the mean of the whole front end."""
WHOLE_ROWS = 50
"""Of each table, for the whole front end."""
REPEATS = 5
"""Of each phase between two looks at the clock, which may take half a millisecond itself."""

T = TypeVar("T")


def timed(times: dict[str, float], name: str, call: Callable[[], T]) -> T:
    """What the call gives; its milliseconds under the name."""
    started = time.process_time()
    for _ in range(REPEATS - 1):
        call()
    result = call()
    times[name] = (time.process_time() - started) * 1000 / REPEATS
    return result


def once(text: str, catalog: Catalog, rules: bool = False) -> dict[str, float]:
    """Milliseconds of each phase, and with `rules` of each rule under its name."""
    times: dict[str, float] = {}
    query = timed(times, "parse", lambda: parse_one(text))
    assert isinstance(query, ast.Query)
    bound = timed(times, "bind", lambda: bind(query, catalog, None, NOW))
    plan = timed(times, "optimise", lambda: optimize(bound.plan))
    stages = timed(times, "cut", lambda: cut(plan, bound.names)).stages
    timed(times, "encode", lambda: [encode_fragment(stage.root) for stage in stages])
    if rules:
        plan = bound.plan
        for rule in RULES:
            plan = timed(times, rule.name, partial(rule.apply, plan))
    return times


def medians(text: str, catalog: Catalog, rounds: int, rules: bool = False) -> dict[str, float]:
    """The median of each phase and rule, after one round that does not count."""
    found = [once(text, catalog, rules) for _ in range(rounds + 1)][1:]
    return {name: statistics.median(times[name] for times in found) for name in found[0]}


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="1")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rules", action="store_true")
    options = parser.parse_args(arguments)
    backend = EmbeddedBackend(None, None, None)
    catalog = backend.frames
    for name in data.TABLES:
        table = data.table(options.scale, name)
        backend.register(name, table.schema, iter(table.to_batches()))
    texts = {query: data.text(query) for query in data.QUERIES}
    long = long_query.text()
    print(f"{'':24}" + "".join(f"{phase:>10}" for phase in PHASES) + f"{'ms':>10}")
    rows = {q: medians(t, catalog, options.rounds, options.rules) for q, t in texts.items()}
    for query, times in rows.items():
        show(query, times)
    mean = {p: statistics.mean(times[p] for times in rows.values()) for p in PHASES}
    show("mean", mean)
    show("largest", max(rows.values(), key=total))
    longest = medians(long, catalog, max(3, options.rounds // 3), options.rules)
    show(f"{len(long.splitlines())} lines", longest)
    if options.rules:
        for rule in RULES:
            share = statistics.mean(times[rule.name] for times in rows.values())
            print(f"  {rule.name:22}{share:10.2f}{longest[rule.name]:10.2f}")
    for name, text in large().items():
        show(name, medians(text, catalog, 1))
    repeated(backend)
    backend.close()
    whole(options.scale, texts, options.rounds)


def large() -> dict[str, str]:
    """Statements whose size is in one place."""
    numbers = listed("{i}", 50_000)
    branches = listed("WHEN o_custkey = {i} THEN {i}", 1000, " ")
    return {
        "IN of 50,000": f"SELECT count(*) FROM orders WHERE o_orderkey IN ({numbers})",
        "VALUES of 50,000 rows": f"VALUES {listed('({i}, {i})', 50_000)}",
        "1,000 AND": f"SELECT 1 FROM orders WHERE {listed('o_orderkey <> {i}', 1000, ' AND ')}",
        "1,000 WHEN": f"SELECT CASE {branches} END FROM orders",
    }


def whole(scale: str, texts: dict[str, str], rounds: int) -> None:
    """The whole front end: the mean over all queries of each one's median, and of its best."""
    backend = EmbeddedBackend(None, None, None)
    for name in data.TABLES:
        table = data.table(scale, name).slice(0, WHOLE_ROWS)
        backend.register(name, table.schema, iter(table.to_batches()))
    times: dict[str, list[float]] = {query: [] for query in texts}
    for number in range(4 * rounds + 1):
        for query, text in texts.items():
            started = time.perf_counter()
            backend.run(f"{text}\n-- {number}", None, None).to_arrow()
            if number:
                times[query].append((time.perf_counter() - started) * 1000)
    backend.close()
    mean = statistics.mean(map(statistics.median, times.values()))
    best = statistics.mean(map(min, times.values()))
    largest = max(times, key=lambda query: statistics.median(times[query]))
    print(
        f"{'whole front end, ms':24}mean {mean:.2f} (bound {WHOLE_MS:.0f}), best {best:.2f};",
        end="",
    )
    print(f" {largest} takes most: {statistics.median(times[largest]):.2f}")


def repeated(backend: EmbeddedBackend) -> None:
    """What a statement takes that comes again: its plan is kept, so that it is only run."""
    calls = []
    for _ in range(51):
        started = time.process_time()
        backend.run("SELECT 1", None, None)
        calls.append((time.process_time() - started) * 1000)
    print(f"{'SELECT 1, first':24}{'':50}{calls[0]:10.2f}")
    print(f"{'again':24}{'':50}{statistics.median(calls[1:]):10.2f}")


def total(times: dict[str, float]) -> float:
    """All phases together."""
    return sum(times[phase] for phase in PHASES)


def show(name: str, times: dict[str, float]) -> None:
    """One line of the table."""
    print(f"{name:24}" + "".join(f"{times[p]:10.2f}" for p in PHASES) + f"{total(times):10.2f}")


if __name__ == "__main__":
    main()
