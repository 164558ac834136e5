"""How far a query or a load is: what is told of it, and the one line on a terminal that says so.

Owns: the tally of a query's stages, its text, and the line: when it is drawn, and that it is erased
before anything else is printed. Comes in: tallies, or any text; goes out: bytes to stderr, if that
is a terminal. Does not know: queries, connections. It imports next to nothing, since the thin
client uses it.

    with progress.shown(sys.stderr) as line:
        connection.watch(progress.said_by(line))
        result = connection.sql(text)

Nothing is drawn in the first half second. The line is drawn by a thread of its own, since whoever
computes has no time to; `erase` ends it, and so does leaving the block.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TextIO

if TYPE_CHECKING:
    import threading

FIRST_S = 0.5
"""What takes less than this shows no line."""
EVERY_S = 0.2
TOLD_S = 0.25
"""How often a node tells of a statement at most."""

_BAR = 20


class StageTally(NamedTuple):
    """How far a stage is: chunks done of all, and the rows in those. A stage may read no chunks."""

    stage: int
    done: int
    chunks: int
    rows: int


Tally = tuple[StageTally, ...]
Watch = Callable[[Tally], None]
Text = Callable[[float], str]
"""What the line says after so many seconds."""


class Line:
    """The line: none where the stream is no terminal. For any thread; a block erases it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn = False
        self._text: Text | None = None
        self._start = time.monotonic()
        self._thread: threading.Thread | None = None
        if on_terminal(stream):
            from threading import Event, Lock, Thread

            self._guard, self._over = Lock(), Event()
            self._thread = Thread(target=self._draw_on, daemon=True)
            self._thread.start()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.erase()

    @property
    def is_shown(self) -> bool:
        """Whether anything may be drawn: there is no need to count for nobody."""
        return self._thread is not None

    def say(self, text: Text) -> None:
        """From now on the line says this."""
        self._text = text

    def erase(self) -> None:
        """Take the line away, for good. May be called again."""
        if self._thread is None:
            return
        self._over.set()
        with self._guard:
            if self._drawn:
                self._write("\r\x1b[K")
                self._drawn = False

    def _draw_on(self) -> None:
        wait_s = FIRST_S
        while not self._over.wait(wait_s):
            wait_s = EVERY_S
            if self._text is None:
                continue
            text = self._text(time.monotonic() - self._start)
            with self._guard:
                if not self._over.is_set():
                    self._drawn = True
                    self._write(f"\r{_styled(text[: _width(self._stream) - 1])}\x1b[K")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # The terminal has gone; what is computed is not to fail for that.
            self._over.set()


def shown(stream: TextIO) -> Line:
    """A line on `stream`, for a `with` block; at its end, and by `erase`, it is gone."""
    return Line(stream)


def said_by(line: Line) -> Watch | None:
    """What has the line say how far a query is; None where no line is shown."""
    if not line.is_shown:
        return None
    return lambda tally: line.say(lambda seconds: query_text(tally, seconds))


def on_terminal(stream: TextIO) -> bool:
    """Whether a line can be drawn and erased there."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def query_text(tally: Tally, seconds: float) -> str:
    """The line for a query: the share of all chunks, its stages under way, and the time left."""
    done = sum(stage.done for stage in tally)
    chunks = sum(stage.chunks for stage in tally)
    under_way = [stage for stage in tally if stage.done < stage.chunks]
    parts = [
        f"stage {s.stage}: {s.done:,} of {s.chunks:,} chunks, {s.rows:,} rows" for s in under_way
    ]
    return _joined(done, chunks, parts or ["last stage"], seconds)


def load_text(rows: int, size: int, done: int, whole: int, seconds: float) -> str:
    """The line for a load: rows, their bytes, rows a second, and the share of the files read."""
    per_s = rows / seconds if seconds > 0 else 0.0
    parts = [f"{rows:,} rows, {_bytes(size)}, {per_s:,.0f} rows/s"]
    return _joined(done, whole, parts, seconds)


def _joined(done: int, whole: int, parts: list[str], seconds: float) -> str:
    share = min(1.0, done / whole) if whole else 0.0
    filled = int(share * _BAR)
    left = f", about {_time(seconds * (1 - share) / share)} left" if 0 < share < 1 else ""
    bar = "#" * filled + "." * (_BAR - filled)
    # A narrow terminal cuts the end: what a person waits for stands first.
    return f"[{bar}] {int(share * 100):3} %  {_time(seconds)}{left}  {'; '.join(parts)}"


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = int(seconds) // 60
    return f"{minutes} min {int(seconds) % 60} s" if minutes < 60 else f"{minutes / 60:.1f} h"


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _styled(text: str) -> str:
    return text if os.environ.get("NO_COLOR") else f"\x1b[2m{text}\x1b[0m"


def _width(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
