"""Charts as SVG documents, of plain elements and one style sheet.

Owns: sizes, colours, where each element stands. Comes in: a Figure. Goes out: a document that is
well-formed XML whatever the names in it are. Does not know: tables, browsers.

The colours of the series are close to those of Okabe and Ito (Color Universal Design, 2008), which
people who see few colours can tell apart.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np

from eau2.charts.axis import Tick, apart, context, fitted, rounded
from eau2.charts.figure import Figure, Limits, Scale, Series
from eau2.charts.thinning import Numbers
from eau2.formats.html import escaped
from eau2.formats.texts import cut, display_width

LIMITS: Final = Limits(bars=60, points=2000, bins=50)

_WIDTH, _HEIGHT = 720, 400
_TOP, _RIGHT, _BOTTOM = 36, 24, 52
_LETTER: Final = 7.0
"""About the width of a letter, since an SVG cannot ask for it."""
_BAR, _GAP = 18, 8
_LABEL_LETTERS: Final = 28
_NOTE: Final = 16

_STYLE: Final = """\
.eau2-chart { background: #ffffff; font: 12px system-ui, sans-serif; }
.eau2-chart .page { fill: #ffffff; }
.eau2-chart text { fill: #333333; }
.eau2-chart .note { fill: #777777; font-size: 11px; }
.eau2-chart .grid { stroke: #e2e2e2; }
.eau2-chart .axis { stroke: #888888; }
.eau2-chart .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.eau2-chart .point { stroke: none; fill-opacity: 0.65; }
"""
_DARK: Final = """\
.eau2-chart, .eau2-chart .page { background: #1b1e23; }
.eau2-chart .page { fill: #1b1e23; }
.eau2-chart text { fill: #dddddd; }
.eau2-chart .note { fill: #999999; }
.eau2-chart .grid { stroke: #33373d; }
.eau2-chart .axis { stroke: #888888; }
"""
_LIGHT_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9")
_DARK_COLOURS: Final = ("#56b4e9", "#e69f00", "#2fc99a", "#e79ac4", "#f0e442", "#8aa8ff")


def draw(figure: Figure) -> str:
    """The document, with its size in pixels."""
    notes = textwrap.wrap("; ".join(figure.notes), 100)
    if figure.kind == "bar":
        height = _TOP + _BOTTOM - 16 + len(figure.labels) * _step(figure)
        drawn = list(_bars(figure, height))
    else:
        height = _HEIGHT
        drawn = list(_histogram(figure) if figure.kind == "histogram" else _points(figure))
    whole = height + len(notes) * _NOTE
    for index, note in enumerate(notes):
        drawn.append(_text(12, height + index * _NOTE + 4, note, "start", "note"))
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="eau2-chart" width="{_WIDTH}"'
        f' height="{whole}" viewBox="0 0 {_WIDTH} {whole}" role="img">'
    )
    page = f'<rect class="page" width="{_WIDTH}" height="{whole}"/>'
    return "\n".join([opening, f"<style>\n{_style()}</style>", page, *drawn, "</svg>"]) + "\n"


def _style() -> str:
    dark = (_DARK + _colours(_DARK_COLOURS)).replace("\n.", "\n  .")
    return (
        _STYLE
        + _colours(_LIGHT_COLOURS)
        + f"@media (prefers-color-scheme: dark) {{\n  {dark.rstrip()}\n}}\n"
    )


def _colours(colours: tuple[str, ...]) -> str:
    return "".join(
        f".eau2-chart .s{index} {{ fill: {colour}; }} .eau2-chart .line.s{index}"
        f" {{ fill: none; stroke: {colour}; }}\n"
        for index, colour in enumerate(colours)
    )


class _Plane:
    """The rectangle in which values are drawn, and the way from values to pixels."""

    def __init__(
        self, margin: float, across: tuple[float, float], up: tuple[float, float], height: float
    ) -> None:
        """height: of the document, without notes."""
        self.left, self.right = margin, float(_WIDTH - _RIGHT)
        self.top, self.bottom = float(_TOP), float(height - _BOTTOM)
        self._across, self._up = across, up

    def x(self, value: float) -> float:
        """The pixel of a value along the x axis."""
        low, high = self._across
        return self.left + (value - low) / (high - low) * (self.right - self.left)

    def y(self, value: float) -> float:
        """The pixel of a value along the y axis."""
        low, high = self._up
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)

    def x_ticks(self, scale: Scale) -> list[Tick]:
        """Ticks along the x axis whose labels do not touch."""
        low, high = self._across

        def fits(found: list[Tick]) -> bool:
            return all(
                self.x(right.value) - self.x(left.value)
                > (len(left.label) + len(right.label)) / 2 * _LETTER + 10
                for left, right in pairwise(found)
            )

        return fitted(low, high, scale, 10, fits)

    def below(self, scale: Scale, name: str) -> Iterator[str]:
        """The x axis: its line, its ticks with labels, its name."""
        for tick in self.x_ticks(scale):
            at = self.x(tick.value)
            yield _line(at, self.bottom, at, self.bottom + 5, "axis")
            yield _text(at, self.bottom + 18, tick.label, "middle")
        yield _line(self.left, self.bottom, self.right, self.bottom, "axis")
        day = context(*self._across, scale)
        title = cut(name, 90) + (f" ({day})" if day else "")
        yield _text((self.left + self.right) / 2, self.bottom + 38, title, "middle")

    def rows(self, found: list[Tick]) -> Iterator[str]:
        """The y axis: a line across the plane for each tick, with its label."""
        for tick in found:
            at = self.y(tick.value)
            yield _line(self.left, at, self.right, at, "grid")
            yield _text(self.left - 8, at + 4, tick.label, "end")


def _points(figure: Figure) -> Iterator[str]:
    left, right = apart(*_range([series.x for series in figure.series]), figure.x_scale)
    low, high = rounded(*_range([series.y for series in figure.series]), 6)
    found = fitted(low, high, figure.y_scale, 6, lambda _: True)
    plane = _Plane(_margin(found), (left, right), (low, high), _HEIGHT)
    yield from plane.rows(found)
    yield from plane.below(figure.x_scale, figure.x_name)
    for index, series in enumerate(figure.series):
        places = [
            f"{plane.x(x):.1f},{plane.y(y):.1f}"
            for x, y in zip(series.x.tolist(), series.y.tolist(), strict=True)
        ]
        if figure.kind == "line" and len(places) > 1:
            yield f'<polyline class="line s{index}" points="{" ".join(places)}"/>'
            continue
        for place in places:
            x, _, y = place.partition(",")
            yield f'<circle class="point s{index}" cx="{x}" cy="{y}" r="3"/>'
    yield from _legend(figure.series, plane.left)


def _histogram(figure: Figure) -> Iterator[str]:
    (series,) = figure.series
    low, high = rounded(0.0, max(1.0, float(series.y.max())), 6)
    found = fitted(low, high, Scale.NUMBER, 6, lambda _: True)
    edges = (float(series.x[0]), float(series.x[-1]))
    plane = _Plane(_margin(found), edges, (low, high), _HEIGHT)
    yield from plane.rows(found)
    for start, end, count in zip(series.x, series.x[1:], series.y, strict=False):
        x, y = plane.x(float(start)), plane.y(float(count))
        width = plane.x(float(end)) - x
        yield _rectangle(x + 0.5, y, max(0.5, width - 1), plane.bottom - y, 0)
    yield from plane.below(figure.x_scale, figure.x_name)
    yield from _legend(figure.series, plane.left)


def _bars(figure: Figure, height: float) -> Iterator[str]:
    labels = [cut(label, _LABEL_LETTERS) for label in figure.labels]
    texts = [text for series in figure.series for text in series.texts]
    margin = 16 + max(map(display_width, labels)) * _LETTER
    low, high = _range([np.append(series.y, 0.0) for series in figure.series])
    low, high = rounded(low, high, 6) if low < high else (0.0, 1.0)
    plane = _Plane(margin, (low, high), (0.0, 1.0), height + 16)
    room = max(map(display_width, (cut(text, _LABEL_LETTERS) for text in texts))) * _LETTER
    plane.right -= min(room, 200.0)
    for tick in plane.x_ticks(Scale.NUMBER):
        at = plane.x(tick.value)
        yield _line(at, plane.top, at, plane.bottom, "grid")
        yield _text(at, plane.bottom + 18, tick.label, "middle")
    zero = plane.x(0.0)
    for row, label in enumerate(labels):
        top = plane.top + row * _step(figure) + _GAP / 2
        middle = top + _BAR * len(figure.series) / 2
        yield _text(margin - 8, middle + 4, label, "end")
        for index, series in enumerate(figure.series):
            value = float(series.y[row])
            end = zero if np.isnan(value) else plane.x(value)
            y = top + index * _BAR
            if end != zero:
                yield _rectangle(min(zero, end), y, abs(end - zero), _BAR - 2, index)
            shown = cut(series.texts[row], _LABEL_LETTERS)
            yield _text(max(zero, end) + 6, y + _BAR / 2 + 3, shown, "start")
    yield _line(zero, plane.top, zero, plane.bottom, "axis")
    if figure.x_name:
        yield _text(margin - 8, _TOP - 14, cut(figure.x_name, _LABEL_LETTERS), "end")
    yield from _legend(figure.series, margin)


def _step(figure: Figure) -> int:
    return len(figure.series) * _BAR + _GAP


def _margin(found: list[Tick]) -> float:
    return 20 + max((len(tick.label) for tick in found), default=1) * _LETTER


def _range(arrays: list[Numbers]) -> tuple[float, float]:
    finite = np.concatenate([array[np.isfinite(array)] for array in arrays])
    return float(finite.min()), float(finite.max())


def _legend(series: tuple[Series, ...], left: float) -> Iterator[str]:
    """The names of the series, at the top; a single one needs no colour."""
    at = left
    for index, one in enumerate(series):
        name = cut(one.name, 40)
        if len(series) > 1:
            yield _rectangle(at, _TOP - 24, 12, 12, index)
            at += 18
        yield _text(at, _TOP - 14, name, "start")
        at += display_width(name) * _LETTER + 20


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    return f'<line class="{class_}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _rectangle(x: float, y: float, width: float, height: float, series: int) -> str:
    return (
        f'<rect class="s{series}" x="{x:.1f}" y="{y:.1f}"'
        f' width="{width:.1f}" height="{height:.1f}"/>'
    )


def _text(x: float, y: float, text: str, anchor: str, class_: str = "") -> str:
    named = f' class="{class_}"' if class_ else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_plain(text)}</text>'


def _plain(text: str) -> str:
    """`text` for XML, which knows neither control characters nor U+FFFE and U+FFFF."""
    one_line = text.replace("\n", " ").replace("\r", " ").replace("\t", " ")
    return escaped(one_line).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
