"""What to say about a token that may not stand where it does.

Owns: the words of a syntax error: what stands there, what could, and what was perhaps meant. Comes
in: the tokens, the index of the offending one, the tables. Goes out: a SqlSyntaxError.
Does not know: the grammar, beyond what the automaton accepts.
"""

from __future__ import annotations

import difflib

from eau2.errors import Span, SqlSyntaxError
from eau2.sql.driver import accepts, states_before
from eau2.sql.lexer import UNREADABLE, Tokens
from eau2.sql.tables import Tables

DESCRIPTIONS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": "a string in single quotes",
    "UNIT": "a unit of time",
    "GROUP": "GROUP BY",
    "ORDER": "ORDER BY",
    ")": "a closing )",
    "(": "an opening (",
    "]": "a closing ]",
    ",": "a comma",
}
SIGNIFICANT = [
    "SELECT",
    "EXPLAIN",
    "DESCRIBE",
    "SHOW",
    "SET",
    "RESET",
    "DROP",
    "TABLE",
    ",",
    ")",
    "]",
    "BY",
    "FROM",
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "ON",
    "USING",
    "JOIN",
    "AS",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "AND",
    "IN",
    "BETWEEN",
    "LIKE",
    "NULL",
    "NOT",
    "TO",
    "FIRST",
    "LAST",
    "OUTER",
    "TIME",
    "ZONE",
    "SETS",
    "UNIT",
    "=",
    "NAME",
    "STRING",
    "NUMBER",
    "(",
]
"""What a message may say was expected, likeliest first; operators are left unsaid."""
VALUES = frozenset(["NUMBER", "NAME", "STRING"])
EXPRESSION = VALUES | {"("}
PREDICATES = frozenset(["AND", "IN", "BETWEEN", "LIKE", "NOT"])
NAMES_TOO = frozenset(
    ["EXPLAIN", "SET", "RESET", "DROP", "FIRST", "LAST", "TIME", "ZONE", "SETS", "UNIT"]
)
"""Words that may be names: where a name may stand, they are not what is missing."""
AT_MOST = 6
CLOSE = 0.6
CLOSER = 0.8
"""How alike a word must be to one that begins a statement eau2 refuses anyway."""


def unexpected(tokens: Tokens, index: int, tables: Tables) -> SqlSyntaxError:
    """The error about the token at `index`."""
    if tokens.kinds[index] == UNREADABLE and tokens.problem is not None:
        return tokens.problem
    misspelt = _misspelt(tokens, index, tables)
    if misspelt is not None:
        index, meant = misspelt
        hint: str | None = f"Did you mean {meant}?"
    else:
        hint = None
    span = Span(tokens.starts[index], tokens.ends[index])
    expected = _expected(states_before(tokens, index, tables), tables)
    message = f"Syntax error at {_shown(tokens, index, tables)}"
    if expected:
        message += f": expected {_listed(expected)}"
    return SqlSyntaxError(message, span=span, text=tokens.text, hint=hint)


def _shown(tokens: Tokens, index: int, tables: Tables) -> str:
    """The offending token as a message names it."""
    if tokens.kinds[index] == tables.end:
        return "the end of the statement"
    text = tokens.text[tokens.starts[index] : tokens.ends[index]]
    return f'"{text}"' if len(text) <= 40 else f'"{text[:37]}..."'


def _misspelt(tokens: Tokens, index: int, tables: Tables) -> tuple[int, str] | None:
    """The token that was perhaps meant as a keyword, and which.

    It is the offending one, or the one before, which was then taken as an alias: in
    `SELECT a FRM df` the parser meets its first surprise at df.
    """
    for place in (index, index - 1):
        if place < 0 or tables.terminals[tokens.kinds[place]] != "NAME":
            continue
        word = tokens.text[tokens.starts[place] : tokens.ends[place]].lower()
        states = states_before(tokens, place, tables)
        after = tokens.kinds[place + 1 : index + 1] or tokens.kinds[index + 1 : index + 2]
        if place == index and after == [tables.end]:
            after = []
        spelled = {
            one: kind
            for one, kind in tables.words.items()
            if accepts(states, [kind, *after], tables)
        }
        for close in difflib.get_close_matches(word, spelled, n=3, cutoff=CLOSE):
            likeness = difflib.SequenceMatcher(None, close, word).ratio()
            if tables.terminals[spelled[close]] != "OTHER_STATEMENT" or likeness >= CLOSER:
                return place, close.upper()
    return None


def _expected(states: list[int], tables: Tables) -> list[str]:
    """What could stand there, in words: the likely ones."""
    number = {name: kind for kind, name in enumerate(tables.terminals)}
    possible = {name for name in SIGNIFICANT if accepts(states, [number[name]], tables)}
    words = []
    if "NAME" in possible:
        possible -= NAMES_TOO
    if possible >= {"NAME", "SELECT", "WHERE"}:
        possible = {"NAME"}
    elif possible >= EXPRESSION:
        words.append("an expression")
        possible -= EXPRESSION | PREDICATES | {"NULL", "OUTER", "BY", "JOIN", "ON", "SELECT"}
    elif possible >= VALUES:
        words.append("a value")
        possible -= VALUES | {"NULL", "ON"}
    elif accepts(states, [number["+"]], tables):
        words.append("an operator")
        possible -= {"STRING", "(", "="} | ({"AS"} if "NAME" in possible else set())
        possible -= PREDICATES if "LIKE" in possible else set()
    if "SELECT" in possible or "an expression" in words:
        possible -= {"BY", "FROM", "TABLE"}
    words += [DESCRIPTIONS.get(name, name) for name in SIGNIFICANT if name in possible]
    if accepts(states, [tables.end], tables) and len(states) > 1:
        words.append("the end of the statement")
    return words[:AT_MOST]


def _listed(words: list[str]) -> str:
    """a, b or c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
