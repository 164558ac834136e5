"""A file for Arrow to write to: it is given whole buffers, one after another, and never read.

Owns: the methods that pyarrow asks of a Python file, which formats are not for a terminal, and what
no result may tell one. Comes in: buffers. Goes out: to `take`, which each kind of sink has its own.
Does not know: where the bytes go. Loads nothing: the thin client asks it too.
"""

from __future__ import annotations

import re
from typing import Any, Final, Protocol

from eau2.errors import UsageError
from eau2.terminal_text import ESCAPES

BINARY: Final = ("parquet", "arrow")
"""The formats that are bytes and no text."""


def check_terminal(form: str, hint: str) -> None:
    """Refuse to write the format called `form` to a terminal.

    hint: how to have it written elsewhere. Raises UsageError.
    """
    if form in BINARY:
        raise UsageError(f"{form.capitalize()} is not for terminals", hint=hint)


def check_alone(form: str, results: int) -> None:
    """Refuse to run another statement when the format called `form` holds a single result.

    results: how many were written before it. Raises UsageError.
    """
    if form == "parquet" and results:
        raise UsageError(
            "a Parquet file holds one result, and another statement follows it",
            hint="Ask for each by itself, the one with the rows last, or take another format.",
        )


_STEERING: Final = re.compile(
    rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2(?:\x80[\xa8-\xae]|\x81[\xa6-\xa9])"
)
"""The characters of ESCAPES but the tab, in UTF-8."""

_ALONE: Final = re.compile(rb"(?:\xc2|\xe2[\x80\x81]?)\Z")
"""The beginning of one of these characters, at the end of a piece."""


def harmless(piece: bytes | memoryview) -> bytes:
    r"""UTF-8 text with what would steer a terminal written as escapes, but for \n and \t.

    piece: whole characters.
    """
    return _STEERING.sub(lambda found: ESCAPES[ord(found[0].decode())].encode(), bytes(piece))


class Writable(Protocol):
    """What bytes are written to."""

    def write(self, piece: bytes | memoryview, /) -> object:
        """Take bytes."""


class Screen:
    """A terminal to write text to, in pieces that may cut characters: it gets harmless ones."""

    def __init__(self, terminal: Writable) -> None:
        self._terminal = terminal
        self._held = b""

    def write(self, piece: bytes | memoryview, /) -> None:
        """Take bytes. Those of a character that has only begun wait for the next piece."""
        data = self._held + bytes(piece)
        begun = _ALONE.search(data, max(0, len(data) - 2))
        end = len(data) if begun is None else begun.start()
        self._held = data[end:]
        self._terminal.write(harmless(data[:end]))


class Sink:
    """The base of all sinks. `bytes` counts what has been taken."""

    def __init__(self) -> None:
        self.bytes = 0
        self.closed = False

    def take(self, view: memoryview) -> None:
        """Take all of `view`, which has at least one byte."""
        raise NotImplementedError

    def write(self, data: Any) -> int:
        """Arrow's call; the number of bytes."""
        view = memoryview(data).cast("B")
        if len(view):
            self.take(view)
        self.bytes += len(view)
        return len(view)

    def tell(self) -> int:
        """The position: what has been taken."""
        return self.bytes

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Arrow is done writing."""
        self.closed = True

    def readable(self) -> bool:
        """Never."""
        return False

    def writable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Never."""
        return False
