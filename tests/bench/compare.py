"""Two runs compared by their ratios to DuckDB: `python -m tests.bench compare OLD NEW`.

Milliseconds of two days or machines say little, ratios inside one run more. Worse is a ratio of
sums or geometric means beyond `TOLERANCE`, or a single query's beyond `QUERY_TOLERANCE` when it
takes more than `SHORT_MS`. Owns: `worse`, the ladder of runs with rules left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from tests.bench.report import CLUSTERED, DUCKDB, DUCKDB_CLUSTERED, EAU2, Run, Workload, read, shown

TOLERANCE = 1.15
QUERY_TOLERANCE = 1.6
SHORT_MS = 5.0
"""Below this, what other processes do shows more than what eau2 does."""


def worse(old: Run, new: Run, tolerance: float = TOLERANCE) -> Iterator[str]:
    """What became worse, in words; workloads that only one run has are not compared."""
    for name in old.workloads.keys() & new.workloads.keys():
        before, after = old.workloads[name], new.workloads[name]
        for side, base in ((EAU2, DUCKDB), (CLUSTERED, DUCKDB_CLUSTERED)):
            common = before.ratios(side, base).keys() & after.ratios(side, base).keys()
            pairs = (
                (
                    "sum",
                    _of(before, common).ratio(side, base),
                    _of(after, common).ratio(side, base),
                ),
                ("mean", _of(before, common).mean(side, base), _of(after, common).mean(side, base)),
            )
            for words, was, now in pairs:
                if was is not None and now is not None and now > was * tolerance:
                    yield f"{name}, {side}, {words}: {was:.2f} became {now:.2f} of {base}"
            for query in sorted(before.ratios(side, base).keys() - after.ratios(side, base).keys()):
                if query not in after.medians or side not in after.medians[query]:
                    yield f"{name}, {side}, {query}: has no answer any more"
            for query in sorted(common):
                was, now = before.ratios(side, base)[query], after.ratios(side, base)[query]
                long = after.unit != "ms" or after.medians[query][side] > SHORT_MS
                if long and now > was * max(tolerance, QUERY_TOLERANCE):
                    yield f"{name}, {side}, {query}: {was:.2f} became {now:.2f} of {base}"


def _of(workload: Workload, queries: set[str]) -> Workload:
    medians = {q: found for q, found in workload.medians.items() if q in queries}
    return Workload(workload.name, workload.sides, workload.unit, medians)


def main(arguments: list[str]) -> int:
    """The command. Exit code 1 when something became worse."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench compare", description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    options = parser.parse_args(arguments)
    old, new = read(options.old), read(options.new)
    for name in sorted(old.workloads.keys() & new.workloads.keys()):
        was, now = old.workloads[name].ratio(), new.workloads[name].ratio()
        print(f"{name:24} {shown(was, 6)} -> {shown(now, 6)} of DuckDB")
    found = list(worse(old, new, options.tolerance))
    for words in found:
        print(f"worse: {words}")
    return 1 if found else 0


def ladder(arguments: list[str]) -> int:
    """The command that prints what each run's rules bring, one line for each file."""
    print("| rules left out | workload | eau2, ms | DuckDB, ms | ratio | geometric mean |")
    print("|---|---|---|---|---|---|")
    for file in arguments:
        run = read(Path(file))
        for workload in run.workloads.values():
            if workload.unit == "ms" and workload.ratio() is not None:
                both = [workload.medians[query] for query in workload.ratios()]
                ours, duck = (sum(found[side] for found in both) for side in (EAU2, DUCKDB))
                print(
                    f"| {', '.join(run.off) or 'none'} | {workload.name} | {ours:.0f} | {duck:.0f} "
                    f"| {shown(workload.ratio(), 4)} | {shown(workload.mean(), 4)} |"
                )
    return 0
