"""Functions in Python on many rows: `python -m tests.bench.functions [--rows 10000000] [--json F]`.

For each task the same computation as SQL, as a function compiled by eau2, and as what else people
write: pandas' apply, Polars' map_elements, DuckDB's Python functions (row by row, and on Arrow
arrays), pyspark's pandas_udf. Prints seconds and how many times as long as the compiled function.
Sides that call Python for each row run once; the others `--rounds` times, interleaved, medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from duckdb.func import PythonUDFType

import eau2
from eau2.python.decorators import Function
from eau2.records import Record
from tests.bench import tasks_in_python as tasks
from tests.bench.measure import machine, milliseconds
from tests.bench.outside import environment, folder

_SLOW = ("pandas apply", "Polars map_elements", "DuckDB UDF, native")


class Task(Record, frozen=True):
    """One computation. query: over t, with {f} for the value of each row; sql: that value."""

    name: str
    sql: str
    query: str
    function: Function[..., Any]
    columns: tuple[str, ...]
    types: tuple[str, ...]
    result: str
    arrow: Callable[..., pa.Array]


TASKS = (
    Task(
        "numbers: a branch and arithmetic, summed",
        "CASE WHEN a % 2 = 0 THEN b * 1.5 ELSE b + a END",
        "SELECT sum({f}) FROM t",
        eau2.function(tasks.score),
        ("a", "b"),
        ("BIGINT", "DOUBLE"),
        "DOUBLE",
        lambda a, b: pc.if_else(
            pc.equal(pc.bit_wise_and(a, 1), 0), pc.multiply(b, 1.5), pc.add(b, a)
        ),
    ),
    Task(
        "a filter: rows counted",
        "a > 500 AND b < 0.25",
        "SELECT count(*) FROM t WHERE {f}",
        eau2.function(tasks.kept),
        ("a", "b"),
        ("BIGINT", "DOUBLE"),
        "BOOLEAN",
        lambda a, b: pc.and_(pc.greater(a, 500), pc.less(b, 0.25)),
    ),
    Task(
        "texts: cut, changed and tested, counted",
        "starts_with(upper(s), 'A') AND length(s) > 3",
        "SELECT count(*) FROM t WHERE {f}",
        eau2.function(tasks.label),
        ("s",),
        ("VARCHAR",),
        "BOOLEAN",
        lambda s: pc.and_(pc.starts_with(pc.utf8_upper(s), "A"), pc.greater(pc.utf8_length(s), 3)),
    ),
)


def table(rows: int) -> pa.Table:
    """Made rows: a whole number below 1000, a float below 1, a short text."""
    place = pl.int_range(rows, eager=True)
    a = (place * 7919 + 13) % 1000
    b = ((place * 104_729) % 1_000_003).cast(pl.Float64) / 1_000_003
    words = pl.Series([f"{'abcdefgh'[n % 8]}word{n % 97}" for n in range(997)])
    s = words.gather((place * 31) % 997)
    frame = pl.DataFrame({"a": a, "b": b, "s": s})
    return pa.table(frame.to_arrow()).cast(
        pa.schema([("a", pa.int64()), ("b", pa.float64()), ("s", pa.string())])
    )


def sides(task: Task, rows: pa.Table, threads: int) -> dict[str, Callable[[], Any]]:
    """The calls to be timed, each giving the one number of the query."""
    con = eau2.connect(threads=threads)
    con.register("t", rows)
    con.register_function(task.function)
    called = f"{task.function.definition.name}({', '.join(task.columns)})"
    duck = duckdb.connect()
    duck.execute(f"SET threads = {threads}")
    duck.register("given", rows)
    duck.execute("CREATE TABLE t AS SELECT * FROM given")
    types, result = list(task.types), task.result
    duck.create_function("native", task.function._function, types, result)
    duck.create_function("arrow", task.arrow, types, result, type=PythonUDFType.ARROW)
    listed = ", ".join(task.columns)
    return {
        "eau2 SQL": lambda: _one(con, task.query.format(f=task.sql)),
        "eau2 function": lambda: _one(con, task.query.format(f=called)),
        "DuckDB SQL": lambda: _duck(duck, task.query.format(f=task.sql)),
        "DuckDB UDF, arrow": lambda: _duck(duck, task.query.format(f=f"arrow({listed})")),
        "DuckDB UDF, native": lambda: _duck(duck, task.query.format(f=f"native({listed})")),
        "Polars map_elements": lambda: _polars(task, rows),
    }


def _one(con: eau2.Connection, query: str) -> Any:
    ((value,),) = con.sql(query).fetchall()
    return value


def _duck(con: duckdb.DuckDBPyConnection, query: str) -> Any:
    ((value,),) = con.sql(query).fetchall()
    return value


def _polars(task: Task, rows: pa.Table) -> Any:
    """A struct of the columns, each row handed to the function."""
    frame = pl.DataFrame(rows)
    called, columns = task.function, task.columns
    dtype = pl.Float64 if task.result == "DOUBLE" else pl.Boolean
    if len(columns) == 1:
        values = frame.get_column(columns[0]).map_elements(called, return_dtype=dtype)
    else:
        packed = frame.select(pl.struct(columns)).to_series()
        values = packed.map_elements(
            lambda row: called(*(row[name] for name in columns)), return_dtype=dtype
        )
    return values.sum()


def outside(task: Task, rows: pa.Table, threads: int) -> dict[str, float | str]:
    """What pandas and pyspark take, in environments of their own; or why there are none."""
    file = folder() / f"functions-{rows.num_rows}.parquet"
    if not file.exists():
        pq.write_table(rows, file)
    found: dict[str, float | str] = {}
    for engine, side in (("pandas", "pandas apply"), ("pyspark", "pyspark pandas_udf")):
        python = environment(engine, *(("pandas",) if engine == "pyspark" else ()))
        if isinstance(python, str):
            found[side] = python
            continue
        script = Path(__file__).with_name("tasks_in_python.py")
        name = task.function.definition.name
        command = [str(python), str(script), engine, name, str(file), str(threads)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = done.stdout.strip().splitlines()
        if done.returncode or not lines:
            found[side] = (done.stderr.strip() or "no answer").splitlines()[-1][:120]
        else:
            found[side] = float(json.loads(lines[-1])["seconds"])
    return found


def measured(task: Task, rows: pa.Table, rounds: int, threads: int) -> dict[str, float | str]:
    """Seconds of each side. Raises AssertionError where two sides disagree."""
    calls = sides(task, rows, threads)
    answers = {name: call() for name, call in calls.items() if name not in _SLOW}
    times: dict[str, list[float]] = {name: [] for name in answers}
    for _ in range(rounds):
        for name in answers:
            times[name].append(milliseconds(calls[name]) / 1000)
    found: dict[str, float | str] = {n: statistics.median(t) for n, t in times.items()}
    for name in calls:
        if name in _SLOW:
            started = time.perf_counter()
            answers[name] = calls[name]()
            found[name] = time.perf_counter() - started
    wanted = answers["eau2 SQL"]
    for name, answer in answers.items():
        assert abs(answer - wanted) <= 1e-9 * abs(wanted), f"{name}: {answer}, not {wanted}"
    return found | outside(task, rows, threads)


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="keep the figures there")
    options = parser.parse_args(arguments)
    rows = table(options.rows)
    print(machine())
    kept: dict[str, Any] = {"machine": machine(), "rows": options.rows, "tasks": {}}
    for task in TASKS:
        found = measured(task, rows, options.rounds, options.threads)
        kept["tasks"][task.name] = found
        base = found["eau2 function"]
        assert isinstance(base, float)
        print(f"\n{task.name}, {options.rows:,} rows")
        for name, seconds in found.items():
            told = (
                f"{seconds:9.3f} s {seconds / base:8.1f}" if isinstance(seconds, float) else seconds
            )
            print(f"  {name:22} {told}")
    if options.json is not None:
        options.json.write_text(json.dumps(kept, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
