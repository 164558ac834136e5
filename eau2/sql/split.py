"""Where one statement ends and the next begins, without parsing either.

Owns: cutting text at its semicolons. Comes in: text as typed or piped. Goes out: the complete
statements and what is left; which of them are EXPLAINs. Does not know: the grammar; it knows only
what may hide a semicolon: strings, quoted names and comments.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_PIECE = re.compile(
    r"""
    (?<![\w$])[eE]'(?:[^'\\]|\\.|'')*(?:'|(?P<open_escaped>\Z|\\\Z))
  | '(?:[^']|'')*(?:'|(?P<open_string>\Z))
  | (?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|(?P<open_dollar>\Z))
  | "(?:[^"]|"")*(?:"|(?P<open_name>\Z))
  | --[^\n]*
  | /\*.*?(?:\*/|(?P<open_comment>\Z))
  | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)
_NOTHING = re.compile(r"(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*\Z", re.DOTALL)

_EXPLAIN = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*explain\b", re.IGNORECASE | re.DOTALL)


class Split(NamedTuple):
    """Complete statements, each with its semicolon, and the text after the last of them.

    A statement is preceded by as many line breaks as stood before it, so that an error in it
    names the right line. The rest is empty when it is only spaces and comments.
    """

    statements: tuple[str, ...]
    rest: str


def split(text: str) -> Split:
    """Cut `text` at the semicolons that end statements; empty statements are left out."""
    statements: list[str] = []
    start = 0
    for piece in _PIECE.finditer(text):
        if piece.lastgroup == "end":
            if not _is_nothing(text[start : piece.start()]):
                statements.append(_from(text, start, piece.end()))
            start = piece.end()
    rest = text[start:]
    return Split(tuple(statements), "" if _is_nothing(rest) else _from(text, start, len(text)))


def is_explain(statement: str) -> bool:
    """Whether the statement is an EXPLAIN."""
    return _EXPLAIN.match(statement) is not None


def _is_nothing(text: str) -> bool:
    return _NOTHING.match(text) is not None


def _from(text: str, start: int, end: int) -> str:
    return "\n" * text.count("\n", 0, start) + text[start:end]
