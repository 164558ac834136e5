r"""Charts of the last result, and explanations of error codes: each loaded when it is asked for.

Owns: what `\chart` and `\?` with a code take. Comes in: words, a table. Goes out: text, a file.
Does not know: how a chart is drawn (chart.py), what a code means (error_codes.py).
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Final

import pyarrow as pa

from eau2.errors import UsageError
from eau2.repl.commands import bare
from eau2.repl.output import Output

KINDS: Final = ("bar", "line", "scatter", "histogram")
_WIDTH, _HEIGHT = 80, 20


def draw(words: str, table: pa.Table, output: Output) -> None:
    """Draw a table in the terminal, or into a file that is named behind the kind.

    Raises UsageError for a kind that is none, a file that is no SVG, a table that has no numbers.
    """
    kind, path = _asked(words)
    chart = import_module("eau2.chart")
    if path is None:
        width = output.width or _WIDTH
        lines = os.get_terminal_size().lines if output.on_screen else _HEIGHT
        output.say(chart.terminal(table, kind, width, min(_HEIGHT, max(5, lines - 3))).rstrip())
        return
    try:
        path.write_text(chart.svg(table, kind), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    output.say(f"The chart is in {path}.")


def _asked(words: str) -> tuple[str | None, Path | None]:
    """The kind, None for what suits the columns, and the file, None for the terminal."""
    first, _, rest = words.partition(" ")
    kind = first.lower() if first.lower() in KINDS else None
    name = bare(rest.strip() if kind else words)
    if not name:
        return kind, None
    if not name.lower().endswith(".svg"):
        raise UsageError(
            f"\\chart does not know '{name}'",
            hint=f"It takes {', '.join(KINDS)}, and a file whose name ends in .svg.",
        )
    return kind, Path(os.path.expanduser(name))


def codes() -> tuple[str, ...]:
    """All error codes."""
    return tuple(import_module("eau2.error_codes").catalogue())


def explained(code: str) -> str:
    """What an error code means and what to do. Raises UsageError for one that does not exist."""
    text: str = import_module("eau2.error_codes").explain(code.upper())
    return text
