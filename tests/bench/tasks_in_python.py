"""The functions of the benchmark as plain Python, and pandas and pyspark running them.

`python tasks_in_python.py pandas|pyspark FUNCTION FILE THREADS` runs in an environment of that
engine, which has nothing of eau2, and prints the seconds as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any


def score(a: int, b: float) -> float:
    """A branch and arithmetic."""
    if a % 2 == 0:
        return b * 1.5
    return b + a


def kept(a: int, b: float) -> bool:
    """A condition."""
    return a > 500 and b < 0.25


def label(s: str) -> bool:
    """A text changed and tested."""
    return s.upper().startswith("A") and len(s) > 3


COLUMNS = {"score": ("a", "b"), "kept": ("a", "b"), "label": ("s",)}
FUNCTIONS: dict[str, Callable[..., Any]] = {"score": score, "kept": kept, "label": label}


def in_pandas(name: str, file: str, threads: int) -> float:
    """Seconds of apply over the rows, and the sum."""
    frame = importlib.import_module("pandas").read_parquet(file, columns=list(COLUMNS[name]))
    function = FUNCTIONS[name]
    started = time.perf_counter()
    if len(COLUMNS[name]) == 1:
        frame[COLUMNS[name][0]].apply(function).sum()
    else:
        frame.apply(lambda row: function(*row), axis=1).sum()
    return time.perf_counter() - started


def in_pyspark(name: str, file: str, threads: int) -> float:
    """Seconds of a pandas_udf over cached rows, and the sum; the second of two runs."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    sql = importlib.import_module("pyspark.sql")
    functions = importlib.import_module("pyspark.sql.functions")
    session = (
        sql.SparkSession.builder.master(f"local[{threads}]")
        .config("spark.driver.memory", "4g")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    frame = session.read.parquet(file).select(*COLUMNS[name]).cache()
    frame.count()
    numpy = importlib.import_module("numpy")

    def of_series(*columns: Any) -> Any:
        if name == "score":
            a, b = columns
            return b.where(a % 2 == 0, b + a).mask(a % 2 == 0, b * 1.5)
        if name == "kept":
            a, b = columns
            return ((a > 500) & (b < 0.25)).astype("int64").astype("float64")
        (s,) = columns
        return (s.str.upper().str.startswith("A") & (s.str.len() > 3)).astype("float64")

    pandas = importlib.import_module("pandas")
    one, two = (lambda s: of_series(s)), (lambda a, b: of_series(a, b))
    call = one if len(COLUMNS[name]) == 1 else two
    call.__annotations__ = dict.fromkeys(("s", "a", "b", "return"), pandas.Series)
    udf = functions.pandas_udf(call, "double", functions.PandasUDFType.SCALAR)
    seconds = numpy.inf
    for _ in range(2):
        started = time.perf_counter()
        frame.select(functions.sum(udf(*COLUMNS[name]))).collect()
        seconds = time.perf_counter() - started
    session.stop()
    return float(seconds)


def main() -> None:
    """The command."""
    engine, name, file, threads = sys.argv[1:]
    run = {"pandas": in_pandas, "pyspark": in_pyspark}[engine]
    print(json.dumps({"seconds": run(name, file, int(threads))}))


if __name__ == "__main__":
    main()
