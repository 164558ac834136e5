"""Stores on disk: what a put takes, and the peak memory of each TPC-H query in a new process.

The put is of all tables from Parquet, synchronised to disk, against DuckDB's CREATE TABLE AS into a
file with a checkpoint. Peaks are RssAnon, so mapped files do not count; DuckDB's own cache of its
file does, since it is memory of the process.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.bench import outside, tpch
from tests.bench.contest import Options, tell
from tests.bench.measure import QUIET_CORES, Others
from tests.bench.memory import MB, peak_of
from tests.bench.report import DUCKDB, EAU2, Run, Workload
from tests.tpch import data

SIDES = {EAU2: "eau2", DUCKDB: "duckdb"}
"""The sides' names in files. Each has a process that loads nothing of the other."""


def _child(side: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"tests.bench.child_{SIDES[side]}", *arguments]


def _put(side: str, target: Path, options: Options, wait: bool) -> dict[str, float]:
    """One put of all tables in a process of its own."""
    sources = [str(path) for path in tpch.paths(options.scale).values()]
    what = ["put", str(target), str(options.threads), str(int(wait))]
    others = Others()
    peak, output = peak_of(_child(side, *what, *sources))
    done: dict[str, float] = json.loads(output)
    size = _bytes(target)
    return done | {"peak": peak / MB, "disk": size / MB, "others": others.cores()}


def _bytes(target: Path) -> int:
    if target.is_dir():
        return sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    beside = target.parent.glob(target.name + "*")
    return sum(path.stat().st_size for path in beside)


def _remove(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    for path in target.parent.glob(target.name + "*"):
        path.unlink()


def put(options: Options, into: Run) -> Iterator[Workload]:
    """A put, interleaved with DuckDB's."""
    workload = Workload(f"put-{options.scale}", (EAU2, DUCKDB), unit="seconds or MB")
    found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory(dir=outside.folder()) as name:
        for _ in range(min(options.rounds, 3)):
            for side in SIDES:
                target = Path(name) / SIDES[side]
                found[side].append(_put(side, target, options, wait=True))
                _remove(target)
                tell(f"put into {side}")
    quiet = {side: _quiet(samples) for side, samples in found.items()}
    rows = {"put, s": "seconds", "on disk, MB": "disk", "peak memory, MB": "peak"}
    for words, key in rows.items():
        workload.medians[words] = {side: _median(quiet[side], key) for side in SIDES}
    figures: dict[str, float | None] = {"put": workload.ratios()["put, s"]}
    if all("all_seconds" in sample for sample in quiet[EAU2]):
        seconds = _median(quiet[EAU2], "all_seconds")
        count, size = (_median(quiet[EAU2], key) for key in ("artefacts", "artefact_bytes"))
        workload.notes.append(
            f"with its {count:.0f} artefacts ({size / MB:.0f} MB) {seconds:.2f} s at most"
        )
        figures["put-artefacts"] = seconds / workload.medians["put, s"][DUCKDB]
    else:
        workload.notes.append("this eau2 does not tell of artefacts")
    workload.notes.append(f"{len(found[EAU2])} rounds")
    into.add(workload, figures if options.scale == "1" else {})
    yield workload


def _quiet(samples: list[dict[str, float]]) -> list[dict[str, float]]:
    """The samples that others did not disturb; all, where they disturbed every one."""
    return [s for s in samples if s["others"] <= QUIET_CORES] or samples


def _median(samples: list[dict[str, float]], key: str) -> float:
    return statistics.median(sample[key] for sample in samples)


def memory(options: Options, into: Run) -> Iterator[Workload]:
    """The peak of each query."""
    workload = Workload(f"memory-{options.scale}", (EAU2, DUCKDB), unit="MB of peak RssAnon")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=outside.folder())))
        stores = {side: folder / SIDES[side] for side in SIDES}
        for side, store in stores.items():
            _put(side, store, options, wait=True)
        for query in options.queries or data.QUERIES:
            workload.medians[query] = _peaks(stores, data.text(query), options.threads)
            tell(f"memory of {query}")
    workload.notes.append("each in a new process over a store on disk")
    highest = {side: max(found[side] for found in workload.medians.values()) for side in SIDES}
    workload.notes.append(f"highest: {', '.join(f'{s} {mb:.0f} MB' for s, mb in highest.items())}")
    into.add(workload, {f"memory-{options.scale}-highest-mb": highest[EAU2]})
    yield workload


def _peaks(stores: Mapping[str, Path], sql: str, threads: int) -> dict[str, float]:
    return {
        side: peak_of(_child(side, "query", str(store), str(threads), sql))[0] / MB
        for side, store in stores.items()
    }
