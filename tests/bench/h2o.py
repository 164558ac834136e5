"""The h2o.ai database benchmark: ten group-by and five join questions over made tables.

The data follow the published recipes (groupby-datagen.R and join-datagen.R of h2oai/db-benchmark)
for G1_1e7_1e2_0_0 and J1_1e7_NA_0_0: 10 million rows, half a gigabyte as CSV; the numbers drawn are
others, since the generator is NumPy's. Answers are fetched whole, as Arrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.bench import outside
from tests.bench.contest import Contest, Options, loaded
from tests.bench.report import DUCKDB, EAU2, Run, Workload
from tests.bench.sides import DuckDb, Eau2, Polars, Side

Ints = npt.NDArray[np.int64]

FULL_ROWS = 10_000_000
"""Of the tasks of half a gigabyte, for which a figure is aimed at."""

GROUPS = 100
"""K of the recipe: distinct values of the small keys."""

GROUP_BY = {
    "sum v1 by id1": "SELECT id1, sum(v1) AS v1 FROM x GROUP BY id1",
    "sum v1 by id1:id2": "SELECT id1, id2, sum(v1) AS v1 FROM x GROUP BY id1, id2",
    "sum v1 mean v3 by id3": "SELECT id3, sum(v1) AS v1, avg(v3) AS v3 FROM x GROUP BY id3",
    "mean v1:v3 by id4": (
        "SELECT id4, avg(v1) AS v1, avg(v2) AS v2, avg(v3) AS v3 FROM x GROUP BY id4"
    ),
    "sum v1:v3 by id6": (
        "SELECT id6, sum(v1) AS v1, sum(v2) AS v2, sum(v3) AS v3 FROM x GROUP BY id6"
    ),
    "median v3 sd v3 by id4 id5": (
        "SELECT id4, id5, median(v3) AS median_v3, stddev(v3) AS sd_v3 FROM x GROUP BY id4, id5"
    ),
    "max v1 - min v2 by id3": ("SELECT id3, max(v1) - min(v2) AS range_v1_v2 FROM x GROUP BY id3"),
    "largest two v3 by id6": (
        "SELECT id6, v3 FROM (SELECT id6, v3, row_number() OVER (PARTITION BY id6 "
        "ORDER BY v3 DESC) AS place FROM x WHERE v3 IS NOT NULL) ranked WHERE place <= 2"
    ),
    "regression v1 v2 by id2 id4": (
        "SELECT id2, id4, power(corr(v1, v2), 2) AS r2 FROM x GROUP BY id2, id4"
    ),
    "sum v3 count by id1:id6": (
        "SELECT id1, id2, id3, id4, id5, id6, sum(v3) AS v3, count(*) AS n "
        "FROM x GROUP BY id1, id2, id3, id4, id5, id6"
    ),
}

JOIN = {
    "small inner on int": (
        "SELECT x.*, small.id4 AS small_id4, v2 FROM x JOIN small ON x.id1 = small.id1"
    ),
    "medium inner on int": (
        "SELECT x.*, medium.id1 AS medium_id1, medium.id4 AS medium_id4, medium.id5 AS medium_id5, "
        "v2 FROM x JOIN medium ON x.id2 = medium.id2"
    ),
    "medium outer on int": (
        "SELECT x.*, medium.id1 AS medium_id1, medium.id4 AS medium_id4, medium.id5 AS medium_id5, "
        "v2 FROM x LEFT JOIN medium ON x.id2 = medium.id2"
    ),
    "medium inner on factor": (
        "SELECT x.*, medium.id1 AS medium_id1, medium.id2 AS medium_id2, medium.id4 AS medium_id4, "
        "v2 FROM x JOIN medium ON x.id5 = medium.id5"
    ),
    "big inner on int": (
        "SELECT x.*, big.id1 AS big_id1, big.id2 AS big_id2, big.id4 AS big_id4, "
        "big.id5 AS big_id5, big.id6 AS big_id6, v2 FROM x JOIN big ON x.id3 = big.id3"
    ),
}


def group_by_table(rows: int) -> pa.Table:
    """Table x of the group-by task: six keys, three values."""
    random = np.random.default_rng(108)
    many = max(1, rows // GROUPS)
    return pa.table(
        {
            "id1": _named("id", random.integers(1, GROUPS + 1, rows), 3),
            "id2": _named("id", random.integers(1, GROUPS + 1, rows), 3),
            "id3": _named("id", random.integers(1, many + 1, rows), 10),
            "id4": pa.array(random.integers(1, GROUPS + 1, rows), pa.int32()),
            "id5": pa.array(random.integers(1, GROUPS + 1, rows), pa.int32()),
            "id6": pa.array(random.integers(1, many + 1, rows), pa.int32()),
            "v1": pa.array(random.integers(1, 6, rows), pa.int32()),
            "v2": pa.array(random.integers(1, 16, rows), pa.int32()),
            "v3": np.round(random.uniform(0, 100, rows), 6),
        }
    )


def join_tables(rows: int) -> dict[str, pa.Table]:
    """Table x and what it is joined with: a millionth, a thousandth and as many rows.

    Of each key nine tenths are on both sides, one tenth on each side alone.
    """
    random = np.random.default_rng(108)
    sizes = [max(2, rows // 1_000_000), max(10, rows // 1000), rows]
    lefts: list[Ints] = []
    rights: list[Ints] = []
    for size in sizes:
        keys = random.permutation(np.arange(1, int(size * 1.1) + 1))
        both, more = int(size * 0.9), int(size * 0.1)
        lefts.append(keys[: both + more])
        rights.append(np.concatenate([keys[:both], keys[both + more :]]))
    names = ("small", "medium", "big")
    tables = {"x": _keys(random, lefts, rows, "v1")}
    for number, (name, size) in enumerate(zip(names, sizes, strict=True), start=1):
        tables[name] = _keys(random, rights[:number], size, "v2")
    return tables


def _keys(random: np.random.Generator, keys: list[Ints], rows: int, value: str) -> pa.Table:
    """Rows that have each of the keys at least once where there are enough, and a value."""
    drawn = []
    for unique in keys:
        more = random.choice(unique, max(0, rows - len(unique)))
        drawn.append(random.permutation(np.concatenate([unique[:rows], more])))
    columns = {f"id{n}": pa.array(ids, pa.int32()) for n, ids in enumerate(drawn, start=1)}
    columns |= {f"id{n}": _named("id", ids) for n, ids in enumerate(drawn, start=4)}
    return pa.table(columns | {value: np.round(random.uniform(0, 100, rows), 6)})


def _named(prefix: str, ids: Ints, digits: int = 0) -> pa.Array:
    """Keys as texts, with leading zeros up to so many digits."""
    words = pc.utf8_lpad(pc.cast(pa.array(ids), pa.string()), digits, "0")
    return pc.binary_join_element_wise(prefix, words, "")


def paths(task: str, rows: int) -> dict[str, Path]:
    """The files of a task's tables, made if they are not there."""
    folder = outside.folder() / f"h2o-{task}-{rows}"
    if not folder.exists():
        tables = {"x": group_by_table(rows)} if task == "groupby" else join_tables(rows)
        fresh = folder.with_suffix(".part")
        fresh.mkdir(exist_ok=True)
        for name, table in tables.items():
            pq.write_table(table, fresh / f"{name}.parquet")
        fresh.rename(folder)
    return {path.stem: path for path in sorted(folder.glob("*.parquet"))}


def run(options: Options, into: Run) -> Iterator[Workload]:
    """Both tasks; the figure is over all fifteen questions."""
    ours = duck = 0.0
    missing = False
    for task, queries in (("groupby", GROUP_BY), ("join", JOIN)):
        with ExitStack() as stack:
            sides: dict[str, Callable[[], Side]] = {
                EAU2: lambda: Eau2(options.threads, None, options.off),
                DUCKDB: lambda: DuckDb(options.threads),
            }
            sides |= {"Polars": Polars} if options.wants("Polars") else {}
            notes: list[str] = []
            ready = loaded(stack, sides, paths(task, options.h2o_rows), notes)
            contest = Contest(f"h2o-{task}-{options.h2o_rows}", ready, notes=notes)
            workload = contest.run(queries, options.rounds)
        into.add(workload, {workload.name: workload.ratio()})
        missing |= len(workload.ratios()) < len(queries)
        ours += sum(found.get(EAU2, 0.0) for found in workload.medians.values())
        duck += sum(found[DUCKDB] for found in workload.medians.values())
        yield workload
    if not missing and options.h2o_rows == FULL_ROWS:
        into.figures["h2o"] = ours / duck
