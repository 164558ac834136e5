"""The .slt format: records to data and back.

A file is records separated by blank lines; `#` starts a comment line, kept in place. Records:

    include NAME                  the records of another file, here
    table NAME                    a frame: a header `a INTEGER | b VARCHAR`, then rows of such cells
    statement ok                  the SQL below runs
    statement error REGEX         the SQL below raises, and the message matches
    query TYPES [rowsort]         the SQL below gives, after ----, these rows of these types

`onlyif eau2` before a record keeps it from DuckDB: for what eau2 alone says or does. Cells are
separated by ` | `; NULL is NULL and an empty string is (empty).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

TYPES = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "UTINYINT": pa.uint8(),
    "USMALLINT": pa.uint16(),
    "UINTEGER": pa.uint32(),
    "UBIGINT": pa.uint64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
    "TIME": pa.time64("us"),
    "INTERVAL": pa.month_day_nano_interval(),
}
CELL = " | "


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `head` is its first line in words; `body` the SQL or the table's lines."""

    path: Path
    line: int
    comments: tuple[str, ...]
    only: str
    head: tuple[str, ...]
    body: tuple[str, ...]
    result: tuple[str, ...] = ()

    @property
    def sql(self) -> str:
        """The record's SQL."""
        return "\n".join(self.body)

    @property
    def rowsort(self) -> bool:
        """Whether rows are compared sorted."""
        return self.head[0] == "query" and self.head[-1] == "rowsort"

    @property
    def types(self) -> str:
        """The types a query's columns must have, as written."""
        words = self.head[1:-1] if self.rowsort else self.head[1:]
        return " ".join(words)

    @property
    def where(self) -> str:
        """File and line, for messages."""
        return f"{self.path.name}:{self.line}"

    def text(self) -> str:
        """The record as it stands in its file."""
        lines = [*self.comments]
        if self.only:
            lines.append(f"onlyif {self.only}")
        if self.head:
            lines.append(" ".join(self.head))
        lines += self.body
        if self.head and self.head[0] == "query":
            lines += ["----", *self.result]
        return "\n".join(lines)

    def answered(self, types: str, result: tuple[str, ...]) -> Record:
        """The query with another expected answer."""
        sort = ("rowsort",) if self.rowsort else ()
        return replace(self, head=("query", *types.split(), *sort), result=result)


def read(path: Path) -> list[Record]:
    """The records of a file, in order, includes not yet followed."""
    records = []
    block: list[str] = []
    start = 1
    for number, line in enumerate([*path.read_text(encoding="utf-8").splitlines(), ""], 1):
        if line.strip():
            if not block:
                start = number
            block.append(line)
        elif block:
            records.append(parse(path, start, block))
            block = []
    return records


def parse(path: Path, start: int, block: list[str]) -> Record:
    """One block of lines as a record."""
    comments = []
    while block and block[0].startswith("#"):
        comments.append(block[0])
        block = block[1:]
    only = ""
    if block and block[0].startswith("onlyif "):
        only = block[0].removeprefix("onlyif ").strip()
        block = block[1:]
    if not block:
        return Record(path, start, tuple(comments), only, (), ())
    head = tuple(block[0].split(" "))
    if head[0] not in ("include", "table", "statement", "query"):
        raise ValueError(f"{path.name}:{start}: {block[0]!r} does not begin a record")
    body, result = block[1:], []
    if "----" in body:
        at = body.index("----")
        body, result = body[:at], body[at + 1 :]
    return Record(path, start, tuple(comments), only, head, tuple(body), tuple(result))


def expand(path: Path) -> list[Record]:
    """The records of a file with its includes in their places."""
    records = []
    for record in read(path):
        if record.head and record.head[0] == "include":
            records += expand(path.parent / record.head[1])
        elif record.head:
            records.append(record)
    return records


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type of a type as written in a table header."""
    if name.startswith("DECIMAL("):
        precision, scale = name[8:-1].split(",")
        return pa.decimal128(int(precision), int(scale))
    return TYPES[name]


def type_name(arrow: pa.DataType) -> str:
    """The SQL name of a result column's Arrow type; a bare NULL is an INTEGER, as DESCRIBE says."""
    if pa.types.is_null(arrow):
        return "INTEGER"
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow):
        return f"{type_name(arrow.value_type)}[]"
    if pa.types.is_decimal(arrow):
        return f"DECIMAL({arrow.precision},{arrow.scale})"
    if pa.types.is_large_string(arrow) or pa.types.is_string_view(arrow):
        return "VARCHAR"
    return next((name for name, known in TYPES.items() if known == arrow), str(arrow))


def table_of(record: Record) -> pa.Table:
    """The Arrow table that a `table` record describes."""
    header = [cell.split() for cell in record.body[0].split(CELL)]
    rows = [line.split(CELL) for line in record.body[1:]]
    arrays = []
    for index, (_, type_) in enumerate(header):
        cells = [None if row[index] == "NULL" else row[index] for row in rows]
        texts = pa.array(["" if c == "(empty)" else c for c in cells], pa.string())
        arrays.append(pc.cast(texts, arrow_type(type_)))
    return pa.Table.from_arrays(arrays, names=[name for name, _ in header])


def rendered(table: pa.Table) -> list[str]:
    """A result's rows as lines."""
    columns = [[cell_text(value) for value in column.to_pylist()] for column in table.columns]
    return [CELL.join(cells) for cells in zip(*columns, strict=True)]


def cell_text(value: object) -> str:
    """A value as a cell."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "nan" if math.isnan(value) else f"{value:.15g}"
    if isinstance(value, pa.MonthDayNano):
        parts = (f"{n} {unit}" for n, unit in zip(value, ("mon", "d", "ns"), strict=True) if n)
        return " ".join(parts) or "0"
    text = str(value).replace("\n", "\\n")
    return text if text.strip() == text and text else f"({text or 'empty'})"


def types_text(table: pa.Table) -> str:
    """A result's column types as the head of a query record has them."""
    return " ".join(type_name(arrow) for arrow in table.schema.types)
