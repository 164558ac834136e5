"""Golden scripts: a file of statements with tags, and what each tag printed.

A script is blocks. A block begins with a line of tags and goes on with SQL up to `---`; below it
stands what the tags print, up to the next blank line or the end:

    [plan, optimized, rules, stages, result]
    SELECT a FROM t WHERE a > 1
    ---
    ...

Tags: ast, plan (as bound), optimized, rules (each rule that changed the plan, and what it made),
stages, result, error. Tables: `tests/slt/common.inc`. A line of `#` starts a comment.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

import eau2
from eau2.catalog import Catalog, Frame, Function, View
from eau2.errors import InputFileError, Span
from eau2.planner.optimizer import optimize
from eau2.records import Record, names
from eau2.sql import ast
from eau2.sql.binder import bind
from eau2.sql.logical import Logical
from eau2.sql.parser import parse
from eau2.sql.plan_text import to_text
from tests.slt.records import expand, rendered, table_of, types_text

TABLES = Path(__file__).parent.parent / "slt" / "common.inc"
CHUNK_ROWS = 3


@dataclass(frozen=True, slots=True)
class Block:
    """Comments, tags and SQL of one block."""

    comments: tuple[str, ...]
    tags: tuple[str, ...]
    sql: str


def read(path: Path) -> list[Block]:
    """The blocks of a script; what was printed is left out."""
    blocks: list[Block] = []
    comments: list[str] = []
    tags: tuple[str, ...] = ()
    sql: list[str] = []
    printed = False
    for line in [*path.read_text(encoding="utf-8").splitlines(), "["]:
        if line.startswith(("[", "#")) and tags:
            blocks.append(Block(tuple(comments), tags, "\n".join(sql)))
            comments, tags = [], ()
        if line.startswith("["):
            tags, sql, printed = tuple(line.strip("[]").split(", ")), [], False
        elif line.startswith("#"):
            comments.append(line)
        elif line == "---":
            printed = True
        elif tags and not printed and line.strip():
            sql.append(line)
    return blocks


def tables() -> dict[str, pa.Table]:
    """The tables that scripts use."""
    return {record.head[1]: table_of(record) for record in expand(TABLES)}


def connect() -> eau2.Connection:
    """eau2 in this process with the tables, in chunks of three rows."""
    connection = eau2.connect()
    connection.execute(f"SET chunk_rows = {CHUNK_ROWS}")
    for name, table in tables().items():
        connection.register(name, table)
    return connection


@contextmanager
def spread(urls: Sequence[str]) -> Iterator[eau2.Connection]:
    """The last of these nodes; the tables are on all of them, put by the first, until the end."""
    with eau2.connect(urls[0]) as putting, eau2.connect(urls[-1]) as connection:
        putting.execute(f"SET chunk_rows = {CHUNK_ROWS}")
        made = tables()
        try:
            for name, table in made.items():
                putting.put(name, table, replace=True)
            yield connection
        finally:
            for name in made:
                putting.execute(f'DROP TABLE IF EXISTS "{name}"')


class FrozenCatalog:
    """The frames that a connection has now: a Catalog for the phases called by themselves."""

    def __init__(self, connection: eau2.Connection) -> None:
        self.frames = {name: connection.describe(name) for name in connection.tables()}

    def frame(self, name: str) -> Frame | None:
        return self.frames.get(name.lower())

    def view(self, name: str) -> View | None:
        return None

    def function(self, name: str) -> Function | None:
        return None

    def functions(self) -> tuple[str, ...]:
        return ()

    def file(self, path: str) -> Frame:
        raise InputFileError(f"golden scripts read no files: {path}")

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.frames))

    def epoch(self) -> Hashable:
        return 0


def bound(catalog: Catalog, sql: str) -> Logical:
    """The logical plan of a query."""
    (statement,) = parse(sql)
    assert isinstance(statement, ast.Select)
    return bind(statement, catalog, None).plan


def print_ast(catalog: Catalog, connection: eau2.Connection, sql: str) -> str:
    """The syntax tree, without spans."""
    return "\n".join(tree_text(statement) for statement in parse(sql))


def tree_text(node: object, indent: int = 0) -> str:
    """Frozen nodes as an indented tree."""
    pad = "  " * indent
    if isinstance(node, tuple):
        return "\n".join(tree_text(item, indent) for item in node)
    if not isinstance(node, Record):
        return f"{pad}{node!r}"
    flat, deep = [], []
    for name in names(type(node)):
        value = getattr(node, name)
        if isinstance(value, Span) or value is None or value == () or value is False:
            continue
        nested = isinstance(value, Record | tuple)
        plain_tuple = isinstance(value, tuple) and all(isinstance(v, str) for v in value)
        if nested and not plain_tuple:
            deep.append(f"{pad}  {name}:\n{tree_text(value, indent + 2)}")
        else:
            flat.append(f"{name}={value!r}")
    head = f"{pad}{type(node).__name__} {' '.join(flat)}".rstrip()
    return "\n".join([head, *deep])


def print_plan(catalog: Catalog, connection: eau2.Connection, sql: str) -> str:
    """The logical plan as bound."""
    return to_text(bound(catalog, sql))


def print_optimized(catalog: Catalog, connection: eau2.Connection, sql: str) -> str:
    """The logical plan after all rules."""
    return to_text(optimize(bound(catalog, sql)))


def print_rules(catalog: Catalog, connection: eau2.Connection, sql: str) -> str:
    """Each rule that changed the plan, and the plan it made."""
    parts: list[str] = []

    def observe(rule: str, plan: Logical) -> None:
        body = "\n".join("  " + line for line in to_text(plan).splitlines())
        parts.append(f"{rule}:\n{body}")

    optimize(bound(catalog, sql), observe=observe)
    return "\n".join(parts) or "(none)"


def print_stages(catalog: Catalog, connection: eau2.Connection, sql: str) -> str:
    """The stages, cut at exchanges, as whoever runs the query says."""
    return connection.explain(sql)


def print_result(catalog: Catalog, connection: eau2.Connection, sql: str) -> str:
    """Types and rows."""
    table = connection.sql(sql).to_arrow()
    return "\n".join([" | ".join(table.column_names), types_text(table), *rendered(table)])


def print_error(catalog: Catalog, connection: eau2.Connection, sql: str) -> str:
    """The message of a statement that fails."""
    try:
        connection.sql(sql)
    except eau2.Error as error:
        return f"{type(error).__name__}: {error}"
    return "(no error)"


PRINTERS: dict[str, Callable[[Catalog, eau2.Connection, str], str]] = {
    "ast": print_ast,
    "plan": print_plan,
    "optimized": print_optimized,
    "rules": print_rules,
    "stages": print_stages,
    "result": print_result,
    "error": print_error,
}


def run(path: Path, made: AbstractContextManager[eau2.Connection] | None = None) -> str:
    """The script's text with everything printed anew.

    made: gives the connection to print it from, None for one in this process.
    """
    texts = []
    with made or connect() as connection:
        catalog = FrozenCatalog(connection)
        for block in read(path):
            lines = [*block.comments, f"[{', '.join(block.tags)}]", block.sql, "---"]
            for tag in block.tags:
                lines.append(f"{tag}:")
                printed = PRINTERS[tag](catalog, connection, block.sql)
                lines += ["  " + line if line else "" for line in printed.splitlines()]
            texts.append("\n".join(line.rstrip() for line in lines))
    return "\n\n".join(texts) + "\n"
