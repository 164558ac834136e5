"""What a run of the benchmarks found, as data: medians by workload, query and side.

Owns: `Workload`, `Run`, their form as JSON, ratios between sides. Does not know: how anything was
measured, which figures are aimed at (goals.py).
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

EAU2, DUCKDB = "eau2", "DuckDB"
ARROW = "DuckDB/Arrow"


@dataclass
class Workload:
    """Medians by query, then by side, in `unit`; a side that has no answer is not there.

    best: the least of the samples, which a busy machine changes less. sides: in the order in which
    they are shown. notes: what a reader has to know beside numbers.
    """

    name: str
    sides: tuple[str, ...]
    unit: str = "ms"
    medians: dict[str, dict[str, float]] = field(default_factory=dict)
    best: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def take(self, query: str, samples: Mapping[str, Sequence[float]]) -> None:
        """The samples of a query by side."""
        self.medians[query] = {side: statistics.median(taken) for side, taken in samples.items()}
        self.best[query] = {side: min(taken) for side, taken in samples.items()}

    def quickest(self) -> Workload:
        """The same with the best of the samples in place of their medians."""
        return replace(self, medians=self.best)

    def ratios(self, side: str = EAU2, base: str = DUCKDB) -> dict[str, float]:
        """The side's figure to the base's, of each query that both answer."""
        return {
            query: found[side] / found[base]
            for query, found in self.medians.items()
            if side in found and base in found and found[base] > 0
        }

    def ratio(self, side: str = EAU2, base: str = DUCKDB) -> float | None:
        """The side's sum to the base's, over the queries that both answer."""
        both = [self.medians[query] for query in self.ratios(side, base)]
        return sum(f[side] for f in both) / sum(f[base] for f in both) if both else None

    def mean(self, side: str = EAU2, base: str = DUCKDB) -> float | None:
        """The geometric mean of the ratios; None if there is none."""
        logs = [math.log(ratio) for ratio in self.ratios(side, base).values() if ratio > 0]
        return math.exp(sum(logs) / len(logs)) if logs else None

    def text(self) -> str:
        """The medians as a table, sums below them, then the notes."""
        wide = max(len(query) for query in ("sum of best", *self.medians))
        columns = [max(9, len(side)) for side in self.sides]
        base = self.sides.index(DUCKDB) if DUCKDB in self.sides else None
        heads = [f"{side:>{size}}" for side, size in zip(self.sides, columns, strict=True)]
        lines = [f"{self.name}, medians, {self.unit}", " ".join([" " * wide, *heads, "  ratio"])]
        for query, found in self.medians.items():
            cells = [
                f"{found[side]:{size}.1f}" if side in found else f"{'-':>{size}}"
                for side, size in zip(self.sides, columns, strict=True)
            ]
            ratio = self.ratios().get(query)
            lines.append(" ".join([f"{query:{wide}}", *cells, shown(ratio, 7)]))
        if base is not None and self.unit == "ms" and len(self.medians) > 1:
            rows = [("sum", self.ratio), ("geometric", self.mean)]
            rows += [("sum of best", self.quickest().ratio)] if self.best else []
            for words, of in rows:
                cells = [shown(of(s), n) for s, n in zip(self.sides, columns, strict=True)]
                lines.append(
                    " ".join([f"{words:{wide}}", *cells, "  of DuckDB, where both answer"])
                )
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


@dataclass
class Run:
    """One run of the command. figures: by the names of goals.py. off: rules left out."""

    machine: str = ""
    date: str = ""
    threads: int = 0
    rounds: int = 0
    off: tuple[str, ...] = ()
    workloads: dict[str, Workload] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)

    def add(self, workload: Workload, figures: Mapping[str, float | None]) -> None:
        """One workload's medians and the figures that follow from them."""
        self.workloads[workload.name] = workload
        self.figures |= {name: value for name, value in figures.items() if value is not None}


def shown(value: float | None, width: int) -> str:
    """A ratio in so many letters."""
    return f"{'-':>{width}}" if value is None else f"{value:{width}.2f}"


def write(run: Run, path: Path) -> None:
    """The run as JSON, with figures to four digits."""
    rounded = json.loads(
        json.dumps(asdict(run)), parse_float=lambda text: float(f"{float(text):.4g}")
    )
    path.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> Run:
    """The run that a file holds."""
    found = json.loads(path.read_text(encoding="utf-8"))
    workloads = {
        name: Workload(**(workload | {"sides": tuple(workload["sides"])}))
        for name, workload in found.pop("workloads").items()
    }
    return Run(**(found | {"off": tuple(found["off"]), "workloads": workloads}))
