"""TPC-H on eau2, DuckDB, Polars and DataFusion, in memory; from scale 10 on the first two, on disk.

Clustered: orders sorted by o_orderdate, lineitem by its order's position. Polars answers through
its SQL; DataFusion in a process of its own. At scale 10 both stores are on disk, and what they read
stays in the system's memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pyarrow as pa

from tests.bench import outside
from tests.bench.contest import Contest, Options, loaded, loosely
from tests.bench.report import ARROW, DUCKDB, EAU2, Run, Workload
from tests.bench.sides import DuckDb, Eau2, Foreign, Polars, Side
from tests.tpch import check, data

ON_DISK_FROM = 10.0
"""The scale from which tables are not all in memory at once."""

ORDERS = "SELECT * FROM orders ORDER BY o_orderdate, o_orderkey"
LINES = """SELECT l.* FROM lineitem l JOIN orders ON l_orderkey = o_orderkey
ORDER BY o_orderdate, o_orderkey, l_linenumber"""


def paths(scale: str) -> dict[str, Path]:
    """The tables' files, in the order in which they were made."""
    return {name: data.path(scale, name) for name in data.TABLES}


def clustered(scale: str) -> dict[str, Path]:
    """The same with orders and lineitem sorted; made once, by DuckDB."""
    found = paths(scale)
    folder = outside.folder() / f"clustered-{scale}"
    folder.mkdir(exist_ok=True)
    for name, sql in (("orders", ORDERS), ("lineitem", LINES)):
        target = folder / f"{name}.parquet"
        if not target.exists():
            fresh = target.with_suffix(".part")
            with duckdb.connect() as duck:
                for table in ("orders", "lineitem"):
                    source = f"SELECT * FROM read_parquet('{found[table]}')"
                    duck.execute(f"CREATE VIEW {table} AS {source}")
                duck.execute(f"COPY ({sql}) TO '{fresh}' (FORMAT parquet)")
            fresh.rename(target)
        found[name] = target
    return found


def agreed(side: str, query: str, wanted: pa.Table, actual: pa.Table) -> str | None:
    """eau2 to the last digit and in order; the others' decimals as they have them."""
    if side == EAU2:
        return check.disagreement(query, wanted, actual)
    return loosely(side, query, wanted, actual)


def run(options: Options, into: Run) -> Iterator[Workload]:
    """One scale as put, then clustered unless it is a large one."""
    scale, threads = options.scale, options.threads
    on_disk = float(scale) >= ON_DISK_FROM
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=outside.folder())))
        sides: dict[str, Callable[[], Side]] = {
            EAU2: lambda: Eau2(threads, folder / "store" if on_disk else None, options.off),
            DUCKDB: lambda: DuckDb(threads, folder / "duck.db" if on_disk else None),
        }
        if not on_disk:
            sides |= {ARROW: lambda: DuckDb(threads, arrow=True), "Polars": Polars}
            python = outside.environment("datafusion") if options.wants("DataFusion") else ""
            if isinstance(python, Path):
                sides["DataFusion"] = lambda: Foreign(python, "datafusion", threads, folder)
        wanted = {name: make for name, make in sides.items() if options.wants(name)}
        workload = _contest(f"tpch-{scale}", wanted, paths(scale), options)
    ratios = workload.ratios()
    figures = {
        f"tpch-{scale}": workload.ratio(),
        f"tpch-{scale}-mean": workload.mean(),
        f"tpch-{scale}-worst": max(ratios.values(), default=None),
        **{f"tpch-{scale}-{query}": ratios.get(query) for query in ("q01", "q06")},
    }
    into.add(workload, figures)
    yield workload
    if not on_disk:
        alike: dict[str, Callable[[], Side]] = {
            EAU2: lambda: Eau2(threads, None, options.off),
            DUCKDB: lambda: DuckDb(threads),
        }
        workload = _contest(f"tpch-{scale}-clustered", alike, clustered(scale), options)
        into.add(workload, {workload.name: workload.ratio()})
        yield workload


def _contest(
    name: str,
    sides: Mapping[str, Callable[[], Side]],
    tables: Mapping[str, Path],
    options: Options,
) -> Workload:
    """The queries on all sides, which are there for as long as it takes."""
    with ExitStack() as stack:
        notes: list[str] = []
        ready = loaded(stack, sides, tables, notes)
        foreign = {name: side for name, side in ready.items() if isinstance(side, Foreign)}
        notes += [f"{name} {side.version}" for name, side in foreign.items()]
        queries = {query: data.text(query) for query in options.queries or data.QUERIES}
        return Contest(name, ready, agreed, notes).run(queries, options.rounds)


def others(options: Options, into: Run) -> Iterator[Workload]:
    """Spark and Daft, one after the other, each beside eau2 and DuckDB in the same rounds."""
    ratios = []
    for engine in filter(options.wants, ("pyspark", "daft")):
        workload = _beside(options, engine)
        ratio = workload.ratio(EAU2, engine)
        ratios += [] if ratio is None else [ratio]
        into.add(workload, {f"tpch-{options.scale}-{engine}": ratio})
        yield workload
    if ratios and options.scale == "1":
        # The better engine is the one that eau2 is nearer to.
        into.figures["others"] = max(ratios)


def _beside(options: Options, engine: str) -> Workload:
    """TPC-H on eau2, DuckDB and an engine in an environment of its own."""
    name = f"tpch-{options.scale}-{engine}"
    python = outside.environment(engine)
    if isinstance(python, str):
        return Workload(name, (EAU2, DUCKDB, engine), notes=[f"left out: {python}"])
    with tempfile.TemporaryDirectory() as folder:
        sides: dict[str, Callable[[], Side]] = {
            EAU2: lambda: Eau2(options.threads, None, options.off),
            DUCKDB: lambda: DuckDb(options.threads),
            engine: lambda: Foreign(python, engine, options.threads, Path(folder)),
        }
        return _contest(name, sides, paths(options.scale), options)
