"""Stores on disk: what a put takes, and the peak memory of TPC-H queries: of each, and of all.

The put is of all tables from Parquet, synchronised to disk, against DuckDB's CREATE TABLE AS into a
file with a checkpoint. Peaks are RssAnon, so mapped files do not count; DuckDB's own cache of its
file does, since it is memory of the process. Each query has a process of its own; then all run in
one, so often that whatever is made of them is there, and what is kept for each table is told.
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


UNIT = "MB of peak RssAnon"
KEPT = "kept in all"
ROUNDS = 3
"""What is asked for a second time is made then, and used by the third."""


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
    """The peak of each query, then of all of them in one process, with what is kept for them."""
    workload = Workload(f"memory-{options.scale}", (EAU2, DUCKDB), unit=UNIT)
    queries = {query: data.text(query) for query in options.queries or data.QUERIES}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=outside.folder())))
        stores = {side: folder / SIDES[side] for side in SIDES}
        for side, store in stores.items():
            _put(side, store, options, wait=True)
        for query, sql in queries.items():
            workload.medians[query] = _peaks(stores, sql, options.threads)
            tell(f"memory of {query}")
        workload.notes.append("each in a new process over a store on disk")
        highest = {side: max(found[side] for found in workload.medians.values()) for side in SIDES}
        words = ", ".join(f"{side} {mb:.0f} MB" for side, mb in highest.items())
        workload.notes.append(f"highest: {words}")
        into.add(workload, {f"memory-{options.scale}-highest-mb": highest[EAU2]})
        yield workload
        together = _together(stores, list(queries.values()), options)
        into.add(together, {f"{together.name}-mb": together.medians[KEPT].get(EAU2, 0.0)})
        yield together


def _peaks(stores: Mapping[str, Path], sql: str, threads: int) -> dict[str, float]:
    return {
        side: peak_of(_child(side, "query", str(store), str(threads), sql))[0] / MB
        for side, store in stores.items()
    }


def _together(stores: Mapping[str, Path], texts: list[str], options: Options) -> Workload:
    """All queries in one process. DuckDB is not known to keep anything, and has no such figures."""
    workload = Workload(f"artefacts-{options.scale}", (EAU2, DUCKDB), unit="MB")
    peaks: dict[str, float] = {}
    kept: dict[str, float] = {}
    for side, store in stores.items():
        what = ["queries", str(store), str(options.threads), str(ROUNDS), *texts]
        peak, output = peak_of(_child(side, *what))
        peaks[side] = peak / MB
        tables: dict[str, int] = json.loads(output).get("tables", {})
        kept |= {name: size / MB for name, size in tables.items() if size}
    workload.medians["all queries, peak"] = peaks
    for name, size in sorted(kept.items(), key=lambda pair: -pair[1]):
        workload.medians[f"kept for {name}"] = {EAU2: size}
    workload.medians[KEPT] = {EAU2: sum(kept.values())}
    workload.notes.append(f"{len(texts)} queries, {ROUNDS} times each in one process")
    workload.notes.append("kept: row lists, and what joins leave to the next, as SHOW INDEXES says")
    return workload
