"""What an engine keeps beside the tables to answer faster: how many, how large, when all are there.

Owns: `artefacts`, `settled`. They are read with SHOW INDEXES; where that is no statement there are
none.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import eau2

SETTLED_S = 0.5
"""Two looks so far apart that tell the same: nothing is being built any more."""


@dataclass(frozen=True, slots=True)
class Artefacts:
    """How many, and their bytes as far as they are told."""

    count: int = 0
    bytes: int = 0


def artefacts(connection: eau2.Connection) -> Artefacts | None:
    """Those that are there now; None when the engine does not tell."""
    try:
        result = connection.sql("SHOW INDEXES")
        rows = result.fetchall()
    except eau2.Error:
        return None
    sizes = [place for place, name in enumerate(result.names) if "bytes" in name.lower()]
    total = sum(int(row[place] or 0) for row in rows for place in sizes[:1])
    return Artefacts(len(rows), total)


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
