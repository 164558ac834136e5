"""Every alternative of the grammar is shown by an example, and each example is honoured or refused.

To honour is to give a result. To refuse is a statement error that says where, in words that name
what is refused.
"""

from __future__ import annotations

import re
from contextlib import suppress

import pyarrow as pa
import pytest

import eau2
from eau2.errors import InputFileError, StatementError
from eau2.sql.driver import UnexpectedTokenError
from tests.unit.grammar_examples import examples, examples_of_words
from tests.unit.grammar_rules import all_parts, used

NO_EXAMPLE = {"script: nothing"}
"""A text without statements, which is an error of its own."""


def test_every_alternative_has_an_example() -> None:
    shown: set[str] = set()
    for text in examples():
        shown |= used(text)
    for text in examples_of_words():
        with suppress(UnexpectedTokenError):
            shown |= used(text)
    assert all_parts() - shown == NO_EXAMPLE


def connect() -> eau2.Connection:
    """A connection with the tables of the examples."""
    connection = eau2.connect()
    t = {
        "a": pa.array([1, 2, None], pa.int32()),
        "b": pa.array([2, 2, 3], pa.int32()),
        "s": ["ab", "x", None],
        "d": pa.array([0, 1, 2], pa.date32()),
        "e": [True, False, None],
    }
    connection.put("t", pa.table(t))
    connection.put("u", pa.table({"a": pa.array([1, 2], pa.int32()), "c": [1, 2]}))
    return connection


VAGUE = re.compile(r"this (expression|form|table expression|statement)\b.*not supported")


@pytest.mark.parametrize("text", examples())
def test_is_honoured_or_refused(text: str) -> None:
    refused: StatementError | None = None
    with connect() as connection, suppress(InputFileError):
        try:
            connection.execute(text, [1] * text.count("?") or None).fetchall()
        except StatementError as error:
            refused = error
    if refused is not None:
        assert refused.span is not None or text == ";", refused
        assert not VAGUE.search(str(refused)), refused
