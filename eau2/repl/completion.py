"""What the prompt offers while something is typed: words that may stand at the cursor.

Owns: which candidates fit what is typed, their order and their spelling. Comes in: the text, the
snapshot of known words. Goes out: completions. Does not know: where words come from, which keys
open the list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from eau2.options import FORMATS
from eau2.repl.commands import COMMANDS, Argument, find, is_command, named
from eau2.repl.context import NOTHING, Place, Want, look
from eau2.repl.pieces import TYPED_MAX
from eau2.repl.preferences import VALUES, Preferences
from eau2.repl.words import KEYWORDS, STATEMENTS, Known, Words

OFFERED_MAX: Final = 200
"""Nobody reads a longer list; typing on makes it shorter."""

COLUMNS_UNASKED: Final = 500
"""While the statement names no table, the columns of all tables are offered up to this many."""

_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*\Z")


class Candidate(NamedTuple):
    """A word that may stand at the cursor. fuzzy: also if letters are left out of what is typed."""

    text: str
    kind: str
    fuzzy: bool = True


class StatementCompleter(Completer):
    """Offers what fits; nothing inside comments and strings, but for paths of files."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._paths = PathCompleter(expanduser=False)

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterator[Completion]:
        """See prompt_toolkit. It is called on a thread of its own, so typing never waits for it."""
        text, cursor = document.text, document.cursor_position
        words = self._known.words
        if len(text) > TYPED_MAX:
            return
        if is_command(text):
            yield from self._of_command(text[:cursor], words, event)
            return
        yield from self._at(look(text, cursor), words, event, asked=event.completion_requested)

    def _at(
        self, place: Place, words: Words, event: CompleteEvent, asked: bool
    ) -> Iterator[Completion]:
        if Want.PATH in place.wants:
            yield from self._path(place.prefix, event)
        elif place.wants is not NOTHING and (place.prefix or place.of or asked):
            # Without a letter typed, a list of everything would only be in the way.
            yield from offered(place, words)

    def _of_command(self, before: str, words: Words, event: CompleteEvent) -> Iterator[Completion]:
        """Commands, and what they take."""
        typed = before.lstrip()
        word, space, rest = typed.partition(" ")
        if not space:
            own = [command.names[0] for command in COMMANDS]
            spellings = own if word.startswith("\\") else [n for c in COMMANDS for n in c.names]
            for name in spellings:
                if name.startswith(word) and name != word:
                    yield Completion(name, -len(word), display_meta=find(name).summary)
            return
        command = named(word)
        if command is None:
            return
        if command.argument is Argument.STATEMENT:
            yield from self._at(look(rest, len(rest)), words, event, asked=True)
        elif command.argument is Argument.PATH:
            yield from self._path(rest, event)
        else:
            first, more, part = rest.rpartition(" ")
            taken = () if more else _ARGUMENTS[command.argument](words)
            if more and command.argument is Argument.SETTING:
                taken = VALUES.get(first.strip().lower(), ())
            for text in taken:
                if text.lower().startswith(part.lower()) and text != part:
                    yield Completion(text, -len(part))

    def _path(self, typed: str, event: CompleteEvent) -> Iterator[Completion]:
        for completion in self._paths.get_completions(Document(typed, len(typed)), event):
            whole = Path(typed[: len(typed) + completion.start_position] + completion.text)
            folder = "/" if (Path.cwd() / Path(typed).parent / whole.name).is_dir() else ""
            yield Completion(
                completion.text + folder,
                completion.start_position,
                display=completion.display,
                display_meta="folder" if folder else "file",
            )


_ARGUMENTS: Final[dict[Argument, Callable[[Words], Iterable[str]]]] = {
    Argument.NOTHING: lambda _: (),
    Argument.TABLE: lambda words: words.tables,
    Argument.FUNCTION: lambda words: (*words.own_functions, *words.functions),
    Argument.FORMAT: lambda _: FORMATS,
    Argument.SWITCH: lambda _: ("on", "off"),
    Argument.SETTING: lambda _: Preferences().values(),
    Argument.KIND: lambda _: ("bar", "line", "scatter", "histogram"),
    Argument.TOPIC: lambda words: (*words.codes, *(command.names[0] for command in COMMANDS)),
}


