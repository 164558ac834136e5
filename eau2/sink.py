"""A file for Arrow to write to: it is given whole buffers, one after another, and never read.

Owns: the methods that pyarrow asks of a Python file, and which formats are not for a terminal.
Comes in: buffers. Goes out: to `take`, which each kind of sink has its own. Does not know: where
the bytes go. Loads nothing: the thin client asks it too.
"""

from __future__ import annotations

from typing import Any, Final

from eau2.errors import UsageError

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
