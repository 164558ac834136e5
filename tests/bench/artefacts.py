"""What an engine keeps beside the tables to answer faster: how many, how large, when all are there.

Owns: `artefacts`, `settled`. They are read with SHOW INDEXES, which tells of all that is kept in
memory for a table; where that is no statement there are none.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import eau2

SETTLED_S = 0.5
"""Two looks so far apart that tell the same: nothing is being built any more."""


@dataclass(frozen=True, slots=True)
class Artefacts:
    """How many, their bytes as far as they are told, and those of each table."""

    count: int = 0
    bytes: int = 0
    tables: Mapping[str, int] = field(default_factory=dict)


def artefacts(connection: eau2.Connection) -> Artefacts | None:
    """Those that are there now; None when the engine does not tell."""
    try:
        result = connection.sql("SHOW INDEXES")
        rows = result.fetchall()
    except eau2.Error:
        return None
    tables: Counter[str] = Counter()
    for row in (dict(zip(result.names, row, strict=True)) for row in rows):
        tables[str(row.get("table"))] += int(row.get("bytes") or 0)
    return Artefacts(len(rows), tables.total(), dict(tables))


def settled(connection: eau2.Connection, seconds: float = 60.0) -> Artefacts | None:
    """Those that are there once no more come; None when the engine does not tell."""
    end = time.monotonic() + seconds
    found = artefacts(connection)
    while found is not None and time.monotonic() < end:
        time.sleep(SETTLED_S)
        before, found = found, artefacts(connection)
        if found == before:
            break
    return found
