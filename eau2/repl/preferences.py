"""What a person sets in the shell: the output format, timing, the pager and the like.

Owns: the names, their defaults, what values they take, and the file that may set them. Comes in:
text. Goes out: `Preferences`. Does not know: who obeys them; SET in SQL changes other things
(settings.py of the engine).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from eau2.errors import UsageError
from eau2.options import FORMATS
from eau2.records import Struct

SWITCHES: Final = ("on", "off")
VALUES: Final[dict[str, tuple[str, ...]]] = {
    "format": FORMATS,
    "timing": SWITCHES,
    "pager": SWITCHES,
    "color": ("auto", *SWITCHES),
}
"""What the settings take that take one of a few words."""

EXPANDED: Final = "line"
"""The format that `\\x` switches to."""

_MAX_ROWS: Final = 1_000_000
_MAX_PROMPT_CHARS: Final = 200


class Preferences(Struct):
    """The settings of one shell. They change while it runs.

    prompt: with {place} for what the shell is connected to. max_rows: of a box. plain: the format
    to go back to from the expanded one.
    """

    format: str = "box"
    timing: bool = False
    pager: bool = True
    prompt: str = "{place}> "
    max_rows: int = 40
    color: str = "auto"
    plain: str = "box"

    def set(self, name: str, text: str) -> None:
        """Set one by its name. Raises UsageError that says which there are, or which values."""
        known = _KNOWN.get(name.lower())
        if known is None:
            near = get_close_matches(name.lower(), _KNOWN, 1)
            hint = f"Did you mean {near[0]}?" if near else f"They are {', '.join(_KNOWN)}."
            raise UsageError(f'there is no setting of the shell called "{name}"', hint=hint)
        setattr(self, name.lower(), known(name.lower(), text))

    def values(self) -> dict[str, str]:
        """All of them as text, by name."""
        return {name: _text(getattr(self, name)) for name in _KNOWN}

    @property
    def expanded(self) -> bool:
        """Whether each value of a row has a line."""
        return self.format == EXPANDED

    def expand(self) -> bool:
        """Switch to one line for each value of a row, or back; whether it is on now."""
        if self.expanded:
            self.format = self.plain
            return False
        self.plain, self.format = self.format, EXPANDED
        return True


def read(path: Path) -> Preferences:
    """The settings that a file makes; the defaults when there is none.

    Raises UsageError that names the file and what is wrong in it.
    """
    made = Preferences()
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return made
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    for name, value in given.items():
        try:
            made.set(name, _text(value))
        except UsageError as error:
            raise UsageError(f"{path}: {error.message}", hint=error.hint) from error
    return made


def colored(choice: str, variables: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal is to show colours. choice: auto, on or off."""
    if choice != "auto":
        return choice == "on"
    return not variables.get("NO_COLOR") and variables.get("TERM") not in ("dumb", "unknown")


def _text(value: object) -> str:
    return ("off", "on")[value] if isinstance(value, bool) else str(value)


def _format(name: str, text: str) -> str:
    return _one_of(name, text.lower(), FORMATS)


def _color(name: str, text: str) -> str:
    return _one_of(name, text.lower(), VALUES[name])


def wanted(name: str, text: str) -> bool:
    """Whether `text` says on, not off. name: of what is switched. Raises UsageError."""
    return _one_of(name, text.lower(), SWITCHES) == "on"


def _prompt(name: str, text: str) -> str:
    if not text or len(text) > _MAX_PROMPT_CHARS or not text.isprintable():
        raise UsageError(f"{name} takes 1 to {_MAX_PROMPT_CHARS} characters of one line")
    return text


def _rows(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and 2 <= int(text) <= _MAX_ROWS):
        raise UsageError(f"{name} takes a whole number from 2 to {_MAX_ROWS:,}, not '{text}'")
    return int(text)


def _one_of(name: str, text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        near = get_close_matches(text, known, 1)
        hint = f"Did you mean {near[0]}?" if near else None
        raise UsageError(f"{name} takes {', '.join(known)}, not '{text}'", hint=hint)
    return text


_KNOWN: Final[dict[str, Callable[[str, str], object]]] = {
    "format": _format,
    "timing": wanted,
    "pager": wanted,
    "prompt": _prompt,
    "max_rows": _rows,
    "color": _color,
}
