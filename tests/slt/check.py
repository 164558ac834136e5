"""Runs the records of a file on a session and says what is not as written.

Owns: `failures`. Comes in: records and a session. Goes out: one message per failing record.
"""

from __future__ import annotations

import re

from tests.slt.records import Record, rendered, table_of, types_text
from tests.slt.sessions import Session


def failures(records: list[Record], session: Session) -> list[str]:
    """A message for each record that does not hold, in order."""
    found = []
    for record in records:
        message = failure(record, session)
        if message is not None:
            found.append(f"{record.where}: {message}\n    {record.sql}")
    return found


def failure(record: Record, session: Session) -> str | None:
    """What is wrong with one record on this session; None when it holds."""
    match record.head[0]:
        case "table":
            session.register(record.head[1], table_of(record))
            return None
        case "statement" if record.head[1] == "error":
            pattern = " ".join(record.head[2:])
            try:
                session.run(record.sql)
            except Exception as error:  # Which error it is, the pattern says.
                if re.search(pattern, str(error)):
                    return None
                return f"wanted an error like {pattern!r}, got {error}"
            return f"wanted an error like {pattern!r}, got none"
    try:
        table = session.run(record.sql)
    except Exception as error:  # Any error fails the record, and the rest of the file runs on.
        return f"{type(error).__name__}: {error}"
    if record.head[0] == "statement":
        return None
    actual = rendered(table)
    expected = list(record.result)
    if record.rowsort:
        actual.sort()
        expected.sort()
    if actual != expected:
        return "wanted\n" + "\n".join(expected) + "\n  got\n" + "\n".join(actual) + "\n  for"
    if types_text(table) != record.types:
        return f"wanted types {record.types}, got {types_text(table)}"
    return None
