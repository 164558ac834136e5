"""Colours for what is typed: keywords, functions, types, constants, comments.

Owns: which piece has which style, and the styles. Comes in: the text, the snapshot of known words.
Goes out: styled lines. Does not know: whether the text is a statement, whether there are colours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.styles import Style

from eau2.repl.commands import is_command
from eau2.repl.pieces import TYPED_MAX, Kind, Piece, cut
from eau2.repl.words import Known, Words

STYLE: Final = Style.from_dict(
    {
        "sql.keyword": "ansiblue bold",
        "sql.function": "ansicyan",
        "sql.type": "ansimagenta",
        "sql.string": "ansigreen",
        "sql.number": "ansiyellow",
        "sql.comment": "ansibrightblack italic",
        "sql.command": "bold",
        "prompt": "ansigreen bold",
        "prompt.more": "ansibrightblack",
    }
)
"""The sixteen colours of the terminal, so that its theme decides how they look."""


class StatementLexer(Lexer):
    """Styles a statement; a command of the shell only by its name."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        """See prompt_toolkit."""
        lines = list(styled(document.text, self._known.words))

        def line(number: int) -> StyleAndTextTuples:
            return lines[number] if number < len(lines) else []

        return line

    def invalidation_hash(self) -> int:
        """Changes with the known words, so that what was drawn without them is drawn again."""
        return id(self._known.words)


def styled(text: str, words: Words) -> Iterator[StyleAndTextTuples]:
    """Each line of `text` as styles with their parts of it."""
    line: StyleAndTextTuples = []
    for style, part in _parts(text, words):
        first, *rest = part.split("\n")
        if first:
            line.append((style, first))
        for more in rest:
            yield line
            line = [(style, more)] if more else []
    yield line


def _parts(text: str, words: Words) -> Iterator[tuple[str, str]]:
    if len(text) > TYPED_MAX:
        yield "", text
        return
    if is_command(text):
        command, space, rest = text.partition(" ")
        yield "class:sql.command", command
        yield "", space + rest
        return
    functions = frozenset((*words.functions, *words.table_functions, *words.own_functions))
    types = frozenset(words.types)
    position = 0
    for piece in cut(text):
        yield "", text[position : piece.start]
        called = piece.kind is Kind.WORD and text[piece.end : piece.end + 1] == "("
        yield _style(piece, called, words.keywords, functions, types), piece.text
        position = piece.end
    yield "", text[position:]


_STYLES: Final = {
    Kind.COMMENT: "class:sql.comment",
    Kind.STRING: "class:sql.string",
    Kind.NUMBER: "class:sql.number",
}


def _style(
    piece: Piece,
    called: bool,
    keywords: frozenset[str],
    functions: frozenset[str],
    types: frozenset[str],
) -> str:
    word = piece.word
    if called and word in functions:
        return "class:sql.function"
    if word in keywords:
        return "class:sql.keyword"
    if word in types:
        return "class:sql.type"
    return _STYLES.get(piece.kind, "")
