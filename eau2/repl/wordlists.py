"""The words that completion offers, as the engine and a connection know them.

Owns: gathering them. Comes in: a connection. Goes out: a snapshot. Does not know: who reads it.
Loads the engine, so it is for a thread beside the prompt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from eau2.connection import Connection
from eau2.errors import Error
from eau2.operators import aggregates, windows
from eau2.operators.functions.table import documentation
from eau2.planner.optimizer import switch_names
from eau2.records import replace
from eau2.repl.drawings import codes
from eau2.repl.words import Words
from eau2.settings import OPTIMIZER, Settings
from eau2.sql.parser import parse
from eau2.sql.table_functions import names as table_function_names
from eau2.sql.tables import tables
from eau2.sql.type_names import names as type_names

TABLES_READ: Final = 2000
"""Of so many tables the columns are known; of the others only the names."""


def of_language() -> Words:
    """The words that are the same everywhere."""
    keywords = frozenset(word for word in tables().words if word[0].isalpha())
    scalar = {
        name
        for entry in documentation()
        for name in (entry.name, *entry.aliases)
        if not entry.operator and name.isidentifier() and not name.startswith("_")
    }
    rules = (OPTIMIZER + name for name in switch_names())
    return Words(
        keywords=keywords,
        reserved=frozenset(word for word in keywords if not _is_name(word)),
        functions=tuple(sorted({*scalar, *aggregates.names(), *windows.names()})),
        table_functions=table_function_names(),
        types=type_names(),
        codes=codes(),
        settings=(*Settings().values(), *rules),
    )


def of_connection(words: Words, connection: Connection, go_on: Callable[[], bool]) -> Words | None:
    """The same words with the tables and functions of now; None when it was told to stop.

    go_on: is asked before each table. Raises what the connection raises.
    """
    found: dict[str, tuple[str, ...]] = {}
    for number, name in enumerate(connection.tables()):
        if not go_on():
            return None
        found[name] = _columns(connection, name) if number < TABLES_READ else ()
    return replace(words, tables=found, own_functions=connection.functions())


def _columns(connection: Connection, name: str) -> tuple[str, ...]:
    quoted = '"' + name.replace('"', '""') + '"'
    try:
        return tuple(column for column, *_ in connection.sql(f"DESCRIBE {quoted}").fetchall())
    except Error:
        # A view over a table that is gone: it has a name, and no columns.
        return ()


def _is_name(word: str) -> bool:
    """Whether a word can be a column's name and a table's without quotes."""
    try:
        parse(f"SELECT {word} FROM {word}")
    except Error:
        return False
    return True
