"""The 22 queries against DuckDB, row for row: `python -m tests.tpch.check`.

The long form, at scale 0.01 with chunks of 1, 7 and 65,536 rows and at scale 0.1; the test run does
a part of it. `--scale` and `--chunk-rows` choose one combination. With `--nodes N` the tables are
spread over so many processes.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import duckdb
import pyarrow as pa

import eau2
from tests.cluster.nodes import processes
from tests.oracle.compare import difference
from tests.tpch import data

COMBINATIONS = (("0.01", 1), ("0.01", 7), ("0.01", 65_536), ("0.1", 65_536))


def connect(scale: str, chunk_rows: int, names: Sequence[str] = data.TABLES) -> eau2.Connection:
    """eau2 with the tables of a scale, cut into chunks."""
    connection = eau2.connect()
    connection.execute(f"SET chunk_rows = {chunk_rows}")
    for name in names:
        connection.register(name, data.table(scale, name))
    return connection


@contextmanager
def spread(scale: str, chunk_rows: int, urls: Sequence[str]) -> Iterator[eau2.Connection]:
    """The last of these nodes; the tables are on all of them, put by the first, until the end."""
    with eau2.connect(urls[0]) as putting, eau2.connect(urls[-1]) as connection:
        putting.execute(f"SET chunk_rows = {chunk_rows}")
        try:
            for name in data.TABLES:
                putting.put(name, data.table(scale, name), replace=True)
            yield connection
        finally:
            for name in data.TABLES:
                putting.execute(f'DROP TABLE IF EXISTS "{name}"')


def answers(scale: str) -> dict[str, pa.Table]:
    """DuckDB's answers by query."""
    with duckdb.connect() as duck:
        for name in data.TABLES:
            duck.register(name, data.table(scale, name))
        return {query: duck.sql(data.text(query)).to_arrow_table() for query in data.QUERIES}


def disagreement(query: str, wanted: pa.Table, actual: pa.Table) -> str | None:
    """How two answers differ; decimals and order exactly, doubles to 12 digits."""
    inexact = [i for i, type_ in enumerate(wanted.schema.types) if pa.types.is_floating(type_)]
    exact = [i for i in range(wanted.num_columns) if i not in inexact]
    return difference(wanted, actual, inexact, exact)


def digest(table: pa.Table) -> str:
    """A digest of a result's types, values and order."""
    text = f"{table.schema.types}{table.to_pydict()!r}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def main(arguments: list[str] | None = None) -> int:
    """The command. Exit code 1 when an answer differs, or a digest depends on the chunks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale")
    parser.add_argument("--chunk-rows", type=int, default=65_536)
    parser.add_argument("--nodes", type=int, help="embedded if not given")
    options = parser.parse_args(arguments)
    chosen = ((options.scale, options.chunk_rows),) if options.scale else COMBINATIONS
    digests: dict[tuple[str, str], set[str]] = {}
    wrong = 0
    for scale, chunk_rows in chosen:
        expected = answers(scale)
        started = time.monotonic()
        stack = ExitStack()
        if options.nodes is None:
            connection = stack.enter_context(connect(scale, chunk_rows))
        else:
            nodes = stack.enter_context(processes(options.nodes))
            connection = stack.enter_context(spread(scale, chunk_rows, nodes.urls))
        print(f"scale {scale}, chunks of {chunk_rows}: cut in {time.monotonic() - started:.1f} s")
        for query in data.QUERIES:
            started = time.monotonic()
            actual = connection.sql(data.text(query)).to_arrow()
            words = disagreement(query, expected[query], actual)
            digests.setdefault((scale, query), set()).add(digest(actual))
            wrong += words is not None
            said = "equal" if words is None else words
            print(f"  {query} {said} {digest(actual)} {time.monotonic() - started:.2f} s")
        stack.close()
    wrong += sum(len(found) > 1 for found in digests.values())
    print("all equal" if not wrong else f"{wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
