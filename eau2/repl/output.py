r"""Where results go: the terminal, a pager in between, or a file.

Owns: the file of `\o`, the pager's process. Comes in: bytes. Goes out: the same, elsewhere. Does
not know: what they are.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from eau2.errors import UsageError
from eau2.repl.preferences import Preferences
from eau2.sink import BINARY, Screen

PAGER: Final = "less -SRFX"
_HELD_BYTES: Final = 1 << 20
"""Lines may be long: what is held back is bounded by its bytes too."""


class Sink(Protocol):
    """What results are written to."""

    def write(self, piece: bytes | memoryview, /) -> object:
        """Take bytes."""


class Output:
    """The way out of one shell."""

    def __init__(self, preferences: Preferences) -> None:
        self._preferences = preferences
        self._file: _File | None = None
        self._path = ""

    @property
    def path(self) -> str:
        """The file that results go to; empty when they go to the terminal."""
        return self._path

    @property
    def on_screen(self) -> bool:
        """Whether a person reads the results."""
        return self._file is None and sys.stdout.isatty()

    @property
    def width(self) -> int | None:
        """How many columns a box may take, None for any number."""
        return os.get_terminal_size().columns or None if self.on_screen else None

    def to_file(self, path: str) -> None:
        """Write results to a file from now on; to the terminal again when `path` is empty.

        A file of that name is emptied. Raises UsageError when it cannot be written.
        """
        self.close()
        if not path:
            return
        self._file = _File(path)
        self._path = path

    def close(self) -> None:
        """End the file, if there is one. Raises UsageError when it cannot be written."""
        file, self._file, self._path = self._file, None, ""
        if file is not None and not file.broken:
            file.close()

    def say(self, line: str) -> None:
        """Print a line by the same way as results, so that both keep their order in a pipe."""
        sys.stdout.buffer.write(f"{line}\n".encode())
        sys.stdout.flush()

    @contextmanager
    def opened(self, form: str, *, paged: bool = True) -> Iterator[Sink]:
        """Something to write a result to. form: its format; paged: a pager may come between.

        A pager that is left ends the writing: BrokenPipeError. Raises UsageError for a format that
        is not for terminals.
        """
        if form in BINARY and self.on_screen:
            raise UsageError(
                f"{form} is not for terminals", hint=f"Name a file first: \\o result.{form}"
            )
        if self._file is not None:
            file = self._file
            try:
                yield file
                file.flush()
            finally:
                if file.broken:
                    # What comes next is not to fail as well.
                    self.close()
            if form in BINARY:
                # A second result behind the first would make the file unreadable.
                self.close()
            return
        if not (paged and self._preferences.pager and self.on_screen):
            yield Screen(sys.stdout.buffer) if self.on_screen else sys.stdout.buffer
            sys.stdout.flush()
            return
        screen = _Screen(os.get_terminal_size().lines)
        try:
            yield Screen(screen)
        finally:
            screen.end()


class _File:
    """A file that is written, whose failures are errors that name it.

    broken: it could not be written, and is closed. Every method raises UsageError.
    """

    def __init__(self, path: str) -> None:
        self.broken = False
        self._path = path
        try:
            self._file: BinaryIO = Path(os.path.expanduser(path)).open("wb")  # noqa: SIM115
        except OSError as error:
            raise _unwritable(path, error) from error

    def write(self, piece: bytes | memoryview) -> None:
        """See Sink."""
        with self._translated():
            self._file.write(piece)

    def flush(self) -> None:
        """Have it written."""
        with self._translated():
            self._file.flush()

    def close(self) -> None:
        """Write the rest and end it."""
        with self._translated():
            self._file.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.broken = True
            with suppress(OSError):
                self._file.close()
            raise _unwritable(self._path, error) from error


def _unwritable(path: str, error: OSError) -> UsageError:
    return UsageError(f"{path} cannot be written: {error.strerror}")


class _Screen:
    """The terminal: what is taller than it goes through the pager."""

    def __init__(self, lines: int) -> None:
        self._room = max(1, lines - 1)
        self._held: list[bytes] = []
        self._lines = self._bytes = 0
        self._pager: subprocess.Popen[bytes] | None = None

    def write(self, piece: bytes | memoryview) -> None:
        """Take bytes. Raises BrokenPipeError when the pager was left."""
        data = bytes(piece)
        if self._pager is not None:
            _give(self._pager, data)
            return
        self._held.append(data)
        self._lines += data.count(b"\n")
        self._bytes += len(data)
        if self._lines > self._room or self._bytes > _HELD_BYTES:
            self._pager = _started()
            held, self._held = self._held, []
            for each in held:
                self._pass_on(each)

    def end(self) -> None:
        """Show what is held; wait until the pager is left."""
        for each in self._held:
            self._pass_on(each)
        sys.stdout.flush()
        if self._pager is None or self._pager.stdin is None:
            return
        # Ctrl-C is for the pager while it is on the screen.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with suppress(BrokenPipeError):
                self._pager.stdin.close()
            self._pager.wait()
        finally:
            signal.signal(signal.SIGINT, before)

    def _pass_on(self, data: bytes) -> None:
        if self._pager is not None:
            _give(self._pager, data)
        else:
            sys.stdout.buffer.write(data)


def _give(pager: subprocess.Popen[bytes], data: bytes) -> None:
    assert pager.stdin is not None
    pager.stdin.write(data)
    pager.stdin.flush()


def _started() -> subprocess.Popen[bytes] | None:
    """The user's pager, else less; None when there is neither."""
    sys.stdout.flush()
    for command in (os.environ.get("PAGER"), PAGER):
        if not command:
            continue
        with suppress(OSError, ValueError):
            return subprocess.Popen(
                shlex.split(command),
                stdin=subprocess.PIPE,
                env={**os.environ, "LESSCHARSET": "utf-8"},
            )
    return None
