"""Small work, where fixed costs are all: a grouped query on 1,000 rows, and whole processes.

Here alone plans are kept: repeated means repeated. `first` is the first statement of its kind in a
new connection, `new constant` one of a known kind.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pyarrow as pa

import eau2
from tests.bench.contest import Options
from tests.bench.measure import Call, Noise, medians, milliseconds
from tests.bench.report import DUCKDB, EAU2, Run, Workload
from tests.bench.sides import quickly
from tests.processes import environment

TEXT = "SELECT g, sum(v) AS total, count(*) AS n FROM small WHERE v > {} GROUP BY g ORDER BY g"
BATCH = 20
"""Calls between two looks at the clock."""

Ask = Callable[[str], pa.Table]


def table() -> pa.Table:
    """1,000 rows in ten groups."""
    return pa.table({"g": [i % 10 for i in range(1000)], "v": [float(i) for i in range(1000)]})


def open_eau2(stack: ExitStack, options: Options) -> Ask:
    """A new connection with the table, which has answered something else before."""
    connection = stack.enter_context(eau2.connect(threads=options.threads))
    for rule in options.off:
        connection.execute(f"SET optimizer.{rule} = off")
    connection.put("small", table())
    connection.sql("SELECT 1").fetchall()
    return lambda sql: connection.sql(sql).to_arrow()


def open_duckdb(stack: ExitStack, options: Options) -> Ask:
    """The same of DuckDB, with a table of its own."""
    connection = stack.enter_context(duckdb.connect())
    connection.execute(f"SET threads = {options.threads}")
    made = table()
    connection.register("made", made)
    connection.execute("CREATE TABLE small AS SELECT * FROM made")
    connection.sql("SELECT 1").fetchall()
    return lambda sql: quickly(connection, sql)


OPEN = {EAU2: open_eau2, DUCKDB: open_duckdb}


def run(options: Options, into: Run) -> Iterator[Workload]:
    """The small query, then processes."""
    workload = Workload("tiny", (EAU2, DUCKDB))
    noise = Noise()
    with ExitStack() as stack:
        asks = {side: opened(stack, options) for side, opened in OPEN.items()}
        answers = [asks[side](TEXT.format(7)).to_pydict() for side in OPEN]
        assert answers[0] == answers[1], "the small query has another answer"
        workload.medians["first"] = _first(options)
        fresh = {side: _fresh(ask) for side, ask in asks.items()}
        again = {side: _again(ask) for side, ask in asks.items()}
        for words, calls in (("new constant", fresh), ("repeated", again)):
            found = medians(calls, 2 * options.rounds, noise)
            workload.medians[words] = {side: taken / BATCH for side, taken in found.items()}
    workload.notes.append(str(noise))
    figures: dict[str, float | None] = {"tiny": workload.ratios()["repeated"]}
    into.add(workload, figures)
    yield workload
    whole = processes(options.rounds)
    into.add(whole, {"process": whole.ratio()})
    yield whole


def _first(options: Options) -> dict[str, float]:
    """The best of some first statements: each has a connection of its own."""
    best: dict[str, float] = {}
    for side, opened in itertools.islice(itertools.cycle(OPEN.items()), 6):
        with ExitStack() as stack:
            ask = opened(stack, options)
            taken = milliseconds(lambda ask=ask: ask(TEXT.format(0)))  # type: ignore[misc]
            best[side] = min(taken, best.get(side, taken))
    return best


def _fresh(ask: Ask) -> Call:
    constants = itertools.count(1)
    return lambda: [ask(TEXT.format(next(constants))) for _ in range(BATCH)]


def _again(ask: Ask) -> Call:
    return lambda: [ask(TEXT.format(0)) for _ in range(BATCH)]


def processes(rounds: int) -> Workload:
    """`eau2 query` as a whole process beside DuckDB as one, and an empty Python."""
    workload = Workload("whole processes", (EAU2, DUCKDB, "python"))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "df.csv"
        source.write_text("a,b\n" + "".join(f"{i},{i % 7}\n" for i in range(1000)))
        store = Path(folder) / "store"
        tool = [sys.executable, "-m", "eau2"]
        variables = environment()
        loading = [*tool, "load", "--store", str(store), "df", str(source)]
        subprocess.run(loading, check=True, capture_output=True, env=variables)
        query = "SELECT b, sum(a) FROM df GROUP BY b ORDER BY b"
        duck = f"import duckdb; duckdb.sql({query.replace('df', repr(str(source)))!r}).show()"
        commands = {
            EAU2: [*tool, "query", "--store", str(store), query],
            DUCKDB: [sys.executable, "-c", duck],
            "python": [sys.executable, "-c", "pass"],
        }
        calls: dict[str, Call] = {
            name: lambda command=command: subprocess.run(  # type: ignore[misc]
                command, check=True, capture_output=True, env=variables
            )
            for name, command in commands.items()
        }
        workload.medians["a grouped query"] = medians(calls, rounds)
    return workload
