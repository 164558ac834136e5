"""docs/benchmarks.md from a run's file: `python -m tests.bench document FILE`.

Owns: the generated part of the page, and its picture, drawn by eau2's own charts. The text above
the mark is written by hand.
"""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from eau2.chart import svg
from tests.bench import goals
from tests.bench.report import Run, read
from tests.processes import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
PICTURE = ROOT / "docs" / "images" / "benchmarks.svg"
MARK = "<!-- generated -->\n"
DRAWN = "tpch-1"
"""The workload of the picture."""

_PART = re.compile(re.escape(MARK) + ".*", re.DOTALL)


def text(run: Run) -> str:
    """The generated part: the goals, then each workload."""
    parts = [
        f"Measured on {run.date}, {run.threads} threads, {run.rounds} rounds:",
        f"```text\n{run.machine}\n```",
        goals.table(run),
    ]
    for name, workload in run.workloads.items():
        parts.append(f"## {name}\n\n```text\n{workload.text()}\n```")
    return "\n\n".join(parts) + "\n"


def picture(run: Run) -> str:
    """eau2's time of each query as a share of DuckDB's, as put and clustered, as bars."""
    put = run.workloads[DRAWN].ratios()
    shares = {"as put": list(put.values())}
    if f"{DRAWN}-clustered" in run.workloads:
        clustered = run.workloads[f"{DRAWN}-clustered"].ratios()
        shares["clustered"] = [clustered.get(query, 0.0) for query in put]
    return svg(pa.table({"query": list(put), **shares}), "bar", x="query", y=list(shares))


def main(arguments: list[str]) -> int:
    """The command."""
    run = read(Path(arguments[0]))
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_PART.sub(lambda _: MARK + "\n" + text(run), page), encoding="utf-8")
    if DRAWN in run.workloads:
        PICTURE.write_text(picture(run), encoding="utf-8")
    return 0
