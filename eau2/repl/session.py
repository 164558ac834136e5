"""The prompt: what is typed, edited, completed and remembered, until it is to run.

Owns: keys, history, the look of the prompt. Comes in: keys from a terminal. Goes out: text that is
to run. Does not know: what the text does. It loads no part of the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Condition, completion_is_selected
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory, ThreadedHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth, Output

from eau2.repl.commands import has_several, is_command
from eau2.repl.completion import StatementCompleter
from eau2.repl.highlighting import STYLE, StatementLexer
from eau2.repl.places import history_path
from eau2.repl.preferences import Preferences, colored
from eau2.repl.words import Known
from eau2.sql.split import split

MENU_LINES: Final = 6
FOUND_MAX: Final = 50
_SHOWN_CHARS: Final = 100


def is_complete(text: str) -> bool:
    """Whether Enter runs what is typed: a command, nothing, or statements that have all ended."""
    if has_several(text):
        return not unfinished(text).strip()
    return not text.strip() or is_command(text) or not split(text).rest


def unfinished(text: str) -> str:
    """What of several lines, commands among them, has not ended."""
    rest = ""
    for line in text.splitlines(keepends=True):
        if rest.strip() or not is_command(line):
            rest = split(rest + line).rest
    return rest


def session(
    preferences: Preferences,
    place: str,
    known: Known,
    source: Input | None = None,
    sink: Output | None = None,
) -> PromptSession[str]:
    """A prompt. place: what it is connected to. `source` and `sink` stand in for the terminal.

    Neither the mouse nor the lines above the prompt are taken from the terminal.
    """
    colors = colored(preferences.color)
    completer = _Offers(StatementCompleter(known))
    made: PromptSession[str] = PromptSession(
        lambda: [("class:prompt", _first(preferences, place))],
        multiline=True,
        prompt_continuation=_more,
        history=_history(),
        auto_suggest=AutoSuggestFromHistory(),
        completer=completer,
        complete_in_thread=True,
        complete_while_typing=True,
        reserve_space_for_menu=MENU_LINES,
        search_ignore_case=True,
        lexer=StatementLexer(known) if colors else None,
        style=STYLE if colors else None,
        include_default_pygments_style=False,
        color_depth=None if colors else ColorDepth.DEPTH_1_BIT,
        editing_mode=EditingMode.EMACS,
        enable_open_in_editor=True,
        enable_suspend=True,
        tempfile_suffix=".sql",
        key_bindings=_keys(completer),
        input=source,
        output=sink,
    )
    completer.history = made.history
    return made


def forgets(prompt: PromptSession[str]) -> str:
    """Why what is typed is not kept any more; empty while it is, and once that is said."""
    history = prompt.history
    kept = history.history if isinstance(history, ThreadedHistory) else history
    if not isinstance(kept, _Kept):
        return ""
    trouble, kept.trouble = kept.trouble, ""
    return trouble


def _first(preferences: Preferences, place: str) -> str:
    return preferences.prompt.replace("{place}", place)


def _more(width: int, line: int, wrapped: int) -> StyleAndTextTuples:
    """What stands before all lines but the first, as wide as what stands before that one."""
    return [("class:prompt.more", "..> ".rjust(width)[-width:] if width else "")]


def _history() -> History:
    try:
        return ThreadedHistory(_Kept(str(history_path())))
    except OSError:
        # A home that cannot be written is no reason to have no shell.
        return InMemoryHistory()


class _Kept(FileHistory):
    """A history in a file that may go away, or become full: what is typed is remembered still."""

    _failed = False
    trouble = ""
    """Why it is not kept any more; forgotten once it is said."""

    def load_history_strings(self) -> Iterable[str]:
        """See prompt_toolkit."""
        try:
            yield from super().load_history_strings()
        except OSError as error:
            self.trouble = f"What was typed before cannot be read: {error}"

    def store_string(self, string: str) -> None:
        """See prompt_toolkit."""
        if self._failed:
            return
        try:
            super().store_string(string)
        except OSError as error:
            self._failed, self.trouble = True, f"What is typed is not kept any more: {error}"


def _keys(completer: _Offers) -> KeyBindings:
    keys = KeyBindings()
    complete = Condition(lambda: is_complete(get_app().current_buffer.text))

    @keys.add("enter", filter=complete & ~completion_is_selected)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("enter", filter=completion_is_selected)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.complete_state = None

    @keys.add("escape", "r")
    def _(event: KeyPressEvent) -> None:
        completer.remembers = True
        event.current_buffer.start_completion(select_first=True)

    return keys


class _Offers(Completer):
    """Words that fit; or, when it was asked for, earlier statements that have these letters."""

    def __init__(self, words: Completer) -> None:
        self.history: History = InMemoryHistory()
        self.remembers = False
        self._words = words

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterator[Completion]:
        """See prompt_toolkit."""
        if not self.remembers:
            yield from self._words.get_completions(document, event)
            return
        self.remembers = False
        typed = document.text_before_cursor
        for entry in found(typed, self.history.get_strings()):
            line = " ".join(entry.split())[:_SHOWN_CHARS]
            yield Completion(entry, -len(typed), display=line, display_meta="typed before")


def found(typed: str, entries: list[str]) -> list[str]:
    """The entries that have the letters of `typed` in this order, the closest together first.

    entries: the oldest first. Among equals the newest comes first.
    """
    letters = "".join(typed.lower().split())
    ranked = []
    for age, entry in enumerate(dict.fromkeys(reversed(entries))):
        span = _span(letters, entry.lower())
        if span is not None:
            ranked.append((span, age, entry))
    return [entry for _, _, entry in sorted(ranked)[:FOUND_MAX]]


def _span(letters: str, text: str) -> int | None:
    """How far apart the letters are in `text`, at their closest; None if they are not there."""
    best: int | None = None
    if not letters:
        return 0
    begin = text.find(letters[0])
    while begin >= 0:
        at = begin
        for letter in letters[1:]:
            at = text.find(letter, at + 1)
            if at < 0:
                return best
        span = at - begin
        best = span if best is None else min(best, span)
        begin = text.find(letters[0], begin + 1)
    return best
