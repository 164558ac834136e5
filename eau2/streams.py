"""The standard streams of the process: each is there, and stdout takes all it is given or says why.

Owns: a stream in place of a closed one, whole writes, and the error of a stdout that cannot be
written. Comes in: what Python has made of the three descriptors; goes out: streams to be used.
Does not know: what is written.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any, Literal, TextIO

from eau2.errors import OperationalError


class StdoutError(Exception):
    """stdout cannot be written. No OSError, which whoever writes files would take for its own."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"stdout cannot be written: {reason}")

    def told(self) -> OperationalError:
        """The same as the error that is shown."""
        return OperationalError(
            str(self), hint="The output is cut off: free some space, or send it elsewhere."
        )


class _Stdout(io.FileIO):
    """The descriptor of stdout."""

    def write(self, data: Any, /) -> int:
        """Raises StdoutError, and BrokenPipeError when the reader went away."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StdoutError(error.strerror or str(error)) from error


class _AtOnce(io.BufferedWriter):
    """Writes through, as PYTHONUNBUFFERED asks, and yet all of it: a raw write may be short."""

    def write(self, data: Any, /) -> int:
        """All of the data."""
        count = super().write(data)
        self.flush()
        return count


def prepare() -> None:
    """Make stdin, stdout and stderr streams that can be used, whatever they were."""
    # In the order of the descriptors, of which opening takes the lowest that is free.
    if sys.stdin is None:
        sys.stdin = _null("r")
    if sys.stdout is None:
        sys.stdout = _null("w")
    if sys.stderr is None:
        sys.stderr = _null("w")
    now = sys.stdout
    at_once = isinstance(now.buffer, io.RawIOBase)
    raw = _Stdout(now.fileno(), "wb", closefd=False)
    sys.stdout = io.TextIOWrapper(
        _AtOnce(raw) if at_once else io.BufferedWriter(raw),
        encoding=now.encoding,
        errors=now.errors,
        line_buffering=bool(now.line_buffering),
        write_through=at_once,
    )


def _null(mode: Literal["r", "w"]) -> TextIO:
    """A stream of nothing. Its descriptor stays open as long as the process runs."""
    fd = os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
    return open(fd, mode, encoding="utf-8", closefd=False)


def discard() -> None:
    """Let go of what stdout did not take: it would fail again when the interpreter flushes it."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
