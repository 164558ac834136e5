"""Statements cut into pieces while they are typed: unfinished strings and comments too.

Owns: the cutting. Comes in: any text. Goes out: pieces with their places. Does not know: the
grammar's words, what a piece means. (The parser's lexer refuses text that has not ended.)
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from eau2.records import Record

TYPED_MAX: Final = 50_000
"""Characters: a longer text, which was pasted, is neither coloured nor completed on every key."""


class Kind(Enum):
    """What a piece is."""

    COMMENT = "comment"
    STRING = "string"
    QUOTED = "quoted name"
    WORD = "word"
    NUMBER = "number"
    SIGN = "sign"


class Piece(Record, frozen=True):
    """A piece of text from `start` to `end`; `open` when the text ended before the piece did."""

    kind: Kind
    text: str
    start: int
    end: int
    open: bool = False

    @property
    def word(self) -> str:
        """A word in lower case; empty for everything else."""
        return self.text.lower() if self.kind is Kind.WORD else ""

    @property
    def name(self) -> str | None:
        """What the piece names, if it can be a name."""
        if self.kind is Kind.QUOTED:
            inner = self.text[1:] if self.open else self.text[1:-1]
            return inner.replace('""', '"')
        return self.text if self.kind is Kind.WORD else None

    def holds(self, cursor: int) -> bool:
        """Whether what is typed at the cursor becomes part of a comment, string or quoted name."""
        to_its_end = self.open or (self.kind is Kind.COMMENT and self.text.startswith("--"))
        return self.start < cursor and (cursor <= self.end if to_its_end else cursor < self.end)


_PIECE = re.compile(
    r"""
    (?P<COMMENT>--[^\n]*|/\*.*?(?:\*/|(?P<open_comment>\Z)))
  | (?P<STRING>
        (?<![\w$])[eE]'(?:[^'\\]|\\.|'')*(?:'|(?P<open_escaped>\Z|\\\Z))
      | '(?:[^']|'')*(?:'|(?P<open_string>\Z))
      | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|(?P<open_dollar>\Z)))
  | (?P<QUOTED>"(?:[^"]|"")*(?:"|(?P<open_name>\Z)))
  | (?P<WORD>[^\W\d][\w$]*)
  | (?P<NUMBER>\.?\d[\w.]*)
  | (?P<SIGN>::|[^\s])
    """,
    re.VERBOSE | re.DOTALL,
)


_OPEN = ("open_comment", "open_escaped", "open_string", "open_dollar", "open_name")
_MAY_BE_OPEN = (Kind.COMMENT, Kind.STRING, Kind.QUOTED)


def cut(text: str) -> list[Piece]:
    """All pieces of `text`, in order; spaces are left out."""
    found = []
    for match in _PIECE.finditer(text):
        # The group that closes last is the outermost one.
        kind = Kind[match.lastgroup or "SIGN"]
        unfinished = kind in _MAY_BE_OPEN and any(match[group] is not None for group in _OPEN)
        found.append(Piece(kind, match[0], match.start(), match.end(), unfinished))
    return found
