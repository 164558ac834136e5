"""What a node's process writes to its standard error: one line for each event.

Owns: the form of the lines and who they are from. Comes in: records of the logging module, whose
`extra` names the query they belong to and whatever else is worth knowing; goes out: a JSON object a
line, or short plain lines where a person watches. Does not know: what happened, and why.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CONTROL = dict.fromkeys((*range(32), *range(127, 160)), " ")


class JsonLines(logging.Formatter):
    """A record as a JSON object: time (UTC), level, node, logger, message, query and the rest."""

    def __init__(self, node: str = "") -> None:
        super().__init__()
        self.node = node

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": _time(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "node": self.node,
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= _extra(record)
        if record.exc_info is not None:
            fields["trace"] = self.formatException(record.exc_info)
        said = {key: value for key, value in fields.items() if value not in ("", None)}
        return json.dumps(said, default=str)


class PlainLines(logging.Formatter):
    """A record as a person reads it: time, node, message; its trace below."""

    def __init__(self, node: str = "") -> None:
        super().__init__()
        self.node = node

    def format(self, record: logging.LogRecord) -> str:
        at = _time(record).astimezone().strftime("%H:%M:%S")
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        rest = "".join(f" {k}={v}" for k, v in _extra(record).items() if v not in ("", None))
        # A peer's words may be in it; they must not steer the terminal.
        text = f"{self.node} {level}{record.getMessage()}{rest}".strip().translate(_CONTROL)
        trace = "" if record.exc_info is None else "\n" + self.formatException(record.exc_info)
        return f"{at} {text}{trace}"


def setup(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Have all that is logged in this process written to `stream`, its standard error if None."""
    where = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(where)
    handler.setFormatter(PlainLines() if where.isatty() else JsonLines())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)
    # A standard error that nobody reads any more must not fill itself with its own failures.
    logging.raiseExceptions = False


def name_node(name: str) -> None:
    """From here on, the lines say which node they are from."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, JsonLines | PlainLines):
            handler.formatter.node = name


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _extra(record: logging.LogRecord) -> dict[str, object]:
    """What was said beside the message, the query first."""
    given = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    query = given.pop("query", None)
    return ({} if query is None else {"query": query}) | given
