"""docs/benchmarks.md from the runs that are kept here: `python -m tests.bench document`.

Owns: the generated part of the page, and its picture, drawn by eau2's own charts. The text above
the mark is written by hand. Kept are baseline.json, and ladder-*.json of runs with --off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from eau2.chart import svg
from tests.bench import goals, ladder
from tests.bench.report import Run, read
from tests.processes import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
PICTURE = ROOT / "docs" / "images" / "benchmarks.svg"
KEPT = Path(__file__).with_name("baseline.json")
FUNCTIONS = KEPT.with_name("functions.json")
MARK = "<!-- generated -->\n"
DRAWN = "tpch-1"
"""The workload of the picture."""

_PART = re.compile(re.escape(MARK) + ".*", re.DOTALL)


def rungs() -> list[Run]:
    """The kept runs with rules left out."""
    return [read(path) for path in sorted(KEPT.parent.glob("ladder-*.json"))]


def text(run: Run, off: Sequence[Run] = ()) -> str:
    """The generated part: the goals, the ladder of runs with rules left out, each workload."""
    parts = [
        f"Measured on {run.date}, {run.threads} threads, {run.rounds} rounds:",
        f"```text\n{run.machine}\n```",
        goals.table(run),
    ]
    if off:
        parts.append(f"## Ladder\n\n{ladder.table([*off, run])}")
    for name, workload in run.workloads.items():
        parts.append(f"## {name}\n\n```text\n{workload.text()}\n```")
    return "\n\n".join(parts) + "\n"


def generated() -> str:
    """All that is generated, of the runs that are kept."""
    made = text(read(KEPT), rungs())
    if FUNCTIONS.exists():
        made += "\n" + of_functions(json.loads(FUNCTIONS.read_text(encoding="utf-8")))
    return made


def of_functions(kept: dict[str, Any]) -> str:
    """What each side takes for functions in Python, in seconds and as a multiple of eau2's."""
    tasks: dict[str, dict[str, float | str]] = kept["tasks"]
    sides = list(dict.fromkeys(side for found in tasks.values() for side in found))
    lines = [
        f"## Functions in Python, {kept['rows']:,} rows",
        "Seconds, and how many times as long as the compiled function "
        "(`python -m tests.bench.functions`).",
        f"```text\n{kept['machine']}\n```",
        "\n".join(
            [
                "| | " + " | ".join(tasks) + " |",
                "|---" * (len(tasks) + 1) + "|",
                *(
                    f"| {side} | "
                    + " | ".join(
                        _cell(found.get(side), found["eau2 function"]) for found in tasks.values()
                    )
                    + " |"
                    for side in sides
                ),
            ]
        ),
    ]
    return "\n\n".join(lines) + "\n"


def _cell(seconds: float | str | None, base: float | str) -> str:
    if not isinstance(seconds, float) or not isinstance(base, float):
        return str(seconds or "")
    return f"{seconds:.3f} s ({seconds / base:.2f})"


def picture(run: Run) -> str:
    """eau2's time of each query as a share of DuckDB's, as put and clustered, as bars."""
    put = run.workloads[DRAWN].ratios()
    shares = {"as put": [round(ratio, 2) for ratio in put.values()]}
    if f"{DRAWN}-clustered" in run.workloads:
        clustered = run.workloads[f"{DRAWN}-clustered"].ratios()
        shares["clustered"] = [round(clustered.get(query, 0.0), 2) for query in put]
    return svg(pa.table({"of": list(put), **shares}), "bar", x="of", y=list(shares))


def main(arguments: list[str]) -> int:
    """The command. Has no arguments."""
    run = read(KEPT)
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_PART.sub(lambda _: MARK + "\n" + generated(), page), encoding="utf-8")
    if DRAWN in run.workloads:
        PICTURE.write_text(picture(run), encoding="utf-8")
    return 0
