"""Fills in the expected answers of .slt files from DuckDB: `python -m tests.slt.rewrite [FILE...]`.

A change of an expected answer is then a diff for a person to read. Records marked `onlyif eau2`
stay as they are; a `statement error` must raise in DuckDB as well, and keeps its pattern.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import pyarrow as pa

from tests.slt.records import Record, expand, read, rendered, table_of, types_text

HERE = Path(__file__).parent


class Duck:
    """DuckDB as a session."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("SET threads = 1")

    def register(self, name: str, table: pa.Table) -> None:
        """A native table of that name."""
        self.connection.register("arrow_source", table)
        self.connection.execute(f"CREATE TABLE {name} AS SELECT * FROM arrow_source")
        self.connection.unregister("arrow_source")

    def run(self, sql: str) -> pa.Table | None:
        """The answer; None for a statement that has none."""
        relation = self.connection.sql(sql)
        return None if relation is None else relation.to_arrow_table()


def rewritten(record: Record, duck: Duck) -> Record:
    """The record with DuckDB's answer, after running it there."""
    if not record.head or record.only == "eau2":
        return record
    match record.head[0]:
        case "include":
            for inner in expand(record.path.parent / record.head[1]):
                rewritten(inner, duck)
        case "table":
            duck.register(record.head[1], table_of(record))
        case "statement" if record.head[1] == "error":
            try:
                duck.run(record.sql)
            except duckdb.Error:
                return record
            raise SystemExit(f"{record.where}: DuckDB runs this without an error: {record.sql}")
        case "statement":
            duck.run(record.sql)
        case _:
            try:
                table = duck.run(record.sql)
            except duckdb.Error as error:
                raise SystemExit(f"{record.where}: {error}\n{record.sql}") from error
            assert table is not None
            rows = rendered(table)
            if record.rowsort:
                rows.sort()
            return record.answered(types_text(table), tuple(rows))
    return record


def rewrite(path: Path) -> bool:
    """Rewrite one file; says whether it changed."""
    duck = Duck()
    text = "\n\n".join(rewritten(record, duck).text() for record in read(path)) + "\n"
    changed = text != path.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    return changed


def main(arguments: list[str]) -> int:
    """The command."""
    paths = [Path(name) for name in arguments] or sorted(HERE.glob("*.slt"))
    for path in paths:
        if rewrite(path):
            print(f"rewritten: {path.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
