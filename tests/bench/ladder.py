"""What each rule brings, from runs with rules left out: `python -m tests.bench ladder FILE ...`.

Comes in: files of runs, each made with another --off. Goes out: a Markdown table, one line for each
workload of each run, the run with most rules left out first.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.bench.report import DUCKDB, EAU2, Run, read, shown


def table(runs: Sequence[Run]) -> str:
    """The sums and ratios of the runs."""
    lines = [
        "| rules left out | workload | eau2, ms | DuckDB, ms | ratio | geometric mean |",
        "|---|---|---|---|---|---|",
    ]
    for run in sorted(runs, key=lambda run: -len(run.off)):
        for workload in run.workloads.values():
            if workload.unit != "ms" or workload.ratio() is None:
                continue
            both = [workload.medians[query] for query in workload.ratios()]
            ours, duck = (sum(found[side] for found in both) for side in (EAU2, DUCKDB))
            lines.append(
                f"| {', '.join(run.off) or 'none'} | {workload.name} | {ours:.0f} | {duck:.0f} "
                f"| {shown(workload.ratio(), 4)} | {shown(workload.mean(), 4)} |"
            )
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """The command."""
    print(table([read(Path(file)) for file in arguments]))
    return 0