def offered(place: Place, words: Words) -> Iterator[Completion]:
    """The completions at a place, best first."""
    ranked: list[tuple[tuple[int, int, int], int, str, Candidate]] = []
    seen: set[str] = set()
    for candidate in _candidates(place, words):
        score = _score(place.prefix, candidate)
        text = _spelled(candidate, place, words.reserved)
        if score is None or text in seen or text == place.prefix:
            continue
        seen.add(text)
        ranked.append((score, len(ranked), text, candidate))
    ranked.sort(key=lambda entry: entry[:2])
    length = len(place.prefix) + place.inside
    for _, _, text, candidate in islice(ranked, OFFERED_MAX):
        yield Completion(text, -length, display_meta=candidate.kind)


def _candidates(place: Place, words: Words) -> Iterator[Candidate]:
    wants = place.wants
    if Want.COLUMN in wants:
        for name in _columns(place, words):
            yield Candidate(name, "column")
    if Want.SOURCE in wants:
        for alias in place.sources:
            yield Candidate(alias, "table here")
    if Want.TABLE in wants:
        for name in (*place.common, *words.tables):
            yield Candidate(name, "table")
    if Want.STATEMENT in wants:
        for word in STATEMENTS:
            yield Candidate(word, "keyword", False)
    if Want.TABLE_FUNCTION in wants:
        for name in (*words.own_functions, *words.table_functions):
            yield Candidate(name, "table function", False)
    if Want.FUNCTION in wants:
        for name in (*words.own_functions, *words.functions):
            yield Candidate(name, "function", False)
    if Want.OWN_FUNCTION in wants:
        for name in words.own_functions:
            yield Candidate(name, "own function", False)
    if Want.TYPE in wants:
        for name in words.types:
            yield Candidate(name, "type", False)
    if Want.SETTING in wants:
        for name in words.settings:
            yield Candidate(name, "setting")
    if Want.KEYWORD in wants or place.keywords:
        for word in place.keywords or KEYWORDS:
            yield Candidate(word, "keyword", False)


def _columns(place: Place, words: Words) -> Iterator[str]:
    """Of the table that is asked for; of those the statement reads; or of all, if few."""
    by_lower = {name.lower(): columns for name, columns in words.tables.items()} | place.made
    if place.of is not None:
        aliases = {alias.lower(): table for alias, table in place.sources.items()}
        table = aliases.get(place.of.lower()) or place.of
        yield from by_lower.get(table.lower(), ())
        return
    read = [by_lower.get((table or alias).lower(), ()) for alias, table in place.sources.items()]
    if not place.sources and sum(map(len, by_lower.values())) <= COLUMNS_UNASKED:
        read = list(by_lower.values())
    for columns in read:
        yield from columns


def _score(typed: str, candidate: Candidate) -> tuple[int, int, int] | None:
    """How well a candidate fits, less is better; None when it does not.

    First what begins so, then what holds it, then what has its letters in this order. Of these,
    the ones whose letters are closest together.
    """
    low, text = typed.lower(), candidate.text.lower()
    if text.startswith(low):
        return 0, 0, 0
    if not candidate.fuzzy:
        return None
    if (at := text.find(low)) >= 0:
        return 1, at, 0
    first = at = text.find(low[0])
    for letter in low[1:]:
        if at < 0:
            break
        at = text.find(letter, at + 1)
    return None if at < 0 else (2, at - first, first)


def _spelled(candidate: Candidate, place: Place, reserved: frozenset[str]) -> str:
    """As it is inserted: words of the language in the case that is typed, names with quotes."""
    text = candidate.text
    if candidate.kind in ("column", "table", "table here"):
        bare = _PLAIN.match(text.lower()) and text.lower() not in reserved and not place.inside
        return text if bare else '"' + text.replace('"', '""') + '"'
    if candidate.kind in ("keyword", "type"):
        lower = place.prefix.islower()
        text = text.lower() if lower else text.upper()
    elif place.prefix.isupper() and len(place.prefix) > 1:
        text = text.upper()
    call = candidate.kind in ("function", "table function")
    return f"{text}(" if call else text
