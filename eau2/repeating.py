"""What becomes of a statement whose node is lost: asked again elsewhere, or an error that says why.

Owns: which statements may be asked twice, which leave something behind in their connection, and the
words for those that cannot be asked again. Comes in: a statement's text; goes out: yes or no, or an
error. Does not know: nodes, connections.
"""

from __future__ import annotations

import re

from eau2.errors import Error, OutcomeUnknownError, PeerLostError
from eau2.sql import ast
from eau2.sql.parser import parse

_HARMLESS = (
    ast.Query,
    ast.Explain,
    ast.Describe,
    ast.ShowTables,
    ast.ShowNodes,
    ast.ShowChunks,
    ast.ShowIndexes,
    ast.ShowFunctions,
    ast.ShowSetting,
    ast.SetStatement,
    ast.Prepare,
    ast.Deallocate,
)
_STATE = re.compile(r"\b(?:set|reset|prepare|temp|temporary)\b", re.IGNORECASE)


def changes_nothing(text: str) -> bool:
    """Whether a text may be run twice: it changes no frame. False for what cannot be parsed."""
    try:
        return all(isinstance(statement, _HARMLESS) for statement in parse(text))
    except Error:
        return False


def leaves_state(text: str) -> bool:
    """Whether later statements of the connection may depend on this text having run on it."""
    if not _STATE.search(text):
        return False
    try:
        statements = parse(text)
    except Error:
        return True
    return any(
        isinstance(statement, ast.SetStatement | ast.Prepare)
        or (
            isinstance(statement, ast.CreateTable | ast.CreateView | ast.CreateFunction)
            and statement.temporary
        )
        for statement in statements
    )


def unanswered(text: str, error: Error) -> Error:
    """What to say when the connection broke, as `error` says, while a text was run at its end."""
    if changes_nothing(text):
        return PeerLostError(
            error.message, hint="The statement changes nothing: run it again, at another node."
        )
    return unknown(error)


def unknown(error: Error) -> OutcomeUnknownError:
    """What to say when the connection broke while something was changed."""
    return OutcomeUnknownError(
        f"{error.message}: whether what was asked for was done cannot be told",
        hint="Look whether it was done before you ask for it again.",
    )
