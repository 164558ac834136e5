r"""What the shell tells about the store and the language: functions, places of chunks.

Owns: the answers of `\df` and `\chunks`. Comes in: a connection, what was asked. Goes out:
tables and text. Does not know: how they are shown.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import pyarrow as pa

from eau2.connection import Connection
from eau2.errors import UsageError
from eau2.operators import aggregates, windows
from eau2.operators.functions.table import documentation
from eau2.repl.ring import Placed, drawn
from eau2.sql.table_functions import names as table_functions
from eau2.types import VARCHAR


def functions(pattern: str, connection: Connection) -> pa.Table:
    """A row for each function that fits: its name, how it is written, what it is.

    pattern: with * and ?, or letters that the name begins with; all functions when empty, also
    those that users have defined. Raises UsageError when none fits, and what SHOW FUNCTIONS does.
    """
    rows = [
        (name, entry.syntax, entry.summary)
        for entry in documentation()
        for name in (entry.name, *entry.aliases)
        if not entry.operator
    ]
    rows += [(name, f"{name}(...)", "an aggregate") for name in aggregates.names()]
    rows += [(name, f"{name}(...) OVER (...)", "a window function") for name in windows.names()]
    rows += [(name, f"FROM {name}(...)", "a table function") for name in table_functions()]
    own = connection.sql("SHOW FUNCTIONS").fetchall()
    rows += [(name, written, f"{kind}, defined here") for name, written, kind, _ in own]
    wanted = pattern.lower()
    wild = wanted if any(sign in wanted for sign in "*?") else f"{wanted}*"
    found = sorted({row for row in rows if fnmatchcase(row[0].lower(), wild)})
    if not found:
        raise UsageError(f"no function fits {pattern}", hint="\\df *text* finds it in the middle.")
    names, syntax, summaries = zip(*found, strict=True)
    return pa.table({"name": names, "written": syntax, "what it is": summaries})


FUNCTION_TYPES = (VARCHAR, VARCHAR, VARCHAR)


def chunks(connection: Connection, name: str, width: int) -> str:
    """Where the chunks of a frame are, drawn. Raises what SHOW CHUNKS raises."""
    quoted = '"' + name.replace('"', '""') + '"'
    listed = connection.sql(f"SHOW CHUNKS FROM {quoted}").to_arrow().to_pylist()
    nodes = connection.sql("SHOW NODES").to_arrow().to_pylist()
    placed = [
        Placed(row["rows"], row["bytes"], _names(row["belongs_on"]) or (), _names(row["is_on"]))
        for row in listed
    ]
    return drawn(name, [(node["name"], node["health"]) for node in nodes], placed, width)


def _names(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return tuple(text.split(", ")) if text else ()
