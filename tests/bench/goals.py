"""The figures that are aimed at, and the table of what was measured beside them.

Each is a ratio to DuckDB's own tables in the same run unless its words say otherwise: with the same
number of threads, planning included, no result kept, data in memory. Below them stand the peaks of
memory, of which none is aimed at.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.report import DUCKDB, EAU2, Run


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure's name, what it says, and what it should be at most."""

    name: str
    words: str
    most: float


GOALS = (
    Goal("tpch-1", "TPC-H SF1 as put, sum of 22 medians", 0.35),
    Goal("tpch-1-mean", "TPC-H SF1, geometric mean", 0.40),
    Goal("tpch-1-worst", "TPC-H SF1, worst query", 1.2),
    Goal("tpch-1-clustered", "TPC-H SF1 clustered, against DuckDB clustered alike", 0.35),
    Goal("tpch-10", "TPC-H SF10 as put", 0.40),
    Goal("h2o", "h2o.ai group-by and join (0.5 GB), sum", 0.70),
    Goal("tpch-1-q06", "TPC-H SF1, Q6", 0.35),
    Goal("tpch-1-q01", "TPC-H SF1, Q1", 0.30),
    Goal("tiny", "grouped query on 1,000 rows, repeated, embedded", 0.5),
    Goal("put", "put of SF1 from Parquet, fsync on, against CREATE TABLE AS into a file", 1.5),
    Goal("put-artefacts", "the same with all automatic artefacts", 2.5),
    Goal("nodes", "three node processes of one thread each, against DuckDB on two threads", 0.6),
    Goal("others", "TPC-H SF1 to the better of pyspark and daft, same cores", 0.15),
)


def table(run: Run) -> str:
    """The goals as a Markdown table with what the run measured."""
    lines = ["| work | goal | measured | |", "|---|---|---|---|"]
    for goal in GOALS:
        value = run.figures.get(goal.name)
        if value is None:
            lines.append(f"| {goal.words} | {goal.most:.2f} | not run | |")
            continue
        verdict = "reached" if value <= goal.most else f"{value / goal.most:.1f} times the goal"
        lines.append(f"| {goal.words} | {goal.most:.2f} | {value:.2f} | {verdict} |")
    memory = peaks(run)
    return "\n".join(lines) + (f"\n\n{memory}" if memory else "")


def peaks(run: Run) -> str:
    """Peak memory of each query and of all together, and what is kept, as a Markdown table."""
    lines = ["| memory, MB | eau2 | DuckDB |", "|---|---|---|"]
    for name, workload in run.workloads.items():
        if name.startswith(("memory-", "artefacts-")):
            scale = name.partition("-")[2]
            for query, found in workload.medians.items():
                cells = (f"{found[side]:.1f}" if side in found else "-" for side in (EAU2, DUCKDB))
                lines.append(f"| TPC-H SF{scale}, {query} | {' | '.join(cells)} |")
    return "\n".join(lines) if len(lines) > 2 else ""
