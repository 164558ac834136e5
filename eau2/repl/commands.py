"""The commands of the shell that are no SQL: their names, what they take, what they are for.

Owns: the table of commands, and finding one by what is typed. Does not know: how a command is done
(interpreter.py has a function for each).
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from enum import Enum, auto
from typing import Final

from eau2.errors import UsageError
from eau2.records import Record
from eau2.sql.split import split


class Argument(Enum):
    """What a command takes: for completion."""

    NOTHING = auto()
    TABLE = auto()
    FUNCTION = auto()
    STATEMENT = auto()
    FORMAT = auto()
    PATH = auto()
    SWITCH = auto()
    SETTING = auto()
    KIND = auto()
    TOPIC = auto()


class Command(Record, frozen=True):
    """A command. names: the first is its own, the others mean the same. takes: as help shows it."""

    names: tuple[str, ...]
    takes: str
    summary: str
    argument: Argument = Argument.NOTHING


COMMANDS: Final = (
    Command(("\\d", ".tables", ".schema"), "[NAME]", "the frames, or a frame's columns",
            Argument.TABLE),
    Command(("\\df",), "[PATTERN]", "the functions, or those that fit, like date*",
            Argument.FUNCTION),
    Command(("\\nodes",), "", "the nodes of the store"),
    Command(("\\chunks",), "NAME", "the ring, and which node holds which chunk of a frame",
            Argument.TABLE),
    Command(("\\plan",), "[STATEMENT]", "how a statement would run, or how the last one did",
            Argument.STATEMENT),
    Command(("\\last",), "[FORMAT]", "the last result again, all of it; as a table it is called _",
            Argument.FORMAT),
    Command(("\\chart",), "[KIND] [FILE.svg]", "the last result drawn: bars, a line, dots",
            Argument.KIND),
    Command(("\\watch",), "[SECONDS [TIMES]]", "run the last statement repeatedly, until Ctrl-C"),
    Command(("\\i", ".read"), "FILE", "run the statements of a file", Argument.PATH),
    Command(("\\o", ".output"), "[FILE]", "write results to a file, or to the terminal again",
            Argument.PATH),
    Command(("\\e",), "", "edit the last statement with $VISUAL or $EDITOR"),
    Command(("\\format", ".mode"), "[FORMAT]", "how results are written", Argument.FORMAT),
    Command(("\\x",), "[on|off]", "a line for each value of a row, or a table again",
            Argument.SWITCH),
    Command(("\\timing",), "[on|off]", "print how long each statement takes, or stop printing it",
            Argument.SWITCH),
    Command(("\\pager",), "[on|off]", "show what is taller than the screen in $PAGER",
            Argument.SWITCH),
    Command(("\\set",), "[NAME [VALUE]]", "the settings of the shell; SET in SQL has others",
            Argument.SETTING),
    Command(("\\?", ".help"), "[TOPIC]", "this help, or of a command or an error code: \\? E1004",
            Argument.TOPIC),
    Command(("\\q", ".quit", ".exit"), "", "quit (also Ctrl-D)"),
)  # fmt: skip
"""All commands, in the order of the help."""

_COMMAND: Final = re.compile(r"\s*(?:\\|\.[^\W\d])")


def is_command(text: str) -> bool:
    """Whether what is typed is a command of the shell and no SQL."""
    return _COMMAND.match(text) is not None


def named(word: str) -> Command | None:
    """The command of that name."""
    return next((command for command in COMMANDS if word in command.names), None)


def find(word: str) -> Command:
    """The command of that name. Raises UsageError with the nearest one."""
    command = named(word)
    if command is not None:
        return command
    near = get_close_matches(word.lower(), [n for each in COMMANDS for n in each.names], 1, 0.5)
    hint = f"Did you mean {near[0]}?" if near else "\\? lists the commands."
    raise UsageError(f"there is no command {word}", hint=hint)


def parted(text: str) -> tuple[Command, str]:
    """The command that is typed, and what follows it. A semicolon at the end counts for nothing.

    Raises UsageError for a command that is none, or takes nothing and is given something.
    """
    word, rest = [*text.split(maxsplit=1), ""][:2]
    command = find(word.rstrip(";"))
    rest = rest.strip()
    if command.argument is not Argument.PATH:
        rest = rest.removesuffix(";").rstrip()
    if rest and not command.takes:
        raise UsageError(f"{command.names[0]} takes nothing, not '{rest}'")
    return command, rest


def has_several(text: str) -> bool:
    """Whether a command is among several lines, so that they are run as those of a file are."""
    lines = text.strip().splitlines()
    if len(lines) < 2 or not any(map(is_command, lines)):
        return False
    # One statement behind \plan may take several lines.
    word, rest = [*text.split(maxsplit=1), ""][:2]
    command = named(word) if is_command(word) else None
    if command is None or command.argument is not Argument.STATEMENT:
        return True
    statements, unfinished = split(rest)
    return len(statements) + bool(unfinished) > 1 or any(map(is_command, lines[1:]))


def bare(text: str) -> str:
    """What is typed, without the quotes around it."""
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def help_text() -> str:
    """All commands, and the keys that matter."""
    heads = [f"{command.names[0]} {command.takes}".rstrip() for command in COMMANDS]
    width = max(map(len, heads))
    lines = [
        f"  {head:{width}}  {command.summary}"
        for head, command in zip(heads, COMMANDS, strict=True)
    ]
    return "\n".join([_KEYS, *lines, _ALIASES])


_KEYS: Final = """\
Statements end with a semicolon and may take several lines. Enter runs them once they have ended,
Esc Enter at once. Tab completes, Ctrl-R searches what was typed, Esc R finds it by some of its
letters. Ctrl-C drops what is typed, or cancels what runs."""

_ALIASES: Final = "Also: " + ", ".join(
    f"{' '.join(command.names[1:])} ({command.names[0]})"
    for command in COMMANDS
    if len(command.names) > 1
)
