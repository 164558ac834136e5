"""Text into tokens, by the words, signs and patterns that the grammar file defines.

Owns: how text is cut. Comes in: the text of one or several statements. Goes out: the tokens, three
lists of the same length. Does not know: which token may stand where.

Text that is no token ends the list with an UNREADABLE token, and with what is wrong about it: the
parser may find an error before it.
"""

from __future__ import annotations

import re
from functools import cache

from eau2.config import LIMITS
from eau2.errors import Span, SqlSyntaxError
from eau2.records import Record, Struct
from eau2.sql.tables import Tables, tables

UNREADABLE = -1
_SIGN = -2
_BLOCK_COMMENT = -3
_NOTHING = -4


class Tokens(Struct):
    """The terminal's number, the start and the end of each token; the last is the end of input."""

    text: str
    kinds: list[int]
    starts: list[int]
    ends: list[int]
    problem: SqlSyntaxError | None = None


class Scanner(Record, frozen=True):
    """One pattern, what a match of each of its groups is, and the terminals that need a look."""

    pattern: re.Pattern[str]
    meanings: tuple[int, ...]
    name: int
    quoted_name: int
    number: int


@cache
def scanner() -> Scanner:
    """The scanner of the grammar's tables."""
    known = tables()
    signs = "|".join(re.escape(sign) for sign in sorted(known.signs, key=len, reverse=True))
    cuts = [
        *known.patterns,
        (_BLOCK_COMMENT, r"/\*"),
        (_SIGN, signs),
        (_NOTHING, r"\Z"),
        (UNREADABLE, r"(?s:.)"),
    ]
    meanings = [UNREADABLE]
    for meaning, part in cuts:
        meanings += [meaning] * (1 + part.count("(?P<"))
    skipped = "|".join(known.ignored)
    pattern = re.compile(f"(?:{skipped})*+(?:{'|'.join(f'({part})' for _, part in cuts)})")
    name, quoted_name, number = map(known.terminals.index, ("NAME", "QUOTED_NAME", "NUMBER"))
    return Scanner(pattern, tuple(meanings), name, quoted_name, number)


def tokenize(text: str) -> Tokens:
    """The tokens of `text`."""
    tokens = Tokens(text, [], [], [])
    position: int | None = 0
    try:
        while position is not None:
            position = _cut(tokens, position, scanner(), tables())
    except SqlSyntaxError as problem:
        at = problem.span or Span(0, 0)
        tokens.problem = problem
        tokens.kinds.append(UNREADABLE)
        tokens.starts.append(at.start)
        tokens.ends.append(at.end)
    last = tokens.ends[-1] if tokens.ends else 0
    tokens.kinds.append(tables().end)
    tokens.starts.append(last)
    tokens.ends.append(last)
    return tokens


def _cut(tokens: Tokens, position: int, by: Scanner, known: Tables) -> int | None:
    """Cut from `position` on; where to go on after a block comment, or None at the end.

    Raises SqlSyntaxError at what is no token.
    """
    text, words, signs, meanings = tokens.text, known.words, known.signs, by.meanings
    name = by.name
    longest = LIMITS.identifier_chars
    add_kind, add_start = tokens.kinds.append, tokens.starts.append
    add_end = tokens.ends.append
    for match in by.pattern.finditer(text, position):
        group = match.lastindex or 0
        kind = meanings[group]
        start, end = match.span(group)
        if kind == name:
            kind = words.get(match[group].lower(), name)
            if end - start > longest:
                raise _unreadable(text, start, end, _too_long())
        elif kind == _SIGN:
            kind = signs[match[group]]
        elif kind == by.number:
            if text[end : end + 1].isalnum() or text[end : end + 1] == "_":
                raise _unreadable(text, start, end + 1, "This number runs into a word")
        elif kind == by.quoted_name:
            if end - start > longest + 2:
                raise _unreadable(text, start, end, _too_long())
        elif kind == _BLOCK_COMMENT:
            after = _comment_end(text, start)
            if after is None:
                raise _unreadable(text, start, start + 2, "This comment has no end")
            return after
        elif kind == _NOTHING:
            break
        elif kind == UNREADABLE:
            raise _unreadable(text, start, end, _no_token(text, start))
        add_kind(kind)
        add_start(start)
        add_end(end)
    return None


_COMMENT_EDGE = re.compile(r"/\*|\*/")


def _comment_end(text: str, start: int) -> int | None:
    """Where the block comment that starts at `start` ends. Comments nest."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return None


def _too_long() -> str:
    return f"A name may have at most {LIMITS.identifier_chars} characters"


def _no_token(text: str, start: int) -> str:
    """What is wrong with the character at `start`, which begins no token."""
    match text[start]:
        case "'":
            return "This string has no end: a closing ' is missing"
        case '"' if text.startswith('""', start):
            return "A quoted name may not be empty"
        case '"':
            return 'This quoted name has no end: a closing " is missing'
        case "$" if text.find("$", start + 1) > 0:
            return "This string has no end: its closing $...$ is missing"
        case character:
            return f"The character {character!r} has no meaning here"


def _unreadable(text: str, start: int, end: int, message: str) -> SqlSyntaxError:
    return SqlSyntaxError(message, span=Span(start, end), text=text)
