"""Two runs compared by their ratios to DuckDB: `python -m tests.bench compare OLD NEW`.

Milliseconds of two days or machines say little, ratios inside one run more. Worse is a ratio of
sums or geometric means beyond `TOLERANCE`, or a single query's beyond `QUERY_TOLERANCE` when it
takes more than `SHORT_MS`. Owns: `worse`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from tests.bench.report import EAU2, Run, Workload, read, shown

TOLERANCE = 1.15
QUERY_TOLERANCE = 1.6
SHORT_MS = 5.0
"""Below this, what other processes do shows more than what eau2 does."""


def worse(old: Run, new: Run, tolerance: float = TOLERANCE) -> Iterator[str]:
    """What became worse, in words; workloads that only one run has are not compared."""
    for name in old.workloads.keys() & new.workloads.keys():
        before, after = old.workloads[name], new.workloads[name]
        was, now = before.ratios(), after.ratios()
        common = was.keys() & now.keys()
        left, right = _of(before, common), _of(after, common)
        for words, a, b in (
            ("sum", left.ratio(), right.ratio()),
            ("mean", left.mean(), right.mean()),
        ):
            if after.unit == "ms" and a is not None and b is not None and b > a * tolerance:
                yield f"{name}, {words}: {a:.2f} became {b:.2f} of DuckDB"
        for query in sorted(was.keys() - now.keys()):
            if EAU2 not in after.medians.get(query, {}):
                yield f"{name}, {query}: has no answer any more"
        for query in sorted(common):
            long = after.unit != "ms" or after.medians[query][EAU2] > SHORT_MS
            if long and now[query] > was[query] * max(tolerance, QUERY_TOLERANCE):
                yield f"{name}, {query}: {was[query]:.2f} became {now[query]:.2f} of DuckDB"


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
        if new.workloads[name].unit == "ms":
            print(f"{name:24} {shown(was, 6)} -> {shown(now, 6)} of DuckDB")
    found = list(worse(old, new, options.tolerance))
    for words in found:
        print(f"worse: {words}")
    return 1 if found else 0
