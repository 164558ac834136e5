"""What may stand at the cursor: of a statement as far as it is typed.

Owns: the reading of the words before the cursor, and which tables the statement names. Comes in:
text and a place in it. Goes out: a `Place`. Does not know: which tables there are, how a list of
words is shown. It guesses as a reader would; only the parser knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from eau2.records import Record, field
from eau2.repl.pieces import Kind, Piece, cut
from eau2.repl.words import KEYWORDS


class Want(Enum):
    """A family of words."""

    STATEMENT = auto()
    KEYWORD = auto()
    TABLE = auto()
    TABLE_FUNCTION = auto()
    COLUMN = auto()
    SOURCE = auto()
    FUNCTION = auto()
    OWN_FUNCTION = auto()
    TYPE = auto()
    SETTING = auto()
    PATH = auto()


NOTHING: Final[frozenset[Want]] = frozenset()
EXPRESSION: Final = frozenset({Want.COLUMN, Want.SOURCE, Want.FUNCTION, Want.KEYWORD})
RELATION: Final = frozenset({Want.TABLE, Want.TABLE_FUNCTION})
_QUOTABLE: Final = frozenset({Want.TABLE, Want.COLUMN, Want.SOURCE})


class Place(Record, frozen=True):
    """What is wanted at the cursor.

    start: where the word begins that is typed there; prefix: what there is of it. keywords: only
    these, None for any. of: the table or alias whose columns are wanted, None for all. sources:
    what the statement reads, by alias or name. common: the names that WITH makes. made: the
    columns that these, and brackets in FROM, are seen to have. inside: the
    prefix stands in double quotes.
    """

    wants: frozenset[Want]
    start: int
    prefix: str
    keywords: tuple[str, ...] | None = None
    of: str | None = None
    sources: dict[str, str] = field(default_factory=dict)
    common: tuple[str, ...] = ()
    made: dict[str, tuple[str, ...]] = field(default_factory=dict)
    inside: bool = False


_WORDS: Final = frozenset(word.lower() for word in KEYWORDS)
_READS: Final = frozenset({"from", "join", "into", "summarize", "describe"})
_CLAUSE_TEXT: Final = "select where on by having limit offset values set using qualify window with"
_CLAUSES: Final = _READS | frozenset(_CLAUSE_TEXT.split())
_NEW_NAME: Final = frozenset({"with", "recursive", "window"})
_FOLLOWED: Final[dict[str, tuple[str, ...]]] = {
    "create": ("TABLE", "VIEW", "INDEX", "FUNCTION", "TEMPORARY", "OR"),
    "drop": ("TABLE", "VIEW", "INDEX", "FUNCTION"),
    "insert": ("INTO",),
    "group": ("BY",),
    "order": ("BY",),
    "partition": ("BY",),
    "show": ("TABLES", "FUNCTIONS", "NODES", "CHUNKS", "INDEXES", "ALL"),
    "language": ("SQL", "PYTHON"),
    "nulls": ("FIRST", "LAST"),
}


def look(text: str, cursor: int) -> Place:
    """What is wanted at `cursor` in `text`."""
    pieces = _statement(cut(text), cursor)
    at = next((p for p in pieces if p.start < cursor <= p.end), None)
    before = [p for p in pieces if p.end <= cursor and p is not at and p.kind is not Kind.COMMENT]
    if at is not None and at.holds(cursor) and at.kind in (Kind.COMMENT, Kind.STRING):
        path = at.kind is Kind.STRING and at.text.startswith("'") and _reads_next(before)
        if not path:
            return Place(NOTHING, cursor, "")
        return Place(frozenset({Want.PATH}), at.start + 1, text[at.start + 1 : cursor])
    prefix, start, inside = "", cursor, False
    if at is not None and at.kind is Kind.WORD:
        prefix, start = text[at.start : cursor], at.start
    elif at is not None and at.kind is Kind.QUOTED and at.holds(cursor):
        prefix, start, inside = text[at.start + 1 : cursor].replace('""', '"'), at.start, True
    elif at is not None:
        if at.kind is not Kind.SIGN:
            return Place(NOTHING, cursor, "")
        before.append(at)
    wants, keywords, of = _wanted(before)
    if inside:
        wants, keywords = (wants & _QUOTABLE) or NOTHING, None
    others = [p for p in pieces if p.kind is not Kind.COMMENT and p is not at]
    sources, common, made = _sources(others)
    return Place(wants, start, prefix, keywords, of, sources, common, made, inside)


def _statement(pieces: list[Piece], cursor: int) -> list[Piece]:
    """The pieces of the statement around the cursor."""
    begin, end = 0, len(pieces)
    for number, piece in enumerate(pieces):
        if piece.text == ";":
            if piece.end <= cursor:
                begin = number + 1
            else:
                end = min(end, number)
    return pieces[begin:end]


_Wanted = tuple[frozenset[Want], tuple[str, ...] | None, str | None]


def _wanted(before: Sequence[Piece]) -> _Wanted:
    if not before:
        return frozenset({Want.STATEMENT}), None, None
    last = before[-1]
    if last.text == ".":
        of = before[-2].name if len(before) > 1 else None
        return (frozenset({Want.COLUMN}) if of else NOTHING), None, of
    if last.text == "::":
        return frozenset({Want.TYPE}), None, None
    if last.word in _WORDS | {"nodes", "chunks", "tables", "index", "indexes"} and not _qualified(
        before
    ):
        return _after_word(before, last.word)
    if last.text == "(":
        return _after_bracket(before)
    if last.text == ",":
        clause = _clause(before)
        if clause in ("from", "join"):
            return RELATION, None, None
        return _after_bracket(before) if clause == "(" else (EXPRESSION, None, None)
    if last.kind is Kind.SIGN and last.text not in ")]}*":
        return EXPRESSION, None, None
    if last.text == "*" and not _ends_list(before):
        return EXPRESSION, None, None
    return frozenset({Want.KEYWORD}), None, None


def _after_word(before: Sequence[Piece], word: str) -> _Wanted:
    first = before[0].word
    if _about_function(before) and word in ("function", "exists", "returns", "as"):
        return _of_function(first, word), None, None
    if word in ("from", "join"):
        return RELATION, None, None
    if word in ("into", "summarize") or (word == "describe" and len(before) == 1):
        return frozenset({Want.TABLE}), None, None
    if first == "drop" and word in ("if", "exists"):
        return (frozenset({Want.TABLE}) if word == "exists" else NOTHING), None, None
    if [each.word for each in before[-3:]] == ["if", "not", "exists"]:
        return NOTHING, None, None
    if word in ("table", "view"):
        made = first == "create"
        return (NOTHING if made else frozenset({Want.TABLE})), None, None
    if word in ("set", "reset") and len(before) == 1:
        return frozenset({Want.SETTING}), None, None
    if word == "show":
        return frozenset({Want.KEYWORD, Want.SETTING}), _FOLLOWED[word], None
    if word == "index":
        return NOTHING, None, None
    if word == "on" and first == "create" and before[1].word == "index":
        return frozenset({Want.TABLE}), None, None
    if word in ("chunks", "indexes"):
        return frozenset({Want.KEYWORD}), ("FROM",), None
    if word in ("explain", "analyze"):
        return frozenset({Want.STATEMENT}), ("ANALYZE",) if word == "explain" else None, None
    if word == "as":
        return _after_as(before)
    if word in _NEW_NAME:
        return NOTHING, None, None
    if word in _FOLLOWED:
        return frozenset({Want.KEYWORD}), _FOLLOWED[word], None
    if word in ("end", "null", "true", "false", "asc", "desc", "first", "last"):
        return frozenset({Want.KEYWORD}), None, None
    return EXPRESSION, None, None


def _about_function(before: Sequence[Piece]) -> bool:
    """Whether the statement begins with CREATE FUNCTION or DROP FUNCTION."""
    opening = [piece.word for piece in before[:5]]
    return bool(opening) and opening[0] in ("create", "drop") and "function" in opening


def _of_function(first: str, word: str) -> frozenset[Want]:
    if word == "returns":
        return frozenset({Want.TYPE})
    if word == "as":
        return EXPRESSION
    return frozenset({Want.OWN_FUNCTION}) if first == "drop" else NOTHING


def _after_as(before: Sequence[Piece]) -> _Wanted:
    opened = _opened(before)
    if opened and before[opened - 1].word in ("cast", "try_cast"):
        return frozenset({Want.TYPE}), None, None
    if before[0].word in ("create", "prepare") and opened is None:
        return frozenset({Want.STATEMENT}), None, None
    return NOTHING, None, None


def _after_bracket(before: Sequence[Piece]) -> _Wanted:
    """Behind a bracket that has just been opened, or a comma inside of it."""
    opened = _opened(before)
    if opened is None or opened == 0:
        return EXPRESSION, None, None
    owner = before[opened - 1]
    earlier = before[opened - 2].word if opened > 1 else ""
    if owner.word in ("from", "join"):
        return RELATION | {Want.STATEMENT}, None, None
    if earlier == "into":
        return frozenset({Want.COLUMN}), None, owner.name
    if earlier in ("table", "exists", "function") and before[0].word == "create":
        return NOTHING, None, None
    if owner.word == "as":
        return frozenset({Want.STATEMENT}), None, None
    if earlier == "on" and before[1].word == "index":
        return frozenset({Want.COLUMN}), None, owner.name
    if owner.word == "using":
        return frozenset({Want.COLUMN}), None, None
    return EXPRESSION | {Want.STATEMENT}, None, None


def _opened(before: Sequence[Piece]) -> int | None:
    """Where the innermost bracket stands that is still open."""
    depth = 0
    for number in range(len(before) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(before[number].text, 0)
        if depth < 0:
            return number
    return None


def _clause(before: Sequence[Piece]) -> str:
    """The word that begins the clause at the end, or "(" when a bracket was opened after it."""
    depth = 0
    for piece in reversed(before):
        depth += {")": 1, "(": -1}.get(piece.text, 0)
        if depth < 0:
            return "("
        if depth == 0 and piece.word in _CLAUSES:
            return piece.word
    return ""


def _reads_next(before: Sequence[Piece]) -> bool:
    """Whether what comes next is read as a table."""
    if not before:
        return False
    last = before[-1]
    listed = last.text == "," and _clause(before) in ("from", "join")
    return last.word in ("from", "join") or listed or last.word in ("describe", "summarize")


def _qualified(before: Sequence[Piece]) -> bool:
    return len(before) > 1 and before[-2].text == "."


def _ends_list(before: Sequence[Piece]) -> bool:
    """Whether a star at the end stands for columns; else it multiplies."""
    earlier = before[-2] if len(before) > 1 else None
    return earlier is None or earlier.text in ("(", ",", ".") or earlier.word in _WORDS


_Sources = tuple[dict[str, str], tuple[str, ...], dict[str, tuple[str, ...]]]


def _sources(pieces: Sequence[Piece]) -> _Sources:
    """What the statement reads at any depth, the names that WITH makes, and columns made here."""
    found: dict[str, str] = {}
    made: dict[str, tuple[str, ...]] = {}
    opened: list[int] = []
    common: list[str] = []
    clauses = [""]
    number = 0
    while number < len(pieces):
        piece = pieces[number]
        number += 1
        if piece.text == "(":
            clauses.append("")
            opened.append(number)
        elif piece.text == ")" and opened:
            clauses.pop()
            inner = pieces[opened.pop() : number - 1]
            if clauses[-1] in ("from", "join"):
                alias, number = _alias(pieces, number)
                if alias:
                    found[alias] = ""
                    made[alias.lower()] = _named(inner)
            elif clauses[-1] == "with" and common:
                made.setdefault(common[-1].lower(), _named(inner))
        elif piece.word in _CLAUSES:
            clauses[-1] = piece.word
        elif clauses[-1] == "with" and piece.name and _text(pieces, number) == "as":
            common.append(piece.name)
        if not (piece.word in _READS or (piece.text == "," and clauses[-1] in ("from", "join"))):
            continue
        named = pieces[number] if number < len(pieces) else None
        if named is None or named.name is None or named.word in _WORDS:
            continue
        number += 1
        while _text(pieces, number) == "." and number + 1 < len(pieces):
            named = pieces[number + 1]
            number += 2
        name = named.name or ""
        if _text(pieces, number) == "(" and piece.word != "into":
            continue
        alias, number = _alias(pieces, number)
        found[alias or name] = name
    return found, tuple(common), made


def _named(pieces: Sequence[Piece]) -> tuple[str, ...]:
    """The names of a query's columns, of those that say one."""
    if not pieces or pieces[0].word != "select":
        return ()
    names = []
    depth = 0
    for number, piece in enumerate(pieces[1:], 1):
        depth += {"(": 1, ")": -1}.get(piece.text, 0)
        last = number + 1 == len(pieces) or pieces[number + 1].text == ","
        last = last or pieces[number + 1].word == "from"
        if depth == 0 and piece.word == "from":
            break
        if depth == 0 and last and piece.name and piece.word not in _WORDS:
            names.append(piece.name)
    return tuple(names)


def _alias(pieces: Sequence[Piece], number: int) -> tuple[str | None, int]:
    """The alias that stands there, if one does, and where to read on."""
    after = number + 1 if _text(pieces, number) == "as" else number
    if after < len(pieces) and pieces[after].name and pieces[after].word not in _WORDS:
        return pieces[after].name, after + 1
    return None, number


def _text(pieces: Sequence[Piece], number: int) -> str:
    return pieces[number].text.lower() if number < len(pieces) else ""
