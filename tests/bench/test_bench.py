"""The benchmarks' short form: every workload runs, its numbers are sane, and answers are compared.

Engines of other environments stay out; `python -m tests.bench --short` has them too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

import eau2
import eau2.engine
from tests.bench import __main__ as command
from tests.bench import agree, artefacts, clickbench, compare, document, goals, hits, measure, tpch
from tests.bench.contest import WRONG, Contest
from tests.bench.report import ARROW, DUCKDB, EAU2, Run, Workload, read, write
from tests.bench.sides import DuckDb, Eau2, Side
from tests.tpch import data

THREADS = pl.thread_pool_size()

OPTIONS = replace(
    command.SHORT,
    threads=THREADS,
    sides=(ARROW, "Polars"),
    queries=("q06",),
    h2o_rows=2000,
    hits_rows=2000,
)


@pytest.fixture(autouse=True)
def made_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made for benchmarks is made in a folder of this test's."""
    monkeypatch.setenv("EAU2_BENCH", str(tmp_path / "bench"))


@pytest.mark.parametrize("name", [name for name in command.WORKLOADS if name != "others"])
def test_a_workload_gives_sane_numbers(name: str) -> None:
    found = Run()
    workloads = list(command.run((name,), OPTIONS, found))
    assert workloads
    for workload in workloads:
        assert [note for note in workload.notes if note.startswith((WRONG, EAU2))] == []
        for query, taken in workload.medians.items():
            kept = query.startswith("kept ")
            assert ({EAU2} if kept else {EAU2, DUCKDB}) <= taken.keys(), query
            assert all(kept or 0 < value < 100_000 for value in taken.values()), query
        assert workload.text()
    assert found.workloads.keys() == {workload.name for workload in workloads}


def test_queries_of_the_wide_table_are_all_there() -> None:
    assert len(clickbench.QUERIES) == 43
    groups = (hits.SMALL, hits.MIDDLE, hits.LARGE, hits.TEXTS, hits.TIMES)
    assert sum(len(group) for group in groups) + len(["EventDate"]) == 105


def test_planning_is_part_of_what_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for phase in ("parse", "bind", "optimize", "cut"):
        known = getattr(eau2.engine, phase)

        def watched(*given: object, phase: str = phase, known: object = known) -> object:
            calls.append(phase)
            assert callable(known)
            return known(*given)

        monkeypatch.setattr(eau2.engine, phase, watched)
    side = Eau2(THREADS)
    side.connection.put("t", pa.table({"a": [1, 2]}))
    side.run("SELECT sum(a) FROM t")
    first = list(calls)
    calls.clear()
    side.run("SELECT sum(a) FROM t")
    assert calls == first == ["parse", "bind", "optimize", "cut"]
    side.close()


def test_rules_are_left_out() -> None:
    side = Eau2(THREADS, off=("push_filters",))
    assert side.connection.sql("SHOW optimizer.push_filters").fetchall() == [("off",)]
    side.close()


def test_a_wrong_answer_has_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack:
        sides: dict[str, Side] = {EAU2: Eau2(THREADS), DUCKDB: DuckDb(THREADS)}
        for side in sides.values():
            stack.callback(side.close)
            side.load(tpch.paths("0.01"))
        monkeypatch.setattr(sides[EAU2], "answer", lambda sql: pa.table({"revenue": [1.0]}))
        queries = {"q06": data.text("q06")}
        workload = Contest("tpch-0.01", sides, tpch.agreed).run(queries, 1)
    assert workload.medians["q06"].keys() == {DUCKDB}
    assert workload.notes[0].startswith(f"{WRONG}: {EAU2} q06")


@pytest.mark.parametrize("rows", [3, agree.ROWS_MAX + 1])
def test_answers_agree_as_far_as_engines_do(rows: int) -> None:
    wanted = pa.table({"k": [f"k{i}" for i in range(rows)], "v": [i / 3 for i in range(rows)]})
    other = wanted.take(list(reversed(range(rows))))
    assert agree.disagreement(wanted, other) is None
    off = pa.table({"k": wanted["k"], "v": [(i + 0.01) / 3 for i in range(rows)]})
    assert agree.disagreement(wanted, off) is not None
    assert agree.disagreement(wanted, off, only=[0]) is None
    assert agree.disagreement(wanted, wanted.slice(1)) is not None


