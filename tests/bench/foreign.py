"""Another engine's process: `python foreign.py datafusion|daft|pyspark THREADS`.

Runs in an environment of that engine, which has nothing of eau2 (outside.py makes it). Comes in:
requests as lines of JSON. Goes out: an answer for each, `{"done": ...}` or `{"error": ...}`.

- `{}`: the engine's version.
- `{"load": {name: Parquet file}}`: take the tables into memory.
- `{"sql": text, "into": file}`: answer a statement as Arrow, kept in the file if one is named.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq


class Engine(Protocol):
    """What an engine has to do."""

    def load(self, name: str, path: str) -> None:
        """Take a table into memory."""

    def answer(self, sql: str) -> Any:
        """An answer as an Arrow table."""


class DataFusion:
    """DataFusion over tables in memory."""

    def __init__(self, threads: int) -> None:
        module = importlib.import_module("datafusion")
        config = module.SessionConfig().with_target_partitions(threads)
        self._context = module.SessionContext(config)

    def load(self, name: str, path: str) -> None:
        self._context.register_parquet(f"{name}_file", path)
        self._context.sql(f"CREATE TABLE {name} AS SELECT * FROM {name}_file").collect()
        self._context.deregister_table(f"{name}_file")

    def answer(self, sql: str) -> Any:
        return self._context.sql(sql).to_arrow_table()


class Daft:
    """Daft on its local runner, over frames in memory."""

    def __init__(self, threads: int) -> None:
        self._daft = importlib.import_module("daft")
        self._frames: dict[str, Any] = {}

    def load(self, name: str, path: str) -> None:
        # Daft's reader does not know string views, which pyarrow writes as plain strings here.
        table = pq.read_table(path)
        view = pa.string_view()
        plain = [f.with_type(pa.large_string()) if f.type == view else f for f in table.schema]
        self._frames[name] = self._daft.from_arrow(table.cast(pa.schema(plain))).collect()

    def answer(self, sql: str) -> Any:
        return self._daft.sql(sql, **self._frames).to_arrow()


class Spark:
    """Spark in this process's own Java machine, over cached tables."""

    def __init__(self, threads: int) -> None:
        builder = importlib.import_module("pyspark.sql").SparkSession.builder
        settings = {
            "spark.driver.memory": "4g",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.sql.shuffle.partitions": str(threads),
            "spark.sql.autoBroadcastJoinThreshold": "64m",
            "spark.ui.enabled": "false",
            "spark.log.level": "ERROR",
        }
        builder = builder.master(f"local[{threads}]")
        for key, value in settings.items():
            builder = builder.config(key, value)
        self._session = builder.getOrCreate()

    def load(self, name: str, path: str) -> None:
        self._session.read.parquet(path).createOrReplaceTempView(name)
        self._session.sql(f"CACHE TABLE {name}")

    def answer(self, sql: str) -> Any:
        return self._session.sql(sql).toArrow()


ENGINES: dict[str, Callable[[int], Engine]] = {
    "datafusion": DataFusion,
    "daft": Daft,
    "pyspark": Spark,
}


def main() -> None:
    """Answer requests until there are no more."""
    name, threads = sys.argv[1], int(sys.argv[2])
    # Engines may print; answers go where the caller reads them.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    engine = ENGINES[name](threads)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            done = 0
            for table, path in request.get("load", {}).items():
                engine.load(table, path)
            if "sql" in request:
                found = engine.answer(request["sql"])
                done = found.num_rows
                if "into" in request:
                    with pa.ipc.new_file(request["into"], found.schema) as writer:
                        writer.write_table(found)
            version = importlib.import_module(name).__version__
            reply = {"done": done if "sql" in request else version}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"[:300]}
        answers.write(json.dumps(reply) + "\n")


if __name__ == "__main__":
    main()
