"""Charts of results: bars, lines, points and histograms, in a terminal or as SVG.

Owns: `Chart`, and which file it is saved to. Comes in: an Arrow table in logical types, the kind of
the chart and names of columns, or none. Goes out: text, an SVG document. Does not know: where a
chart is shown.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import pyarrow as pa

from eau2.charts import svg as vector
from eau2.charts import terminal as characters
from eau2.charts.figure import KINDS as KINDS
from eau2.charts.figure import figure
from eau2.errors import OperationalError, UsageError


def terminal(
    table: pa.Table,
    kind: str | None = None,
    width: int = 80,
    height: int = 20,
    *,
    x: str | None = None,
    y: str | Sequence[str] | None = None,
) -> str:
    """A chart out of characters, in at most so many columns and lines, each with a line break.

    kind: one of KINDS, None for what suits the types. x, y: names of columns, None for the first
    that fit. Values that cannot be drawn are left out, and more than there is room for are thinned
    out; lines below say so. Raises UsageError for what cannot be drawn.
    """
    characters.check_size(width, height)
    drawn = figure(table, kind, x, y, characters.limits(width, height))
    return characters.draw(drawn, width, height)


def svg(
    table: pa.Table,
    kind: str | None = None,
    *,
    x: str | None = None,
    y: str | Sequence[str] | None = None,
) -> str:
    """The same chart as an SVG document, which follows its reader's light or dark colours."""
    return vector.draw(figure(table, kind, x, y, vector.LIMITS))


class Chart:
    """A chart of a result. Notebooks draw it; printed, it is made of characters."""

    def __init__(
        self,
        table: pa.Table,
        kind: str | None = None,
        x: str | None = None,
        y: str | Sequence[str] | None = None,
    ) -> None:
        """See `terminal`. Raises UsageError for what cannot be drawn."""
        self._table, self._kind, self._x, self._y = table, kind, x, y
        self._svg = svg(table, kind, x=x, y=y)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the chart to a file called NAME.svg. Raises UsageError, OperationalError."""
        save(self._svg, path)

    def _repr_svg_(self) -> str:
        return self._svg

    def __repr__(self) -> str:
        return terminal(self._table, self._kind, x=self._x, y=self._y).rstrip("\n")


def save(document: str, path: str | os.PathLike[str]) -> None:
    """Write an SVG document to `path`. Raises UsageError, OperationalError."""
    name = os.fspath(path)
    if not name.lower().endswith(".svg"):
        raise UsageError(
            f"a chart is saved as SVG, and the name {name} does not end in .svg",
            hint="Call the file NAME.svg.",
        )
    try:
        with open(name, "w", encoding="utf-8") as file:
            file.write(document)
    except OSError as error:
        raise OperationalError(
            f"the chart could not be written to {name}: {error.strerror}",
            hint="Name a folder that exists and that you may write to.",
        ) from error