def _run(eau2_ms: float, duckdb_ms: float = 100.0) -> Run:
    found = Run(off=("fold_constants",))
    workload = Workload("tpch-1", (EAU2, DUCKDB))
    workload.medians = {f"q{n:02d}": {EAU2: eau2_ms, DUCKDB: duckdb_ms} for n in range(1, 23)}
    found.add(workload, {"tpch-1": workload.ratio(), "tpch-10": None})
    return found


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    write(_run(40.0), tmp_path / "run.json")
    assert read(tmp_path / "run.json") == _run(40.0)
    assert "| TPC-H SF1 as put, sum of 22 medians | 0.35 | 0.40 | 1.1 times the goal |" in (
        goals.table(_run(40.0)).splitlines()
    )


def test_peaks_of_memory_stand_below_the_goals() -> None:
    found = _run(40.0)
    assert goals.peaks(found) == ""
    queries = Workload("memory-1", (EAU2, DUCKDB))
    queries.medians = {"q01": {EAU2: 83.44, DUCKDB: 92.1}}
    kept = Workload("artefacts-1", (EAU2, DUCKDB))
    kept.medians = {"kept for orders": {EAU2: 6.0}}
    found.workloads |= {"memory-1": queries, "artefacts-1": kept}
    assert goals.table(found).splitlines()[-2:] == [
        "| TPC-H SF1, q01 | 83.4 | 92.1 |",
        "| TPC-H SF1, kept for orders | 6.0 | - |",
    ]


def test_what_is_kept_is_counted_by_table() -> None:
    rows = 20_000
    with eau2.connect() as connection:
        for name in ("ta", "tb"):
            keys = pa.array([n % 500 for n in range(rows)], pa.int32())
            connection.put(name, pa.table({"k": keys}))
        connection.execute("CREATE INDEX i ON ta (k)")
        found = artefacts.settled(connection)
    assert found is not None
    assert found.count == 1
    assert found.tables == {"ta": found.bytes}
    assert found.bytes > 4 * rows


@pytest.mark.parametrize(("now", "code"), [(40.0, 0), (44.0, 0), (60.0, 1), (70.0, 1)])
def test_a_regression_is_found(now: float, code: int, tmp_path: Path) -> None:
    write(_run(40.0), tmp_path / "old.json")
    # A machine that is slower altogether is no regression.
    write(_run(2 * now, 200.0), tmp_path / "new.json")
    files = [str(tmp_path / "old.json"), str(tmp_path / "new.json")]
    assert command.main(["compare", *files]) == code


def test_one_slow_or_lost_query_is_a_regression() -> None:
    slow, lost = _run(40.0), _run(40.0)
    slow.workloads["tpch-1"].medians["q07"][EAU2] = 80.0
    del lost.workloads["tpch-1"].medians["q07"][EAU2]
    assert list(compare.worse(_run(40.0), slow)) == ["tpch-1, q07: 0.40 became 0.80 of DuckDB"]
    assert list(compare.worse(_run(40.0), lost)) == ["tpch-1, q07: has no answer any more"]


def test_disturbed_rounds_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def others(loads: list[float]) -> Iterator[float]:
        yield from loads

    for loads, kept, left in (([0.0, 0.9, 0.0, 0.1], 0, 3), ([0.9, 0.8, 0.7, 0.1], 1, 2)):
        told = others(loads)
        monkeypatch.setattr(measure.Others, "cores", lambda self, told=told: next(told))
        noise = measure.Noise()
        samples = measure.interleaved({"a": lambda: None}, 4, noise)
        assert len(samples["a"]) == left
        assert (noise.rounds, noise.kept) == (4, kept)


def test_ratios_leave_out_what_one_side_has_not() -> None:
    workload = Workload("w", (EAU2, DUCKDB))
    workload.medians = {"a": {EAU2: 1.0, DUCKDB: 4.0}, "b": {EAU2: 4.0, DUCKDB: 4.0}}
    workload.take("c", {DUCKDB: [1000.0, 1.0]})
    workload.take("d", {EAU2: [2.0, 4.0, 3.0], DUCKDB: [12.0]})
    assert workload.quickest().ratios() == {"d": 2 / 12}
    del workload.medians["d"]
    assert workload.ratio() == 5 / 8
    assert workload.mean() == pytest.approx(math.sqrt(1 / 4))


def test_the_page_shows_the_kept_run() -> None:
    page = document.PAGE.read_text(encoding="utf-8")
    kept = read(document.KEPT)
    assert page.endswith(document.MARK + "\n" + document.generated())
    drawn = document.picture(kept)
    assert document.PICTURE.read_text(encoding="utf-8") == drawn
