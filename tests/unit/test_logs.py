"""The lines of a node's log: JSON for machines, plain for people."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from eau2 import logs


class Terminal(io.StringIO):
    """A text file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def kept() -> Iterator[None]:
    """Logging as it was."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:], root.level = before[0], before[1]
    logging.raiseExceptions = before[2]
    logging.captureWarnings(False)


def test_a_line_is_a_json_object_with_what_is_known() -> None:
    stream = io.StringIO()
    logs.setup(stream)
    log = logging.getLogger("eau2.something")
    log.info("before the node has its name")
    logs.name_node("n2")
    log.warning("%d rows\nof %s", 7, "x", extra={"query": "q1", "stage": 3})
    first, second = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert "node" not in first
    assert "query" not in first
    time = second.pop("time")
    assert time[10] == "T"
    assert time.endswith("Z")
    assert second == {
        "level": "warning",
        "node": "n2",
        "logger": "eau2.something",
        "message": "7 rows\nof x",
        "query": "q1",
        "stage": 3,
    }


def test_a_trace_is_part_of_its_line() -> None:
    stream = io.StringIO()
    logs.setup(stream)
    try:
        raise ValueError("a bug")
    except ValueError:
        logging.getLogger("eau2").exception("failed")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["trace"].endswith("ValueError: a bug")


def test_a_terminal_gets_plain_lines_and_no_control_characters() -> None:
    stream = Terminal()
    logs.setup(stream)
    logs.name_node("n1")
    logging.getLogger("eau2").info("from \x1b[31mred\n\x9bx", extra={"query": "ab"})
    logging.getLogger("eau2").error("bad")
    first, second = stream.getvalue().splitlines()
    assert first[8:] == " n1 from  [31mred  x query=ab"
    assert second[8:] == " n1 error: bad"


def test_a_stream_that_is_closed_stops_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    logs.setup(stream)
    stream.close()
    logging.getLogger("eau2").info("nobody reads it")
    sys.stderr.flush()
    assert capfd.readouterr().err == ""
